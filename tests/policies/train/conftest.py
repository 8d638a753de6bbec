"""A tiny base model on disk, a recipe for it, and the stage of `run_small.py`."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from policies.config import SPECIAL_TOKENS
from policies.train.recipe import Recipe
from tests.policies.tiny import random_lm

SETTINGS = {
    "steps": 8,
    "rates": {"language": 1e-2, "rows": 1e-2},
    "lora_rank": 2,
    "lora_alpha": 4,
    "precision": "fp32",
    "tokens": 120,
    "pool": 6,
    "workers": 0,
    "log_steps": 1,
    "peak_tflops": 0.1,
    "checkpoint_seconds": 600,
}
VISION = {
    "model_type": "clip_vision_model",
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 8,
}
REGION = {"resampler_heads": 2, "resampler_head_dim": 8, "resampler_latents": 2}


@pytest.fixture(autouse=True)
def one_thread():
    """Models this small lose time by threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def small():
    """The module `run_small`."""
    spec = importlib.util.spec_from_file_location("run_small", Path(__file__).with_name("run_small.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["run_small"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def base(tmp_path_factory, tokenizer):
    """A random LM without the special tokens, and its tokenizer."""
    folder = tmp_path_factory.mktemp("base")
    random_lm(len(tokenizer) - len(SPECIAL_TOKENS)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def recipe(tmp_path):
    """`recipe(steps=3)`: a recipe of stage `instruct` with changes; `model` and `out` are its own."""

    def make(model=None, out=None, seed=1, **changes):
        return Recipe(seed=seed, out=out or tmp_path / "out", model=model or {}, instruct={**SETTINGS, **changes})

    return make


@pytest.fixture
def run(base, small):
    """`run(recipe)` trains `Small` and returns (facts, lines said)."""
    from policies.train.loop import train

    def start(recipe, resume=False, kind=None):
        lines = []
        facts = train(recipe, "instruct", base, resume, lines.append, kind or small.Small)
        return facts, lines

    return start
