"""Phrases with a place, a size or a relation: "leftmost cup", "large red car", "dog to the left of the largest tree".

A detector finds the things that are named (heads); which of them a phrase means is then read off their boxes. Grounding
models are weak at exactly that, and this way it is the same for all of them. "small" and "large" before a name that
begins so ("small intestine") compare the things that the rest of it names; where there is one alone, nothing is lost.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools import boxes
from tools.boxes import Box
from tools.slicing import Detection

EXTREMES = {
    "leftmost": "leftmost", "rightmost": "rightmost",
    "topmost": "topmost", "uppermost": "topmost", "highest": "topmost",
    "bottommost": "lowest", "lowermost": "lowest", "lowest": "lowest",
    "largest": "largest", "biggest": "largest", "smallest": "smallest",
}  # fmt: skip
SIZES = ("large", "small")
RELATIONS = {
    "left of": "left of", "right of": "right of",
    "above": "above", "below": "below", "beneath": "below", "underneath": "below", "under": "below",
    "next to": "nearest", "beside": "nearest", "nearest to": "nearest", "closest to": "nearest",
}  # fmt: skip
ALIKE = 1.4  # longer sides of things of about the same size differ by less
SAME = 0.7  # IoU from which two boxes are of one thing

_A = r"(?:(?:the|an?) )?"
_RELATED = re.compile(
    rf"{_A}(?P<left>.+?)(?: (?:right|just|directly|immediately))? (?:(?:to|on|at) (?:the )?)?"
    rf"(?P<how>{'|'.join(RELATIONS)}) {_A}(?!way\b|and\b|\d)(?P<right>.+)",
    re.IGNORECASE | re.ASCII,
)
_FIRST = re.compile(
    rf"{_A}(?P<how>{'|'.join([*EXTREMES, *SIZES])}) (?:of (?:all )?(?:the )?)?(?P<rest>.+)", re.IGNORECASE | re.ASCII
)


@dataclass(frozen=True)
class Phrase:
    """`said` as it was asked; `head` is what to find, in lower case, `anchor` what it stands in `relation` to."""

    said: str
    head: str
    which: str = ""  # of several: an extreme, or large or small
    relation: str = ""
    anchor: Phrase | None = None

    @property
    def names(self) -> list[str]:
        """What has to be found to tell."""
        return [self.head, *self.anchor.names] if self.anchor else [self.head]


def parse(said: str) -> Phrase:
    """What a phrase says; one that says nothing of place or size is its own head."""
    related = _RELATED.fullmatch(said)
    if related and related["left"].split()[-1].lower() not in ("a", "an", "the", "and"):
        first = parse(related["left"])
        return Phrase(said, first.head, first.which, RELATIONS[related["how"].lower()], parse(related["right"]))
    first_word = _FIRST.fullmatch(said)
    if first_word:
        how = first_word["how"].lower()
        return Phrase(said, first_word["rest"].lower(), EXTREMES.get(how, how))
    return Phrase(said, said.lower())


def meant(phrase: Phrase, found: Sequence[Detection]) -> list[Detection]:
    """Those of the detections that the phrase means; `found` are of all its names, which are their labels.

    A relation is to the best of the anchors; without one nothing stands in it. Several things can be left of another,
    only one is next to it, and only one is the largest, also where the name is in the plural.
    """
    things = [item for item in found if item.label == phrase.head]
    if phrase.anchor:
        anchors = meant(phrase.anchor, found)
        if not anchors:
            return []
        anchor = max(anchors, key=lambda item: item.score).box
        things = _related(phrase.relation, [item for item in things if not _same(item.box, anchor)], anchor)
    if phrase.which in SIZES:
        return _sized(phrase.which, things)
    return [_extreme(phrase.which, things)] if phrase.which and things else things


def _related(relation: str, things: Sequence[Detection], anchor: Box) -> list[Detection]:
    """Whose centre lies beyond the anchor's edge, or the one that is nearest to it."""
    if relation == "nearest":
        return [min(things, key=lambda item: gap(item.box, anchor))] if things else []
    beyond = {
        "left of": lambda x, y: x < anchor[0],
        "right of": lambda x, y: x > anchor[2],
        "above": lambda x, y: y < anchor[1],
        "below": lambda x, y: y > anchor[3],
    }[relation]
    return [item for item in things if beyond(*_centre(item.box))]


def _sized(size: str, things: Sequence[Detection]) -> list[Detection]:
    """Those nearer to the largest than to the smallest, or the other way round; all where they are about the same."""
    sides = [_side(item.box) for item in things]
    if not sides or max(sides) < ALIKE * min(sides):
        return list(things)
    middle = math.sqrt(max(sides) * min(sides))
    return [item for item, side in zip(things, sides, strict=True) if (side >= middle) == (size == "large")]


def _extreme(extreme: str, things: Sequence[Detection]) -> Detection:
    worth = {
        "leftmost": lambda box: -box[0],
        "rightmost": lambda box: box[2],
        "topmost": lambda box: -box[1],
        "lowest": lambda box: box[3],
        "largest": _side,
        "smallest": lambda box: -_side(box),
    }[extreme]
    return max(things, key=lambda item: worth(item.box))


def _same(a: Box, b: Box) -> bool:
    return float(boxes.iou(np.array([a]), np.array([b]))[0, 0]) > SAME


def _centre(box: Box) -> tuple[float, float]:
    return boxes.to_cxcywh(box)[:2]


def _side(box: Box) -> float:
    return max(boxes.to_cxcywh(box)[2:])


def gap(a: Box, b: Box) -> float:
    """Pixels between two boxes, and where they touch or overlap a part of the distance of their centres."""
    across, down = max(a[0] - b[2], b[0] - a[2], 0.0), max(a[1] - b[3], b[1] - a[3], 0.0)
    return math.hypot(across, down) + 1e-3 * math.dist(_centre(a), _centre(b))
