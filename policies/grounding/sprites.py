"""The pictures training composes: cut-out sprites with a name, those of the scenes' own assets and more emoji.

No kind that the split `unseen` keeps is ever here, nor one with such a kind's name or synonym in its own names: where
"car" is unseen, "police car" is left out as well. A sprite without a name is a distractor: a thing in the picture that
nothing asks for.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from policies.data.scenes.assets import Assets, _tight
from policies.data.scenes.packages import read_table
from policies.data.scenes.scene import held_out

SIDE = 176  # pixels of the longer side of a sprite in memory


@dataclass
class Sprite:
    """`pixels` `[h, w, 4]` uint8, not premultiplied; `kind` indexes the bank's kinds, -1: it has no name."""

    pixels: np.ndarray
    kind: int


@dataclass
class Kind:
    name: str
    words: tuple[str, ...]  # synonyms
    families: frozenset[str]  # of kinds that are easily taken for each other
    paintable: bool
    often: float = 1.0  # how often it is drawn


@dataclass
class Bank:
    kinds: list[Kind]
    sprites: list[Sprite]

    def by_kind(self) -> list[list[int]]:
        """Sprites of each kind."""
        found: list[list[int]] = [[] for _ in self.kinds]
        for number, sprite in enumerate(self.sprites):
            if sprite.kind >= 0:
                found[sprite.kind].append(number)
        return found


def load_bank(fetched: Path | None = None, more: Path | None = None, limit: int | None = None) -> Bank:
    """The pack's kinds for training, those fetched for scenes and the emoji in `more`; the first `limit` kinds."""
    assets = Assets.load(fetched)
    kinds, sprites = [], []
    own = set(Assets.load().kinds("train"))
    for name in trained_kinds(assets)[:limit]:
        kind = assets.kind(name)
        often = 3.0 if name in own else 0.5
        kinds.append(Kind(name, kind.synonyms, kind.alike, kind.paintable, often))
        pictures = {id(found): found for seed in range(24) for found in [assets.sprite(name, random.Random(seed))]}
        sprites += [Sprite(shrunk(picture), len(kinds) - 1) for picture in pictures.values()]
    if more is not None and limit is None:
        forbidden = unseen_words(assets)
        numbers = {kind.name: number for number, kind in enumerate(kinds)}
        for row in read_table(more / "sprites.tsv"):
            words = [word for word in row["words"].split(",") if word]
            if any(clash(word, forbidden) for word in [row["name"], row["about"], *words]):
                continue
            if row["name"] and row["name"] not in numbers:
                numbers[row["name"]] = len(kinds)
                kinds.append(Kind(row["name"], tuple(words), frozenset(), False))
            with Image.open(more / row["file"]) as image:
                sprites.append(Sprite(shrunk(_tight(image.convert("RGBA"))), numbers.get(row["name"], -1)))
    return Bank(kinds, sprites)


def trained_kinds(assets: Assets) -> list[str]:
    """The training kinds of the assets without those that have a name or synonym of an unseen kind in theirs."""
    forbidden = unseen_words(assets)
    names = assets.kinds("train")
    return [name for name in names if not any(clash(word, forbidden) for word in (name, *assets.kind(name).synonyms))]


def unseen_words(assets: Assets) -> set[str]:
    """The names and synonyms of all kinds that training must not see."""
    return {
        word.lower()
        for name in assets.kinds("unseen")
        if held_out(name)
        for word in (name, *assets.kind(name).synonyms)
    }


def clash(name: str, forbidden: Iterable[str]) -> bool:
    """Whether a forbidden name is this name, or words of it."""
    padded = f" {name.lower().replace('-', ' ')} "
    return any(f" {word} " in padded or f" {word}s " in padded for word in forbidden)


def shrunk(image: Image.Image) -> np.ndarray:
    scale = SIDE / max(image.size)
    if scale < 1:
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.asarray(image.convert("RGBA")).copy()
