"""What the controller looks at: a picture and its regions as features of the vision tower, each encoded once.

`Eyes` keeps the features by content (SHA-256 of the picture, box), so a second question on the same picture encodes
nothing. A `Look` is what one placeholder of a prompt stands for; key-value caches tell by its features which prompts
begin alike (`policies/cache.py`). Which projector a look goes through, and whether a region is re-encoded or pooled, is
decided in `policies/allocation.py` and `policies/regions.py`.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from policies.allocation import Allocation, Via, allocate, block_tokens
from policies.config import P2GConfig
from policies.data.tree import UnitBox
from policies.model import P2GModel
from policies.regions import reencodes
from policies.vision import PictureProcessor, to_tensor
from policies.visuals import Block, Visuals
from tools import drawings
from tools.base import Region
from tools.boxes import to_square
from tools.pictures import Picture

KEPT_FEATURES = 64  # pictures and crops; in bf16 one is 8 kB in nano, 1.2 MB in CLIP-L/336


@dataclass(frozen=True)
class Look:
    """One placeholder: `length` tokens of the encoded picture `key` through `via`, pooled in `box` or the whole."""

    key: Hashable
    via: Via
    box: UnitBox | None
    length: int
    features: Tensor = field(compare=False, repr=False)  # [P, W]


Item = int | Look  # a prompt is a list of token ids and looks


def length(items: Sequence[Item]) -> int:
    """Positions that `items` take."""
    return sum(1 if isinstance(item, int) else item.length for item in items)


def visual_length(items: Sequence[Item]) -> int:
    """Those of them that stand for pictures."""
    return sum(item.length for item in items if not isinstance(item, int))


def spread(items: Sequence[Item], config: P2GConfig) -> tuple[list[int], Visuals | None]:
    """`items` as the model takes them: expanded ids, and the pictures with a block for each look."""
    looks = [item for item in items if isinstance(item, Look)]
    assert config.image_token_id is not None
    ids: list[int] = []
    for item in items:
        ids += [item] if isinstance(item, int) else [config.image_token_id] * item.length
    if not looks:
        return ids, None
    kept = {look.key: look.features for look in looks}
    number = {key: n for n, key in enumerate(kept)}
    blocks = [Block(number[look.key], look.via, look.box) for look in looks]
    return ids, Visuals(torch.stack(list(kept.values())), blocks)


class Eyes:
    """The vision tower of one model with what it saw last. Not thread-safe."""

    def __init__(self, model: P2GModel, kept: int = KEPT_FEATURES) -> None:
        self.model, self.kept = model, kept
        self.processor = PictureProcessor(model.config)
        self.encoded = 0  # pictures and crops that went through the tower
        self._features: OrderedDict[Hashable, Tensor] = OrderedDict()

    def rule(self, regions: int) -> Allocation:
        """The projectors of a context with `regions` regions."""
        return allocate(regions, self.model.config.max_mlp_regions, self.model.config.allocation)

    def see(self, picture: Picture) -> Tensor:
        """Features `[P, W]` of the whole picture."""
        return self._encode({(picture.sha256,): partial(self.processor.image, picture)})[(picture.sha256,)]

    def whole(self, picture: Picture, regions: int = 0) -> Look:
        """The `<image>` of a context that has `regions` regions besides."""
        via = self.rule(regions).global_via
        return Look((picture.sha256,), via, None, block_tokens(self.model.config, via), self.see(picture))

    def regions(self, picture: Picture, regions: Sequence[Region]) -> list[Look]:
        """The `<|region|>`s of one context, crops encoded in one batch; a region that an expert drew is seen as drawn.

        Raises `PictureError` for a box outside the picture.
        """
        config, via = self.model.config, self.rule(len(regions)).regions_via
        places = [to_square(region.box, picture.size) for region in regions]
        crops = {
            _crop_key(picture, region): partial(self._crop, picture, region)
            for region, place in zip(regions, places, strict=True)
            if region.image or reencodes(config, place)
        }
        features = self._encode(crops)
        out = []
        for region, place in zip(regions, places, strict=True):
            key = _crop_key(picture, region)
            if key in features:
                out.append(Look(key, via, None, block_tokens(config, via), features[key]))
            else:
                whole = (picture.sha256,)
                out.append(Look(whole, via, place, block_tokens(config, via, place), self.see(picture)))
        return out

    def forget(self) -> None:
        """Drops the kept features."""
        self._features.clear()

    def _crop(self, picture: Picture, region: Region) -> Tensor:
        drawn = drawings.opened(region.image) if region.image else None
        if drawn is None:
            return self.processor.regions(picture, [region.box])
        side = self.processor.side
        return to_tensor([drawn.resize((side, side))], self.processor.mean, self.processor.std)

    @torch.inference_mode()
    def _encode(self, wanted: Mapping[Hashable, Callable[[], Tensor]]) -> dict[Hashable, Tensor]:
        """Features by key: the kept ones, and the others in one batch from what their functions give."""
        missing = [key for key in wanted if key not in self._features]
        out = {key: self._features[key] for key in wanted if key in self._features}
        if missing:
            new = self.model.vision_features(torch.cat([wanted[key]() for key in missing]))
            out.update(zip(missing, new, strict=True))
            self.encoded += len(missing)
        for key, features in out.items():
            self._features[key] = features
            self._features.move_to_end(key)
        while len(self._features) > self.kept:
            self._features.popitem(last=False)
        return out


def _crop_key(picture: Picture, region: Region) -> Hashable:
    if region.image:  # picture and box count too: they are seen in place of a drawing that cannot be opened
        return ("drawn", hashlib.sha256(region.image.encode()).hexdigest(), picture.sha256, region.box)
    return (picture.sha256, region.box)
