"""How far a benchmark is, on stderr: the progress of any long run, and how much of it is right."""

from __future__ import annotations

from agent.progress import CountProgress
from evaluation.rows import Row


class RunProgress(CountProgress):
    """Counts rows and the right ones among those asked now."""

    right = 0

    def row(self, row: Row) -> None:
        """One more row; an error is said at once."""
        self.right += row.correct
        self.count(row.key, row.error)

    def more(self, asked: int) -> list[str]:
        return [f"{self.right / asked:.0%} right"]
