"""Batches of training trees: branches see their prefix and themselves, never each other; placeholders are expanded.

A tree of prefix P and branches B1..Bn becomes one row of tokens with an attention mask and position ids such that
every branch continues P directly; so each branch gets exactly the logits it would get alone (tests show it). Each
context (the prefix, and every focus turn that a branch appends) takes its own projectors by the allocation rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor

from policies.allocation import visual_token_count
from policies.config import P2GConfig
from policies.data.tree import Looks, Tree
from policies.visuals import Pictures, Visuals
from tools.errors import UsageError


@dataclass
class Batch:
    """`input_ids`, `position_ids`, `labels` `[B, T]` (shifted already; -100: no loss); `mask` `[B, 1, T, T]`, bool.

    `branches` `[B, T]` is the number of the branch that a labelled position belongs to, counted over the whole batch
    in the order of the trees; `kinds` names the kind of each. `filled` counts positions that are no padding, `pairs`
    those they look at, for the figures of speed.
    """

    input_ids: Tensor
    position_ids: Tensor
    labels: Tensor
    mask: Tensor
    branches: Tensor
    kinds: list[str] = field(default_factory=list)
    visuals: Visuals | None = None
    filled: int = 0
    pairs: int = 0

    @property
    def tokens(self) -> int:
        """Positions computed, padding included."""
        return int(self.input_ids.numel())

    @property
    def pictures(self) -> int:
        """Pictures that the tower encodes."""
        return 0 if self.visuals is None else len(self.visuals.pictures)

    @property
    def targets(self) -> Tensor:
        """Labels `[N]` of the positions that `Learner` gives logits for."""
        return self.labels[self.labels >= 0]

    @property
    def owners(self) -> Tensor:
        """Number of the branch `[N]` of each of `targets`."""
        return self.branches[self.labels >= 0]

    def to(self, device: str | torch.device) -> Batch:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        moved: dict[str, Any] = {n: v.to(device, non_blocking=True) for n, v in values.items() if isinstance(v, Tensor)}
        return replace(self, **moved, visuals=None if self.visuals is None else self.visuals.to(device))


class Packer:
    """Lays trees out as rows and rows as batches. `config` is the model's: it knows the placeholders and their widths;
    without a tower a tree with pictures is an error."""

    def __init__(self, config: P2GConfig, pad: int = 0) -> None:
        self.config, self.pad = config, pad

    def length(self, tree: Tree) -> int:
        """Tokens of `tree` with its placeholders expanded."""
        if self.config.vision_config is None:
            return len(tree)
        total = len(tree)
        for ids, looks in [(tree.prefix, tree.looks), *((branch.prompt, branch.looks) for branch in tree.branches)]:
            wholes = sum(i == self.config.image_token_id for i in ids)
            if looks or wholes:
                count = visual_token_count(self.config, looks.boxes if looks else 0)
                total += count.total - count.image * (1 - wholes) - len(looks or ()) - wholes
        return total

    def collate(self, trees: Sequence[Tree]) -> Batch:
        """One row a tree, padded on the right to one length."""
        pictures = Pictures(self.config)
        rows = [self._row(tree, pictures) for tree in trees]
        size = max(len(ids) for ids, _, _ in rows)
        shape = (len(rows), size)
        ids, positions = torch.full(shape, self.pad), torch.zeros(shape, dtype=torch.long)
        labels, branches = torch.full(shape, -100), torch.full(shape, -1)
        mask = torch.eye(size, dtype=torch.bool).repeat(len(rows), 1, 1, 1)
        kinds: list[str] = []
        for row, (tokens, start, spans) in enumerate(rows):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            positions[row, :start] = torch.arange(start)
            mask[row, 0, :start, :start] = torch.ones(start, start).tril().bool()
            for branch, (at, end) in zip(trees[row].branches, spans, strict=True):
                positions[row, at:end] = torch.arange(start, start + end - at)
                mask[row, 0, at:end, :start] = True
                mask[row, 0, at:end, at:end] = torch.ones(end - at, end - at).tril().bool()
                last = end - 1
                labels[row, last - len(branch.target) : last] = torch.tensor(branch.target)
                branches[row, last - len(branch.target) : last] = len(kinds)
                kinds.append(branch.kind)
        filled = sum(len(tokens) for tokens, _, _ in rows)
        pairs = sum(_looks(start, 0) + sum(_looks(end - at, start) for at, end in spans) for _, start, spans in rows)
        return Batch(ids, positions, labels, mask, branches, kinds, pictures.visuals(), filled, pairs)

    def _row(self, tree: Tree, pictures: Pictures) -> tuple[list[int], int, list[tuple[int, int]]]:
        """Expanded tokens of a tree, the length of its prefix, and where each branch begins and ends."""
        image = None if tree.image is None else pictures.add(tree.image)
        ids = self._expand(tree.prefix, image, tree.looks, pictures)
        start = len(ids)
        spans = []
        for branch in tree.branches:
            at = len(ids)
            ids += self._expand(branch.prompt, image, branch.looks, pictures) + branch.target
            spans.append((at, len(ids)))
        return ids, start, spans

    def _expand(self, ids: list[int], image: int | None, looks: Looks | None, pictures: Pictures) -> list[int]:
        if self.config.vision_config is not None:
            return pictures.expand(ids, image, looks)[0]
        if image is not None or looks:
            raise UsageError("a training tree has a picture, but the model has no vision tower: set model.vision")
        return list(ids)


def _looks(length: int, before: int) -> int:
    """Positions that `length` tokens look at: `before` and those of their own up to themselves."""
    return length * before + length * (length + 1) // 2
