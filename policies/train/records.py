"""Durable records of a long run: one JSON line each, on the disk when `append` returns, so that kill -9 costs one line.

A file is begun with a header that says what the run is; opened again for another run it is refused. A line cut short by
a crash is dropped, a key is never kept twice, and one process at a time writes (`flock`).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from tools.errors import UsageError

Row = TypeVar("Row", bound=BaseModel)


class Records(Generic[Row]):
    """Rows of one model with a field `key`, appended to `path`. `header` says of which run they are."""

    def __init__(self, path: Path, row: type[Row], header: dict[str, Any]) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b", buffering=0)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise UsageError(f"another process is writing {path}: wait for it, or choose another folder") from None
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}; choose another folder") from None
        try:
            begun, self._rows, end = _scan(path, row)
            if begun is not None and begun != header:
                name = next(n for n in {**begun, **header} if begun.get(n) != header.get(n))
                was, now = begun.get(name), header.get(name)
                raise UsageError(
                    f"{path} holds another run: {name} is {was} there and {now} here; choose another folder"
                )
        except UsageError:
            self._file.close()
            raise
        self._file.truncate(end)
        if begun is None:
            self._put({"run": header})

    def append(self, row: Row) -> None:
        """Keeps a row; when this returns it is on the disk. Raises `UsageError` on a full disk, `ValueError` on a key
        that is there already."""
        key = str(row.key)  # type: ignore[attr-defined]
        if key in self._rows:
            raise ValueError(f"{key} is in {self.path} already")
        self._put(row.model_dump(mode="json"))
        self._rows[key] = row

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def _put(self, data: dict[str, Any]) -> None:
        view = memoryview((json.dumps(data, ensure_ascii=False) + "\n").encode("utf-8", "replace"))
        try:
            while view:
                view = view[self._file.write(view) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise UsageError(
                f"{self.path}: {error.strerror}; what is in it is kept, free some space and go on"
            ) from None

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Records[Row]:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def read_records(path: Path, row: type[Row]) -> list[Row]:
    """The rows of a file, whoever writes it. Raises `UsageError` where there are none."""
    if not path.is_file():
        raise UsageError(f"there are no rows in {path}: make them first")
    rows = list(_scan(path, row)[1].values())
    if not rows:
        raise UsageError(f"{path} has no finished row: run it again")
    return rows


def digest(rows: list[Row]) -> str:
    """SHA-256 of rows, whatever order they were made in."""
    lines = sorted(json.dumps(row.model_dump(mode="json"), sort_keys=True) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _scan(path: Path, row: type[Row]) -> tuple[dict[str, Any] | None, dict[str, Row], int]:
    """(header, rows by key, where the last whole line ends). Raises `UsageError` for a spoilt line in the middle."""
    header, rows, place = None, {}, 0
    size = path.stat().st_size
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                if not line.endswith(b"\n"):
                    raise ValueError
                if number == 1:
                    header = dict(json.loads(line)["run"])
                else:
                    found = row.model_validate_json(line)
                    rows[str(found.key)] = found  # type: ignore[attr-defined]
            except (ValueError, KeyError, TypeError, ValidationError):
                if place + len(line) < size or line.endswith(b"\n"):
                    raise UsageError(f"{path}:{number} is no row of this kind: remove the line and go on") from None
                break
            place += len(line)
    return header, rows, place
