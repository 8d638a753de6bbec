"""Trees waiting to be put together: those of like length make a group within the token budget, groups are shuffled.

A run can stop at any tree: the state names every tree that waits by its item and number in it, and a source gives the
same trees for the same item again, so that a checkpoint holds no data.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from policies.data.tree import Tree

Name = tuple[int, int]  # the item of a source, and which of its trees


class Pool:
    """`add` trees of items in order, `take` groups of at most `tokens` padded tokens; None: it wants more trees."""

    def __init__(self, length: Callable[[Tree], int], tokens: int, size: int, seed: int) -> None:
        self.length, self.tokens, self.size = length, tokens, size
        self.rng = random.Random(seed)
        self.waiting: list[Name] = []
        self.ready: list[list[Name]] = []
        self.next = 0  # the number of items taken in
        self.too_long = 0
        self._trees: dict[Name, tuple[Tree, int]] = {}

    def add(self, item: int, trees: Sequence[Tree]) -> None:
        """Take in the next item; trees over the budget are left out and counted."""
        for number, tree in enumerate(trees):
            long = self.length(tree)
            if long > self.tokens:
                self.too_long += 1
            elif any(branch.target for branch in tree.branches):
                self.waiting.append((item, number))
                self._trees[item, number] = (tree, long)
        self.next += 1

    def take(self) -> list[Tree] | None:
        if not self.ready and len(self.waiting) >= self.size:
            self._group()
        return [self._trees.pop(name)[0] for name in self.ready.pop()] if self.ready else None

    def _group(self) -> None:
        self.waiting.sort(key=lambda name: self._trees[name][1], reverse=True)
        widest = 0
        for name in self.waiting:
            if self.ready and widest * (len(self.ready[-1]) + 1) <= self.tokens:
                self.ready[-1].append(name)
            else:
                self.ready.append([name])
                widest = self._trees[name][1]
        self.waiting = []
        self.rng.shuffle(self.ready)

    def state(self) -> dict[str, Any]:
        """JSON values."""
        version, words, gauss = self.rng.getstate()
        return {
            "waiting": self.waiting,
            "ready": self.ready,
            "next": self.next,
            "too_long": self.too_long,
            "rng": [version, list(words), gauss],
        }

    def load(self, state: dict[str, Any]) -> list[int]:
        """Go on from `state`; returns the items whose trees must be given to `refill`, in order."""
        self.waiting = [(item, number) for item, number in state["waiting"]]
        self.ready = [[(item, number) for item, number in group] for group in state["ready"]]
        self.next, self.too_long = state["next"], state["too_long"]
        version, words, gauss = state["rng"]
        self.rng.setstate((version, tuple(words), gauss))
        return sorted({item for item, _ in [*self.waiting, *(name for group in self.ready for name in group)]})

    def refill(self, item: int, trees: Sequence[Tree]) -> None:
        """The trees of an item that waited when the run stopped."""
        wanted = {*self.waiting, *(name for group in self.ready for name in group)}
        for number, tree in enumerate(trees):
            if (item, number) in wanted:
                self._trees[item, number] = (tree, self.length(tree))
