"""Reading order follows columns of prose, rows of tables, and the page however it is turned."""

import numpy as np
import pytest

from tools.ocr.order import reading_order

TURNS = {0: lambda q: q, 90: lambda q: q[:, ::-1] * [1, -1], 180: lambda q: -q, 270: lambda q: q[:, ::-1] * [-1, 1]}


def line(x, y, width, height=20.0):
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], dtype=float)


def order(page, angle=0.0, seed=0):
    """Reading order of the page's lines, given in reading order, after shuffling and turning them."""
    shuffled = np.random.default_rng(seed).permutation(len(page))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return [int(shuffled[index]) for index in reading_order([page[i] @ turn for i in shuffled])]


def prose(x, y, lines, width=400.0):
    return [line(x, y + 30 * i, width - 15 * (i % 3)) for i in range(lines)]


TITLE, FOOTER = [line(300, 10, 400)], [line(420, 900, 160)]
PAGES = {
    "one column": prose(50, 100, 20),
    "two columns": prose(50, 100, 12) + prose(550, 100, 12),
    "three columns": prose(0, 100, 9, 300) + prose(350, 107, 9, 300) + prose(700, 95, 9, 300),
    "columns of different length": prose(50, 100, 12) + prose(550, 100, 5),
    "columns with their lines out of step": prose(50, 100, 12) + prose(550, 113, 12),
    "title, columns, footer": TITLE + prose(50, 100, 12) + prose(550, 100, 12) + FOOTER,
    "two blocks of columns": prose(50, 50, 5)
    + prose(550, 50, 5)
    + [line(50, 220, 900)]
    + prose(50, 270, 6)
    + prose(550, 270, 6),
    "table": [line(x, 100 + 40 * row, 90) for row in range(10) for x in (50, 350, 650)],
    "table of two columns": [line(x, 100 + 40 * row, w) for row in range(10) for x, w in ((50, 200), (800, 80))],
    "table with empty cells": [line(x, 100 + 40 * r, 90) for r in range(8) for x in (50, 350, 650) if (r * 3 + x) % 4],
    "form": [line(x, 50 + 50 * row, w) for row in range(6) for x, w in ((50, 120), (300, 250))],
    "cells a little off their row": [
        line(x, 100 + 40 * row + shift, 90) for row in range(8) for x, shift in ((50, 4), (350, -4), (650, 0))
    ],
    "one line": [line(5, 5, 50)],
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
@pytest.mark.parametrize("seed", range(3))
def test_pages_are_read_as_a_person_reads_them(page, seed):
    assert order(page, seed=seed) == list(range(len(page)))


@pytest.mark.parametrize("name", ["two columns", "table", "form", "title, columns, footer"])
@pytest.mark.parametrize("degrees", [-6, -2, 3, 7, 90, 94, 180, 177, 270, 266])
def test_turned_and_slanted_pages_keep_their_order(name, degrees):
    assert order(PAGES[name], np.radians(degrees)) == list(range(len(PAGES[name])))


def test_a_standing_line_does_not_turn_the_page():
    page = prose(100, 50, 10)
    sign = np.array([[10, 300], [10, 60], [40, 60], [40, 300]], dtype=float)
    result = reading_order([sign, *page])
    assert [index - 1 for index in result if index] == list(range(10))


def test_no_lines():
    assert reading_order([]) == []
