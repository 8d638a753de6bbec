"""Scorers: pure, deterministic functions from an answer and its gold to a number, and intervals around their means.

`exact_match` is the headline; `contains` and `anls` (ST-VQA, DocVQA) stand beside it because small models answer in
sentences. Normalisation is careful where it is usually wrong: it never drops digits, signs, decimals or units, so that
10.70 is not 1070, -5 is not 5 and 32 MB is not 32.
"""

from __future__ import annotations

import math
import random
import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

from tools import boxes

Box = Sequence[float]

QUOTES = str.maketrans({"‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"'})
DASHES = str.maketrans({"‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "−": "-"})
EDGES = " \t\n.,;:!?\"'`()[]{}<>*_"  # not % $ # / ~ ° + -, which carry meaning
THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\d|,\d)")
MONEY = re.compile(r"([$€£¥])\s+(?=\d)")
UNIT = re.compile(r"(?<=\d)\s+(?=(?:[kmgt]i?b|[kmg]?hz|k?g|mg|m?l|[kcm]?m|k?[vw]|ms|mw|°[cf]?|%)(?!\w))")
ARTICLE = re.compile(r"^(?:the|a|an)\s+(?=\S)")
NEGATION = re.compile(r"\b(?:not|no|never|isn't|n't)\s+(?:\w+\s+){0,2}$")


def normalise(text: str) -> str:
    """One form of what people hold to be the same string.

    NFKC, case, straight quotes and dashes, single spaces; a leading article and punctuation at the edges go; commas of
    well-formed thousands go (1,600 is 1600; 1,60 and 10.70 stay); no space after a currency sign or before a unit.
    """
    text = unicodedata.normalize("NFKC", text).translate(QUOTES).translate(DASHES).casefold()
    text = strip_edges(" ".join(text.split()))
    text = strip_edges(ARTICLE.sub("", text))
    text = THOUSANDS.sub(lambda match: match.group().replace(",", ""), text)
    return UNIT.sub("", MONEY.sub(r"\1", text))


def strip_edges(text: str) -> str:
    """Without punctuation at both ends; a dot that starts a decimal (.5) or a dotted name (.muttrc) stays."""
    text = text.rstrip(EDGES)
    stripped = text.lstrip(EDGES)
    head = text[: len(text) - len(stripped)]
    return "." + stripped if head.endswith(".") and not head.endswith("..") and stripped else stripped


def exact_match(answer: str, gold: str, accepted: Iterable[str] = ()) -> bool:
    """Whether the answer is the gold or one of the accepted forms, after `normalise`; an empty answer never is."""
    found = normalise(answer)
    return bool(found) and any(found == normalise(form) for form in (gold, *accepted))


def contains(answer: str, gold: str, accepted: Iterable[str] = ()) -> bool:
    """Whether the answer says the gold in more words, safely.

    The gold must stand as whole tokens: 25 is neither in 25.99 nor in 125 nor in 10.0.25.1. A negated gold ("not 25")
    does not count. It stays lenient: an answer that lists everything contains everything; report it beside exact match.
    """
    if exact_match(answer, gold, accepted):
        return True
    found = normalise(answer)
    for form in (gold, *accepted):
        wanted = normalise(form)
        if not wanted:
            continue
        for match in re.finditer(rf"(?<![\w$€£¥])(?<!\w[.,/:@'-]){re.escape(wanted)}(?![\w%])(?![.,/:@'-]\w)", found):
            if not NEGATION.search(found[: match.start()]):
                return True
    return False


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


def choice_accuracy(choices: Sequence[int | None], golds: Sequence[int]) -> float:
    """The part of choices that are the gold index; None (no choice made) is wrong; 0.0 of nothing."""
    if len(choices) != len(golds):
        raise ValueError(f"{len(choices)} choices for {len(golds)} gold indices")
    return sum(choice == gold for choice, gold in zip(choices, golds, strict=True)) / len(golds) if golds else 0.0


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes (x1, y1, x2, y2)."""
    return float(boxes.iou(np.array([a]), np.array([b]))[0, 0])


def inside(x: float, y: float, box: Box) -> bool:
    return box[0] <= x < box[2] and box[1] <= y < box[3]


def evidence_hit(
    predicted: Sequence[Box], gold: Sequence[Box], size: tuple[int, int], largest: float = 0.1
) -> bool | None:
    """Whether any predicted region shows any gold box; None where there is no gold to hit.

    A hit is IoU over 0.5, or the centre of one box inside the other (a word in its line, or a word of a gold line). A
    region over `largest` of the picture's area cannot hit by its centre: "somewhere on this page" is no evidence.
    """
    if not gold:
        return None
    limit = largest * size[0] * size[1]
    for found in predicted:
        for wanted in gold:
            if iou(found, wanted) > 0.5:
                return True
            centred = inside(*centre(wanted), found) or inside(*centre(found), wanted)
            if centred and boxes.area(found) <= limit:
                return True
    return False


def centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def wilson(k: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of k right out of n; (0, 1) of nothing."""
    if not 0 <= k <= n:
        raise ValueError(f"k must be from 0 to n, got {k} of {n}")
    if n == 0:
        return 0.0, 1.0
    p, zz = k / n, z * z
    middle = (p + zz / (2 * n)) / (1 + zz / n)
    half = z * math.sqrt(p * (1 - p) / n + zz / (4 * n * n)) / (1 + zz / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def paired_difference(
    a: Sequence[bool], b: Sequence[bool], seed: int = 0, resamples: int = 2000
) -> tuple[float, float, float]:
    """mean(b) - mean(a) over the same questions in the same order, with its 95% percentile bootstrap interval."""
    if len(a) != len(b):
        raise ValueError(f"paired comparison needs the same questions: {len(a)} and {len(b)}")
    if not a:
        return 0.0, 0.0, 0.0
    deltas = [int(y) - int(x) for x, y in zip(a, b, strict=True)]
    rng, n = random.Random(seed), len(deltas)
    means = sorted(sum(rng.choices(deltas, k=n)) / n for _ in range(resamples))
    return sum(deltas) / n, means[int(0.025 * resamples)], means[math.ceil(0.975 * resamples) - 1]
