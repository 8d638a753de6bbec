"""Fixed baselines around any controller: `Never` calls experts, `Always` calls them in the first round, `Exhaustive`
also zooms into every part of the picture.

They answer with the wrapped controller's own words, so that only the decision differs between runs.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.prompts import MAX_CROPS
from agent.state import default_calls, with_defaults
from agent.types import Answer, Controller, Decision, View
from tools.base import Call
from tools.slicing import Slice, slices


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
    """Calls in the first round: what the controller asks for, and every other expert that needs no arguments."""

    def decide(self, view: View) -> Decision:
        if view.round:
            return Decision(p_call=1.0)
        asked = view.model_copy(update={"mode": "always"})
        decision = self.controller.decide(asked)
        view.usage = asked.usage
        calls = with_defaults(decision.calls, view.experts)
        said = decision.said if len(calls) == len(decision.calls) else None
        return decision.model_copy(update={"calls": calls, "answer": None, "p_call": 1.0, "said": said})


class Exhaustive(_Fixed):
    """Looks at everything: every expert that needs no arguments, and `zoom` on tiles that cover the whole picture.

    As many tiles a round as a controller is shown crops, so the agent needs `max_rounds` of this class. Tiles have
    `side` pixels, more where the picture would need more rounds. The controller is only asked for the answer.
    """

    max_rounds = 4
    side = 1024

    def decide(self, view: View) -> Decision:
        calls = default_calls(view.experts) if view.round == 0 else []
        if any(schema["name"] == "zoom" for schema in view.experts):
            shown = tiles(view.picture.size, self.side, self.max_rounds * MAX_CROPS)
            mine = shown[view.round * MAX_CROPS : (view.round + 1) * MAX_CROPS]
            calls += [Call(expert="zoom", args={"box": list(tile)}) for tile in mine]
        return Decision(calls=calls, p_call=1.0)


def tiles(size: tuple[int, int], side: int, most: int) -> list[Slice]:
    """At most `most` tiles (pixels, x1 y1 x2 y2) that cover a picture of `size`; `side` grows until that holds."""
    while len(found := slices(size, side, side // 8)) > most:
        side += side // 8
    return found
