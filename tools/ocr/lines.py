"""What an OCR engine gives: lines of text with their four corners, in the frame of the image it was handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tools.boxes import Box


@dataclass(frozen=True)
class Line:
    """One line: `quad` `[4, 2]` corners in pixels, clockwise from top left; `text`; `score` 0-1."""

    quad: np.ndarray
    text: str
    score: float

    @property
    def box(self) -> Box:
        """The upright rectangle around the corners."""
        x1, y1 = self.quad.min(axis=0)
        x2, y2 = self.quad.max(axis=0)
        return (float(x1), float(y1), float(x2), float(y2))

    @property
    def tall(self) -> bool:
        """True when the line stands: it is at least 1.5 times as high as wide."""
        x1, y1, x2, y2 = self.box
        return y2 - y1 >= 1.5 * (x2 - x1)


class Engine(Protocol):
    """An OCR engine. `read` takes RGB `[h, w, 3]` uint8 and returns lines in any order; scores below 0.5 may be rubbish."""

    def unavailable(self) -> str | None: ...

    def load(self) -> None: ...

    def read(self, image: np.ndarray) -> list[Line]: ...
