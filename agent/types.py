"""The words that cross the borders of the agent: what a controller sees (`View`), what it decides, what comes out.

Everything here is data (pydantic v2), so that a checkpoint, a trace file and the server all carry the same objects.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from tools.base import Call, CallResult, Region
from tools.pictures import Picture

Mode = Literal["direct", "always", "learned"]


class Usage(BaseModel):
    """Tokens of one or more controller calls. `prompt_tokens` is all input, `visual_tokens` its part that stands for
    pictures, `cached_tokens` its part not recomputed."""

    controller_calls: int = 0
    prompt_tokens: int = 0
    visual_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in Usage.model_fields})


class ExpertCost(BaseModel):
    """One expert call as the ledger keeps it."""

    expert: str
    ms: float
    cached: bool = False
    regions: int = 0
    error: str | None = None


class Ledger(BaseModel):
    """What a question cost. `ms` is wall time by step (`decide`, `experts`, `focus`, `answer`, `total`), all rounds."""

    usage: Usage = Field(default_factory=Usage)
    experts: list[ExpertCost] = Field(default_factory=list)
    ms: dict[str, float] = Field(default_factory=dict)


class Decision(BaseModel):
    """Answer directly (`calls` empty) or call these experts; `p_call` is the controller's probability of calling.

    `answer` is set when the controller already gave the answer in the same turn, `confidence` belongs to it; `notes`
    lists rejected calls, one line each, which the controller sees once. `said` is what the controller wrote in this
    turn, so that the turn can be repeated to it word for word (prefix caches); `offered`: with the options in sight.
    """

    answer: str | None = None
    confidence: float | None = None
    said: str | None = None
    offered: bool = False
    calls: list[Call] = Field(default_factory=list)
    p_call: float = 0.0
    notes: list[str] = Field(default_factory=list)


class Step(BaseModel):
    """One step of a trace: `kind` is decide, experts, focus, given or answer; `data` is JSON-ready."""

    kind: str
    round: int = 0
    ms: float = 0.0
    data: dict[str, Any] = Field(default_factory=dict)


class Answer(BaseModel):
    """The result of one question. `choice` is the index into the options, when there were any."""

    text: str
    choice: int | None = None
    evidence: list[Region] = Field(default_factory=list)
    decision: Decision = Field(default_factory=Decision)
    confidence: float | None = None
    ledger: Ledger = Field(default_factory=Ledger)
    trace: list[Step] = Field(default_factory=list)


class Turn(BaseModel):
    """An earlier question of the same conversation and its answer."""

    question: str
    answer: str
    options: list[str] | None = None


class Round(BaseModel):
    """One round of a question: what was decided and what the experts returned, in the order of the calls."""

    decision: Decision
    results: list[CallResult] = Field(default_factory=list)


class View(BaseModel):
    """What a controller sees of one question at one moment; it adds what it spent to `usage`, and while answering to
    `notes` a line for what it left out (for the trace).

    `experts` are the schemas (`Tool.schema()`) of the experts at hand; `regions` what they returned so far, in call
    order; `failures` one line for each failed call; `notes` lines about rejected calls; `rounds` the same by round.
    `mode` and `threshold` are the cost dial: `direct` never calls, `always` must call in round 0, `learned` calls when
    p_call >= threshold (None: the threshold that ships with the controller).
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    picture: Picture
    question: str
    options: list[str] | None = None
    experts: list[dict[str, Any]] = Field(default_factory=list)
    regions: list[Region] = Field(default_factory=list)
    calls: list[Call] = Field(default_factory=list)
    failures: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    rounds: list[Round] = Field(default_factory=list)
    history: list[Turn] = Field(default_factory=list)
    round: int = 0
    mode: Mode = "learned"
    threshold: float | None = None
    usage: Usage = Field(default_factory=Usage)


class Controller(Protocol):
    """The model that decides and answers. `answer` fills text, choice, evidence and confidence; the graph the rest.

    Optional: `thread_safe = True` lets several questions use it at once; `stream_answer(view, emit)` is `answer` that
    also calls `emit(text)` for each piece of text; `forget()` drops what earlier questions left behind, so that a
    measured answer does not depend on them; `clean_deltas = True` says that the pieces it emits join to the very text
    of the answer; `close()` frees what it holds.
    """

    def decide(self, view: View) -> Decision: ...

    def answer(self, view: View) -> Answer: ...
