"""Scenes of named objects: scattered, in rows, on shelves, crowded, or hidden small in a very large picture.

A cast is drawn first: no two kinds in a picture can be taken for each other; some are painted in plain colours, one
comes in several colours, one in numbers. A layout then places the cast; what finds no room is left out. The questions
are made from what was placed (`object_questions.py`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial

from PIL import Image

from policies.data.scenes.assets import Assets, Kind
from policies.data.scenes.backgrounds import background
from policies.data.scenes.camera import shoot
from policies.data.scenes.colours import COLOURS, near
from policies.data.scenes.composing import Composition, sized_sprite
from policies.data.scenes.object_questions import ask
from policies.data.scenes.scene import Maker, Scene, Split

MORE_PER_FORM, MORE = 8, 100


@dataclass(frozen=True)
class Actor:
    """An object to be placed."""

    kind: Kind
    colour: str = ""


def cast(rng: random.Random, split: Split, assets: Assets, singles: int, many: int) -> list[Actor]:
    """Objects in random order: `singles` alone of their kind, some painted; one kind in two to four different colours;
    one kind `many` times (0: none), at times of one colour, at times mixed."""
    names = assets.kinds(split)
    rng.shuffle(names)
    kinds: list[Kind] = []
    for name in names:
        kind = assets.kind(name)
        if not any(kind.like(other) for other in kinds):
            kinds.append(kind)
        if len(kinds) >= singles + 8 and sum(kind.paintable for kind in kinds) >= 3:
            break
    actors: list[Actor] = []
    contrast = next(kind for kind in kinds if kind.paintable)
    kinds.remove(contrast)
    actors += [Actor(contrast, colour) for colour in _apart(rng, rng.randint(2, 4))]
    if many:
        counted = kinds.pop()
        look = rng.choice(("natural", "one", "two")) if counted.paintable else "natural"
        palette = {"natural": [""], "one": [rng.choice(COLOURS)], "two": _apart(rng, 2)}[look]
        actors += [Actor(counted, palette[0] if i == 0 else rng.choice(palette)) for i in range(many)]
    for kind in kinds[:singles]:
        actors.append(Actor(kind, rng.choice(COLOURS) if kind.paintable and rng.random() < 0.7 else ""))
    rng.shuffle(actors)
    return actors


def _apart(rng: random.Random, count: int) -> list[str]:
    """That many colours nobody takes for each other."""
    chosen: list[str] = []
    for colour in rng.sample(COLOURS, len(COLOURS)):
        if len(chosen) < count and not any(near(colour, other) for other in chosen):
            chosen.append(colour)
    return chosen


def canvas_size(rng: random.Random, low: int = 1600, high: int = 2400) -> tuple[int, int]:
    """Width and height; the longer side between `low` and `high`, in one of the usual shapes, at times upright."""
    long_side = rng.randint(low, high) // 2 * 2
    short = round(long_side / rng.choice([4 / 3, 3 / 2, 16 / 9, 1.25]) / 2) * 2
    return (short, long_side) if rng.random() < 0.2 else (long_side, short)


def _finish(rng: random.Random, split: Split, assets: Assets, kind: str, picture: Composition) -> Scene:
    shadow = (rng.uniform(-0.07, 0.07), rng.uniform(0.02, 0.07), rng.uniform(0.2, 0.5))
    image = shoot(picture.render(shadow), rng, rng.uniform(0.3, 1.0))
    questions = ask(rng, split, assets, picture.placed, image.size, layout=kind)
    ask_more = partial(ask, rng, split, assets, picture.placed, image.size, kind, MORE_PER_FORM, MORE)
    things = [each.thing() for each in picture.placed]
    return Scene(kind, image, things, questions, ask_more if split == "train" else list)


# Layouts


def scatter(rng: random.Random, split: Split, assets: Assets) -> Scene:
    """Anywhere, of any size, turned a little, at times partly behind each other."""
    size = canvas_size(rng)
    picture = Composition(background(rng, split, assets, size))
    actors = cast(rng, split, assets, rng.randint(4, 12), rng.choice([0, 2, 3, 4, 5, 6, 7]))
    overlap = rng.choice([0.0, 0.0, 0.25])
    largest = min(size) * rng.uniform(0.16, 0.34)
    for actor in actors:
        long_side = int(largest * rng.random() ** rng.choice([0.5, 2.0]) + 34)
        sprite = sized_sprite(rng, assets, actor.kind.name, actor.colour, long_side, tilt=14)
        gap = 10 - overlap * min(sprite.size)
        _anywhere(rng, picture, actor, sprite, gap)
    return _finish(rng, split, assets, "objects", picture)


def _anywhere(rng: random.Random, picture: Composition, actor: Actor, sprite: Image.Image, gap: float) -> None:
    width, height = sprite.size
    for _ in range(30):
        left = rng.randint(4, max(4, picture.size[0] - width - 4))
        top = rng.randint(4, max(4, picture.size[1] - height - 4))
        if picture.room(left, top, width, height, gap) and picture.place(actor.kind, actor.colour, sprite, left, top):
            return


def row(rng: random.Random, split: Split, assets: Assets) -> Scene:
    """One to three rows, each standing on a line, evenly spaced."""
    size = canvas_size(rng)
    picture = Composition(background(rng, split, assets, size))
    actors = cast(rng, split, assets, rng.randint(4, 9), rng.choice([0, 0, 2, 3, 4]))
    rows = rng.randint(1, 3)
    each = max(3, -(-len(actors) // rows))
    for number in range(rows):
        base = int(size[1] * (number + 0.5 + 0.28) / rows)
        _stand(
            rng,
            assets,
            picture,
            actors[number * each : (number + 1) * each],
            (0, base),
            size[0],
            size[1] / rows,
            number,
        )
    return _finish(rng, split, assets, "row", picture)


def _stand(
    rng: random.Random,
    assets: Assets,
    picture: Composition,
    actors: list[Actor],
    corner: tuple[int, int],
    width: int,
    height: float,
    number: int,
) -> None:
    """Actors side by side on a line at the height of `corner`, over `width` pixels, at most 0.7 `height` tall."""
    if not actors:
        return
    left, base = corner
    slot = width / len(actors)
    limit = min(slot * 0.8, height * 0.68)
    for i, actor in enumerate(actors):
        sprite = sized_sprite(rng, assets, actor.kind.name, actor.colour, int(limit * rng.uniform(0.45, 1.0)))
        spare = max(0.0, slot - sprite.width)
        x = int(left + slot * i + spare * rng.uniform(0.3, 0.7))
        picture.place(actor.kind, actor.colour, sprite, x, base - sprite.height, number)


def shelf(rng: random.Random, split: Split, assets: Assets) -> Scene:
    """Shelves on a wall, full of things."""
    from PIL import ImageDraw

    size = canvas_size(rng)
    wall = background(rng, split, assets, size)
    upright = size[1] > size[0]
    boards, margin = rng.randint(3 if upright else 2, 4), int(size[0] * rng.uniform(0.03, 0.08))
    thick = max(14, size[1] // 60)
    wood = rng.choice([(150, 106, 70), (196, 160, 118), (228, 222, 212), (116, 92, 76), (170, 170, 172)])
    draw = ImageDraw.Draw(wall)
    bases = [int(size[1] * (number + 0.92) / boards) - thick for number in range(boards)]
    for base in bases:
        draw.rectangle((margin, base, size[0] - margin, base + thick), wood)
        draw.rectangle((margin, base, size[0] - margin, base + thick // 4), tuple(min(255, v + 22) for v in wood))
        draw.rectangle((margin, base + thick, size[0] - margin, base + thick + thick // 3), tuple(v // 2 for v in wood))
    picture = Composition(wall)
    actors = cast(rng, split, assets, rng.randint(6, 14), rng.choice([0, 3, 4, 5, 6]))
    fullness = [rng.uniform(0.5, 1.0) for _ in range(boards)]
    places = sorted(rng.choices(range(boards), fullness, k=len(actors)))
    for number, base in enumerate(bases):
        group = [actor for actor, place in zip(actors, places, strict=True) if place == number]
        _stand(rng, assets, picture, group, (margin, base + 1), size[0] - 2 * margin, size[1] / boards, number)
    return _finish(rng, split, assets, "shelf", picture)


def crowd(rng: random.Random, split: Split, assets: Assets) -> Scene:
    """Few kinds, many of each, on a loose grid: for counting and comparing numbers."""
    size = canvas_size(rng)
    picture = Composition(background(rng, split, assets, size))
    few = cast(rng, split, assets, rng.randint(3, 6), 0)
    actors = [actor for actor in few for _ in range(rng.choice([1, 1, 2, 3, 4, 5, 6, 8]))]
    rng.shuffle(actors)
    columns = max(4, round((len(actors) * 1.4 * size[0] / size[1]) ** 0.5))
    cell = size[0] / columns
    rows = int(size[1] // cell)
    cells = [(column, line) for column in range(columns) for line in range(rows)]
    largest = cell * rng.uniform(0.4, 0.8)
    for actor, (column, line) in zip(actors, rng.sample(cells, len(cells)), strict=False):
        side = max(34, int(largest * rng.uniform(0.6, 1.0)))
        sprite = sized_sprite(rng, assets, actor.kind.name, actor.colour, side, tilt=20)
        left = int(column * cell + rng.random() * max(0.0, cell - sprite.width))
        top = int(line * cell + rng.random() * max(0.0, cell - sprite.height))
        picture.place(actor.kind, actor.colour, sprite, left, top)
    return _finish(rng, split, assets, "crowd", picture)


def search(rng: random.Random, split: Split, assets: Assets) -> Scene:
    """A very large picture where almost everything is tiny, with some large things to look at first."""
    size = canvas_size(rng, 2400, 3600)
    picture = Composition(background(rng, split, assets, size))
    actors = cast(rng, split, assets, rng.randint(8, 16), rng.choice([0, 0, 2, 3, 4]))
    large = rng.randint(0, 3)
    for i, actor in enumerate(actors):
        long_side = rng.randint(380, 620) if i < large and _alone(actor, actors) else rng.randint(38, 90)
        sprite = sized_sprite(rng, assets, actor.kind.name, actor.colour, long_side, tilt=10)
        _anywhere(rng, picture, actor, sprite, 24)
    return _finish(rng, split, assets, "search", picture)


def _alone(actor: Actor, actors: list[Actor]) -> bool:
    return sum(other.kind.name == actor.kind.name for other in actors) == 1


MAKERS: dict[str, Maker] = {"objects": scatter, "row": row, "shelf": shelf, "crowd": crowd, "search": search}
