"""Conversations on the server: one question at a time in each, also across processes; old ones expire.

The last use of every conversation is noted in a table beside the checkpoints; what is older than `keep_days` goes, and
when the file holds too much the oldest go first.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from agent.server.errors import Refused
from tools.errors import UsageError

FILE = "conversations.sqlite3"
DAY = 86_400.0
BUSY_S = 10.0  # to wait for another process that writes


class Threads:
    """The conversations kept in `folder`, or in memory only."""

    def __init__(self, folder: Path | None, keep_days: float = 30.0, max_bytes: int = 1_000_000_000) -> None:
        self.path = folder / FILE if folder else None
        self.keep_s, self.max_bytes = keep_days * DAY, max_bytes
        self._busy: set[str] = set()
        self._guard = threading.Lock()
        self._lock_file: int | None = None
        if folder is not None:
            try:
                self._begin(folder)
            except (OSError, sqlite3.Error) as error:
                raise UsageError(f"cannot keep conversations in {folder}: {error}; choose another --store") from None

    def _begin(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock_file = os.open(folder / "conversations.lock", os.O_RDWR | os.O_CREAT, 0o600)
        with self._connected() as database:
            database.execute("PRAGMA auto_vacuum=INCREMENTAL")  # takes effect in a new file only
            database.execute("CREATE TABLE IF NOT EXISTS used (thread_id TEXT PRIMARY KEY, at REAL NOT NULL)")

    @contextmanager
    def held(self, key: str) -> Iterator[None]:
        """For the length of one question. Raises `Refused` when the conversation has one already."""
        place = int.from_bytes(hashlib.sha256(key.encode()).digest()[:7])
        with self._guard:
            if key in self._busy or not self._take(place):
                text = "a question of this conversation is still being answered; wait for its end"
                raise Refused(409, "conversation_busy", text, "thread_id", retry_s=1)
            self._busy.add(key)
        try:
            self.used(key)
            yield
        finally:
            with self._guard:
                self._busy.discard(key)
                if self._lock_file is not None:
                    fcntl.lockf(self._lock_file, fcntl.LOCK_UN, 1, place)

    def used(self, key: str) -> None:
        if self.path is not None:
            with self._connected() as database:
                database.execute("INSERT OR REPLACE INTO used VALUES (?, ?)", (key, time.time()))

    def forget(self, key: str) -> None:
        if self.path is not None:
            with self._connected() as database:
                self._delete(database, [key])

    def sweep(self) -> int:
        """Deletes what has expired, then the oldest until the file is small enough; how many went."""
        if self.path is None:
            return 0
        with self._connected() as database:
            oldest = time.time() - self.keep_s
            gone = [row[0] for row in database.execute("SELECT thread_id FROM used WHERE at < ?", (oldest,))]
            self._delete(database, gone)
            while self._bytes(database) > self.max_bytes:
                many = database.execute("SELECT count(*) FROM used").fetchone()[0] // 20
                oldest_first = "SELECT thread_id FROM used ORDER BY at LIMIT ?"
                more = [row[0] for row in database.execute(oldest_first, (max(1, many),))]
                if not more:
                    break
                self._delete(database, more)
                gone += more
            if gone:
                database.commit()
                database.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE);")
        return len(gone)

    def close(self) -> None:
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _take(self, place: int) -> bool:
        """One byte of the lock file; the system gives it back when a process dies."""
        if self._lock_file is None:
            return True
        try:
            fcntl.lockf(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError:
            return False
        return True

    def _delete(self, database: sqlite3.Connection, keys: list[str]) -> None:
        for table in ("checkpoints", "writes", "used"):
            if database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
                database.executemany(f"DELETE FROM {table} WHERE thread_id = ?", [(key,) for key in keys])
        database.commit()

    def _bytes(self, database: sqlite3.Connection) -> int:
        pages, free, size = (
            database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        assert self.path is not None
        with closing(sqlite3.connect(self.path, timeout=BUSY_S)) as database, database:
            database.execute("PRAGMA synchronous=NORMAL")
            yield database
