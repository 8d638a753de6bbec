"""Joins the shards of a run (`--shard i/n`) into one run folder, equal to that of the run in one go."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from agent.durable import (
    RESULTS,
    ROWS,
    RUN,
    difference,
    last_line_end,
    lock,
    scan,
    to_line,
    write_results,
    write_whole,
)
from evaluation.journal import TRACES, read_run, stable
from evaluation.rows import Row, Run
from tools.errors import UsageError


def merge(folders: Sequence[Path], out: Path) -> str:
    """Writes rows, traces and results of all shards into `out`; returns the SHA-256 of `results.jsonl`.

    Raises `UsageError` when the shards are not all there, not finished, or not of one run.
    """
    shards = in_order(folders)
    if (out / RUN).exists():
        raise UsageError(f"{out} holds a run already; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    with lock(out):
        with (out / ROWS).open("wb") as rows, (out / TRACES).open("wb") as traces:
            for folder, _ in shards:
                copy(folder, rows, traces)
        places, _, _ = scan(out / ROWS)
        digest = write_results(out / RESULTS, ((out / ROWS, places[key]) for key in keys(shards)), stable)
        first = shards[0][1]
        whole = first.model_copy(update={"shard": None, "questions": sum(run.questions for _, run in shards)})
        write_whole(out / RUN, whole.model_dump_json(indent=1).encode() + b"\n")
    return digest


def in_order(folders: Sequence[Path]) -> list[tuple[Path, Run]]:
    """The shards 1/n to n/n."""
    found: dict[int, tuple[Path, Run]] = {}
    of = 0
    for folder in folders:
        run = read_run(folder)
        if run.shard is None:
            raise UsageError(f"{folder} is no shard but a whole run: nothing to merge")
        if not (folder / RESULTS).is_file():
            raise UsageError(f"{folder} is not finished: run its command again first")
        number, of = map(int, run.shard.split("/"))
        if number in found:
            raise UsageError(f"{folder} and {found[number][0]} are the same shard, {run.shard}")
        found[number] = folder, run
    if len(found) != of or set(found) != set(range(1, of + 1)):
        missing = [f"{number}/{of}" for number in range(1, of + 1) if number not in found]
        raise UsageError(f"shard {', '.join(missing) or 'of one run'} is missing: name the folders of all {of} shards")
    first = found[1][1]
    for folder, run in found.values():
        if other := difference(first, run.model_copy(update={"shard": first.shard, "questions": first.questions})):
            raise UsageError(f"{folder} and {found[1][0]} are not of one run: {other}")
    return [found[number] for number in sorted(found)]


def copy(folder: Path, rows: BinaryIO, traces: BinaryIO) -> None:
    """The rows of one shard, pointing at where their traces are now."""
    before = traces.tell()
    if (folder / TRACES).is_file():
        with (folder / TRACES).open("rb") as source:
            shutil.copyfileobj(source, traces)
        traces.truncate(before + last_line_end(folder / TRACES))
        traces.seek(before + last_line_end(folder / TRACES))
    places, _, _ = scan(folder / ROWS)
    with (folder / ROWS).open("rb") as source:
        for place in sorted(places.values()):
            source.seek(place)
            row = Row.model_validate_json(source.readline())
            row.trace = None if row.trace is None else row.trace + before
            rows.write(to_line(row.model_dump(mode="json")))


def keys(shards: Sequence[tuple[Path, Run]]) -> Iterator[str]:
    """The keys in the order of the whole run: question 1 of shard 1, question 1 of shard 2, ..., in every mode."""
    modes = len(shards[0][1].modes)
    readers = [result_keys(folder) for folder, _ in shards]
    for number in range(max(run.questions for _, run in shards)):
        for reader, (_, run) in zip(readers, shards, strict=True):
            if number < run.questions:
                yield from (next(reader) for _ in range(modes))


def result_keys(folder: Path) -> Iterator[str]:
    import json

    with (folder / RESULTS).open("rb") as file:
        for line in file:
            yield json.loads(line)["key"]
