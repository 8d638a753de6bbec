"""A recipe: the shape of the model and how it is trained, read from a TOML file of `policies/grounding/recipes/`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tools.errors import UsageError

RECIPES = Path(__file__).parent / "recipes"
LEVELS = 2  # feature maps that the head looks at, the last two of the backbone; `losses.py` says what each owns
SETTLED = {"levels": LEVELS, "fuse": False}  # were settings of a shape once


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Shape(_Strict):
    """Of the network. Fewer than 16 channels are refused: oneDNN, which computes on CPUs, writes past its buffer in
    the gradient of a strided 1x1 convolution then (issue 6035 there), and training crashes at times."""

    stem: int = Field(default=32, ge=16)
    widths: tuple[Annotated[int, Field(ge=16)], ...] = (32, 64, 128, 256)
    depths: tuple[int, ...] = (2, 2, 2, 2)
    d_model: int = 128
    heads: int = 4
    encoder_layers: int = 1
    decoder_layers: int = 2
    queries: int = 100
    text_width: int = 128
    text_layers: int = 3
    attend: bool = Field(default=True, description="let cells of the picture attend to each other; slow on a CPU")

    @model_validator(mode="before")
    @classmethod
    def _without_settled(cls, data: Any) -> Any:
        """Recipes saved when these were settings still load, if they say what is now always so."""
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if key not in SETTLED or value != SETTLED[key]}


class Phase(_Strict):
    """A stretch of training. The first, `dense`, trains backbone, encoder and proposals; the second the whole."""

    steps: int
    batch: int
    sides: tuple[int, ...] = (320,)
    rate: float = 1e-3
    backbone_rate: float = 1e-3
    warm_up: int = 100


class Recipe(_Strict):
    name: str
    seed: int = 0
    shape: Shape = Shape()
    text_steps: int = 3000
    kinds: int | None = Field(default=None, description="only so many kinds of the pack (for tests)")
    begin: str | None = Field(default=None, description="weights to go on from: those that ship, by name, or a folder")
    backdrops: int = 200
    dense: Phase
    full: Phase
    workers: int = 1
    log_every: int = 50


def load_recipe(name: str | Path) -> Recipe:
    """The recipe of that name or file. Raises `UsageError`."""
    path = Path(name) if Path(name).suffix == ".toml" else RECIPES / f"{name}.toml"
    try:
        return Recipe.model_validate({"name": path.stem, **tomllib.loads(path.read_text(encoding="utf-8"))})
    except OSError as error:
        known = ", ".join(sorted(found.stem for found in RECIPES.glob("*.toml")))
        raise UsageError(f"no recipe {str(name)!r}; there are {known}, or give a .toml file") from error
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UsageError(f"{path}: {reason}") from error
