"""From coarse to fine: closer looks only where something small was seen, and the same answer as looking everywhere."""

import numpy as np
import pytest
from PIL import Image

from tools import boxes
from tools.pyramid import Sight, detect_pyramid, factors
from tools.slicing import Detection

SIGHT = Sight(tile=200, overlap=60, look=0.1, small=60.0, most=500)


class Squares:
    """A detector of white squares on black that is as sure as they are large, up to 40 pixels, as small models are."""

    def __init__(self, things, size):
        self.size, self.tiles = size, []
        self.image = Image.new("L", size)
        for x1, y1, x2, y2 in things:
            self.image.paste(255, (x1, y1, x2, y2))
        self.things = things

    def __call__(self, factor, tiles):
        self.tiles += [(factor, tile) for tile in tiles]
        return [list(self.seen(factor, tile)) for tile in tiles]

    def seen(self, factor, tile):
        for thing in self.things:
            x1, y1, x2, y2 = (value / factor for value in thing)
            cut = boxes.clamp(
                (x1 - tile[0], y1 - tile[1], x2 - tile[0], y2 - tile[1]), (tile[2] - tile[0], tile[3] - tile[1])
            )
            if cut is None or max(x2 - x1, y2 - y1) > 190:
                continue
            side = min(cut[2] - cut[0], cut[3] - cut[1])
            yield Detection(cut, min(0.95, side / 42), "square")


def squares(seed, size, count):
    rng = np.random.default_rng(seed)
    things = []
    while len(things) < count:
        side = int(rng.choice([30, 40, 90, 250]))
        x, y = int(rng.integers(0, size[0] - side)), int(rng.integers(0, size[1] - side))
        new = (x, y, x + side, y + side)
        if not any(
            boxes.clamp((new[0] - a, new[1] - b, new[2] - a, new[3] - b), (c - a, d - b)) for a, b, c, d in things
        ):
            things.append(new)
    return things


def test_levels_halve_until_one_tile_holds_the_picture():
    assert factors((150, 90), SIGHT) == [1]
    assert factors((200, 900), SIGHT) == [8, 4, 2, 1]
    assert factors((6000, 4000), Sight()) == [16, 8, 4, 2, 1]


@pytest.mark.parametrize("seed", range(4))
def test_coarse_to_fine_finds_what_looking_everywhere_finds(seed):
    size = (1500, 1000)
    things = squares(seed, size, 6)
    thrifty, thorough = Squares(things, size), Squares(things, size)
    found = detect_pyramid(size, thrifty, SIGHT, 0.5, 0.5)
    everything = detect_pyramid(size, thorough, SIGHT, 0.5, 0.5, everywhere=True)
    assert len(everything) == len(things)
    key = lambda item: tuple(round(value) for value in item.box)  # noqa: E731
    assert sorted(map(key, found)) == sorted(map(key, everything)) == sorted(things)
    assert len(thrifty.tiles) < 0.7 * len(thorough.tiles)


def test_every_box_lies_in_the_picture_where_the_thing_is():
    size = (1100, 700)
    thing = (1040, 640, 1090, 690)
    (found,) = detect_pyramid(size, Squares([thing], size), SIGHT, 0.5, 0.5)
    assert boxes.iou(np.array([found.box]), np.array([thing]))[0, 0] > 0.95


def test_an_empty_picture_is_not_looked_at_closely():
    size = (1600, 1200)
    detect = Squares([], size)
    assert detect_pyramid(size, detect, SIGHT, 0.5, 0.5) == []
    assert {factor for factor, _ in detect.tiles} == {8, 4, 2}


def test_what_a_tile_cuts_is_left_to_its_neighbour():
    size = (400, 200)
    thing = (150, 50, 190, 90)  # the second tile begins at x=140
    found = detect_pyramid(size, Squares([thing], size), SIGHT, 0.3, 0.5, everywhere=True)
    assert [tuple(round(value) for value in item.box) for item in found] == [thing]


def test_no_level_has_more_tiles_than_allowed():
    size = (4000, 3000)
    sight = Sight(tile=200, overlap=60, look=0.1, small=60.0, most=40)
    detect = Squares(squares(1, size, 30), size)
    detect_pyramid(size, detect, sight, 0.5, 0.5)
    for factor in (2, 1):
        assert sum(one == factor for one, _ in detect.tiles) <= 40
