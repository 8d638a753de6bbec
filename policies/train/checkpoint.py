"""Where a run stands, whole on the disk at any moment: written beside the last one, then renamed over it.

`checkpoint/` holds `tensors.safetensors` (masters, moments) and `state.json` (step, clock, waiting trees, random
states); nothing in it is executed when it is read. When there is no room the last complete one stays as it is.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

from torch import Tensor

from tools.errors import TrainingError

NAME = "checkpoint"


def save(folder: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Write `folder`/checkpoint. Raises `TrainingError` when it cannot; the one before is then untouched."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    new, now, old = folder / f"{NAME}.new", folder / NAME, folder / f"{NAME}.old"
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, new / "tensors.safetensors")
        (new / "state.json").write_text(json.dumps(state))
        for file in (*new.iterdir(), new):
            _sync(file)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(new, ignore_errors=True)
        full = getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)
        reason = "no space left" if full else " ".join(str(error).split())
        last = load_state(folder)
        kept = f"the one of step {last['step']} is intact" if last else "there is none yet"
        raise TrainingError(
            f"cannot write a checkpoint to {folder}: {reason}; {kept}: make room and go on with --resume"
        ) from error
    shutil.rmtree(old, ignore_errors=True)
    if now.exists():
        os.replace(now, old)
    os.replace(new, now)
    _sync(folder)
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _whole(folder: Path) -> Path | None:
    """The newest complete checkpoint; the old one counts where a crash fell between the two renames."""
    return next((path for path in (folder / NAME, folder / f"{NAME}.old") if (path / "state.json").is_file()), None)


def load_state(folder: Path) -> dict[str, Any] | None:
    """`state.json` of the newest complete checkpoint, or None."""
    found = _whole(folder)
    return json.loads((found / "state.json").read_text()) if found else None


def load(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Tensors and state of the newest complete checkpoint, or None. `TrainingError` when it cannot be read."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    found = _whole(folder)
    if found is None:
        return None
    try:
        return load_file(found / "tensors.safetensors"), json.loads((found / "state.json").read_text())
    except (OSError, ValueError, SafetensorError) as error:
        raise TrainingError(f"the checkpoint in {found} is damaged ({error}): remove it and begin anew") from error
