"""What a run tells: a line every few steps, the same as JSON in `log.jsonl`, TensorBoard, and in the end a plot.

Speed is counted over the window since the last line: tokens without padding, pictures through the tower, and MFU, the
share of the machine's peak that the model's own arithmetic takes (`policies/train/flops.py`).
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.errors import UsageError

FILE = "log.jsonl"


class Log:
    """Writes rows of one run into `folder`; only the first process has one. `step` is where the run goes on."""

    def __init__(self, folder: Path, step: int, tensorboard: bool, say: Any) -> None:
        self.file, self.say = folder / FILE, say
        kept = [row for row in read(folder) if row["step"] <= step] if step else []
        self.file.write_text("".join(json.dumps(row) + "\n" for row in kept))
        self.writer: Any = None
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise UsageError(
                    "tensorboard = true needs the package tensorboard: pip install 'p2g[train]'"
                ) from error
            self.writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step)

    def row(self, step: int, values: dict[str, Any]) -> None:
        with self.file.open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        if self.writer:
            for name, value in values.items():
                if isinstance(value, int | float):
                    self.writer.add_scalar(name, value, step)

    def line(self, step: int, values: dict[str, Any]) -> None:
        """A row that is also said."""
        self.row(step, values)
        left = values.get("seconds left")
        more = "".join(f"  {k} {v:.3f}" for k, v in values.items() if k not in KNOWN and isinstance(v, float))
        self.say(
            f"step {step}  loss {values['loss']:.4f}  rate {values['rate']:.1e}  {values['tokens/s']:.0f} tokens/s"
            + (f"  {values['pictures/s']:.1f} pictures/s" if values["pictures/s"] else "")
            + f"  MFU {values['MFU']:.1%}"
            + more
            + ("" if left is None else f"  {_duration(left)} left")
        )

    def close(self) -> None:
        if self.writer:
            self.writer.close()


KNOWN = ("loss", "rate", "tokens/s", "padded tokens/s", "pictures/s", "MFU", "norm", "seconds", "seconds left")


def read(folder: Path) -> list[dict[str, Any]]:
    """The rows of a run; a line cut short by a crash is left out."""
    rows = []
    for line in (folder / FILE).read_text().splitlines() if (folder / FILE).is_file() else ():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


class Window:
    """Sums since the last line."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.started = time.perf_counter()
        self.sums: dict[str, float] = defaultdict(float)
        self.parts: dict[str, list[float]] = {}

    def add(self, **values: float) -> None:
        for name, value in values.items():
            self.sums[name] += value

    def part(self, name: str, total: float, count: float) -> None:
        pair = self.parts.setdefault(name, [0.0, 0.0])
        pair[0], pair[1] = pair[0] + total, pair[1] + count

    @property
    def seconds(self) -> float:
        return max(1e-9, time.perf_counter() - self.started)


def figures(window: Window, parts: Sequence[dict[str, list[float]]], peak: float) -> dict[str, float]:
    """What a window says: mean loss a target, speed, MFU of `peak` operations a second, and the stage's own `parts`
    (sum, count) of every process."""
    sums, seconds = window.sums, window.seconds
    found = {"loss": sums["loss"] / max(sums["count"], 1e-9), "norm": sums["norm"] / sums["steps"], "seconds": seconds}
    found |= {f"{name}/s": sums[name] / seconds for name in ("tokens", "padded tokens", "pictures")}
    found["MFU"] = sums["operations"] / seconds / peak
    for name in sorted({name for part in parts for name in part}):
        pairs = [part[name] for part in parts if name in part]
        found[name] = sum(total for total, _ in pairs) / max(sum(count for _, count in pairs), 1e-9)
    return found


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes}:{rest:02d}"
