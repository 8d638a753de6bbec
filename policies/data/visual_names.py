"""What a question about a scene names, and which things of the scene that is: the arguments of an expert, and its truth.

A person who may call an expert for objects asks for the things that the question names ("blue scooter", "seal"). Where
a question leaves the thing open ("what is nearest to the swan?") the options name it, or it is any `object`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from policies.data.scenes.asking import as_number
from policies.data.scenes.colours import COLOURS
from policies.data.scenes.scene import ABSENT, Box, Scene, SceneQuestion, Thing
from policies.data.tree import ANY

if TYPE_CHECKING:
    from policies.data.scenes.assets import Assets

SEPARATOR = "; "
SAME_BOX = 0.9  # overlap from which a box of evidence is a thing's
TEXT = "text"
MARKS = ("tick", "switch")
DRAWN = ("bar", "point", *MARKS)  # parts of pages, which no expert is asked for


@dataclass(frozen=True)
class Named:
    """A thing as it is asked for: a kind of object, maybe with its colour."""

    kind: str
    colour: str = ""

    def __str__(self) -> str:
        return f"{self.colour} {self.kind}".strip()

    def fits(self, thing: Thing) -> bool:
        """Whether the name is right for a thing of the scene."""
        return self.kind in (ANY, thing.name) and self.colour in ("", thing.colour) and thing.name not in (TEXT, *DRAWN)


class Names:
    """Finds names of kinds in a text: singular or plural, with or without a colour before them."""

    def __init__(self, assets: Assets) -> None:
        self.kinds: dict[str, str] = {}
        for name in assets.kinds("train"):
            self.kinds.setdefault(assets.kind(name).plural.casefold(), name)
            self.kinds[name.casefold()] = name
        words = "|".join(re.escape(word) for word in sorted(self.kinds, key=len, reverse=True))
        self._pattern = re.compile(rf"(?<![\w-])(?:({'|'.join(COLOURS)}) )?({words})(?![\w-])", re.IGNORECASE)

    def find(self, text: str) -> list[Named]:
        """The names in `text` in their order, each once; the colour orange is no fruit."""
        found = [
            Named(self.kinds[match[2].casefold()], (match[1] or "").casefold())
            for match in self._pattern.finditer(text)
        ]
        return list(dict.fromkeys(name for name in found if name.kind not in COLOURS))

    def exact(self, text: str) -> Named | None:
        """The name that `text` is, if it is one and nothing else."""
        match = self._pattern.fullmatch(text)
        return Named(self.kinds[match[2].casefold()], (match[1] or "").casefold()) if match else None


@lru_cache(maxsize=2)
def names_of(assets: Assets) -> Names:
    """The names of one set of assets, made once."""
    return Names(assets)


@dataclass(frozen=True)
class About:
    """What a question is about. `names` are asked of an expert for objects, in their order; `read`: whether text has to
    be read; `evidence`: the things that decide it, text among them."""

    names: tuple[Named, ...]
    read: bool
    evidence: tuple[Thing, ...]


def about(question: SceneQuestion, scene: Scene, names: Names) -> tuple[About, About] | None:
    """What `question` is about, asked without its options and with them (their kinds may be asked for as well).

    None where its evidence cannot be reached by asking for what it names or by reading.
    """
    evidence = tuple(thing for box in question.evidence if (thing := thing_at(box, scene)) is not None)
    if len(evidence) < len(question.evidence):
        return None
    objects = [thing for thing in evidence if thing.name not in (TEXT, *DRAWN)]
    named = names.find(question.text)
    if question.track == "text":
        written = " ".join(thing.text for thing in evidence).casefold()
        named = [name for name in named if any(name.fits(thing) for thing in objects)]
        to_find = [name for name in named if name.kind.casefold() not in written]  # a label beside it says its name
        if not _legible(question.text, evidence) or not _covered(named, objects):
            return None
        found = About(tuple(to_find), True, evidence)
        return found, found
    offered = [name for option in question.options if option != ABSENT and (name := names.exact(option))]
    wanted = list(dict.fromkeys([*named, *offered]))
    settled = bool(named) and _covered(named, objects)
    anything = About((*named, Named(ANY)), False, evidence)
    alone = About(tuple(named), False, evidence) if settled else anything
    if settled and not (question.answer == ABSENT and len(offered) >= 2):
        return alone, alone
    return alone, About(tuple(wanted), False, evidence) if offered and _covered(wanted, objects) else anything


def _legible(asked: str, evidence: Sequence[Thing]) -> bool:
    """Whether reading alone settles it: no marks, and every bar or point of a chart with its number beside it."""
    drawn = sum(thing.name in DRAWN for thing in evidence)
    numbers = sum(
        as_number(thing.text) is not None and thing.text not in asked for thing in evidence if thing.name == TEXT
    )
    return drawn <= numbers and not any(thing.name in MARKS for thing in evidence)


def thing_at(box: Box, scene: Scene) -> Thing | None:
    """The thing whose box an evidence box is (boxes of evidence are rounded and cut to the picture)."""
    best = max(scene.things, key=lambda thing: overlap(thing.box, box), default=None)
    return best if best is not None and overlap(best.box, box) > SAME_BOX else None


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def _covered(wanted: Sequence[Named], things: Iterable[Thing]) -> bool:
    return all(any(name.fits(thing) for name in wanted) for thing in things)
