"""The scorers: known values, and what must and must not count as the same answer."""

import pytest

from evaluation.metrics import (
    anls,
    choice_accuracy,
    contains,
    evidence_hit,
    exact_match,
    iou,
    levenshtein,
    normalise,
    paired_difference,
    wilson,
)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Tarzana.", "tarzana"),
        ("The Loans", "loans"),
        ("a Pentium 4", "Pentium 4"),
        ("“server”", "server"),
        ("4,294,950,911", "4294950911"),
        ("$1,200,000", "$1200000"),
        ("$ 5.80", "$5.80"),
        ("32TB", "32 TB"),
        ("40  MB", "40mb"),
        ("6 %", "6%"),
        ("Fournier d’Albe", "Fournier d'Albe"),
        ("2019–2021", "2019-2021"),
        ("ｆｕｌｌ ｗｉｄｔｈ", "full width"),
        ("(818) 708-8131", "818) 708-8131"),
    ],
)
def test_these_are_the_same_answer(a, b):
    assert normalise(a) == normalise(b)
    assert exact_match(a, b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("10.70", "1070"),
        ("1,60", "160"),
        ("-5", "5"),
        ("6%", "6"),
        ("$5", "5"),
        ("32 MB", "32"),
        (".5", "5"),
        (".muttrc", "muttrc"),
        ("~/.ssh", ".ssh"),
        ("2 a day", "2a day"),
        ("Córdoba", "Cordoba"),
        ("1.600", "1600"),
        ("12,345,6", "123456"),
        ("The", ""),
    ],
)
def test_these_are_not(a, b):
    assert normalise(a) != normalise(b)
    assert not exact_match(a, b)


@pytest.mark.parametrize("text", ["", " ", "The.", "...", "“A 1,000 kB”", "the the", "½ cup", "n't", "\u200b", "((a))"])
def test_normalising_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


def test_an_empty_answer_never_matches_and_accepted_forms_do():
    assert not exact_match("", "")
    assert not exact_match(" . ", ".")
    assert exact_match("1 day", "1 dag", ["1 day"])


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("It is 25.", "25", True),
        ("Document No. 25, of 1871", "25", True),
        ("Costs 25.99", "25", False),
        ("room 125", "25", False),
        ("10.0.25.1", "25", False),
        ("$25", "25", False),
        ("25% of it", "25", False),
        ("25-26", "25", False),
        ("The answer is not 25", "25", False),
        ("no, it is not the Paris you mean", "Paris", False),
        ("The total is $265.24, due soon", "$265.24", True),
        ("That is not in the image, sorry", "not in the image", True),
        ("Parisian", "Paris", False),
        ("", "Paris", False),
    ],
)
def test_contains_takes_whole_tokens_only(answer, gold, right):
    assert contains(answer, gold) is right


def test_anls_follows_the_published_definition():
    assert anls("Linn", "linn") == 1.0
    assert anls("abcd", "abcx") == pytest.approx(0.75)
    assert anls("ab", "ax") == 0.0, "a distance of half the length is already nothing"
    assert anls("abc", "ab") == pytest.approx(2 / 3)
    assert anls("wrong", "right", ["wrong!"]) == pytest.approx(5 / 6)
    assert anls("", "x") == 0.0
    assert levenshtein("kitten", "sitting") == 3


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(8, 10, 0.490, 0.943), (0, 10, 0.0, 0.278), (10, 10, 0.722, 1.0), (50, 100, 0.404, 0.596), (0, 0, 0.0, 1.0)],
)
def test_wilson_agrees_with_published_values(k, n, low, high):
    assert wilson(k, n) == pytest.approx((low, high), abs=6e-4)


def test_wilson_refuses_more_right_than_asked():
    with pytest.raises(ValueError, match="k must be from 0 to n"):
        wilson(3, 2)


def test_choice_accuracy_counts_no_choice_as_wrong():
    assert choice_accuracy([0, None, 2, 1], [0, 0, 2, 3]) == 0.5
    assert choice_accuracy([], []) == 0.0
    with pytest.raises(ValueError, match="1 choices for 2"):
        choice_accuracy([0], [0, 1])


def test_iou_of_known_boxes():
    assert iou((0, 0, 10, 10), (0, 0, 10, 10)) == 1.0
    assert iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert iou((0, 0, 10, 10), (10, 0, 20, 10)) == 0.0


@pytest.mark.parametrize(
    ("predicted", "hit"),
    [
        ((100, 100, 200, 120), True),  # the box itself
        ((20, 98, 600, 122), True),  # the line that holds it
        ((120, 102, 140, 118), True),  # one word of it
        ((20, 130, 600, 150), False),  # the next line
        ((0, 0, 1000, 1000), False),  # the whole page is no evidence
        ((190, 100, 300, 120), False),  # a neighbour that touches it
    ],
)
def test_evidence_must_show_the_place(predicted, hit):
    assert evidence_hit([predicted], [(100, 100, 200, 120)], (1000, 1000)) is hit


def test_evidence_of_a_large_thing_may_be_large_and_nothing_to_hit_is_none():
    assert evidence_hit([(0, 0, 900, 900)], [(0, 0, 1000, 1000)], (1000, 1000)) is True
    assert evidence_hit([], [(0, 0, 10, 10)], (1000, 1000)) is False
    assert evidence_hit([(0, 0, 10, 10)], [], (1000, 1000)) is None


def test_paired_difference_is_of_the_second_over_the_first_and_repeats():
    a, b = [False] * 10 + [True] * 10, [True] * 15 + [False] * 5
    delta, low, high = paired_difference(a, b, seed=3)
    assert delta == pytest.approx(0.25)
    assert low < delta < high
    assert paired_difference(a, b, seed=3) == (delta, low, high)
    assert paired_difference(a, a) == (0.0, 0.0, 0.0)
