"""Forced runs on a tiny model: priced, kept, labelled by what they showed; and the trees made of them."""

import math
import shlex
import shutil
from dataclasses import replace

import pytest
import torch

from policies.base_lm import base_lm_path
from policies.config import CLIP_MEAN
from policies.data.visual_experts import HELD_OUT_PLUGINS
from policies.data.visual_scene import HELD_OUT
from policies.nano import Policy
from policies.text.engine import TextEngine
from policies.text.protocol import Protocol
from policies.train import calibrate, sources
from policies.train.counterfactual import ROWS, Forced, run_forced, summary
from policies.train.decision_trees import ANSWERS, CALLS, Decisions
from policies.train.expert_runs import SimulatedExperts
from policies.train.learner import load_tokenizer, make_learner
from policies.train.loop import train
from policies.train.packing import Packer
from policies.train.player import Outcome, Player, engine_of
from policies.train.plugins import check_plugins
from policies.train.policy import JUDGED, LABELS, PolicyStage, fit_decisions, identity, label, make_labels, recalibrate
from policies.train.questions import asked
from policies.train.recipe import LabelRecipe, ModelRecipe, Recipe, StageRecipe, ThresholdRule, load_recipe
from policies.train.records import Records, read_records
from policies.train.rollouts import Trials, play_labels, play_live
from policies.train.stages import Work
from policies.train.weights import save_weights
from tools.errors import UsageError

QUIET = lambda line: None  # noqa: E731
STAGE = {"precision": "fp32", "rates": {"language": 1e-3, "rows": 1e-3}, "lora_rank": 2}


@pytest.fixture
def engine(tiny_model, tokenizer):
    return TextEngine(tiny_model, tokenizer)


@pytest.fixture
def player(engine):
    return Player(engine, SimulatedExperts())


def forced(tmp_path, player, indices=range(2), header=None):
    return run_forced(tmp_path, player, [("pages", i) for i in indices], header or {"weights": "a"}, per_picture=2)


def row(index, direct, experts, expert="read", **changes):
    outcome = lambda right: Outcome(text="x", correct=right, likelihood=0.5, calls=1, tokens=500)  # noqa: E731
    values = {
        "key": f"pages/{index}/0",
        "track": "pages",
        "index": index,
        "kind": "cell",
        "question": f"What is the total {index}?",
        "gold": "y",
        "size": (100, 80),
        "expert": expert,
        "call": "read:",
        "margin": 0.0,
        "direct": outcome(direct),
        "experts": outcome(experts),
    }
    return Forced(**values | changes)


def test_a_label_is_what_the_two_runs_showed():
    assert row(0, True, True).label == row(0, True, False).label == "not needed"
    assert row(0, False, True).label == "needed"
    assert row(0, False, False).label == "neither"


def test_every_question_is_asked_both_ways_and_priced(tmp_path, player):
    rows = forced(tmp_path, player)
    assert {r.key for r in rows} == {item.key for i in range(2) for item in asked("pages", i, 2)}
    for one in rows:
        assert one.direct.calls == 0
        assert one.experts.calls == 1
        assert one.experts.tokens > one.direct.tokens > 0
        assert one.experts.cost == pytest.approx(1 + one.experts.tokens / 1000)
        assert 0 <= one.direct.likelihood <= 1
    assert f"{sum(r.label == 'neither' for r in rows)} neither" in summary(rows)


def test_the_margin_is_the_logit_of_p_call_whatever_was_fitted(player):
    item = asked("pages", 0, 1)[0]
    p = player.engine.p_call(player.experts.listed, item.size, item.question, None)
    margin = player.margin(item)
    assert 1 / (1 + torch.tensor(-margin).exp()) == pytest.approx(p, abs=1e-5)
    player.engine.temperature, player.engine.bias = 3.0, -0.7
    assert player.margin(item) == pytest.approx(margin, abs=1e-4)


@pytest.mark.parametrize(("said", "asked_with"), [("ground: car; object", [None, ["a", "b"]]), ("ground: car", [None])])
def test_forced_calls_look_at_the_options_where_the_question_leaves_open_what_to_find(player, said, asked_with):
    given = []
    player.engine.call = lambda experts, size, question, options, *rest: given.append(options) or said
    player.call(replace(asked("pages", 0, 1)[0], question="What colour is the car?", options=("a", "b")))
    assert given == asked_with


def test_a_run_goes_on_without_asking_twice(tmp_path, player, monkeypatch):
    first = forced(tmp_path, player, range(1))
    asked_now = []
    direct = Player.direct
    monkeypatch.setattr(Player, "direct", lambda self, item: asked_now.append(item.key) or direct(self, item))
    both = forced(tmp_path, player, range(2))
    assert [r.key for r in both[: len(first)]] == [r.key for r in first]
    assert asked_now == [r.key for r in both[len(first) :]] != []


def test_rows_of_other_weights_are_refused(tmp_path, player):
    forced(tmp_path, player, range(1))
    with pytest.raises(UsageError, match="weights is a there and b here"):
        forced(tmp_path, player, range(1), {"weights": "b"})


@pytest.fixture
def learner(base):
    learner = make_learner(ModelRecipe(), StageRecipe(**STAGE), base, None, "cpu")
    for name, parameter in learner.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(generator=torch.Generator().manual_seed(1))
    return learner.train()


def test_the_engine_of_a_learner_decides_with_what_was_learned(learner, base):
    """Adapter and rows included: its p_call is that of the packed tree that the learner trains on."""
    from policies.data.tree import Branch, Tree

    tokenizer = load_tokenizer(base)
    protocol = Protocol(tokenizer)
    experts, size, question = [("read", "reads text")], (100, 80), "What is the total?"
    branch = Branch(protocol.question(question), [protocol.answer_id])
    batch = Packer(learner.config).collate([Tree(protocol.decide_prefix(experts, size), [branch])])
    with torch.no_grad():
        wanted = float(learner.model.p_call(learner(batch)[0]))
    with engine_of(learner, tokenizer) as engine:
        assert engine.p_call(experts, size, question, None) == pytest.approx(wanted, abs=1e-4)
    assert learner.training
    assert hasattr(learner.model.language_model, "peft_config")


def test_identity_changes_with_any_weight(learner):
    before = identity(learner)
    assert identity(learner) == before
    learner.rows.data[0, 0] += 0.5
    assert identity(learner) != before


def test_identity_does_not_change_with_the_rows_of_the_embedding_that_are_never_used(learner, base):
    """They are drawn at random, and `engine_of` writes into them: labels are gone on with all the same."""
    before = identity(learner)
    with engine_of(learner, load_tokenizer(base)):
        pass
    assert identity(learner) == before
    table = learner.model.get_input_embeddings().weight.data
    table[learner.old :] += 1.0
    assert identity(learner) == before
    table[0, 0] += 0.5
    assert identity(learner) != before


def test_training_labels_never_touch_held_out_pictures(learner, base, tmp_path):
    for first in (HELD_OUT - 1, HELD_OUT, HELD_OUT + 10):
        recipe = Recipe(out=tmp_path, policy={"labels": {"tracks": ["pages"], "first": first, "pictures": 2}})
        with pytest.raises(UsageError, match="are held out"):
            make_labels(recipe, learner, base, QUIET)
    with pytest.raises(UsageError, match="there is no 'books'"):
        label(learner, base, tmp_path, LabelRecipe(tracks=["books"]), range(1), QUIET)


@pytest.fixture
def decisions(protocol):
    rows = [row(0, False, True), row(1, True, False, expert=""), row(2, False, False), row(3, False, True)]
    rows.append(row(4, False, True))
    return lambda **changes: Decisions(protocol, rows, seed=1, **changes)


def test_trees_call_where_needed_and_where_the_expert_is_at_hand(decisions, protocol):
    source = decisions(plugins=1.0)
    kinds = set()
    for index in range(60):
        for branch in source.trees(index)[0].branches:
            kinds.add(branch.kind)
            assert branch.target[0] == (protocol.call_id if branch.kind in CALLS else protocol.answer_id)
            assert (len(branch.target) > 1) == (branch.kind in CALLS)
    assert kinds == {*CALLS, *ANSWERS}


def test_a_called_name_stands_in_the_prompt_and_names_change(decisions, protocol):
    source = decisions(plugins=0.0)
    called = set()
    for index in range(80):
        tree = source.trees(index)[0]
        prompt = protocol.tokenizer.decode(tree.prefix)
        for branch in tree.branches:
            if branch.kind == "needed":
                name = protocol.tokenizer.decode(branch.target[1:])
                assert name in prompt
                called.add(name)
    assert len(called) > 3


def test_each_picture_comes_once_an_epoch_and_neither_can_be_left_out(decisions):
    questions = lambda source, n: [tuple(source.trees(i)[0].branches[0].prompt) for i in range(n)]  # noqa: E731
    assert len(set(questions(decisions(plugins=0.0), 4))) == 4  # the fifth is kept apart
    without = decisions(plugins=0.0, neither="leave out")
    assert len(without.names) + len(without.held) == 4
    assert len(set(questions(without, len(without.names)))) == len(without.names)


def test_validation_is_on_pictures_that_neither_stage_trains_on(protocol, tmp_path):
    rows = [row(index, index % 2 == 0, True) for index in range(100)]
    made = Decisions(protocol, rows, seed=1, plugins=0.0), Trials(protocol, rows, Recipe(out=tmp_path))

    def seen(first):
        decisions, trials = ({tuple(s.trees(first + n)[0].branches[0].prompt) for n in range(300)} for s in made)
        return decisions, trials

    (trained, rewarded), (held, rewarded_held) = seen(0), seen(sources.HELD_OUT)
    assert len(trained) == 98
    assert len(held) == 2
    assert held == rewarded_held
    assert held.isdisjoint(trained | rewarded)


@pytest.mark.parametrize("name", ["nano", "cpu", "tiny"])
def test_the_trees_of_a_recipe_that_ships_show_pictures_as_its_model_takes_them(name, protocol, tmp_path):
    recipe = load_recipe(name, [f"out={tmp_path}"])
    with Records(recipe.folder("policy") / LABELS / ROWS, Forced, {"made": "by hand"}) as records:
        for index in range(2):
            records.append(row(index, False, True))
    region = recipe.model.region
    side, mean, scale = region["vision_side"], region.get("image_mean", CLIP_MEAN), region.get("crop_scale", 1.2)
    for source in (PolicyStage(recipe).source(protocol), Trials(protocol, [row(0, False, True)], recipe)):
        assert (source.optics.side, source.optics.mean, source.optics.crop_scale) == (side, tuple(mean), scale)
        assert source.trees(0)[0].image.shape == (side, side, 3)


def test_validation_of_the_policy_runs_the_model_once(learner, base, decisions):
    class Given(PolicyStage):
        def source(self, protocol):
            return decisions(plugins=0.0)

    stage, calls = Given(Recipe()), []
    stage.begin(learner, base, QUIET)
    model = lambda batch: calls.append(batch) or learner(batch)  # noqa: E731
    work = Work(model, learner, Packer(learner.config), "cpu", torch.Generator())
    found = stage.measure(work, stage.source(None).trees(0))
    assert len(calls) == 1
    assert "loss" in found
    assert any(name.startswith("p_call") for name in found)


def test_the_advice_for_weights_that_are_spread_over_devices_works(learner, base, tmp_path):
    home, folder = tmp_path / "home", tmp_path / "policy"
    shutil.copytree(base, base_lm_path(home))
    (base_lm_path(home) / "source.json").write_text("{}")
    save_weights(learner, folder)
    learner.rows.device_mesh = "as fully_shard gives"
    recipe = Recipe(out=tmp_path, policy={"labels": {"tracks": ["pages"], "held_out": 2}})
    work, said = Work(learner, learner, Packer(learner.config), "cpu", torch.Generator()), []
    assert fit_decisions(recipe, work, base_lm_path(home), folder, said.append) == {}
    words = shlex.split(said[0].partition("fit them by: ")[2])
    assert words[:3] == ["python", "-m", "policies.train.calibrate"]
    calibrate.main([*words[3:], "--plugins", "0"])  # which cannot fit a random model, and says so
    assert {r.index for r in read_records(folder / JUDGED / ROWS, Forced)} == {HELD_OUT, HELD_OUT + 1}
    fit_decisions(recipe, work, base, folder, said.append)
    assert "only weights on the base from the cache" in said[1]


def test_the_same_item_gives_the_same_trees_and_the_digest_follows_the_rows(decisions, protocol):
    assert decisions().trees(5) == decisions().trees(5)
    assert decisions().digest() == decisions().digest() != decisions(plugins=0.1).digest()
    assert decisions().digest() != Decisions(protocol, [row(0, False, True)], seed=1).digest()


def test_calls_and_answers_weigh_the_same(decisions):
    source = decisions()
    weights = source.weights(100)
    totals = dict.fromkeys((CALLS, ANSWERS), 0.0)
    for index in range(100):
        for branch in source.trees(index)[0].branches:
            totals[CALLS if branch.kind in CALLS else ANSWERS] += weights[branch.kind]
    assert totals[CALLS] == pytest.approx(totals[ANSWERS])


def test_plugins_are_counted_as_called_only_when_they_are(engine):
    never = check_plugins(engine, 1.1)
    assert all((counts.decided, counts.called, counts.strays) == (0, 0, 0) for counts in never.values())
    always = check_plugins(engine, 0.0)
    assert len(always) == len(HELD_OUT_PLUGINS)
    assert all(counts.decided == counts.asked == counts.others == 2 for counts in always.values())
    alone = check_plugins(engine, 0.0, shipped=[])
    assert all(counts.called == counts.asked for counts in alone.values())


def test_policy_labels_trains_and_goes_on_to_the_fit_and_says_when_there_is_none(tmp_path, base):
    """A random model is right nowhere: everything runs, and the shipped threshold stays."""
    labels = {"tracks": ["pages"], "pictures": 2, "held_out": 2, "per_picture": 1}
    settings = {**STAGE, "steps": 1, "tokens": 3000, "pool": 1, "workers": 0, "labels": labels}
    recipe = Recipe(out=tmp_path, policy=settings)
    said = []
    train(recipe, "policy", base, say=said.append)
    folder = recipe.folder("policy")
    assert len(read_records(folder / LABELS / ROWS, Forced)) == 4
    assert {r.index for r in read_records(folder / JUDGED / ROWS, Forced)} == {HELD_OUT, HELD_OUT + 1}
    assert any("stay as they are" in line for line in said)
    assert '"temperature": 1.0' in (folder / "policy.json").read_text()


def test_calibrate_fits_again_on_the_rows_that_are_there(tmp_path):
    recipe = Recipe(out=tmp_path)
    with pytest.raises(UsageError, match="has no rows: p2g train policy makes them"):
        recalibrate(recipe, QUIET)
    folder = recipe.folder("policy")
    with Records(folder / JUDGED / ROWS, Forced, {"weights": "a"}) as records:
        for index in range(60):
            needed = index % 4 < 2
            records.append(row(index, not needed, needed, margin=(8.0 if needed else 2.0) + index % 5))
    recalibrate(recipe, QUIET)
    policy = Policy.model_validate_json((folder / "policy.json").read_text())
    low, high = (1 / (1 + math.exp((policy.bias - margin) / policy.temperature)) for margin in (6.5, 8))
    assert low < policy.threshold < high


def test_what_ships_is_fitted_on_all_pictures_and_judged_by_a_fit_on_half_of_them():
    rows = [row(i, i % 4 >= 2, i % 4 < 2, margin=(3.0 if i % 4 < 2 else -3.0) + i % 3) for i in range(80)]
    turned = [one.model_copy(update={"margin": -one.margin}) if one.index % 2 else one for one in rows]
    found = calibrate.calibrate(turned, ThresholdRule(), "leave out")
    assert found.n == 80
    assert found.temperature > 10  # the two halves contradict each other
    assert found.after.n == 40
    assert found.after.balanced_accuracy.value == 0.0


def test_live_rollouts_play_the_decisions_that_were_drawn(tmp_path, learner, base, protocol):
    rows = [
        row(0, False, True, key=item.key, question=item.question, expert=item.expert) for item in asked("pages", 0, 1)
    ]
    trial = next(iter(Trials(protocol, rows, Recipe(out=tmp_path)).trees(0)[0].trials))
    reader = trial.names.index(next(name for name, kind in trial.kinds.items() if kind == "read")) + 1
    outcomes = play_live(learner, base, [trial], [[0, reader]])[0]
    assert set(outcomes) == {0, reader}
    assert (outcomes[0].calls, outcomes[reader].calls) == (0, 1)
    assert outcomes[reader].tokens > 0
    assert play_labels(trial, [0])[0] is trial.row.direct
    assert play_labels(trial, [reader])[reader] is trial.row.experts
    other = next(n for n in range(1, len(trial.names) + 1) if n != reader)
    assert not play_labels(trial, [other])[other].correct
