"""Loads the nano controller: the base LM from the cache with the LoRA and token rows of `policies/weights/nano`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from policies.base_lm import base_lm_path, base_lm_ready
from tools.errors import ControllerError

if TYPE_CHECKING:
    from policies.text.engine import TextEngine

WEIGHTS = Path(__file__).parent / "weights"


class Policy(BaseModel):
    """What is fitted on validation data and ships with the weights: the threshold and the temperature of `p_call`."""

    threshold: float = 0.5
    temperature: float = 1.0


def weights_path(name: str | Path) -> Path:
    """A folder of `policies/weights` by name, or any folder. Raises `ControllerError` when it holds no weights."""
    folder = WEIGHTS / name if (WEIGHTS / name).is_dir() else Path(name)
    if not (folder / "adapter_model.safetensors").is_file():
        here = ", ".join(path.name for path in sorted(WEIGHTS.glob("*/"))) or "none"
        raise ControllerError(f"no adapter_model.safetensors in {folder}: name such a folder; those that ship: {here}")
    return folder


def load_nano(home: Path, weights: str | Path = "nano") -> tuple[TextEngine, Policy]:
    """The engine of the text path in bf16 where the CPU computes in it, else float32; about two seconds.

    Raises `ControllerError` when the base LM was not fetched yet.
    """
    folder = weights_path(weights)
    if not base_lm_ready(home):
        raise ControllerError("the base language model is not here yet: run `p2g weights fetch` once (93 MB)")
    import torch
    from peft import PeftModel
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from policies.config import SPECIAL_TOKENS, P2GConfig
    from policies.model import P2GModel
    from policies.text.engine import TextEngine

    base = base_lm_path(home)
    fast = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    dtype = torch.bfloat16 if fast else torch.float32
    try:
        policy = Policy.model_validate_json((folder / "policy.json").read_text())
        rows = load_file(folder / "token_rows.safetensors")["rows"]
        language_model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype)
        language_model = PeftModel.from_pretrained(language_model, folder).merge_and_unload()
        tokenizer = AutoTokenizer.from_pretrained(base)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ControllerError(
            f"cannot load the nano controller: {reason}; remove {base} and run `p2g weights fetch`, or restore {folder}"
        ) from error
    model = P2GModel(P2GConfig(text_config=language_model.config), language_model=language_model)
    model.add_special_tokens(tokenizer)
    ids = tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS))
    with torch.no_grad():
        model.get_input_embeddings().weight[ids] = rows.to(dtype)
    return TextEngine(model, tokenizer, policy.temperature), policy
