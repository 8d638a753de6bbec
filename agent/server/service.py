"""What the routes do, without HTTP: which models there are, and how a request becomes a question at the desk."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import get_args

from agent.agent import Agent
from agent.events import Event
from agent.server.desk import Asking, Desk
from agent.server.errors import Refused, one_line
from agent.server.intake import Intake
from agent.server.metrics import Metrics
from agent.server.settings import ServerSettings
from agent.server.threads import Threads
from agent.server.wire import ConversationReply, How, PictureInfo
from agent.types import Mode, Turn
from tools.pictures import Picture, PictureLimits

log = logging.getLogger("p2g.serve")
SWEEP_S = 600.0
AT_ONCE = 16  # questions, for controllers that can
ALONE = 2  # for those that cannot: one decides or answers while the experts of the other work


@dataclass
class Offer:
    """One profile: its agent once it is loaded, and the desk in front of it."""

    name: str
    load: Callable[[], Agent]
    agent: Agent | None = None
    desk: Desk | None = None
    failure: str | None = None


@dataclass
class Job:
    """A question ready to be asked."""

    model: str
    picture: PictureInfo
    thread_id: str | None
    asking: Asking
    desk: Desk = field(repr=False)
    clean: bool = False  # whether the pieces of the answer are the answer, so that they can be sent as they come


class Service:
    """For one server process. `profiles` are functions that load agents; the first one is the default."""

    def __init__(self, settings: ServerSettings, profiles: Mapping[str, Callable[[], Agent]]) -> None:
        self.settings, self.metrics = settings, Metrics()
        self.offers = {name: Offer(name, load) for name, load in profiles.items()}
        self.intake = Intake(settings, PictureLimits(max_pixels=settings.max_pixels, max_bytes=settings.max_picture))
        self.threads = Threads(settings.store, settings.keep_days, settings.store_bytes // 2)
        self.closing = False

    @property
    def models(self) -> list[str]:
        """Every profile as it decides itself, and with each mode forced."""
        forced = [mode for mode in get_args(Mode) if mode != "learned"]
        return [model for name in self.offers for model in (name, *(f"{name}:{mode}" for mode in forced))]

    def start(self) -> None:
        """Loads the models in the background."""
        threading.Thread(target=self._load, name="p2g-load", daemon=True).start()

    def not_ready(self) -> str | None:
        """Why no questions can be answered, or None."""
        if self.closing:
            return "shutting down"
        failures = [f"{offer.name}: {offer.failure}" for offer in self.offers.values() if offer.failure]
        loading = [offer.name for offer in self.offers.values() if offer.agent is None]
        return "; ".join(failures) or (f"loading {', '.join(loading)}" if loading else None)

    def offer(self, model: str | None) -> tuple[Offer, Agent, Mode]:
        """Raises `Refused` for a model that is not there, or not yet."""
        wanted = model or next(iter(self.offers))
        if wanted not in self.models:
            text = f"there is no model {one_line(wanted)[:80]!r}; there are: {', '.join(self.models)}"
            raise Refused(404, "model_not_found", text, "model")
        name, _, forced = wanted.rpartition(":") if wanted not in self.offers else (wanted, "", "learned")
        offer = self.offers[name]
        if offer.failure is not None:
            raise Refused(503, "controller_unavailable", f"{name} could not be loaded: {offer.failure}", retry_s=30)
        if offer.agent is None:
            raise Refused(503, "loading", f"{name} is still loading; try again", retry_s=2)
        modes: dict[str, Mode] = {mode: mode for mode in get_args(Mode)}
        return offer, offer.agent, modes[forced]

    async def job(
        self,
        owner: str,
        how: How,
        question: str,
        picture: bytes | str | None,
        model: str | None,
        turns: list[Turn] | None = None,
    ) -> Job:
        """A question made ready; the picture is encoded bytes, a data URL, an address or None. Raises `Refused`."""
        offer, agent, forced = self.offer(model)
        self.room(offer)
        key = self.key(owner, offer, how.thread_id)
        data = await self.intake.data(picture) if isinstance(picture, str) else picture
        if data is not None:
            opened = await asyncio.to_thread(self.intake.opened, data, how.thread_id is not None)
        else:
            opened = await asyncio.to_thread(self._earlier, agent, key)
        regions = None if how.regions is None else [given.region() for given in how.regions]
        box = None if how.box is None else (how.box[0], how.box[1], how.box[2], how.box[3])
        mode = how.mode or forced

        def asking() -> Iterator[Event]:
            opened.image.load()  # a broken picture is the caller's fault, not an expert's
            rest = {"threshold": how.threshold, "thread_id": key, "regions": regions, "box": box, "history": turns}
            yield from agent.stream(opened, question, how.options, mode=mode, **rest)  # type: ignore[arg-type]

        return self._job(offer, agent, opened, how.thread_id, key, asking)

    async def resumed(self, owner: str, thread_id: str, picture: str | None, model: str | None) -> Job:
        """The unfinished question of a conversation, ready to go on. Raises `Refused`."""
        offer, agent, _ = self.offer(model)
        self.room(offer)
        key = self.key(owner, offer, thread_id)
        assert key is not None
        found = await asyncio.to_thread(self.conversation, owner, thread_id, model)
        if found.unfinished is None:
            text = f"nothing to resume in conversation {thread_id!r}: its last question was answered"
            raise Refused(400, "nothing_to_resume", text)
        if picture is None:
            opened = await asyncio.to_thread(self._earlier, agent, key)
        else:
            opened = await asyncio.to_thread(self.intake.opened, await self.intake.data(picture), True)
        return self._job(offer, agent, opened, thread_id, key, lambda: agent.resume(key, opened))

    def conversation(self, owner: str, thread_id: str, model: str | None) -> ConversationReply:
        """What is known of a conversation. Raises `Refused`."""
        offer, agent, _ = self.offer(model)
        found = agent.conversation(self.key(owner, offer, thread_id) or "")
        if found is None:
            raise Refused(404, "conversation_not_found", f"there is no conversation {thread_id!r}", "thread_id")
        return ConversationReply(
            thread_id=thread_id,
            model=offer.name,
            sha256=found.sha256,
            turns=found.turns,
            unfinished=found.unfinished,
            regions=found.regions,
            box=list(found.box) if found.box else None,
        )

    def forget(self, owner: str, thread_id: str, model: str | None) -> None:
        offer, agent, _ = self.offer(model)
        key = self.key(owner, offer, thread_id) or ""
        with self.threads.held(key):
            agent.forget(key)
            self.threads.forget(key)

    def key(self, owner: str, offer: Offer, thread_id: str | None) -> str | None:
        """Conversations of different callers and profiles are different ones, whatever they are called."""
        return None if thread_id is None else f"{owner}/{offer.name}/{thread_id}"

    def room(self, offer: Offer) -> None:
        """Raises `Refused` when the desk would refuse, before a picture is opened for nothing."""
        if offer.desk is not None:
            offer.desk.check()

    def sweep(self) -> None:
        """Deletes what has expired."""
        gone = self.threads.sweep()
        left = self.intake.sweep(time.time() - self.threads.keep_s, self.settings.store_bytes // 2)
        log.debug("swept %d conversations, %d bytes of pictures left", gone, left)

    def close(self) -> None:
        for offer in self.offers.values():
            if offer.agent is not None:
                offer.agent.close()
        self.threads.close()

    def _job(
        self, offer: Offer, agent: Agent, opened: Picture, thread_id: str | None, key: str | None, inner: Asking
    ) -> Job:
        def asking() -> Iterator[Event]:
            if key is None:
                yield from inner()
            else:
                with self.threads.held(key):
                    yield from inner()

        assert offer.desk is not None
        info = PictureInfo(sha256=opened.sha256, width=opened.width, height=opened.height)
        clean = bool(getattr(agent.controller, "clean_deltas", False))
        return Job(offer.name, info, thread_id, asking, offer.desk, clean)

    def _earlier(self, agent: Agent, key: str | None) -> Picture:
        """The picture of the conversation so far. Raises `Refused`."""
        found = agent.conversation(key) if key is not None else None
        if found is None:
            raise Refused(400, "no_picture", "no picture: send one as a data URL or an upload", "picture")
        return self.intake.from_conversation(found.image, found.sha256)

    def _load(self) -> None:
        for offer in self.offers.values():
            try:
                agent = offer.load()
                if setup := getattr(agent.controller, "setup", None):
                    setup()
                for tool in agent.runner.tools.values():
                    if tool.unavailable() is None:
                        tool.ready()
            except BaseException as error:  # a plug-in may raise anything; the server says so and stays
                offer.failure = one_line(f"{type(error).__name__}: {error}")[:300]
                log.exception("profile %s cannot be loaded", offer.name)
                continue
            safe = getattr(agent.controller, "thread_safe", False)
            running = self.settings.running or (AT_ONCE if safe else ALONE)
            offer.desk = Desk(running, self.settings.waiting, self.settings.deadline_s, self.metrics)
            offer.agent = agent
