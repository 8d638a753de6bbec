"""Stages `policy` and `reward` on a tiny model and questions of which half need an expert: they learn which, generalise
to names never seen, and a price that makes every call a loss is noticed as a collapse."""

import json

import pytest
import torch

from policies.text.protocol import Protocol
from policies.train.counterfactual import ROWS, Forced
from policies.train.learner import make_learner
from policies.train.loop import train
from policies.train.player import Outcome
from policies.train.policy import LABELS, PolicyStage
from policies.train.recipe import Recipe
from policies.train.records import Records
from policies.train.reward import BEST, RewardStage
from tools.errors import TrainingError, UsageError

NEEDED = ("What is the total price on page {}?", "Which date is printed beside number {}?")
KNOWN = ("Is {} a number?", "How much is {} and {}?")
SHARED = {
    "language": "full",
    "rates": {"language": 4e-3, "rows": 4e-3},
    "precision": "fp32",
    "tokens": 800,
    "pool": 6,
    "workers": 0,
    "log_steps": 1,
    "checkpoint_seconds": 600,
    "warmup": 0.0,
}


def row(index):
    needed = index % 2 == 0
    question = (NEEDED if needed else KNOWN)[index // 2 % 2].format(index, index + 1)
    direct = Outcome(text="x", correct=not needed, likelihood=0.5, calls=0, tokens=100)
    experts = Outcome(text="y", correct=needed, likelihood=0.5, calls=1, tokens=200)
    return Forced(
        key=f"pages/{index}/0",
        track="pages",
        index=index,
        kind="cell" if needed else "general",
        question=question,
        gold="y",
        size=(100, 80),
        expert="read" if needed else "",
        call="read:",
        margin=0.0,
        direct=direct,
        experts=experts,
    )


@pytest.fixture
def toy(tmp_path):
    """`toy(reward={...})`: a recipe whose labels are there already."""

    def make(policy=None, reward=None, seed=1):
        out = tmp_path / "out"
        recipe = Recipe(
            seed=seed,
            out=out,
            policy={**SHARED, "steps": 100, "plugins": 0.0, **(policy or {})},
            reward={**SHARED, "steps": 60, "rollouts": "labels", "price": 0.05, "window": 40, **(reward or {})},
        )
        if not (out / "policy" / LABELS / ROWS).exists():
            with Records(out / "policy" / LABELS / ROWS, Forced, {"made": "by hand"}) as records:
                for index in range(48):
                    records.append(row(index))
        return recipe

    return make


class Short(Protocol):
    """Prompts of a few tokens, which a model of two layers can learn from in seconds."""

    def decide_prefix(self, experts, size, image=False):
        return self.encode("page\n")

    def question(self, question, options=None):
        return [*self.encode(question), self.encode("\n")[0]]


class Labelled(PolicyStage):
    """Its labels are given, and nothing is calibrated."""

    def prepare(self, learner):
        pass

    def source(self, protocol):
        return super().source(Short(protocol.tokenizer))

    def finish(self, work, folder):
        return {}


class Rewarded(RewardStage):
    def source(self, protocol):
        return super().source(Short(protocol.tokenizer))

    def finish(self, work, folder):
        return {}


def rates(folder, names):
    """The mean of the last five logged values of each name."""
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [sum(values := [r[name] for r in rows if name in r][-5:]) / len(values) for name in names]


def test_policy_learns_which_questions_need_an_expert(toy, base):
    recipe = toy()
    train(recipe, "policy", base, kind=Labelled, say=lambda line: None)
    needed, other = rates(recipe.folder("policy"), ("p_call needed", "p_call not needed"))
    assert needed > 0.6  # not 1: where no reader is at hand, which these short prompts do not show, it is to answer
    assert other < 0.15


def test_reward_learns_to_call_exactly_where_it_pays(toy, base):
    recipe = toy()
    train(recipe, "reward", base, kind=Rewarded, say=lambda line: None)
    needed, other = rates(recipe.folder("reward"), ("call rate needed", "call rate not needed"))
    assert needed > 0.85
    assert other < 0.15
    assert (recipe.folder("reward") / BEST / "token_rows.safetensors").is_file()


def test_a_price_that_eats_every_gain_is_a_collapse_and_is_stopped(toy, base):
    recipe = toy(reward={"price": 5.0, "kl": 0.0, "steps": 400, "window": 20})
    with pytest.raises(TrainingError, match=r"the policy never calls: .*best weights .*lower reward.price \(now 5\)"):
        train(recipe, "reward", base, kind=Rewarded, say=lambda line: None)
    assert (recipe.folder("reward") / BEST / "token_rows.safetensors").is_file()


def test_a_process_that_made_no_labels_has_all_that_the_stages_need(toy, base):
    recipe = toy()
    learner = make_learner(recipe.model, recipe.reward, base, None, "cpu")
    policy, reward = Labelled(recipe), Rewarded(recipe)
    for stage in (policy, reward):
        stage.begin(learner, base, print)
    assert set(policy.weights) == {"needed", "not needed", "blind", "plug-in"}
    before = learner.rows.detach().clone()
    learner.rows.data.add_(1)
    with reward.began(learner):
        assert torch.equal(learner.rows, before)
    assert reward.say is print


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shard": True}, "whole on every device: leave shard"),
        ({"branch_tokens": 40}, "cannot cut them: set branch_tok"),
    ],
)
def test_what_reward_cannot_do_is_refused_in_one_line(toy, base, changes, said):
    with pytest.raises(UsageError, match=said) as caught:
        train(toy(reward=changes), "reward", base, kind=Rewarded, say=lambda line: None)
    assert "\n" not in str(caught.value)


def test_a_run_of_reward_cut_and_resumed_equals_one_in_one_piece(toy, base, tmp_path):
    from policies.shards import read_shards

    found = []
    for pieces in (1, 2):
        changes = {"steps": 6, "language": "lora", "lora_rank": 2}
        recipe = toy(reward=changes).model_copy(update={"out": tmp_path / f"run{pieces}"})
        labels = recipe.folder("policy") / LABELS / ROWS
        labels.parent.mkdir(parents=True)
        labels.write_bytes((toy().folder("policy") / LABELS / ROWS).read_bytes())
        if pieces == 2:
            cut = recipe.model_copy(update={"reward": recipe.reward.model_copy(update={"piece": 1e-9})})
            train(cut, "reward", base, kind=Rewarded, say=lambda line: None)
        train(recipe, "reward", base, resume=pieces == 2, kind=Rewarded, say=lambda line: None)
        found.append(read_shards(recipe.folder("reward"), "adapter_model"))
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
