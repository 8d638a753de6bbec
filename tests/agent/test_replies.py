"""Reading the final answer: which option was chosen, what the text is, which regions it rests on."""

from __future__ import annotations

import pytest

from agent.replies import clean, find_evidence, letter_of, read_choice
from tools.base import Region

COLOURS = ["white", "black", "dark red", "red"]


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("A", 0), ("b", 1), ("(C)", 2), ("D.", 3),
        ("B)", 1), ("[B]", 1), ("**B**", 1), ("B: black", 1), ("(B) black", 1),
        ("B. white", 1), ("A. white\n", 0), ("The answer is A", 0), ("The answer is A.", 0), ("the answer is (b)", 1),
        ("Answer: C", 2), ("answer is option D", 3), ("I choose B", 1),
        ("The correct option is B because it is dark.", 1),
        ("The answer is A because I see it.", 0), ("Option C", 2), ("The letter is D", 3), ("I think B", 1),
        ("The answer is black", 1), ("The answer is black.", 1), ("black", 1), ("Black!", 1), ("BLACK", 1),
        (" black ", 1),
        ("dark red", 2), ("It is dark red.", 2), ("The car is red.", 3), ("The answer is dark red", 2),
        ("It could be A or B. The answer is B", 1), ("**Answer:** B", 1), ("The answer is: B", 1), ("'B'", 1),
        ("The answer is a black one", 1), ("red, not black", 3), ("Final answer: red", 3),
        ("", None), ("I do not know", None), ("The answer is blue", None), ("Z", None), ("E", None),
        ("black or white", None),
        ("blacksmith", None), ("A black hole is not an option here, nor a white one", None), ("reddish", None),
    ],
)  # fmt: skip
def test_the_choice_is_the_one_that_was_meant(text, index):
    assert read_choice(clean(text), COLOURS) == index


@pytest.mark.parametrize(
    ("text", "options", "index"),
    [
        ("The answer is black", ["red", "blue"], None),
        ("The answer is black", ["black", "blue"], 0),
        ("Yes, there is no doubt", ["Yes", "No"], 0),
        ("No, it is not", ["Yes", "No"], 1),
        ("12", ["1", "12", "2"], 1),
        ("The total is 12.", ["1", "12", "2"], 1),
        ("$12.50", ["$1.50", "$12.50"], 1),
        ("A", ["B", "A"], 0),
        ("A cat", ["A dog", "A cat"], 1),
        ("A cat sits on a mat", ["a dog", "a cat"], 1),
        ("I", [*"abcdefgh", "the ninth"], 8),
        ("the left one", ["left", "right"], 0),
        ("C++ and C", ["C++", "C", "Rust"], None),
        ("(a) the first", ["one", "two"], 0),
        ("\u0130stanbul", ["Ankara", "\u0130stanbul"], 1),
    ],
)
def test_options_of_all_kinds(text, options, index):
    assert read_choice(text, options) == index


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("  12.50 \n", "12.50"),
        ("Answer: 12.50", "12.50"),
        ("The answer is: 12.50", "12.50"),
        ("<think>maybe 13</think>\n12.50", "12.50"),
        ("12.50<think>or", "12.50"),
        ("so \\boxed{12.50}", "12.50"),
        ("**12.50**", "12.50"),
        ("`12.50`", "12.50"),
    ],
)
def test_the_answer_is_taken_out_of_its_wrapping(text, answer):
    assert clean(text) == answer


def test_evidence_is_what_holds_the_answer():
    regions = [
        Region(box=(0, 0, 9, 9), text="Receipt no. 4711"),
        Region(box=(0, 10, 9, 19), text="TOTAL EUR 12.50"),
        Region(box=(0, 20, 9, 29), text="12"),
        Region(box=(0, 30, 9, 39), label="cup", text=None),
    ]
    assert find_evidence("12.50", regions)[0].text == "TOTAL EUR 12.50"
    assert [region.label for region in find_evidence("a cup of tea", regions)] == ["cup"]
    assert [region.label for region in find_evidence("nothing like it", regions)] == ["cup"]
    assert find_evidence("", regions) == []


def test_very_long_replies_are_read_in_bounded_work():
    for text in ("a" * 500_000, "answer is " * 50_000, "(" * 200_000, "\\boxed{" * 50_000, "A " * 100_000):
        assert read_choice(clean(text), COLOURS) in (None, *range(len(COLOURS)))


def test_letters_as_options_keep_their_own_order_when_the_letter_of_the_option_is_said():
    """The second option of C, A, B is called B and is A."""
    options = ["C", "A", "B"]
    assert [read_choice(letter_of(choice), options) for choice in range(3)] == [0, 1, 2]
