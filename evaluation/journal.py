"""The run folder of a benchmark: a `RunFolder` of `Row`s, and beside it the trace of every question.

`rows.jsonl` is durable line by line (`agent/durable.py`); `traces.jsonl` holds the steps of each question, which a kill
does not lose but a power failure may.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from agent.durable import ROWS, RunFolder, last_line_end, open_at, put, scan, to_line
from agent.durable import read_run as read_any_run
from agent.types import Step
from evaluation.rows import Row, Run
from tools.errors import UsageError

TRACES = "traces.jsonl"


class Journal(RunFolder[Run]):
    """A run folder, opened for writing. Raises `UsageError` when it is another run's, in use, or cannot be written."""

    def __init__(self, folder: Path, run: Run) -> None:
        super().__init__(folder, run)
        try:
            self._traces = open_at(folder / TRACES, last_line_end(folder / TRACES))
        except OSError as error:
            raise UsageError(f"{folder} cannot be written: {error.strerror or error}; choose another --out") from None

    def append(self, row: Row, steps: Sequence[Step]) -> None:
        """Keeps a row and its trace; when this returns the row is on the disk. A row of the same key is replaced."""
        if steps:
            row.trace = self._traces.seek(0, os.SEEK_END)
            put(self._traces, to_line({"key": row.key, "steps": [step.model_dump(mode="json") for step in steps]}))
        self.keep(row.model_dump(mode="json"))

    def finish(self, keys: Iterable[str]) -> str:
        """Writes `results.jsonl`, the stable part of every row in the order of `keys`; returns its SHA-256."""
        return self.finish_with(keys, stable)

    def close(self) -> None:
        super().close()
        self._traces.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def stable(line: bytes) -> dict[str, Any]:
    """The stable part of a row's line."""
    return Row.model_validate_json(line).stable()


def read_run(folder: Path) -> Run:
    """What `run.json` says. Raises `UsageError`."""
    return read_any_run(folder, Run)


def read_rows(folder: Path) -> Iterator[Row]:
    """The rows in the order in which their questions ended, one at a time; of each key the last one."""
    places, _, _ = scan(folder / ROWS)
    with (folder / ROWS).open("rb") as file:
        for place in sorted(places.values()):
            file.seek(place)
            yield Row.model_validate_json(file.readline())


def read_trace(folder: Path, row: Row) -> list[Step]:
    """The steps of a row; empty when it has none, or when they were lost with the power."""
    if row.trace is None or not (folder / TRACES).is_file():
        return []
    with (folder / TRACES).open("rb") as file:
        file.seek(row.trace)
        try:
            kept = json.loads(file.readline())
            return [Step.model_validate(step) for step in kept["steps"]] if kept["key"] == row.key else []
        except (ValueError, TypeError, KeyError):
            return []
