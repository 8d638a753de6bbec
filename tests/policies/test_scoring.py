"""The scorer that training and evaluation share."""

import pytest

from evaluation import metrics
from policies import scoring


def test_evaluation_scores_with_the_same_functions():
    assert metrics.exact_match is scoring.exact_match
    assert metrics.normalise is scoring.normalise


@pytest.mark.parametrize(
    ("text", "choice", "options", "gold", "expected"),
    [
        ("The Total", None, None, "total", True),
        ("10.70", None, None, "1070", False),
        ("", None, None, "", False),
        ("red", 1, ["red", "blue"], "blue", True),  # the choice counts, not the words
        ("blue", 0, ["red", "blue"], "blue", False),
        ("blue", None, ["red", "blue"], "blue", False),
    ],
)
def test_an_option_is_judged_by_its_index_and_free_text_by_its_words(text, choice, options, gold, expected):
    assert scoring.right(text, choice, options, gold) is expected


def test_other_forms_are_right_as_well():
    assert scoring.right("noon", None, None, "12:00", ["noon", "12 pm"])
