"""`read` on rendered pictures with the real engine: exact lines, their places, order, parts, turned text."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tools import Call, Picture, Runner
from tools.ocr.rapid import tidy
from tools.read import Read


@pytest.fixture(scope="module")
def runner():
    return Runner([Read(threads=2)])


def read(runner, image, box=None):
    result = runner.run(Picture.open(image), [Call(expert="read", args={"box": box} if box else {})])[0]
    assert result.error is None
    return result.regions


def texts(regions):
    return [region.text for region in regions]


def test_every_line_is_read_exactly_and_in_order(runner, pages):
    regions = read(runner, pages.page())
    assert texts(regions) == pages.LINES
    assert all((region.label, region.source) == ("text", "read") and region.score > 0.9 for region in regions)


def test_boxes_lie_on_the_text(runner, pages):
    for index, region in enumerate(read(runner, pages.page())):
        left, top, right, bottom = pages.font(26).getbbox(pages.LINES[index])
        drawn = (60 + left, 40 + 70 * index + top, 60 + right, 40 + 70 * index + bottom)
        assert np.abs(np.array(region.box) - np.array(drawn)).max() < 16


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_pages_are_read_in_their_own_order(runner, turns, pages):
    image = pages.page()
    turned = image.transpose(
        [None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270][turns]
    )
    regions = read(runner, turned)
    assert texts(regions) == pages.LINES
    x1, y1, x2, y2 = regions[0].box
    centre = ((x1 + x2) / 2, (y1 + y2) / 2)
    expected = {1: (55, 900 - 290), 2: (900 - 290, 500 - 55), 3: (500 - 55, 290)}[turns]
    assert np.abs(np.array(centre) - expected).max() < 40


def test_a_slanted_photograph(runner, pages):
    image = pages.page(size=(1000, 700)).rotate(5, resample=Image.Resampling.BICUBIC, fillcolor="white")
    assert texts(read(runner, image)) == pages.LINES


def test_standing_signs_beside_upright_text(runner, pages):
    image = pages.page(size=(1100, 560))
    for x, text, turn in (
        (930, "PLATFORM 12", Image.Transpose.ROTATE_90),
        (1020, "EXIT NORTH", Image.Transpose.ROTATE_270),
    ):
        sign = Image.new("RGB", (320, 50), "navy")
        ImageDraw.Draw(sign).text((30, 6), text, font=pages.font(32), fill="white")
        image.paste(sign.transpose(turn), (x, 120))
    assert sorted(texts(read(runner, image))) == sorted([*pages.LINES, "PLATFORM 12", "EXIT NORTH"])


def test_only_the_part_asked_for_is_read(runner, pages):
    regions = read(runner, pages.page(), box=[40, 100, 880, 245])
    assert texts(regions) == pages.LINES[1:3]
    assert abs(regions[0].box[0] - 60) < 12
    assert abs(regions[0].box[1] - 110) < 12


def test_a_box_with_swapped_corners_or_over_the_border(runner, pages):
    assert texts(read(runner, pages.page(), box=[5000, 245, -40, 100])) == pages.LINES[1:3]


def test_a_tight_box_around_one_line(runner, pages):
    box = list(read(runner, pages.page())[3].box)
    assert texts(read(runner, pages.page(), box=box)) == [pages.LINES[3]]


def test_a_box_outside_is_an_error(runner, pages):
    result = runner.run(Picture.open(pages.page()), [Call(expert="read", args={"box": [2000, 0, 2100, 50]})])[0]
    assert "outside the 900x500 picture" in result.error


def test_columns_are_read_one_after_the_other(runner, pages):
    left = [
        "The harbour was built in",
        "the spring of 1887 when",
        "the old quay had become",
        "too small for the ships.",
    ]
    right = [
        "Today it holds a museum",
        "with forty historic boats",
        "and a small cafe that is",
        "open from May to October.",
    ]
    layout = [
        (60 + 480 * c, 60 + 50 * i, text) for c, column in enumerate((left, right)) for i, text in enumerate(column)
    ]
    assert texts(read(runner, pages.page((1000, 320), layout))) == left + right


def test_tables_are_read_row_by_row(runner, pages):
    rows = [
        ("Train", "Departs", "Platform"),
        ("ICE 517", "08:45", "7"),
        ("RE 1190", "09:12", "3"),
        ("S 8", "09:20", "11"),
    ]
    layout = [(60 + 300 * c, 60 + 60 * r, cell) for r, row in enumerate(rows) for c, cell in enumerate(row)]
    assert texts(read(runner, pages.page((900, 350), layout))) == [cell for row in rows for cell in row]


@pytest.mark.parametrize(("ink", "background"), [("white", "black"), ("#666666", "#dddddd"), ("yellow", "darkgreen")])
def test_other_colours(runner, ink, background, pages):
    assert texts(read(runner, pages.page(ink=ink, background=background))) == pages.LINES


def test_small_text_on_a_large_photograph(runner, pages):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(90, 170, (30, 45, 3), dtype=np.uint8)).resize(
        (6000, 4000), Image.Resampling.BICUBIC
    )
    draw = ImageDraw.Draw(image)
    placed = {"Serial 5834-A lot 6": (300, 350), "Valve 77 closed": (5200, 3700), "Made in 1996": (2900, 1980)}
    for text, (x, y) in placed.items():
        draw.rectangle((x - 20, y - 15, x + 420, y + 50), fill="#eeeeee")
        draw.text((x, y), text, font=pages.font(26), fill="#222222")
    regions = {region.text: region.box for region in read(runner, image)}
    assert set(regions) == set(placed)
    for text, (x, y) in placed.items():
        assert abs(regions[text][0] - x) < 20
        assert abs(regions[text][1] - y) < 20


def test_a_dense_page_with_small_print(runner, pages):
    lines = [f"{pages.LINES[i % 6]} / item {100 + 7 * i}" for i in range(24)]
    image = pages.page((2000, 1500), [(100, 60 + 58 * i, text) for i, text in enumerate(lines)], font_size=17)
    found = texts(read(runner, image))
    assert len(found) == 24
    assert sum(a.replace(" ", "") == b.replace(" ", "") for a, b in zip(found, lines, strict=True)) >= 22


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (31, 31), (5000, 8), (640, 480)])
def test_pictures_without_text_give_nothing(runner, size):
    assert read(runner, Image.new("RGB", size, "white")) == []


def test_a_tiny_picture_of_one_word(runner, pages):
    assert texts(read(runner, pages.page((120, 36), [(8, 4, "Room 42")], 22))) == ["Room 42"]


def test_a_second_reading_comes_from_the_cache(runner, pages):
    picture = Picture.open(pages.page(ink="#000088"))
    first, second = (runner.run(picture, [Call(expert="read")])[0] for _ in range(2))
    assert (first.cached, second.cached) == (False, True)
    assert first.regions == second.regions


def test_concurrent_readings_agree(runner, pages):
    picture = Picture.open(pages.page(ink="#880000"))
    parts = [[0, 30 + 70 * i, 900, 90 + 70 * i] for i in range(6)]
    results = runner.run(picture, [Call(expert="read", args={"box": box}) for box in parts])
    assert [texts(result.regions) for result in results] == [[line] for line in pages.LINES]


@pytest.mark.parametrize(
    ("raw", "clean"), [("Total：5", "Total:5"), ("（Ａ）", "(A)"), (" a ", "a"), ("café 5 €", "café 5 €")]
)
def test_tidy(raw, clean):
    assert tidy(raw) == clean


def test_importing_and_listing_experts_loads_nothing_heavy():
    script = (
        "import sys; from tools import load_tools; [(t.schema(), t.unavailable()) for t in load_tools()]; "
        "heavy = {'torch', 'transformers', 'rapidocr', 'onnxruntime', 'cv2', 'paddleocr'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"


def test_reading_prints_nothing(tmp_path, pages):
    pages.page().save(tmp_path / "page.png")
    script = (
        "import sys; from tools import *; "
        "r = Runner(load_tools(['read'])).run(Picture.open(sys.argv[1]), [Call(expert='read')])[0]; "
        "assert len(r.regions) == 6"
    )
    arguments = [sys.executable, "-c", script, str(tmp_path / "page.png")]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=True)
    assert (done.stdout, done.stderr) == ("", "")
