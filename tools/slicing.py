"""Detection on pictures larger than a detector likes: overlapping slices, one call each, and one answer.

A thing seen in two slices is reported once, and a thing cut by a slice border is put together again from its pieces
(the idea of SAHI and of supervision's `InferenceSlicer`; the rule for cut pieces is ours).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tools import boxes
from tools.boxes import Box, Size

TOUCH = 0.01  # a box touches a slice border when it ends within this fraction of the slice side
SAME = 0.5  # iou, or part of the smaller inside the larger, from which two boxes of two slices are one thing
ALIGNED = 0.6  # iou of the sides along the border from which two cut pieces belong together

Slice = tuple[int, int, int, int]


@dataclass(frozen=True)
class Detection:
    """A box in pixels (of the slice where a detector answers, of the whole picture in the result), score, label."""

    box: Box
    score: float
    label: str = ""


def slices(size: Size, side: int, overlap: int) -> list[Slice]:
    """Slices of at most `side` pixels a side that cover a picture of `size`, neighbours sharing at least `overlap`."""
    if not 0 <= overlap < side:
        raise ValueError(f"overlap must be at least 0 and less than side, got {overlap} and {side}")
    return [(x1, y1, x2, y2) for y1, y2 in _spans(size[1], side, overlap) for x1, x2 in _spans(size[0], side, overlap)]


def detect_sliced(
    size: Size, detect: Callable[[Slice], list[Detection]], side: int = 1280, overlap: int = 256, whole: bool = True
) -> list[Detection]:
    """Detections of a picture of `size` (width, height), best score first.

    `detect` gets a slice (x1, y1, x2, y2; whole pixels of the picture) and answers in pixels of that slice. With
    `whole` the picture is also shown in one piece, for things larger than a slice. Calls are made one by one.
    """
    parts = slices(size, side, overlap)
    if whole and len(parts) > 1:
        parts.insert(0, (0, 0, *size))
    found: list[Detection] = []
    origin: list[Slice] = []
    for part in parts:
        for item in detect(part):
            box = boxes.clamp(boxes.shift(item.box, part[0], part[1]), size)
            if box is not None:
                found.append(Detection(box, item.score, item.label))
                origin.append(part)
    merged = []
    for group in merge_groups(found, origin, size):
        best = max((found[index] for index in group), key=lambda item: item.score)
        box = boxes.union(np.array([found[index].box for index in group]))
        merged.append(Detection(box, best.score, best.label))
    return sorted(merged, key=lambda item: -item.score)


def merge_groups(found: list[Detection], origin: list[Slice], size: Size) -> list[list[int]]:
    """Which detections (picture pixels, each from slice `origin[i]`) are one thing: lists of indices, each used once.

    Two boxes of one label and of different slices are one thing when they cover the same place (`SAME`), or when both
    were cut by an inner border of their slices and continue each other. A group has at most one box of every slice;
    a box that another slice's group explains already is left out.
    """
    if not found:
        return []
    array = np.array([item.box for item in found])
    same = np.maximum(boxes.iou(array, array), boxes.ios(array, array))
    near = boxes.intersection(array, array) > 0
    groups: list[list[int]] = []
    home: dict[int, int] = {}
    pairs = [
        (float(same[i, j]) if same[i, j] >= SAME else 0.0, i, j)
        for i, j in zip(*np.nonzero(np.triu(near, 1)), strict=True)
        if origin[i] != origin[j]
        and found[i].label == found[j].label
        and (same[i, j] >= SAME or _continues(found[i].box, origin[i], found[j].box, origin[j], size))
    ]
    for index in range(len(found)):
        home[index] = index
        groups.append([index])
    for _, i, j in sorted(pairs, key=lambda pair: -pair[0]):
        a, b = home[int(i)], home[int(j)]
        if a == b or {origin[k] for k in groups[a]} & {origin[k] for k in groups[b]}:
            continue
        groups[a] += groups[b]
        for k in groups[b]:
            home[k] = a
        groups[b] = []
    return _without_explained([group for group in groups if group], found)


def _without_explained(groups: list[list[int]], found: list[Detection]) -> list[list[int]]:
    """Drop a group within a larger merged one of its label: a piece whose slice had given that one another piece."""
    hulls = np.array([boxes.union(np.array([found[index].box for index in group])) for group in groups])
    areas = np.array([boxes.area(hull) for hull in hulls])
    members = np.array([len(group) for group in groups])
    labels = np.array([found[group[0]].label for group in groups])
    explained = (
        (boxes.ios(hulls, hulls) >= 0.8)
        & (members[:, None] < members[None, :])
        & (areas[:, None] < areas[None, :])
        & (labels[:, None] == labels[None, :])
    ).any(axis=1)
    return [group for group, gone in zip(groups, explained, strict=True) if not gone]


def _continues(a: Box, slice_a: Slice, b: Box, slice_b: Slice, size: Size) -> bool:
    """True when `a` and `b` are two pieces of one thing: cut at facing borders and level with each other."""
    for axis in (0, 1):
        for (low, low_slice), (high, high_slice) in (((a, slice_a), (b, slice_b)), ((b, slice_b), (a, slice_a))):
            touch = TOUCH * (low_slice[axis + 2] - low_slice[axis])
            cut_low = low[axis + 2] >= low_slice[axis + 2] - touch and low_slice[axis + 2] < size[axis]
            cut_high = high[axis] <= high_slice[axis] + touch and high_slice[axis] > 0
            if cut_low and cut_high and low[axis] <= high[axis]:
                other = 1 - axis
                common = min(a[other + 2], b[other + 2]) - max(a[other], b[other])
                span = max(a[other + 2], b[other + 2]) - min(a[other], b[other])
                if common >= ALIGNED * span:
                    return True
    return False


def _spans(length: int, side: int, overlap: int) -> list[tuple[int, int]]:
    """Evenly spread stretches of `[0, length)`, each at most `side` long."""
    if length <= side:
        return [(0, length)]
    count = -(-(length - overlap) // (side - overlap))
    starts = np.linspace(0, length - side, count)
    return [(round(start), round(start) + side) for start in starts]
