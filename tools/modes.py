"""Every Pillow mode to 8-bit RGB, as a person would see it: transparency on white, deep greys scaled to 0-255."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageCms

BIT_DEPTHS = (8, 10, 12, 14, 16)


def to_rgb(image: Image.Image) -> Image.Image:
    """An RGB image of the same size; the input itself when it is plain RGB. `ValueError` when Pillow cannot convert."""
    mode = image.mode
    if mode == "RGB" and "transparency" not in image.info:
        return image
    if mode == "F" or mode.startswith("I"):
        return Image.fromarray(_grey8(np.asarray(image))).convert("RGB")
    if mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert converted is not None
        return converted
    if mode == "La":
        image = image.convert("LA")
    if mode == "PA" or image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _grey8(values: np.ndarray) -> np.ndarray:
    """`[h, w]` integers or floats to uint8.

    Integers: `v * 255 / (2**bits - 1)` with the smallest usual bit depth that holds the maximum, because 12-bit scans
    come in 16-bit files. Floats: 0-1 times 255, or 0-255 as they are. Other ranges are stretched from min to max.
    """
    whole = np.issubdtype(values.dtype, np.integer)
    values = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    np.clip(values, -1e38, 1e38, out=values)  # so that the range itself is a number
    low, high = float(values.min()), float(values.max())
    tops = [2**bits - 1 for bits in BIT_DEPTHS] if whole else [1, 255]
    top = next((top for top in tops if high <= top), None)
    if low < 0 or top is None:
        values, top = values - low, max(high - low, 1e-12)
    return np.round(values * (255.0 / top)).astype(np.uint8)
