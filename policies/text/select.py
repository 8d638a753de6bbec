"""Choose the rows that bear on a question, with their neighbours, so that a page of hundreds of lines fits a small
prompt.

Plain lexical retrieval made for noisy reading: rare words of the question count most, words match by stem or inside
run-together text, and a row that holds the kind of value asked for (a date, a price, a number to call) gets a bonus.
Around each chosen row come its neighbours and the head of its table; the first and the largest rows of the page
always come.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from policies.text.rows import Row, runs

STOP = frozenset(  # words of questions that point at nothing on a page
    (  # noqa: SIM905
        "a an and are at be by can do does did for from give given has have he how i in is it its me of on or please s "
        "she shown that the their there these they this to was were what when where which who whom whose will with "
        "would you your find tell image picture page document say says written stated listed here many much long name"
    ).split()
)
KINDS: tuple[tuple[str, str], ...] = (  # what a question says, what the row that answers it looks like
    (
        r"\b(when|date|day|deadline|until|issued|born|expir|year|month)",
        r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\b(1[5-9]|20)\d\d\b|\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)",
    ),
    (r"\b(when|time|hour|open|start|begin|leave|arrive|depart|clos)", r"\b\d{1,2}[:.]\d\d\b|\b\d{1,2} ?[ap]\.?m\b"),
    (
        r"\b(how much|cost|price|pay|paid|total|amount|fee|expensive|sum|charge|tax|money|discount)",
        r"[$€£¥]|\b(usd|eur|chf|gbp)\b|\d[.,]\d\d\b",
    ),
    (r"\b(phone|call|telephone|number|fax|reach|hotline|mobile)", r"\+?\d[\d ()/.-]{6,}\d"),
    (r"\b(e-?mail|write|contact)", r"@"),
    (r"\b(web|url|site|online|internet|link|address)", r"www|https?:|\.(com|org|net|edu|gov|de|io|info)\b"),
    (
        r"\b(how (many|old|long|far|tall|large|big|high)|number|count|page|percent|share|version)"
        r"|\b(figure|chapter|section)",
        r"\d",
    ),
    (r"\b(who|whom|whose|author|name|signed|written by)", r"\b[A-Z][a-z]+\.? [A-Z]"),
    (r"\b(percent|percentage|share|rate)", r"%"),
)
RELATED: tuple[frozenset[str], ...] = tuple(
    frozenset(words.split())
    for words in (
        "pay paid payable due total amount balance sum",
        "cost price fee charge rate",
        "phone call telephone tel mobile fax",
        "email mail write contact",
        "website web url online internet www http",
        "author written wrote by editor",
        "publish published publisher press",
        "expire expires expiry valid best before use",
        "weigh weight heavy mass net",
        "born birth birthday",
        "signed signature sincerely",
        "customer client bill buyer",
        "start starts begin begins opening opens from",
        "end ends until close closes closing",
        "leave leaves depart departs departure",
        "arrive arrives arrival",
        "where location place venue address room",
        "released release version",
        "job occupation profession position work",
        "founded established since",
        "maximum max highest",
        "minimum min lowest",
        "licence license licensed",
        "default value",
        "shortcut key keys press",
        "made make manufactured produced origin",
    )
)


def select_rows(rows: Sequence[Row], question: str, cost: Callable[[Row], int], budget: int) -> list[int]:
    """Numbers of the rows to show, ascending, costing at most `budget` together (`cost` is tokens of a row)."""
    costs = [cost(row) for row in rows]
    if sum(costs) <= budget:
        return list(range(len(rows)))
    scores = relevance(rows, question)
    run_of = {id(row): run for run in runs(rows) for row in run}
    index = {id(row): number for number, row in enumerate(rows)}
    chosen: set[int] = set()
    spent = 0

    def take(number: int) -> None:
        nonlocal spent
        if 0 <= number < len(rows) and number not in chosen and spent + costs[number] <= budget:
            chosen.add(number)
            spent += costs[number]

    tallest = max(range(len(rows)), key=lambda i: max(c.box[3] - c.box[1] for c in rows[i].cells))
    order = sorted(range(len(rows)), key=lambda i: (-scores[i], i))
    for number in order[:3]:
        take(number)
    take(0)
    take(tallest)
    for number in order[:10]:
        if scores[number] <= 0 and chosen:
            break
        run = run_of[id(rows[number])]
        take(number)
        if len(rows[number].cells) > 1:
            head = next((r for r in run if len(r.cells) > 1), run[0])
            take(index[id(head)])
        for step in (1, -1, 2, 3):
            take(number + step)
    for number in [*order, *range(len(rows))]:
        take(number)
    return sorted(chosen)


def relevance(rows: Sequence[Row], question: str) -> list[float]:
    """A score a row: the sum over the question's words of match x rarity, plus half a point for the kind of value."""
    words = [w for w in dict.fromkeys(_words(question)) if w not in STOP]
    row_words = [set(_words(row.text)) for row in rows]
    glued = ["".join(_words(row.text)) for row in rows]
    scores = [0.0] * len(rows)
    for word in words:
        related = frozenset().union(*(group for group in RELATED if word in group)) - {word}
        hits = [_match(word, related, row_words[i], glued[i]) for i in range(len(rows))]
        rarity = math.log(1 + len(rows) / (1 + sum(1 for hit in hits if hit)))
        for i, hit in enumerate(hits):
            scores[i] += hit * rarity
    lower = question.lower()
    for cue, value in KINDS:
        if re.search(cue, lower):
            flags = 0 if "A-Z" in value else re.IGNORECASE
            for i, row in enumerate(rows):
                if re.search(value, row.text, flags):
                    scores[i] += 0.5
    return scores


def _words(text: str) -> list[str]:
    return [w for w in re.findall(r"[^\W_]+", text.lower()) if len(w) > 1 or w.isdigit()]


def _match(word: str, related: frozenset[str], words: set[str], glued: str) -> float:
    if word in words:
        return 1.0
    if len(word) >= 4 and any(
        w[: max(4, len(word) - 3)] == word[: max(4, len(word) - 3)] for w in words if len(w) >= 4
    ):
        return 0.8
    if len(word) >= 5 and word in glued:
        return 0.7
    return 0.5 if related & words else 0.0
