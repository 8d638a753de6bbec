"""Fits what a checkpoint's scores are worth: `python -m policies.grounding.calibrate CHECKPOINT --scenes 30`.

On scenes of the training split that no training used (it draws mosaics): a logistic fit of "this detection is right"
on the logit, the lowest threshold at which phrases of absent things are answered with nothing as often as asked for,
and the lower one for further things of a name. They go into `ground.json`, with the other habits that are there.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from policies.data.scenes import kinds as kinds_of_scenes
from policies.data.scenes import make_scene
from policies.grounding.judging import Answered, ask, judge, kinds_asked
from tools.ground import Ground
from tools.grounded import FILE, Habits
from tools.pictures import Picture

FIRST = 5_500_000  # seed of the first scene
PLAIN, FITTED = 0.2, 0.001  # lowest score collected, before and after the fit
SILENT = 0.95  # of absent phrases
ENOUGH = 1e-6


def answers(expert: Ground, seeds: Iterable[int], lowest: float) -> list[Answered]:
    """What the expert says about scenes of objects with these seeds, all layouts in turn."""
    layouts = kinds_of_scenes("object")
    found: list[Answered] = []
    for seed in seeds:
        key = f"train-{seed}"
        scene = make_scene(seed, "train", layouts[seed % len(layouts)])
        asked = kinds_asked(key, scene, "train")
        found += judge(key, asked, ask(expert, Picture.open(scene.image), asked, lowest))
        print(f"calibrate: scene {seed}", file=sys.stderr, flush=True)
    return found


def logistic(logits: Sequence[float], right: Sequence[bool]) -> tuple[float, float]:
    """Scale and bias for which `sigmoid(scale * logit + bias)` is most likely, by Newton's method; shrunk to (1, 0)."""
    x = np.stack([np.asarray(logits, float), np.ones(len(logits))], 1)
    y, at, prior = np.asarray(right, float), np.array([1.0, 0.0]), np.array([1.0, 0.0])
    for _ in range(50):
        p = 1 / (1 + np.exp(-(x @ at).clip(-30, 30)))
        slope = x.T @ (p - y) + (at - prior)
        bend = (x * (p * (1 - p))[:, None]).T @ x + np.eye(2)
        step = np.linalg.solve(bend, slope)
        at = at - step
        if np.abs(step).max() < ENOUGH:
            break
    return max(float(at[0]), 0.05), float(at[1])


def threshold_for(absent: Sequence[float], silent: float) -> float:
    """The lowest threshold at which that share of absent phrases, given by their best scores (0: none), is silent."""
    ranked = np.sort(np.asarray(absent, float))
    needed = min(len(ranked) - 1, int(np.ceil(silent * len(ranked))) - 1) if len(ranked) else -1
    return round(float(min(0.95, ranked[needed] + 1e-3)), 3) if needed >= 0 else 0.5


def bar_for_more(found: Iterable[Answered], threshold: float) -> float:
    """From which score on detections beside one that reached the threshold are right more often than wrong."""
    beside = [
        hit
        for one in found
        if any(hit.score >= threshold for hit in one.hits)
        for hit in one.hits
        if hit.score < threshold
    ]
    best, gain, most = threshold, 0, 0
    for hit in sorted(beside, key=lambda hit: -hit.score):
        gain += 1 if hit.right else -1
        if gain > most:
            best, most = hit.score, gain
    return round(best, 3)


def calibrate(folder: Path, scenes: int, silent: float = SILENT) -> Habits:
    """Writes `ground.json` of a checkpoint folder anew and returns it: first the fit, then the threshold with it.

    The file is written once, at the end, whole or not at all: a calibration that is stopped leaves the old one.
    """
    expert = Ground(str(folder))
    expert.ready()
    plain = (Habits.beside(folder) or Habits()).model_copy(update={"scale": 1.0, "bias": 0.0})
    expert._habits = plain  # in memory only; Ground has no public way to set what it read from the folder
    found = answers(expert, range(FIRST, FIRST + scenes), PLAIN)
    hits = [(float(np.log(hit.score / (1 - hit.score))), hit.right) for one in found for hit in one.hits]
    scale, bias = logistic([logit for logit, _ in hits], [right for _, right in hits])
    fitted = plain.model_copy(update={"scale": round(scale, 4), "bias": round(bias, 4)})
    expert._habits = fitted
    again = answers(expert, range(FIRST + scenes, FIRST + 2 * scenes), FITTED)
    absent = [max((hit.score for hit in one.hits), default=0.0) for one in again if not one.things]
    threshold = threshold_for(absent, silent)
    done = fitted.model_copy(update={"threshold": threshold, "more": bar_for_more(again, threshold)})
    _write(folder, done)
    return done


def _write(folder: Path, habits: Habits) -> None:
    scratch = folder / f"{FILE}.partial"
    scratch.write_text(habits.model_dump_json(indent=1) + "\n", encoding="utf-8")
    os.replace(scratch, folder / FILE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m policies.grounding.calibrate", description="What scores are worth."
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--scenes", type=int, default=30)
    given = parser.parse_args()
    print(calibrate(given.checkpoint, given.scenes).model_dump_json(indent=1))
