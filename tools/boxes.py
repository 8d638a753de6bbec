"""The one coordinates module: every conversion between box conventions, and the geometry experts and metrics share.

Everywhere else a box is `(x1, y1, x2, y2)` in pixels of the original, upright picture, float, half-open: it covers
`x1 <= x < x2`, so a box of the whole picture is `(0, 0, width, height)` and area is `(x2 - x1) * (y2 - y1)`.
Pure functions; single boxes are tuples of floats, many boxes are arrays `[N, 4]`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Box = tuple[float, float, float, float]
Size = tuple[int, int]  # width, height

EXPAND = 1.2


def from_xywh(box: Sequence[float]) -> Box:
    """COCO `(left, top, width, height)`, pixels: `x2 = x + w, y2 = y + h`."""
    x, y, w, h = box
    return (x, y, x + w, y + h)


def to_xywh(box: Sequence[float]) -> Box:
    """`(x1, y1, x2 - x1, y2 - y1)`, pixels; inverse of `from_xywh`."""
    x1, y1, x2, y2 = box
    return (x1, y1, x2 - x1, y2 - y1)


def from_cxcywh(box: Sequence[float]) -> Box:
    """DETR `(centre x, centre y, width, height)`: `x1 = cx - w/2, x2 = cx + w/2`, likewise y; same unit in and out."""
    cx, cy, w, h = box
    return (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)


def to_cxcywh(box: Sequence[float]) -> Box:
    """`((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)`; inverse of `from_cxcywh`."""
    x1, y1, x2, y2 = box
    return ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)


def from_unit(box: Sequence[float], size: Size, top: float = 1.0) -> Box:
    """From `0..top` of the picture to pixels: `x * width / top`. `top` is 1 (fractions), 1000 or 999 (Qwen, Gemini)."""
    (w, h), (x1, y1, x2, y2) = size, box
    return (x1 * w / top, y1 * h / top, x2 * w / top, y2 * h / top)


def to_unit(box: Sequence[float], size: Size, top: float = 1.0) -> Box:
    """From pixels to `0..top`: `x * top / width`; inverse of `from_unit`."""
    (w, h), (x1, y1, x2, y2) = size, box
    return (x1 * top / w, y1 * top / h, x2 * top / w, y2 * top / h)


def to_square(box: Sequence[float], size: Size) -> Box:
    """From pixels to 0-1 of the picture padded to its centred square: `(x + (side - width) / 2) / side`, clamped."""
    side = max(size)
    x1, y1, x2, y2 = shift(box, (side - size[0]) / 2, (side - size[1]) / 2)
    x1, y1, x2, y2 = (min(max(v / side, 0.0), 1.0) for v in (x1, y1, x2, y2))
    return (x1, y1, x2, y2)


def clamp(box: Sequence[float], size: Size) -> Box | None:
    """The part of `box` inside the picture, or None when nothing of it is: x to `[0, width]`, y to `[0, height]`."""
    x1, y1, x2, y2 = (float(v) for v in box)
    x1, x2 = max(0.0, x1), min(float(size[0]), x2)
    y1, y2 = max(0.0, y1), min(float(size[1]), y2)
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def ordered(box: Sequence[float]) -> Box:
    """The same box with its corners the right way round: `x1 <= x2, y1 <= y2`."""
    x1, y1, x2, y2 = box
    return (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))


def expand(box: Sequence[float], size: Size, factor: float = EXPAND) -> Box | None:
    """`box` made `factor` times as wide and high about its centre, then clamped to the picture."""
    cx, cy, w, h = to_cxcywh(box)
    return clamp(from_cxcywh((cx, cy, w * factor, h * factor)), size)


def shift(box: Sequence[float], dx: float, dy: float) -> Box:
    """From the frame of a crop whose top-left corner is `(dx, dy)` of the picture to the frame of the picture."""
    x1, y1, x2, y2 = box
    return (x1 + dx, y1 + dy, x2 + dx, y2 + dy)


def from_crop(box: Sequence[float], crop: Sequence[float], scale: float = 1.0) -> Box:
    """From pixels of a crop that was resized by `scale` to picture pixels: `x / scale + crop.x1`. Nest by repeating."""
    x1, y1, x2, y2 = (v / scale for v in box)
    return shift((x1, y1, x2, y2), crop[0], crop[1])


def to_crop(box: Sequence[float], crop: Sequence[float], scale: float = 1.0) -> Box:
    """From picture pixels to pixels of a crop resized by `scale`: `(x - crop.x1) * scale`; inverse of `from_crop`."""
    x1, y1, x2, y2 = (v * scale for v in shift(box, -crop[0], -crop[1]))
    return (x1, y1, x2, y2)


def turned(box: Sequence[float], size: Size, quarter_turns: int) -> Box:
    """Where `box` of a picture of `size` lies after the picture is turned counter-clockwise by 90 degrees, n times."""
    x1, y1, x2, y2 = box
    width, height = size
    for _ in range(quarter_turns % 4):
        x1, y1, x2, y2 = y1, width - x2, y2, width - x1
        width, height = height, width
    return (x1, y1, x2, y2)


def area(box: Sequence[float]) -> float:
    """`(x2 - x1) * (y2 - y1)`, 0 for a degenerate box."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def intersection(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Area in common of every pair: `[N, 4]`, `[M, 4]` -> `[N, M]`."""
    a, b = _array(a), _array(b)
    wide = np.minimum(a[:, None, 2], b[None, :, 2]) - np.maximum(a[:, None, 0], b[None, :, 0])
    high = np.minimum(a[:, None, 3], b[None, :, 3]) - np.maximum(a[:, None, 1], b[None, :, 1])
    return np.maximum(wide, 0.0) * np.maximum(high, 0.0)


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of every pair, 0-1: `[N, 4]`, `[M, 4]` -> `[N, M]`."""
    common = intersection(a, b)
    union = _areas(a)[:, None] + _areas(b)[None, :] - common
    return common / np.maximum(union, 1e-12)


def ios(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over the smaller area, 0-1; finds a piece inside a whole, which `iou` does not. Shapes as `iou`."""
    smaller = np.minimum(_areas(a)[:, None], _areas(b)[None, :])
    return intersection(a, b) / np.maximum(smaller, 1e-12)


def nms(boxes: np.ndarray, scores: Sequence[float], threshold: float = 0.5) -> list[int]:
    """Non-maximum suppression: indices kept, best score first; what has iou > `threshold` with a kept box goes."""
    overlap = iou(boxes, boxes)
    kept: list[int] = []
    for index in np.argsort(-np.asarray(scores, dtype=float), kind="stable"):
        if all(overlap[index, other] <= threshold for other in kept):
            kept.append(int(index))
    return kept


def union(boxes: np.ndarray) -> Box:
    """The smallest box around all of `[N, 4]`, N >= 1."""
    boxes = _array(boxes)
    x1, y1 = boxes[:, :2].min(axis=0)
    x2, y2 = boxes[:, 2:].max(axis=0)
    return (float(x1), float(y1), float(x2), float(y2))


def _array(boxes: np.ndarray) -> np.ndarray:
    return np.asarray(boxes, dtype=np.float64).reshape(-1, 4)


def _areas(boxes: np.ndarray) -> np.ndarray:
    boxes = _array(boxes)
    return np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0.0, None), axis=1)
