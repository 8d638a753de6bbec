"""Names in texts are words of their own; what was asked for and not found is told alike in use and in training."""

import pytest

from policies.text.naming import (
    absent_option,
    as_asked,
    guess_for,
    leaves_open,
    missing,
    name_things,
    one_name_each,
    says,
)
from policies.train.player import _missing
from tools.base import Region


def region(label="", text=None):
    return Region(box=(0, 0, 1, 1), label=label, text=text)


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("red car", "car", True),
        ("two CARS", "car", True),
        ("boxes", "box", True),
        ("scarf", "car", False),
        ("carpet", "car", False),
        ("car", "", False),
        ("a (b", "(b", True),
    ],
)
def test_a_name_stands_in_a_text_as_words_of_its_own(text, name, expected):
    assert says(text, name) == expected


@pytest.mark.parametrize(
    ("names", "question", "expected"),
    [
        (["swan"], "Which colour does the leftmost swan have?", ["leftmost swan"]),
        (["red swan", "owl"], "Is the Largest red swan left of the owl?", ["largest red swan", "owl"]),
        (["cup"], "What is on the smallest of all the cups?", ["cup"]),
        (["cups"], "What is on the smallest of all the cups?", ["smallest cups"]),
        (["cup", "cup"], "What is on the lowest cup?", ["lowest cup"]),
        (["leftmost cup"], "What is on the leftmost cup?", ["leftmost cup"]),
        (["owl"], "What is the smallest thing near the owl?", ["owl"]),
        (["(a", ""], "Is the lowest (a red?", ["lowest (a", ""]),
    ],
)
def test_a_name_is_asked_for_as_the_question_says_it(names, question, expected):
    assert as_asked(names, question) == expected


@pytest.mark.parametrize(
    ("names", "question", "options", "expected"),
    [
        (["car"], "What colour is the car?", ["red", "blue"], "each"),
        (["car", "dog", "owl"], "Is the dog or the owl above the car?", ["dog", "owl"], "each"),
        (["Dog", "owl"], "Which of these is in the picture?", ["dog", "owl", "cat"], "one"),
        (["dog", "owl"], "Which takes up the MOST room?", ["dog", "owl"], "each"),
        (["dog", "owl"], "Which is furthest to the left?", ["dog", "owl"], "each"),
        (["dog", "owl"], "Which is topmost?", ["dog", "owl"], "each"),
        (["dog", "owl"], "What is in the west of the picture?", ["dog", "owl"], "one"),
        (["car"], "What colour is the car?", ["red", " Not in the image "], None),
        (["car"], "What colour is the car?", [], None),
        (["car"], "What colour is the car?", None, None),
    ],
)
def test_a_guess_is_asked_for_as_the_options_leave_room(names, question, options, expected):
    assert guess_for(names, question, options) == expected


def test_the_option_that_a_thing_is_absent_is_known_by_its_words():
    assert absent_option(["red", "not in the image"]) == 1
    assert absent_option(["red"]) is absent_option(None) is None


def at(left, label, score, text=None, source="ground"):
    return Region(box=(left, 0, left + 100, 100), label=label, score=score, text=text, source=source)


def test_of_two_names_for_one_place_the_likelier_stays_unless_both_can_be_right():
    dog, llama, red = at(0, "dog", 0.9), at(5, "llama", 0.4), at(0, "red dog", 0.3)
    beside, far = at(60, "llama", 0.5), at(300, "llama", 0.2)
    assert one_name_each([llama, dog, red, beside, far]) == [dog, red, beside, far]
    assert one_name_each([dog, at(5, "dog", 0.4)]) == [dog, at(5, "dog", 0.4)]  # of one name all stay
    line = at(0, "text", 1.0, "Dog 12")
    assert one_name_each([llama, line]) == [llama, line]  # what was read there is no name
    other = at(0, "mask", 0.1, source="segment")
    assert one_name_each([dog, other]) == [dog, other]  # another expert says another thing of it
    assert one_name_each([]) == []
    thing, elsewhere = at(0, "object", 0.99), at(300, "object", 0.5)
    assert one_name_each([thing, dog, elsewhere]) == [dog, elsewhere]  # a thing with a name is no other thing


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("ground: red car; dog", False),
        ("ground: object", True),
        ("ground: dog; object", True),
        ("ground: teapot", True),
        ("read:\nground: dog", False),
        ("read:", False),
        ("ground: pair of knife", False),
        ("ground: pair of shoes", True),
    ],
)
def test_a_call_leaves_open_what_the_question_does_not_say(said, expected):
    assert leaves_open(said, "What is nearest to the red car, two dogs or the pairs of knives?") == expected


@pytest.mark.parametrize("said", ["ground: red car", "ground: red car; object"])
def test_a_question_about_some_object_leaves_it_open(said):
    assert leaves_open(said, "Which of the objects is nearest to the red car?")
    assert not leaves_open("read:", "Which object is nearest to the red car?")


def test_numbers_are_nothing_to_look_for():
    assert name_things(["red car", "not in the image"])
    assert not name_things(["3", "not in the image"])


def test_missing_are_the_names_that_no_region_of_their_own_call_says():
    asked = [
        (["car", "St. Mary", "dog", "dog", " "], [region("scarf"), region("st mary"), region("text", "Beware of the")]),
        (["cat"], [region("red"), region("cat")]),
        (["red cat"], [region("red"), region("cat")]),  # no words across two regions
    ]
    assert missing(asked) == ["car", "dog", "red cat"]


def test_a_played_question_is_told_the_same_without_power_over_the_prompt():
    found = [[region("scarf"), region("Dog")], [region("text", "Total")]]
    assert _missing(["ground: car; dog; <|region|>", "read:"], found, "Where?") == ["car", "‹|region|›"]
    assert _missing(["ground: car"], [[]], "Is the leftmost car red?") == ["leftmost car"]
