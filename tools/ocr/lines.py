"""What an OCR engine gives: lines of text with their four corners, in the frame of the image it was handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tools.boxes import Box, union


@dataclass(frozen=True)
class Line:
    """One line: `quad` `[4, 2]` corners in pixels, clockwise from where the text begins (its top left when the text is
    upright); `text`; `score` 0-1, the mean probability of its characters."""

    quad: np.ndarray
    text: str
    score: float

    @property
    def box(self) -> Box:
        return hull(self.quad)


class Engine(Protocol):
    """An OCR engine. `read` takes RGB `[h, w, 3]` uint8 and returns lines in any order, good and bad ones."""

    def unavailable(self) -> str | None: ...

    def load(self) -> None: ...

    def read(self, image: np.ndarray) -> list[Line]: ...


def hull(quad: np.ndarray) -> Box:
    """The upright rectangle around corners `[4, 2]`."""
    return union(np.concatenate([quad, quad], axis=1))


def sides(quad: np.ndarray) -> tuple[float, float]:
    """Length of the side from corner 0 to 1 and of the side from corner 0 to 3, pixels."""
    return float(np.linalg.norm(quad[1] - quad[0])), float(np.linalg.norm(quad[3] - quad[0]))


def sense(lines: list[Line]) -> float:
    """How much was read: characters, weighted by how far their score exceeds that of guesses."""
    return sum(len(line.text) * max(0.0, line.score - 0.5) for line in lines)


def clockwise(points: np.ndarray) -> np.ndarray:
    """Four corners in clockwise order (y down) from the one nearest to the top left."""
    around = points - points.mean(axis=0)
    points = points[np.argsort(np.arctan2(around[:, 1], around[:, 0]))]
    return np.roll(points, -int(points.sum(axis=1).argmin()), axis=0)
