"""Loads a chat VLM and its processor from a folder or the hub, without torchvision, with errors of one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tools.errors import ControllerError


def load(name: str, device: str, dtype: str) -> tuple[Any, Any]:
    """(processor, model in evaluation mode on its device). Raises `ControllerError`."""
    import torch
    from transformers import AutoModelForImageTextToText

    folder = Path(name).expanduser()
    looks_local = name.startswith((".", "/", "~")) or name.count("/") > 1
    if looks_local and not (folder / "config.json").is_file():
        raise ControllerError(f"{name} is no checkpoint folder (it has no config.json): check the model of the profile")
    source = str(folder) if folder.is_dir() else name
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        processor = load_processor(source)
        model: Any = AutoModelForImageTextToText.from_pretrained(source, dtype=dtype)
        model = model.to(device).eval()
    except Exception as error:  # transformers and the hub client raise whatever they meet
        raise ControllerError(explain(name, error)) from error
    if not getattr(processor, "chat_template", None):
        raise ControllerError(f"{name} has no chat template: use the instruct or chat version of this model")
    return processor, model


def load_processor(source: str) -> Any:
    """The checkpoint's processor; where only its video part cannot be loaded, the same without that part."""
    import transformers
    from transformers import AutoConfig, AutoProcessor
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES

    try:
        return AutoProcessor.from_pretrained(source)
    except (ImportError, ValueError, TypeError, OSError, AttributeError) as error:
        kind = AutoConfig.from_pretrained(source).model_type
        base = getattr(transformers, PROCESSOR_MAPPING_NAMES.get(kind) or "", None)
        if base is None or not any("video" in name for name in base.get_attributes()):
            raise error
        return images_only(base).from_pretrained(source)


def images_only(base: Any) -> Any:
    """A processor class without its video processor, which would need torchvision."""
    kept = [name for name in base.get_attributes() if "video" not in name]
    return type(base.__name__, (base,), {"get_attributes": classmethod(lambda cls: kept)})


def explain(name: str, error: Exception) -> str:
    """One line that says why a checkpoint could not be loaded and what to do."""
    text = " ".join(str(error).split())
    if "offline" in text.casefold() or "connect" in text.casefold() or "not a local folder" in text.casefold():
        return f"{name} is not on this machine and the hub cannot be reached: give a folder, or fetch it while online"
    if "torchvision" in text:
        return f"{name}: its processor needs torchvision, which is not installed: use another model or install it"
    if "out of memory" in text.casefold():
        return f"{name} does not fit into memory: use a smaller model or another device"
    return f"{name} cannot be loaded ({type(error).__name__}: {text[:160]}): check the model of the profile"
