"""Phrases with a place, a size or a relation mean the things a person would point at."""

import pytest

from tools.phrases import Phrase, meant, parse
from tools.slicing import Detection

LAMP, LARGEST_LAMP = Phrase("lamp", "lamp"), Phrase("largest lamp", "lamp", "largest")


@pytest.mark.parametrize(
    "said",
    [
        *("red car", "top hat", "slice of pizza", "largest", "left shoe", "above", "left of the tree", "Big Ben"),
        *("an under construction sign", "the above ground pool", "a below deck cabin", "little finger"),
        *("pedestrian right of way sign", "children under 5 sign", "cup above and to the left of the lamp"),
    ],
)
def test_a_phrase_that_says_nothing_of_place_or_size_is_a_name(said):
    assert parse(said) == Phrase(said, said.lower())
    assert parse(said).names == [said.lower()]


@pytest.mark.parametrize(
    ("said", "head", "parts"),
    [
        ("leftmost cup", "cup", {"which": "leftmost"}),
        ("the Highest red kite", "red kite", {"which": "topmost"}),
        ("a large dog", "dog", {"which": "large"}),
        ("smallest of all the cups", "cups", {"which": "smallest"}),
        ("dog left of lamp", "dog", {"relation": "left of", "anchor": LAMP}),
        ("the dog to the right of the lamp", "dog", {"relation": "right of", "anchor": LAMP}),
        ("dog on right of a lamp", "dog", {"relation": "right of", "anchor": LAMP}),
        ("dog right next to the lamp", "dog", {"relation": "nearest", "anchor": LAMP}),
        ("Straße directly above the lamp", "straße", {"relation": "above", "anchor": LAMP}),
        (
            "largest cup under the largest lamp",
            "cup",
            {"which": "largest", "relation": "below", "anchor": LARGEST_LAMP},
        ),
    ],
)
def test_a_phrase_is_what_it_names_and_which_of_them(said, head, parts):
    assert parse(said) == Phrase(said, head, **parts)


FOUND = [
    Detection((0, 0, 10, 10), 0.5, "cup"),
    Detection((100, 0, 140, 40), 0.9, "cup"),
    Detection((300, 200, 312, 212), 0.6, "cup"),
    Detection((200, 100, 240, 140), 0.7, "lamp"),
    Detection((700, 700, 740, 740), 0.4, "lamp"),
    Detection((210, 300, 220, 310), 0.8, "dog"),
    Detection((101, 0, 140, 40), 0.7, "white cup"),
]


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        ("cup", [0, 1, 2]),
        ("leftmost cup", [0]),
        ("rightmost cup", [2]),
        ("topmost dog", [5]),
        ("lowest cup", [2]),
        ("largest cup", [1]),
        ("smallest cup", [0]),
        ("small cup", [0, 2]),
        ("large cup", [1]),
        ("small lamp", [3, 4]),  # all about the same
        ("cup left of the lamp", [0, 1]),
        ("largest cup to the left of the lamp", [1]),
        ("cup right of the lamp", [2]),
        ("dog below the lamp", [5]),
        ("lamp above the dog", [3]),
        ("cup next to the lamp", [2]),
        ("cup beside the cup", [0]),
        ("cup next to the white cup", [0]),
        ("lamp above the dog beside the lamp", [3]),
        ("cup left of the tree", []),
        ("leftmost tree", []),
        ("tree left of the cup", []),
    ],
)
def test_what_is_meant_is_read_off_the_boxes(said, numbers):
    assert meant(parse(said), FOUND) == [FOUND[number] for number in numbers]
