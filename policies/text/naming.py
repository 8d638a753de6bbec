"""Names of things in texts: whether a text says a name, and which names experts are asked for and do not find."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from policies.data.scenes.scene import ABSENT
from policies.data.tree import ANY
from policies.text.places import SAME
from tools import boxes
from tools.base import Region
from tools.phrases import EXTREMES

SUPERLATIVE = re.compile(r"\b(?:most|least|\w{3,}(?:est|most))\b", re.IGNORECASE)


def says(text: str, name: str) -> bool:
    """Whether `name` stands in `text` as words of their own, maybe in the plural."""
    words = re.escape(name.strip())
    return bool(words) and bool(re.search(rf"(?<!\w){words}(?:e?s)?(?!\w)", text, re.IGNORECASE))


def missing(asked: Iterable[tuple[Sequence[str], Sequence[Region]]]) -> list[str]:
    """The names, each once, that stand on none of the regions which the expert returned that was asked for them.

    Full stops do not count: experts for objects leave them out of their labels.
    """
    out: list[str] = []
    for names, regions in asked:
        seen = [_plain(f"{region.label} {region.text or ''}") for region in regions]
        out += [name for name in names if _plain(name) and not any(says(text, _plain(name)) for text in seen)]
    return list(dict.fromkeys(out))


def one_name_each(regions: Sequence[Region]) -> list[Region]:
    """The regions without those whose place has a better one, of the same expert, of a name that says something else:
    who finds dogs and llamas on the same boxes, each name by itself, means the likelier. "car" and "red car" go
    together; "object", which any thing is, gives way to every other name."""
    found = [region for region in regions if not region.text and not region.image]
    places = np.array([region.box for region in found]).reshape(-1, 4)
    same = boxes.iou(places, places) > SAME
    words = [set(_plain(region.label).lower().split()) for region in found]
    kept: list[int] = []
    for n in sorted(range(len(found)), key=lambda n: (words[n] == {ANY}, -found[n].score)):
        rivals = [m for m in kept if same[n, m] and found[n].source == found[m].source]
        if all(words[n] <= words[m] or words[m] <= words[n] for m in rivals):
            kept.append(n)
    lost = {id(region) for n, region in enumerate(found) if n not in kept}
    return [region for region in regions if id(region) not in lost]


def leaves_open(text: str, question: str) -> bool:
    """Whether a call, as the model writes it, asks for any object at all (`ground: red car; object`), as the question
    may itself ("which object is nearest to the red car?"), or for something that the question does not say."""
    names = [name.strip() for line in text.splitlines() for name in line.partition(":")[2].split(";")]
    return any(name and (says(question, ANY) or name == ANY or not _hinted(question, name)) for name in names)


def _hinted(text: str, name: str) -> bool:
    """Whether `text` has every word of `name`, in whatever form of it: "knife" in "two sharp knives"."""
    said = re.findall(r"\w+", text.lower())
    stems = [word[: max(3, len(word) - 2)] for word in re.findall(r"\w+", name.lower())]
    return all(any(word.startswith(stem) for word in said) for stem in stems)


def name_things(options: Sequence[str]) -> bool:
    """Whether options can be what to look for: none of them has a digit."""
    return not any(any(char.isdigit() for char in option) for option in options)


def as_asked(names: Iterable[str], question: str) -> list[str]:
    """The names as the question says them where it means one of several: "swan" in "the leftmost swan" is "leftmost
    swan". Experts can tell which one that is, and a small model, shown all of them, hardly can."""

    def told(name: str) -> str:
        before = rf"(?<!\w)({'|'.join(EXTREMES)}) (?:of (?:all )?(?:the )?)?"
        found = re.search(rf"{before}{re.escape(name)}(?!\w)", question, re.IGNORECASE)
        return f"{found[1].lower()} {name}" if found and name else name

    return list(dict.fromkeys(map(told, names)))


def absent_option(options: Sequence[str] | None) -> int | None:
    """The number of the option "not in the image"; None where all options say that what is asked about is there."""
    return next((n for n, option in enumerate(options or ()) if option.strip().casefold() == ABSENT), None)


def guess_for(names: Sequence[str], question: str, options: Sequence[str] | None) -> Literal["one", "each"] | None:
    """How an expert is asked to guess. Where the options leave no room for "not in the image", all that a question
    names is there; but where it asks which of the options is, one of `names`, which are all options then. "Which is the
    largest?" compares what is all there."""
    if not options or absent_option(options) is not None:
        return None
    choices = {name.casefold() for name in names} <= {option.casefold() for option in options}
    return "one" if choices and not SUPERLATIVE.search(question) else "each"


def _plain(text: str) -> str:
    return " ".join(text.replace(".", " ").split())
