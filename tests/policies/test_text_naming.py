"""Names in texts are words of their own; what was asked for and not found is told alike in use and in training."""

import pytest

from policies.text.naming import absent_option, as_asked, missing, presupposes, says
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


def test_options_presuppose_what_is_asked_about_unless_one_says_that_it_is_absent():
    assert presupposes(["red", "blue"])
    assert not presupposes(["red", " Not in the image "])
    assert not presupposes([])
    assert not presupposes(None)
    assert absent_option(["red", "not in the image"]) == 1
    assert absent_option(["red"]) is absent_option(None) is None


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
