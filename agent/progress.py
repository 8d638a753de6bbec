"""How far a long run is, on stderr: a bar with rate and time left on a terminal, plain lines now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

EVERY_S = 10.0


class CountProgress:
    """Counts rows; `done` of `total` were there before. Rate and time left are of the rows asked now."""

    def __init__(self, total: int, done: int = 0, quiet: bool = False) -> None:
        self.total, self.before, self.done, self.quiet = total, done, done, quiet
        self.errors = 0
        self.start = self.said = time.monotonic()
        console = Console(stderr=True, highlight=False)
        columns = (BarColumn(30), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
        self.bar = Progress(*columns, console=console) if console.is_terminal and not quiet else None

    def __enter__(self) -> Self:
        self.start = self.said = time.monotonic()
        if self.bar:
            self.bar.start()
            self.bar.add_task("", total=self.total, completed=self.done)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.bar:
            self.bar.stop()
        elif self.done > self.before and self.done < self.total:
            self.say(self.line())

    def count(self, key: str, error: str | None) -> None:
        """One more row; an error is said at once."""
        self.done += 1
        self.errors += error is not None
        if error:
            self.say(f"{key}: {error}")
        if self.bar:
            self.bar.update(self.bar.task_ids[0], completed=self.done, description=self.figures())
        elif self.done == self.total or time.monotonic() - self.said >= EVERY_S:
            self.say(self.line())

    def say(self, line: str) -> None:
        if self.quiet:
            return
        self.said = time.monotonic()
        if self.bar:
            self.bar.console.print(f"p2g: {line}", markup=False, soft_wrap=True)
        else:
            print(f"p2g: {line}", file=sys.stderr, flush=True)

    def line(self) -> str:
        return f"{self.done} of {self.total} rows, {self.figures()}"

    def figures(self) -> str:
        """`1.52 rows a second, 4 min left, 2 errors`."""
        asked, spent = self.done - self.before, time.monotonic() - self.start
        parts = []
        if asked and spent > 0:
            rate = asked / spent
            parts = [f"{rate:.2f} rows a second" if rate >= 0.1 else f"{1 / rate:.0f} s a row"]
            if self.done < self.total:
                parts.append(f"{duration((self.total - self.done) / rate)} left")
            parts += self.more(asked)
        if self.errors:
            parts.append(f"{self.errors} error{'s' if self.errors > 1 else ''}")
        return ", ".join(parts)

    def more(self, asked: int) -> list[str]:
        """What else is to be said of the `asked` rows; for subclasses."""
        return []


def duration(seconds: float) -> str:
    """`42 s`, `7 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
