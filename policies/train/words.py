"""The stage `words`: tower and projectors learn to give tokens that lie near the embeddings of the words for a picture.

No pass through the language model: a picture costs its tower alone, and the language model then meets visual tokens
that it can nearly read. The loss is the cross-entropy between the words of a picture, each as likely, and a softmax
over the cosines of its mean token with these, with the words of the other pictures and with some drawn from the
vocabulary; the tokens are held to the length of a word. Every picture goes through both projectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from policies.data.tree import Tree
from policies.train.packing import Batch
from policies.train.stages import Loss, Stage, Work

if TYPE_CHECKING:
    from policies.train.flops import Flops

SHARPNESS = 30.0  # of the softmax over cosines; three words of one picture are at most 0.58 each
LENGTH_WEIGHT = 0.1
OTHERS = 4096  # words drawn from the vocabulary for each update


class Words(Stage):
    """Sources are of kind `words`: one picture and one branch a tree."""

    name = "words"

    def operations(self, flops: Flops, batch: Batch) -> float:
        return flops.of_pictures(batch)

    def loss(self, work: Work, trees: Sequence[Tree]) -> Loss:
        total, parts, _, _ = self._compared(work, trees)
        return Loss(total, float(len(trees)), parts)

    @torch.no_grad()
    def measure(self, work: Work, trees: Sequence[Tree]) -> dict[str, tuple[float, float]]:
        """`loss`, and `exact KIND`: the words of a picture come first, through the MLP."""
        total, _, cosines, words = self._compared(work, trees)
        found = {"loss": (float(total), float(len(trees)))}
        for tree, near in zip(trees, cosines[0], strict=True):
            branch = tree.branches[0]
            first = words[near.topk(len(branch.target)).indices.cpu()].tolist()
            right, count = found.get(f"exact {branch.kind}", (0.0, 0.0))
            found[f"exact {branch.kind}"] = (right + (set(first) == set(branch.target)), count + 1)
        return found

    def _compared(
        self, work: Work, trees: Sequence[Tree]
    ) -> tuple[Tensor, dict[str, tuple[float, float]], Tensor, Tensor]:
        """The loss, its parts, and the cosines `[2, N, W]` with the words `[W]` that they are of."""
        batch = work.batch(trees)
        bags = [tree.branches[0].target for tree in trees]
        others = torch.randint(work.learner.old, (OTHERS,), generator=work.generator)
        words = torch.unique(torch.cat([torch.tensor([token for bag in bags for token in bag]), others]))
        place = {token: at for at, token in enumerate(words.tolist())}
        likeness = work.model(batch, words.to(work.device))
        cosines, lengths = likeness[..., :-1], likeness[..., -1]
        log_shares = (SHARPNESS * cosines).log_softmax(-1)
        missed = lengths.new_zeros(())
        for row, bag in enumerate(bags):
            missed = missed - log_shares[:, row, [place[token] for token in bag]].mean(1).sum() / 2
        length = (lengths - 1).square().sum() / 2
        count = float(len(bags))
        parts = {"words": (float(missed.detach()), count), "length": (float(length.detach()), count)}
        return missed + LENGTH_WEIGHT * length, parts, cosines, words
