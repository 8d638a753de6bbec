"""Fixed baselines around any controller: `Never` calls experts, `Always` calls them in the first round.

They answer with the wrapped controller's own words, so that only the decision differs between runs.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.state import default_calls
from agent.types import Answer, Controller, Decision, View


class _Fixed:
    """What the two baselines share: everything but the decision is the wrapped controller's."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.thread_safe: bool = getattr(controller, "thread_safe", False)

    def answer(self, view: View) -> Answer:
        return self.controller.answer(view)

    def stream_answer(self, view: View, emit: Callable[[str], None]) -> Answer:
        stream: Callable[[View, Callable[[str], None]], Answer] | None = getattr(self.controller, "stream_answer", None)
        return stream(view, emit) if stream else self.controller.answer(view)

    def close(self) -> None:
        if close := getattr(self.controller, "close", None):
            close()


class Never(_Fixed):
    """Answers directly, without a decision: one controller turn a question."""

    def decide(self, view: View) -> Decision:
        return Decision(p_call=0.0)


class Always(_Fixed):
    """Calls in the first round: what the controller asks for, else every expert that needs no arguments."""

    def decide(self, view: View) -> Decision:
        if view.round:
            return Decision(p_call=1.0)
        asked = view.model_copy(update={"mode": "always"})
        decision = self.controller.decide(asked)
        view.usage = asked.usage
        calls = decision.calls or default_calls(view.experts)
        said = decision.said if decision.calls else None
        return decision.model_copy(update={"calls": calls, "answer": None, "p_call": 1.0, "said": said})
