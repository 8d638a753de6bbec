"""The sample questions, asked in every mode: what is right, what the experts add, and what it costs.

`python -m evaluation.run_samples --profile nano --out runs/samples.json`, or `make samples`. A question that fails is a
wrong answer with its error in the row and never ends the run. All modes see the same questions in the same order, so
that learned minus direct is a paired difference. Times are as met: the first question of a run pays for loading, and
what experts found on a picture is not computed again. Nothing is ever tuned on this folder.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, cast, get_args

from agent.types import Answer, Mode
from evaluation import metrics
from evaluation.benchmarks.format import Question, read_questions
from evaluation.report import Report, Row, differences, prepare_output, summarise, table
from tools.errors import P2GError, UsageError
from tools.pictures import Picture

SAMPLES = Path(__file__).parent / "samples"
PACKAGES = ["p2g", "torch", "transformers", "peft", "langgraph", "rapidocr", "onnxruntime", "pydantic"]


class Asks(Protocol):
    """What is measured: anything that answers like `agent.Agent`."""

    def ask(self, image: Any, question: str, options: list[str] | None = None, *, mode: Mode = "learned") -> Answer: ...


def run(
    agent: Asks,
    questions: Sequence[Question],
    mode: Mode,
    *,
    with_options: bool = False,
    seed: int = 0,
    progress: Callable[[Row], None] = lambda row: None,
) -> list[Row]:
    """One row a question, in order. `with_options` asks each question a second time, with its options shuffled."""
    rows = []
    for question in questions:
        row = ask_open(agent, question, mode)
        if with_options and question.options:
            ask_choice(agent, question, mode, seed, row)
        rows.append(row)
        progress(row)
    return rows


def ask_open(agent: Asks, question: Question, mode: Mode) -> Row:
    """The question without options, scored; an error is a wrong answer."""
    row = Row(mode=mode, gold=question.answer, **question.model_dump(include=set(Row.model_fields) - {"answer"}))
    if question.evidence:
        row.evidence_hit = False
    start = time.perf_counter()
    try:
        answer = agent.ask(str(question.path), question.question, None, mode=mode)
        row.ms = (time.perf_counter() - start) * 1000
        score(row, question, answer)
    except Exception as error:  # an experiment goes on whatever one question does
        row.ms = (time.perf_counter() - start) * 1000
        row.error = one_line(error)
    return row


def score(row: Row, question: Question, answer: Answer) -> None:
    """Fills what the answer decides; the evidence is only looked at where the question has a gold box."""
    row.answer, row.confidence, row.ledger = answer.text, answer.confidence, answer.ledger
    row.exact = metrics.exact_match(answer.text, question.answer, question.accepted)
    row.contains = metrics.contains(answer.text, question.answer, question.accepted)
    row.anls = metrics.anls(answer.text, question.answer, question.accepted)
    row.called = bool(answer.decision.calls or answer.ledger.experts)
    row.p_call = answer.decision.p_call
    row.decision_right = row.called == question.needs_experts
    row.expert_calls = len(answer.ledger.experts)
    if question.evidence:
        boxes = [region.box for region in answer.evidence]
        row.evidence_hit = metrics.evidence_hit(boxes, question.evidence, Picture.open(question.path).size)


def ask_choice(agent: Asks, question: Question, mode: Mode, seed: int, row: Row) -> None:
    """The question with its options, in an order that depends on seed and id alone."""
    options = list(question.options)
    random.Random(f"{seed}:{question.id}").shuffle(options)
    row.choice_right = False
    try:
        answer = agent.ask(str(question.path), question.question, options, mode=mode)
        if answer.choice is not None:
            row.choice = options[answer.choice]
            row.choice_right = row.choice == question.answer
    except Exception as error:  # as above
        row.error = row.error or f"with options: {one_line(error)}"


def one_line(error: Exception) -> str:
    message = " ".join(str(error).split())
    return message if isinstance(error, P2GError) else f"{type(error).__name__}: {message}"


def versions() -> dict[str, str]:
    """Of what the figures depend on, so that a report can be repeated."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def parse_modes(text: str) -> list[Mode]:
    modes = [part.strip() for part in text.split(",") if part.strip()]
    wrong = [mode for mode in modes if mode not in get_args(Mode)]
    if wrong or not modes:
        raise UsageError(f"--modes {text!r}: name some of {', '.join(get_args(Mode))}, separated by commas")
    return cast("list[Mode]", list(dict.fromkeys(modes)))


def evaluate(agent: Asks, questions: Sequence[Question], args: argparse.Namespace) -> Report:
    """Every mode over all questions, with a line of progress for each answer on stderr."""
    rows: dict[str, list[Row]] = {}
    for mode in parse_modes(args.modes):
        done = 0

        def line(row: Row) -> None:
            nonlocal done
            done += 1
            mark = "error" if row.error else "right" if row.exact else "wrong"
            said = row.error or f"{row.answer!r} (gold {row.gold!r})"
            print(f"{row.mode} {done}/{len(questions)} {row.id}: {mark}: {said}", file=sys.stderr, flush=True)

        rows[mode] = run(agent, questions, mode, with_options=args.options, seed=args.seed, progress=line)
    return Report(
        profile=args.profile,
        directory=Path(args.dir).name,
        seed=args.seed,
        questions=len(questions),
        versions=versions(),
        summaries=[summarise(mode, found) for mode, found in rows.items()],
        differences=differences(rows, args.seed),
        rows=[row for found in rows.values() for row in found],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The command; prints the table, writes the report, returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.run_samples", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--profile", default="nano")
    parser.add_argument("--modes", default="direct,learned,always", help="separated by commas")
    parser.add_argument("--dir", default=str(SAMPLES), help="a folder in the P²GB format")
    parser.add_argument("--out", help="write figures and rows to this JSON file")
    parser.add_argument("--options", action="store_true", help="ask each question a second time, with its options")
    parser.add_argument("--seed", type=int, default=0, help="of the order of options and the bootstrap")
    args = parser.parse_args(argv)
    try:
        parse_modes(args.modes)
        questions = read_questions(args.dir)
        if args.out:
            prepare_output(Path(args.out))
        from agent import Agent

        report = evaluate(Agent.load(args.profile), questions, args)
        print(table(report))
        if args.out:
            text = json.dumps(report.model_dump(mode="json"), indent=1, ensure_ascii=False)
            Path(args.out).write_text(text + "\n", "utf-8", "replace")
    except P2GError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
