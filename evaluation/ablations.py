"""Ablations: one change at a time against the same base, over the same questions, in one table with intervals.

`p2g bench ablate p2gb-s` runs each variant into its own run folder (so a stopped ablation goes on where it was) and
writes `ablations.md`. What these weights cannot do (a region pathway without a vision tower) is a row that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.types import Answer
from evaluation.asking import Asker, Asks, BenchMode
from evaluation.benchmarks.base import Benchmark, Question
from evaluation.cli_output import prepare_output
from evaluation.decisions import Share
from evaluation.facts import Fact, facts_of
from evaluation.journal import Journal, read_rows
from evaluation.reports import tables
from evaluation.reports.markdown import drawn
from evaluation.reports.tables import Table
from evaluation.runner import ask_all, begin, finish, waiting
from evaluation.summary import cost_of, paired
from tools.base import Box, Call, Region
from tools.errors import P2GError, UsageError
from tools.pictures import Picture

if TYPE_CHECKING:
    from agent.profiles import Profile

BASE = "learned"
TABLE = "ablations.md"


@dataclass(frozen=True)
class Variant:
    """What is changed: settings of the profile (nested tables are merged), the mode, the threshold, or the regions."""

    name: str
    about: str
    mode: BenchMode = "learned"
    changes: Mapping[str, Any] = field(default_factory=dict)
    threshold: float | None = None
    true_boxes: bool = False


def native(**settings: str) -> dict[str, Any]:
    return {"controller": settings}


VARIANTS = (
    Variant(BASE, "as the profile is: its pathway, P²G's allocation rule, its context, its threshold"),
    Variant("direct", "never an expert", "direct"),
    Variant("always", "experts for every question", "always"),
    Variant("threshold-0.25", "calls from p_call 0.25 on", threshold=0.25),
    Variant("threshold-0.5", "calls from p_call 0.5 on", threshold=0.5),
    Variant("threshold-0.75", "calls from p_call 0.75 on", threshold=0.75),
    Variant("pathway-crop", "regions are cropped and encoded again", changes=native(region_pathway="crop")),
    Variant("pathway-roi_align", "regions are pooled", changes=native(region_pathway="roi_align")),
    Variant("pathway-hybrid", "only small regions are encoded again", changes=native(region_pathway="hybrid")),
    Variant("allocation-mlp", "everything through the MLP", changes=native(allocation="mlp")),
    Variant("allocation-resampler", "everything through the resampler", changes=native(allocation="resampler")),
    Variant("context-paper", "the answer's context is encoded anew", changes=native(context="paper")),
    Variant("context-append", "the focus turn is appended to the cached prefix", changes=native(context="append")),
    Variant("without-ocr", "no expert read", changes={"experts": {"read": False}}),
    Variant("without-grounding", "no expert ground", changes={"experts": {"ground": False}}),
    Variant("true-boxes", "told where to look: the gold boxes, and what is read in them", true_boxes=True),
)


@dataclass
class Told:
    """An asker that is told where to look: the gold boxes are the regions, with the text that is read in them."""

    asker: Asker
    evidence: dict[tuple[str, str], list[Box]]
    thread_safe: bool = False

    def ask(
        self, picture: Picture, question: str, options: list[str] | None, mode: BenchMode, threshold: float | None
    ) -> Answer:
        agent, boxes = self.asker.agent, self.evidence[picture.sha256, question]
        regions = [Region(box=box, label="region", score=1.0, source="gold") for box in boxes]
        if "read" in agent.runner.tools:
            calls = [Call(expert="read", args={"box": list(box)}) for box in boxes]
            regions += [region for result in agent.runner.run(picture, calls) for region in result.regions]
        return agent.ask(picture, question, options, mode="always", threshold=threshold, regions=regions)

    def close(self) -> None:
        self.asker.close()


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes`; tables in both are merged."""
    both = {
        key: merged(base[key], value) if isinstance(value, Mapping) and isinstance(base.get(key), Mapping) else value
        for key, value in changes.items()
    }
    return {**base, **both}


def run_variant(
    variant: Variant,
    benchmark: Benchmark,
    profile: Profile,
    out: Path,
    *,
    seed: int = 0,
    limit: int | None = None,
    command: str = "",
    say: Callable[[str], None] = lambda line: None,
) -> list[Fact]:
    """The facts of one variant, asked now or kept from before. Raises `P2GError` for what cannot be done."""
    changed = profile.replaced(merged(profile.model_dump(), variant.changes))
    plan = begin(
        benchmark,
        None,
        changed,
        modes=[variant.mode],
        seed=seed,
        threshold=variant.threshold,
        limit=limit,
        command=command,
    )
    folder = out / variant.name
    with Journal(folder, plan.run) as journal:
        tasks = waiting(plan, journal)
        if tasks:
            asker = Asker.load(changed, [variant.mode], cold=True)  # or the first variant would pay for all
            say(f"{variant.name}: {len(tasks)} questions")
            asks: Asks = Told(asker, evidence_of(plan.questions)) if variant.true_boxes else asker
            try:
                ask_all(plan, tasks, asks, journal)
            finally:
                asks.close()
        finish(plan, journal)
    return facts_of(read_rows(folder))


def evidence_of(questions: Iterable[Question]) -> dict[tuple[str, str], list[Box]]:
    return {(question.image_sha256, question.question): list(question.evidence) for question in questions}


Result = list[Fact] | str
"""Of a variant: its facts, or why it could not be run."""


def ablate(
    benchmark: Benchmark,
    profile: Profile,
    out: Path,
    *,
    names: Sequence[str] | None = None,
    seed: int = 0,
    limit: int | None = None,
    command: str = "",
    say: Callable[[str], None] = lambda line: None,
) -> str:
    """Runs the variants (None: all) and returns their table, which is also written to `out`. Raises `UsageError`."""
    chosen = chosen_from(names)
    prepare_output(out / TABLE)
    results: dict[str, Result] = {}
    for variant in chosen:
        try:
            how: dict[str, Any] = {"seed": seed, "limit": limit, "command": command, "say": say}
            results[variant.name] = run_variant(variant, benchmark, profile, out, **how)
        except P2GError as error:
            results[variant.name] = str(error)
            say(f"{variant.name}: not measured: {error}")
    text = to_markdown(chosen, results, seed) + f"\n`{command}`\n"
    (out / TABLE).write_text(text, encoding="utf-8")
    return text


def chosen_from(names: Sequence[str] | None) -> list[Variant]:
    known = {variant.name: variant for variant in VARIANTS}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise UsageError(f"unknown variant {unknown[0]!r}: choose {', '.join(known)}")
    return [variant for variant in VARIANTS if names is None or variant.name in {*names, BASE}]


def to_markdown(variants: Sequence[Variant], results: Mapping[str, Result], seed: int = 0) -> str:
    """The table: accuracy with Wilson's interval, the paired difference to the base, calls, tokens and time."""
    base = results.get(BASE)
    rows, about = [], []
    for variant in variants:
        found = results[variant.name]
        if isinstance(found, str):
            rows.append((variant.name, *[tables.NOTHING] * 6))
            about.append((variant.name, f"{variant.about}. Not measured: {found}"))
            continue
        cost = cost_of(found)
        costs = f"{cost.expert_calls:.2f}", f"{cost.visual_tokens:.0f}", f"{cost.prompt_tokens:.0f}"
        right = tables.share(Share.of(sum(fact.correct for fact in found), len(found)))
        difference = "" if variant.name == BASE else against(base, found, seed)
        rows.append((variant.name, right, difference, *costs, tables.duration(cost.ms_median)))
        about.append((variant.name, variant.about))
    columns = ("variant", "right", f"minus {BASE}", "expert calls", "visual tokens", "prompt tokens", "time")
    note = "Means a question, time its median. Differences are points, paired; * where the interval leaves out zero."
    figures = Table("Ablations, one change at a time", note, columns, rows)
    return "\n".join(drawn([figures, Table("What was changed", "", ("variant", "what"), about)]))


def against(base: Result | None, found: list[Fact], seed: int) -> str:
    """The paired difference in points with its interval; `*` when the interval leaves out zero."""
    if not isinstance(base, list):
        return tables.NOTHING
    before = {fact.id: fact for fact in base}
    it = paired([(before[fact.id], fact) for fact in found if fact.id in before], "base", "variant", seed)
    return tables.points(it) + ("*" if it.low > 0 or it.high < 0 else "")
