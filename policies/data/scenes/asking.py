"""How scenes ask: options, distractors that are near misses, other forms of an answer, and which phrasing.

Pure functions shared by all scenes. Two answers that a lenient scorer would take for the same ("4.20" and "4.2",
"three" and "3") are never both options. "Not in the image" is an option of some questions whose answer is there, so that
seeing it gives nothing away.
"""

# ruff: noqa: SIM905 (word lists read best as one string)

from __future__ import annotations

import datetime
import itertools
import random
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache
from typing import Literal

from policies.data.scenes.scene import ABSENT, Box, SceneQuestion, Split, Track, of_split, visible_at_thumbnail

Form = Literal["count", "number", "money", "percent", "time", "date", "text"]

_WORDS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen twenty""".split()
_CURRENCY = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "CHF": "CHF", "kr": "SEK"}
_MONEY = r"US\$|USD|EUR|GBP|CHF|JPY|SEK|kr|[$€£¥]"
_MONTHS = "%d %B %Y|%B %d, %Y|%d %b %Y|%b %d, %Y|%Y-%m-%d".split("|")
_DAYS_FIRST = "%d.%m.%Y|%d/%m/%Y|%d-%m-%Y".split("|")
_IRREGULAR = dict(
    pair.split(":")
    for pair in "knife:knives leaf:leaves wolf:wolves shelf:shelves loaf:loaves scarf:scarves mouse:mice goose:geese foot:feet"
    " child:children person:people man:men woman:women tooth:teeth ox:oxen sheep:sheep fish:fish deer:deer".split()
)


def question(
    text: str,
    answer: str,
    options: tuple[str, ...],
    evidence: Sequence[Box],
    kind: str,
    track: Track,
    size: tuple[int, int],
    accepted: Iterable[str] = (),
) -> SceneQuestion:
    """A question about a picture of `size`; boxes (pixels) are cut to the picture."""
    width, height = size
    boxes = [(max(0.0, x1), max(0.0, y1), min(float(width), x2), min(float(height), y2)) for x1, y1, x2, y2 in evidence]
    boxes = [tuple(round(value, 1) for value in box) for box in boxes]  # type: ignore[misc]
    forms = tuple(dict.fromkeys(form for form in accepted if form != answer))
    seen = visible_at_thumbnail(boxes, size, track)
    return SceneQuestion(text, answer, options, tuple(boxes), kind, track, forms, seen)


# Options


def four_options(
    rng: random.Random,
    answer: str,
    candidates: Iterable[str],
    fallback: Callable[[random.Random], str],
    right: Collection[str] = (),
    absent: float = 0.15,
) -> tuple[str, ...]:
    """The answer and three wrong ones in random order.

    `candidates` (other values of the same picture and type) come first; `fallback` makes one more wrong value each time
    it is called. `right`: further values that are right too, so never options. `absent`: how often ABSENT is a distractor.
    """
    taken = [answer, *right]
    wrong: list[str] = []
    value = as_number(answer)
    enough = 3 if value is None else 12

    def take(option: str) -> None:
        if option.strip() and not any(same(option, other) for other in taken):
            wrong.append(option)
            taken.append(option)

    pool = list(dict.fromkeys(candidates))
    rng.shuffle(pool)
    for option in pool:
        if len(wrong) < enough:
            take(option)
    given = len(wrong)
    for tried in range(200):
        if len(wrong) >= (enough if value is None or tried < 40 else 3):
            break
        take(fallback(rng))
    if len(wrong) < 3:
        raise ValueError(f"no three wrong options for {answer!r}")
    if value is not None and given < 3 and all(as_number(option) is not None for option in wrong):
        wrong = around(rng, value, wrong)
    wrong = wrong[:3]
    if answer != ABSENT and rng.random() < absent and not any(same(ABSENT, option) for option in (*right, *wrong)):
        wrong[-1] = ABSENT
    options = [answer, *wrong]
    rng.shuffle(options)
    return tuple(options)


def around(rng: random.Random, value: float, wrong: Sequence[str]) -> list[str]:
    """Three of the wrong options, so many of them below `value` that its rank among the four says nothing about it."""
    found = [(option, as_number(option)) for option in wrong]
    below = [option for option, number in found if number is not None and number < value]
    above = [option for option in wrong if option not in below]
    rank = rng.randrange(4)
    lower = below[: max(rank, 3 - len(above))]
    return lower + above[: 3 - len(lower)]


def same(a: str, b: str) -> bool:
    """Whether a lenient scorer could take one for the other: case, spaces, marks, articles, number words, 4.20 = 4.2."""
    if key(a) == key(b):
        return True
    x, y = as_number(a), as_number(b)
    return x is not None and x == y


@lru_cache(maxsize=4096)
def key(text: str) -> str:
    """The letters and digits that matter, for comparing two answers."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    words = [word for word in re.findall(r"[^\W_]+", plain) if word not in ("a", "an", "the")]
    return "".join(str(_WORDS.index(word)) if word in _WORDS else word for word in words) or plain.strip()


@lru_cache(maxsize=4096)
def as_number(text: str) -> float | None:
    """The value of a number, an amount of money or a percentage ("$1,204.50", "1 204,50 €"); else None."""
    plain = re.sub(rf"(?:{_MONEY}|%)", "", text).strip().replace("\u00a0", " ").replace("−", "-")
    if plain.casefold() in _WORDS:
        return float(_WORDS.index(plain.casefold()))
    if re.fullmatch(r"[-+]?\d{1,3}([ .,]\d{3})+([.,]\d{1,2})?", plain):
        last = re.search(r"[.,](\d{1,2})$", plain)
        whole = plain[: last.start()] if last else plain
        return float(re.sub(r"[ .,]", "", whole) + (f".{last[1]}" if last else ""))
    if re.fullmatch(r"[-+]?\d+([.,]\d+)?", plain):
        return float(plain.replace(",", "."))
    return None


# Distractors: one near miss a call


def near_digits(rng: random.Random, text: str) -> str:
    """One digit changed, or two neighbours swapped; the format stays ("$14.50" -> "$41.50"). For codes, amounts, phones."""
    places = [i for i, char in enumerate(text) if char.isdigit()]
    if not places:
        return near_letters(rng, text)
    chars = list(text)
    pairs = [(i, j) for i, j in itertools.pairwise(places) if chars[i] != chars[j] and chars[j] != "0"]
    if pairs and rng.random() < 0.4:
        i, j = rng.choice(pairs)
        chars[i], chars[j] = chars[j], chars[i]
    else:
        i = rng.choice(places)
        leading = i == places[0] and len(places) > 1
        chars[i] = rng.choice([digit for digit in "123456789" + ("" if leading else "0") if digit != chars[i]])
    return "".join(chars)


def near_letters(rng: random.Random, text: str) -> str:
    """One capital letter changed, or the last word dropped: for codes without digits; else the text with a letter doubled."""
    places = [i for i, char in enumerate(text) if char.isascii() and char.isalpha()]
    if not places:
        return text + rng.choice("ABCDEF")
    i = rng.choice(places)
    letters = "ABCDEFGHKLMNPRSTUVWXYZ" if text[i].isupper() else "abcdefghkmnoprstuvwyz"
    return text[:i] + rng.choice([letter for letter in letters if letter != text[i]]) + text[i + 1 :]


def near_count(rng: random.Random, count: int) -> str:
    """A whole number one to three away, not below 0."""
    return str(max(0, count + rng.choice([-3, -2, -2, -1, -1, 1, 1, 2, 2, 3, 4])))


def near_number(rng: random.Random, text: str) -> str:
    """A wrong value for a number or an amount: a digit slip, or a tenth more or less in the same format."""
    value = as_number(text)
    found = re.search(r"\d[\d ,.]*", text)
    if value is None or found is None or rng.random() < 0.5 or not re.fullmatch(r"\d+(\.\d+)?", found[0].strip()):
        return near_digits(rng, text)
    digits = found[0].strip()
    places = len(digits.partition(".")[2])
    step = max(10.0**-places, round(abs(value) * rng.choice([0.05, 0.1, 0.2]), places))
    return text.replace(digits, f"{max(0.0, abs(value) + rng.choice([-1, 1]) * step):.{places}f}", 1)


def near_time(rng: random.Random, text: str) -> str:
    """A time some minutes before or after, written the same way ("14:05", "2:05 PM", "14.05")."""
    found = re.search(r"(\d{1,2})([:.h])(\d{2})", text)
    if found is None:
        return near_digits(rng, text)
    minutes = int(found[1]) * 60 + int(found[3]) + rng.choice([-60, -30, -20, -15, -10, -5, 5, 10, 15, 20, 30, 60, 90])
    hours = 12 if re.search(r"[ap]\.?m", text, re.IGNORECASE) else 24
    hour = minutes // 60 % hours
    if hours == 12 and hour == 0:
        hour = 12
    number = f"{hour:02d}" if len(found[1]) == 2 and (found[1][0] == "0" or hours == 24) else str(hour)
    return f"{text[: found.start()]}{number}{found[2]}{minutes % 60:02d}{text[found.end() :]}"


def near_date(rng: random.Random, day: datetime.date, style: str) -> str:
    """A day, week, month or year off, written in the same `strftime` style."""
    return (
        day
        + datetime.timedelta(
            days=rng.choice([-365, -61, -31, -30, -14, -7, -3, -2, -1, 1, 2, 3, 7, 10, 14, 30, 31, 61, 365])
        )
    ).strftime(style)


# Other forms of the same answer


def accepted_forms(value: str | int | datetime.date, form: Form) -> tuple[str, ...]:
    """Other ways to write the same answer that a person would count as right, without guessing what was not printed."""
    if isinstance(value, datetime.date):
        return tuple(dict.fromkeys(_date_forms(value)))
    text = str(value).strip()
    if form == "count":
        return (text, _WORDS[int(text)]) if text.isdecimal() and int(text) < len(_WORDS) else (text,)
    if form == "time":
        return tuple(dict.fromkeys(_time_forms(text)))
    forms = [text]
    number = as_number(text)
    if number is not None and form in ("number", "money", "percent"):
        bare = re.sub(rf"(?:{_MONEY}|%)", "", text).strip()
        places = len(re.search(r"(?:[.,](\d{1,2}))?$", bare)[1] or "") if form == "money" else _places(number)  # type: ignore[index]
        plain = f"{number:.{places}f}"
        forms += [bare, plain, f"{number:,.{places}f}", f"{number:.{_places(number)}f}"]
        if form == "percent":
            forms += [f"{plain}%", f"{plain} %", f"{plain} percent"]
        for sign, name in _CURRENCY.items():
            if form == "money" and (sign in text or name in text):
                forms += [f"{mark}{plain}" for mark in (sign, f"{sign} ", f"{name} ")]
                forms += [f"{plain}{mark}" for mark in (sign, f" {sign}", f" {name}")]
    return tuple(dict.fromkeys(forms))


def _places(number: float) -> int:
    return len(f"{number:.4f}".rstrip("0").partition(".")[2])


def _time_forms(text: str) -> list[str]:
    found = re.search(r"(\d{1,2})[:.h](\d{2})\s*([ap])?\.?(m)?", text, re.IGNORECASE)
    if found is None:
        return [text]
    hour, minute, half = int(found[1]), found[2], (found[3] or "").lower()
    if half:
        day = hour % 12 + (12 if half == "p" else 0)
        mark = half.upper() + "M"
        return [text, f"{hour}:{minute} {mark}", f"{hour}:{minute}{mark}", f"{hour}:{minute}", f"{day:02d}:{minute}"]
    twelve = f"{(hour - 1) % 12 + 1}:{minute} {'AM' if hour < 12 else 'PM'}"
    return [text, f"{hour:02d}:{minute}", f"{hour}:{minute}", f"{hour:02d}.{minute}", f"{hour:02d}{minute}", twelve]


def _date_forms(day: datetime.date) -> list[str]:
    styles = [*_MONTHS, *(_DAYS_FIRST if day.day > 12 or day.day == day.month else [])]
    forms = [day.strftime(style) for style in styles]
    return [*forms, *(re.sub(r"\b0(\d)\b(?!-)", r"\1", form) for form in forms if "-" not in form)]


# Words


def phrase(rng: random.Random, split: Split, templates: Sequence[str], **slots: object) -> str:
    """One of the phrasings this split may use, filled in. Some phrasings are kept for `unseen`."""
    return rng.choice(of_split(templates, split)).format(**slots)


def article(noun: str) -> str:
    """ "a teapot", "an hour"."""
    vowel = noun[:1].lower() in "aeiou" and not re.match(r"(?i)(uni|use|eu|one\b|ukulele)", noun)
    return f"{'an' if vowel or re.match(r'(?i)(hour|honest|heir)', noun) else 'a'} {noun}"


def plural(noun: str, count: int = 2) -> str:
    """The plural of an English noun ("teapots", "red pandas", "knives"); the noun itself for a count of 1."""
    if count == 1:
        return noun
    head, space, last = noun.rpartition(" ")
    lower = last.lower()
    if lower in _IRREGULAR:
        last = _IRREGULAR[lower]
    elif re.search(r"(s|x|z|ch|sh)$", lower) or lower in ("potato", "tomato", "hero", "mango", "volcano"):
        last += "es"
    elif re.search(r"[^aeiou]y$", lower):
        last = last[:-1] + "ies"
    else:
        last += "s"
    return f"{head}{space}{last}"
