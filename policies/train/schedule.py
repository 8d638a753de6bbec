"""How far a run is and what share of the peak rate that means: warm-up, then a cosine, over steps or wall time."""

from __future__ import annotations

import math

from policies.train.recipe import StageRecipe


def progress(recipe: StageRecipe, step: int, seconds: float) -> float:
    """0-1: the share of the run that is done after `step` updates and `seconds` of training in all pieces."""
    if recipe.minutes:
        return min(1.0, seconds / (60 * recipe.minutes))
    return min(1.0, step / recipe.steps) if recipe.steps else 1.0


def factor(done: float, warmup: float, floor: float) -> float:
    """The share of the peak rate at `done` of the run: a rise over `warmup`, a cosine down to `floor`."""
    rise = min(1.0, done / warmup + 0.02) if warmup else 1.0
    return rise * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done)))
