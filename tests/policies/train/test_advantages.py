"""The reward stage's mathematics against values worked out by hand and torch's own distributions."""

import math

import pytest
import torch
from torch.distributions import Categorical, kl_divergence

from policies.train.advantages import Guard, clipped, decision_log_probs, divergence, group_advantages, reward

INF = float("inf")


def test_a_right_answer_is_worth_one_less_its_cost():
    assert reward(True, 1.5, 0.1) == pytest.approx(0.85)
    assert reward(False, 0.4, 0.5) == pytest.approx(-0.2)


def test_advantages_are_standardised_in_each_group():
    found = group_advantages(torch.tensor([[1.0, 0.0, 0.0, 1.0], [0.5, 0.0, 0.0, 0.0]]))
    assert found[0].tolist() == pytest.approx([1, -1, -1, 1])
    deviation = math.sqrt((0.375**2 + 3 * 0.125**2) / 4)
    assert found[1].tolist() == pytest.approx([0.375 / deviation, *[-0.125 / deviation] * 3], rel=1e-4)


def test_a_group_of_equal_rewards_teaches_nothing():
    assert group_advantages(torch.full((2, 5), 0.7)).tolist() == [[0.0] * 5] * 2


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected", "cut"),
    [(1, 2, 2, False), (1.5, 1, 1.2, True), (1.5, -1, -1.5, False), (0.5, -1, -0.8, True), (0.5, 1, 0.5, False)],
)
def test_the_objective_is_cut_only_where_it_would_reward_going_further(ratio, advantage, expected, cut):
    value, was = clipped(torch.tensor([[math.log(ratio)]]), torch.zeros(1, 1), torch.tensor([[float(advantage)]]), 0.2)
    assert value.item() == pytest.approx(expected)
    assert was.item() is cut


def test_a_cut_sample_has_no_gradient_and_an_uncut_one_that_of_the_policy_gradient():
    log_new = torch.tensor([[math.log(1.5), 0.0]], requires_grad=True)
    clipped(log_new, torch.zeros(1, 2), torch.ones(1, 2), 0.2)[0].sum().backward()
    assert log_new.grad.tolist() == [[0.0, 1.0]]


def test_the_divergence_is_that_of_torch():
    torch.manual_seed(0)
    p, q = torch.randn(6, 4).log_softmax(-1), torch.randn(6, 4).log_softmax(-1)
    torch.testing.assert_close(divergence(p, q), kl_divergence(Categorical(logits=p), Categorical(logits=q)))


def test_decisions_that_a_question_lacks_do_not_count_in_the_divergence():
    p = torch.tensor([[math.log(0.3), math.log(0.7), -INF]], requires_grad=True)
    q = torch.tensor([[math.log(0.5), math.log(0.5), -INF]])
    found = divergence(p, q)
    assert found.item() == pytest.approx(0.3 * math.log(0.6) + 0.7 * math.log(1.4))
    found.sum().backward()
    assert torch.isfinite(p.grad).all()


def test_decisions_share_one_probability():
    pair, names = torch.tensor([0.2, 1.1]), torch.tensor([-3.0, -1.0, -2.0])
    found = decision_log_probs(pair, names).exp()
    assert found.sum().item() == pytest.approx(1)
    assert found[1:].sum().item() == pytest.approx(pair.softmax(-1)[1].item())
    assert (found[2] / found[1]).item() == pytest.approx(math.exp(2.0))
    assert decision_log_probs(pair, names[:0]).exp().tolist() == [1.0]


def guard(needed, other, band=(0.1, 0.9), window=4):
    found = Guard(band, window)
    for a, b in zip(needed, other, strict=True):
        found.add(True, a)
        found.add(False, b)
    return found


def test_the_guard_tells_always_from_never_from_a_policy_that_decides():
    assert "never calls" in guard([0.01] * 4, [0.02] * 4).collapsed()
    assert "always calls" in guard([0.99] * 4, [0.95] * 4).collapsed()
    assert guard([0.99] * 4, [0.01] * 4).collapsed() is None
    assert guard([0.99] * 4, [0.5] * 4).collapsed() is None


def test_the_guard_waits_for_full_windows_and_looks_at_the_last_questions_alone():
    assert guard([0.0] * 3, [0.0] * 3).collapsed() is None
    assert guard([0.9, 0.9, 0.9, 0.9, 0, 0, 0, 0], [0.0] * 8).collapsed() is not None
    assert guard([0, 0, 0, 0, 0.9, 0.9, 0.9, 0.9], [0.0] * 8).collapsed() is None


def test_the_guard_goes_on_where_it_was():
    before, after = guard([0.01] * 4, [0.02] * 4), guard([], [])
    after.load(before.state())
    assert after.collapsed() == before.collapsed() is not None
