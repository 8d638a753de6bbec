"""A page as an OCR engine reads it: really read (`read_page`), or with the faults such engines make (`misread`).

Both keep track of where the answers went. Faults seen from PP-OCR: spaces dropped between words, cells close together read
as one, letters and marks that look alike, a line lost now and then.
"""

from __future__ import annotations

import difflib
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from policies.data.page import Line, Page, Span
from tools.ocr.order import reading_order

ALIKE = {
    "0": "O",
    "O": "0",
    "1": "l",
    "l": "1",
    "I": "l",
    "5": "S",
    "S": "5",
    "8": "B",
    "B": "8",
    "rn": "m",
    "m": "rn",
    ".": ",",
    ",": ".",
    "é": "e",
    "ü": "u",
    "ö": "o",
    "ä": "a",
    "-": "–",
    ":": ";",
    "'": "’",
}


@dataclass
class Reading:
    """Lines in reading order, and the spans of each of the page's questions in them (None: the answer was lost)."""

    lines: list[Line]
    spans: list[list[Span] | None]


def in_reading_order(lines: Sequence[Line]) -> list[int]:
    """Numbers of `lines` in the order in which the expert `read` returns them."""
    return reading_order(
        [np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]) for x1, y1, x2, y2 in (line.box for line in lines)]
    )


def misread(page: Page, rng: random.Random) -> Reading:
    """The page with simulated faults at a rate drawn for the page; a third of the pages are read without fault."""
    rate = rng.choice([0.0, 0.002, 0.006])
    drop_space = rng.choice([0.0, 0.0, 0.02, 0.15])
    lines: list[Line] = []
    new_place: list[tuple[int, list[int]]] = []  # per old line: new line, and for each old character its new index
    for line in page.lines:
        text, index = _faults(line.text, rng, rate, drop_space)
        new_place.append((len(lines), index))
        lines.append(Line(text, line.box))
    for new, old in _neighbours(lines, rng):
        glue = "" if rng.random() < 0.4 else " "
        shift = len(lines[new].text) + len(glue)
        a, b = lines[new], lines[old]
        lines[new] = Line(
            a.text + glue + b.text, (a.box[0], min(a.box[1], b.box[1]), b.box[2], max(a.box[3], b.box[3]))
        )
        lines[old] = Line("", b.box)
        new_place[old] = (new, [i + shift for i in new_place[old][1]])
    return _ordered(page, lines, new_place)


def read_page(page: Page, read: Sequence[Line]) -> Reading:
    """Match the lines an engine really `read` from the rendered page with the page's own, character by character."""
    new_place: list[tuple[int, list[int]]] = [(-1, []) for _ in page.lines]
    for number, line in enumerate(read):
        x1, y1, x2, y2 = line.box
        inside = [
            i
            for i, own in enumerate(page.lines)
            if y1 < (own.box[1] + own.box[3]) / 2 < y2 and x1 - 6 < (own.box[0] + own.box[2]) / 2 < x2 + 6
        ]
        inside.sort(key=lambda i: page.lines[i].box[0])
        truth = " ".join(page.lines[i].text for i in inside)
        index = _aligned(truth, line.text)
        start = 0
        for i in inside:
            length = len(page.lines[i].text)
            new_place[i] = (number, index[start : start + length + 1])
            start += length + 1
    return _ordered(page, list(read), new_place, sort=False)


def _ordered(page: Page, lines: list[Line], new_place: list[tuple[int, list[int]]], sort: bool = True) -> Reading:
    order = [i for i in (in_reading_order(lines) if sort else range(len(lines))) if lines[i].text]
    rank = {old: new for new, old in enumerate(order)}
    spans: list[list[Span] | None] = []
    for question in page.questions:
        moved: list[Span] | None = []
        for span in question.spans:
            line, index = new_place[span.line]
            if line not in rank or len(index) < span.end:
                moved = None
                break
            start, end = index[span.start], index[span.end] if span.end < len(index) else len(lines[line].text)
            text = lines[line].text[start:end]
            truth = page.lines[span.line].text[span.start : span.end]
            if not text.strip() or difflib.SequenceMatcher(None, text, truth, autojunk=False).ratio() < 0.7:
                moved = None
                break
            assert moved is not None
            moved.append(Span(rank[line], start, end))
        spans.append(moved)
    return Reading([lines[i] for i in order], spans)


def _faults(text: str, rng: random.Random, rate: float, drop_space: float) -> tuple[str, list[int]]:
    out: list[str] = []
    index: list[int] = []
    for char in text:
        index.append(sum(map(len, out)) if rate or drop_space else len(out))
        if char == " " and rng.random() < drop_space:
            continue
        out.append(ALIKE.get(char, char) if rng.random() < rate else char)
    joined = "".join(out)
    return joined, [*index, len(joined)]


def _neighbours(lines: list[Line], rng: random.Random) -> list[tuple[int, int]]:
    """Pairs of lines beside each other whose gap is under a line's height: an engine often reads them as one."""
    pairs = []
    order = in_reading_order(lines)
    taken: set[int] = set()
    for a, b in itertools.pairwise(order):
        if _upright(lines[a]) or _upright(lines[b]):
            continue
        one, two = lines[a].box, lines[b].box
        gap, tall = two[0] - one[2], one[3] - one[1]
        if abs(one[1] - two[1]) < tall * 0.3 and -2 < gap < tall * 0.9 and not {a, b} & taken and rng.random() < 0.7:
            pairs.append((a, b))
            taken |= {a, b}
    return pairs


def _upright(line: Line) -> bool:
    """Whether a line runs up or down, as on the spine of a book: such lines are read one by one."""
    x1, y1, x2, y2 = line.box
    return len(line.text) >= 4 and y2 - y1 > 1.5 * (x2 - x1)


def _aligned(truth: str, read: str) -> list[int]:
    """For each character of `truth`, and its end, the index in `read` that goes with it."""
    index = [0] * (len(truth) + 1)
    last = 0
    blocks = {}
    for block in difflib.SequenceMatcher(None, truth, read, autojunk=False).get_matching_blocks():
        for k in range(block.size):
            blocks[block.a + k] = block.b + k
    for i in range(len(truth)):
        last = blocks.get(i, last)
        index[i] = last
        if i in blocks:
            last += 1
    index[len(truth)] = len(read)
    return index
