"""What boxes say in words: right by the picture's geometry, and the same as the truth of the generated questions."""

import random

import pytest

from policies.data.scenes import object_places
from policies.text.places import MOST_RELATIONS, direction, in_words, numbers
from policies.text.protocol import RegionLine

SIZE = (1000, 500)


def square(x, y, side=40):
    return (x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def words(**places):
    labels = [name.rstrip("0123456789") for name in places]
    said = in_words(labels, list(places.values()), SIZE)
    return {name: note.split(", ") for name, note in zip(places, said, strict=True)}


def test_a_region_alone_has_its_quarter_and_nothing_else():
    assert words(cup=square(100, 400)) == {"cup": ["bottom left"]}
    assert in_words([], [], SIZE) == []


def test_things_are_told_from_each_other():
    said = words(dog=square(200, 100), cup=square(600, 110, 80), hat=square(800, 400))
    assert said["dog"] == [
        "top left", "leftmost", "topmost", "directly to the left of cup", "above and to the left of hat",
    ]  # fmt: skip
    assert said["cup"][:2] == ["top right", "largest"]
    assert {"nearest to dog", "nearest to hat", "above and to the left of hat"} <= set(said["cup"])
    assert "directly to the right of dog" in said["cup"]
    assert "rightmost" in said["hat"]
    assert "lowest" in said["hat"]
    assert not {"largest", "smallest"} & set(said["hat"])  # the dog is as small


def test_only_the_neighbours_in_a_row_are_directly_beside_a_thing():
    said = words(a=square(100, 100), b=square(300, 110), c=square(500, 90), d=square(700, 100))
    assert "directly to the right of a" in said["b"]
    assert "to the right of a" in said["c"]
    assert "directly to the left of d" in said["c"]


def test_several_things_of_a_name_are_no_landmark():
    said = words(dog1=square(100, 100), dog2=square(300, 100), cup=square(500, 300))
    assert not any("dog" in note for notes in said.values() for note in notes)
    assert "above and to the left of cup" in said["dog2"]


def test_a_thing_with_two_names_is_one_thing():
    said = words(cup=square(100, 100), dog=square(500, 100), redcup=square(101, 100))
    assert not any("cup" in note for note in said["cup"] + said["redcup"])
    assert said["dog"].count("to the right of cup") + said["dog"].count("directly to the right of cup") == 1
    assert "leftmost" in said["cup"]
    assert "leftmost" in said["redcup"]


def test_boxes_without_an_area_have_words_as_well():
    assert in_words(["dog", "cup"], [(10, 10, 10, 10), (500, 10, 540, 10)], SIZE)[0].endswith("to the left of cup")


def test_many_things_have_words_for_the_first_landmarks_alone():
    rng = random.Random(0)
    places = [square(rng.uniform(20, 980), rng.uniform(20, 480), 10) for _ in range(16)]
    said = in_words([f"thing {n}" for n in range(16)], places, SIZE)
    relations = [part for note in said for part in note.split(", ") if " of " in part or " above" in f" {part}"]
    assert len(relations) <= MOST_RELATIONS
    assert all("thing 0" in part for part in relations)


def test_directions_agree_with_the_truth_of_generated_questions():
    rng = random.Random(1)
    told = 0
    for _ in range(3000):
        a, b = (square(rng.uniform(0, 1000), rng.uniform(0, 500), rng.uniform(10, 120)) for _ in range(2))
        truth = object_places.direction(a, b)
        if truth:
            told += 1
            assert direction(a, b).removesuffix(" of") == truth
    assert told > 1000


def test_numbers_begin_with_the_most():
    assert numbers(["cup", "dog", "cup", "dog", "dog"]) == "dog 3, cup 2"


@pytest.mark.parametrize("label", ["a  b", " ", "x" * 100])
def test_lines_of_regions_call_a_thing_alike_everywhere(label):
    line, other = RegionLine.of([label, "dog"], [square(100, 100), square(500, 100)], SIZE)
    assert line.label
    assert other.note.endswith(f"to the right of {line.label}")
