"""Conversations on disk: LangGraph's SQLite checkpoints, and what a caller may know of one.

Only the checkpoints of the last question are kept: those that it takes to go on with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, Field

from agent.state import Work
from agent.types import Turn
from tools.base import Box, Region
from tools.errors import StoreError, UsageError


class Conversation(BaseModel):
    """What is known of a conversation. `image` is the picture's path, empty when it was not given as a file.

    `unfinished` is the question that was cut off and can be resumed; `regions` are those of the last question, in
    pixels of the part `box` of the picture when it was about a part.
    """

    turns: list[Turn] = Field(default_factory=list)
    image: str = ""
    sha256: str = ""
    unfinished: str | None = None
    regions: list[Region] = Field(default_factory=list)
    box: Box | None = None


def open_saver(path: str | os.PathLike[str] | None) -> tuple[Any, Any]:
    """(connection, LangGraph saver) for an SQLite file, or (None, a saver in memory)."""
    if path is None:
        from langgraph.checkpoint.memory import InMemorySaver

        return None, InMemorySaver()
    import sqlite3

    from langgraph.checkpoint.sqlite import SqliteSaver

    try:
        connection = sqlite3.connect(path, check_same_thread=False)
        connection.execute(
            "PRAGMA synchronous=NORMAL"
        )  # a crash of the process loses nothing, a power cut the last steps
        saver = SqliteSaver(connection)
        saver.setup()
    except sqlite3.Error as error:
        raise UsageError(f"cannot keep conversations in {path}: {error}; give a file that can be written") from None
    return connection, saver


@contextmanager
def storing() -> Iterator[None]:
    """What SQLite cannot do becomes a `StoreError` of one line."""
    import sqlite3

    try:
        yield
    except sqlite3.Error as error:
        advice = "free space, end what locks the file, or keep conversations in another one"
        raise StoreError(f"the conversation cannot be kept now ({error}): {advice}") from error


def config_of(thread_id: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread_id}}


def look_up(graph: Any, thread_id: str) -> Conversation | None:
    """The conversation as the graph's checkpointer has it, or None."""
    with storing():
        found = graph.get_state(config_of(thread_id))
    if not found.values:
        return None
    values = found.values
    work = Work.model_validate(values["work"]) if values.get("work") else None
    asked = values.get("question") or ""
    return Conversation(
        turns=values.get("history") or [],
        image=values.get("image") or "",
        sha256=values.get("sha256") or "",
        unfinished=asked if found.next else None,
        regions=work.regions if work else [],
        box=values.get("box"),
    )


def trim(saver: Any, thread_id: str, keep: int) -> None:
    """Leaves the newest `keep` checkpoints of a conversation in the file of an SQLite saver."""
    newest = (
        "(SELECT checkpoint_id FROM checkpoints WHERE thread_id = :thread AND checkpoint_ns = '' "
        "ORDER BY checkpoint_id DESC LIMIT :keep)"
    )
    with saver.cursor() as cursor:
        for table in ("checkpoints", "writes"):
            cursor.execute(
                f"DELETE FROM {table} WHERE thread_id = :thread AND checkpoint_id NOT IN {newest}",
                {"thread": thread_id, "keep": keep},
            )
