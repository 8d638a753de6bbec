"""Stores under kill -9, full and read-only disks, locks and damage: one line or nothing, and what was said is kept."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from PIL import Image
from pydantic import BaseModel

from agent import Agent
from agent.durable import RunFolder
from tests.hardening.storing import FILE, PICTURE, agent, result
from tools.cache import ResultCache
from tools.errors import StoreError, UsageError

ROOT = Path(__file__).parents[2]


@contextmanager
def disk(folder: Path, options: str) -> Iterator[Path]:
    """A small file system in memory, where this process may mount one."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip("this user cannot mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leaves no space in `folder`."""
    path = folder / "fills.bin"
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    return path


def kept_until_killed(kind: str, folder: Path, count: int) -> int:
    """The last number that a process said it had kept before it was killed."""
    command = [sys.executable, "-m", "tests.hardening.storing", kind, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        for _ in range(count):
            assert process.stdout.readline(), process.stderr and process.stderr.read()
        os.kill(process.pid, signal.SIGKILL)
        more = [line for line in process.stdout.read().split("\n")[:-1] if line]
        return int(more[-1]) if more else count - 1


@pytest.mark.parametrize("count", [3, 60])
def test_results_said_to_be_kept_are_there_after_kill_9(tmp_path, count):
    last = kept_until_killed("cache", tmp_path, count)
    fresh = ResultCache(tmp_path)
    assert all(fresh.get(str(number)) == result(number) for number in range(last + 1))
    fresh.put("next", result(0))
    assert ResultCache(tmp_path).get("next") == result(0)


@pytest.mark.parametrize("count", [1, 7])
def test_turns_that_were_answered_are_there_after_kill_9(tmp_path, count):
    last = kept_until_killed("thread", tmp_path, count)
    with agent(tmp_path) as again:
        told = again.conversation("long")
        assert told is not None
        assert [turn.question for turn in told.turns][: last + 1] == [f"Number {n}?" for n in range(last + 1)]
        assert len(told.turns) <= last + 2  # the next one may have been answered and not yet said
        assert again.ask(PICTURE, "And?", thread_id="long").text == f"after {len(told.turns)}"


def test_a_full_disk_costs_the_cache_nothing_but_what_it_cannot_keep(tmp_path):
    with disk(tmp_path / "small", "size=400k") as small:
        cache = ResultCache(small)
        cache.put("a", result(1))
        filler = fill(small)
        cache.put("b", result(2))
        assert cache.get("a") == result(1)
        assert cache.get("b") == result(2)
        assert ResultCache(small).get("a") in (None, result(1))  # noting its use needs space: it is computed anew
        filler.unlink()
        assert ResultCache(small).get("a") == result(1)
        cache.put("c", result(3))
        assert ResultCache(small).get("c") == result(3)


def test_a_full_disk_ends_a_question_in_one_line_and_keeps_the_turns_before(tmp_path):
    with disk(tmp_path / "small", "size=600k") as small, agent(small) as asked:
        assert asked.ask(PICTURE, "First?", thread_id="t").text == "after 0"
        filler = fill(small)
        with pytest.raises(StoreError) as caught:
            ask_much(asked)
        assert "\n" not in str(caught.value)
        assert asked.ask(PICTURE, "Alone?").text == "after 0"  # a question of no conversation needs no disk
        filler.unlink()
        told = asked.conversation("t")
        assert told is not None
        assert told.turns[0].question == "First?"
        assert asked.ask(PICTURE, "Then?", thread_id="t").text == f"after {len(told.turns)}"


def ask_much(asked: Agent) -> None:
    for number in range(50):
        asked.ask(PICTURE, f"{number} {'long ' * 700}?", thread_id="t")


class Plan(BaseModel):
    what: str = "a run"


def keep_much(run: RunFolder, said: list[str]) -> None:
    for number in range(1000):
        run.keep({"key": f"row {number}", "error": None, "text": "x" * 300})
        said.append(f"row {number}")


def test_a_full_disk_leaves_a_run_folder_that_goes_on(tmp_path):
    with disk(tmp_path / "small", "size=100k") as small:
        with closing(RunFolder(small / "run", Plan())) as run:
            run.keep({"key": "first", "error": None})
            filler = fill(small)
            said: list[str] = []
            with pytest.raises(OSError, match="No space"):  # which the command line says in one line
                keep_much(run, said)
        filler.unlink()
        with closing(RunFolder(small / "run", Plan())) as again:
            assert set(again.places) == {"first", *said}
            again.keep({"key": "last", "error": None})
            assert "last" in again
        for line in (small / "run" / "rows.jsonl").read_text().splitlines():
            json.loads(line)


def test_a_read_only_folder_is_said_in_one_line(tmp_path):
    with disk(tmp_path / "fixed", "size=400k") as fixed:
        ResultCache(fixed).put("a", result(1))
        with agent(fixed) as asked:
            asked.ask(PICTURE, "First?", thread_id="t")
        subprocess.run(["mount", "-o", "remount,ro", str(fixed)], check=True)
        cache = ResultCache(fixed)
        cache.put("b", result(2))
        assert cache.get("b") == result(2)
        for attempt in (
            lambda: agent(fixed).ask(PICTURE, "Next?", thread_id="t"),
            lambda: RunFolder(fixed / "r", Plan()),
        ):
            with pytest.raises((StoreError, UsageError)) as caught:
                attempt()
            assert "\n" not in str(caught.value)


def test_a_locked_cache_is_not_waited_for_long_and_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr("tools.cache.BUSY_S", 0.1)
    cache = ResultCache(tmp_path)
    cache.put("a", result(1))
    with sqlite3.connect(cache.file) as other:
        other.execute("BEGIN EXCLUSIVE")
        fresh = ResultCache(tmp_path)
        assert fresh.get("a") is None  # computed anew
        fresh.put("b", result(2))
        assert fresh.get("b") == result(2)
    assert ResultCache(tmp_path).get("a") == result(1)


def test_a_locked_conversation_file_is_said_in_one_line_and_the_agent_goes_on(tmp_path):
    with agent(tmp_path) as asked:
        asked.ask(PICTURE, "First?", thread_id="t")
        asked._connection.execute("PRAGMA busy_timeout=50")
        with sqlite3.connect(tmp_path / FILE) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(StoreError, match="locked"):
                asked.ask(PICTURE, "Second?", thread_id="t")
            other.rollback()
        assert asked.ask(PICTURE, "Third?", thread_id="t").text.startswith("after")


DAMAGES = {
    "nothing": lambda data: b"",
    "text": lambda data: b"hello\n" * 900,
    "half": lambda data: data[: len(data) // 2],
    "middle": lambda data: data[:4096] + b"\xa5" * (len(data) - 4096),
    "header": lambda data: b"\0" * 100 + data[100:],
    "every page": lambda data: b"".join(data[at : at + 900] + b"\xff" * 124 for at in range(0, len(data), 1024)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_a_damaged_cache_file_costs_its_contents_and_never_a_question(tmp_path, damage):
    cache = ResultCache(tmp_path)
    for number in range(30):
        cache.put(str(number), result(number))
    cache.file.write_bytes(damage(cache.file.read_bytes()))
    fresh = ResultCache(tmp_path)
    for number in range(30):
        assert fresh.get(str(number)) in (None, result(number))
    fresh.put("new", result(99))
    assert fresh.get("new") == result(99)
    assert ResultCache(tmp_path).get("new") == result(99)  # the file is of use again


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_a_damaged_conversation_file_is_said_in_one_line(tmp_path, damage):
    with agent(tmp_path) as asked:
        for number in range(5):
            asked.ask(PICTURE, f"Number {number}?", thread_id="t")
    (tmp_path / f"{FILE}-wal").unlink(missing_ok=True)
    (tmp_path / FILE).write_bytes(damage((tmp_path / FILE).read_bytes()))
    said = ""
    try:
        with agent(tmp_path) as again:
            again.conversation("t")
            again.ask(Image.new("RGB", (4, 4)), "And?", thread_id="t")
    except (StoreError, UsageError) as error:
        said = str(error)
    assert "\n" not in said


@pytest.mark.parametrize("made", ["a file", "garbage", "a folder"])
def test_a_store_of_the_server_that_cannot_be_used_is_a_usage_error(tmp_path, made):
    from agent.server.threads import FILE as NAME
    from agent.server.threads import Threads

    store = tmp_path / "store"
    if made == "a file":
        store.write_text("not a folder")
    else:
        store.mkdir()
        (store / NAME).write_bytes(b"garbage " * 900) if made == "garbage" else (store / NAME).mkdir()
    with pytest.raises(UsageError, match="--store") as caught:
        Threads(store)
    assert "\n" not in str(caught.value)
