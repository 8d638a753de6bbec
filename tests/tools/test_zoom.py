"""Zoom gives the box a little larger, inside the picture, in picture pixels however often it is repeated."""

import pytest
from PIL import Image

from tools import Call, Picture, Runner
from tools.zoom import Zoom


def zoom(*box):
    picture = Picture.open(Image.new("RGB", (1000, 500)))
    return Runner([Zoom()]).run(picture, [Call(expert="zoom", args={"box": list(box)})])[0]


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((100, 100, 200, 200), (90, 90, 210, 210)),
        ((200, 200, 100, 100), (90, 90, 210, 210)),
        ((0, 0, 100, 100), (0, 0, 110, 110)),
        ((900, 400, 5000, 5000), (890, 390, 1000, 500)),
        ((0, 0, 1000, 500), (0, 0, 1000, 500)),
    ],
)
def test_the_box_is_grown_and_clipped(box, expected):
    region = zoom(*box).regions[0]
    assert region.box == pytest.approx(expected)
    assert (region.label, region.source) == ("zoom", "zoom")


def test_zooming_into_a_zoom_stays_in_the_picture_frame():
    outer = zoom(400, 200, 600, 300).regions[0].box
    inner = zoom(450, 220, 500, 250).regions[0].box
    assert inner == pytest.approx((445, 217, 505, 253))
    assert outer[0] < inner[0] < inner[2] < outer[2]
    again = zoom(*inner).regions[0].box
    assert (again[0] + again[2]) / 2 == pytest.approx(475)


@pytest.mark.parametrize("box", [(2000, 0, 2100, 50), (10, 10, 10, 20)])
def test_a_box_without_pixels_is_an_error(box):
    assert "outside the 1000x500 picture or empty" in zoom(*box).error
