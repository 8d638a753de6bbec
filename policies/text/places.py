"""What the boxes of a focus turn say, in words: which quarter, the leftmost, the largest, left of the dog, how many.

A small language model copies and compares words far better than it computes with coordinates, so each region's line
ends with what can be read off its box. Nothing here depends on the question. Sides are the viewer's.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from tools import boxes
from tools.boxes import Box, Size
from tools.phrases import gap

MOST_RELATIONS = 24  # in one focus turn: of every thing to those that are alone of their name, the first ones if many
STRAIGHT = 2.5  # "above" is said from this slope on; what is in between is "above and to the left"
CLEAR = 0.01  # of the picture's side by which the leftmost thing is further left than the next
LARGER = 1.15  # longer side of the largest thing against the next
SAME = 0.6  # IoU from which two boxes are of one thing


def in_words(labels: Sequence[str], places: Sequence[Box], size: Size) -> list[str]:
    """For each region what its box says ("top left, largest, to the left of dog"); `places` are pixels of a picture of
    `size`, `labels` what the regions are called. A thing with two names is one thing."""
    notes = [[_quarter(place, size)] for place in places]
    things = _things(places)
    if len(things) > 1:
        said = [*_extremes([places[own[0]] for own in things], size), *_relations(labels, places, things)]
        for thing, words in said:
            for number in things[thing]:
                notes[number].append(words)
    return [", ".join(note) for note in notes]


def numbers(labels: Sequence[str]) -> str:
    """How many of each label, the most first: "dog 3, red car 1"."""
    return ", ".join(f"{label} {count}" for label, count in Counter(labels).most_common())


def direction(place: Box, anchor: Box) -> str:
    """Where `place` is from `anchor`, by their centres: "above", "to the left of", "below and to the right of"."""
    (x, y), (ax, ay) = boxes.to_cxcywh(place)[:2], boxes.to_cxcywh(anchor)[:2]
    across, down = x - ax, y - ay
    side = "to the left of" if across < 0 else "to the right of"
    if abs(across) > STRAIGHT * abs(down):
        return side
    level = "above" if down < 0 else "below"
    return level if abs(down) > STRAIGHT * abs(across) else f"{level} and {side}"


def _things(places: Sequence[Box]) -> list[list[int]]:
    """The numbers of the regions of each thing."""
    if not places:
        return []
    same = boxes.iou(np.array(places), np.array(places)) > SAME
    out: list[list[int]] = []
    for number in range(len(places)):
        own = next((thing for thing in out if same[number, thing[0]]), None)
        if own is None:
            out.append([number])
        else:
            own.append(number)
    return out


def _quarter(place: Box, size: Size) -> str:
    x, y = boxes.to_cxcywh(place)[:2]
    return f"{'top' if 2 * y < size[1] else 'bottom'} {'left' if 2 * x < size[0] else 'right'}"


def _extremes(places: Sequence[Box], size: Size) -> list[tuple[int, str]]:
    """The number of the one place that is clearly the leftmost, largest ..., with that word."""
    across, down = size[0] * CLEAR, size[1] * CLEAR
    centres = [boxes.to_cxcywh(place)[:2] for place in places]
    longest = [math.log(max(1e-6, *boxes.to_cxcywh(place)[2:])) for place in places]
    worth = (
        ("leftmost", [-x for x, _ in centres], across),
        ("rightmost", [x for x, _ in centres], across),
        ("topmost", [-y for _, y in centres], down),
        ("lowest", [y for _, y in centres], down),
        ("largest", longest, math.log(LARGER)),
        ("smallest", [-side for side in longest], math.log(LARGER)),
    )
    out = []
    for word, values, margin in worth:
        second, first = sorted(range(len(values)), key=values.__getitem__)[-2:]
        if values[first] - values[second] > margin:
            out.append((first, word))
    return out


def _relations(labels: Sequence[str], places: Sequence[Box], things: Sequence[list[int]]) -> list[tuple[int, str]]:
    """Where every thing is from each that is alone of its name; which is nearest, which the next in its row."""
    first = [places[own[0]] for own in things]
    out = []
    alone = [number for number, label in enumerate(labels) if labels.count(label) == 1]
    for number in alone[: MOST_RELATIONS // (len(things) - 1)]:
        anchor = next(n for n, own in enumerate(things) if number in own)
        others = [other for other in range(len(things)) if other != anchor]
        gaps = [gap(place, first[anchor]) for place in first]
        nearest = min(others, key=gaps.__getitem__)
        row = _row(first, anchor)
        for other in others:
            how = direction(first[other], first[anchor])
            directly = "directly " if other in row and how.startswith("to the") else ""
            out.append((other, f"{directly}{how} {labels[number]}"))
        if len(others) > 1:
            out.append((nearest, f"nearest to {labels[number]}"))
    return out


def _row(places: Sequence[Box], anchor: int) -> set[int]:
    """The neighbours of place `anchor` among those that share half of its height, or of their own, with it."""
    _, top, _, bottom = places[anchor]

    def beside(place: Box) -> bool:
        common = min(bottom, place[3]) - max(top, place[1])
        return 2 * common > min(bottom - top, place[3] - place[1])

    row = [n for n, place in enumerate(places) if n == anchor or beside(place)]
    row.sort(key=lambda n: places[n][0] + places[n][2])
    at = row.index(anchor)
    return {*row[max(0, at - 1) : at], *row[at + 1 : at + 2]}
