"""Where text is, on pictures of any size, at the price of one small pass for most pages.

A first pass looks at the picture shrunk to `COARSE` pixels a side. A second one looks, at full size and in overlapping
slices, only at places where the first found letters too small to trust, or found nothing although there are fine edges
in both directions, as letters have.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tools import boxes
from tools.ocr.lines import clockwise, hull, sides
from tools.slicing import Detection, Slice, merge_groups, slices

COARSE = 1280  # longer side of the first pass, pixels
SMALL = 14.0  # lines lower than this in the first pass are looked at again (letters of 8 pixels give 13), pixels
SMALL_SHRUNK = 32.0  # the same when the first pass saw less than half size: signs and labels melt into their frames
SLICE, OVERLAP = 1280, 192  # of the second pass, pixels
MOST_PIXELS = 36e6  # the second pass works on a picture shrunk to this
BLOCK = 32  # grid on which the second pass chooses its places, pixels
EDGES = 16.0  # mean Sobel response, in x and in y, from which a block may hold text
FEWEST = 3  # blocks a slice must have to be worth a look

Quads = Callable[[np.ndarray], np.ndarray]


def find_text(image: np.ndarray, quads: Quads) -> list[np.ndarray]:
    """Corners `[4, 2]` of the text lines of `image` `[h, w, 3]`; `quads` finds `[N, 4, 2]` in what it is handed."""
    height, width = image.shape[:2]
    if min(height, width) < 200:
        return _find_in_little(image, quads)
    small = min(1.0, COARSE / max(height, width))
    coarse = list(_at_scale(image, small, quads))
    if small > 0.9:
        return coarse
    lowest = (SMALL if small >= 0.5 else SMALL_SHRUNK) / small
    good = [min(sides(quad)) >= lowest for quad in coarse]
    trusted = [quad for quad, ok in zip(coarse, good, strict=True) if ok]
    doubtful = [quad for quad, ok in zip(coarse, good, strict=True) if not ok]
    fine = _second_pass(image, trusted, doubtful, quads)
    fine = _not_on(fine, trusted)
    return trusted + fine + _not_on(doubtful, fine)


def _find_in_little(image: np.ndarray, quads: Quads) -> list[np.ndarray]:
    """The detector wants some surroundings and letters of a dozen pixels: pad with the border colour and enlarge."""
    import cv2

    pad = 32
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    colour = [int(value) for value in np.median(border, axis=0)]
    padded = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=colour)
    scale = max(1.0, min(2.0, COARSE / max(padded.shape[:2])))
    limit = np.array([image.shape[1], image.shape[0]], dtype=np.float64)
    found = [np.clip(quad - pad, 0.0, limit) for quad in _at_scale(padded, scale, quads)]
    return [quad for quad in found if min(sides(quad)) >= 3]


def _at_scale(image: np.ndarray, scale: float, quads: Quads) -> np.ndarray:
    """Corners in pixels of `image`, found on a copy resized by `scale`."""
    import cv2

    if scale == 1.0:
        return quads(image)
    height, width = image.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return quads(resized) / np.array([size[0] / width, size[1] / height])


def _second_pass(
    image: np.ndarray, trusted: list[np.ndarray], doubtful: list[np.ndarray], quads: Quads
) -> list[np.ndarray]:
    import cv2

    height, width = image.shape[:2]
    scale = min(1.0, float(np.sqrt(MOST_PIXELS / (width * height))))
    if scale < 1.0:
        image = cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    size = image.shape[1], image.shape[0]
    wanted = _may_hold_text(image)
    for quad in doubtful:
        _paint(wanted, quad * scale, True)
    for quad in trusted:
        _paint(wanted, quad * scale, False)
    found: list[np.ndarray] = []
    origin: list[Slice] = []
    for part in slices(size, SLICE, OVERLAP):
        view = _tight(wanted, part, size)
        if view is not None:
            x1, y1, x2, y2 = view
            for quad in quads(np.ascontiguousarray(image[y1:y2, x1:x2])):
                found.append(quad + np.array([x1, y1]))
                origin.append(view)
    return [quad / scale for quad in _joined(found, origin, size)]


def _may_hold_text(image: np.ndarray) -> np.ndarray:
    """`[h / BLOCK, w / BLOCK]` bool: blocks with edges both across and along, which lines and flat areas have not."""
    import cv2

    height, width = image.shape[:2]
    grid = -(-width // BLOCK), -(-height // BLOCK)
    half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)  # averages the grain of photographs
    grey = cv2.cvtColor(half, cv2.COLOR_BGR2GRAY)
    across, along = (
        cv2.resize(cv2.convertScaleAbs(cv2.Sobel(grey, cv2.CV_16S, dx, 1 - dx)), grid, interpolation=cv2.INTER_AREA)
        for dx in (1, 0)
    )
    return np.minimum(across, along) >= EDGES


def _paint(grid: np.ndarray, quad: np.ndarray, value: bool) -> None:
    (x1, y1), (x2, y2) = quad.min(axis=0) / BLOCK, quad.max(axis=0) / BLOCK
    grid[max(0, int(y1)) : int(np.ceil(y2)), max(0, int(x1)) : int(np.ceil(x2))] = value


def _tight(wanted: np.ndarray, part: Slice, size: tuple[int, int]) -> Slice | None:
    """The smallest part of a slice around its wanted blocks and a margin, or None when it has too few of them."""
    x1, y1, x2, y2 = part
    left, top = x1 // BLOCK, y1 // BLOCK
    rows, columns = np.nonzero(wanted[top : -(-y2 // BLOCK), left : -(-x2 // BLOCK)])
    if len(rows) < FEWEST:
        return None
    margin = BLOCK
    box = (
        max(x1, (left + columns.min()) * BLOCK - margin),
        max(y1, (top + rows.min()) * BLOCK - margin),
        min(x2, (left + columns.max() + 1) * BLOCK + margin),
        min(y2, (top + rows.max() + 1) * BLOCK + margin),
    )
    return (int(box[0]), int(box[1]), int(box[2]), int(box[3]))


def _joined(found: list[np.ndarray], origin: list[Slice], size: tuple[int, int]) -> list[np.ndarray]:
    """Lines seen in several slices, or cut by a border of one, as single lines."""
    import cv2

    pieces = [Detection(hull(quad), 1.0, "text") for quad in found]
    joined = []
    for group in merge_groups(pieces, origin, size):
        if len(group) == 1:
            joined.append(found[group[0]])
            continue
        largest = max(group, key=lambda index: boxes.area(pieces[index].box))
        whole = boxes.union(np.array([pieces[index].box for index in group]))
        if boxes.area(whole) <= 1.05 * boxes.area(pieces[largest].box):
            joined.append(found[largest])
        else:
            around = cv2.boxPoints(cv2.minAreaRect(np.concatenate([found[i] for i in group]).astype(np.float32)))
            joined.append(clockwise(around.astype(np.float64)))
    return joined


def _not_on(candidates: list[np.ndarray], others: list[np.ndarray]) -> list[np.ndarray]:
    """The candidates that do not lie on one of the others."""
    if not candidates or not others:
        return candidates
    overlap = boxes.ios(np.array([hull(q) for q in candidates]), np.array([hull(q) for q in others]))
    return [quad for quad, free in zip(candidates, overlap.max(axis=1) < 0.5, strict=True) if free]
