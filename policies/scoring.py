"""When an answer is the right one: the scorer that training and evaluation share (as nanochat's tasks do).

With options the chosen index decides, without them `exact_match`. Normalisation is careful where it is usually wrong:
it never drops digits, signs, decimals or units, so that 10.70 is not 1070.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

QUOTES = str.maketrans({"‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"'})
DASHES = str.maketrans({"‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "−": "-"})
EDGES = " \t\n.,;:!?\"'`()[]{}<>*_"  # not % $ # / ~ ° + -, which carry meaning
THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\d|,\d)")
MONEY = re.compile(r"([$€£¥])\s+(?=\d)")
UNIT = re.compile(r"(?<=\d)\s+(?=(?:[kmgt]i?b|[kmg]?hz|k?g|mg|m?l|[kcm]?m|k?[vw]|ms|mw|°[cf]?|%)(?!\w))")
ARTICLE = re.compile(r"^(?:the|a|an)\s+(?=\S)")


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


def right(
    text: str, choice: int | None, options: Sequence[str] | None, gold: str, accepted: Iterable[str] = ()
) -> bool:
    """Whether a reply is right: the option it chose is the gold one; without options its text is."""
    if options:
        return choice is not None and exact_match(options[choice], gold, accepted)
    return exact_match(text, gold, accepted)
