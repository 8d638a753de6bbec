"""The mean of two folders of weights: `python -m policies.train.average OLD NEW --out DIR [--share 0.5]`.

The mean of weights that were trained on and of those they came from often forgets less and keeps most of what was
learned (WiSE-FT, arXiv 2109.01903; model soups, arXiv 2203.05482). Factors of LoRA are averaged one by one, which is
not the mean of their products: measure the old, the new and the mean on questions that are no test.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import load_file, save_file

from policies.nano import Policy, weights_path
from policies.train.weights import LANGUAGE
from tools.errors import P2GError, UsageError


def average(old: Path, new: Path, out: Path, share: float = 0.5) -> None:
    """`out`: every tensor is `share` of `new` and the rest of `old`, with the settings of `new`; threshold and
    temperature are as before a fit. Raises `UsageError` for folders that do not hold the same tensors."""
    files = sorted(file.name for file in new.glob("*.safetensors"))
    if not 0 <= share <= 1:
        raise UsageError(f"share must be between 0 and 1, got {share}")
    if files != sorted(file.name for file in old.glob("*.safetensors")):
        raise UsageError(f"{old} and {new} have other files of weights: average what was trained in the same way")
    if any((folder / LANGUAGE).is_dir() for folder in (old, new)):
        raise UsageError(f"a language model that was trained in full ({LANGUAGE}/) is not averaged: take LoRA weights")
    if out.exists():
        raise UsageError(f"{out} is there already: name a new folder")
    means = {}
    for name in files:
        one, other = load_file(old / name), load_file(new / name)
        if {key: value.shape for key, value in one.items()} != {key: value.shape for key, value in other.items()}:
            raise UsageError(f"{name} has other tensors in {old} than in {new}: average what is of one shape")
        means[name] = {
            key: one[key].float().lerp(value.float(), share).to(value.dtype) if value.is_floating_point() else value
            for key, value in other.items()
        }
    out.mkdir(parents=True)
    for file in new.glob("*.json"):
        if file.name not in ("policy.json", "training.json"):  # what was fitted on, and said of, other weights
            shutil.copy(file, out)
    (out / "policy.json").write_text(Policy().model_dump_json() + "\n")
    for name, tensors in means.items():
        save_file(tensors, out / name, metadata={"format": "pt"})


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", help="weights that ship, by name, or a folder")
    parser.add_argument("new", help="the same")
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.add_argument("--share", type=float, default=0.5, help="of the new weights")
    args = parser.parse_args(arguments)
    try:
        average(weights_path(args.old), weights_path(args.new), args.out, args.share)
    except P2GError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
