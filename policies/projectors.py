"""From vision features to language-model tokens: an MLP that keeps their number, a resampler that fixes it.

The MLP is LLaVA-1.5's two layers and changes the dimension only. The resampler is the perceiver of Flamingo as SEAL
uses it (keys and values are the features and the latents); with depth 1 it is P²G's single cross-attention.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MLPProjector(nn.Module):
    """`[N, P, vision_dim]` -> `[N, P, out_dim]`: linear, GELU, linear."""

    def __init__(self, vision_dim: int, hidden_dim: int, out_dim: int):
        super().__init__()
        self.linear_1 = nn.Linear(vision_dim, hidden_dim)
        self.linear_2 = nn.Linear(hidden_dim, out_dim)

    def forward(self, features: Tensor) -> Tensor:
        return self.linear_2(F.gelu(self.linear_1(features)))


class Resampler(nn.Module):
    """`[N, P, vision_dim]` -> `[N, latents, out_dim]`; the same number of tokens whatever P is.

    The latents are a set: permuting them permutes the output tokens and nothing else.
    """

    def __init__(
        self,
        vision_dim: int,
        out_dim: int,
        dim: int,
        depth: int = 1,
        heads: int = 16,
        head_dim: int = 64,
        latents: int = 32,
        ff: int = 4,
    ):
        super().__init__()
        self.norm_in = nn.LayerNorm(vision_dim)
        self.proj_in = nn.Linear(vision_dim, dim) if vision_dim != dim else nn.Identity()
        self.latents = nn.Parameter(torch.empty(latents, dim))
        self.blocks = nn.ModuleList(ResamplerBlock(dim, heads, head_dim, ff) for _ in range(depth))
        self.norm_out = nn.LayerNorm(dim)
        self.proj_out = nn.Linear(dim, out_dim)
        nn.init.normal_(self.latents, std=0.02)

    def forward(self, features: Tensor) -> Tensor:
        x = self.proj_in(self.norm_in(features))
        latents = self.latents.expand(len(x), -1, -1)
        for block in self.blocks:
            latents = block(x, latents)
        return self.proj_out(self.norm_out(latents))


class ResamplerBlock(nn.Module):
    """Pre-norm cross-attention from the latents to features and latents, then a feed-forward (none when `ff` is 0)."""

    def __init__(self, dim: int, heads: int, head_dim: int, ff: int):
        super().__init__()
        self.heads = heads
        self.norm_x = nn.LayerNorm(dim)
        self.norm_latents = nn.LayerNorm(dim)
        self.to_q = nn.Linear(dim, heads * head_dim, bias=False)
        self.to_kv = nn.Linear(dim, 2 * heads * head_dim, bias=False)
        self.to_out = nn.Linear(heads * head_dim, dim, bias=False)
        self.feed_forward = FeedForward(dim, ff * dim) if ff else None

    def forward(self, x: Tensor, latents: Tensor) -> Tensor:
        queries = self.norm_latents(latents)
        context = torch.cat([self.norm_x(x), queries], dim=1)
        key, value = self.to_kv(context).chunk(2, dim=-1)
        attended = F.scaled_dot_product_attention(
            self._split(self.to_q(queries)), self._split(key), self._split(value)
        )  # [N, heads, latents, head_dim]
        latents = latents + self.to_out(attended.transpose(1, 2).flatten(2))
        return latents if self.feed_forward is None else latents + self.feed_forward(latents)

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class FeedForward(nn.Module):
    """Pre-norm two-layer GELU network."""

    def __init__(self, dim: int, hidden_dim: int):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.linear_1 = nn.Linear(dim, hidden_dim, bias=False)
        self.linear_2 = nn.Linear(hidden_dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_2(F.gelu(self.linear_1(self.norm(x))))
