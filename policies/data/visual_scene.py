"""A training scene as a controller sees it: the whole picture on a square, crops of regions, boxes in 0-1.

Scenes are those of the split `train` and seeds below `HELD_OUT`, so that neither the scenes of P²GB-S nor those kept for
calibration are ever trained on. A key names a question for ever; labels from forced runs refer to it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from policies.config import CLIP_MEAN
from policies.data.scenes import kinds, make_scene
from policies.data.scenes.assets import Assets
from policies.data.scenes.scene import Box, Scene, Thing
from policies.data.tree import Looks
from policies.vision import crop_region, pad_to_square
from tools.boxes import clamp, to_square, to_unit
from tools.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

SceneTrack = Literal["scenes", "text-scenes", "object-scenes"]
HELD_OUT = 50_000_000  # seeds of scenes from here on are for calibration and checks


@dataclass(frozen=True)
class Optics:
    """What the model's tower takes: its `side` in pixels, the colour around the whole picture, how far crops reach."""

    side: int = 96
    mean: tuple[float, ...] = CLIP_MEAN
    crop_scale: float = 1.2

    def whole(self, image: Image.Image) -> np.ndarray:
        """uint8 `[S, S, 3]`: the picture padded to a square."""
        return np.asarray(pad_to_square(image, self.side, self.mean))

    def looks(self, image: Image.Image, boxes: Sequence[Box]) -> Looks:
        """The regions in `boxes` (pixels of `image`), cropped as the model crops them, with their places on
        the padded square. `PictureError` for a box outside."""
        crops = np.empty((len(boxes), self.side, self.side, 3), np.uint8)
        for crop, box in zip(crops, boxes, strict=True):
            crop[:] = np.asarray(crop_region(image, box, self.side, self.crop_scale))
        return Looks(crops, [to_square(box, image.size) for box in boxes])


class SeenScene:
    """One scene with its pixels made ready when first asked for."""

    def __init__(self, scene: Scene, key: str, optics: Optics) -> None:
        self.scene, self.key, self.optics = scene, key, optics
        self.size: tuple[int, int] = scene.image.size
        self.objects = [thing for thing in scene.things if thing.name != "text"]
        self.texts = [thing for thing in scene.things if thing.name == "text" and thing.text.strip()]

    @cached_property
    def image(self) -> np.ndarray:
        """The whole picture, uint8 `[S, S, 3]`."""
        return self.optics.whole(self.scene.image)

    def looks(self, boxes: Sequence[Box]) -> Looks:
        """The regions in `boxes`, in pixels of the scene."""
        return self.optics.looks(self.scene.image, boxes)

    def unit(self, box: Box) -> Box:
        """0-1 of the scene's picture, as a focus turn writes it."""
        return to_unit(box, self.size)

    def jittered(self, box: Box, rng: random.Random, amount: float) -> Box:
        """`box` with each edge moved by about `amount` of its side, inside the picture."""
        x1, y1, x2, y2 = box
        w, h = (x2 - x1) * amount, (y2 - y1) * amount
        moved = clamp(
            (x1 + rng.gauss(0, w), y1 + rng.gauss(0, h), x2 + rng.gauss(0, w), y2 + rng.gauss(0, h)), self.size
        )
        return moved if moved is not None and min(moved[2] - moved[0], moved[3] - moved[1]) >= 2 else box


def load_scene(track: SceneTrack, seed: int, optics: Optics, assets: Assets) -> SeenScene:
    """The train scene of that seed; `text-scenes` and `object-scenes` draw of their kinds alone."""
    if not 0 <= seed < HELD_OUT:
        raise UsageError(f"scene {seed} is not for training: seeds are 0 to {HELD_OUT - 1}")
    kind = None
    if track != "scenes":
        of_track = kinds("text" if track == "text-scenes" else "object")
        kind = random.Random(f"kind:{seed}").choice(of_track)
    return SeenScene(make_scene(seed, "train", kind, assets), f"{track}/{seed}", optics)


def called(thing: Thing) -> str:
    """ "red car", "car"."""
    return f"{thing.colour} {thing.name}".strip()


def load_assets(folder: Path | None) -> Assets:
    """The pack that ships, and what was fetched into `folder`."""
    return Assets.load(folder)
