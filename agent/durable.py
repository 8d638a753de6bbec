"""A folder that a long run writes: one durable line for every question that ended, so that a kill loses nothing.

`run.json` says what the run is, `rows.jsonl` holds a JSON line a question in the order in which they ended, written and
fsynced one by one, `results.jsonl` what is made of them at the end. Only keys and byte offsets are kept in memory. A
line cut short by a crash is dropped when the folder is opened again; one process at a time writes a folder (`flock`);
a run of something else than `run.json` says is refused. `p2g ask-many` and the benchmarks write such folders.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from tools.errors import UsageError

RUN, ROWS, RESULTS, LOCK = "run.json", "rows.jsonl", "results.jsonl", ".lock"
NOT_COMPARED = frozenset({"started", "command", "directory"})
R = TypeVar("R", bound=BaseModel)


class RunFolder(Generic[R]):
    """A run folder, opened for writing. Raises `UsageError` when it is another run's, in use, or cannot be written.

    `run` says what is run; all of it but `NOT_COMPARED` must be the same when the folder is opened again.
    """

    def __init__(self, folder: Path, run: R) -> None:
        self.folder, self.run = folder, run
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = lock(folder)
            try:
                self._begin()
                self.places, self.failed, end = scan(folder / ROWS)
                self._rows = open_at(folder / ROWS, end)
            except BaseException:
                self._lock.close()
                raise
        except OSError as error:
            raise UsageError(f"{folder} cannot be written: {error.strerror or error}; choose another --out") from None

    def _begin(self) -> None:
        """Compares with the run that this folder was begun with, or begins it."""
        if (self.folder / RUN).exists():
            begun = read_run(self.folder, type(self.run))
            if other := difference(begun, self.run):
                raise UsageError(f"{self.folder} holds another run: {other}; choose another --out to begin a new one")
            self.run = begun
            return
        if (self.folder / ROWS).exists():
            raise UsageError(f"{self.folder} holds {ROWS} but no {RUN}: choose another --out")
        write_whole(self.folder / RUN, self.run.model_dump_json(indent=1).encode() + b"\n")

    def __contains__(self, key: str) -> bool:
        return key in self.places

    def __len__(self) -> int:
        return len(self.places)

    def keep(self, row: Mapping[str, Any]) -> None:
        """Appends a row (JSON-ready, with `key` and `error`); when this returns it is on the disk.

        A row of the same key is replaced.
        """
        place = self._rows.seek(0, os.SEEK_END)
        put(self._rows, to_line(row))
        os.fsync(self._rows.fileno())
        self.places[row["key"]] = place
        (self.failed.add if row["error"] else self.failed.discard)(row["key"])

    def finish_with(self, keys: Iterable[str], make: Callable[[bytes], Any], path: Path | None = None) -> str:
        """Writes `make(line)` of every row in the order of `keys` to `path` (`results.jsonl`); returns its SHA-256."""
        rows = ((self.folder / ROWS, self.places[key]) for key in keys)
        return write_results(path or self.folder / RESULTS, rows, make)

    def close(self) -> None:
        for file in (self._rows, self._lock):
            file.close()


def read_run(folder: Path, kind: type[R]) -> R:
    """What `run.json` says. Raises `UsageError`."""
    try:
        return kind.model_validate_json((folder / RUN).read_bytes())
    except FileNotFoundError:
        raise UsageError(f"{folder} is no run folder: it has no {RUN}") from None
    except (OSError, ValidationError) as error:
        raise UsageError(f"{folder / RUN} cannot be read: {str(error).splitlines()[0]}") from None


def write_results(path: Path, rows: Iterable[tuple[Path, int]], make: Callable[[bytes], Any]) -> str:
    """Lines made of rows given as (file, byte offset); the file appears whole or not at all. Returns its SHA-256."""
    digest, part = hashlib.sha256(), path.with_name(path.name + ".part")
    files: dict[Path, BinaryIO] = {}
    with part.open("wb") as out:
        try:
            for source, place in rows:
                if source not in files:
                    files[source] = source.open("rb")
                files[source].seek(place)
                line = to_line(make(files[source].readline()), sort_keys=True)
                digest.update(line)
                out.write(line)
        finally:
            for file in files.values():
                file.close()
        out.flush()
        os.fsync(out.fileno())
    os.replace(part, path)
    return digest.hexdigest()


def scan(path: Path) -> tuple[dict[str, int], set[str], int]:
    """(byte offset of every key's last row, keys whose last row is an error, where the last whole line ends)."""
    places: dict[str, int] = {}
    failed: set[str] = set()
    if not path.exists():
        return places, failed, 0
    place, size = 0, path.stat().st_size
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = json.loads(line)
                key, error = str(row["key"]), row["error"]
            except (ValueError, TypeError, KeyError):
                key = ""
            if not key or not line.endswith(b"\n"):  # the last line was cut by a crash
                if place + len(line) < size:
                    raise UsageError(f"{path}:{number} is no row: remove this line to ask its question again")
                break
            places[key] = place
            (failed.add if error else failed.discard)(key)
            place += len(line)
    return places, failed, place


def last_line_end(path: Path) -> int:
    """Where the last whole line ends, in bytes; looks at the end of the file only."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        at = file.seek(0, os.SEEK_END)
        while at:
            start = max(0, at - 65_536)
            file.seek(start)
            if (found := file.read(at - start).rfind(b"\n")) >= 0:
                return start + found + 1
            at = start
    return 0


def open_at(path: Path, end: int) -> Any:
    """The file for appending at `end`; what follows, a write that did not come to its end, is dropped."""
    file = path.open("ab", buffering=0)
    file.truncate(end)
    return file


def lock(folder: Path) -> BinaryIO:
    """The folder's lock, held until the returned file is closed or the process ends, however it ends."""
    file = (folder / LOCK).open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read(20).decode("ascii", "replace").strip() or "unknown"
        file.close()
        raise UsageError(
            f"another process ({holder}) is writing {folder}: wait for it, or choose another --out"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()).encode())
    file.flush()
    return file


def difference(begun: BaseModel, now: BaseModel, ignored: Collection[str] = NOT_COMPARED) -> str:
    """The first thing in which two runs differ, as `seed is 0 there and 1 here`; empty when they are the same run."""
    before, after = begun.model_dump(exclude=set(ignored)), now.model_dump(exclude=set(ignored))
    for name, value in before.items():
        if value == after[name]:
            continue
        if isinstance(value, Mapping):
            inner = next(part for part in {**value, **after[name]} if value.get(part) != after[name].get(part))
            name, value, other = f"{name}.{inner}", value.get(inner), after[name].get(inner)
        else:
            other = after[name]
        return f"{name} is {short(value)} there and {short(other)} here"
    return ""


def short(value: Any) -> str:
    """A value of a run for one line; of a hash its first characters."""
    text = ",".join(map(str, value)) if isinstance(value, list) else "none" if value in (None, "") else str(value)
    return text[:12] + "…" if len(text) == 64 else text[:100]


def to_line(data: Any, sort_keys: bool = False) -> bytes:
    """One JSON line; half of a surrogate pair, which UTF-8 cannot hold, becomes `?`."""
    return (json.dumps(data, ensure_ascii=False, sort_keys=sort_keys) + "\n").encode("utf-8", "replace")


def put(file: Any, line: bytes) -> None:
    """The whole line; an unbuffered file may take less at once."""
    view = memoryview(line)
    while view:
        view = view[file.write(view) :]


def write_whole(path: Path, data: bytes) -> None:
    """A small file that appears whole or not at all."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
