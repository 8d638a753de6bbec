"""What a person reads of a run: `report.md` with its figures, `report.html` with plots, pictures and traces as well.

`write_reports(folder)` reads the rows of a run folder twice, one at a time: once for the figures, once for the
questions that are shown, so that a run of any length is reported in little memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from agent.durable import write_whole
from evaluation.facts import Fact, facts_of
from evaluation.journal import read_rows, read_run, read_trace
from evaluation.reports.cards import Card, Pictures
from evaluation.reports.html import to_html
from evaluation.reports.markdown import to_markdown
from evaluation.rows import Row
from evaluation.summary import in_order, summarise_facts
from tools.errors import UsageError

PICTURES = 200
MARKDOWN, PAGE, FIGURES = "report.md", "report.html", "summary.json"


def write_reports(folder: Path, pictures: int = PICTURES) -> list[Path]:
    """Writes `report.md`, `report.html` and `summary.json` into a run folder; returns their paths.

    At most `pictures` questions are shown on the page, wrong ones first. Raises `UsageError` for a folder without rows.
    """
    run, facts = read_run(folder), facts_of(read_rows(folder))
    if not facts:
        raise UsageError(f"{folder} holds no row yet: ask some questions before the report")
    summary = summarise_facts(facts)
    shown = Pictures(Path(run.directory))
    page = to_html(run, summary, cards_of(folder, to_show(facts, pictures)), shown)
    texts = {MARKDOWN: to_markdown(run, summary), PAGE: page, FIGURES: summary.model_dump_json(indent=1) + "\n"}
    for name, text in texts.items():
        write_whole(folder / name, text.encode("utf-8", "replace"))
    return [folder / name for name in texts]


def to_show(facts: Iterable[Fact], limit: int) -> list[str]:
    """Ids of the questions that a page shows: wrong in the mode that matters most, then in any mode, then the rest.

    Which of the equally important ones is left to a hash of the id, so that they stand for all of their kind.
    """
    facts = list(facts)
    main = max(in_order({fact.mode for fact in facts}), key=lambda mode: (mode == "learned", mode == "always"))
    rank: dict[str, int] = {}
    for fact in facts:
        own = 2 if fact.correct else 0 if fact.mode == main else 1
        rank[fact.id] = min(own, rank.get(fact.id, 2))
    chosen = sorted(rank, key=lambda id: (rank[id], hashlib.sha256(id.encode("utf-8", "replace")).digest()))[:limit]
    return sorted(chosen, key=lambda id: (rank[id], id))


def cards_of(folder: Path, ids: list[str]) -> list[Card]:
    """The rows of these questions by mode, with their traces."""
    rows: dict[str, dict[str, Row]] = {id: {} for id in ids}
    for row in read_rows(folder):
        if row.id in rows:
            rows[row.id][row.mode] = row
    return [Card(found, {mode: read_trace(folder, row) for mode, row in found.items()}) for found in rows.values()]
