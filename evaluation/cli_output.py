"""What `p2g bench` prints: the list of benchmarks, what is wrong with one, and how a run ended."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.durable import RESULTS
from agent.evidence import printable
from tools.errors import UsageError

if TYPE_CHECKING:
    from evaluation.benchmarks.base import Benchmark
    from evaluation.benchmarks.check import Problem
    from evaluation.reports.tables import Table as Figures


def show_benchmarks(found: Sequence[Benchmark], as_json: bool) -> None:
    """Every benchmark, whether its data are on this machine, and where the official ones are published."""
    here = {it.name: it.here() for it in found}
    if as_json:
        kept = ("name", "metric", "description", "home")
        print(to_json([{name: getattr(it, name) for name in kept} | {"here": path_of(here[it.name])} for it in found]))
        return
    table = grid("benchmark", "data", "metric", "what it is")
    for it in found:
        missing = f"get from {it.home}" if it.home else "made on first use"
        data = Text("here", "green") if here[it.name] else Text(missing)
        table.add_row(Text(it.name, "bold"), data, it.metric, Text(it.description))
    console().print(table)


def show_problems(folder: Path, problems: Sequence[Problem], as_json: bool) -> None:
    """Each problem on its line, as compilers do; then how many."""
    errors = sum(problem.level == "error" for problem in problems)
    if as_json:
        print(to_json([dataclasses.asdict(problem) for problem in problems]))
        return
    for problem in problems:
        print(printable(str(problem), 1000))
    verdict = f"{errors} errors, {len(problems) - errors} warnings" if problems else "nothing to complain of"
    print(f"p2g: {folder}: {verdict}", file=sys.stderr)


def show_end(folder: Path, digest: str, reports: Sequence[Path], errors: int, as_json: bool) -> None:
    """The figures of a run that has ended, where everything is, and the hash of its results."""
    from evaluation.journal import read_run

    run = read_run(folder)
    rows = run.questions * len(run.modes)
    paths = {path.suffix.removeprefix("."): str(path) for path in reports}
    if as_json:
        found = {"folder": str(folder), "rows": rows, "errors": errors, "results_sha256": digest, "reports": paths}
        print(to_json({**found, "summary": json.loads(Path(paths["json"]).read_text("utf-8"))}))
        return
    show_summary(folder)
    print(f"\n{digest}  {folder / RESULTS}")
    print(paths["html"])
    if errors:
        print(f"p2g: {errors} of {rows} rows are errors; --retry-errors asks them again", file=sys.stderr)


def show_summary(folder: Path) -> None:
    """The tables of `report.md`."""
    from evaluation.reports import FIGURES
    from evaluation.reports.tables import headline, tables
    from evaluation.summary import Summary

    summary = Summary.model_validate_json((folder / FIGURES).read_bytes())
    print(headline(summary))
    for found in tables(summary):
        show_table(found)


def show_table(found: Figures) -> None:
    """A table of a report."""
    table = grid(*found.columns)
    for row in found.rows:
        table.add_row(*(Text(printable(cell, 300)) for cell in row))
    out = console()
    out.print()
    out.print(Text(found.title, "bold"))
    if found.note:
        out.print(Text(found.note, "dim"))
    out.print(table)


def path_of(path: Path | None) -> str | None:
    return None if path is None else str(path)


def to_json(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False)


def console() -> Console:
    """Standard output; a file or a pipe gets wide lines, so that nothing is cut."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=160)


def grid(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def prepare_output(path: Path) -> None:
    """Makes the folder and tries the file before a long run begins. Raises `UsageError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
