"""What an agent says while it works: typed events, JSON-ready, that drive the CLI progress, the server and the UI.

`Agent.stream` yields them in order; the last one of a question that succeeds is always `Done`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from agent.types import Answer, Decision
from tools.base import Call, CallResult


class Decided(BaseModel):
    """The controller has decided; `calls` of the decision are the ones that will run."""

    kind: Literal["decision"] = "decision"
    round: int
    decision: Decision


class ExpertStarted(BaseModel):
    """An expert call was handed to the runner."""

    kind: Literal["expert_started"] = "expert_started"
    round: int
    call: Call


class ExpertFinished(BaseModel):
    """An expert call has ended, well or not (`result.error`)."""

    kind: Literal["expert_finished"] = "expert_finished"
    round: int
    result: CallResult


class Focused(BaseModel):
    """The regions at hand after a round of experts: how many, and how many of them are new."""

    kind: Literal["focus"] = "focus"
    round: int
    regions: int
    new: int


class Delta(BaseModel):
    """A piece of the answer's text, from controllers that stream."""

    kind: Literal["delta"] = "delta"
    text: str


class Done(BaseModel):
    """The answer, complete."""

    kind: Literal["done"] = "done"
    answer: Answer


Event = Annotated[
    Decided | ExpertStarted | ExpertFinished | Focused | Delta | Done,
    Field(discriminator="kind"),
]
