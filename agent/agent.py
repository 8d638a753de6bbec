"""`Agent`: one question in, one grounded answer out. The public face of the graph.

`ask` and `stream` are the same run; `aask` and `astream` are their async twins. With a `thread_id` questions form a
conversation: earlier turns are remembered and experts do not repeat what they did on the same picture.
"""

from __future__ import annotations

import asyncio
import os
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast, get_args
from weakref import WeakValueDictionary

from agent.conversations import Conversation, config_of, look_up, open_saver, storing, trim
from agent.events import Done, Event
from agent.part import Part
from agent.shelf import Image, Shelf
from agent.state import Limits, Question
from agent.types import Answer, Controller, Mode, Turn
from tools.base import Region
from tools.boxes import Box
from tools.errors import UsageError
from tools.pictures import Picture, PictureLimits

if TYPE_CHECKING:
    from agent.graph import Graph
    from agent.profiles import Profile
    from tools.runner import Runner


class Agent:
    """A controller and its experts, ready to be asked from any number of threads.

    `checkpoint` is an SQLite file that keeps conversations and unfinished questions; without it they last as long as
    the agent. `threshold` is used where a question names none. A controller whose `thread_safe` is not true serves one
    question at a time.
    """

    def __init__(
        self,
        controller: Controller,
        runner: Runner,
        limits: Limits | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        threshold: float | None = None,
        picture_limits: PictureLimits | None = None,
    ) -> None:
        from agent.graph import build_graph

        self.controller, self.runner, self.limits = controller, runner, limits or Limits()
        self.threshold = threshold
        self._connection, self._saver = open_saver(checkpoint)
        self._single = build_graph(controller, runner, self.limits)
        self._threads = self._single.copy(update={"checkpointer": self._saver})
        self._locks: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._locking = threading.Lock()
        self.picture_limits = picture_limits
        self._shelf = Shelf(limits=picture_limits)

    @classmethod
    def load(
        cls,
        profile: str | os.PathLike[str] | Profile = "nano",
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        **overrides: Any,
    ) -> Agent:
        """The agent of a profile, by name, file or object; `overrides` replace fields of the profile."""
        from agent.profiles import Profile, load_profile

        settings = profile if isinstance(profile, Profile) else load_profile(os.fspath(profile))
        if unknown := sorted(set(overrides) - set(type(settings).model_fields)):
            raise UsageError(f"a profile has no {unknown[0]!r}: it has {', '.join(type(settings).model_fields)}")
        if overrides:
            settings = settings.replaced(overrides)
        return cls(
            settings.build_controller(),
            settings.build_runner(),
            Limits(max_rounds=settings.max_rounds),
            checkpoint,
            settings.threshold,
            PictureLimits(max_pixels=settings.max_pixels, max_bytes=settings.max_bytes),
        )

    def ask(
        self,
        image: Image,
        question: str,
        options: list[str] | None = None,
        *,
        mode: Mode = "learned",
        threshold: float | None = None,
        thread_id: str | None = None,
        regions: Sequence[Region] | None = None,
        box: Box | None = None,
        history: Sequence[Turn] | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> Answer:
        """The answer to one question. Raises `P2GError` for what the caller can act on; experts never make it fail."""
        how: dict[str, Any] = {"mode": mode, "threshold": threshold, "thread_id": thread_id}
        return last(self.stream(image, question, options, **how, regions=regions, box=box, history=history), on_event)

    def stream(
        self,
        image: Image,
        question: str,
        options: list[str] | None = None,
        *,
        mode: Mode = "learned",
        threshold: float | None = None,
        thread_id: str | None = None,
        regions: Sequence[Region] | None = None,
        box: Box | None = None,
        history: Sequence[Turn] | None = None,
    ) -> Iterator[Event]:
        """The events of one question as they happen; the last one is `Done`. Bad input raises before the first.

        With `regions` (pixels of the picture) the answer rests on these: no decision, no experts, and in a conversation
        it replaces the last answer to the same question. With `box` only that part of the picture is looked at.
        `history` are the turns before this one, in place of what the conversation remembers.
        """
        if mode not in get_args(Mode):
            raise UsageError(f"unknown mode {mode!r}: choose {', '.join(get_args(Mode))}")
        strings = isinstance(options, list | None) and all(isinstance(option, str) for option in options or [])
        if not (isinstance(question, str) and strings):
            raise UsageError("the question must be a string and the options a list of strings")
        asked = Question(question=question, options=options, mode=mode)
        asked.threshold = self.threshold if threshold is None else threshold
        asked.regions = None if regions is None else list(regions)
        asked.earlier = None if history is None else list(history)
        asked.check(self.limits)
        picture = self._shelf.get(image)
        asked.image, asked.box = str(picture.path.absolute()) if picture.path else "", box
        asked.whole = picture.sha256
        if box is None:
            return self._run(asked, picture, thread_id)
        part = Part(picture, box)
        asked.regions = None if regions is None else part.into(regions)
        return (part.back(event) for event in self._run(asked, part.picture, thread_id))

    def resume(self, thread_id: str, image: Image | None = None) -> Iterator[Event]:
        """Goes on with a question that was interrupted; `image` is needed when it was not given as a file."""
        found = look_up(self._threads, thread_id)
        if found is None or found.unfinished is None:
            raise UsageError(f"nothing to resume in conversation {thread_id!r}: its last question was answered")
        picture = self._shelf.get(image or found.image)
        if found.box is None:
            return self._run(None, picture, thread_id)
        part = Part(picture, found.box)
        return (part.back(event) for event in self._run(None, part.picture, thread_id))

    def conversation(self, thread_id: str) -> Conversation | None:
        """What is known of a conversation, or None."""
        return look_up(self._threads, thread_id)

    def forget(self, thread_id: str) -> None:
        """Drops a conversation."""
        with storing():
            self._saver.delete_thread(thread_id)

    async def aask(
        self,
        image: Image,
        question: str,
        options: list[str] | None = None,
        *,
        mode: Mode = "learned",
        threshold: float | None = None,
        thread_id: str | None = None,
        regions: Sequence[Region] | None = None,
        box: Box | None = None,
        history: Sequence[Turn] | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> Answer:
        """`ask` without blocking the event loop; `on_event` is called from a worker thread."""
        return await asyncio.to_thread(
            self.ask,
            image,
            question,
            options,
            mode=mode,
            threshold=threshold,
            thread_id=thread_id,
            regions=regions,
            box=box,
            history=history,
            on_event=on_event,
        )

    async def astream(
        self, image: Image, question: str, options: list[str] | None = None, **how: Any
    ) -> AsyncIterator[Event]:
        """`stream` for the event loop, with the same arguments. Leaving it early stops the run at its next event."""
        loop, left = asyncio.get_running_loop(), threading.Event()
        queue: asyncio.Queue[Event | BaseException | None] = asyncio.Queue()

        def work() -> None:
            end: BaseException | None = None
            try:
                for event in self.stream(image, question, options, **how):
                    if left.is_set():
                        return
                    loop.call_soon_threadsafe(queue.put_nowait, event)
            except BaseException as error:
                end = error
            if not left.is_set():
                loop.call_soon_threadsafe(queue.put_nowait, end)

        running = loop.run_in_executor(None, work)
        try:
            while (item := await queue.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
            await running
        finally:
            left.set()

    def graph(self) -> Graph:
        """The compiled graph without a checkpointer, for LangGraph's own tools, which bring theirs."""
        return self._single

    def close(self) -> None:
        """Closes the checkpoint file, the runner and the controller, where they can be closed."""
        for part in (self.runner, self.controller, self._connection):
            if hasattr(part, "close"):
                part.close()

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _run(self, asked: Question | None, picture: Picture, thread_id: str | None) -> Iterator[Event]:
        """Runs the graph; the questions of one conversation wait for each other."""
        from agent.nodes import Context

        graph = self._single if thread_id is None else self._threads
        thread_id = thread_id or uuid.uuid4().hex
        with self._locking:
            lock = self._locks.setdefault(thread_id, threading.Lock())
        with lock, storing():
            config: Any = {**config_of(thread_id), "recursion_limit": 10 + 3 * self.limits.max_rounds}
            stream = graph.stream(
                asked,
                config,
                context=Context(picture=picture),
                stream_mode="custom",
            )
            yield from cast("Iterator[Event]", stream)
            if graph is self._threads and self._connection is not None:
                trim(self._saver, thread_id, keep=10 + 3 * self.limits.max_rounds)


def last(stream: Iterator[Event], on_event: Callable[[Event], None] | None) -> Answer:
    """The answer that ends a stream of events."""
    answer: Answer | None = None
    for event in stream:
        if on_event is not None:
            on_event(event)
        if isinstance(event, Done):
            answer = event.answer
    if answer is None:
        raise RuntimeError("the graph ended without an answer")
    return answer
