"""What a run leaves: a `Row` for each question, a `Summary` for each mode, and the table a person reads.

Every rate carries k, n and Wilson's interval; failed questions count as wrong everywhere; modes are compared in pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, Field

from agent.types import Ledger
from evaluation import metrics
from tools.errors import UsageError


class Row(BaseModel):
    """One question in one mode. `exact`, `contains` and `anls` score the open question, `choice_right` the options."""

    id: str
    image: str
    track: str
    mode: str
    question: str
    gold: str
    needs_experts: bool
    answer: str = ""
    exact: bool = False
    contains: bool = False
    anls: float = 0.0
    called: bool = False
    p_call: float | None = None
    decision_right: bool = False
    evidence_hit: bool | None = None
    expert_calls: int = 0
    ms: float = 0.0
    confidence: float | None = None
    ledger: Ledger | None = None
    choice: str | None = None
    choice_right: bool | None = None
    error: str | None = None


class Rate(BaseModel):
    """k right of n, with Wilson's 95% interval."""

    k: int
    n: int
    rate: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[bool]) -> Rate:
        k, n = sum(values), len(values)
        low, high = metrics.wilson(k, n)
        return cls(k=k, n=n, rate=k / n if n else 0.0, low=low, high=high)


class Summary(BaseModel):
    """One mode over all questions. `text_*` are over the text track, the rest over every question it applies to."""

    mode: str
    text_exact: Rate
    text_contains: Rate
    text_anls: float
    exact: Rate
    choice: Rate | None
    decision: Rate
    balanced_decision: float = Field(description="mean of the two rates: called when needed, not called when not")
    evidence: Rate
    mean_calls: float
    mean_ms: float
    errors: int


class Difference(BaseModel):
    """Paired difference in exact accuracy on the text track, in points of rate, with its 95% bootstrap interval."""

    of: str
    delta: float
    low: float
    high: float


class Report(BaseModel):
    """The file that `--out` writes."""

    profile: str
    directory: str
    seed: int
    questions: int
    versions: dict[str, str]
    summaries: list[Summary]
    differences: list[Difference]
    rows: list[Row]


def summarise(mode: str, rows: Sequence[Row]) -> Summary:
    """The figures of one mode; failed questions count as wrong everywhere."""
    text = [row for row in rows if row.track == "text"]
    decisions = {need: [row.decision_right for row in rows if row.needs_experts == need] for need in (True, False)}
    rates = [sum(right) / len(right) for right in decisions.values() if right]
    chosen = [row.choice_right for row in rows if row.choice_right is not None]
    return Summary(
        mode=mode,
        text_exact=Rate.of([row.exact for row in text]),
        text_contains=Rate.of([row.contains for row in text]),
        text_anls=mean([row.anls for row in text]),
        exact=Rate.of([row.exact for row in rows]),
        choice=Rate.of(chosen) if chosen else None,
        decision=Rate.of([row.decision_right for row in rows]),
        balanced_decision=mean(rates),
        evidence=Rate.of([row.evidence_hit for row in rows if row.evidence_hit is not None]),
        mean_calls=mean([row.expert_calls for row in rows]),
        mean_ms=mean([row.ms for row in rows]),
        errors=sum(row.error is not None for row in rows),
    )


def prepare_output(path: Path) -> None:
    """Makes the folder and tries the file before a long run begins. Raises `UsageError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def differences(rows: dict[str, list[Row]], seed: int) -> list[Difference]:
    """Each other mode against `direct`, where `direct` was run."""
    found = []
    for mode in rows:
        if mode == "direct" or "direct" not in rows:
            continue
        exact = {name: [row.exact for row in rows[name] if row.track == "text"] for name in ("direct", mode)}
        delta, low, high = metrics.paired_difference(exact["direct"], exact[mode], seed)
        found.append(Difference(of=f"{mode} - direct", delta=delta, low=low, high=high))
    return found


def table(report: Report) -> str:
    """The figures as lines of text; rates in percent with their 95% intervals."""
    lines = [
        f"{report.questions} questions, profile {report.profile}, seed {report.seed}",
        f"{'mode':8}  {'text exact':>22}  {'contains':>8}  {'choice':>22}  {'decision':>8}  {'evidence':>8}"
        f"  {'calls':>5}  {'ms':>6}  errors",
    ]
    for it in report.summaries:
        choice = show(it.choice) if it.choice else "-"
        lines.append(
            f"{it.mode:8}  {show(it.text_exact):>22}  {it.text_contains.rate:>8.1%}  {choice:>22}  "
            f"{it.decision.rate:>8.1%}  {it.evidence.rate:>8.1%}  {it.mean_calls:>5.2f}  {it.mean_ms:>6.0f}"
            f"  {it.errors}"
        )
    for by in report.differences:
        interval = f"{100 * by.low:+.1f} to {100 * by.high:+.1f}, paired"
        lines.append(f"text exact, {by.of}: {100 * by.delta:+.1f} points ({interval})")
    return "\n".join(lines)


def show(rate: Rate) -> str:
    return f"{rate.rate:.1%} ({100 * rate.low:.1f}-{100 * rate.high:.1f})"
