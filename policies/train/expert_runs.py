"""What experts return in forced runs and rollouts: simulated from a scene's truth, or the project's own tools.

Simulated is quick, and wrong in the ways experts are: boxes are jittered, missed or false, text is misread as by an OCR
engine (`policies/data/reading.py`). The same question meets the same faults in every run. `ToolExperts` looks at the
drawn picture with `read` and `ground` themselves, which is what is measured in the end.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from policies.data.page import Line, Page
from policies.data.reading import misread
from policies.data.scenes.scene import Thing
from policies.data.tree import ANY
from policies.data.visual_names import Named
from policies.nano import shipped
from policies.text.naming import as_asked, guess_for
from policies.train.questions import Asked, draw
from tools import boxes
from tools.base import Region, Tool
from tools.errors import ExpertError
from tools.ground import Ground
from tools.pictures import Picture
from tools.read import Read
from tools.zoom import Zoom

Listed = list[tuple[str, str]]
KEPT_PICTURES = 2


class Experts(Protocol):
    """The experts at hand: `(name, description)` each, those that take arguments, and what a call gives."""

    listed: Listed
    takes_args: set[str]

    def run(self, item: Asked, call: str) -> list[Region]:
        """Regions that the line `expert: args` gives for the picture of `item`; none for one not known."""
        ...


@dataclass(frozen=True)
class Faults:
    """How wrong simulated grounding is: `jitter` of a box's sides, parts of things `missed`, false boxes a call."""

    jitter: float = 0.04
    missed: float = 0.1
    false: float = 0.1


def described(*tools: type[Tool]) -> Listed:
    """Experts as the controller is told of them."""
    return [(tool.name, " ".join(tool.description.split())) for tool in tools]


@dataclass
class SimulatedExperts:
    """`read` and `ground` from the truth; `zoom` is at hand and gives nothing, as it does for text. `kinds` maps the
    names in `listed` to these three."""

    faults: Faults = Faults()
    listed: Listed = field(default_factory=lambda: described(Read, Ground, Zoom))
    kinds: dict[str, str] = field(default_factory=lambda: {"read": "read", "ground": "ground", "zoom": "zoom"})
    takes_args: set[str] = field(default_factory=lambda: {"ground"})

    def run(self, item: Asked, call: str) -> list[Region]:
        name, args = split_call(call)
        rng = random.Random(f"experts:{item.track}:{item.index}:{name}:{args}")
        kind = self.kinds.get(name, "")
        if kind == "read":
            return simulated_read(item.things, item.size, rng)
        return simulated_ground(item.things, args.split(";"), item.size, rng, self.faults) if kind == "ground" else []


class ToolExperts:
    """The project's `read`, and `ground` with its own detector when asked for, on the drawn picture. The results of the
    last calls are kept."""

    def __init__(self, ground: bool = False) -> None:
        self.tools: dict[str, Tool] = {"read": Read()}
        if ground:
            self.tools["ground"] = Ground(str(shipped("grounding-nano")))
        self.listed = described(*(type(tool) for tool in self.tools.values()), Zoom)
        self.takes_args = {"ground"} & set(self.tools)
        self._pictures: OrderedDict[str, Picture] = OrderedDict()
        self._results: OrderedDict[tuple[str, str], list[Region]] = OrderedDict()

    def run(self, item: Asked, call: str) -> list[Region]:
        name, args = split_call(call)
        tool = self.tools.get(name)
        if tool is None:
            return []
        picture = f"{item.track}/{item.index}"
        wanted: dict[str, Any] = {}
        if args:
            objects = as_asked([part.strip() for part in args.split(";") if part.strip()], item.question)
            wanted = {"objects": objects, "guess": guess_for(objects, item.question, item.options)}
        key = (picture, f"{name}: {wanted}")
        if key not in self._results:
            try:
                tool.ready()
                self._results[key] = tool(self._picture(picture, item), tool.parse(wanted))
            except ExpertError:  # a failing expert gives nothing, as in use; the run goes on
                self._results[key] = []
            while len(self._results) > 4 * KEPT_PICTURES:
                self._results.popitem(last=False)
        return self._results[key]

    def _picture(self, key: str, item: Asked) -> Picture:
        if key not in self._pictures:
            self._pictures[key] = Picture.open(draw(item.track, item.index))
            while len(self._pictures) > KEPT_PICTURES:
                self._pictures.popitem(last=False)
        return self._pictures[key]


def split_call(call: str) -> tuple[str, str]:
    """`("ground", "red car; dog")` of a native line `ground: red car; dog`."""
    name, _, args = call.partition(":")
    return name.strip(), args.strip()


def simulated_read(things: Sequence[Thing], size: tuple[int, int], rng: random.Random) -> list[Region]:
    """The text of a picture as an OCR engine gives it: lines in reading order, with its faults."""
    page = Page(*size, font=None, lines=[Line(thing.text, thing.box) for thing in things if thing.text.strip()])
    found = []
    for line in misread(page, rng).lines:
        box = boxes.clamp(line.box, size)
        if box is not None and line.text.strip():
            found.append(Region(box=box, label="text", text=line.text, score=0.95, source="read"))
    return found


def simulated_ground(
    things: Sequence[Thing], wanted: Sequence[str], size: tuple[int, int], rng: random.Random, faults: Faults
) -> list[Region]:
    """A box for every thing that one of the `wanted` phrases names, best first, with `faults`."""
    found = []
    for phrase in (part.strip() for part in wanted if part.strip()):
        boxes_of = [thing.box for thing in things if names(phrase, thing)]
        shown = [box for box in boxes_of if rng.random() >= faults.missed]
        shown += [_anywhere(rng, size) for _ in range(rng.random() < faults.false)]
        for box in shown:
            moved = boxes.clamp(_jittered(box, rng, faults.jitter), size)
            if moved is not None:
                found.append(Region(box=moved, label=phrase, score=round(rng.uniform(0.4, 0.95), 3), source="ground"))
    return sorted(found, key=lambda region: -region.score)


def names(phrase: str, thing: Thing) -> bool:
    """Whether a phrase like "red cars" means this thing: its kind in the singular or plural, and its colour if it says
    one of the colours that things have. "object" means every thing but texts and drawings."""
    if phrase.strip().casefold() == ANY:
        return Named(ANY).fits(thing)
    words = phrase.casefold().split()
    name = thing.name.casefold().split()
    size = len(name)
    heads = (words[i : i + size] for i in range(len(words) - size + 1))
    if not any(head[:-1] == name[:-1] and head[-1] in (name[-1], name[-1] + "s", name[-1] + "es") for head in heads):
        return False
    return not thing.colour or thing.colour.casefold() in words or len(words) == size


def _jittered(box: boxes.Box, rng: random.Random, part: float) -> boxes.Box:
    x1, y1, x2, y2 = box
    wide, high = part * (x2 - x1), part * (y2 - y1)
    return (
        x1 + rng.uniform(-wide, wide),
        y1 + rng.uniform(-high, high),
        x2 + rng.uniform(-wide, wide),
        y2 + rng.uniform(-high, high),
    )


def _anywhere(rng: random.Random, size: tuple[int, int]) -> boxes.Box:
    width, height = (side * rng.uniform(0.03, 0.2) for side in size)
    x, y = rng.uniform(0, size[0] - width), rng.uniform(0, size[1] - height)
    return (x, y, x + width, y + height)
