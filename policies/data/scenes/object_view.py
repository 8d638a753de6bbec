"""What is asked about: the objects of one picture, what each can be called, and clear differences between them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from policies.data.scenes.asking import article, four_options, phrase, question
from policies.data.scenes.assets import Assets
from policies.data.scenes.colours import near
from policies.data.scenes.composing import Placed
from policies.data.scenes.scene import Box, SceneQuestion, Split


class View:
    """What a form of question needs to know of a picture."""

    def __init__(
        self,
        rng: random.Random,
        split: Split,
        assets: Assets,
        placed: Sequence[Placed],
        size: tuple[int, int],
        layout: str,
    ) -> None:
        self.rng, self.split, self.placed, self.size, self.layout = rng, split, list(placed), size, layout
        self.kinds: dict[str, list[Placed]] = {}
        for each in self.placed:
            self.kinds.setdefault(each.kind.name, []).append(each)
        seen = [group[0].kind for group in self.kinds.values()]
        others = [assets.kind(name) for name in assets.kinds(split)]
        self.absent = [kind for kind in others if not any(kind.like(other) for other in seen)]
        self.named = [(each, name) for each in self.placed if (name := self._name(each))]
        self.names = [name for _, name in self.named]
        rng.shuffle(self.named)

    def _name(self, each: Placed) -> str:
        """What only this object can be called; empty if nothing is."""
        others = [other for other in self.kinds[each.kind.name] if other is not each]
        if not others:
            return each.kind.name
        if each.colour and not any(near(each.colour, other.colour) for other in others):
            return f"{each.colour} {each.kind.name}"
        return ""

    def name(self, each: Placed) -> str:
        return next((name for other, name in self.named if other is each), "")

    def alone(self) -> list[Placed]:
        return [each for each, _ in self.named if len(self.kinds[each.kind.name]) == 1]

    def other_kind(self, _: random.Random) -> str:
        return self.rng.choice(self.absent).name

    def build(
        self,
        kind: str,
        templates: Sequence[str],
        answer: str,
        options: Iterable[str],
        evidence: Iterable[Placed],
        fallback: Callable[[random.Random], str] | None = None,
        accepted: Iterable[str] = (),
        absent: float = 0.12,
        **slots: str,
    ) -> SceneQuestion:
        four = four_options(self.rng, answer, options, fallback or self.other_kind, absent=absent)
        text = phrase(self.rng, self.split, templates, these=listed(four, kind), **slots)
        boxes: list[Box] = [each.box for each in evidence]
        return question(text, answer, four, boxes, kind, "object", self.size, accepted)


class Shown(Protocol):
    """What has a place and a size in the picture, in pixels."""

    @property
    def box(self) -> Box: ...
    @property
    def centre(self) -> tuple[float, float]: ...
    @property
    def long_side(self) -> float: ...
    @property
    def pixels(self) -> float: ...


S = TypeVar("S", bound=Shown)


def extremes(group: Sequence[S], size: tuple[int, int]) -> Iterator[tuple[str, S]]:
    """ "leftmost", "largest" ... with the one it clearly is, out of two or more."""
    across, down = size[0] * 0.04, size[1] * 0.04
    for word, side, margin in (
        ("leftmost", 0, across),
        ("topmost", 1, down),
        ("rightmost", 2, across),
        ("lowest", 3, down),
    ):
        sign = 1 if side < 2 else -1
        axis = side % 2
        by_edge = sorted(group, key=lambda each: sign * each.box[side])
        first, rest = by_edge[0], by_edge[1:]
        if all(
            sign * (other.box[side] - first.box[side]) > margin
            and sign * (other.centre[axis] - first.centre[axis]) > margin
            for other in rest
        ):
            yield word, first
    by_size = sorted(group, key=lambda each: each.long_side)
    if clearly_larger(by_size[-1], by_size[:-1]):
        yield "largest", by_size[-1]
    if all(clearly_larger(other, by_size[:1]) for other in by_size[1:]):
        yield "smallest", by_size[0]


def clearly_larger(each: Shown, others: Iterable[Shown]) -> bool:
    return all(each.long_side > 1.3 * other.long_side and each.pixels > 1.6 * other.pixels for other in others)


def listed(options: Sequence[str], kind: str) -> str:
    """The options as part of a sentence: "a cat, a red teapot, a saw or a bus"; with "the" but for presence."""
    words = [article(option) if kind == "presence" else f"the {option}" for option in options]
    return f"{', '.join(words[:-1])} or {words[-1]}"
