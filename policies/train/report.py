"""What a run leaves to be judged by: training.json (what was run, on what, what came of it) and a plot of it."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from policies.train import log

PACKAGES = ("p2g", "torch", "transformers", "peft", "accelerate", "safetensors", "numpy")


def hardware(device: str, world: int) -> dict[str, Any]:
    """The machine in words and numbers."""
    import torch

    found: dict[str, Any] = {"device": device, "processes": world, "cores": os.cpu_count(), "cpu": _cpu()}
    if device.startswith("cuda"):
        found["gpu"] = torch.cuda.get_device_name()
        found["gpu_peak_gb"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    return found


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def command() -> str:
    """How this process was started, with the program's name alone."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def write(folder: Path, facts: dict[str, Any]) -> None:
    """training.json, complete or not there, and the plot."""
    scratch = folder / ".training.json.new"
    scratch.write_text(json.dumps(facts, indent=1, default=str) + "\n")
    os.replace(scratch, folder / "training.json")
    plot(folder)


def plot(folder: Path) -> None:
    """`training.png`: loss of training and held-out items, exact match by kind, rate and speed over the steps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = log.read(folder)
    steps = [row for row in rows if "loss" in row]
    held = [row for row in rows if "validation" in row]
    figure = Figure(figsize=(10, 6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2)
    for place, name in ((axes[0][0], "loss"), (axes[1][0], "rate"), (axes[1][1], "tokens/s")):
        place.plot([row["step"] for row in steps], [row[name] for row in steps])
        place.set_title(name)
    kinds = sorted({kind for row in held for kind in row["validation"]})
    for kind in kinds:
        points = [(row["step"], row["validation"][kind]) for row in held if kind in row["validation"]]
        place = axes[0][0] if kind == "loss" else axes[0][1]
        label = "held out" if kind == "loss" else kind.removeprefix("exact ") or "all"
        place.plot([x for x, _ in points], [y for _, y in points], marker=".", label=label)
    axes[0][1].set_title("exact match, held out")
    for place in (axes[0][0], axes[0][1]):
        if lines := len(place.get_legend_handles_labels()[0]):
            beside = {"loc": "center left", "bbox_to_anchor": (1, 0.5)} if lines > 4 else {}
            place.legend(fontsize=7, ncols=1 + lines // 12, **beside)
    figure.savefig(folder / "training.png", dpi=110)
