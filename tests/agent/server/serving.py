"""A real server on loopback around a scripted controller, which is a fake: it stands for a model, so that a question
takes milliseconds. Graph, runner, expert, pictures, HTTP and SQLite are the real ones.

As a script it is a server to be killed: `python -m tests.agent.server.serving STORE GATE`.
"""

from __future__ import annotations

import base64
import io
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from pydantic import BaseModel

from agent import Agent, Answer, Decision, Usage, View
from agent.replies import read_answer
from agent.server.run import Server, configure
from agent.server.service import Service
from agent.server.settings import ServerSettings
from agent.server.threads import FILE
from tools.base import Call, Region, Tool
from tools.pictures import Picture
from tools.remote.local import listen
from tools.runner import Runner


class Look(Tool):
    """Says the colour of the middle, so that its result depends on real pixels; counts its runs."""

    name = "look"
    description = "Tells the colour of the middle of the picture."

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, picture: Picture, args: BaseModel) -> list[Region]:
        self.runs += 1
        red, green, blue = picture.image.getpixel((picture.width // 2, picture.height // 2))
        return [Region(box=(0, 0, *picture.size), text=f"rgb {red} {green} {blue}", score=0.5, source=self.name)]


class Scripted:
    """Looks, unless told not to, then answers with the question, the turns before it and what was seen.

    `gate` holds every question that says "wait" in its second decision until it is opened; one that says "fail" fails
    in its answer until the controller is `mended`; `seen` are the questions decided upon.
    """

    def __init__(self) -> None:
        self.gate, self.seen, self.answered, self.mended = threading.Event(), [], [], False

    def decide(self, view: View) -> Decision:
        view.usage += Usage(controller_calls=1, prompt_tokens=10, generated_tokens=1)
        if view.round:
            if "wait" in view.question:
                self.gate.wait(20)
            return Decision()
        self.seen.append(view.question)
        wanted = view.mode == "always" or (view.mode == "learned" and (view.threshold or 0) <= 0.9)
        return Decision(calls=[Call(expert="look")] if wanted else [], p_call=0.9)

    def answer(self, view: View) -> Answer:
        view.usage += Usage(controller_calls=1, prompt_tokens=20, generated_tokens=3)
        self.answered.append(view.question)
        if "fail" in view.question and not self.mended:
            raise RuntimeError("a bug of the controller")
        said = [turn.question for turn in view.history]
        seen = [region.text or region.label for region in view.regions]
        if view.options:
            return Answer(text=view.options[1], choice=1, evidence=view.regions, confidence=0.5)
        return Answer(text=f"{view.question} after {said}: {seen}", evidence=view.regions, confidence=0.5)


class Streaming(Scripted):
    """Many questions at once, and the answer word by word."""

    thread_safe = clean_deltas = True

    def stream_answer(self, view: View, emit: Callable[[str], None]) -> Answer:
        answer = self.answer(view)
        for word in answer.text.split(" "):
            emit(f"{word} ")
        return answer


class Thinking(Scripted):
    """Thinks aloud before it answers, as some chat models do."""

    def stream_answer(self, view: View, emit: Callable[[str], None]) -> Answer:
        for piece in ("Let me see, perhaps green. ", "</think>", "It is \\boxed{", "red", "}."):
            emit(piece)
        return read_answer("Let me see, perhaps green. </think>It is \\boxed{red}.", view)


class Running:
    """A server that runs: its address and what is inside."""

    def __init__(self, url: str, service: Service, controller: Scripted, expert: Look, server: Server) -> None:
        self.url, self.service, self.controller, self.expert, self.server = url, service, controller, expert, server

    @property
    def desk(self):
        return self.service.offers["tiny"].desk


@contextmanager
def served(controller: Scripted | None = None, ready: bool = True, **how) -> Iterator[Running]:
    """A server in a thread with these settings. With `ready` False its model never finishes loading."""
    controller, expert, settings = controller or Scripted(), Look(), ServerSettings(**how)
    stuck = threading.Event()

    def load() -> Agent:
        if not ready:
            stuck.wait(60)
        checkpoint = settings.store / FILE if settings.store else None
        return Agent(controller, Runner([expert]), checkpoint=checkpoint)

    listener = listen("127.0.0.1", 0)
    service = Service(settings, {"tiny": load})
    server = Server(configure(service), service)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    until(lambda: server.started and (service.not_ready() is None or not ready))
    try:
        yield Running(f"http://127.0.0.1:{listener.getsockname()[1]}", service, controller, expert, server)
    finally:
        controller.gate.set()
        stuck.set()
        server.should_exit = True
        thread.join(10)
        listener.close()


def until(true: Callable[[], object], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def png(colour: tuple[int, int, int] = (200, 10, 20), size: tuple[int, int] = (60, 40)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def url_of(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


PICTURE = url_of(png())


def main() -> None:
    """Waits at the gate until the file GATE is there."""
    store, gate = map(Path, sys.argv[1:3])
    controller = Scripted()
    threading.Thread(target=lambda: (until(gate.exists, 60), controller.gate.set()), daemon=True).start()
    with served(controller, store=store) as running:
        print(running.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
