"""Conversations on disk: they survive kill -9, old ones go, and the folder stays within its limit."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
import httpx

from agent.server.errors import Refused
from agent.server.threads import FILE, Threads
from tests.agent.server.serving import PICTURE, png, served, until, url_of

ROOT = Path(__file__).parents[3]


def start(store: Path, gate: Path) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "tests.agent.server.serving", str(store), str(gate)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def kill(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    assert process.stdout is not None
    process.stdout.close()


def test_a_conversation_goes_on_after_kill_9_and_so_does_its_unfinished_question(tmp_path):
    store, gate = tmp_path / "store", tmp_path / "gate"
    process, url = start(store, gate)
    ask = {"thread_id": "trip", "picture": PICTURE}
    try:
        first = httpx.post(f"{url}/v1/ask", json={**ask, "question": "What colour?"}).json()
        with pytest.raises(httpx.ReadTimeout):  # in the middle of the second question: the experts have run
            httpx.post(f"{url}/v1/ask", json={"thread_id": "trip", "question": "wait for it"}, timeout=1)
        until(lambda: httpx.get(f"{url}/v1/conversations/trip").json()["unfinished"] == "wait for it")
    finally:
        kill(process)
    gate.touch()
    process, url = start(store, gate)
    try:
        told = httpx.get(f"{url}/v1/conversations/trip").json()
        assert [turn["answer"] for turn in told["turns"]] == [first["answer"]["text"]]
        assert told["unfinished"] == "wait for it"
        resumed = httpx.post(f"{url}/v1/conversations/trip/resume", json={}, timeout=20).json()
        assert resumed["answer"]["text"] == "wait for it after ['What colour?']: ['rgb 200 10 20']"
        third = httpx.post(f"{url}/v1/ask", json={"thread_id": "trip", "question": "And?"}).json()
        assert third["answer"]["text"].startswith("And? after ['What colour?', 'wait for it']")
    finally:
        kill(process)


def test_a_graph_keeps_only_the_steps_of_the_last_question(tmp_path):
    with served(store=tmp_path) as running:
        for number in range(8):
            ask = {"question": f"Number {number}?", "thread_id": "long", "picture": PICTURE}
            assert httpx.post(f"{running.url}/v1/ask", json=ask).status_code == 200
        with sqlite3.connect(tmp_path / FILE) as database:
            assert database.execute("SELECT count(*) FROM checkpoints").fetchone()[0] <= 16
        assert len(httpx.get(f"{running.url}/v1/conversations/long").json()["turns"]) == 8


def test_old_conversations_and_their_pictures_go(tmp_path):
    with served(store=tmp_path, keep_days=1) as running:
        for name, colour in (("old", (1, 1, 1)), ("new", (2, 2, 2))):
            ask = {"question": "What?", "thread_id": name, "picture": url_of(png(colour))}
            assert httpx.post(f"{running.url}/v1/ask", json=ask).status_code == 200
        past = time.time() - 2 * 86_400
        with sqlite3.connect(tmp_path / FILE) as database:
            database.execute("UPDATE used SET at = ? WHERE thread_id LIKE '%/old'", (past,))
        oldest = min((tmp_path / "pictures").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(oldest, (past, past))
        running.service.sweep()
        assert httpx.get(f"{running.url}/v1/conversations/old").status_code == 404
        assert httpx.get(f"{running.url}/v1/conversations/new").status_code == 200
        assert [path.name for path in (tmp_path / "pictures").iterdir()] != [oldest.name]
        assert len(list((tmp_path / "pictures").iterdir())) == 1
        follow = {"question": "And?", "thread_id": "new"}
        assert httpx.post(f"{running.url}/v1/ask", json=follow).status_code == 200


def test_the_oldest_conversations_go_when_there_is_too_much(tmp_path):
    with served(store=tmp_path) as running:
        for number in range(12):
            ask = {"question": f"{'long ' * 500}{number}", "thread_id": f"t{number:02}", "picture": PICTURE}
            assert httpx.post(f"{running.url}/v1/ask", json=ask).status_code == 200
        running.service.threads.max_bytes = 300_000
        assert running.service.threads.sweep() >= 8
        assert httpx.get(f"{running.url}/v1/conversations/t00").status_code == 404
        assert httpx.get(f"{running.url}/v1/conversations/t11").status_code == 200
        assert (tmp_path / FILE).stat().st_size < 400_000


def test_a_picture_that_is_gone_is_asked_for_again(tmp_path):
    with served(store=tmp_path, kept_pictures=0) as running:
        ask = {"question": "What?", "thread_id": "t", "picture": PICTURE}
        httpx.post(f"{running.url}/v1/ask", json=ask)
        for path in (tmp_path / "pictures").iterdir():
            path.unlink()
        gone = httpx.post(f"{running.url}/v1/ask", json={"question": "And?", "thread_id": "t"})
        assert (gone.status_code, gone.json()["error"]["code"]) == (400, "picture_gone")
        assert httpx.post(f"{running.url}/v1/ask", json={**ask, "question": "And?"}).status_code == 200


def test_a_locked_database_is_a_503_and_the_server_goes_on(tmp_path, monkeypatch):
    with served(store=tmp_path) as running:
        running.service.offers["tiny"].agent._connection.execute("PRAGMA busy_timeout=100")
        ask = {"question": "What?", "thread_id": "t", "picture": PICTURE}
        monkeypatch.setattr("agent.server.threads.BUSY_S", 0.1)
        with sqlite3.connect(tmp_path / FILE) as other:
            other.execute("BEGIN EXCLUSIVE")
            locked = httpx.post(f"{running.url}/v1/ask", json=ask)
            assert (locked.status_code, locked.json()["error"]["code"]) == (503, "store_failed")
            assert httpx.post(f"{running.url}/v1/ask", json={**ask, "thread_id": None}).status_code == 200
        assert httpx.post(f"{running.url}/v1/ask", json=ask).status_code == 200


def test_two_processes_do_not_answer_in_one_conversation_at_once(tmp_path):
    program = "import sys; from pathlib import Path; from agent.server.threads import Threads\n"
    program += "with Threads(Path(sys.argv[1])).held('a'): print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, str(tmp_path)]
    mine = Threads(tmp_path)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(Refused, match="still being answered"), mine.held("a"):
            pass
        with mine.held("b"):
            pass
        other.kill()  # the system gives the lock back
        other.wait(10)
        with mine.held("a"):
            pass
    mine.close()


def test_a_picture_that_cannot_be_written_leaves_no_file(tmp_path, monkeypatch):
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with served(store=tmp_path) as running:
        monkeypatch.setattr(os, "fsync", full)
        reply = httpx.post(f"{running.url}/v1/ask", json={"question": "What?", "thread_id": "t", "picture": PICTURE})
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "store_failed")
    assert list((tmp_path / "pictures").iterdir()) == []


def test_forgetting_leaves_nothing_of_a_conversation_known_or_not(tmp_path):
    with served(store=tmp_path) as running:
        httpx.post(f"{running.url}/v1/ask", json={"question": "What?", "thread_id": "t", "picture": PICTURE})
        for name in ("t", "never"):
            assert httpx.delete(f"{running.url}/v1/conversations/{name}").json() == {"deleted": True}
        with sqlite3.connect(tmp_path / FILE) as database:
            for table in ("used", "checkpoints", "writes"):
                assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_the_picture_of_a_conversation_about_a_part_is_not_opened_again(tmp_path):
    with served(store=tmp_path) as running:
        ask = {"question": "What?", "thread_id": "t", "picture": PICTURE, "box": [10, 10, 30, 30]}
        picture = httpx.post(f"{running.url}/v1/ask", json=ask).json()["picture"]
        assert httpx.get(f"{running.url}/v1/conversations/t").json()["sha256"] == picture["sha256"]
        for path in (tmp_path / "pictures").iterdir():
            path.unlink()  # still open in this process
        assert httpx.post(f"{running.url}/v1/ask", json={"question": "And?", "thread_id": "t"}).status_code == 200
