"""How a controller's answer is read: the text itself, the option it chose, the regions it rests on.

"The answer is A" is option A and "the answer is black" is not option B: a letter counts only where a letter is meant,
and what stays ambiguous is `None`, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.types import Answer, View
from tools.base import Region

MAX_CHARS = 20_000
MAX_EVIDENCE = 8
_LETTER = re.compile(r"^[\W_]*([A-Za-z])(?:[).:\]]+|[\s\W]*$)(?=\W|$)")
_PHRASE = re.compile(
    r"\b(?:answer|option|choice|letter|choose|select|pick)\b(?:\s+(?:is|would be|should be|option|letter|choice))*"
    r"[\s:=*_\"'`]{1,8}[(\[]?([A-Z])(?![\w'’])(.{0,24})",
    re.IGNORECASE | re.DOTALL,
)
_AFTER_LETTER = {"because", "since", "as", "and", "for", "based", "which", "with", "due", "given", "in", "but", "is"}
_ALTERNATIVE = re.compile(r"\s*(?:or\b|and\b|/)")  # "black or white" chooses nothing
_BOXED = re.compile(r"\\boxed\{([^{}]{1,200})\}")


def read_answer(text: str, view: View, confidence: float | None = None) -> Answer:
    """The answer in a controller's final turn; an option's number or letter becomes the option's text."""
    said = clean(text)
    choice = read_choice(said, view.options) if view.options else None
    if view.options and choice is not None:
        said = view.options[choice]
    return Answer(text=said, choice=choice, evidence=find_evidence(said, view.regions), confidence=confidence)


def clean(text: str) -> str:
    """The reply without thoughts, fences and a leading "Answer:"."""
    text = text[:MAX_CHARS]
    if "</think>" in text:
        text = text.rpartition("</think>")[2]
    elif "<think>" in text:
        text = text.partition("<think>")[0]
    if boxed := _BOXED.findall(text):
        text = boxed[-1]
    text = text.strip().strip("`").strip()
    for prefix in ("final answer:", "the answer is:", "answer:"):
        if text.casefold().startswith(prefix):
            text = text[len(prefix) :].strip()
    if len(text) > 4 and text.startswith("**") and text.endswith("**") and text.count("**") == 2:
        text = text[2:-2].strip()
    return text


def read_choice(text: str, options: Sequence[str]) -> int | None:
    """The index of the option that a reply chose, or None when it chose none or the reply is ambiguous."""
    text = text[:MAX_CHARS].strip()
    folded, plain = [fold(option) for option in options], fold(text)
    if not plain:
        return None
    letter = _LETTER.match(text)
    if letter and (index := place(letter[1], options)) is not None:
        return index
    if plain in folded:
        return folded.index(plain)
    for found in reversed(list(_PHRASE.finditer(text))):
        if (index := place(found[1], options)) is not None and means_letter(found[1], found[2], found[0]):
            return index
    last = re.split(r"\banswer is\b|\banswer:", text, flags=re.IGNORECASE)[-1]
    for part in (fold(last), plain):
        starts = [index for index, option in enumerate(folded) if option and starts_with(part, option)]
        best = max(starts, key=lambda index: len(folded[index]), default=None)
        if best is not None and not _ALTERNATIVE.match(part[len(folded[best]) :]):
            return best
    if (index := mentioned(plain, folded)) is not None:
        return index
    letters = {found for found in re.findall(r"(?<![\w'’.])[A-Z](?![\w'’])", text) if found not in "AI"}
    indexes = {index for found in letters if (index := place(found, options)) is not None}
    return indexes.pop() if len(indexes) == 1 and not any(option in plain for option in folded if option) else None


def means_letter(letter: str, after: str, whole: str) -> bool:
    """Whether a letter after "the answer is" names an option and is no article, pronoun or initial."""
    bracketed = f"({letter})" in whole or f"[{letter}]" in whole
    if bracketed:
        return True
    if not letter.isupper():
        return not after.strip()
    if letter not in "AI" or not after[:1].isspace():
        return True
    word = re.match(r"\s+(\w+)", after)
    return word is None or word[1].casefold() in _AFTER_LETTER


def letter_of(choice: int) -> str:
    """0 is `A`."""
    return chr(ord("A") + choice)


def place(letter: str, options: Sequence[str]) -> int | None:
    index = ord(letter.upper()) - ord("A")
    return index if 0 <= index < len(options) else None


def fold(text: str) -> str:
    """Lower case, single spaces, no punctuation at the ends, no letter of an option in front."""
    return " ".join(text.casefold().split()).strip(" .,:;!?*_\"'`()[]“”‘’")


def starts_with(text: str, option: str) -> bool:
    rest = text[len(option) :]
    return text.startswith(option) and not rest[:1].isalnum()


def mentioned(text: str, options: Sequence[str]) -> int | None:
    """The one option that occurs in the text as whole words outside of longer options, or None."""
    found = set()
    for index in sorted(range(len(options)), key=lambda index: -len(options[index])):
        option = options[index]
        pattern = re.compile(rf"(?<!\w){re.escape(option)}(?!\w)") if option else None
        if pattern and pattern.search(text):
            found.add(index)
            text = pattern.sub(" \0 ", text)
    return found.pop() if len(found) == 1 else None


def find_evidence(answer: str, regions: Sequence[Region]) -> list[Region]:
    """The regions that an answer rests on: text that holds the answer or is in it, objects that it names."""
    wanted = fold(answer)
    words = set(re.findall(r"\w+", wanted))
    if not words:
        return []
    scored = []
    for order, region in enumerate(regions):
        text = fold(region.text if region.text is not None else region.label)
        has = set(re.findall(r"\w+", text))
        if not has:
            continue
        inside = starts_with(text, wanted) or f" {wanted} " in f" {text} "
        part = len(text) > 2 and f" {text} " in f" {wanted} "
        share = len(words & has) / len(words)
        if inside or part or share >= 0.6:
            scored.append((-(inside + share + len(words & has) / len(has)), order))
    chosen = sorted(scored)[:MAX_EVIDENCE]
    if chosen:
        return [regions[order] for _, order in chosen]
    seen = [region for region in regions if region.text is None]
    return seen if len(seen) <= 4 else []
