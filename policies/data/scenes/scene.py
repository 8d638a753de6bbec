"""A scene: a generated high-resolution picture with exact truth, and questions a person would answer the same way.

Every maker (`Maker`) draws one kind of scene from a seeded `random.Random`, a split and the assets; nothing else may
decide what it draws, so that a seed gives the same bytes everywhere. `train` and `test` share kinds of things, fonts,
phrasings and backgrounds (with other seeds); `unseen` draws only what `held_out` keeps away from the two others.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from PIL import Image

if TYPE_CHECKING:
    from policies.data.scenes.assets import Assets

Split = Literal["train", "test", "unseen"]
Track = Literal["object", "text"]
Box = tuple[float, float, float, float]
Maker = Callable[[random.Random, Split, "Assets"], "Scene"]

QUESTION_KINDS = (
    *("attribute", "presence", "count", "relation", "comparison"),
    *("reading", "lookup", "near", "arithmetic", "unanswerable"),
)
ABSENT = "not in the image"
THUMBNAIL, TEXT_HEIGHT, OBJECT_SIDE = 384, 9, 20


@dataclass(frozen=True)
class Thing:
    """What can be seen and named. `box` holds its visible part, in pixels; `visible` is the share not covered."""

    name: str  # kind of object ("teapot"), or "text"
    box: Box
    colour: str = ""
    text: str = ""
    visible: float = 1.0


@dataclass(frozen=True)
class SceneQuestion:
    """One question. `options` are four, in random order, the answer once among them; `evidence` what decides it."""

    text: str
    answer: str
    options: tuple[str, ...]
    evidence: tuple[Box, ...]
    kind: str  # of QUESTION_KINDS
    track: Track
    accepted: tuple[str, ...] = ()  # other forms that are right as well
    visible_at_thumbnail: bool = False


@dataclass
class Scene:
    """A picture (RGB) with what is on it and what can be asked about it; `ask_more` makes the questions of `more`, once."""

    kind: str
    image: Image.Image
    things: list[Thing] = field(default_factory=list)
    questions: list[SceneQuestion] = field(default_factory=list)
    ask_more: Callable[[], list[SceneQuestion]] = list

    @cached_property
    def more(self) -> list[SceneQuestion]:
        """Further questions, to train on; none of them is among `questions`."""
        asked = {question.text.casefold() for question in self.questions}
        return [question for question in self.ask_more() if question.text.casefold() not in asked]


def held_out(name: str, share: float = 0.2) -> bool:
    """Whether a kind, font, phrasing or background is kept for the split `unseen`; the same on every machine."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) < share * 2**32


def of_split(names: Sequence[str], split: Split) -> list[str]:
    """The names that scenes of this split may use; all of them where the split would be left with none."""
    return [name for name in names if held_out(name) == (split == "unseen")] or list(names)


def visible_at_thumbnail(boxes: Sequence[Box], size: tuple[int, int], track: Track) -> bool:
    """Whether all of these can be made out when the picture is made `THUMBNAIL` pixels long.

    Text needs lines of `TEXT_HEIGHT` pixels, an object a shorter side of `OBJECT_SIDE`.
    """
    scale = min(1.0, THUMBNAIL / max(size))
    least = TEXT_HEIGHT if track == "text" else OBJECT_SIDE
    return bool(boxes) and all(min(x2 - x1, y2 - y1) * scale >= least for x1, y1, x2, y2 in boxes)
