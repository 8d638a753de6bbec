"""The evidence picture: boxes where the regions are, words beside them, and no text that can break it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from agent.evidence import MAX_ROWS, draw_evidence, printable, words_of
from tools.base import Region
from tools.pictures import Picture


def page(width: int, height: int) -> Picture:
    image = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(image).rectangle((100, 100, 140, 110), fill="black")
    return Picture.open(image)


def coloured(image: Image.Image) -> np.ndarray:
    """Where an RGB image is neither black, white nor grey: `[height, width]` of bool."""
    array = np.asarray(image).astype(int)
    return (array.max(axis=2) - array.min(axis=2)) > 60


def test_the_box_is_drawn_around_the_region_and_not_over_it():
    drawn = draw_evidence(page(400, 300), [Region(box=(100, 100, 141, 111), text="x", source="read")])
    marks = coloured(drawn.crop((0, 0, 400, 300)))
    assert marks[97:100, 105:136].any(axis=0).all()
    assert marks[111:114, 105:136].any(axis=0).all()
    assert not marks[101:110, 105:136].any()


def test_the_legend_stands_beside_the_picture():
    drawn = draw_evidence(page(400, 300), [Region(box=(100, 100, 141, 111), text="TOTAL", source="read")], "Total?")
    assert drawn.width > 400
    assert (np.asarray(drawn.crop((400, 0, drawn.width, drawn.height))) < 128).any()


def test_a_large_picture_is_shrunk_and_its_marks_stay_readable():
    region = Region(box=(3000, 2000, 3200, 2030), text="small print", source="read")
    shrunk = draw_evidence(page(4000, 3000), [region], max_side=1000)
    full = draw_evidence(page(4000, 3000), [region], max_side=None)
    assert shrunk.height == 750
    assert full.height == 3000
    assert coloured(shrunk.crop((700, 450, 850, 550))).any()
    tag_rows = coloured(full.crop((2500, 1900, 3300, 2100))).any(axis=1).sum()
    assert tag_rows > 4000 / 70  # the number beside the box is as high as a line of the legend


def test_nothing_to_show_is_the_picture_itself():
    drawn = draw_evidence(page(400, 300), [])
    assert np.array_equal(np.asarray(drawn), page(400, 300).array())


@pytest.mark.parametrize(
    "text",
    [
        "Ελληνικά",
        "合計 ¥1,200",
        "السعر",
        "😀 👩‍👩‍👧",
        "\x00\x1b[31mred\n\ttab",
        "\ud800",
        "",
        "w" * 5000,
        "a " * 900,
        "[b]bold[/b]",
    ],
)
def test_any_text_can_be_drawn(text):
    drawn = draw_evidence(page(400, 300), [Region(box=(0, 0, 50, 20), text=text, source="read")], text)
    assert drawn.width > 400


@pytest.mark.parametrize(
    "box",
    [(-50, -50, 10, 10), (390, 290, 900, 900), (0, 0, 400, 300), (500, 500, 600, 600), (10.2, 10.2, 10.4, 10.3)],
)
def test_a_box_may_touch_or_leave_the_picture(box):
    assert draw_evidence(page(400, 300), [Region(box=box, label="x")]).width > 400


def test_many_regions_are_counted_not_piled_up():
    regions = [Region(box=(i, i, i + 20, i + 9), label=str(i)) for i in range(MAX_ROWS + 30)]
    few, many = (draw_evidence(page(400, 300), regions[:count]) for count in (MAX_ROWS, MAX_ROWS + 30))
    assert many.height - few.height < 60


def test_printable_is_one_visible_line():
    assert printable("a\x1b[2Jb\u202ec\n d\x00") == "a [2Jb c d"
    assert printable("x" * 300, 10) == "x" * 9 + "…"


def test_words_of_a_region_are_its_text_or_its_label():
    assert words_of(Region(box=(0, 0, 1, 1), label="line", text="12.40")) == "12.40"
    assert words_of(Region(box=(0, 0, 1, 1), label="cup")) == "cup"
