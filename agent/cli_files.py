"""The files that commands write: checked before any work is done, and told in one line when they cannot be written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.errors import UsageError


def check_output(path: Path | None, *suffixes: str) -> None:
    """Raises `UsageError` for an output file that could not be written, before any work is done."""
    if path is None:
        return
    if path.suffix.lower() not in suffixes:
        raise UsageError(f"{path} must end in {' or '.join(suffixes)}")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file in it")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{path} cannot be written: its folder does not exist")


def save(path: Path, write: Callable[[], object]) -> None:
    """Writes the file with `write`. Raises `UsageError`."""
    try:
        write()
    except (OSError, ValueError) as error:  # ValueError: the format cannot hold a picture of this size
        raise UsageError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from error


@contextmanager
def writing(home: Path) -> Iterator[None]:
    """Raises `UsageError` when the cache directory cannot be written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"cannot write to {home}: {reason}; set P2G_HOME to a folder you own") from error
