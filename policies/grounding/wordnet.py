"""What WordNet says of a name: a short definition and what it is a kind of, for names of things one can see.

The text encoder is taught with these (`text.py`), so that a name training never showed lies near things like it. Read
from the two text files of Debian's `wordnet-base` (WordNet 3.0, its licence allows any use with the notice kept).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tools.errors import UsageError

SEEN_ROOTS = ("physical entity", "living thing", "artifact", "food", "plant", "animal")


@dataclass(frozen=True)
class Sense:
    """One meaning: its other names, what it is directly a kind of, a definition."""

    names: tuple[str, ...]
    above: tuple[str, ...]  # offsets of hypernyms
    definition: str


class WordNet:
    """Nouns only. `folder` holds `data.noun` and `index.noun`. Raises UsageError if it does not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("data.noun", "index.noun"):
            if not (folder / name).is_file():
                raise UsageError(f"{folder} has no {name}; give the folder dict/ of WordNet (Debian: wordnet-base)")
        self.senses = dict(_senses(folder / "data.noun"))

    @cached_property
    def index(self) -> dict[str, list[str]]:
        """Noun -> offsets of its senses, the most usual first."""
        found = {}
        for line in _lines(self.folder / "index.noun"):
            parts = line.split()
            found[parts[0].replace("_", " ")] = parts[-int(parts[2]) :]
        return found

    def about(self, name: str) -> tuple[str, list[str]] | None:
        """The definition of a name and the names of up to six kinds above it; None if WordNet does not know it.

        The first sense that is a thing one can see counts; of an unknown compound, the sense of its last word.
        """
        for form in (name, name.rstrip("s"), name.split()[-1], name.split()[-1].rstrip("s")):
            offsets = self.index.get(form.replace("’", "'"))
            if offsets:
                best = next((one for one in offsets if self.visible(one)), offsets[0])
                return self.senses[best].definition, self.chain(best, 6)
        return None

    def visible(self, offset: str) -> bool:
        return any(name in SEEN_ROOTS for name in self.chain(offset, 20))

    def chain(self, offset: str, most: int) -> list[str]:
        """Names of the kinds above, nearest first."""
        names: list[str] = []
        while len(names) < most and self.senses[offset].above:
            offset = self.senses[offset].above[0]
            names.append(self.senses[offset].names[0])
        return names

    def things(self) -> list[str]:
        """Every noun of at most two words, not a proper or a Latin name, that can be a thing one sees; sorted."""
        return sorted(
            name
            for name, offsets in self.index.items()
            if name.replace(" ", "").isalpha()
            and name.count(" ") < 2
            and any(self._thing(name, one) for one in offsets)
        )

    def _thing(self, name: str, offset: str) -> bool:
        return name in self.senses[offset].names and self.visible(offset)


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="latin-1").splitlines() if not line.startswith("  ")]


def _senses(path: Path) -> list[tuple[str, Sense]]:
    """Fields by position, as `wndb(5WN)` describes them."""
    found = []
    for line in _lines(path):
        head, _, gloss = line.partition("|")
        parts = head.split()
        count = int(parts[3], 16)
        names = tuple(parts[4 + 2 * number].replace("_", " ") for number in range(count))
        pointers = parts[4 + 2 * count :]
        above = tuple(
            pointers[2 + 4 * number] for number in range(int(pointers[0])) if pointers[1 + 4 * number] in ("@", "@i")
        )
        found.append((parts[0], Sense(names, above, gloss.strip().split('; "')[0])))
    return found
