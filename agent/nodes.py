"""The nodes of the graph: what happens in `begin`, `decide`, `experts`, `focus` and `answer`, and which way is next.

The controller decides, the runner runs the experts concurrently, and what fails becomes a line that the controller
sees, never an exception.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import Any

from langgraph.runtime import Runtime

from agent import events, replies
from agent.shelf import Shelf
from agent.state import Limits, Remembered, State, Work, call_key, dump, with_defaults
from agent.types import Controller, Decision, ExpertCost, Round, Turn, View
from tools.base import Call, CallResult, Region
from tools.cache import result_key
from tools.errors import ExpertError, PictureError
from tools.pictures import Picture
from tools.runner import RunEvent, Runner

Update = dict[str, Any]


@dataclass
class Context:
    """Given per run, never stored: the open `Picture`, for callers that have it already."""

    picture: Any = None  # LangGraph's tools describe this class as JSON, which a Picture cannot be


class Nodes:
    """The graph's nodes around one controller and one runner; safe to run for several questions at once."""

    def __init__(self, controller: Controller, runner: Runner, limits: Limits) -> None:
        self.controller, self.runner, self.limits = controller, runner, limits
        self.schemas = runner.schemas()
        safe = getattr(controller, "thread_safe", False)
        self.turn: AbstractContextManager[Any] = nullcontext() if safe else Lock()
        self.shelf = Shelf()

    def begin(self, state: State, runtime: Runtime[Context]) -> Update:
        """Checks the question, opens the picture and starts the work; a new picture empties memory and history."""
        state.check(self.limits)
        picture = self.picture(state, runtime, opened=False)
        options = [option.strip() for option in state.options] if state.options else None
        work = Work(question=state.question.strip(), options=options, mode=state.mode, threshold=state.threshold)
        whole = state.whole or picture.sha256
        same = state.sha256 == whole  # a part of it is no new picture; the keys in memory tell its results apart
        memory, kept = (state.memory, state.history) if same else ([], [])
        history = kept if state.earlier is None else state.earlier
        if state.regions is not None:
            give(work, state.regions)
            if history and history[-1].question == work.question:  # answered anew: the old one is void
                history = history[:-1]
        history = self.recent(history)
        update = {"sha256": whole, "seen": picture.sha256, "memory": dump(memory), "history": dump(history)}
        return {**update, "answer": None, "work": dump(work)}

    def decide(self, state: State, runtime: Runtime[Context]) -> Update:
        """One turn of the controller: answer, or calls. The mode and the threshold have the last word."""
        work, start = working(state), time.perf_counter()
        view = self.view(state, runtime)
        with self.turn:
            decision = self.controller.decide(view)
        decision = self.settle(decision, work)
        work.ledger.usage += view.usage
        work.decision, work.first = decision, work.first or decision
        work.notes = decision.notes
        work.step("decide", since(start), decision=dump(decision), usage=dump(view.usage))
        runtime.stream_writer(events.Decided(round=work.round, decision=decision))
        return {"work": dump(work)}

    def settle(self, decision: Decision, work: Work) -> Decision:
        """The decision under the question's mode and threshold, without calls that were made before."""
        calls: list[Call] = []
        notes, seen = list(decision.notes), {call_key(call) for call in work.calls}
        allowed = decision.calls
        below = work.mode == "learned" and work.threshold is not None and decision.p_call < work.threshold
        if work.mode == "direct" or below or not self.limits.max_rounds:
            allowed = []
        elif work.mode == "always" and work.round == 0:
            allowed = with_defaults(decision.calls, self.schemas)
        for call in allowed:
            if call_key(call) in seen:
                notes.append(f"{call.expert}: this call was already made, its result is above")
            elif len(calls) == self.limits.max_calls:
                notes.append(f"{call.expert}: left out, at most {self.limits.max_calls} calls in one turn")
            else:
                calls.append(call)
                seen.add(call_key(call))
        changed = {"calls": calls, "notes": notes, "answer": None if calls else decision.answer}
        if len(allowed) > len(decision.calls):
            changed["said"] = None
        return decision.model_copy(update=changed)

    def experts(self, state: State, runtime: Runtime[Context]) -> Update:
        """All calls of the decision at once; what this thread already knows of the picture is not asked again."""
        work, start = working(state), time.perf_counter()
        picture, calls = self.picture(state, runtime), work.decision.calls if work.decision else []
        known = {entry.key: entry.result for entry in state.memory}
        keys = [self.key(picture, call) for call in calls]
        results = [known[key].model_copy(update={"cached": True, "ms": 0.0}) if key in known else None for key in keys]
        fresh = [index for index, result in enumerate(results) if result is None]

        def tell(event: RunEvent) -> None:
            if event.result is None:
                runtime.stream_writer(events.ExpertStarted(round=work.round, call=event.call))
            else:
                runtime.stream_writer(events.ExpertFinished(round=work.round, result=event.result))

        for result in filter(None, results):
            tell(RunEvent("start", 0, result.call))
            tell(RunEvent("done", 0, result.call, result))
        new = self.runner.run(picture, [calls[index] for index in fresh], tell)
        memory = list(state.memory)
        for index, result in zip(fresh, new, strict=True):
            results[index] = result
            if result.error is None:
                memory.append(Remembered(key=keys[index], result=result))
        work.results = [result for result in results if result is not None]
        work.step("experts", since(start), results=dump(work.results))
        memory = memory[-self.limits.max_remembered :] if self.limits.max_remembered else []
        return {"work": dump(work), "memory": dump(memory)}

    def focus(self, state: State, runtime: Runtime[Context]) -> Update:
        """Brings the results together for the controller: new regions, the calls made, a line for each failure."""
        work, start = working(state), time.perf_counter()
        seen = {region.model_dump_json() for region in work.regions}
        before = len(work.regions)
        for result in work.results:
            work.calls.append(result.call)
            if result.error is not None:
                work.failures.append(f"{result.call.expert}: {result.error}")
            work.ledger.experts.append(
                ExpertCost(
                    expert=result.call.expert,
                    ms=result.ms,
                    cached=result.cached,
                    regions=len(result.regions),
                    error=result.error,
                )
            )
            for region in result.regions:
                key = region.model_dump_json()
                if key not in seen and len(work.regions) < self.limits.max_regions:
                    seen.add(key)
                    work.regions.append(region)
        new = len(work.regions) - before
        work.step("focus", since(start), regions=len(work.regions), new=new, failures=work.failures)
        runtime.stream_writer(events.Focused(round=work.round, regions=len(work.regions), new=new))
        work.rounds.append(Round(decision=work.decision or Decision(), results=work.results))
        work.results, work.round = [], work.round + 1
        return {"work": dump(work)}

    def answer(self, state: State, runtime: Runtime[Context]) -> Update:
        """The final turn, unless the controller answered while deciding; then ledger, trace and history are closed."""
        work, start = working(state), time.perf_counter()
        view = self.view(state, runtime)
        if work.decision is not None and work.decision.answer is not None:
            answer = replies.read_answer(work.decision.answer, view, work.decision.confidence)
        else:
            stream: Callable[..., Any] | None = getattr(self.controller, "stream_answer", None)
            with self.turn:
                if stream is not None:
                    answer = stream(view, lambda text: runtime.stream_writer(events.Delta(text=text)))
                else:
                    answer = self.controller.answer(view)
        work.ledger.usage += view.usage
        said = answer.model_dump(mode="json", include={"text", "choice", "confidence", "evidence"})
        left_out = {"notes": more} if (more := view.notes[len(work.notes) :]) else {}
        work.step("answer", since(start), **said, **left_out, usage=dump(view.usage))
        answer = answer.model_copy(
            update={"decision": work.first or Decision(), "ledger": work.ledger, "trace": work.trace}
        )
        history = [*state.history, Turn(question=work.question, options=work.options, answer=answer.text)]
        cleared = {"options": None, "mode": "learned", "threshold": None, "regions": None, "earlier": None, "whole": ""}
        runtime.stream_writer(events.Done(answer=answer))
        return {"answer": dump(answer), "work": dump(work), "history": dump(self.recent(history)), **cleared}

    def recent(self, history: list[Turn]) -> list[Turn]:
        """The last turns, as many as are remembered."""
        return history[-self.limits.max_turns :] if self.limits.max_turns else []

    def after_begin(self, state: State) -> str:
        return "decide" if state.regions is None else "answer"

    def after_decide(self, state: State) -> str:
        work = working(state)
        return "experts" if work.decision and work.decision.calls else "answer"

    def after_focus(self, state: State) -> str:
        return "decide" if working(state).round < self.limits.max_rounds else "answer"

    def view(self, state: State, runtime: Runtime[Context]) -> View:
        """What the controller sees now. Its `usage` starts at zero for each turn."""
        work = working(state)
        return View(
            picture=self.picture(state, runtime),
            experts=self.schemas,
            history=state.history,
            **{name: getattr(work, name) for name in View.model_fields if name in Work.model_fields},
        )

    def picture(self, state: State, runtime: Runtime[Context], opened: bool = True) -> Picture:
        """The picture of the question; with `opened` it must be the one that the question began with."""
        given = runtime.context.picture if runtime.context else None
        if not isinstance(given, Picture):
            if not state.image:
                raise PictureError("no picture: this question's picture was not given as a file, ask again with it")
            given = self.shelf.get(state.image)
        if opened and given.sha256 != (state.seen or state.sha256):  # `seen` is not in conversations of older versions
            raise PictureError(f"{state.image or 'the picture'} has changed since the question was asked: ask again")
        return given

    def key(self, picture: Picture, call: Call) -> str:
        """The runner's own key of a call; for a call that it will refuse, the call itself."""
        tool = self.runner.tools.get(call.expert)
        try:
            return result_key(picture, tool, tool.parse(call.args)) if tool else call_key(call)
        except ExpertError:
            return call_key(call)


def working(state: State) -> Work:
    """The work of a state that has begun."""
    if state.work is None:
        raise RuntimeError("the graph has not begun: `begin` comes first")
    return state.work


def give(work: Work, regions: Sequence[Region]) -> None:
    """Regions given with the question, as if the experts that they name had just returned them."""
    by_source: dict[str, list[Region]] = {}
    for region in regions:
        by_source.setdefault(region.source or "given", []).append(region)
    work.calls = [Call(expert=source) for source in by_source]
    work.regions = list(regions)
    results = [CallResult(call=call, regions=by_source[call.expert]) for call in work.calls]
    if results:
        work.rounds, work.round = [Round(decision=Decision(calls=work.calls), results=results)], 1
    work.step("given", 0.0, regions=dump(list(regions)))


def since(start: float) -> float:
    """Milliseconds since `start` (`perf_counter`)."""
    return (time.perf_counter() - start) * 1000
