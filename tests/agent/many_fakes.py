"""An agent whose answers are known, around the real graph; as a script, a run of `ask-many` that can be killed.

`python -m tests.agent.many_fakes LOG DELAY ask-many FILE ...` runs the real command with that agent.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from agent import Agent, Answer, Decision, View
from tools.base import Call, NoArgs, Region, Tool
from tools.pictures import Picture
from tools.runner import Runner


class Colour(Tool):
    """The colour of the middle pixel."""

    name = "middle"
    description = "Tells the colour of the middle of the picture."

    def __call__(self, picture: Picture, args: NoArgs) -> list[Region]:
        red, green, blue = picture.image.getpixel((picture.width // 2, picture.height // 2))
        return [Region(box=(0, 0, *picture.size), text=f"rgb {red} {green} {blue}", source=self.name)]


class Slow:
    """Calls for questions with the word `colour`; a line in the log for every question it answers."""

    thread_safe = True

    def __init__(self, log: Path, delay: float = 0.0) -> None:
        self.log, self.delay, self.lock = log, delay, threading.Lock()
        self.at_once = self.most = 0

    def decide(self, view: View) -> Decision:
        wants = "colour" in view.question and not view.round
        return Decision(calls=[Call(expert="middle")] if wants else [], p_call=0.9 if wants else 0.1)

    def answer(self, view: View) -> Answer:
        with self.lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        time.sleep(self.delay)
        if "crash" in view.question:
            raise RuntimeError("the controller broke")
        with self.lock:
            self.at_once -= 1
            with self.log.open("a") as file:
                file.write(view.question + "\n")
        found = "; ".join(region.text or "" for region in view.regions)
        return Answer(text=found or f"no idea of {view.question}", confidence=1 / 3, evidence=view.regions)


def agent_of(log: Path, delay: float = 0.0) -> Agent:
    return Agent(Slow(log, delay), Runner([Colour()]))


if __name__ == "__main__":
    made = agent_of(Path(sys.argv[1]), float(sys.argv[2]))
    Agent.load = classmethod(lambda cls, profile, **how: made)  # type: ignore[method-assign]
    from agent.cli import main

    main(sys.argv[3:])
