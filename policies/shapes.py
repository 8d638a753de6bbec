"""Random models of known sizes, to measure what a size costs without its weights."""

from __future__ import annotations

from typing import Any

import torch

from policies.config import P2GConfig
from policies.model import P2GModel
from tools.errors import UsageError

SHAPES = {  # vocabulary, width, feed-forward width, layers, heads, key-value heads
    "tiny": (128, 32, 64, 2, 2, 1),
    "nano": (49152, 576, 1536, 30, 9, 3),
    "7b": (32064, 4096, 11008, 32, 32, 32),
}
TOWERS = {"tiny": ([16, 24, 32, 48], [1, 1, 1, 1]), "nano": ([32, 64, 128, 256], [1, 2, 3, 2])}  # widths, depths
REGION: dict[str, dict[str, Any]] = {  # nano: the tower of `grounding-nano` and `train/recipes/cpu.toml`
    "tiny": {"vision_side": 64, "resampler_heads": 2, "resampler_latents": 3},
    "nano": {
        "vision_side": 128,
        "resampler_dim": 256,
        "resampler_heads": 8,
        "resampler_head_dim": 32,
        "resampler_latents": 8,
        "resampler_ff": 2,
    },
    "7b": {},
}


def shape_config(shape: str) -> P2GConfig:
    """The configuration of "tiny" (for tests), "nano" (SmolLM2-135M with the ResNet that ships) or "7b" (LLaVA-1.5)."""
    from transformers import CLIPVisionConfig, LlamaConfig, ResNetConfig

    if shape not in SHAPES:
        raise UsageError(f"shape must be one of {', '.join(SHAPES)}, got {shape!r}")
    vocabulary, width, inner, layers, heads, kv_heads = SHAPES[shape]
    text = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=8192,
        tie_word_embeddings=shape != "7b",
    )
    vision: Any = CLIPVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        image_size=336,
        patch_size=14,
    )
    if shape in TOWERS:
        stages, depths = TOWERS[shape]
        vision = ResNetConfig(embedding_size=stages[0], hidden_sizes=stages, depths=depths, layer_type="basic")
    names = ("answer_token_id", "call_token_id", "region_token_id", "image_token_id")
    ids: dict[str, Any] = dict(zip(names, range(vocabulary - 4, vocabulary), strict=True))
    return P2GConfig(text, vision, **REGION[shape], **ids)


def build(shape: str, device: str, dtype: torch.dtype) -> P2GModel:
    """A random model, made where it stays."""
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            return P2GModel(shape_config(shape)).eval()
    finally:
        torch.set_default_dtype(before)
