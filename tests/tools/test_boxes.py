"""Conversions undo each other; geometry agrees with formulas worked out by hand."""

import numpy as np
import pytest

from tools import boxes

SIZE = (200, 100)


@pytest.fixture(params=range(20))
def box(request):
    rng = np.random.default_rng(request.param)
    x1, y1 = rng.uniform(0, 90, 2)
    return (x1, y1, x1 + rng.uniform(1, 100), y1 + rng.uniform(1, 9))


def test_round_trips(box):
    for there, back in [
        (boxes.to_xywh, boxes.from_xywh),
        (boxes.to_cxcywh, boxes.from_cxcywh),
        *(
            (lambda b, top=top: boxes.to_unit(b, SIZE, top), lambda b, top=top: boxes.from_unit(b, SIZE, top))
            for top in (1, 999, 1000)
        ),
        (lambda b: boxes.to_crop(b, (30, 40, 90, 80), 2.5), lambda b: boxes.from_crop(b, (30, 40, 90, 80), 2.5)),
    ]:
        assert back(there(box)) == pytest.approx(box)


def test_conventions_by_hand():
    assert boxes.to_xywh((10, 20, 40, 25)) == (10, 20, 30, 5)
    assert boxes.to_cxcywh((10, 20, 40, 26)) == (25, 23, 30, 6)
    assert boxes.to_unit((50, 25, 100, 100), SIZE) == (0.25, 0.25, 0.5, 1.0)
    assert boxes.to_unit((50, 25, 100, 100), SIZE, 1000) == (250, 250, 500, 1000)
    assert boxes.from_unit((0, 0, 999, 999), SIZE, 999) == (0, 0, 200, 100)
    assert boxes.from_crop((10, 10, 20, 20), (100, 50, 150, 80), 2) == (105, 55, 110, 60)


def test_nested_crops_come_back_to_the_picture():
    outer, inner, box = (100, 40, 180, 90), (10, 5, 40, 25), (2, 3, 20, 11)
    once = boxes.from_crop(boxes.from_crop(box, inner, 3.0), outer, 2.0)
    x1 = 100 + (10 + 2 / 3) / 2
    assert once[0] == pytest.approx(x1)
    assert boxes.to_crop(boxes.to_crop(once, outer, 2.0), inner, 3.0) == pytest.approx(box)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((-5, -5, 10, 10), (0, 0, 10, 10)),
        ((150, 50, 900, 900), (150, 50, 200, 100)),
        ((-1e300, -float("inf"), float("inf"), 1e300), (0, 0, 200, 100)),
        ((200, 0, 300, 50), None),
        ((10, 10, 10, 20), None),
        ((30, 10, 20, 20), None),
        ((-20, 10, 0, 20), None),
        ((float("nan"), 0, 10, 10), (0, 0, 10, 10)),
    ],
)
def test_clamp(box, expected):
    assert boxes.clamp(box, SIZE) == expected


def test_expand_and_order():
    assert boxes.expand((100, 40, 120, 60), SIZE) == pytest.approx((98, 38, 122, 62))
    assert boxes.expand((0, 0, 20, 20), SIZE, 2.0) == pytest.approx((0, 0, 30, 30))
    assert boxes.expand((300, 300, 310, 310), SIZE) is None
    assert boxes.ordered((40, 5, 10, 2)) == (10, 2, 40, 5)


def test_overlaps_by_hand():
    a = np.array([[0, 0, 10, 10], [100, 0, 110, 10]])
    b = np.array([[5, 0, 15, 10], [0, 0, 5, 5], [10, 0, 20, 10]])
    assert boxes.iou(a, b)[0].tolist() == pytest.approx([50 / 150, 25 / 100, 0.0])
    assert boxes.ios(a, b)[0].tolist() == pytest.approx([0.5, 1.0, 0.0])
    assert boxes.iou(a, b)[1].max() == 0
    assert boxes.iou(np.zeros((0, 4)), b).shape == (0, 3)
    assert boxes.iou(np.zeros((1, 4)), np.zeros((1, 4)))[0, 0] == 0  # degenerate, no division by zero


def test_nms_keeps_the_best_of_each_place():
    found = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 0, 60, 10]])
    assert boxes.nms(found, [0.5, 0.9, 0.1], 0.5) == [1, 2]
    assert boxes.nms(found, [0.5, 0.9, 0.1], 0.99) == [1, 0, 2]
    assert boxes.nms(np.zeros((0, 4)), []) == []


def test_union_and_area():
    assert boxes.union(np.array([[0, 5, 3, 6], [2, 1, 9, 4]])) == (0, 1, 9, 6)
    assert boxes.area((1, 1, 4, 3)) == 6
    assert boxes.area((4, 1, 1, 3)) == 0
