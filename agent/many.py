"""Many questions over one loaded agent (`p2g ask-many`): every answer durable before the next one counts.

Answers go to `<out>.run/rows.jsonl` as they come, with their cost; when all are there `<out>` is written in the order
of the input, without times, so that a run in one go and one that was killed and resumed give the same file.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from agent.durable import RunFolder
from agent.many_rows import Wanted
from agent.shelf import Shelf
from agent.together import each
from agent.types import Answer, Ledger, Mode
from tools.base import Region
from tools.errors import P2GError

if TYPE_CHECKING:
    from agent.agent import Agent

MAX_ERROR = 500
ROUNDED = ("confidence", "p_call")


class ManyRun(BaseModel):
    """What is run; all of it but `directory` and `command` must be the same to go on."""

    input_sha256: str = Field(description="of the questions as they were read")
    questions: int
    profile: str
    profile_sha256: str
    mode: Mode
    threshold: float | None = None
    directory: str = ""
    command: str = ""


class Answered(BaseModel):
    """One question and its answer, or `error`."""

    key: str
    id: str
    image: str
    question: str
    options: list[str] | None = None
    mode: Mode
    answer: str = ""
    choice: int | None = None
    confidence: float | None = None
    p_call: float | None = None
    calls: list[str] = Field(default_factory=list, description="names of the experts called, in order")
    evidence: list[Region] = Field(default_factory=list)
    error: str | None = None
    ledger: Ledger = Field(default_factory=Ledger)
    ms: float = 0.0


def run_of(rows: Sequence[Wanted], profile: Any, mode: Mode, threshold: float | None, **where: str) -> ManyRun:
    """What this run is, for `run.json`."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(row.model_dump_json().encode("utf-8", "replace") + b"\n")
    settings = profile.model_dump(mode="json", exclude={"name", "description", "home", "keep_results"})
    return ManyRun(
        input_sha256=digest.hexdigest(),
        questions=len(rows),
        profile=profile.name,
        profile_sha256=hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest(),
        mode=mode,
        threshold=threshold,
        **where,
    )


def waiting(rows: Sequence[Wanted], folder: RunFolder[ManyRun], again: bool = False) -> list[Wanted]:
    """What is still to be asked; with `again` also what ended with an error."""
    return [row for row in rows if row.key not in folder or (again and row.key in folder.failed)]


def ask_rows(
    agent: Agent,
    rows: Sequence[Wanted],
    folder: RunFolder[ManyRun],
    pictures: Path,
    *,
    workers: int = 1,
    tell: Callable[[Answered], None] = lambda row: None,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Asks `rows`; paths of images are relative to `pictures`. A row that fails says why, the run goes on.

    Raises `KeyboardInterrupt` when it was asked to stop; what has a row is kept.
    """
    safe = bool(getattr(agent.controller, "thread_safe", False))
    shelf = Shelf(size=4, limits=agent.picture_limits)
    run = folder.run

    def keep(answered: Answered) -> None:
        folder.keep(answered.model_dump(mode="json"))
        tell(answered)

    each(
        rows,
        lambda row: answered(agent, shelf, row, pictures, run),
        keep,
        workers=max(1, workers) if safe else 1,
        say=say,
    )


def answered(agent: Agent, shelf: Shelf, row: Wanted, pictures: Path, run: ManyRun) -> Answered:
    """One row asked. Raises nothing that is about this row alone."""
    mode = row.mode or run.mode
    out = Answered(**row.model_dump(exclude={"mode"}), mode=mode)
    if out.error is not None:
        return out
    start = time.perf_counter()
    try:
        if forget := getattr(agent.controller, "forget", None):
            forget()  # an answer must not depend on which questions came before
        picture = shelf.get(pictures / Path(row.image).expanduser())
        answer = agent.ask(picture, row.question, row.options, mode=mode, threshold=run.threshold)
        fill(out, answer)
    except Exception as error:  # a run goes on whatever one question does
        message = " ".join(str(error).split())[:MAX_ERROR]
        out.error = message if isinstance(error, P2GError) else f"{type(error).__name__}: {message}"
    out.ms = round((time.perf_counter() - start) * 1000, 1)
    return out


def fill(out: Answered, answer: Answer) -> None:
    out.answer, out.choice, out.ledger = answer.text, answer.choice, answer.ledger
    out.confidence, out.p_call = finite(answer.confidence), finite(answer.decision.p_call)
    out.calls = [cost.expert for cost in answer.ledger.experts]
    out.evidence = answer.evidence


def finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def stable(line: bytes) -> dict[str, Any]:
    """What goes to the result: a row without times and cost, figures rounded to what repeats."""
    row: dict[str, Any] = json.loads(line)
    for name in ("key", "ledger", "ms"):
        row.pop(name)
    for name in ROUNDED:
        row[name] = None if row[name] is None else round(row[name], 3)
    row["evidence"] = [
        {name: value for name, value in region.items() if name not in ("mask", "image")} for region in row["evidence"]
    ]
    return row
