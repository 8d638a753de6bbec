"""Temperature, calibration error and threshold: known values are found again, and on data they were not fitted on."""

import json
import math

import numpy as np
import pytest
import torch

from policies.nano import Policy
from policies.train.calibrate import better
from policies.train.calibration import (
    Decided,
    balanced_accuracy,
    bootstrap,
    calibration_error,
    choose,
    choose_threshold,
    curve,
    fit,
    fit_scale,
    fit_temperature,
    golden_section,
    nll,
    probabilities,
    report,
    write_policy,
)
from policies.train.recipe import ThresholdRule
from tools.errors import UsageError

BALANCED = ThresholdRule()


def drawn(n, temperature, seed, shift=0.0):
    """Margins that are too sure by `temperature`: needed with probability sigmoid(margin / temperature - shift)."""
    rng = np.random.default_rng(seed)
    margins = rng.normal(0, 3 * temperature, n)
    return margins, rng.random(n) < 1 / (1 + np.exp(-(margins / temperature - shift)))


def rows(margins, needed, gain=True):
    return [
        Decided(margin=m, needed=y, right=(not y, y or not gain), cost=(0.4, 1.6), group=str(i // 2))
        for i, (m, y) in enumerate(zip(margins.tolist(), needed.tolist(), strict=True))
    ]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_temperature_that_made_the_labels_is_found(temperature):
    assert fit_temperature(*drawn(20_000, temperature, 0)) == pytest.approx(temperature, rel=0.06)


def test_the_temperature_is_that_of_torch_lbfgs():
    margins, needed = drawn(500, 2.5, 1)
    z, y = torch.tensor(margins), torch.tensor(needed, dtype=torch.float64)
    log_t = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_t], max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(z / log_t.exp(), y)
        loss.backward()
        return loss

    optimizer.step(closure)
    assert fit_temperature(margins, needed) == pytest.approx(log_t.exp().item(), rel=1e-3)


@pytest.mark.parametrize(("temperature", "shift"), [(1.0, 2.0), (3.0, -1.5), (0.5, 0.0)])
def test_temperature_and_bias_that_made_the_labels_are_found(temperature, shift):
    found = fit_scale(*drawn(20_000, temperature, 15, shift))
    assert found == (pytest.approx(temperature, rel=0.06), pytest.approx(temperature * shift, abs=0.15 * temperature))


def test_a_base_rate_that_differs_costs_no_calibration():
    """Half of what the margins call needed is right by luck as well: a temperature alone cannot say so."""
    margins, needed = drawn(4000, 1.0, 16)
    needed &= np.random.default_rng(17).random(4000) < 0.5
    half, others = (rows(margins[part], needed[part]) for part in (slice(None, 2000), slice(2000, None)))
    alone = report(others, fit_temperature(margins[:2000], needed[:2000]), 0.5)
    assert fit(half, others, BALANCED, "sha").after.ece.value < 0.06 < alone.ece.value


def test_perfect_margins_do_not_make_it_colder():
    assert fit_temperature(np.array([-5.0, -3.0, 4.0, 6.0]), np.array([False, False, True, True])) == pytest.approx(
        1, abs=0.01
    )


def test_the_likelihood_loss_is_exact_for_huge_margins():
    assert nll(np.array([1000.0, -1000.0]), np.array([True, False]), 1.0) == 0
    assert nll(np.array([1000.0]), np.array([False]), 1.0) == 1000


def test_golden_section_finds_a_minimum():
    assert golden_section(lambda x: (x - 1.3) ** 2, -4, 9) == pytest.approx(1.3, abs=1e-3)


def test_calibration_error_by_hand():
    p, y = np.array([0.05, 0.05, 0.95, 0.95]), np.array([False, True, True, True])
    assert calibration_error(p, y) == pytest.approx((2 * abs(0.05 - 0.5) + 2 * 0.05) / 4)
    assert calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0


def test_a_fit_lowers_the_error_on_rows_it_has_not_seen():
    half = rows(*drawn(2000, 5.0, 2))
    found = fit(half, rows(*drawn(2000, 5.0, 3)), BALANCED, "sha")
    assert found.after.ece.value < 0.04 < 0.1 < found.before.ece.value
    assert found.after.nll < found.before.nll
    assert found.before.ece.low <= found.before.ece.value <= found.before.ece.high


def test_always_and_never_are_worth_a_half():
    needed = np.array([True, False, False])
    assert balanced_accuracy(np.ones(3, bool), needed) == balanced_accuracy(np.zeros(3, bool), needed) == 0.5
    assert balanced_accuracy(needed, needed) == 1


def test_the_threshold_parts_what_can_be_parted_in_the_middle_of_the_gap():
    made = rows(np.array([-4.0, -3.0, -2.0, 3.0, 4.0]), np.array([False, False, False, True, True]))
    low, high = probabilities(np.array([-2.0, 3.0]), 1.0)
    assert choose_threshold(made, 1.0, BALANCED) == pytest.approx((low + high) / 2)


def test_a_shifted_policy_gets_a_shifted_threshold():
    margins, needed = drawn(4000, 1.0, 4, shift=2.0)
    assert choose_threshold(rows(margins, needed), 1.0, BALANCED) > 0.75


def test_calls_that_cost_more_than_they_bring_are_not_made():
    margins, needed = drawn(400, 1.0, 5)
    dear = ThresholdRule(kind="accuracy-cost", price=2.0)
    cheap = ThresholdRule(kind="accuracy-cost", price=0.01)
    made = rows(margins, needed)
    assert probabilities(margins, 1.0).max() < choose_threshold(made, 1.0, dear) <= 1
    assert report(made, 1.0, choose_threshold(made, 1.0, cheap)).called_needed > 0.8


def test_the_curve_runs_from_never_to_always_in_threshold_calls_and_cost():
    points = curve(rows(*drawn(300, 1.0, 6)), 1.0)
    assert (points[0][1], points[-1][1]) == (0.0, 1.0)
    assert (points[0][2], points[-1][2]) == (pytest.approx(0.4), pytest.approx(1.6))
    assert [p[1] for p in points] == sorted(p[1] for p in points)


def test_intervals_resample_pictures_as_wholes():
    """Ten questions about each of four pictures, all alike in a picture: four facts, not forty."""
    values, groups = np.repeat([0.0, 1.0, 0.0, 1.0], 10), [str(i // 10) for i in range(40)]
    together = bootstrap(lambda i: float(values[i].mean()), groups)
    alone = bootstrap(lambda i: float(values[i].mean()), [str(i) for i in range(40)])
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_questions_that_neither_way_answers_raise_the_price_of_a_low_threshold_and_nothing_else():
    decidable = rows(*drawn(400, 1.0, 10))
    lost = [
        Decided(margin=m, needed=None, right=(False, False), cost=(0.4, 1.6), group=f"n{m}")
        for m in np.linspace(-3, 0.5, 400)
    ]
    price = ThresholdRule(kind="accuracy-cost", price=0.1)
    without, priced = (choose(asked, price) for asked in (decidable, [*decidable, *lost]))
    assert priced[1] > without[1]
    assert priced[0] == without[0]
    assert choose([*decidable, *lost], BALANCED) == choose(decidable, BALANCED)


def test_questions_that_neither_way_answers_count_for_accuracy_and_cost_alone():
    decidable = rows(*drawn(100, 1.0, 14))
    lost = [Decided(margin=9.0, needed=None, right=(False, False), cost=(0.4, 1.6), group=f"n{n}") for n in range(100)]
    alone, both = report(decidable, 1.0, 0.5), report([*decidable, *lost], 1.0, 0.5)
    assert (both.asked, both.n, both.needed) == (200, 100, alone.needed)
    assert (both.ece.value, both.nll, both.balanced_accuracy) == (alone.ece.value, alone.nll, alone.balanced_accuracy)
    assert both.accuracy.value == pytest.approx(alone.accuracy.value / 2)
    assert both.cost == pytest.approx((alone.cost + 1.6) / 2)


def test_a_fit_replaces_what_ships_where_its_own_rule_says_so():
    held_out = rows(*drawn(300, 1.0, 13))
    half = rows(*drawn(400, 1.0, 12))
    priced = fit(half, held_out, ThresholdRule(kind="accuracy-cost", price=0.02), "sha")
    assert better(priced, report(held_out, 1.0, 0.9))  # what ships hardly calls
    assert not better(priced, priced.after)
    balanced = priced.model_copy(update={"rule": BALANCED})
    assert not better(balanced, report(held_out, 1.0, 0.5))  # calls more often than is balanced, and is no surer


def test_too_few_rows_of_a_label_are_said_to_be():
    margins, needed = drawn(200, 1.0, 7)
    with pytest.raises(UsageError, match=r"only 0 of .* rows have one label"):
        choose(rows(margins, np.ones(200, bool)), BALANCED)
    with pytest.raises(UsageError, match=r"too few to judge p_call on"):
        fit(rows(margins, needed), rows(margins, np.ones(200, bool)), BALANCED, "sha")


def test_what_is_written_is_a_policy_that_loads(tmp_path):
    half, others = rows(*drawn(300, 2.0, 8)), rows(*drawn(300, 2.0, 9))
    found = fit(half, others, BALANCED, "sha")
    path = write_policy(tmp_path, found)
    loaded = Policy.model_validate_json(path.read_text())
    assert loaded == Policy(threshold=found.threshold, temperature=found.temperature, bias=found.bias)
    assert json.loads(path.read_text())["data_sha256"] == "sha"
    assert math.isfinite(loaded.threshold)
    assert [p.name for p in tmp_path.iterdir()] == ["policy.json"]
