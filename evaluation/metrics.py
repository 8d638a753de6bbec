"""Scorers of open answers: pure, deterministic functions from an answer and its gold to right, wrong or a number.

`exact_match` is the headline; `contains` and `anls` (ST-VQA, DocVQA) stand beside it because small models answer in
sentences; `vqa_accuracy` (VQA, TextVQA) and `relaxed_accuracy` (ChartQA) follow their benchmarks. `exact_match` and the
normalisation behind all of them are in `policies/scoring.py`, because training scores its runs with them too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence

from policies.scoring import exact_match, normalise

NEGATION = re.compile(r"(?:\b(?:not|no|never|cannot|neither|nor|without|than|instead of)|n't)\s+(?:\w+\s+){0,2}$")
NUMBER = re.compile(r"([+-]?)[$€£¥]?([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,2})?)(%?)[€£¥]?")
YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
COUNT = re.compile(r"(?<![\w.,/:$€£¥-])-?\d+(?:\.\d+)?(?![\w%]|[.,/:-]\w)|[a-z]+(?:-[a-z]+)?")
SMALL = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
WORDS = {word: number for number, word in enumerate([*SMALL.split(), "seventeen", "eighteen", "nineteen"])}
WORDS |= {word: 10 * number for number, word in enumerate(TENS.split(), start=2)}
WORDS |= {f"{ten}-{one}": WORDS[ten] + WORDS[one] for ten in TENS.split() for one in SMALL.split()[1:10]}


def contains(answer: str, gold: str, accepted: Iterable[str] = ()) -> bool:
    """Whether the answer says the gold in more words, safely.

    The gold must stand as whole tokens: 25 is neither in 25.99 nor in 125 nor in 10.0.25.1. A negated gold ("not 25")
    does not count. It stays lenient: an answer that lists everything contains everything; report it beside exact match.
    """
    if exact_match(answer, gold, accepted):
        return True
    found = normalise(answer)
    return any(
        not NEGATION.search(found[: match.start()])
        for form in (gold, *accepted)
        for match in stated(normalise(form), found)
    )


def stated(wanted: str, found: str) -> Iterator[re.Match[str]]:
    """Where a normalised text says another one in whole tokens; nowhere when that one is empty."""
    if not wanted:
        return iter(())
    return re.finditer(rf"(?<![\w$€£¥])(?<!\w[.,/:@'-]){re.escape(wanted)}(?![\w%])(?![.,/:@'-]\w)", found)


def anls(answer: str, gold: str, accepted: Iterable[str] = (), threshold: float = 0.5) -> float:
    """Average normalised Levenshtein similarity of one answer (Biten et al. 2019, ST-VQA): the best over all forms.

    1 - distance / longer length, on lower-cased text with single spaces; 0 where the distance is `threshold` or more.
    """
    found = " ".join(answer.casefold().split())
    best = 0.0
    for form in (gold, *accepted):
        wanted = " ".join(form.casefold().split())
        longest = max(len(found), len(wanted))
        distance = levenshtein(found, wanted) / longest if longest else 0.0
        best = max(best, 1.0 - distance if distance < threshold else 0.0)
    return best


def levenshtein(a: str, b: str) -> int:
    """The number of insertions, deletions and substitutions between two strings."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def relaxed_accuracy(
    answer: str, gold: str, accepted: Iterable[str] = (), tolerance: float = 0.05, exact_years: bool = False
) -> bool:
    """ChartQA's measure (Masry et al. 2022): numbers within 5% of the gold, everything else by `exact_match`.

    Both sides may carry a currency sign, commas of thousands and %; where only one is a percentage, both 42 and 0.42
    are 42%. A gold of 0 asks for a number that is 0. With `exact_years` a gold like 2019 must be met exactly: 5% of it
    are a hundred years, which the official rule allows.
    """
    found = number_of(answer)
    for form in (gold, *accepted):
        wanted = number_of(form)
        if found is None or wanted is None:
            if exact_match(answer, form):
                return True
            continue
        allowed = 0.0 if exact_years and YEAR.fullmatch(form.strip()) else tolerance * abs(wanted[0])
        values = {found[0]} if found[1] == wanted[1] else {found[0], found[0] * (0.01 if found[1] else 100)}
        if any(abs(value - wanted[0]) <= allowed * (1 + 1e-9) for value in values):
            return True
    return False


def number_of(text: str) -> tuple[float, bool] | None:
    """(value, whether it is a percentage) of a text that is one number and nothing else; None for words, nan, inf."""
    match = NUMBER.fullmatch(normalise(text))
    if match is None or (match[1] and match[2]):
        return None
    value = float(match[1] + match[2] + match[3])
    return (value, bool(match[4])) if math.isfinite(value) else None


def count_accuracy(answer: str, gold: str) -> bool:
    """Whether the answer states exactly one number, in digits or words up to ninety-nine, and it is the gold count.

    "There are three." is 3 and "none" is 0; "2 or 3", "3.5" and "not 3" are no answer.
    """
    found, wanted = counts_in(answer), counts_in(gold)
    return len(found) == 1 and found == wanted


def counts_in(text: str) -> set[float]:
    """Every number that a text states and does not deny; {0} for "none" and "there are no ..."."""
    text = normalise(text)
    found: set[float] = set()
    for match in COUNT.finditer(text):
        token = match.group()
        value = WORDS[token] if token in WORDS else None if token[0].isalpha() else float(token)
        if value is not None:
            found.add(math.nan if NEGATION.search(text[: match.start()]) else value)
    if not found and re.match(r"(?:none|nothing|no)\b|.*\b(?:there (?:is|are|were)|has|have|see) (?:no|none)\b", text):
        return {0}
    return found


def vqa_accuracy(answer: str, votes: Sequence[str]) -> float:
    """VQA accuracy (Antol et al. 2015) as TextVQA applies it: min(1, matches / 3), averaged over leaving out each vote.

    Answer and votes pass the official normalisation. Fewer than four votes cannot match three times when one is left
    out; then all of the remaining ones must match.
    """
    found, wanted = vqa_form(answer), [vqa_form(vote) for vote in votes]
    if not wanted:
        return 0.0
    same, others = wanted.count(found), len(wanted) - 1
    if not others:
        return float(same)
    needed = min(3, others)
    left_out_same = min(1.0, (same - 1) / needed) if same else 0.0
    return (same * left_out_same + (len(wanted) - same) * min(1.0, same / needed)) / len(wanted)


VQA_NUMBERS = {"none": "0", **{word: str(number) for word, number in list(WORDS.items())[:11]}}
VQA_MARKS = ';/[]"{}()=+\\_-><@`,?!'


CONTRACTED = {  # what may stand before an ending whose apostrophe people leave out: "dont" is "don't"
    "n't": "ai are ca could did does do had has have is might must need ought sha should was were wo would",
    "'ve": "could might must not should they we what where who would you",
    "'ll": "how it somebody someone something they what who why you",
    "'re": "there they what why you",
    "'d": "he how it someone something there they where who you",
    "'s": "he how somebody someone that there what when where who why",
}
TWICE = (
    "couldn't hadn't mightn't shouldn't wouldn't he'd it'd she'd somebody'd someone'd something'd there'd they'd we'd"
)
VQA_CONTRACTIONS = {
    **{word + ending.replace("'", ""): word + ending for ending, words in CONTRACTED.items() for word in words.split()},
    **{word.replace("'", "") + "'ve": word + "'ve" for word in [*TWICE.split(), "who'd", "you'd"]},
    **{word + "ve": word + "'ve" for word in [*TWICE.split(), "who'd", "you'd"]},
    **{"oclock": "o'clock", "maam": "ma'am", "twas": "'twas", "yall": "y'all"},
}


def vqa_form(text: str) -> str:
    """The official normal form: lower case, no articles, digits for small numbers, punctuation by the VQA rules.

    A mark that touches a space anywhere in the text vanishes, one between letters becomes a space; a full stop stays
    only before a digit; a possessive 's is a word of its own.
    """
    text = " ".join(text.lower().replace(",", "").replace("?", "").replace("'s", " 's").split())
    spaced = text
    for mark in VQA_MARKS:
        spaced = spaced.replace(mark, "" if f"{mark} " in text or f" {mark}" in text else " ")
    words = [VQA_NUMBERS.get(word, word) for word in re.sub(r"\.(?!\d)", "", spaced).split()]
    return " ".join(VQA_CONTRACTIONS.get(word, word) for word in words if word not in ("a", "an", "the"))
