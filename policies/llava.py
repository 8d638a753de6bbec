"""Start the native controller from a LLaVA-1.5 checkpoint: same tower, same MLP, same language model, new resampler."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM, LlavaForConditionalGeneration

from policies.config import P2GConfig
from policies.model import P2GModel


def from_llava(llava: LlavaForConditionalGeneration, **settings: Any) -> P2GModel:
    """`llava`'s parts as a `P2GModel`; tower and LM are taken over, not copied. `settings` are further config fields.

    Without regions the result computes exactly what LLaVA computes. Call `add_special_tokens` next.
    """
    old = llava.config
    with torch.device("meta"):
        language_model = AutoModelForCausalLM.from_config(old.text_config)
    setattr(language_model, language_model.base_model_prefix, llava.model.language_model)
    language_model.set_output_embeddings(llava.lm_head)
    language_model.generation_config = llava.generation_config
    settings = {
        "vision_feature_layer": old.vision_feature_layer,
        "vision_feature_select": "patch" if old.vision_feature_select_strategy == "default" else "full",
        "image_token_id": old.image_token_id,
        **settings,
    }
    config = P2GConfig(text_config=old.text_config, vision_config=old.vision_config, **settings)
    model = P2GModel(config, language_model, llava.model.vision_tower)
    assert model.projector is not None
    model.projector.load_state_dict(llava.model.multi_modal_projector.state_dict())
    return model
