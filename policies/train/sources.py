"""Sources by the name a recipe gives them; several are drawn by their shares. New data is one function here.

A source of pictures draws them as the model of the recipe takes them. Items from `HELD_OUT` on are for validation:
endless sources have other pictures there, which no source of the recipe trains on; files of conversations keep their
last items apart for it, and the stages that train on labels keep pictures apart (`kept_apart`).
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from policies.data.tree import Source, Tree
from policies.data.visual_scene import HELD_OUT as NOT_TRAINED
from policies.data.visual_scene import Optics
from policies.text.protocol import Protocol
from policies.train.recipe import ModelRecipe, Recipe, SourceRecipe
from tools.errors import UsageError

HELD_OUT = 10_000_000
KEPT_APART = 0.02  # of a file of conversations, of the pictures with labels
SEED_STEP = 1_000_000  # pages between the first ones of two seeds

Picture = tuple[str, int]


class Apart:
    """A finite source cut in two: what is trained on, and what items from `HELD_OUT` on give."""

    def __init__(self, source: Any) -> None:
        items = source.data.items
        held = max(1, int(len(items) * KEPT_APART))
        if len(items) < 2:
            raise UsageError(f"{len(items)} conversations are too few: one is kept apart for validation")
        self.trained, self.held = source, copy.copy(source)
        self.held.data = replace(source.data, items=items[-held:])
        self.trained.data = replace(source.data, items=items[:-held])

    def trees(self, index: int) -> list[Tree]:
        return self.held.trees(index - HELD_OUT) if index >= HELD_OUT else self.trained.trees(index)

    def digest(self) -> str:
        return self.trained.digest()


def kept_apart(pictures: Sequence[Picture]) -> tuple[list[Picture], list[Picture]]:
    """Pictures (track and number) in two lists: to train on, and for items from `HELD_OUT` on; by a hash of the name,
    so that stages with the same labels keep the same ones apart. Nothing is kept apart of a single one."""
    names = sorted(pictures, key=lambda name: hashlib.sha256(repr(name).encode()).digest())
    held = max(1, int(len(names) * KEPT_APART)) if len(names) > 1 else 0
    return sorted(names[held:]), sorted(names[:held])


def make_source(recipes: Sequence[SourceRecipe], protocol: Protocol, recipe: Recipe) -> Source:
    """The source that a stage's `sources` say. Raises `UsageError` for a kind that nobody knows, and for scenes that
    others are validated on."""
    from policies.data.mixing import Mixed

    if not recipes:
        raise UsageError("this stage has no data: give it sources, as in sources = [{ kind = 'text' }]")
    made = [_make(one, protocol, recipe) for one in recipes]
    return made[0] if len(made) == 1 else Mixed(made, [one.share for one in recipes], recipe.seed)


def _make(one: SourceRecipe, protocol: Protocol, recipe: Recipe) -> Source:
    if one.kind not in KINDS:
        raise UsageError(f"there is no source {one.kind!r}; sources: {', '.join(KINDS)}")
    try:
        seed = one.options.get("seed", 0)
        if seed // HELD_OUT % 2:
            raise UsageError(
                f"source {one.kind}: the scenes from seed {seed} on are those that sources with a seed "
                f"{HELD_OUT} lower are validated on; take one from 0 or from {2 * HELD_OUT} on"
            )
        if seed + HELD_OUT >= NOT_TRAINED:
            raise UsageError(
                f"source {one.kind}: with seed {seed} it would be validated on scenes from {NOT_TRAINED} on, which are "
                f"kept for calibration; take one below {NOT_TRAINED - HELD_OUT}"
            )
        return KINDS[one.kind](one, protocol, recipe)
    except (TypeError, OSError) as error:  # an option that it does not have, a file that is not there
        raise UsageError(f"source {one.kind}: {error}") from error


def optics(model: ModelRecipe) -> Optics | None:
    """How the model of a recipe takes pictures; None without a tower."""
    from policies.config import P2GConfig
    from policies.data.visual_scene import Optics
    from policies.train.towers import tower_config

    vision: Any = tower_config(model.tower) if model.tower else model.vision
    if vision is None:
        return None
    config = P2GConfig(vision_config=vision, **model.region)
    return Optics(config.image_side, tuple(config.image_mean), config.crop_scale)


def _seeing(kind: str, recipe: Recipe) -> Optics:
    found = optics(recipe.model)
    if found is None:
        raise UsageError(f"source {kind} has pictures, but the model has no vision tower: set model.vision")
    return found


def _text(one: SourceRecipe, protocol: Protocol, recipe: Recipe) -> Source:
    from policies.data.mixing import TextSource

    return TextSource(protocol, recipe.seed * SEED_STEP, one.path, optics(recipe.model), **one.options)


def _align(one: SourceRecipe, protocol: Protocol, recipe: Recipe) -> Source:
    from policies.data.visual_align import AlignSettings, SceneAlign

    return SceneAlign(protocol, _seeing(one.kind, recipe), AlignSettings(assets=one.path, **one.options))


def _words(one: SourceRecipe, protocol: Protocol, recipe: Recipe) -> Source:
    from policies.data.visual_words import SceneWords, WordsSettings

    return SceneWords(protocol, _seeing(one.kind, recipe), WordsSettings(assets=one.path, **one.options))


def _scenes(one: SourceRecipe, protocol: Protocol, recipe: Recipe) -> Source:
    from policies.data.visual_focus import Faults
    from policies.data.visual_instruct import InstructSettings, SceneInstruct

    options: dict[str, Any] = {
        name: Faults(**value) if name == "faults" else value for name, value in one.options.items()
    }
    return SceneInstruct(protocol, _seeing(one.kind, recipe), InstructSettings(assets=one.path, **options))


def _llava(one: SourceRecipe, protocol: Protocol, recipe: Recipe) -> Source:
    from policies.data.llava_json import LlavaJson

    return _file(LlavaJson, one, protocol, recipe)


def _seal(one: SourceRecipe, protocol: Protocol, recipe: Recipe) -> Source:
    from policies.data.seal_json import SealJson

    return _file(SealJson, one, protocol, recipe)


def _file(kind: Any, one: SourceRecipe, protocol: Protocol, recipe: Recipe) -> Source:
    """`path` is the JSON file; `images` the folder its pictures are in."""
    if one.path is None:
        raise UsageError(f"source {one.kind} reads a file: give it a path")
    return Apart(kind(protocol, _seeing(one.kind, recipe), one.path, seed=recipe.seed, images=one.images))


KINDS: dict[str, Callable[[SourceRecipe, Protocol, Recipe], Source]] = {
    "text": _text,
    "words": _words,
    "align": _align,
    "scenes": _scenes,
    "llava": _llava,
    "seal": _seal,
}
