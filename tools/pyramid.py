"""Detection from coarse to fine, for detectors of small tiles: the whole picture first, then closer where it pays.

A level is the picture at a half, a quarter, ... of its size, cut into overlapping tiles. Coarse levels are looked at
entirely; a tile of the finest is only looked at when a coarser level saw something small there, however unsure. A thing
cut by a tile's inner border is left to the neighbour, which the overlap shows it whole, or to a coarser level.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tools import boxes
from tools.boxes import Size
from tools.slicing import Detection, Slice, slices

TOUCH = 2.0  # pixels of a tile: a box that ends so near to an inner border was cut by it
BEST = 3000  # detections of one label, before those of the same thing are joined
INSIDE = 0.8  # part of a box within a better one of its label from which it is the same thing


@dataclass(frozen=True)
class Sight:
    """How a detector looks: `tile` pixels a side, neighbours sharing `overlap`; `look`: the score from which something
    `small` (longer side, pixels of its level) is worth a closer look; at most `most` tiles of a level."""

    tile: int = 416
    overlap: int = 96
    look: float = 0.02
    small: float = 40.0
    most: int = 150


Detect = Callable[[int, list[Slice]], list[list[Detection]]]
"""(factor, tiles in pixels of the picture at 1/factor) -> for each tile what is there, in pixels of the tile."""


def factors(size: Size, sight: Sight) -> list[int]:
    """1/size of every level, coarsest first: the first level is one tile, the last the picture itself."""
    found = [1]
    while max(size) / found[0] > sight.tile:
        found.insert(0, found[0] * 2)
    return found


def shrunk(size: Size, factor: int) -> Size:
    return -(-size[0] // factor), -(-size[1] // factor)


def detect_pyramid(
    size: Size, detect: Detect, sight: Sight, threshold: float, nms: float, everywhere: bool = False
) -> list[Detection]:
    """Detections of a picture of `size`, best first; `everywhere` looks at every tile of every level (to compare).

    `detect` must answer down to scores of `sight.look`, or closer looks are missed.
    """
    found: list[Detection] = []
    levels = factors(size, sight)
    for number, factor in enumerate(levels):
        level = shrunk(size, factor)
        tiles = slices(level, sight.tile, sight.overlap)
        if not everywhere and number and (factor == 1 or len(tiles) > sight.most):
            tiles = _worth(tiles, found, factor, sight)
        for tile, items in zip(tiles, detect(factor, tiles) if tiles else [], strict=True):
            for item in items:
                if not _cut(item, tile, level):
                    box = boxes.clamp(tuple(factor * v for v in boxes.shift(item.box, tile[0], tile[1])), size)  # type: ignore[arg-type]
                    if box is not None:
                        found.append(Detection(box, item.score, item.label))
    sure = [item for item in found if item.score >= threshold]
    kept = [one for label in dict.fromkeys(item.label for item in sure) for one in _best(sure, label, nms)]
    return sorted(kept, key=lambda item: -item.score)


def _worth(tiles: list[Slice], found: Sequence[Detection], factor: int, sight: Sight) -> list[Slice]:
    """The tiles at 1/factor where something was seen that was small at twice the factor; the likeliest `most`.

    Of the tiles that show a thing, the one that shows it most in the middle is enough.
    """
    likely: dict[Slice, float] = {}
    for item in found:
        x1, y1, x2, y2 = (value / factor for value in item.box)
        if item.score < sight.look or max(x2 - x1, y2 - y1) > 2 * sight.small:
            continue
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        best = max(tiles, key=lambda tile: min(x - tile[0], tile[2] - x, y - tile[1], tile[3] - y))
        likely[best] = max(likely.get(best, 0.0), item.score)
    return sorted(likely, key=lambda tile: -likely[tile])[: sight.most]


def _cut(item: Detection, tile: Slice, level: Size) -> bool:
    width, height = tile[2] - tile[0], tile[3] - tile[1]
    x1, y1, x2, y2 = item.box
    return bool(
        (tile[0] > 0 and x1 < TOUCH)
        or (tile[1] > 0 and y1 < TOUCH)
        or (tile[2] < level[0] and x2 > width - TOUCH)
        or (tile[3] < level[1] and y2 > height - TOUCH)
    )


def _best(found: Sequence[Detection], label: str, nms: float) -> list[Detection]:
    """Of one label the `BEST` best, best first, none that overlaps a better one or lies within it."""
    own = sorted((item for item in found if item.label == label), key=lambda item: -item.score)[:BEST]
    array = np.array([item.box for item in own])
    kept: list[int] = []
    for index in range(len(own)):
        one, others = array[index : index + 1], array[kept]
        if not kept or not ((boxes.iou(one, others) > nms) | (boxes.ios(one, others) > INSIDE)).any():
            kept.append(index)
    return [own[index] for index in kept]
