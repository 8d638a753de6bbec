"""Read lines as rows of cells, so that tables and forms stay readable as text.

Lines side by side share a row; every row carries its height on the page and every cell the middle of its column, both
in hundredths. Cells of one column carry the same number whatever their own width, so that a cell can be matched with
its head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class ReadLine(Protocol):
    """A `Region` with text, or anything shaped like one: `box` is x1, y1, x2, y2 in pixels."""

    @property
    def text(self) -> str | None: ...

    @property
    def box(self) -> tuple[float, float, float, float]: ...


@dataclass
class Cell:
    """One line of text: `line` is its number in the input, `column` the middle of its column in hundredths."""

    line: int
    text: str
    box: tuple[float, float, float, float]
    column: int = 0


@dataclass
class Row:
    """Cells side by side, left to right; `y` is the middle in hundredths of the height."""

    cells: list[Cell]
    y: int

    @property
    def top(self) -> float:
        return min(cell.box[1] for cell in self.cells)

    @property
    def bottom(self) -> float:
        return max(cell.box[3] for cell in self.cells)

    @property
    def text(self) -> str:
        return " ".join(cell.text for cell in self.cells)


def to_rows(lines: Sequence[ReadLine], size: tuple[float, float]) -> list[Row]:
    """Rows of `lines`, which come in reading order, on a picture of `size` (width, height) in pixels.

    A line continues the row before it when it overlaps that row's last cell by half of the lower one's height and
    starts right of its middle; empty lines are left out.
    """
    width, height = size
    rows: list[Row] = []
    for number, line in enumerate(lines):
        text = " ".join((line.text or "").split())
        if not text:
            continue
        cell = Cell(number, text, line.box)
        last = rows[-1].cells[-1] if rows else None
        if last and _beside(last.box, cell.box):
            rows[-1].cells.append(cell)
        else:
            rows.append(Row([cell], 0))
    for row in rows:
        middle = sum(c.box[1] + c.box[3] for c in row.cells) / (2 * len(row.cells))
        row.y = _hundredths(middle, height)
    for run in runs(rows):
        _number_columns(run, width)
    return rows


def runs(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that follow each other without a large gap (2.5 row heights) and downwards: a table, a form, a paragraph."""
    out: list[list[Row]] = []
    for row in rows:
        if out:
            last = out[-1][-1]
            gap, tall = row.top - last.bottom, min(row.bottom - row.top, last.bottom - last.top)
            if -tall < gap < 2.5 * tall:
                out[-1].append(row)
                continue
        out.append([row])
    return out


def _beside(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    overlap = min(a[3], b[3]) - max(a[1], b[1])
    return overlap > 0.5 * min(a[3] - a[1], b[3] - b[1]) and b[0] > (a[0] + a[2]) / 2


def _number_columns(run: list[Row], width: float) -> None:
    """Narrow cells found the columns; a cell over several columns counts with the first of them."""
    columns: list[list[float]] = []
    joined: list[tuple[Cell, list[float]]] = []
    for cell in sorted((c for row in run for c in row.cells), key=lambda c: c.box[2] - c.box[0]):
        x1, x2 = cell.box[0], cell.box[2]
        hits = sorted(column for column in columns if min(x2, column[1]) - max(x1, column[0]) > 0)
        column = hits[0] if hits else [x1, x2]
        if not hits:
            columns.append(column)
        elif len(hits) == 1:
            column[0], column[1] = min(column[0], x1), max(column[1], x2)
        joined.append((cell, column))
    for cell, column in joined:
        cell.column = _hundredths((column[0] + column[1]) / 2, width)


def _hundredths(value: float, whole: float) -> int:
    return max(0, min(99, int(100 * value / whole)))
