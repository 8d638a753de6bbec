"""Cheap training pictures: sprites of any size on cropped backgrounds, with exact boxes; a few milliseconds each.

Scenes are mostly background and take a tenth of a second; a mosaic shows as many things as fit, turned, repainted,
lit and partly covered. `Canvas` is the truth: what is where. The same seed and number give the same picture.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from policies.data.scenes.assets import Assets
from policies.data.scenes.backgrounds import background
from policies.data.scenes.colours import COLOURS, paint
from policies.grounding.sprites import Bank

if TYPE_CHECKING:
    from pathlib import Path

GROUND = 448  # pixels of a side of a stored background
LEAST_VISIBLE = 0.8
LEAST_SIDE = 14  # pixels
NAMELESS = 0.12  # of what is drawn


@dataclass(frozen=True)
class Item:
    """One thing on a canvas: sprite and kind by number (-1: nameless), the box `x1 y1 x2 y2` of what is seen of it."""

    sprite: int
    kind: int
    colour: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Canvas:
    pixels: np.ndarray  # [H, W, 3] uint8
    items: list[Item]


def grounds(count: int, seed: int, fetched: Path | None = None) -> np.ndarray:
    """`[count, GROUND, GROUND, 3]` uint8: backgrounds of scenes, those of the split `train` alone."""
    assets = Assets.load(fetched)
    rng = random.Random(f"grounds:{seed}")
    made = []
    for _ in range(count):
        zoom = rng.choice([1, 1, 2, 3])
        image = background(rng, "train", assets, (GROUND * zoom, GROUND * zoom))
        made.append(np.asarray(image.resize((GROUND, GROUND), Image.Resampling.BOX, reducing_gap=1.0)))
    return np.stack(made)


class Painter:
    """Draws canvases from a bank; `draw(number, side)` depends on seed, number and side alone."""

    def __init__(self, bank: Bank, backdrops: np.ndarray, seed: int) -> None:
        self.bank, self.backdrops, self.seed = bank, backdrops, seed
        self.of_kind = bank.by_kind()
        self.without = [number for number, sprite in enumerate(bank.sprites) if sprite.kind < 0]
        self.often = np.array([kind.often for kind in bank.kinds], float)
        self.often /= self.often.sum()
        self.painted = lru_cache(maxsize=8000)(self._painted)
        self.small = lru_cache(maxsize=20000)(self._small)

    def draw(self, number: int, side: int) -> Canvas:
        rng = np.random.default_rng((self.seed, number))
        pixels = self._ground(rng, side)
        covers: list[np.ndarray] = []
        placed: list[tuple[int, int, str, int, int, int]] = []
        count = int(rng.integers(5, 22))
        largest = side * rng.uniform(0.16, 0.46)
        favourites = rng.choice(len(self.of_kind), 3, p=self.often)
        drawn = iter(rng.choice(len(self.of_kind), count, p=self.often))
        for _ in range(count):
            kind, sprite = self._choose(rng, favourites, int(next(drawn)))
            colour = ""
            if kind >= 0 and self.bank.kinds[kind].paintable and rng.random() < 0.5:
                colour = COLOURS[int(rng.integers(len(COLOURS)))]
            long_side = largest * rng.random() ** rng.choice([0.6, 2.0]) * 0.92 + 22
            stamp = self._stamp(rng, sprite, colour, long_side)
            spot = self._spot(rng, stamp, placed, covers, side)
            if spot is None:
                continue
            left, top, solid = spot
            _shade(rng, pixels, stamp, left, top)
            _blend(pixels, stamp, left, top)
            placed.append((sprite, kind, colour, left, top, int(solid.sum())))
            covers.append(solid.copy())
        items = []
        for (sprite, kind, colour, left, top, whole), seen in zip(placed, covers, strict=True):
            down, across = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
            if not len(down) or seen.sum() < LEAST_VISIBLE * whole * 0.9:
                continue
            box = (left + across[0], top + down[0], left + across[-1] + 1, top + down[-1] + 1)
            items.append(Item(sprite, kind, colour, tuple(float(value) for value in box)))  # type: ignore[arg-type]
        return Canvas(_shot(rng, pixels), items)

    def _choose(self, rng: np.random.Generator, favourites: np.ndarray, other: int) -> tuple[int, int]:
        if self.without and rng.random() < NAMELESS:
            return -1, self.without[int(rng.integers(len(self.without)))]
        kind = int(favourites[int(rng.integers(3))]) if rng.random() < 0.2 else other
        own = self.of_kind[kind]
        return kind, own[int(rng.integers(len(own)))]

    def _small(self, sprite: int, halvings: int) -> np.ndarray:
        import cv2

        pixels = self.bank.sprites[sprite].pixels
        for _ in range(halvings):
            pixels = cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        return pixels

    def _painted(self, sprite: int, halvings: int, colour: str) -> np.ndarray:
        return np.asarray(paint(Image.fromarray(self.small(sprite, halvings)), colour))

    def _stamp(self, rng: np.random.Generator, sprite: int, colour: str, long_side: float) -> np.ndarray:
        """The sprite `[h, w, 4]`, turned, mirrored, lit, of about that longer side."""
        import cv2

        height, width = self.bank.sprites[sprite].pixels.shape[:2]
        scale = max(long_side / max(height, width), LEAST_SIDE / min(height, width))
        halvings = min(2, max(0, math.floor(-math.log2(min(scale, 1.0)))))
        source = self.painted(sprite, halvings, colour) if colour else self.small(sprite, halvings)
        height, width = source.shape[:2]
        scale *= 2**halvings
        turn = rng.uniform(-18, 18) if rng.random() < 0.6 else 0.0
        squeeze = rng.uniform(0.85, 1.18) if rng.random() < 0.4 else 1.0
        cos, sin = math.cos(math.radians(turn)) * scale, math.sin(math.radians(turn)) * scale
        flip = -1.0 if rng.random() < 0.5 else 1.0
        new_w = math.ceil(abs(cos) * width * squeeze + abs(sin) * height)
        new_h = math.ceil(abs(sin) * width * squeeze + abs(cos) * height)
        matrix = np.array([[flip * cos * squeeze, -sin, 0], [flip * sin * squeeze, cos, 0]], np.float64)
        matrix[:, 2] = (new_w / 2, new_h / 2) - matrix[:, :2] @ (width / 2, height / 2)
        stamp = cv2.warpAffine(source, matrix, (new_w, new_h), flags=cv2.INTER_LINEAR)
        colours = stamp[..., :3].astype(np.float32)
        if not colour and rng.random() < 0.2:
            colours = colours[..., rng.permutation(3)]
        gain, lift = rng.uniform(0.75, 1.25), rng.uniform(-18, 18)
        stamp[..., :3] = (colours * gain + lift).clip(0, 255)
        return stamp

    def _spot(
        self, rng: np.random.Generator, stamp: np.ndarray, placed: list, covers: list[np.ndarray], side: int
    ) -> tuple[int, int, np.ndarray] | None:
        """Left, top and the solid pixels, where it hides not too much of what is there; `covers` is updated."""
        height, width = stamp.shape[:2]
        solid = stamp[..., 3] > 128
        if height >= side or width >= side or not solid.any():
            return None
        for _ in range(12):
            left, top = int(rng.integers(0, side - width)), int(rng.integers(0, side - height))
            new, fine = [], True
            for number, (*_, x, y, whole) in enumerate(placed):
                seen = covers[number]
                x1, y1 = max(x, left), max(y, top)
                x2, y2 = min(x + seen.shape[1], left + width), min(y + seen.shape[0], top + height)
                if x1 >= x2 or y1 >= y2:
                    continue
                rest = seen.copy()
                rest[y1 - y : y2 - y, x1 - x : x2 - x] &= ~solid[y1 - top : y2 - top, x1 - left : x2 - left]
                if rest.sum() < LEAST_VISIBLE * whole:
                    fine = False
                    break
                new.append((number, rest))
            if fine:
                for number, rest in new:
                    covers[number] = rest
                return left, top, solid
        return None

    def _ground(self, rng: np.random.Generator, side: int) -> np.ndarray:
        import cv2

        ground = self.backdrops[int(rng.integers(len(self.backdrops)))]
        part = int(rng.integers(GROUND // 3, GROUND + 1))
        x, y = int(rng.integers(0, GROUND - part + 1)), int(rng.integers(0, GROUND - part + 1))
        pixels = cv2.resize(ground[y : y + part, x : x + part], (side, side), interpolation=cv2.INTER_LINEAR)
        if rng.random() < 0.3:
            _clutter(rng, pixels)
        return pixels


def _clutter(rng: np.random.Generator, pixels: np.ndarray) -> None:
    """Lines, frames and writing, as pages, signs and shelves have them: nothing that has a name."""
    import cv2

    side = len(pixels)
    for _ in range(int(rng.integers(1, 7))):
        ink = tuple(int(value) for value in rng.integers(0, 255, 3))
        x, y, x2, y2 = (int(value) for value in rng.integers(0, side, 4))
        what = rng.random()
        if what < 0.4:
            text = "".join(chr(int(code)) for code in rng.integers(48, 122, int(rng.integers(3, 14))))
            cv2.putText(
                pixels, text, (x, y), int(rng.integers(0, 5)), rng.uniform(0.3, 1.2), ink, int(rng.integers(1, 3))
            )
        elif what < 0.7:
            cv2.rectangle(pixels, (x, y), (x2, y2), ink, int(rng.choice([-1, 1, 2, 4])))
        else:
            cv2.line(pixels, (0 if rng.random() < 0.5 else x, y), (side, y), ink, int(rng.integers(1, 14)))


def _shade(rng: np.random.Generator, pixels: np.ndarray, stamp: np.ndarray, left: int, top: int) -> None:
    """A soft shadow to one side and below."""
    import cv2

    if rng.random() < 0.3:
        return
    height, width = stamp.shape[:2]
    size = max(height, width)
    blur = max(3, size // 12 * 2 + 1)
    dark = cv2.blur(stamp[..., 3], (blur, blur))
    x, y = left + int(rng.uniform(-0.07, 0.07) * size), top + int(rng.uniform(0.02, 0.07) * size)
    x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + width, len(pixels)), min(y + height, len(pixels))
    if x1 < x2 and y1 < y2:
        part = pixels[y1:y2, x1:x2]
        keep = 1 - dark[y1 - y : y2 - y, x1 - x : x2 - x, None].astype(np.float32) * (rng.uniform(0.15, 0.5) / 255)
        part[:] = part * keep


def _blend(pixels: np.ndarray, stamp: np.ndarray, left: int, top: int) -> None:
    height, width = stamp.shape[:2]
    part = pixels[top : top + height, left : left + width]
    alpha = stamp[..., 3:].astype(np.float32) / 255
    part[:] = part + (stamp[..., :3] - part.astype(np.float32)) * alpha


def _shot(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """What a camera does: a little blur, noise, light; at times JPEG."""
    import cv2

    if rng.random() < 0.3:
        pixels = cv2.GaussianBlur(pixels, (3, 3), rng.uniform(0.4, 1.0))
    if rng.random() < 0.4:
        noise = rng.standard_normal(pixels.shape[:2], np.float32)[..., None] * rng.uniform(2, 7)
        pixels = (pixels + noise).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(50, 95))])
        if done:
            pixels = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return pixels
