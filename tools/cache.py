"""Results of expert calls, so that the same question about the same picture is never computed twice.

A result is known by picture hash, expert, version and canonical arguments. The newest are kept in memory; given a
directory they are kept in one SQLite file too, as JSON. A damaged file costs its contents, never a question.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import threading
import time
from collections import OrderedDict
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from tools.base import Region, Tool
from tools.pictures import Picture

log = logging.getLogger(__name__)

DAMAGES = ("not a database", "malformed")
BUSY_S = 5.0  # that another process may hold the file
SCHEMA = "CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, value TEXT NOT NULL, used INTEGER NOT NULL)"


class CachedResult(BaseModel):
    """What is kept of a call that succeeded."""

    regions: list[Region] = Field(default_factory=list)
    note: str | None = None


def result_key(picture: Picture, tool: Tool, args: BaseModel) -> str:
    """Hash of (picture, expert, version, arguments); equal arguments give equal keys, defaults spelled out or not."""
    canonical = json.dumps(args.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
    parts = json.dumps([picture.sha256, tool.name, tool.cache_key(), canonical])
    return hashlib.sha256(parts.encode()).hexdigest()


class ResultCache:
    """At most `max_items` results in memory (0: no cache at all) and `max_rows` on disk; the least used go first."""

    def __init__(self, directory: str | Path | None = None, max_items: int = 512, max_rows: int = 20_000) -> None:
        self.max_items, self.max_rows = max_items, max_rows
        self.file = Path(directory).expanduser() / "results.sqlite3" if directory else None
        self._memory: OrderedDict[str, CachedResult] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> CachedResult | None:
        """The result of this key, or None. Never raises for what is on disk."""
        with self._lock:
            if key in self._memory:
                self._memory.move_to_end(key)
                return self._memory[key]
            if self.max_items < 1 or self.file is None or not self.file.exists():
                return None
            rows = self._sql("UPDATE results SET used = used_now() WHERE key = ? RETURNING value", (key,))
            try:
                result = CachedResult.model_validate_json(rows[0][0]) if rows else None
            except ValidationError:
                return None
            if result is not None:
                self._remember(key, result)
            return result

    def put(self, key: str, result: CachedResult) -> None:
        """Keep a result. Never raises: what cannot be written is only not kept."""
        if self.max_items < 1:
            return
        with self._lock:
            self._remember(key, result)
            if self.file is not None:
                self._sql("INSERT OR REPLACE INTO results VALUES (?, ?, used_now())", (key, result.model_dump_json()))
                self._sql(
                    "DELETE FROM results WHERE key IN (SELECT key FROM results ORDER BY used DESC LIMIT -1 OFFSET ?)",
                    (self.max_rows,),
                )

    def _remember(self, key: str, result: CachedResult) -> None:
        self._memory[key] = result
        self._memory.move_to_end(key)
        while len(self._memory) > self.max_items:
            self._memory.popitem(last=False)

    def _sql(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """Run one statement in its own connection, so that several processes can share the file."""
        assert self.file is not None
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.file, timeout=BUSY_S)) as connection, connection:
                connection.create_function("used_now", 0, time.time_ns)
                connection.execute(SCHEMA)
                return connection.execute(statement, values).fetchall()
        except (sqlite3.Error, OSError) as error:
            log.warning("result cache %s is not used: %s", self.file, error)
            if isinstance(error, sqlite3.DatabaseError) and any(damage in str(error) for damage in DAMAGES):
                self._remove()
            return []

    def _remove(self) -> None:
        """Begins anew; what SQLite left beside a damaged file belongs to it."""
        assert self.file is not None
        with suppress(OSError):
            for end in ("", "-journal", "-wal", "-shm"):
                self.file.with_name(self.file.name + end).unlink(missing_ok=True)
