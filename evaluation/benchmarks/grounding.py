"""`p2g bench run grounding`: does the expert `ground` find what is named, where it is, and nothing where it is not?

Scenes are those of P²GB-S (same seeds, same JPEG bytes): split `test` shows kinds that training knows, `unseen` kinds
it never saw. Up to eight kinds of each picture are asked for together with as many that are not in it. AP50 is COCO's,
a mean over kinds, where detections in pictures that only asked for the kind in vain count as wrong.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from pydantic import BaseModel

from evaluation.benchmarks.p2gb_s import PARTS
from evaluation.cli_output import prepare_output
from evaluation.statistics import bootstrap_mean, wilson
from policies.data.scenes import kinds as kinds_of_scenes
from policies.data.scenes import shards
from policies.data.scenes.scene import Split
from policies.grounding.judging import (
    Answered,
    Asked,
    Hit,
    ask,
    colours_asked,
    judge,
    kinds_asked,
    places_asked,
    things_asked,
)
from tools.errors import ExpertError, UsageError
from tools.grounded import Bar
from tools.pictures import Picture

if TYPE_CHECKING:
    from agent.profiles import Profile
    from tools.ground import Ground

NAME = "grounding"
FIRST: dict[Split, int] = {part.split: part.first for part in PARTS if "object" in part.tracks}  # seeds of P²GB-S
LOW = 0.001  # score from which detections count for AP50


@dataclass(frozen=True)
class Item:
    """A picture and what is asked of it."""

    key: str
    jpeg: bytes
    size: tuple[int, int]
    asked: list[Asked]
    coloured: list[Asked]
    placed: list[Asked]
    anything: list[Asked]


def items(split: Split, count: int, skip: int = 0) -> Iterator[Item]:
    """`count` scenes of objects of P²GB-S of that split after the first `skip`, all layouts in turn."""
    layouts = kinds_of_scenes("object")
    for place in range(skip, skip + count):
        stored = shards.store(FIRST[split] + place, split, layouts[place % len(layouts)])
        scene = stored.scene
        yield Item(
            stored.key,
            stored.jpeg,
            scene.image.size,
            kinds_asked(stored.key, scene, split),
            colours_asked(stored.key, scene),
            places_asked(stored.key, scene),
            things_asked(scene),
        )


class Figure(BaseModel):
    value: float
    low: float
    high: float
    of: int


class Part(BaseModel):
    """Figures of one split."""

    split: str
    pictures: int
    kinds: int
    ap50: Figure  # mean over kinds
    ap50_pooled: float  # all kinds' detections ranked together
    silent: Figure  # absent phrases answered with nothing, at the usual threshold
    found: Figure  # things found at the usual threshold
    precision: float  # detections that are right, at the usual threshold
    colour_right: Figure  # phrases with the right colour: something right found
    colour_silent: Figure  # phrases with a wrong colour answered with nothing
    place_right: Figure  # phrases with a place, size or relation: that thing found and no other, at the usual threshold
    place_silent: Figure  # where both things of a relation are found, the opposite one answered with nothing
    anything: Figure  # things of any kind that "object" finds at the usual threshold
    anything_precision: float  # of what it finds


class Report(BaseModel):
    parts: list[Part]
    seconds_per_megapixel: float
    megapixels: float
    threads: int
    threshold: float
    model: str
    megabytes: float


def run(
    expert: Ground,
    count: int,
    say: Callable[[str], None],
    splits: Sequence[Split] = ("test", "unseen"),
    skip: int = 0,
) -> Report:
    """Asks the expert about `count` scenes of each split after the first `skip`."""
    import torch

    expert.ready()
    bar = expert.usual_bar
    seconds = pixels = 0.0
    parts = []
    for split in splits:
        plain: list[Answered] = []
        coloured: list[Answered] = []
        placed: list[Answered] = []
        anything: list[Answered] = []
        for number, one in enumerate(items(split, count, skip)):
            picture = Picture.open(one.jpeg)
            picture.image  # noqa: B018 - decoded before the clock runs
            began = time.perf_counter()
            regions = ask(expert, picture, one.asked, LOW)
            seconds += time.perf_counter() - began
            pixels += one.size[0] * one.size[1] / 1e6
            plain += judge(one.key, one.asked, regions)
            if one.coloured:
                coloured += judge(one.key, one.coloured, ask(expert, picture, one.coloured, LOW))
            if one.placed:  # which is the leftmost depends on what counts as found
                placed += judge(one.key, one.placed, ask(expert, picture, one.placed, None))
            if one.anything:
                anything += judge(one.key, one.anything, ask(expert, picture, one.anything, None))
            if (number + 1) % 20 == 0:
                say(f"grounding: {split}, {number + 1} of {count} pictures, {seconds / pixels:.2f} s per megapixel")
        parts.append(summary(split, plain, coloured, placed, anything, bar))
    source = Path(expert.model_name or "")
    size = sum(path.stat().st_size for path in source.glob("*.safetensors")) / 1e6 if source.is_dir() else 0.0
    return Report(
        parts=parts,
        seconds_per_megapixel=round(seconds / max(pixels, 1e-9), 3),
        megapixels=round(pixels, 1),
        threads=torch.get_num_threads(),
        threshold=bar.first,
        model=source.name,
        megabytes=round(size, 1),
    )


def average_precision(hits: Sequence[Hit], things: int) -> float:
    """Area under the precision-recall curve, precision made falling, as COCO counts it (every point)."""
    if not things:
        return 0.0
    ranked = sorted(hits, key=lambda hit: -hit.score)
    right = np.cumsum([hit.right for hit in ranked]) if ranked else np.zeros(0)
    precision = right / np.arange(1, len(ranked) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.diff(np.concatenate([[0], right])) / things
    return float((falling * steps).sum())


def summary(
    split: str,
    plain: Sequence[Answered],
    coloured: Sequence[Answered],
    placed: Sequence[Answered],
    anything: Sequence[Answered],
    bar: Bar,
) -> Part:
    by_kind: dict[str, list[Answered]] = {}
    for one in plain:
        by_kind.setdefault(one.kind, []).append(one)
    shown = {kind: group for kind, group in by_kind.items() if any(one.things for one in group)}
    each = [
        average_precision([hit for one in group for hit in one.hits], sum(one.things for one in group))
        for group in shown.values()
    ]
    sure = [hit for one in plain for hit in _said(one, bar)]
    right, things = sum(hit.right for hit in sure), sum(one.things for one in plain)
    quiet = [not _said(one, bar) for one in plain if not one.things]
    named = [any(hit.right for hit in _said(one, bar)) for one in coloured if one.things]
    hushed = [not _said(one, bar) for one in coloured if not one.things]
    exact = [bool(one.hits) and all(hit.right for hit in one.hits) for one in placed if one.things]
    opposite = [
        not false.hits
        for true, false in itertools.pairwise(placed)
        if not false.things and any(h.right for h in true.hits)
    ]
    some = [hit.right for one in anything for hit in one.hits]
    mean = bootstrap_mean(each)
    return Part(
        split=split,
        pictures=len({one.key for one in plain}),
        kinds=len(shown),
        ap50=Figure(value=round(mean.value, 4), low=round(mean.low, 4), high=round(mean.high, 4), of=len(each)),
        ap50_pooled=round(average_precision([hit for one in plain for hit in one.hits], things), 4),
        silent=_rate(sum(quiet), len(quiet)),
        found=_rate(right, things),
        precision=round(right / len(sure), 4) if sure else 0.0,
        colour_right=_rate(sum(named), len(named)),
        colour_silent=_rate(sum(hushed), len(hushed)),
        place_right=_rate(sum(exact), len(exact)),
        place_silent=_rate(sum(opposite), len(opposite)),
        anything=_rate(sum(some), sum(one.things for one in anything)),
        anything_precision=round(sum(some) / len(some), 4) if some else 0.0,
    )


def _said(one: Answered, bar: Bar) -> list[Hit]:
    """The detections that the expert reports when a call names no threshold."""
    lowest = bar.lowest(hit.score for hit in one.hits)
    return [hit for hit in one.hits if hit.score >= lowest]


def _rate(count: int, of: int) -> Figure:
    low, high = wilson(count, of)
    return Figure(value=round(count / of, 4) if of else 0.0, low=round(low, 4), high=round(high, 4), of=of)


def lines(report: Report) -> list[str]:
    """The report for a terminal."""

    def figure(one: Figure) -> str:
        return f"{one.value:6.1%}  [{one.low:.1%}, {one.high:.1%}] of {one.of}"

    found = [f"grounding with {report.model}, {report.megabytes} MB, threshold {report.threshold:.2f}"]
    for part in report.parts:
        found += [
            f"{part.split}: {part.pictures} pictures, {part.kinds} kinds",
            f"  AP50 (mean over kinds)            {figure(part.ap50)}",
            f"  AP50 (all kinds together)         {part.ap50_pooled:6.1%}",
            f"  absent phrases: nothing said      {figure(part.silent)}",
            f"  things found                      {figure(part.found)}, precision {part.precision:.1%}",
            f"  right colour: found               {figure(part.colour_right)}",
            f"  wrong colour: nothing said        {figure(part.colour_silent)}",
            f"  right place, size, relation       {figure(part.place_right)}",
            f"  opposite relation: nothing said   {figure(part.place_silent)}",
            f'  "object": things found            {figure(part.anything)}, precision {part.anything_precision:.1%}',
        ]
    found.append(
        f"{report.seconds_per_megapixel:.2f} s per megapixel on {report.threads} threads ({report.megapixels} MP)"
    )
    return found


def command(profile: Profile, count: int, out: Path | None, as_json: bool, quiet: bool, skip: int = 0) -> None:
    """`p2g bench run grounding`: prints the report and writes it as `OUT/grounding.json` (runs/grounding-PROFILE)."""
    from tools.registry import load_tools

    table = profile.experts.tables().get("ground")
    if table is False:
        raise UsageError(f"profile {profile.name} leaves the expert ground out; name one that has it")
    (expert,) = load_tools(["ground"], {"ground": table or {}})
    if reason := expert.unavailable():
        raise ExpertError(reason)
    written = (out or Path("runs") / f"{NAME}-{profile.name}") / f"{NAME}.json"
    prepare_output(written)
    with redirect_stdout(sys.stderr):
        say: Callable[[str], None] = lambda line: None if quiet else print(line, flush=True)  # noqa: E731
        report = run(cast("Ground", expert), count, say, skip=skip)
    written.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    print(report.model_dump_json(indent=1) if as_json else "\n".join(lines(report)))


def main() -> None:
    """`python -m evaluation.benchmarks.grounding --skip 40 --limit 40`: other scenes than the first ones."""
    import argparse

    from agent.profiles import load_profile

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--profile", default="nano")
    parser.add_argument("--limit", type=int, default=60)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    command(load_profile(asked.profile), asked.limit, asked.out, as_json=False, quiet=False, skip=asked.skip)


if __name__ == "__main__":
    main()
