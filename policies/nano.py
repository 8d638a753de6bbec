"""Loads the nano controller: the base LM from the cache with what a folder of `policies/weights` adds to it.

LoRA and the rows of the special tokens; with a vision tower also `vision`, `projectors` (both in shards when they are
large) and `p2g_config.json`. The trainer writes such folders (`policies/train/weights.py`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from policies.base_lm import base_lm_path, base_lm_ready
from tools.errors import ControllerError, UsageError

if TYPE_CHECKING:
    import torch

    from policies.model import P2GModel
    from policies.text.engine import TextEngine

WEIGHTS = Path(__file__).parent / "weights"
ROWS, ADAPTER, LANGUAGE, CONFIG = "token_rows", "adapter_config.json", "language", "p2g_config.json"


class Policy(BaseModel):
    """What is fitted on validation data and ships with the weights: the threshold of `p_call`, its temperature, and the
    bias, the margin (logit of calling less that of answering) at which it is a half."""

    threshold: float = 0.5
    temperature: float = 1.0
    bias: float = 0.0


def shipped(name: str | Path) -> Path:
    """The folder of `policies/weights` of that name; `name` as a path where there is none."""
    return WEIGHTS / name if (WEIGHTS / name).is_dir() else Path(name)


def weights_path(name: str | Path) -> Path:
    """A folder of `policies/weights` by name, or any folder. Raises `ControllerError` when it holds no weights."""
    folder = shipped(name)
    if not any((folder / file).is_file() for file in ("adapter_model.safetensors", f"{ROWS}.safetensors")):
        here = ", ".join(path.name for path in sorted(WEIGHTS.glob("*/"))) or "none"
        raise ControllerError(f"no adapter_model.safetensors in {folder}: name such a folder; those that ship: {here}")
    return folder


def check_settings(folder: Path, region_pathway: str | None, allocation: str | None) -> None:
    """Raises `UsageError` for a setting that the weights in `folder` cannot follow."""
    for name, value in (("region_pathway", region_pathway), ("allocation", allocation)):
        if value is not None and not (folder / CONFIG).is_file():
            raise UsageError(
                f"{name} = {value!r} needs weights with a vision tower, and {folder.name} has none: leave {name} out"
            )


def load_nano(
    home: Path,
    weights: str | Path = "nano",
    device: str = "cpu",
    region_pathway: str | None = None,
    allocation: str | None = None,
) -> tuple[TextEngine, Policy]:
    """The engine of the weights on `device` ("auto": the GPU if there is one); about two seconds.

    In bf16 where the device computes in it, else float16 on a GPU and float32 on a CPU. `region_pathway` and
    `allocation` replace what the weights were trained with (`P2GConfig`). Raises `ControllerError` when the base LM was
    not fetched yet or the folder is damaged, `UsageError` for a device or a setting that cannot be had.
    """
    folder = weights_path(weights)
    check_settings(folder, region_pathway, allocation)
    if not base_lm_ready(home):
        raise ControllerError("the base language model is not here yet: run `p2g weights fetch` once (93 MB)")
    import torch

    from policies.text.engine import TextEngine

    place, dtype = place_of(device)
    base = base_lm_path(home)
    try:
        language_model, tokenizer = _base(folder, base, dtype)
    except Exception as error:  # files of many formats: transformers and safetensors raise what they meet
        raise ControllerError(
            f"cannot load the base language model: {_line(error)}; remove {base} and run `p2g weights fetch`"
        ) from error
    try:
        policy = Policy.model_validate_json((folder / "policy.json").read_text())
        overrides = {"region_pathway": region_pathway, "allocation": allocation}
        model = _assembled(folder, language_model, tokenizer, dtype, {k: v for k, v in overrides.items() if v})
    except UsageError:  # a region_pathway or an allocation that there is not
        raise
    except Exception as error:  # and so does peft
        raise ControllerError(f"cannot load the weights in {folder}: {_line(error)}; restore that folder") from error
    try:
        torch.nn.Module.to(model, place)
    except torch.OutOfMemoryError as error:
        raise ControllerError(f"the nano controller does not fit into the memory of {device}: use the cpu") from error
    return TextEngine(model, tokenizer, policy.temperature, policy.bias), policy


def place_of(device: str) -> tuple[torch.device, torch.dtype]:
    """The torch device ("auto": the GPU if there is one) and what is computed in there. Raises `UsageError`."""
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise UsageError(f"{device!r} is no device: use auto, cpu, cuda or cuda:0") from error
    if place.type == "cuda":
        if not torch.cuda.is_available() or (place.index or 0) >= torch.cuda.device_count():
            raise UsageError(f"there is no device {device} on this machine: use auto or cpu")
        return place, torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    fast = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return place, torch.bfloat16 if fast else torch.float32


def _base(folder: Path, base: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    """The LM and its tokenizer; the LM stands in the folder when it was trained as a whole."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    whole = folder / LANGUAGE
    language_model = AutoModelForCausalLM.from_pretrained(whole if whole.is_dir() else base, dtype=dtype)
    return language_model, AutoTokenizer.from_pretrained(base)


def _assembled(
    folder: Path, language_model: Any, tokenizer: Any, dtype: torch.dtype, overrides: dict[str, str]
) -> P2GModel:
    """The model with all its parts. Raises whatever a damaged folder makes the libraries raise."""
    import torch
    from peft import PeftModel

    from policies.config import SPECIAL_TOKENS, P2GConfig
    from policies.model import P2GModel

    adapter = [folder / ADAPTER, folder / "adapter_model.safetensors"]
    if any(file.is_file() for file in adapter):
        for file in adapter:
            if not file.is_file():
                raise FileNotFoundError(f"{file.name} is missing")
        language_model = PeftModel.from_pretrained(language_model, str(folder)).merge_and_unload()
    settings: dict[str, Any] = {}
    if (folder / CONFIG).is_file():
        settings = {**json.loads((folder / CONFIG).read_text()), **overrides}
        settings.pop("model_type", None)
    model = P2GModel(P2GConfig(**{**settings, "text_config": language_model.config}), language_model=language_model)
    model.add_special_tokens(tokenizer)
    ids = tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS))
    with torch.no_grad():
        model.get_input_embeddings().weight[ids] = _tensors(folder, ROWS)["rows"].to(dtype)
    if model.vision_tower is not None:
        model.vision_tower.load_state_dict(_tensors(folder, "vision"))
        parts = _tensors(folder, "projectors")
        for name in ("projector", "resampler"):
            start = f"{name}."
            own = {key.removeprefix(start): value for key, value in parts.items() if key.startswith(start)}
            getattr(model, name).load_state_dict(own)
        for name in ("vision_tower", "projector", "resampler"):
            torch.nn.Module.to(getattr(model, name), dtype)
    return model


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _tensors(folder: Path, stem: str) -> dict[str, torch.Tensor]:
    """All tensors of `stem.safetensors` or of its shards. Raises `FileNotFoundError` and `ValueError` of one line."""
    from safetensors import SafetensorError

    from policies.shards import read_shards

    try:
        found = read_shards(folder, stem)
    except SafetensorError as error:
        raise ValueError(f"{stem}.safetensors is damaged ({error})") from error
    if not found:
        raise FileNotFoundError(f"{stem}.safetensors is missing")
    return found
