"""From pictures to the vision tower's features: CLIP-style transformers and ResNets look the same from outside.

A tower without trainable parameters runs without gradients and in evaluation mode, so that BatchNorm keeps its
statistics whatever batch the pictures come in.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedModel

from policies.config import P2GConfig
from tools.errors import UsageError


def tower_features(tower: PreTrainedModel, config: P2GConfig, pictures: Tensor) -> Tensor:
    """Features `[N, P, vision width]` of the configured layer, P = `config.vision_tokens`.

    `pictures` are normalised pixels `[N, 3, H, W]`, or uint8 `[N, H, W, 3]` as they are stored. A ResNet's map is read
    row by row. Raises `UsageError` for another size, or a tower that gives another number of tokens.
    """
    side = config.image_side
    pixels = pictures.to(tower.device)
    if pixels.dtype == torch.uint8 and pixels.ndim == 4 and pixels.shape[-1] == 3:
        mean, std = (torch.tensor(v, device=pixels.device) for v in (config.image_mean, config.image_std))
        pixels = ((pixels / 255 - mean) / std).permute(0, 3, 1, 2)
    if pixels.shape[1:] != (3, side, side):
        raise UsageError(f"pictures must be [N, 3, {side}, {side}], got {list(pixels.shape)}")
    frozen = not any(parameter.requires_grad for parameter in tower.parameters())
    if frozen:
        tower.eval()
    with torch.set_grad_enabled(torch.is_grad_enabled() and (not frozen or pixels.requires_grad)):
        states = tower(pixels.to(tower.dtype), output_hidden_states=True).hidden_states
    hidden = states[config.vision_feature_layer]
    if hidden.ndim == 4:
        hidden = hidden.flatten(2).transpose(1, 2)
    features = hidden[:, -config.vision_tokens :]
    if features.shape[1] != config.vision_tokens:
        raise UsageError(
            f"the vision tower gives {features.shape[1]} tokens, {config.vision_tokens} were expected; "
            "set vision_feature_select to 'patch' for a tower without a CLS token"
        )
    return features
