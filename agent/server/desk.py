"""The desk: questions wait in a bounded line, run in a thread each, and end: answered, too late, or left by the caller.

Waiting in vain is no help: a question whose wait uses up half of the deadline, or will as things go, is told to come
back later as well, before anything was run. A question that is given up keeps its place until its thread has stopped,
which it does at its next step; so what runs never exceeds `running`, and what waits never exceeds `waiting`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import suppress

from agent.events import Decided, Done, Event, ExpertFinished, Focused
from agent.server.errors import Refused
from agent.server.metrics import Metrics
from agent.server.wire import Waiting
from agent.state import dump
from agent.types import Step

Asking = Callable[[], Iterator[Event]]
LOOK_S = 1.0  # how often one that waits looks whether it is in vain


class Desk:
    """For one agent and one event loop. `deadline_s` bounds a question, waiting included."""

    def __init__(self, running: int, waiting: int, deadline_s: float, metrics: Metrics) -> None:
        self.running, self.most, self.deadline_s, self.metrics = running, running + waiting, deadline_s, metrics
        self.held = 0
        self.seconds: float | None = None  # a question took, lately
        self._line: list[object] = []
        self._begun: dict[Run, float] = {}
        self._free = asyncio.Semaphore(running)

    def wait_s(self, ahead: int) -> float:
        """How long a question waits that `ahead` others are before, as things went lately and as they go now."""
        now = time.monotonic()
        ages = [now - begun for begun in self._begun.values()] or [0.0]
        return ahead * max(self.seconds or 1.0, sum(ages) / len(ages)) / self.running

    def check(self) -> None:
        """Raises `Refused` when a question would get no place now."""
        if self.held >= self.most or self.wait_s(self.held - self.running + 1) > self.deadline_s / 2:
            raise self._busy()

    async def run(self, asking: Asking) -> AsyncGenerator[Event | Waiting, None]:
        """The events of a question. Raises what the question raises, and `Refused` when there is no place or no time.

        Closing the iterator stops the question at its next step.
        """
        self.check()
        began, done = time.monotonic(), Trail()
        self.held += 1
        self.metrics.waiting.inc()
        try:
            if self._free.locked():
                yield Waiting(ahead=max(1, self.held - self.running))
            await self._place(began)
        except BaseException:
            self.held -= 1
            raise
        finally:
            self.metrics.waiting.dec()
        self.metrics.phase.labels("wait").observe(time.monotonic() - began)
        run = Run(asking, asyncio.get_running_loop(), self._ended)
        self.metrics.running.inc()
        self._begun[run] = time.monotonic()
        try:
            run.start()
        except BaseException:  # no thread to be had: none will give the place back
            self._ended(run)
            raise
        try:
            while True:
                left = self.deadline_s - (time.monotonic() - began)
                try:
                    async with asyncio.timeout(max(0.0, left)):
                        item = await run.events.get()
                except TimeoutError:
                    raise self._late(done) from None
                if item is None:
                    return
                if isinstance(item, BaseException):
                    raise item
                done.add(item)
                yield item
        finally:
            run.left.set()

    async def _place(self, began: float) -> None:
        """Waits in the line. Raises `Refused` as soon as that is in vain."""
        ticket, patience = object(), self.deadline_s / 2
        self._line.append(ticket)
        taking = asyncio.ensure_future(self._free.acquire())
        try:
            while not taking.done():
                left = patience - (time.monotonic() - began)
                await asyncio.wait({taking}, timeout=max(0.0, min(LOOK_S, left)))
                if not taking.done() and self.wait_s(self._line.index(ticket)) >= left:
                    raise self._busy()
        except BaseException:
            if taking.done():
                self._free.release()
            taking.cancel()
            raise
        finally:
            self._line.remove(ticket)

    def _busy(self) -> Refused:
        later = max(1, min(30, round(self.wait_s(self.held) / 2)))
        text = f"the server is busy: {self.held} questions run or wait; try again in {later} s"
        return Refused(429, "busy", text, retry_s=later)

    def _late(self, done: Trail) -> Refused:
        text = f"no answer within {self.deadline_s:g} s; ask for less, or allow more time"
        return Refused(504, "deadline", text, trace=done.steps)

    def _ended(self, run: Run) -> None:
        seconds = time.monotonic() - self._begun.pop(run)
        self.seconds = seconds if self.seconds is None else 0.8 * self.seconds + 0.2 * seconds
        self.held -= 1
        self.metrics.running.dec()
        self._free.release()


class Run:
    """One question in a thread of its own; its events, then its error or None, come out of `events`.

    The answer is told when the thread is through: then it is kept, and the conversation free for the next question.
    """

    def __init__(self, asking: Asking, loop: asyncio.AbstractEventLoop, ended: Callable[[Run], None]) -> None:
        self.events: asyncio.Queue[Event | BaseException | None] = asyncio.Queue()
        self.left = threading.Event()
        self._asking, self._loop, self._ended = asking, loop, ended

    def start(self) -> None:
        threading.Thread(target=self._work, name="p2g-question", daemon=True).start()

    def _work(self) -> None:
        answer: Event | None = None
        end: BaseException | None = None
        try:
            for event in self._asking():
                if isinstance(event, Done):
                    answer = event
                elif self.left.is_set():
                    break
                else:
                    self._say(self.events.put_nowait, event)
        except BaseException as error:
            answer, end = None, error
        self._say(self._ended, self)
        for last in (answer, end) if answer else (end,):
            self._say(self.events.put_nowait, last)

    def _say(self, what: Callable[..., None], value: object) -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody listens
            self._loop.call_soon_threadsafe(what, value)


class Trail:
    """The trace of a question so far, from its events; for one that never gets to its answer."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._since = time.monotonic()

    def add(self, event: Event) -> None:
        if isinstance(event, Decided):
            self._step("decide", event.round, decision=dump(event.decision))
        elif isinstance(event, ExpertFinished):
            self._step("experts", event.round, results=[dump(event.result)])
        elif isinstance(event, Focused):
            self._step("focus", event.round, regions=event.regions, new=event.new)
        elif isinstance(event, Done):
            self.steps = event.answer.trace

    def _step(self, kind: str, round_: int, **data: object) -> None:
        now = time.monotonic()
        self.steps.append(Step(kind=kind, round=round_, ms=round((now - self._since) * 1000, 3), data=data))
        self._since = now
