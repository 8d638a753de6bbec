"""How a grounding model of small tiles is used: `ground.json` beside its weights, and detection on many tiles.

Every name is judged on its own: a query may be reported under several names, and a name that nothing fits gives
nothing. The probability is `sigmoid(scale * logit + bias)`, fitted on held-out pictures so that a score of 0.7 is
right in about seven of ten cases. Where one thing of a name was found, more of them are likely: they need less.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tools import boxes
from tools.errors import ExpertError
from tools.pyramid import Sight
from tools.slicing import Detection, Slice

FILE = "ground.json"
BATCH = 4  # tiles at once
STEP = 32  # the backbone's largest stride: tiles are filled up to a multiple of it
LEAST = 192  # pixels of the shortest side of a filled tile, so that there are cells for all queries


class Habits(BaseModel):
    """What `ground.json` says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: float = Field(default=1.0, gt=0, description="of the logits")
    bias: float = 0.0
    threshold: float = Field(default=0.3, ge=0, le=1, description="lowest score reported when none is asked for")
    more: float | None = Field(default=None, ge=0, le=1, description="the same for further things of a name found")
    nms: float = Field(default=0.5, gt=0, le=1)
    tile: int = Field(default=416, ge=64, le=2048, description="pixels a side of what the model sees at once")
    overlap: int = Field(default=96, ge=0)
    look: float = Field(default=0.02, ge=0, le=1, description="score from which something small is looked at closer")
    small: float = Field(default=40.0, gt=0, description="longer side of that, pixels")
    most: int = Field(default=150, ge=1, description="tiles of one level")

    @property
    def sight(self) -> Sight:
        return Sight(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Sight)})

    @classmethod
    def beside(cls, folder: Path) -> Habits | None:
        """Those of a checkpoint folder; None where it has none, as official checkpoints. Raises ExpertError."""
        path = folder / FILE
        if not path.is_file():
            return None
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ExpertError(f"ground: {path} cannot be used ({reason}); restore it or remove it") from error


@dataclass(frozen=True)
class Bar:
    """The lowest score that is reported: of a name's best detection, and of the others once that one passed."""

    first: float
    more: float

    def lowest(self, scores: Iterable[float]) -> float:
        """For one name with detections of these scores."""
        return self.more if max(scores, default=0.0) >= self.first else self.first


def detect_tiles(
    model: Any,
    image: Any,
    tiles: Sequence[Slice],
    tokens: dict[str, Any],
    own: Sequence[Any],
    names: Sequence[str],
    habits: Habits,
    least: float,
) -> list[list[Detection]]:
    """For each tile of `image` (a `PIL.Image`) the detections of score `least` and better, in pixels of the tile.

    `own` has the token numbers of every name; `tokens` the prompt, one row.
    """
    found: list[list[Detection]] = []
    for first in range(0, len(tiles), BATCH):
        part = tiles[first : first + BATCH]
        found += _detect(model, [image.crop(tile) for tile in part], tokens, own, names, habits, least)
    return found


def _detect(
    model: Any,
    views: list[Any],
    tokens: dict[str, Any],
    own: Sequence[Any],
    names: Sequence[str],
    habits: Habits,
    least: float,
) -> list[list[Detection]]:
    import torch

    pixels = filled(views).to(model.device, model.dtype)
    height, width = pixels.shape[-2:]
    rows = {key: value.expand(len(views), -1).to(model.device) for key, value in tokens.items()}
    with torch.inference_mode():
        output = model(pixel_values=pixels, **rows)
    logits, places = output.logits.float().cpu(), output.pred_boxes.float().cpu()
    found: list[list[Detection]] = []
    for row, view in enumerate(views):
        items = []
        for name, numbers in zip(names, own, strict=True):
            if not len(numbers):
                continue
            scores = (habits.scale * logits[row][:, numbers].amax(dim=1) + habits.bias).sigmoid()
            for query in torch.nonzero(scores >= least).flatten().tolist():
                box = boxes.from_unit(boxes.from_cxcywh(places[row, query].tolist()), (width, height))
                inside = boxes.clamp(box, view.size)
                if inside is not None:
                    items.append(Detection(inside, float(scores[query]), name))
        found.append(items)
    return found


def filled(views: Sequence[Any]) -> Any:
    """`[n, 3, H, W]`: pictures of up to that size, normalised, filled up with grey to the right and below."""
    import numpy as np
    import torch

    width = max(LEAST, *(-(-view.width // STEP) * STEP for view in views))
    height = max(LEAST, *(-(-view.height // STEP) * STEP for view in views))
    mean, std = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
    out = torch.zeros(len(views), 3, height, width)
    for row, view in enumerate(views):
        array = (np.asarray(view, np.float32) / 255 - mean) / std
        out[row, :, : view.height, : view.width] = torch.from_numpy(array).permute(2, 0, 1)
    return out
