"""Tiny random parts of models, in the real formats."""

from typing import Any

import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlamaForCausalLM


def tiny_text(**changes: Any) -> LlamaConfig:
    """A Llama of 64 words and width 24."""
    settings = {
        "vocab_size": 64,
        "hidden_size": 24,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 1024,
        "tie_word_embeddings": True,
        "pad_token_id": 0,
    }
    return LlamaConfig(**{**settings, **changes})


def tiny_vision(kind: Any = CLIPVisionConfig) -> Any:
    """A tower of 16 patches (4 x 4 of 7 pixels)."""
    return kind(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=28,
        patch_size=7,
    )


def random_lm(vocabulary: int) -> LlamaForCausalLM:
    """A Llama whose logits differ clearly from token to token; always the same."""
    torch.manual_seed(0)
    config = tiny_text(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=48,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        pad_token_id=None,
    )
    lm = LlamaForCausalLM(config).eval()
    for parameter in lm.parameters():
        parameter.data.mul_(4) if parameter.ndim > 1 else None
    return lm
