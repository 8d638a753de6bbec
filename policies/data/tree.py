"""What is trained on: trees of token ids with their pictures, and the source that makes them.

A tree is one prefix (experts at hand, the picture, a focus turn, rows of a page) and branches over it (a question and
its target). The prefix is encoded once for all its branches, in training as in use. Placeholders stay single here, one
`<image>` or `<|region|>` for each picture; the trainer expands them by the allocation rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol as Interface

import numpy as np

ANY = "object"  # what an expert for objects is asked for where a question leaves open which thing it is about
UnitBox = tuple[float, float, float, float]  # x1 y1 x2 y2, 0-1 of the picture padded to its centred square


@dataclass
class Looks:
    """The regions that the placeholders of one prompt stand for, in their order: `crops` uint8 `[R, S, S, 3]` (boxes
    x1.2, stretched; S is the tower's side) and `boxes`, R places for the pathways that pool from the whole picture."""

    crops: np.ndarray
    boxes: list[UnitBox]

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass
class Branch:
    """A question and its target; the loss is on `target` alone. `looks`: regions that `prompt` appends (append mode)."""

    prompt: list[int]
    target: list[int]
    kind: str = ""
    looks: Looks | None = None


@dataclass
class Tree:
    """`image` uint8 `[S, S, 3]`, the whole picture padded to a square, for the `<image>` in `prefix` (None without);
    `looks`: the regions in `prefix`."""

    prefix: list[int]
    branches: list[Branch] = field(default_factory=list)
    image: np.ndarray | None = None
    looks: Looks | None = None

    def __len__(self) -> int:
        """Tokens with placeholders counted once."""
        return len(self.prefix) + sum(len(b.prompt) + len(b.target) for b in self.branches)


class Source(Interface):
    """Endless training data: item `index` gives the same trees in every process, so a run can go on at any item."""

    def trees(self, index: int) -> list[Tree]: ...

    def digest(self) -> str:
        """Hash of everything that decides what `trees` gives; recorded with a run."""
        ...
