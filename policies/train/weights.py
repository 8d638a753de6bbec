"""The folder that a stage leaves and that `policies/nano.py` loads: safetensors in bf16, no file over 15 MB.

`adapter_model` (LoRA) with its configuration, `token_rows`, `policy.json`; with a tower also `vision`, `projectors` and
`p2g_config.json` (the region pathway and the tower's configuration). A fully trained LM stands in `language/`, also
when a later stage adds an adapter to it or leaves it as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from policies.base_lm import NAME
from policies.shards import read_shards, shards, write_shards
from policies.train.recipe import StageRecipe
from tools.errors import UsageError

if TYPE_CHECKING:
    from policies.train.learner import Learner

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
LANGUAGE = "language"


def attach_lora(learner: Learner, stage: StageRecipe, init: Path | None) -> None:
    """LoRA on the LM: the one in folder `init`, else a new one where the stage trains one."""
    from peft import LoraConfig, PeftModel, get_peft_model

    lm: Any = learner.model.language_model
    if init is not None and (init / "adapter_config.json").is_file():
        lm = PeftModel.from_pretrained(lm, init, is_trainable=True, autocast_adapter_dtype=False)
        if stage.language == "full":
            lm, learner.own_language = lm.merge_and_unload(), True
    elif stage.language == "lora" and stage.rates.language > 0:
        rank, alpha = stage.lora_rank, stage.lora_alpha
        config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=TARGETS, task_type="CAUSAL_LM")
        lm = get_peft_model(lm, config, autocast_adapter_dtype=False)
    learner.model.language_model = lm


def folder_hash(folder: Path) -> str:
    """SHA-256 of the tensors in a folder of weights; a stage's checkpoint is none of them."""
    found = hashlib.sha256()
    for file in sorted([*folder.glob("*.safetensors"), *(folder / LANGUAGE).glob("*.safetensors")]):
        found.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def load_weights(learner: Learner, folder: Path) -> None:
    """Rows, tower and projectors of `folder`, as far as they are there; the adapter was attached before.

    Raises `UsageError` when something does not fit the recipe.
    """
    from safetensors import SafetensorError

    parts: list[tuple[str, Any]] = [("token_rows", None)]
    if learner.model.vision_tower is not None:
        parts += [("vision", learner.model.vision_tower), ("projectors", _Projectors(learner))]
    found = [stem for stem, module in parts if _load(folder, stem, module, learner, SafetensorError)]
    if not found and not (folder / "adapter_config.json").is_file() and not (folder / LANGUAGE).is_dir():
        raise UsageError(f"no weights in {folder}: init names a folder with adapter_model, vision or projectors")


def _load(folder: Path, stem: str, module: Any, learner: Learner, broken: type[Exception]) -> bool:
    try:
        tensors = read_shards(folder, stem)
        if not tensors:
            return False
        if module is None:
            learner.rows.data.copy_(tensors["rows"])
        else:
            module.load_state_dict(tensors)
    except (RuntimeError, KeyError, OSError, broken) as error:
        reason = " ".join(str(error).split())[:160]
        raise UsageError(f"{stem} in {folder} does not fit this recipe's model: {reason}") from error
    return True


class _Projectors:
    """The MLP and the resampler as one set of tensors."""

    def __init__(self, learner: Learner) -> None:
        self.modules = {"projector": learner.model.projector, "resampler": learner.model.resampler}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        for name, module in self.modules.items():
            assert module is not None
            start = f"{name}."
            module.load_state_dict({k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)})


def save_weights(
    learner: Learner, folder: Path, whole: Callable[[Tensor], Tensor] = Tensor.detach, write: bool = True
) -> None:
    """Write the weights into `folder`, replacing those there one complete file after the other.

    `whole` gathers a tensor that is spread over devices; every process calls this, one has `write`.
    """
    lora = hasattr(learner.model.language_model, "peft_config")
    learns = not lora and any(p.requires_grad for p in learner.model.language_model.parameters())
    all_of_it = learns or learner.own_language
    state = {
        name: whole(tensor).to("cpu", torch.bfloat16 if tensor.is_floating_point() else tensor.dtype)
        for name, tensor in learner.state_dict().items()
        if all_of_it or "lora_" in name or not name.startswith("model.language_model.")
    }
    if not write:
        return
    scratch = folder / ".weights.new"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        _write(learner, state, scratch)
        stale = {file.name for stem in ("adapter_model", "vision", "projectors") for file in shards(folder, stem)}
        for file in sorted(scratch.iterdir()):
            if file.is_dir():
                shutil.rmtree(folder / file.name, ignore_errors=True)
            os.replace(file, folder / file.name)
            stale.discard(file.name)
        for name in stale:  # another number of shards
            (folder / name).unlink()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if not (folder / "policy.json").exists():
        (folder / "policy.json").write_text('{"threshold": 0.5, "temperature": 1.0}\n')


def _write(learner: Learner, state: dict[str, Tensor], folder: Path) -> None:
    from peft import get_peft_model_state_dict

    model, lm = learner.model, cast(Any, learner.model.language_model)
    write_shards({"rows": state["rows"]}, folder, "token_rows")
    start = "model.language_model."
    language = {name.removeprefix(start): tensor for name, tensor in state.items() if name.startswith(start)}
    if hasattr(lm, "peft_config"):
        config: Any = lm.peft_config["default"]
        adapter = get_peft_model_state_dict(lm, state_dict=language, save_embedding_layers=False)
        write_shards(adapter, folder, "adapter_model", limit=None)  # peft reads one file
        settings = config.to_dict() | {"base_model_name_or_path": NAME, "inference_mode": True}
        (folder / "adapter_config.json").write_text(json.dumps(settings, indent=2, sort_keys=True, default=sorted))
        lm = lm.get_base_model()
    own = {_plain(name): tensor for name, tensor in language.items() if "lora_" not in name}
    if own:
        _write_language(lm, own, learner.old, folder / LANGUAGE)
    if model.vision_tower is not None:
        tower = "model.vision_tower."
        write_shards({k.removeprefix(tower): v for k, v in state.items() if k.startswith(tower)}, folder, "vision")
        kept = ("model.projector.", "model.resampler.")
        write_shards(
            {k.removeprefix("model."): v for k, v in state.items() if k.startswith(kept)}, folder, "projectors"
        )
        settings = {k: v for k, v in model.config.to_dict().items() if k not in ("text_config", "transformers_version")}
        (folder / "p2g_config.json").write_text(json.dumps(settings, indent=1, sort_keys=True) + "\n")


def _plain(name: str) -> str:
    """The name of an LM's parameter without what peft adds to it."""
    return name.removeprefix("base_model.model.").replace(".base_layer.", ".")


def _write_language(lm: Any, tensors: dict[str, Tensor], old: int, folder: Path) -> None:
    """A plain causal LM again: the special tokens' rows stand in `token_rows`."""
    size = lm.config.vocab_size
    plain = {name: t[:old].contiguous() if t.shape[:1] == (size,) else t for name, t in tensors.items()}
    if lm.config.tie_word_embeddings:
        plain.pop("lm_head.weight", None)
    write_shards(plain, folder, "model")
    settings = lm.config.to_dict() | {"vocab_size": old, "dtype": "bfloat16"}
    (folder / "config.json").write_text(json.dumps(settings, indent=1, default=str) + "\n")
