"""The pictures opened last, so that the next question on the same file does not read and decode it again.

A file that has changed on disk (time or size) is opened anew.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from PIL import Image as PIL

from tools.pictures import Picture, PictureLimits

Image = str | os.PathLike[str] | bytes | PIL.Image | Picture


class Shelf:
    """Opens pictures and keeps the last `size` files open. Raises `PictureError`."""

    def __init__(self, size: int = 2, limits: PictureLimits | None = None) -> None:
        self._limits = limits or PictureLimits()
        self._open = lru_cache(maxsize=size)(lambda path, changed, bytes_: Picture.open(path, self._limits))

    def get(self, image: Image) -> Picture:
        if not isinstance(image, str | os.PathLike):
            return Picture.open(image, self._limits)
        path = Path(image)
        try:
            found = path.stat()
        except (OSError, ValueError):
            return Picture.open(str(image), self._limits)
        return self._open(path.absolute(), found.st_mtime_ns, found.st_size)
