"""Phrases with a place, a size or a relation mean the things a person would point at."""

import pytest

from tools.phrases import Phrase, meant, parse
from tools.slicing import Detection


@pytest.mark.parametrize(
    ("said", "parts"),
    [
        ("red car", {}),
        ("top hat", {}),
        ("slice of pizza", {}),
        ("largest", {}),
        ("left shoe", {}),
        ("leftmost cup", {"head": "cup", "extreme": "leftmost"}),
        ("the Highest red kite", {"head": "red kite", "extreme": "topmost"}),
        ("big dog", {"head": "dog", "size": "large"}),
        ("dog left of tree", {"head": "dog", "relation": "left of", "anchor": "tree"}),
        ("a dog to the right of the bar of soap", {"head": "a dog", "relation": "right of", "anchor": "bar of soap"}),
        ("largest cup under a lamp", {"head": "cup", "extreme": "largest", "relation": "below", "anchor": "lamp"}),
        ("Cup next to the Lamp", {"head": "Cup", "relation": "nearest", "anchor": "Lamp"}),
    ],
)  # fmt: skip
def test_a_phrase_is_what_it_names_and_which_of_them(said, parts):
    assert parse(said) == Phrase(**{"said": said, "head": said, **parts})


FOUND = [
    Detection((0, 0, 10, 10), 0.5, "cup"),
    Detection((100, 0, 140, 40), 0.9, "cup"),
    Detection((300, 200, 312, 212), 0.6, "cup"),
    Detection((200, 100, 240, 140), 0.7, "lamp"),
    Detection((700, 700, 740, 740), 0.4, "lamp"),
    Detection((210, 300, 220, 310), 0.8, "dog"),
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
        ("tiny lamp", [3, 4]),  # all about the same
        ("cup left of the lamp", [0, 1]),
        ("largest cup to the left of the lamp", [1]),
        ("cup right of the lamp", [2]),
        ("dog below the lamp", [5]),
        ("lamp above the dog", [3]),
        ("cup next to the lamp", [2]),
        ("cup beside the cup", [0]),
        ("cup left of the tree", []),
        ("leftmost tree", []),
        ("tree left of the cup", []),
    ],
)
def test_what_is_meant_is_read_off_the_boxes(said, numbers):
    assert meant(parse(said), FOUND) == [FOUND[number] for number in numbers]
