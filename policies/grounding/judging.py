"""What a scene is asked when grounding is measured or calibrated, and which detections are right.

Kinds of the picture are asked for together with as many that are not in it and that nobody could take for one that is.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel

from policies.data.scenes.assets import Assets
from policies.data.scenes.colours import COLOURS, near
from policies.data.scenes.object_places import direction
from policies.data.scenes.object_view import extremes
from policies.data.scenes.scene import Box, Scene, Split
from policies.data.tree import ANY
from tools import boxes
from tools.base import Region
from tools.ground import Ground, GroundArgs
from tools.pictures import Picture

MOST = 8  # phrases present, and absent, a picture: 16 are the most that one call takes
MOST_PLACES = 4  # phrases with a place or size, and pairs in a relation, a picture
SAID = {  # of a direction: how a phrase says it, and its opposite
    "to the left": ("left of", "right of"), "to the right": ("right of", "left of"),
    "above": ("above", "below"), "below": ("below", "above"),
}  # fmt: skip
FIT = 0.5  # IoU of a right box


@dataclass(frozen=True)
class Asked:
    """A phrase with the boxes it means in this picture: none, and it should be answered with nothing."""

    phrase: str
    kind: str
    truth: tuple[Box, ...]


@dataclass(frozen=True)
class Boxed:
    """A thing of which no more is known than its box: all of that counts as its pixels."""

    box: Box

    @property
    def centre(self) -> tuple[float, float]:
        return boxes.to_cxcywh(self.box)[:2]

    @property
    def long_side(self) -> float:
        return max(boxes.to_cxcywh(self.box)[2:])

    @property
    def pixels(self) -> float:
        return boxes.area(self.box)


class Hit(BaseModel):
    """One detection: its score, and whether it is a thing that was asked for and not found by a better one."""

    score: float
    right: bool


class Answered(BaseModel):
    """What came of one phrase in one picture."""

    key: str
    phrase: str
    kind: str
    things: int
    hits: list[Hit]


def kinds_asked(key: str, scene: Scene, split: Split) -> list[Asked]:
    """Up to `MOST` kinds that are there, and as many that are not; the key decides which."""
    rng = random.Random(f"grounding:{key}")
    assets = Assets.load()
    here = list(dict.fromkeys(thing.name for thing in scene.things if thing.name != "text"))
    seen = [assets.kind(name) for name in here]
    others = [name for name in assets.kinds(split) if not any(assets.kind(name).like(kind) for kind in seen)]
    present = rng.sample(here, min(MOST, len(here)))
    asked = [Asked(name, name, tuple(thing.box for thing in scene.things if thing.name == name)) for name in present]
    return asked + [Asked(name, name, ()) for name in rng.sample(others, min(len(present), len(others)))]


def colours_asked(key: str, scene: Scene) -> list[Asked]:
    """ "red teapot" for up to four things painted so, and with a colour that no teapot there could be said to have."""
    rng = random.Random(f"colours:{key}")
    painted = [thing for thing in scene.things if thing.colour]
    asked = []
    for thing in rng.sample(painted, min(4, len(painted))):
        same = [other for other in scene.things if other.name == thing.name]
        hues = {other.colour for other in same}
        if "" in hues or any(hue != thing.colour and near(hue, thing.colour) for hue in hues):
            continue
        right = tuple(other.box for other in same if other.colour == thing.colour)
        asked.append(Asked(f"{thing.colour} {thing.name}", thing.name, right))
        wrong = [hue for hue in COLOURS if not any(near(hue, other) for other in hues)]
        if wrong:
            asked.append(Asked(f"{rng.choice(wrong)} {thing.name}", thing.name, ()))
    return list(dict.fromkeys(asked))


def places_asked(key: str, scene: Scene) -> list[Asked]:
    """ "leftmost teapot" of several, and "teapot left of the owl" of two alone of their kind where that is clear; right
    after each of these the opposite direction, which means nothing."""
    rng = random.Random(f"places:{key}")
    groups: dict[str, list[Boxed]] = {}
    for thing in scene.things:
        if thing.name != "text":
            groups.setdefault(thing.name, []).append(Boxed(thing.box))
    several = [(name, own) for name, own in groups.items() if len(own) > 1]
    asked = [
        Asked(f"{word} {name}", name, (one.box,))
        for name, own in several
        for word, one in extremes(own, scene.image.size)
    ]
    asked = rng.sample(asked, min(MOST_PLACES, len(asked)))
    alone = [(name, own[0].box) for name, own in groups.items() if len(own) == 1]
    pairs = [(a, b) for a, b in itertools.combinations(alone, 2) if direction(a[1], b[1]) in SAID]
    for (a, box), (b, other) in rng.sample(pairs, min(MOST_PLACES, len(pairs))):
        true, false = SAID[direction(box, other)]
        asked += [Asked(f"{a} {true} the {b}", a, (box,)), Asked(f"{a} {false} the {b}", a, ())]
    return asked


def things_asked(scene: Scene) -> list[Asked]:
    """ "object" for all things of the scene; none where there are none."""
    things = tuple(thing.box for thing in scene.things if thing.name != "text")
    return [Asked(ANY, ANY, things)] if things else []


def ask(expert: Ground, picture: Picture, asked: Sequence[Asked], lowest: float | None) -> list[Region]:
    """All detections of score `lowest` and better, in one call; None: those that the expert reports of itself."""
    return expert(picture, GroundArgs(objects=[one.phrase for one in asked], threshold=lowest))


def judge(key: str, asked: Sequence[Asked], regions: Sequence[Region]) -> list[Answered]:
    """Detections of each phrase, best first; a thing is found by the first that fits it."""
    answered = []
    for one in asked:
        own = sorted((region for region in regions if region.label == one.phrase), key=lambda region: -region.score)
        left = list(one.truth)
        hits = []
        for region in own:
            fits = boxes.iou(np.array([region.box]), np.array(left))[0] if left else np.zeros(0)
            right = bool(len(fits)) and float(fits.max()) >= FIT
            if right:
                left.pop(int(fits.argmax()))
            hits.append(Hit(score=region.score, right=right))
        answered.append(Answered(key=key, phrase=one.phrase, kind=one.kind, things=len(one.truth), hits=hits))
    return answered
