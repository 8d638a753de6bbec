"""Start the native controller from a LLaVA-1.5 checkpoint: same tower, same MLP, same language model, new resampler."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, LlavaForConditionalGeneration, PreTrainedTokenizerBase
from transformers.utils import cached_file

from policies.config import P2GConfig
from policies.model import P2GModel
from tools.errors import ControllerError


def from_llava_checkpoint(
    path: str | Path, dtype: str | torch.dtype = "auto", **settings: Any
) -> tuple[P2GModel, PreTrainedTokenizerBase]:
    """Model and tokenizer of a checkpoint laid out like `llava-hf/llava-1.5-7b-hf`, with the special tokens added.

    `path` is a folder, or a hub name whose files are on disk already: nothing is downloaded here. Raises
    `ControllerError` when it cannot be loaded.
    """
    try:
        loaded: Any = LlavaForConditionalGeneration.from_pretrained(
            path, dtype=dtype, output_loading_info=True, local_files_only=True, use_safetensors=True
        )
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ControllerError(
            f"cannot start from {path}: {reason}; give a LLaVA-1.5 folder of the llava-hf layout"
        ) from error
    llava, report = loaded
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise ControllerError(
            f"{path} is not a whole LLaVA-1.5 checkpoint: {len(missing)} tensors are missing, as {missing[0]}"
        )
    model = from_llava(llava, **{**_normalisation(path), **settings})
    model.add_special_tokens(tokenizer)
    return model, tokenizer


def _normalisation(path: str | Path) -> dict[str, Any]:
    """Mean and deviation that the checkpoint's own picture processor uses, if it says them."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        file = cached_file(path, name, local_files_only=True, _raise_exceptions_for_missing_entries=False)
        if file is not None:
            stored = json.loads(Path(file).read_text())
            stored = stored.get("image_processor", stored)
            return {key: stored[key] for key in ("image_mean", "image_std") if key in stored}
    return {}


def from_llava(llava: LlavaForConditionalGeneration, **settings: Any) -> P2GModel:
    """`llava`'s parts as a `P2GModel`; tower and LM are taken over, not copied. `settings` are further config fields.

    Without regions the result computes exactly what LLaVA computes. Call `add_special_tokens` next.
    """
    old = llava.config
    if not isinstance(old.vision_feature_layer, int):
        raise ControllerError(
            f"this LLaVA joins vision layers {old.vision_feature_layer}; only a single one is supported"
        )
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
