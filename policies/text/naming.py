"""Names of things in texts: whether a text says a name, and which names experts are asked for and do not find."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from policies.data.scenes.scene import ABSENT
from policies.data.tree import ANY
from tools.base import Region
from tools.phrases import EXTREMES


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


def leaves_open(text: str) -> bool:
    """Whether a call asks for any object at all, as the model writes it: `ground: red car; object`."""
    return any(ANY in (name.strip() for name in line.partition(":")[2].split(";")) for line in text.splitlines())


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


def presupposes(options: Sequence[str] | None) -> bool:
    """Whether the options leave no room for "not in the image": an expert's best guess is better than nothing then."""
    return bool(options) and absent_option(options) is None


def _plain(text: str) -> str:
    return " ".join(text.replace(".", " ").split())
