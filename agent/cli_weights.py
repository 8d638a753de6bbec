"""Which weights are on this machine: those that ship in `policies/weights`, and the base model in the cache."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel

SUFFIXES = {".safetensors", ".gguf", ".onnx", ".bin"}


class WeightFile(BaseModel):
    """One file of weights. `name` is the folder that holds it, as profiles and this listing call it."""

    name: str
    path: Path
    bytes: int
    sha256: str


def weight_files(home: Path) -> list[WeightFile]:
    """All weight files, shipped ones first; reads every byte (about a second for the base model)."""
    import policies

    shipped = Path(policies.__file__).parent / "weights"
    found = [("", path) for path in _files(shipped)] + [("base/", path) for path in _files(home / "base")]
    return [
        WeightFile(name=prefix + path.parent.name, path=path, bytes=path.stat().st_size, sha256=_sha256(path))
        for prefix, path in found
    ]


def _files(folder: Path) -> list[Path]:
    hidden = [path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file()]
    return sorted(path for path in hidden if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
