"""A process that keeps things until it is killed and says on a line of its own what it has kept.

As a script: `python -m tests.hardening.storing cache|thread FOLDER`. The controller is a fake that stands for a model.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from PIL import Image

from agent import Agent, Answer, Decision
from tools.base import Region
from tools.cache import CachedResult, ResultCache
from tools.runner import Runner

PICTURE = Image.new("RGB", (8, 8))
FILE = "conversations.sqlite3"


class Says:
    """Answers with the number of turns before."""

    def decide(self, view):
        return Decision(answer=f"after {len(view.history)}")

    def answer(self, view):
        return Answer(text=f"after {len(view.history)}")


def agent(folder: Path) -> Agent:
    return Agent(Says(), Runner([]), checkpoint=folder / FILE)


def result(number: int) -> CachedResult:
    return CachedResult(regions=[Region(box=(0, 0, 1, 1), text=f"{number} " * 200)])


def main() -> None:
    kind, folder = sys.argv[1], Path(sys.argv[2])
    made = ResultCache(folder, max_items=1) if kind == "cache" else agent(folder)
    for number in itertools.count():
        if isinstance(made, ResultCache):
            made.put(str(number), result(number))
        else:
            made.ask(PICTURE, f"Number {number}?", thread_id="long")
        print(number, flush=True)


if __name__ == "__main__":
    main()
