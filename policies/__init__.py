"""What is learned: the native model, its region pathway and decision, data and training. Names load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from policies.allocation import Allocation, allocate, expand_visual_tokens, visual_token_count
    from policies.config import SPECIAL_TOKENS, P2GConfig, add_special_tokens
    from policies.llava import from_llava, from_llava_checkpoint
    from policies.model import P2GModel
    from policies.vision import PictureProcessor

_HOME = {
    "Allocation": "allocation",
    "allocate": "allocation",
    "expand_visual_tokens": "allocation",
    "visual_token_count": "allocation",
    "SPECIAL_TOKENS": "config",
    "P2GConfig": "config",
    "add_special_tokens": "config",
    "from_llava": "llava",
    "from_llava_checkpoint": "llava",
    "P2GModel": "model",
    "PictureProcessor": "vision",
}

__all__ = [
    "SPECIAL_TOKENS",
    "Allocation",
    "P2GConfig",
    "P2GModel",
    "PictureProcessor",
    "add_special_tokens",
    "allocate",
    "expand_visual_tokens",
    "from_llava",
    "from_llava_checkpoint",
    "visual_token_count",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'policies' has no attribute {name!r}")
    return getattr(import_module(f"policies.{_HOME[name]}"), name)
