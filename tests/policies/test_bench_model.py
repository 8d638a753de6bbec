"""The model's benchmark at tiny shape: the ways agree where they must, and their counts are those of their contexts."""

import json

import pytest
import torch

from policies.bench_model import Asking, main
from policies.config import P2GConfig
from policies.model import P2GModel
from policies.shapes import REGION, build, shape_config
from policies.train.recipe import load_recipe
from policies.train.towers import tower_config


@pytest.fixture(scope="module")
def asking():
    return Asking(build("tiny", "cpu", torch.float32))


def test_paper_context_on_caches_scores_as_encoding_everything_anew(asking):
    cost, scores = asking.measure("paper", 2, 2)
    naive, expected = asking.measure("naive", 2, 2)
    for got, wanted in zip(scores, expected, strict=True):
        assert got == pytest.approx(wanted, abs=1e-3)
    assert len({round(score, 4) for question in scores for score in question}) == 16  # no two options alike
    assert naive.computed > 3 * cost.computed
    assert naive.pictures == 2 + 4 * 4  # the whole picture for decision and call, four pictures for each option
    assert cost.pictures == 3 + 1 / 2  # crops, and the whole picture once for its two questions


def test_the_append_context_computes_no_picture_twice(asking):
    cost, _ = asking.measure("append", 1, 2)
    tokens = asking.config.vision_tokens
    assert cost.visual == tokens / 2 + 3 * tokens
    paper, _ = asking.measure("paper", 1, 2)
    assert paper.visual == tokens / 2 + 3 * tokens + asking.config.resampler_latents / 2  # resampled once, then cached


def test_the_7b_shape_is_that_of_llava():
    with torch.device("meta"):
        model = P2GModel(shape_config("7b"))
    assert model.language_model.num_parameters() == 6_738_939_904  # Vicuna-7B with 64 rows more in table and head
    assert model.config.vision_tokens == 576


def test_the_nano_shape_is_that_of_the_recipe_that_ships():
    recipe = load_recipe("cpu").model
    shape, ships = shape_config("nano"), P2GConfig(vision_config=tower_config(recipe.tower), **recipe.region)
    for name in ("image_side", "vision_tokens", "vision_width", *REGION["nano"]):
        assert getattr(shape, name) == getattr(ships, name), name
    for name in ("embedding_size", "hidden_sizes", "depths", "layer_type"):
        assert getattr(shape.vision_config, name) == getattr(ships.vision_config, name), name


def test_the_command_writes_its_report_with_a_training_step(tmp_path, capsys):
    main(
        [
            "--shape",
            "tiny",
            "--device",
            "cpu",
            "--pictures",
            "1",
            "--questions",
            "1",
            "--train",
            "1",
            "--json",
            f"{tmp_path}/r.json",
        ]
    )
    report = json.loads((tmp_path / "r.json").read_text())
    assert set(report["questions"]) == {"paper", "append", "naive"}
    assert report["training"]["flops"] > 6 * report["training"]["tokens"] * 20_000  # at least its matrices
    assert "MFU" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--shape", "7b", "--device", "cpu"])
