"""Reading order: columns one after another, rows of tables from left to right, turned and slanted pages straightened.

Works on geometry alone. A gutter is a blank vertical strip that some rows in sequence leave free; text on both sides
of it is read as columns when it looks like prose (long lines that fill their side), and else row by row, as a table.
"""

from __future__ import annotations

import numpy as np

GUTTER = 0.8  # narrowest gutter, in line heights
PROSE_LINES = 3  # lines a column must have
PROSE_FILL = 0.55  # median line length, in widths of its column, from which it is prose
PROSE_LENGTH = 7.0  # the same in line heights


def reading_order(quads: list[np.ndarray]) -> list[int]:
    """Indices of the lines (corners `[4, 2]` from where the text begins, y down) in the order a person reads them."""
    if not quads:
        return []
    rects = _straight(np.stack(quads).astype(np.float64))
    return _order(list(range(len(quads))), rects)


def _straight(quads: np.ndarray) -> np.ndarray:
    """`[N, 4, 2]` to upright rectangles `[N, 4]`, the page turned so that its long lines run from left to right."""
    along = quads[:, 1] - quads[:, 0]
    length = np.linalg.norm(along, axis=1)
    height = np.linalg.norm(quads[:, 3] - quads[:, 0], axis=1)
    slant = np.arctan2(along[:, 1], along[:, 0])
    quarter = np.round(slant / (np.pi / 2)) % 4
    turns = int(np.bincount(quarter.astype(int), weights=length, minlength=4).argmax())
    long = (length >= 3 * height) & (quarter == turns)
    rest = (slant[long] - turns * np.pi / 2 + np.pi) % (2 * np.pi) - np.pi
    angle = turns * np.pi / 2 + (float(np.median(rest)) if len(rest) >= 3 else 0.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = quads @ turn
    return np.concatenate([turned.min(axis=1), turned.max(axis=1)], axis=1)


def _order(indices: list[int], rects: np.ndarray) -> list[int]:
    """Read from the top; where a run of rows forms columns of prose read those, else one row."""
    rows = _rows(indices, rects)
    line = float(np.median(rects[indices, 3] - rects[indices, 1]))
    result: list[int] = []
    start = 0
    while start < len(rows):
        end, columns = _columns(rows, start, rects, line)
        if columns:
            for column in columns:
                result += _order(column, rects)
        else:
            result += [index for row in rows[start:end] for index in row]
        start = end
    return result


def _rows(indices: list[int], rects: np.ndarray) -> list[list[int]]:
    """Lines grouped into rows, top to bottom; a line joins a row when their middles are half a height apart or less."""
    rows: list[list[int]] = []
    for index in sorted(indices, key=lambda i: rects[i, 1] + rects[i, 3]):
        middle = (rects[index, 1] + rects[index, 3]) / 2
        row = rows[-1] if rows else []
        mean = float(np.mean([(rects[i, 1] + rects[i, 3]) / 2 for i in row])) if row else 0.0
        height = min([float(rects[i, 3] - rects[i, 1]) for i in [*row, index]])
        if row and middle - mean <= 0.5 * height:
            row.append(index)
        else:
            rows.append([index])
    return [sorted(row, key=lambda i: rects[i, 0]) for row in rows]


def _columns(rows: list[list[int]], start: int, rects: np.ndarray, line: float) -> tuple[int, list[list[int]]]:
    """The end of the run of rows from `start` that one gutter divides, and its columns; none when it is no prose."""
    left, right = float(rects[:, 0].min()), float(rects[:, 2].max())
    free = [(left, right)]
    end = start
    while end < len(rows):
        narrowed = _minus(free, [(rects[i, 0], rects[i, 2]) for i in rows[end]], GUTTER * line)
        if not narrowed:
            break
        free, end = narrowed, end + 1
    members = [index for row in rows[start:end] for index in row]
    gutters = [
        (low, high)
        for low, high in free
        if any(rects[i, 2] <= low for i in members) and any(rects[i, 0] >= high for i in members)
    ]
    if not gutters:
        return max(end, start + 1), []
    columns: list[list[int]] = [[] for _ in range(len(gutters) + 1)]
    for index in members:
        columns[sum(rects[index, 0] >= high for _, high in gutters)].append(index)
    return (end, columns) if all(_prose(column, rects) for column in columns) else (end, [])


def _prose(column: list[int], rects: np.ndarray) -> bool:
    """True when most lines of the column fill it, as sentences do and cells of a table do not."""
    if len(column) < PROSE_LINES:
        return False
    part = rects[column]
    widths, heights = part[:, 2] - part[:, 0], part[:, 3] - part[:, 1]
    whole = float(part[:, 2].max() - part[:, 0].min())
    middle = float(np.median(widths))
    return middle >= PROSE_FILL * whole and middle >= PROSE_LENGTH * float(np.median(heights))


def _minus(
    free: list[tuple[float, float]], taken: list[tuple[float, float]], narrowest: float
) -> list[tuple[float, float]]:
    """Free stretches without the taken ones, those at least `narrowest` wide."""
    for low, high in taken:
        rest = []
        for a, b in free:
            rest += [(a, min(b, low)), (max(a, high), b)] if a < high and low < b else [(a, b)]
        free = [(a, b) for a, b in rest if b - a >= narrowest]
    return free
