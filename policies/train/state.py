"""What of a run goes into a checkpoint and comes back from it, and what a run says about itself when it ends."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import torch

from policies.train import checkpoint, report
from policies.train.devices import spread
from tools.errors import UsageError

if TYPE_CHECKING:
    from policies.train.loop import Run

SAME = ("sources", "language", "lora_rank", "lora_alpha", "tokens", "accumulate", "pool", "precision")


def of_process(run: Run) -> dict[str, Any]:
    """What each process has of its own: waiting trees, random states, the stage's memory."""
    found: dict[str, Any] = {"pool": run.pool.state(), "stage": run.stage.state()}
    found["torch"] = _text(torch.get_rng_state())
    found["generator"] = _text(run.work.generator.get_state())
    if run.devices.device.startswith("cuda"):
        found["cuda"] = _text(torch.cuda.get_rng_state())
    return found


def of_run(run: Run, ranks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "step": run.step,
        "seconds": run.seconds,
        "totals": run.totals,
        "validation": run.validation,
        "digest": run.digest,
        "init": run.init,
        "recipe": run.recipe.model_dump(mode="json"),
        "ranks": ranks,
    }


def restore(run: Run) -> list[int]:
    """Put `run` where its last checkpoint is; returns the items whose trees were waiting. Nothing without one.

    Raises `UsageError` when the run is told to be another one than the checkpoint's.
    """
    found = checkpoint.load(run.folder)
    if found is None:
        return []
    tensors, state = found
    _check(run, state)
    try:
        run.masters.load(tensors, spread)
    except (KeyError, RuntimeError) as error:
        raise UsageError(f"the checkpoint in {run.folder} is of another model or other parts: {error}") from error
    run.step, run.seconds = state["step"], state["seconds"]
    run.totals, run.validation = state["totals"], state["validation"]
    mine = state["ranks"][run.devices.rank]
    run.stage.load(mine["stage"])
    torch.set_rng_state(_bytes(mine["torch"]))
    run.work.generator.set_state(_bytes(mine["generator"]))
    if "cuda" in mine and run.devices.device.startswith("cuda"):
        torch.cuda.set_rng_state(_bytes(mine["cuda"]))
    return run.pool.load(mine["pool"])


def _check(run: Run, state: dict[str, Any]) -> None:
    name, old, new = run.stage.name, state["recipe"], run.recipe.model_dump(mode="json")
    pairs = {key: (old[name][key], new[name][key]) for key in SAME}
    pairs |= {key: (old[key], new[key]) for key in ("seed", "model")}
    pairs["processes"] = (len(state["ranks"]), run.devices.world)
    pairs["data"] = (state["digest"], run.digest)
    if "init" in state:  # by content: a folder may have moved
        pairs["initial weights (SHA-256)"] = (state["init"], run.init)
    for key, (before, now) in pairs.items():
        if before != now:
            raise UsageError(
                f"the run in {run.folder} had {key} {before}, not {now}: it cannot go on as another; name another out"
            )


def facts(run: Run, done: float, fitted: dict[str, float]) -> dict[str, Any]:
    """training.json: how the run was made, on what, and what came of it."""
    rows = [row for row in report.log.read(run.folder) if "loss" in row]
    last = rows[-10:]
    return {
        "stage": run.stage.name,
        "complete": done >= 1,
        "command": report.command(),
        "recipe": run.recipe.model_dump(mode="json", include={"seed", "model", run.stage.name}),
        "seed": run.recipe.seed,
        "data": run.digest,
        "hardware": report.hardware(run.devices.device, run.devices.world),
        "versions": report.versions(),
        "steps": run.step,
        "minutes": round(run.seconds / 60, 2),
        "totals": {name: int(value) for name, value in run.totals.items()},
        "trees left out as too long": run.pool.too_long,
        "loss": sum(row["loss"] for row in last) / len(last) if last else None,
        "speed": {key: sum(row[key] for row in last) / len(last) for key in ("tokens/s", "pictures/s", "MFU")}
        if last
        else {},
        "validation": run.validation,
        "fitted": fitted,
        "curve": [[row["step"], round(row["loss"], 4)] for row in rows],
    }


def _text(values: torch.Tensor) -> str:
    return base64.b64encode(values.numpy().tobytes()).decode()


def _bytes(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
