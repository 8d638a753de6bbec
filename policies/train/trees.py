"""Batches of training trees: branches see their prefix and themselves, never each other.

A tree of prefix P and branches B1..Bn becomes one row of tokens with an attention mask and position ids such that
every branch continues P directly; so each branch gets exactly the logits it would get alone (tests show it).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from policies.data.tree import Tree


@dataclass
class Batch:
    """`input_ids`, `position_ids`, `labels` `[B, T]` (shifted already; -100: no loss); `mask` `[B, 1, T, T]`, bool."""

    input_ids: Tensor
    position_ids: Tensor
    labels: Tensor
    mask: Tensor

    @property
    def tokens(self) -> int:
        return int(self.input_ids.numel())


def collate(trees: Sequence[Tree], pad: int = 0) -> Batch:
    """Pad trees to one length on the right."""
    size = max(len(tree) for tree in trees)
    shape = (len(trees), size)
    ids, positions = torch.full(shape, pad), torch.zeros(shape, dtype=torch.long)
    labels = torch.full(shape, -100)
    mask = torch.eye(size, dtype=torch.bool).repeat(len(trees), 1, 1, 1)
    for row, tree in enumerate(trees):
        start = len(tree.prefix)
        ids[row, :start] = torch.tensor(tree.prefix)
        positions[row, :start] = torch.arange(start)
        mask[row, 0, :start, :start] = torch.ones(start, start).tril().bool()
        at = start
        for branch in tree.branches:
            tokens = [*branch.prompt, *branch.target]
            end = at + len(tokens)
            ids[row, at:end] = torch.tensor(tokens)
            positions[row, at:end] = torch.arange(start, start + len(tokens))
            mask[row, 0, at:end, :start] = True
            mask[row, 0, at:end, at:end] = torch.ones(len(tokens), len(tokens)).tril().bool()
            first = at + len(branch.prompt) - 1
            labels[row, first : first + len(branch.target)] = torch.tensor(branch.target)
            at = end
    return Batch(ids, positions, labels, mask)


def batches(trees: Iterable[Tree], tokens: int, seed: int, pool: int = 64) -> Iterator[Batch]:
    """Group trees of like length into batches of at most `tokens` padded tokens, from a shuffled pool."""
    rng = random.Random(seed)
    waiting: list[Tree] = []
    for tree in trees:
        if len(tree) <= tokens:
            waiting.append(tree)
        if len(waiting) >= pool:
            yield from _drain(waiting, tokens, rng)
            waiting = []
    yield from _drain(waiting, tokens, rng)


def _drain(waiting: list[Tree], tokens: int, rng: random.Random) -> Iterator[Batch]:
    waiting.sort(key=len, reverse=True)
    groups: list[list[Tree]] = []
    for tree in waiting:
        if groups and len(groups[-1][0]) * (len(groups[-1]) + 1) <= tokens:
            groups[-1].append(tree)
        else:
            groups.append([tree])
    rng.shuffle(groups)
    yield from (collate(group) for group in groups)
