"""The stage `words`: a picture's tokens come to lie near the words for it, through both projectors."""

import numpy as np
import pytest

from policies.data.tree import Branch, Tree
from policies.data.visual_scene import Optics
from policies.data.visual_words import SceneWords, WordsSettings
from policies.text.protocol import Protocol
from policies.train.flops import Flops
from policies.train.learner import load_tokenizer, make_learner
from policies.train.loop import train
from policies.train.packing import Packer
from policies.train.recipe import Recipe
from policies.train.words import Words
from tools.errors import UsageError

NAMES = {"red": (200, 30, 30), "green": (20, 160, 40), "blue": (30, 40, 200), "white": (250, 250, 250)}


class Plain(Words):
    """Squares of one colour, named."""

    def source(self, protocol):
        trees = [
            Tree(
                [protocol.image_id],
                [Branch([], list(protocol.encode(f" {name}")), "colour")],
                image=np.full((16, 16, 3), colour, np.uint8),
            )
            for name, colour in NAMES.items()
        ]

        class Squares:
            def trees(self, index):
                return trees

            def digest(self):
                return "squares"

        return Squares()


@pytest.fixture
def recipe(tmp_path):
    vision = {"model_type": "resnet", "embedding_size": 16, "hidden_sizes": [16, 16], "depths": [1, 1]}
    vision |= {"layer_type": "basic"}
    region = {"vision_side": 16, "vision_feature_layer": -1, "resampler_heads": 2, "resampler_head_dim": 8}

    def make(steps, model=True):
        settings = {"precision": "fp32", "tokens": 200, "pool": 4, "workers": 0, "validate_minutes": 60, "warmup": 0.0}
        return Recipe(
            out=tmp_path / "out",
            model={"vision": vision, "region": {**region, "resampler_latents": 2}} if model else {},
            words={**settings, "rates": {"projectors": 1e-2, "tower": 1e-2}, "steps": steps, "validate_items": 1},
        )

    return make


def test_it_learns_to_name_what_it_sees_and_keeps_tokens_as_long_as_words(base, recipe, tmp_path):
    facts = train(recipe(60), "words", base, say=lambda line: None, kind=Plain)
    assert facts["validation"]["exact colour"] == 1.0
    again = train(recipe(61), "words", base, resume=True, say=lambda line: None, kind=Plain)
    assert again["validation"]["exact colour"] == 1.0
    assert {"vision.safetensors", "projectors.safetensors", "token_rows.safetensors"} <= {
        file.name for file in (tmp_path / "out" / "words").iterdir()
    }


def test_its_arithmetic_is_that_of_the_tower_and_both_projectors(base, recipe):
    from torch.utils.flop_counter import FlopCounterMode

    settings = recipe(1)
    learner = make_learner(settings.model, settings.words, base, None, "cpu")
    stage = Plain(settings)
    batch = Packer(learner.config).collate(stage.source(Protocol(load_tokenizer(base))).trees(0))
    with FlopCounterMode(display=False) as counter:
        features = learner.model.vision_features(batch.visuals.pictures)
        learner.model.projector(features)
        learner.model.resampler(features)
    assert stage.operations(Flops(learner), batch) == pytest.approx(3 * counter.get_total_flops(), rel=0.1)


def test_untrained_it_names_nothing(base, recipe):
    facts = train(recipe(1), "words", base, say=lambda line: None, kind=Plain)
    assert facts["validation"]["exact colour"] < 1.0


def test_without_a_tower_nothing_can_learn(base, recipe):
    with pytest.raises(UsageError, match="nothing learns"):
        train(recipe(2, model=False), "words", base, say=lambda line: None, kind=Plain)


def test_words_of_a_scene_are_those_of_its_things(base):
    protocol = Protocol(load_tokenizer(base))
    source = SceneWords(protocol, Optics(32), WordsSettings(track="object-scenes", crops=3))
    trees = source.trees(1)
    assert [tree.branches[0].kind for tree in trees][:3] == ["thing"] * 3
    assert trees[-1].branches[0].kind == "whole"
    for tree in trees:
        assert tree.image is not None
        assert tree.image.shape == (32, 32, 3)
        target = tree.branches[0].target
        assert 0 < len(set(target)) == len(target)
    again = source.trees(1)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(trees, again, strict=True))
