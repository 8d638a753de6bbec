"""Runs the expert calls of one decision: checked, concurrently, each within its time and size, cached.

A call that is wrong, crashes or hangs becomes an error in its own `CallResult` and never harms the others. Every call
has its own daemon thread, so that a hung expert can be left behind and does not keep the process from exiting.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from tools import boxes
from tools.base import Call, CallResult, Region, Tool
from tools.cache import CachedResult, ResultCache, result_key
from tools.errors import ExpertError, P2GError, UsageError
from tools.pictures import Picture

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResultLimits:
    """How much one call may return (the rest is cut, and the result says so) and how long an expert may load."""

    max_regions: int = 1000
    max_text: int = 2000
    setup_timeout_s: float = 900.0


@dataclass(frozen=True)
class RunEvent:
    """Progress of `Runner.run`: call `index` has started, or is done with `result`."""

    kind: Literal["start", "done"]
    index: int
    call: Call
    result: CallResult | None = None


@dataclass
class _Job:
    """One piece of work; `indices` are the positions of the (equal) calls that wait for it."""

    tool: Tool
    args: BaseModel
    key: str
    indices: list[int]
    began: float = 0.0
    deadline: float = 0.0
    limit_s: float = 0.0
    phase: str = "loading"
    given_up: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class _End:
    """How a job ended: `outcome`, or `error` in one line."""

    outcome: CachedResult | None
    error: str | None
    ms: float


_News = tuple[_Job, _End | None]  # None: loading is over, the call itself begins


class Runner:
    """The experts at hand and the way to call them. Safe to share between threads.

    `timeout_s` overrides the experts' own `timeout_s`: one number for all, or numbers by expert name.
    """

    def __init__(
        self,
        tools: Iterable[Tool],
        *,
        cache: ResultCache | None = None,
        max_workers: int = 4,
        timeout_s: float | Mapping[str, float] | None = None,
        limits: ResultLimits = ResultLimits(),
    ) -> None:
        self.tools: dict[str, Tool] = {}
        for tool in tools:
            if tool.name in self.tools:
                raise UsageError(f"two experts are named {tool.name!r}; keep one of them")
            self.tools[tool.name] = tool
        for tool in self.tools.values():
            try:
                tool.meet(self.tools)
            except Exception:  # a plug-in may crash here as anywhere; it is left with whom it has met
                log.warning("expert %s crashed when it met the others", tool.name, exc_info=True)
        self.cache = cache if cache is not None else ResultCache()
        self.max_workers = max(1, max_workers)
        self.timeout_s, self.limits = timeout_s, limits
        self._busy: dict[str, threading.Lock] = {name: threading.Lock() for name in self.tools}

    def unavailable(self) -> dict[str, str]:
        """Why experts cannot run here, by name; empty when all can."""
        reasons = {name: _unavailable(tool) for name, tool in self.tools.items()}
        return {name: reason for name, reason in reasons.items() if reason}

    def schemas(self) -> list[dict[str, Any]]:
        """`Tool.schema()` of every expert that can run here, as controllers take them."""
        lacking = self.unavailable()
        return [tool.schema() for name, tool in self.tools.items() if name not in lacking]

    def run(
        self, picture: Picture, calls: list[Call], on_event: Callable[[RunEvent], None] | None = None
    ) -> list[CallResult]:
        """One result per call, in call order. `on_event` is called from this thread, as calls start and end."""
        results: dict[int, CallResult] = {}
        tell = on_event or (lambda event: None)

        def finish(index: int, result: CallResult) -> None:
            results[index] = result
            tell(RunEvent("done", index, calls[index], result))

        for index, call in enumerate(calls):
            tell(RunEvent("start", index, call))
        jobs: dict[str, _Job] = {}
        for index, call in enumerate(calls):
            began = time.perf_counter()
            try:
                job = self._prepare(picture, call, index)
            except P2GError as error:
                finish(index, CallResult(call=call, error=str(error), ms=_ms(began)))
                continue
            known = self.cache.get(job.key)
            if known is not None:
                finish(index, CallResult(call=call, **dict(known), ms=_ms(began), cached=True))
            elif job.key in jobs:
                jobs[job.key].indices.append(index)
            else:
                jobs[job.key] = job

        def report(job: _Job, end: _End) -> None:
            if end.outcome is not None:
                self.cache.put(job.key, end.outcome)
            kept = dict(end.outcome) if end.outcome is not None else {"error": end.error}
            finish(job.indices[0], CallResult(call=calls[job.indices[0]], **kept, ms=end.ms))
            for index in job.indices[1:]:
                finish(index, CallResult(call=calls[index], **kept, cached=True))

        self._run_jobs(picture, list(jobs.values()), report)
        return [results[index] for index in range(len(calls))]

    def _prepare(self, picture: Picture, call: Call, index: int) -> _Job:
        tool = self.tools.get(call.expert)
        if tool is None:
            raise ExpertError(f"there is no expert {call.expert!r}; there are: {', '.join(self.tools) or 'none'}")
        if reason := _unavailable(tool):
            raise ExpertError(reason if reason.startswith(tool.name) else f"{tool.name}: {reason}")
        args = tool.parse(call.args)
        return _Job(tool, args, result_key(picture, tool, args), [index], limit_s=self._limit(tool))

    def _limit(self, tool: Tool) -> float:
        chosen = self.timeout_s.get(tool.name) if isinstance(self.timeout_s, Mapping) else self.timeout_s
        return tool.timeout_s if chosen is None else chosen

    def _run_jobs(self, picture: Picture, waiting: list[_Job], report: Callable[[_Job, _End], None]) -> None:
        """At most `max_workers` threads at a time; every job is reported once, when it ends or is given up."""
        news: queue.SimpleQueue[_News] = queue.SimpleQueue()
        running: list[_Job] = []
        try:
            while waiting or running:
                while waiting and len(running) < self.max_workers:
                    running.append(job := waiting.pop(0))
                    self._start(picture, job, news)
                patience = min(job.deadline for job in running) - time.perf_counter()
                try:
                    job, end = news.get(timeout=max(0.0, patience))
                except queue.Empty:
                    now = time.perf_counter()
                    for job in [job for job in running if job.deadline <= now]:
                        running.remove(job)
                        report(job, self._give_up(job))
                    continue
                if job not in running:  # given up before, and now it has ended after all
                    continue
                if end is None:
                    job.phase, job.deadline = "work", time.perf_counter() + job.limit_s
                else:
                    running.remove(job)
                    report(job, end)
        finally:
            for job in running:  # interrupted: what still loads need not begin its call
                job.given_up.set()

    def _start(self, picture: Picture, job: _Job, news: queue.SimpleQueue[_News]) -> None:
        job.began = time.perf_counter()
        job.deadline = job.began + self.limits.setup_timeout_s + job.limit_s
        name = f"p2g-{job.tool.name}"
        threading.Thread(target=self._work, args=(picture, job, news), name=name, daemon=True).start()

    def _give_up(self, job: _Job) -> _End:
        job.given_up.set()
        limit = job.limit_s if job.phase == "work" else self.limits.setup_timeout_s
        text = f"{job.tool.name} was given up after {limit:g} s of {job.phase}; ask for less, or raise its time limit"
        return _End(None, text, _ms(job.began))

    def _work(self, picture: Picture, job: _Job, news: queue.SimpleQueue[_News]) -> None:
        """The body of a worker thread: whatever the expert does, one `_End` is put into `news`."""
        outcome: CachedResult | None = None
        error: str | None = None
        tool, busy = job.tool, nullcontext() if job.tool.thread_safe else self._turn(job)
        try:
            tool.ready()
            with busy:
                if not job.given_up.is_set():
                    news.put((job, None))
                    outcome = self._checked(tool, picture, tool(picture, job.args))
        except P2GError as known:
            error = _line(str(known))
        except BaseException as crash:  # a plug-in may even raise SystemExit
            log.debug("expert %s crashed", tool.name, exc_info=True)
            error = f"{tool.name} crashed: {type(crash).__name__}: {_line(str(crash)) or 'no message'}"
        news.put((job, _End(outcome, error, _ms(job.began))))

    @contextmanager
    def _turn(self, job: _Job) -> Iterator[None]:
        """One call at a time for an expert that is not thread-safe; a hung call blocks it no longer than its limit."""
        lock = self._busy[job.tool.name]
        if not lock.acquire(timeout=job.limit_s):
            raise ExpertError(f"{job.tool.name} is still busy with an earlier call; try again later")
        try:
            yield
        finally:
            lock.release()

    def _checked(self, tool: Tool, picture: Picture, regions: Any) -> CachedResult:
        """Regions with `source` set, boxes clamped to the picture, none outside it, and no more than the limits."""
        if not isinstance(regions, list) or not all(isinstance(region, Region) for region in regions):
            raise ExpertError(f"{tool.name} returned {type(regions).__name__}, not a list of Region; fix the expert")
        kept, cut = [], 0
        for region in regions:
            box = boxes.clamp(region.box, picture.size)
            if box is None:
                continue
            changes: dict[str, Any] = {"box": box, "source": tool.name}
            for name in ("text", "label"):
                if (text := getattr(region, name)) is None:
                    continue
                text = text.encode("utf-8", "replace").decode()  # a lone surrogate cannot be stored or sent
                if len(text) > self.limits.max_text:
                    text = text[: self.limits.max_text] + "…"
                    cut += 1
                changes[name] = text
            kept.append(region.model_copy(update=changes))
        notes = []
        if len(kept) > self.limits.max_regions:
            notes.append(f"only the first {self.limits.max_regions} of {len(kept)} regions are kept")
        if cut:
            notes.append(f"{cut} text{'s' if cut > 1 else ''} cut to {self.limits.max_text} characters")
        note = f"{tool.name}: {'; '.join(notes)}" if notes else None
        return CachedResult(regions=kept[: self.limits.max_regions], note=note)


def _unavailable(tool: Tool) -> str | None:
    try:
        return tool.unavailable()
    except Exception as error:  # a plug-in's check may crash like any other part of it
        return f"{tool.name}: its availability check crashed: {type(error).__name__}: {_line(str(error))}"


def _line(text: str) -> str:
    return " ".join(text.split())[:300]


def _ms(began: float) -> float:
    return (time.perf_counter() - began) * 1000
