"""Attention for training on CPUs: the query heads that share a key head are one matrix product, softmax stays in bf16.

The eager attention of transformers copies keys and values for every query head and softmaxes in fp32, which on a CPU is
memory traffic and over half of a training step; this takes a quarter to a half of its time (41 to 83 ms a layer against
160 to 175 at 3 x 760 tokens on two cores). Softmax of a bf16 row sums in fp32 inside; only what is kept is rounded.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

NAME = "p2g_grouped"


def grouped_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """`query` `[B, H, T, D]`, `key` and `value` `[B, K, S, D]` with H a multiple of K, an additive mask `[B, 1, T, S]`;
    returns `[B, T, H, D]` and no weights, as transformers wants it."""
    batch, heads, length, width = query.shape
    shared, keys = key.shape[1], key.shape[2]
    folded = (query * (width**-0.5 if scaling is None else scaling)).reshape(batch, shared, -1, width)
    scores = (folded @ key.transpose(2, 3)).view(batch, shared, heads // shared, length, keys)
    if attention_mask is not None:
        scores = scores + attention_mask[:, :, None, :, :keys]
    weights = scores.softmax(-1).view(batch, shared, -1, keys)
    return (weights @ value).view(batch, heads, length, width).transpose(1, 2).contiguous(), None


def register() -> str:
    """Makes it known to transformers; returns its name for `attn_implementation`."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    AttentionInterface.register(NAME, grouped_attention)
    AttentionMaskInterface.register(NAME, eager_mask)
    return NAME
