"""What a stage leaves: the command line from recipe to weights, which the nano controller loads and which see."""

import json
import shutil

import pytest
import torch
from typer.testing import CliRunner

from policies.base_lm import base_lm_path
from policies.shards import SHARD_BYTES, read_shards, shards, write_shards
from policies.train.cli import app
from policies.train.learner import make_learner
from policies.train.recipe import SHIPPED
from tools.errors import UsageError


@pytest.fixture
def seeing(recipe):
    """`seeing(steps=3)`: a recipe whose model has a tower."""

    def make(language="lora", **changes):
        model = {
            "vision": {
                "model_type": "resnet",
                "embedding_size": 16,
                "hidden_sizes": [16, 16],
                "depths": [1, 1],
                "layer_type": "basic",
            },
            "region": {"resampler_heads": 2, "resampler_head_dim": 8, "resampler_latents": 2, "vision_side": 16},
        }
        rates = {"language": 3e-2, "projectors": 1e-2, "tower": 3e-3, "rows": 1e-2}
        return recipe(model=model, sources=[{"kind": "seen"}], language=language, **{"rates": rates, **changes})

    return make


def test_answers_that_can_only_be_seen_are_learned_through_tower_and_projectors(seeing, run):
    rates = {"language": 5e-2, "projectors": 1e-2, "tower": 1e-2, "rows": 5e-2}
    full = seeing("full", rates=rates, steps=260, tokens=400, clip=5, validate_minutes=10, validate_items=5)
    facts, _ = run(full)
    assert facts["validation"]["exact seen"] == 1.0
    assert facts["validation"]["exact appended"] == 1.0
    assert facts["totals"]["pictures"] > 0


def test_only_the_parts_with_a_rate_change(seeing, run, base, tmp_path):
    recipe = seeing(steps=2, rates={"projectors": 1e-2})
    torch.manual_seed(recipe.seed)
    before = make_learner(recipe.model, recipe.instruct, base, None, "cpu").state_dict()
    run(recipe)
    folder = tmp_path / "out/instruct"
    tower = {f"model.vision_tower.{k}": v for k, v in read_shards(folder, "vision").items()}
    projectors = {f"model.{k}": v for k, v in read_shards(folder, "projectors").items()}
    assert all(torch.equal(before[k].bfloat16(), v) for k, v in tower.items() if v.is_floating_point())
    moved = [not torch.equal(before[k].bfloat16(), v) for k, v in projectors.items()]
    assert sum(moved) > len(moved) / 2
    assert torch.equal(before["rows"].bfloat16(), read_shards(folder, "token_rows")["rows"])


@pytest.mark.parametrize("language", ["lora", "full"])
def test_a_stage_begins_with_the_weights_of_another(seeing, run, base, language, tmp_path):
    recipe = seeing(language, steps=2)
    run(recipe)
    folder = tmp_path / "out/instruct"
    again = make_learner(recipe.model, recipe.instruct, base, folder, "cpu")
    state = again.state_dict()
    name = "layers.1.mlp.up_proj" + (".lora_B.default" if language == "lora" else "") + ".weight"
    (found,) = [v for k, v in state.items() if k.endswith(name)]
    stem, where = ("adapter_model", folder) if language == "lora" else ("model", folder / "language")
    (stored,) = [v for k, v in read_shards(where, stem).items() if k.endswith(name.replace(".default", ""))]
    assert torch.equal(found, stored.float())
    assert stored.any()
    assert torch.equal(state["rows"], read_shards(folder, "token_rows")["rows"].float())


@pytest.mark.parametrize("rates", [{"language": 3e-2}, {"rows": 1e-2}])
def test_a_language_model_trained_in_full_stays_with_the_stages_after_it(seeing, run, base, rates, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    run(seeing("full", out=first, steps=2))
    run(seeing(out=second, steps=2, rates=rates, init=str(first / "instruct")))
    before, after = (read_shards(out / "instruct/language", "model") for out in (first, second))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert (second / "instruct/adapter_model.safetensors").is_file() == ("language" in rates)
    recipe = seeing(rates=rates)
    state = make_learner(recipe.model, recipe.instruct, base, second / "instruct", "cpu").state_dict()
    (found,) = [v for k, v in state.items() if k.replace(".base_layer", "").endswith("layers.1.mlp.up_proj.weight")]
    (stored,) = [v for k, v in before.items() if k.endswith("layers.1.mlp.up_proj.weight")]
    assert torch.equal(found, stored.float())


def test_an_adapter_merged_into_a_language_model_that_does_not_learn_is_not_lost(seeing, run, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    run(seeing(out=first, steps=2))
    run(seeing("full", out=second, steps=1, rates={"rows": 1e-2}, init=str(first / "instruct")))
    assert read_shards(second / "instruct/language", "model")


def test_weights_of_another_shape_are_refused_with_their_folder(seeing, run, base, tmp_path):
    run(seeing(steps=1))
    other = seeing(steps=1)
    model = other.model.model_copy(update={"region": {**other.model.region, "resampler_latents": 3}})
    with pytest.raises(UsageError, match=r"projectors in .*instruct does not fit this recipe's model"):
        make_learner(model, other.instruct, base, tmp_path / "out/instruct", "cpu")


def test_large_weights_are_cut_into_shards_and_read_back(tmp_path):
    tensors = {str(n): torch.full((3 * 2**20,), n, dtype=torch.bfloat16) for n in range(4)}
    write_shards(tensors, tmp_path, "vision")
    assert len(shards(tmp_path, "vision")) == 2
    assert max(file.stat().st_size for file in tmp_path.iterdir()) < SHARD_BYTES + 2**16
    found = read_shards(tmp_path, "vision")
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


def test_the_command_trains_two_stages_that_the_nano_controller_loads(tmp_path, base):
    from policies.nano import load_nano

    home = tmp_path / "home"
    shutil.copytree(base, base_lm_path(home))
    (base_lm_path(home) / "source.json").write_text("{}")
    recipe = tmp_path / "recipe.toml"
    tiny = (SHIPPED / "tiny.toml").read_text()
    recipe.write_text("\n".join(line for line in tiny.splitlines() if not line.startswith("tiny =")))
    changes = [f"out={tmp_path / 'out'}", "defaults.peak_tflops=0.1", "defaults.pool=2"]
    changes += [
        "align.steps=2",
        "instruct.steps=2",
        "instruct.sources=[{ kind = 'align' }]",
        "instruct.validate_items=1",
    ]
    options = ["--config", str(recipe), "--home", str(home), *(x for change in changes for x in ("--set", change))]
    for stage in ("align", "instruct"):
        result = CliRunner().invoke(app, [stage, *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        facts = json.loads((tmp_path / "out" / stage / "training.json").read_text())
        assert facts["complete"]
        assert {"command", "seed", "data", "hardware", "versions", "recipe", "curve"} <= facts.keys()
        assert (tmp_path / "out" / stage / "training.png").stat().st_size > 1000
    engine, policy = load_nano(home, tmp_path / "out/instruct")
    trained = read_shards(tmp_path / "out/instruct", "vision")
    loaded = engine.model.vision_tower.state_dict()
    assert all(torch.equal(loaded[name].float(), value.float()) for name, value in trained.items())
    assert policy.threshold == 0.5
