"""Arithmetic that a batch takes by the model's parameters, and what the machine could do at most: together the MFU."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from policies.visuals import Block, widths

if TYPE_CHECKING:
    from policies.train.learner import Learner
    from policies.train.packing import Batch


class Flops:
    """`of(batch)` is the number of floating-point operations of one pass forward and backward, padding not counted.

    A token takes 2 for each parameter forward, as many for the gradient through it, and as many for its own gradient
    where it learns; attention takes 4 a layer and width for every position looked at. The tower is counted on one
    picture, because a convolution's parameters say little.
    """

    def __init__(self, learner: Learner) -> None:
        config: Any = learner.config.text_config.get_text_config()
        self.config = learner.config
        self.token = _a_token(learner.trunk)
        self.pair = 3 * 4 * config.num_hidden_layers * config.hidden_size
        self.target = 4 * learner.old * config.hidden_size
        self.picture = 0.0
        self.projected = {"mlp": 0, "resampler": 0}
        if learner.model.vision_tower is not None:
            self.picture = _a_picture(learner)
            for via, module in (("mlp", learner.model.projector), ("resampler", learner.model.resampler)):
                assert module is not None
                self.projected[via] = _a_token(module)

    def of(self, batch: Batch) -> float:
        total = self.token * batch.filled + self.pair * batch.pairs + self.target * len(batch.targets)
        if batch.visuals is None:
            return float(total)
        blocks = batch.visuals.blocks
        through = zip(blocks, widths(self.config, blocks), strict=True)
        return total + self.picture * batch.pictures + sum(self.projected[b.via] * width for b, width in through)

    def of_pictures(self, batch: Batch) -> float:
        """The same without the language model: every picture through the tower and both projectors."""
        both = [Block(0, "mlp"), Block(0, "resampler")]
        each = sum(self.projected[b.via] * width for b, width in zip(both, widths(self.config, both), strict=True))
        return batch.pictures * (self.picture + each)


def _a_token(module: nn.Module) -> int:
    """Operations of a token through the linear layers of `module`, forward and backward."""
    weights = [p for name, p in module.named_parameters() if p.ndim > 1 and "embed_tokens" not in name]
    return 2 * sum(p.numel() * (3 if p.requires_grad else 2) for p in weights)


@torch.no_grad()
def _a_picture(learner: Learner) -> float:
    """Operations of one picture through the tower, with its gradients where it learns."""
    from torch.utils.flop_counter import FlopCounterMode

    side = learner.config.image_side
    tower: Any = learner.model.vision_tower
    with FlopCounterMode(display=False) as counter:
        learner.model.vision_features(torch.zeros(1, side, side, 3, dtype=torch.uint8, device=tower.device))
    learns = any(p.requires_grad for p in tower.parameters())
    return float(counter.get_total_flops() * (3 if learns else 1))


def peak_flops(device: str, precision: str) -> float:
    """Operations a second that a large matrix product reaches on this machine, in the precision of training."""
    size, dtype = (
        (8192 if device.startswith("cuda") else 1024),
        torch.bfloat16 if precision == "bf16" else torch.float32,
    )
    matrix = torch.ones(size, size, device=device, dtype=dtype)
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    best = float("inf")
    for _ in range(4):
        wait()
        started = time.perf_counter()
        matrix @ matrix
        wait()
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best
