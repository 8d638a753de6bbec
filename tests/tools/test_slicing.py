"""Slices cover every pixel; what they find comes back once, whole, in picture pixels."""

from itertools import pairwise

import numpy as np
import pytest

from tools import boxes
from tools.slicing import Detection, detect_sliced, slices


@pytest.mark.parametrize("size", [(1, 1), (640, 480), (641, 480), (1000, 2500), (6000, 4000), (1281, 1281)])
@pytest.mark.parametrize(("side", "overlap"), [(640, 128), (1280, 0), (500, 499 // 2)])
def test_slices_cover_the_picture_and_overlap(size, side, overlap):
    parts = slices(size, side, overlap)
    covered = np.zeros((size[1], size[0]), bool)
    for x1, y1, x2, y2 in parts:
        assert 0 <= x1 < x2 <= size[0]
        assert 0 <= y1 < y2 <= size[1]
        assert max(x2 - x1, y2 - y1) <= side
        covered[y1:y2, x1:x2] = True
    assert covered.all()
    for axis in (0, 1):
        spans = sorted({(part[axis], part[axis + 2]) for part in parts})
        for before, after in pairwise(spans):
            assert before[1] - after[0] >= overlap


def test_bad_overlap_is_refused():
    with pytest.raises(ValueError, match="overlap"):
        slices((100, 100), 50, 50)


def ideal(things: list[tuple[boxes.Box, str]]):
    """A detector that sees the part of every thing that lies in its slice, at least 3 pixels of it."""

    def detect(part):
        found = []
        for box, label in things:
            local = boxes.clamp(boxes.shift(box, -part[0], -part[1]), (part[2] - part[0], part[3] - part[1]))
            if local and min(local[2] - local[0], local[3] - local[1]) >= 3:
                found.append(Detection(local, 0.9, label))
        return found

    return detect


def close(found: list[Detection], things) -> bool:
    return len(found) == len(things) and all(
        any(item.label == label and np.allclose(item.box, box, atol=1e-6) for item in found) for box, label in things
    )


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("seed", range(15))
def test_random_scenes_come_back_exactly(seed, whole):
    rng = np.random.default_rng(seed)
    size, things = (3000, 2000), []
    for row in range(5):
        for column in range(7):
            if rng.random() < 0.6:
                x, y = column * 420 + rng.uniform(0, 40), row * 400 + rng.uniform(0, 40)
                things.append(((x, y, x + rng.uniform(10, 360), y + rng.uniform(10, 340)), str(rng.choice(["a", "b"]))))
    assert close(detect_sliced(size, ideal(things), side=900, overlap=200, whole=whole), things)


@pytest.mark.parametrize(
    "box", [(100, 500, 2900, 560), (700, 50, 800, 1950), (10, 10, 2990, 1990), (880, 100, 920, 140)]
)
def test_things_longer_than_a_slice_are_put_together(box):
    things = [(box, "long")]
    assert close(detect_sliced((3000, 2000), ideal(things), side=900, overlap=100, whole=False), things)


def test_neighbours_are_not_merged():
    things = [((i * 50.0, j * 50.0, i * 50.0 + 50, j * 50.0 + 50), "tile") for i in range(20) for j in range(10)]
    assert close(detect_sliced((1000, 500), ideal(things), side=400, overlap=130, whole=False), things)


def test_different_labels_are_not_merged():
    things = [((100, 100, 300, 300), "cat"), ((100, 100, 300, 300), "dog")]
    assert close(detect_sliced((2000, 1000), ideal(things), side=600, overlap=150), things)


def test_small_pictures_are_seen_once():
    seen = []
    detect_sliced((500, 400), lambda part: seen.append(part) or [], side=600, overlap=100)
    assert seen == [(0, 0, 500, 400)]


def test_best_score_first_and_boxes_inside():
    def detect(part):
        return [
            Detection((-50, -50, 20, 20), 0.2, "a"),
            Detection((60, 60, 999, 999), 0.8, "a"),
            Detection((500, 0, 600, 9), 1, "a"),
        ]

    found = detect_sliced((100, 100), detect, side=200, overlap=0)
    assert [item.box for item in found] == [(60, 60, 100, 100), (0, 0, 20, 20)]
