"""What would have happened: every question asked twice, forced to answer directly and forced to call, then labelled.

A question needs experts when the direct answer is wrong and the one with experts is right. Where both are wrong calling
only costs, so it is not needed either, but such rows are kept apart (`neither`), because a run cannot tell there what a
better model would need. One durable row a question: a killed run goes on, and no question is asked twice.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from policies.train.expert_runs import split_call
from policies.train.player import Outcome, Player
from policies.train.questions import OPTIONS_SHOWN, PER_PICTURE, Asked, Track, asked, last_key
from policies.train.records import Records
from tools.errors import ControllerError

Label = Literal["needed", "not needed", "neither"]
ROWS = "forced.jsonl"


class Forced(BaseModel):
    """One question with both outcomes. `margin` is the logit of `<|call|>` less that of `<|answer|>`, untempered."""

    key: str
    track: str
    index: int
    kind: str
    question: str
    options: list[str] | None = None
    gold: str
    size: tuple[int, int]
    expert: str = Field(default="", description="kind of expert that finds what decides it")
    call: str = Field(description="what the model called when it had to")
    margin: float
    direct: Outcome
    experts: Outcome

    @property
    def label(self) -> Label:
        if self.direct.correct:
            return "not needed"
        return "needed" if self.experts.correct else "neither"


def force(player: Player, item: Asked) -> Forced:
    """Both forced runs of one question. The decide turn is part of the cost of both."""
    player.engine.cost = type(player.engine.cost)()
    margin, call = player.margin(item), player.call(item)
    called = player.engine.cost.prompt + player.engine.cost.generated
    direct, experts = player.direct(item), player.with_calls(item, call)
    experts.tokens += called
    return Forced(
        key=item.key,
        track=item.track,
        index=item.index,
        kind=item.kind,
        question=item.question,
        options=list(item.options) if item.options else None,
        gold=item.gold,
        size=item.size,
        expert=item.expert,
        call=call,
        margin=margin,
        direct=direct,
        experts=experts,
    )


def run_forced(
    folder: Path,
    player: Player,
    pictures: Iterable[tuple[Track, int]],
    header: dict[str, Any],
    say: Callable[[str], None] = lambda line: None,
    per_picture: int = PER_PICTURE,
    shown: float = OPTIONS_SHOWN,
) -> list[Forced]:
    """All rows of these pictures (track and index); those that `folder/forced.jsonl` lacks are made and kept there.

    `header` says what the run is (weights, experts, questions a picture): rows of another run are refused.
    """
    started, made = time.monotonic(), 0
    with Records(folder / ROWS, Forced, header) as rows:
        if len(rows):
            say(f"{len(rows)} questions were asked before")
        for track, index in pictures:
            if last_key(track, index) in rows:
                continue
            for item in asked(track, index, per_picture, shown):
                if item.key in rows:
                    continue
                row = force(player, item)
                if not math.isfinite(row.margin):
                    raise ControllerError(f"p_call of {item.key} is not a number: the weights are broken")
                rows.append(row)
                made += 1
                if made % 50 == 0:
                    say(f"{len(rows)} questions, {made / (time.monotonic() - started):.1f}/s: {summary(list(rows))}")
        return list(rows)


def summary(rows: Sequence[Forced]) -> str:
    """One line: how many of each label, and how often each forced run was right."""
    labels = [row.label for row in rows]
    n = max(1, len(rows))
    counts = ", ".join(f"{labels.count(label)} {label}" for label in ("needed", "not needed", "neither"))
    direct, experts = (sum(getattr(row, way).correct for row in rows) / n for way in ("direct", "experts"))
    chosen = [split_call(row.call)[0] for row in rows if row.expert]
    fitting = sum(name == row.expert for name, row in zip(chosen, (r for r in rows if r.expert), strict=True))
    fits = f", expert fits {fitting}/{len(chosen)}" if chosen else ""
    return f"{counts}; right direct {direct:.0%}, with experts {experts:.0%}{fits}"
