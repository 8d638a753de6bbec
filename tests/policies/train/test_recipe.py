"""Recipes: the shipped ones load, changes reach their key, and a mistake is one line that names it."""

import pytest

from policies.data.visual_align import AlignSettings
from policies.data.visual_instruct import InstructSettings
from policies.data.visual_words import WordsSettings
from policies.train.recipe import SHIPPED, SourceRecipe, load_recipe
from policies.train.schedule import factor, progress
from policies.train.sources import HELD_OUT, make_source
from tools.errors import UsageError


@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED.glob("*.toml")))
def test_a_shipped_recipe_loads_and_its_stages_end(name):
    recipe = load_recipe(name)
    stages = [stage for stage in (recipe.words, recipe.align, recipe.instruct) if stage.sources]
    assert stages
    for stage in stages:
        assert stage.steps or stage.minutes
        assert stage.piece is None or stage.piece < 10


@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED.glob("*.toml")))
def test_no_stage_of_a_shipped_recipe_trains_on_scenes_that_another_is_validated_on(name):
    recipe = load_recipe(name)
    defaults = {"align": AlignSettings.seed, "words": WordsSettings.seed, "scenes": InstructSettings.seed}
    seeds = {
        one.options.get("seed", defaults[one.kind])
        for stage in (recipe.words, recipe.align, recipe.instruct)
        for one in stage.sources
        if one.kind in defaults
    }
    assert not {seed // HELD_OUT for seed in seeds} & {(seed + HELD_OUT) // HELD_OUT for seed in seeds}


def test_a_source_that_would_train_on_scenes_for_validation_is_refused():
    with pytest.raises(UsageError, match=r"seed 10000000 on .*validated on; take one from 0 or from 20000000 on"):
        make_source([SourceRecipe(kind="scenes", options={"seed": HELD_OUT})], None, load_recipe("cpu"))


def test_a_source_that_would_be_validated_on_scenes_for_calibration_is_refused_before_it_trains():
    with pytest.raises(UsageError, match=r"seed 40000000 .*kept for calibration; take one below 40000000"):
        make_source([SourceRecipe(kind="scenes", options={"seed": 4 * HELD_OUT})], None, load_recipe("cpu"))


def test_a_change_reaches_its_key_and_keeps_its_type():
    recipe = load_recipe("tiny", ["instruct.rates.language=3e-4", "out=runs/x y", "align.steps=7"])
    assert recipe.instruct.rates.language == 3e-4
    assert recipe.instruct.rates.rows > 0
    assert str(recipe.out) == "runs/x y"
    assert recipe.align.steps == 7


def test_defaults_stand_under_every_stage(tmp_path):
    file = tmp_path / "r.toml"
    file.write_text("[defaults]\ntokens = 99\nsteps = 3\n[align]\ntokens = 5\n")
    recipe = load_recipe(file)
    assert (recipe.align.tokens, recipe.align.steps, recipe.reward.tokens) == (5, 3, 99)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sed = 1", "unknown key sed"),
        ("[instruct]\nstep = 1", "unknown key instruct.step"),
        ("[model]\nvison = {}", "unknown key model.vison"),
        ("[defaults]\nrate = 1", "unknown key words.rate"),
        ("[align]\ntokens = 'many'", "align.tokens: input should be a valid integer"),
        ("[align]\nsteps = 1\nminutes = 2", "align: give steps or minutes, not both"),
        ("[align", "is not TOML"),
    ],
)
def test_a_mistake_is_one_line_with_its_key(tmp_path, text, said):
    file = tmp_path / "r.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_recipe(file)
    assert said in str(caught.value)
    assert "r.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_recipe_that_is_not_there_and_a_change_without_a_value_say_so():
    with pytest.raises(UsageError, match="those that ship: cpu, nano, text, tiny"):
        load_recipe("nonsense")
    with pytest.raises(UsageError, match="write key=value"):
        load_recipe("tiny", ["steps"])


def test_the_rate_rises_then_falls_over_steps_or_minutes():
    recipe = load_recipe("tiny", ["instruct.steps=100"]).instruct
    shares = [factor(progress(recipe, step, 0.0), 0.1, 0.05) for step in range(101)]
    assert shares.index(max(shares)) in (9, 10)
    assert shares[0] == pytest.approx(0.02)
    assert shares[-1] == pytest.approx(0.05)
    timed = recipe.model_copy(update={"steps": None, "minutes": 2.0})
    assert progress(timed, 5, 60.0) == 0.5
