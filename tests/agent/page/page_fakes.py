"""A real server with the page, around an agent whose decisions are known; its expert looks at real pixels."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from agent import Agent, Answer, Decision, Usage, View
from agent.cli_ui import include
from agent.server.run import Server, configure
from agent.server.service import Service
from agent.server.settings import ServerSettings
from tools import masks
from tools.base import Call, NoArgs, Region, Tool
from tools.errors import ControllerError
from tools.pictures import Picture
from tools.remote.local import listen
from tools.runner import Runner

LAMPS = {"red": ((220, 20, 20), (40, 30, 120, 60)), "blue": ((20, 20, 220), (400, 200, 480, 240))}
SCRIPT = "<img src=x onerror=alert(1)><b>bold</b>"


def draw(path: Path) -> Path:
    """A grey wall, 600x400, with a red and a blue lamp."""
    image = Image.new("RGB", (600, 400), (200, 200, 200))
    for colour, box in LAMPS.values():
        ImageDraw.Draw(image).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=colour)
    image.save(path)
    return path


class Lamps(Tool):
    """Finds the lamps by their colour."""

    name = "lamps"
    description = "Finds the lamps in the picture by their colour."
    version = "page"

    def __init__(self) -> None:
        self.runs = 0
        self.more: list[Region] = []

    def __call__(self, picture: Picture, args: NoArgs) -> list[Region]:
        self.runs += 1
        pixels = np.asarray(picture.image).astype(int)
        found = []
        for name, (colour, _) in LAMPS.items():
            box = masks.box_of(np.abs(pixels - colour).sum(axis=2) < 60)
            if box is not None:
                found.append(Region(box=box, label="lamp", text=name, score=0.9, source=self.name))
        return found + self.more


class Known:
    """Calls for every question with p_call 0.6; answers with the words of the regions, or with what the test wants."""

    thread_safe = True
    threshold = 0.5

    def __init__(self) -> None:
        self.views: list[View] = []

    def decide(self, view: View) -> Decision:
        view.usage += Usage(controller_calls=1, prompt_tokens=10)
        if "broken" in view.question:
            raise ControllerError("the model ran out of memory; use a smaller picture")
        time.sleep(1.0 if "slow" in view.question else 0)
        sure = (self.threshold if view.threshold is None else view.threshold) <= 0.6
        if view.mode == "direct" or view.round or not (sure or view.mode == "always"):
            return Decision(p_call=0.6)
        return Decision(calls=[Call(expert="lamps")], p_call=0.6)

    def answer(self, view: View) -> Answer:
        self.views.append(view)
        view.usage += Usage(controller_calls=1, prompt_tokens=20, generated_tokens=3)
        words = " and ".join(region.text or region.label for region in view.regions)
        if "script" in view.question:
            odd = Region(box=(10, 10, 90, 40), text=SCRIPT, source="lamps")
            return Answer(text=SCRIPT, confidence=0.5, evidence=[odd])
        return Answer(text=words or "no idea", confidence=0.5, evidence=view.regions)


@contextmanager
def serving(agent: Agent, samples: Path | None) -> Iterator[str]:
    """The address of a real server with the page on a free port."""
    settings = ServerSettings(drain_s=0.2)
    service = Service(settings, {"known": lambda: agent})
    config = configure(service)
    include(config, service, samples)
    listener = listen("127.0.0.1", 0)
    server = Server(config, service)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(20)


def known_agent() -> tuple[Agent, Known, Lamps]:
    controller, lamps = Known(), Lamps()
    return Agent(controller, Runner([lamps])), controller, lamps
