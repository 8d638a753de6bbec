"""Pictures and regions to the pixels a vision tower takes: square padding for the whole, a wider crop for each region.

The global image keeps its shape on a square of the mean colour (LLaVA-1.5, SEAL); a region's box is grown ×1.2 about
its centre, cut at the border and stretched to the square (SEAL). Pillow and torch only, no torchvision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tools.base import Box
from tools.boxes import expand
from tools.errors import PictureError
from tools.pictures import Picture

if TYPE_CHECKING:
    from torch import Tensor

    from policies.config import P2GConfig


class PictureProcessor:
    """Makes what `P2GModel` sees as its configuration says: normalised `pixel_values` and `region_pixel_values`."""

    def __init__(self, config: P2GConfig):
        self.side = config.image_side
        self.crop_scale = config.crop_scale
        self.mean, self.std = tuple(config.image_mean), tuple(config.image_std)

    def image(self, picture: Picture) -> Tensor:
        """The whole picture as `[1, 3, side, side]`."""
        return to_tensor([pad_to_square(picture.image, self.side, self.mean)], self.mean, self.std)

    def regions(self, picture: Picture, boxes: Sequence[Box]) -> Tensor:
        """One crop for each box (pixels, x1 y1 x2 y2) as `[R, 3, side, side]`. `PictureError` for a box outside."""
        crops = [crop_region(picture.image, box, self.side, self.crop_scale, picture.name) for box in boxes]
        return to_tensor(crops, self.mean, self.std, self.side)


def pad_to_square(image: Image.Image, side: int, mean: Sequence[float]) -> Image.Image:
    """`image` shrunk or grown so that its longer side is `side`, centred on a square of the colour `mean` (0-1)."""
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    canvas = Image.new("RGB", (side, side), tuple(int(value * 255) for value in mean))
    shrunk = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
    canvas.paste(shrunk, ((side - width) // 2, (side - height) // 2))
    return canvas


def crop_region(image: Image.Image, box: Box, side: int, scale: float = 1.2, name: str = "picture") -> Image.Image:
    """The part of `image` in `box` grown by `scale`, stretched to `side` x `side`. `PictureError` for a box outside,
    with the picture's `name`."""
    grown = expand(box, image.size, scale)
    if grown is None:
        raise PictureError(f"{name}: box {tuple(box)} is outside the {image.width}x{image.height} picture")
    return image.resize((side, side), Image.Resampling.BICUBIC, box=grown, reducing_gap=3.0)


def to_tensor(images: Sequence[Image.Image], mean: Sequence[float], std: Sequence[float], side: int = 0) -> Tensor:
    """RGB images of one size as float `[N, 3, H, W]`, each channel `(value / 255 - mean) / std`; N = 0 needs `side`."""
    import torch

    if not images:
        return torch.empty(0, 3, side, side)
    pixels = np.stack([np.asarray(image, dtype=np.float32) for image in images]) / 255.0
    normal = (pixels - np.asarray(mean, dtype=np.float32)) / np.asarray(std, dtype=np.float32)
    return torch.from_numpy(np.ascontiguousarray(normal.transpose(0, 3, 1, 2)))
