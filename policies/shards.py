"""Tensors in safetensors files of bounded size, under one stem: what ships stays under 15 MB a file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from torch import Tensor

SHARD_BYTES = 14 * 2**20


def write_shards(tensors: dict[str, Tensor], folder: Path, stem: str, limit: int | None = SHARD_BYTES) -> None:
    """`stem.safetensors`, or numbered shards of at most `limit` bytes (a larger tensor has one alone)."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    groups: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in tensors.items():
        taken = tensor.numel() * tensor.element_size()
        if limit and groups[-1] and size + taken > limit:
            groups.append({})
            size = 0
        groups[-1][name] = tensor.contiguous()
        size += taken
    for number, group in enumerate(groups, 1):
        name = stem if len(groups) == 1 else f"{stem}-{number:05d}-of-{len(groups):05d}"
        save_file(group, folder / f"{name}.safetensors", metadata={"format": "pt"})
        (folder / f"{name}.safetensors").chmod(0o644)
    if len(groups) > 1:  # as transformers reads it
        names = {key: f"{stem}-{n:05d}-of-{len(groups):05d}.safetensors" for n, g in enumerate(groups, 1) for key in g}
        (folder / f"{stem}.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))


def shards(folder: Path, stem: str) -> list[Path]:
    """The files that `write_shards` made."""
    return sorted([*folder.glob(f"{stem}.safetensors"), *folder.glob(f"{stem}-?????-of-?????.safetensors")])


def read_shards(folder: Path, stem: str) -> dict[str, Tensor]:
    """All tensors of `stem` in `folder`; empty when there are none."""
    from safetensors.torch import load_file

    files: Iterable[Path] = shards(folder, stem)
    return {name: tensor for file in files for name, tensor in load_file(file).items()}
