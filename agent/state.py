"""The graph's state: what is asked, what a conversation remembers, and the work on the question at hand.

Nodes get these pydantic models and return plain JSON (`dump`), so that any LangGraph checkpointer can store a state
and any version can read it. A picture is kept as path and SHA-256, never as pixels.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from agent.types import Answer, Decision, Ledger, Mode, Round, Step, Turn
from tools.base import Box, Call, CallResult, Region
from tools.errors import UsageError


class Limits(BaseModel):
    """What one question may cost or carry."""

    max_rounds: int = Field(default=2, ge=0, le=16)
    max_question_chars: int = Field(default=4000, ge=1)
    max_options: int = Field(default=26, ge=2, le=26)
    max_calls: int = Field(default=16, ge=1)
    max_regions: int = Field(default=1000, ge=1)
    max_turns: int = Field(default=8, ge=0)
    max_remembered: int = Field(default=32, ge=0)


class Remembered(BaseModel):
    """A result on the picture of this conversation; `key` is the runner's (picture, expert, version, arguments)."""

    key: str
    result: CallResult


class Work(BaseModel):
    """The question at hand and how far it is; made anew by the node `begin`."""

    question: str
    options: list[str] | None = None
    mode: Mode = "learned"
    threshold: float | None = None
    round: int = 0
    decision: Decision | None = None
    first: Decision | None = None
    results: list[CallResult] = Field(default_factory=list)
    regions: list[Region] = Field(default_factory=list)
    calls: list[Call] = Field(default_factory=list)
    failures: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    rounds: list[Round] = Field(default_factory=list)
    ledger: Ledger = Field(default_factory=Ledger)
    trace: list[Step] = Field(default_factory=list)

    def step(self, kind: str, ms: float, **data: Any) -> None:
        """Adds one step to the trace and its time to the ledger."""
        self.trace.append(Step(kind=kind, round=self.round, ms=round(ms, 3), data=data))
        total = self.ledger.ms
        total[kind] = round(total.get(kind, 0.0) + ms, 3)
        total["total"] = round(total.get("total", 0.0) + ms, 3)


class Question(BaseModel):
    """The graph's input: a picture by path (empty when it is given in the context) and what is asked of it.

    With `regions` the answer is given from these and nothing else: no decision, no experts (corrected evidence).
    `earlier` are the turns before this one, for callers that keep their conversations themselves. `box` is the part of
    the picture in `image` that the context's picture shows, `whole` then the SHA-256 of all of it.
    """

    image: str = ""
    question: str = ""
    options: list[str] | None = None
    mode: Mode = "learned"
    threshold: float | None = None
    regions: list[Region] | None = None
    earlier: list[Turn] | None = None
    box: Box | None = None
    whole: str = ""

    def check(self, limits: Limits) -> None:
        """Raises `UsageError` for a question that cannot be asked."""
        if not self.question.strip():
            raise UsageError("the question is empty: say what you want to know about the picture")
        if len(self.question) > limits.max_question_chars:
            raise UsageError(f"the question has {len(self.question)} characters, at most {limits.max_question_chars}")
        if self.threshold is not None and not 0.0 <= self.threshold <= 1.0:
            raise UsageError(f"the threshold must be between 0 and 1, got {self.threshold}")
        if len(self.regions or []) > limits.max_regions:
            raise UsageError(f"{len(self.regions or [])} regions are given, at most {limits.max_regions}")
        if self.options is None:
            return
        options = [option.strip() for option in self.options]
        if not 2 <= len(options) <= limits.max_options:
            raise UsageError(f"give 2 to {limits.max_options} options or none at all, got {len(options)}")
        if not all(options):
            raise UsageError(f"option {options.index('') + 1} is empty")
        if sum(map(len, options)) > limits.max_question_chars:
            raise UsageError(f"the options have more than {limits.max_question_chars} characters together")
        for number, option in enumerate(options):
            if option.casefold() in (other.casefold() for other in options[:number]):
                raise UsageError(f"option {number + 1} ({option[:40]!r}) is there twice")


class State(Question):
    """The whole state. `history` and `memory` live as long as the thread; both are about the picture `sha256`.

    `seen` is the SHA-256 of what is looked at: of that picture, or of its part.
    """

    sha256: str = ""
    seen: str = ""
    history: list[Turn] = Field(default_factory=list)
    memory: list[Remembered] = Field(default_factory=list)
    work: Work | None = None
    answer: Answer | None = None


class Output(BaseModel):
    """The graph's output."""

    answer: Answer | None = None


def dump(value: Any) -> Any:
    """JSON-ready form of a model, or of a list of models."""
    if isinstance(value, list):
        return [dump(item) for item in value]
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def call_key(call: Call) -> str:
    """The same string for the same call, whatever the order of its arguments."""
    return call.expert + json.dumps(call.args, sort_keys=True, ensure_ascii=False, default=str)


def default_calls(schemas: Sequence[dict[str, Any]]) -> list[Call]:
    """A call of every expert that needs no arguments."""
    return [Call(expert=schema["name"]) for schema in schemas if not schema["parameters"].get("required")]


def with_defaults(calls: Sequence[Call], schemas: Sequence[dict[str, Any]]) -> list[Call]:
    """The calls of mode `always`: what the controller asks for, and every other expert that needs no arguments."""
    named = {call.expert for call in calls}
    return [*calls, *(call for call in default_calls(schemas) if call.expert not in named)]
