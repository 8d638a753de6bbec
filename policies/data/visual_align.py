"""Cheap, dense supervision for the stage `align`: what a picture or a region shows, from the truth of train scenes.

Two forms of tree. In one a crop of the scene is the whole picture (all of its tokens, through the MLP) and is named,
coloured, counted or read. In the other the whole scene comes with unnamed regions, few or many, so that both projectors
learn: what is at this place, which of these is there, where is it. Prompts are those of the answer turn in use.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from policies.data.digests import digest_of
from policies.data.scenes.asking import article
from policies.data.scenes.colours import COLOURS, near
from policies.data.scenes.scene import Box, Thing
from policies.data.tree import ANY, Branch, Tree
from policies.data.visual_names import TEXT, Named
from policies.data.visual_scene import Optics, SceneTrack, SeenScene, called, load_assets, load_scene
from policies.text.protocol import Protocol, RegionLine

VERSION = 1
NOTHING = "nothing"
CLEAR = 12  # pixels that an object's longer side has in the tower's picture of the whole scene, to be asked about there
LETTER = 7  # pixels of a letter's width in the tower's picture, for text that is to be read there
SCENES = {
    **dict.fromkeys(("objects", "row", "shelf", "crowd", "search"), "objects"),
    **{"price_tags": "price tags", "book_spines": "books", "maps": "a map", "signs": "signs of shops"},
    **{"labels": "labels of products", "screens": "a screen", "receipt": "a receipt", "invoice": "an invoice"},
    **{"form": "a form", "timetable": "a timetable", "table": "a table", "chart": "a chart", "plot": "a plot"},
    **{"dashboard": "a dashboard", "web": "a web page", "slide": "a slide"},
}
WHAT = ("What is this?", "What does the image show?", "Name the object.", "What can be seen here?")
WHAT_AT = ("What is at {place}?", "What does the region at {place} show?", "Name the object at {place}.")
COLOUR = ("What colour is it?", "What is its colour?", "Name the colour.")
COLOUR_AT = ("What colour is the object at {place}?", "Which colour does the region at {place} have?")
IS_IT = ("Is this {x}?", "Does the image show {x}?", "Do you see {x}?")
IS_AT = ("Is {x} at {place}?", "Does the region at {place} show {x}?")
READ = ("What does it say?", "Read the text.", "Which words stand here?")
READ_AT = ("What does it say at {place}?", "Read the text at {place}.")
IN = ("Is there {x} in the picture?", "Does the picture show {x}?", "Can {x} be seen?")
WHICH = ("Which of these are in the picture: {these}?", "Which of {these} do you see?")
WHERE = ("Where is the {x}?", "Give the place of the {x}.", "At which place is the {x}?")
TRUE = ("True or false: {said}.", "Is it true that {said}?")
DESCRIBE = ("Describe the picture briefly.", "What is in the picture?", "What kind of picture is this?")


@dataclass(frozen=True)
class AlignSettings:
    """`seed`: the first scene. `crops`: pictures of single things a scene; `views`: whole scenes with regions."""

    track: SceneTrack = "scenes"
    seed: int = 20_000_000
    crops: int = 6
    views: int = 2
    assets: Path | None = None


class SceneAlign:
    """`Source` of align trees: item `index` is one scene."""

    def __init__(self, protocol: Protocol, optics: Optics, settings: AlignSettings | None = None) -> None:
        self.protocol, self.optics = protocol, optics
        self.settings = settings or AlignSettings()
        self.assets = load_assets(self.settings.assets)
        self.kinds = self.assets.kinds("train")
        self.colours = {kind: self.assets.kind(kind).paintable for kind in self.kinds}

    def trees(self, index: int) -> list[Tree]:
        settings = self.settings
        seen = load_scene(settings.track, settings.seed + index, self.optics, self.assets)
        rng = random.Random(f"align:{seen.key}")
        out = [self._crop(seen, rng) for _ in range(settings.crops)]
        out += [self._view(seen, rng) for _ in range(settings.views)]
        return [tree for tree in out if tree.branches]

    def digest(self) -> str:
        return digest_of("SceneAlign", VERSION, self.protocol, self.optics, self.settings)

    # A crop as the whole picture

    def _crop(self, seen: SeenScene, rng: random.Random) -> Tree:
        thing = self._pick(seen, rng)
        if thing is None:
            box = empty_place(seen, rng)
            if box is None:
                return Tree([])
        else:
            box = seen.jittered(thing.box, rng, 0.02 if thing.name == TEXT else 0.08)
        grown = self.optics.crop_scale if thing is None or thing.name != TEXT else 1.05
        x1, y1, x2, y2 = box
        dx, dy = (x2 - x1) * (grown - 1) / 2, (y2 - y1) * (grown - 1) / 2
        frame = (max(0, x1 - dx), max(0, y1 - dy), min(seen.size[0], x2 + dx), min(seen.size[1], y2 + dy))
        picture = self.optics.whole(seen.scene.image.crop(tuple(round(v) for v in frame)))  # type: ignore[arg-type]
        tree = Tree(self.protocol.context([], [], image=True).ids, image=picture)
        tree.branches += self._about(thing, rng)
        return tree

    def _pick(self, seen: SeenScene, rng: random.Random) -> Thing | None:
        """A thing to look at closely, or None for a place where nothing is."""
        objects = [thing for thing in seen.objects if Named(ANY).fits(thing) and thing.visible > 0.6]
        legible = [thing for thing in seen.texts if self._legible(thing)]
        draw = rng.random()
        if draw < 0.1 or not (objects or legible):
            return None
        pool = objects if objects and (draw < 0.7 or not legible) else legible
        return rng.choice(pool)

    def _legible(self, thing: Thing) -> bool:
        """Whether a level line of text can be read when it fills the tower's picture."""
        x1, y1, x2, y2 = thing.box
        return x2 - x1 > y2 - y1 and len(thing.text) * LETTER <= self.optics.side and y2 - y1 >= 10

    def _about(self, thing: Thing | None, rng: random.Random, place: str = "") -> Iterator[Branch]:
        """What can be asked of one thing that fills the picture, or that the region at `place` shows."""

        def ask(alone: Sequence[str], there: Sequence[str], **slots: str) -> str:
            return rng.choice(there if place else alone).format(place=place, **slots)

        if thing is None:
            yield self._branch(ask(WHAT, WHAT_AT), NOTHING, "nothing")
            yield self._branch(ask(IS_IT, IS_AT, x=article(rng.choice(self.kinds))), "no", "is it")
        elif thing.name == TEXT:
            legible = self._legible(thing)
            if not legible or rng.random() < 0.3:
                yield self._branch(ask(WHAT[:2], WHAT_AT[:2]), "text", "kind")
            if legible:
                yield self._branch(ask(READ, READ_AT), thing.text, "read")
        else:
            name = called(thing) if rng.random() < 0.6 else thing.name
            yield self._branch(ask(WHAT, WHAT_AT), name, "kind")
            if thing.colour:
                yield self._branch(ask(COLOUR, COLOUR_AT), thing.colour, "colour")
            wrong = self._other(thing, rng)
            right = called(thing) if rng.random() < 0.5 else thing.name
            for said, answer in ((right, "yes"), (wrong, "no")):
                if rng.random() < 0.6:
                    yield self._branch(ask(IS_IT, IS_AT, x=article(said)), answer, "is it")

    def _other(self, thing: Thing, rng: random.Random) -> str:
        """What the thing is not: another kind, or its kind in another colour."""
        if thing.colour and rng.random() < 0.5:
            colour = rng.choice([colour for colour in COLOURS if not near(colour, thing.colour)])
            return f"{colour} {thing.name}"
        if thing.name not in self.colours:
            return rng.choice(self.kinds)
        kind = self.assets.kind(thing.name)
        return rng.choice([name for name in self.kinds if not kind.like(self.assets.kind(name))])

    # The whole scene with regions

    def _view(self, seen: SeenScene, rng: random.Random) -> Tree:
        things: list[Thing | None] = [thing for thing in seen.objects if Named(ANY).fits(thing)]
        legible = [thing for thing in seen.texts if self._legible(thing)]
        things += rng.sample(legible, min(len(legible), 4))
        number = rng.choice([0, 1, 2, 3, 4, 4, 6, 8])
        chosen = rng.sample(things, min(number, len(things)))
        boxes = [seen.jittered(thing.box, rng, 0.06) for thing in chosen if thing is not None]
        if number and rng.random() < 0.3 and (empty := empty_place(seen, rng)):
            chosen, boxes = [*chosen, None], [*boxes, empty]
        lines = [RegionLine(ANY, seen.unit(box)) for box in boxes]
        context = self.protocol.context([], [], lines, image=True)
        tree = Tree(context.ids, image=seen.image, looks=seen.looks(boxes) if boxes else None)
        for thing, line in zip(chosen, lines, strict=True):
            tree.branches += self._about(thing, rng, place_of(line))
        tree.branches += self._overall(seen, rng, [thing for thing in chosen if thing is not None])
        return tree

    def _overall(self, seen: SeenScene, rng: random.Random, shown: Sequence[Thing]) -> Iterator[Branch]:
        """What can be asked of the whole: things large enough to be seen in it, or that a region shows."""
        yield self._branch(rng.choice(DESCRIBE), self._caption(seen), "describe")
        scale = self.optics.side / max(seen.size)
        objects = [thing for thing in seen.objects if Named(ANY).fits(thing)]
        clear = [t for t in objects if max(t.box[2] - t.box[0], t.box[3] - t.box[1]) * scale >= CLEAR or t in shown]
        if not clear:
            return
        there = {thing.name for thing in objects}
        kinds = [self.assets.kind(name) for name in there if name in self.colours]
        absent = [name for name in self.kinds if not any(kind.like(self.assets.kind(name)) for kind in kinds)]
        thing = rng.choice(clear)
        for name, answer in ((thing.name, "yes"), (rng.choice(absent), "no")):
            yield self._branch(rng.choice(IN).format(x=article(name)), answer, "is in")
        names = list(dict.fromkeys(t.name for t in rng.sample(clear, min(len(clear), rng.randint(1, 2)))))
        offered = [*names, *rng.sample(absent, 3 - len(names) + rng.randint(0, 1))]
        rng.shuffle(offered)
        found = [name for name in offered if name in names]
        yield self._branch(rng.choice(WHICH).format(these=_or(offered)), _and(found), "which")
        single = [t for t in clear if sum(other.name == t.name for other in objects) == 1]
        if single:
            one = rng.choice(single)
            place = place_of(RegionLine("", seen.unit(one.box)), digits=2)
            yield self._branch(rng.choice(WHERE).format(x=one.name), place, "where")
            right = rng.random() < 0.5
            elsewhere = [t for t in clear if t.name != one.name]
            said, at = one.name, place
            if not right and elsewhere and rng.random() < 0.5:
                at = place_of(RegionLine("", seen.unit(rng.choice(elsewhere).box)), digits=2)
            elif not right:
                said = rng.choice(absent)
            text = rng.choice(TRUE).format(said=f"{article(said)} is at {at}")
            yield self._branch(text, "true" if right else "false", "true or false")

    def _caption(self, seen: SeenScene) -> str:
        """ "3 seals, 2 kites and a rose"; for a page what kind of page it is."""
        kind = SCENES.get(seen.scene.kind, seen.scene.kind)
        if kind != "objects":
            return kind
        counts: dict[str, int] = {}
        for thing in sorted(seen.objects, key=lambda t: (t.box[0] - t.box[2]) * (t.box[3] - t.box[1])):
            counts[thing.name] = counts.get(thing.name, 0) + 1
        most = sorted(counts.items(), key=lambda pair: -pair[1])[:4]
        words = [article(name) if n == 1 else f"{n} {self.assets.kind(name).plural}" for name, n in most]
        return _and([*words, "other things"] if len(counts) > len(most) else words)

    def _branch(self, text: str, answer: str, kind: str) -> Branch:
        protocol = self.protocol
        target = [protocol.answer_id, *protocol.encode(f" {answer}"), protocol.end_id]
        return Branch(protocol.question(text), target, kind)


def empty_place(seen: SeenScene, rng: random.Random) -> Box | None:
    """A square of the scene that touches no thing, if a few draws find one."""
    width, height = seen.size
    for _ in range(12):
        side = rng.uniform(0.05, 0.2) * min(seen.size)
        x, y = rng.uniform(0, width - side), rng.uniform(0, height - side)
        if not any(
            x < other[2] and other[0] < x + side and y < other[3] and other[1] < y + side
            for other in (thing.box for thing in seen.scene.things)
        ):
            return (x, y, x + side, y + side)
    return None


def place_of(line: RegionLine, digits: int = 3) -> str:
    """A box as a focus turn writes it: "[0.125,0.250,0.500,1.000]"."""
    assert line.box is not None
    return f"[{','.join(f'{min(max(value, 0.0), 1.0):.{digits}f}' for value in line.box)}]"


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))


def _or(words: Sequence[str]) -> str:
    return _and([article(word) for word in words]).replace(" and ", " or ")
