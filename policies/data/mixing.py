"""Several sources as one, and the generated pages of the text path as a source among others.

Which source an item comes from follows from the item's number alone, so that a run can go on at any item and worker
processes need not speak to each other.
"""

from __future__ import annotations

import hashlib
import random
from bisect import bisect
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

from policies.data.digests import digest_of
from policies.data.text_samples import make_trees
from policies.data.tree import Branch, Source, Tree
from policies.data.visual_scene import Optics
from policies.text.protocol import Protocol
from tools.errors import UsageError

VERSION = 1
REALLY_READ = 0.25  # of the pages, where readings are given


class TextSource:
    """Generated pages: item `index` is the page of seed `first + index`, at times one of `readings` in its place.

    With `optics` the rendered page goes along as the whole picture, for a model with a vision tower; without, trees are
    those of the text path. Readings have no pictures: `UsageError` for both.
    """

    def __init__(
        self, protocol: Protocol, first: int = 0, readings: Path | None = None, optics: Optics | None = None
    ) -> None:
        from policies.data import read_pages

        if readings and optics:
            raise UsageError(f"{readings} holds pages without their pictures: leave it out for a model that sees")
        self.protocol, self.first, self.optics = protocol, first, optics
        self.readings = read_pages.load(readings) if readings else []
        self._sha256 = hashlib.sha256(readings.read_bytes()).hexdigest() if readings else ""

    def trees(self, index: int) -> list[Tree]:
        seed = self.first + index
        if self.optics is not None:
            return self._seen(seed, self.optics)
        rng = random.Random(seed)
        reading = rng.choice(self.readings) if self.readings and rng.random() < REALLY_READ else None
        return make_trees(seed, self.protocol, reading)

    def _seen(self, seed: int, optics: Optics) -> list[Tree]:
        from policies.data.documents import make_page
        from policies.data.page import render
        from policies.data.values import Values

        page = make_page(seed)
        image = optics.whole(render(page, Values(seed)))
        trees = make_trees(seed, self.protocol, image=True, page=page)
        for tree in trees:
            tree.image = image
        return trees

    def digest(self) -> str:
        probe = [(tree.prefix, [(b.prompt, b.target) for b in tree.branches]) for tree in make_trees(0, self.protocol)]
        return digest_of("TextSource", VERSION, self.protocol, self.optics, self.first, self._sha256, probe)


class Cut:
    """A source whose trees have at most `most` tokens of branches: attention costs the square of a tree's length, so
    that on a CPU a prefix encoded twice is cheaper than branches that are hidden from each other."""

    def __init__(self, source: Source, most: int) -> None:
        self.source, self.most = source, most

    def trees(self, index: int) -> list[Tree]:
        return [piece for tree in self.source.trees(index) for piece in self._pieces(tree)]

    def digest(self) -> str:
        return hashlib.sha256(f"Cut {self.most} {self.source.digest()}".encode()).hexdigest()

    def _pieces(self, tree: Tree) -> list[Tree]:
        pieces: list[list[Branch]] = []
        room = 0
        for branch in tree.branches:
            room -= len(branch.prompt) + len(branch.target)
            if room < 0 or not pieces:
                pieces.append([])
                room = self.most - len(branch.prompt) - len(branch.target)
            pieces[-1].append(branch)
        return [replace(tree, branches=branches) for branches in pieces]


class Mixed:
    """Sources drawn by their `shares`; the item's own number is asked of the source that is drawn."""

    def __init__(self, sources: Sequence[Source], shares: Sequence[float], seed: int = 0) -> None:
        if not sources or len(sources) != len(shares) or min(shares) < 0 or sum(shares) <= 0:
            raise UsageError(f"{len(sources)} sources and the shares {list(shares)} do not go together")
        self.sources, self.seed = list(sources), seed
        self.bounds = [total / sum(shares) for total in accumulate(shares)]

    def trees(self, index: int) -> list[Tree]:
        draw = random.Random(f"mixed:{self.seed}:{index}").random()
        return self.sources[min(bisect(self.bounds, draw), len(self.sources) - 1)].trees(index)

    def digest(self) -> str:
        listed = [source.digest() for source in self.sources]
        return hashlib.sha256(f"{self.seed} {self.bounds} {listed}".encode()).hexdigest()
