"""Pictures with the words that name what they show, for the stage `words`: crops of single things, and whole scenes.

A tree is one picture, and its only branch has the words as a bag of tokens: colour and kind of a thing, "text",
"nothing", the kinds of all that is large enough in a whole scene. Truth of train scenes, crops as the model makes them.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path

from policies.data.digests import digest_of
from policies.data.scenes.scene import Box
from policies.data.tree import ANY, Branch, Tree
from policies.data.visual_align import CLEAR, NOTHING, SCENES, empty_place
from policies.data.visual_names import TEXT, Named
from policies.data.visual_scene import Optics, SceneTrack, SeenScene, called, load_assets, load_scene
from policies.text.protocol import Protocol

VERSION = 2


@dataclass(frozen=True)
class WordsSettings:
    """`seed`: the first scene. `crops`: things of a scene at most; besides them come a text, an empty place at times,
    and the whole scene."""

    track: SceneTrack = "scenes"
    seed: int = 24_000_000
    crops: int = 12
    assets: Path | None = None


class SceneWords:
    """`Source` of pictures with bags of words: item `index` is one scene."""

    def __init__(self, protocol: Protocol, optics: Optics, settings: WordsSettings | None = None) -> None:
        self.protocol, self.optics = protocol, optics
        self.settings = settings or WordsSettings()
        self.assets = load_assets(self.settings.assets)

    def trees(self, index: int) -> list[Tree]:
        seen = load_scene(self.settings.track, self.settings.seed + index, self.optics, self.assets)
        rng = random.Random(f"words:{seen.key}")
        shown = self._places(seen, rng)
        crops = list(seen.looks([seen.jittered(box, rng, 0.06) for box, _, _ in shown]).crops) if shown else []
        out = [self._tree(crop, words, kind) for crop, (_, words, kind) in zip(crops, shown, strict=True)]
        return [*out, self._tree(seen.image, self._of_whole(seen), "whole")]

    def digest(self) -> str:
        return digest_of("SceneWords", VERSION, self.protocol, self.optics, self.settings)

    def _places(self, seen: SeenScene, rng: random.Random) -> list[tuple[Box, list[str], str]]:
        """Boxes to look into, the words for each, and what sort of place it is."""
        things = [thing for thing in seen.objects if Named(ANY).fits(thing) and thing.visible > 0.5]
        chosen = rng.sample(things, min(len(things), self.settings.crops))
        out = [(thing.box, [called(thing)], "thing") for thing in chosen]
        if seen.texts and rng.random() < 0.5:
            out.append((rng.choice(seen.texts).box, [TEXT], "text"))
        empty = empty_place(seen, rng) if rng.random() < 0.5 else None
        return [*out, (empty, [NOTHING], "nothing")] if empty else out

    def _of_whole(self, seen: SeenScene) -> list[str]:
        scale = self.optics.side / max(seen.size)
        clear = [
            thing.name
            for thing in seen.objects
            if Named(ANY).fits(thing) and max(thing.box[2] - thing.box[0], thing.box[3] - thing.box[1]) * scale >= CLEAR
        ]
        page = SCENES.get(seen.scene.kind, seen.scene.kind)
        return clear if page == "objects" and clear else [re.sub("^an? ", "", page)]

    def _tree(self, picture: object, words: list[str], kind: str) -> Tree:
        bag = dict.fromkeys(token for word in words for token in self.protocol.encode(f" {word}"))
        return Tree([self.protocol.image_id], [Branch([], list(bag), kind)], image=picture)  # type: ignore[arg-type]
