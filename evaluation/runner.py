"""Runs a benchmark: every question in every mode over one loaded agent, each row durable before the next one counts.

`begin` says what the run is, `ask_all` asks what the folder does not hold yet (threads, as many as the controller
allows), `finish` writes `results.jsonl` and the reports. Ctrl-C lets the questions in flight end and keeps their rows;
after a kill the same command goes on where it stopped. Rows are never held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agent.together import each
from agent.types import Step
from evaluation import provenance
from evaluation.asking import MODES, Asking, Asks, BenchMode, key_of
from evaluation.benchmarks.base import Benchmark, Question
from evaluation.benchmarks.mixing import take
from evaluation.journal import Journal
from evaluation.rows import Row, Run
from tools.errors import UsageError

if TYPE_CHECKING:
    from agent.profiles import Profile

Task = tuple[Question, BenchMode]
Asked = tuple[Row, list[Step]]


@dataclass(frozen=True)
class Plan:
    """What is asked, in this order: each question in each mode, so that modes are compared on what is there so far."""

    asking: Asking
    questions: Sequence[Question]
    modes: Sequence[BenchMode]
    run: Run

    def tasks(self) -> Iterator[Task]:
        return ((question, mode) for question in self.questions for mode in self.modes)

    def keys(self) -> Iterator[str]:
        return (key_of(question, mode) for question, mode in self.tasks())


def begin(
    benchmark: Benchmark,
    folder: Path | None,
    profile: Profile,
    *,
    modes: Sequence[BenchMode] = MODES[:3],
    seed: int = 0,
    threshold: float | None = None,
    limit: int | None = None,
    shard: tuple[int, int] | None = None,
    command: str = "",
) -> Plan:
    """Loads the questions and says what the run is. `limit` takes a part mixed like the whole, `shard`
    (i, n) every n-th of it."""
    from tools.pictures import PictureLimits

    questions = benchmark.load(folder)
    if not questions:
        raise UsageError(f"benchmark {benchmark.name} has no question")
    sha256 = provenance.dataset_sha256(questions)
    chosen = take(questions, limit)
    if shard:
        chosen = chosen[shard[0] - 1 :: shard[1]]
    if not chosen:
        raise UsageError(f"no question is left: {len(questions)} questions, limit {limit}, shard {part_of(shard)}")
    threshold = profile.threshold if threshold is None else threshold
    run = Run(
        benchmark=benchmark.name,
        dataset_sha256=sha256,
        questions=len(chosen),
        metric=benchmark.metric,
        profile=profile.name,
        profile_sha256=provenance.profile_sha256(profile),
        modes=list(modes),
        seed=seed,
        threshold=threshold,
        limit=limit,
        shard=part_of(shard),
        directory=str(chosen[0]._directory.absolute()),
        command=command,
        versions=provenance.versions(),
        weights_sha256=provenance.weights_sha256(profile),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    limits = PictureLimits(max_pixels=profile.max_pixels, max_bytes=profile.max_bytes)
    return Plan(Asking(benchmark, seed, threshold, limits), chosen, list(modes), run)


def waiting(plan: Plan, journal: Journal, again: bool = False) -> list[Task]:
    """What is still to be asked; with `again` also what ended with an error."""
    return [
        (question, mode)
        for question, mode in plan.tasks()
        if (key := key_of(question, mode)) not in journal or (again and key in journal.failed)
    ]


def ask_all(
    plan: Plan,
    tasks: Sequence[Task],
    asks: Asks,
    journal: Journal,
    *,
    workers: int = 1,
    tell: Callable[[Row], None] = lambda row: None,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Asks the tasks; rows are written by this thread alone. Raises `KeyboardInterrupt` when it was asked to stop."""
    workers = max(1, workers) if asks.thread_safe else 1

    def keep(asked: Asked) -> None:
        journal.append(*asked)
        tell(asked[0])

    each(tasks, lambda task: plan.asking(asks, *task), keep, workers=workers, say=say)


def part_of(shard: tuple[int, int] | None) -> str | None:
    return f"{shard[0]}/{shard[1]}" if shard else None


def finish(plan: Plan, journal: Journal) -> str:
    """`results.jsonl`; its SHA-256 is the same for every run of the same thing, in one go or resumed."""
    return journal.finish(plan.keys())
