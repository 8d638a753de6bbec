"""What the load command finds out about a running server."""

from __future__ import annotations

import asyncio
import json
import os

import pytest

pytest.importorskip("fastapi")
import httpx

from agent import Agent
from agent.server import load
from agent.server.load import memory_mb, report
from agent.server.service import Offer
from tests.agent.server.serving import Look, Scripted, png, served
from tools.runner import Runner


def test_every_answer_is_looked_for_in_the_conversations_of_its_model_and_deleted():
    with served() as running:
        second = Agent(Scripted(), Runner([Look()]))
        running.service.offers["other"] = Offer(
            "other", lambda: second, agent=second, desk=running.service.offers["tiny"].desk
        )
        outcomes, misplaced, _ = asyncio.run(load.load(running.url, [png()], 0.2, "other", None))
        assert misplaced == 0
        found = report(outcomes, misplaced, 1, 0.2)
        assert found.answered == len(outcomes) > 0
        assert (found.lost, found.doubled) == (0, 0)
        about = {"params": {"model": "other"}}
        kept = [httpx.get(f"{running.url}/v1/conversations/{outcome.thread}", **about) for outcome in outcomes]
        assert {reply.status_code for reply in kept} == {404}


def test_the_check_at_the_end_does_not_count_as_time(monkeypatch):
    async def slowly(*_: object) -> bool:
        await asyncio.sleep(1)
        return True

    monkeypatch.setattr(load, "in_place", slowly)
    monkeypatch.setattr(load, "once", one_answer)
    outcomes, _, took = asyncio.run(load.load("http://127.0.0.1:1", [png()], 0.1, "tiny", None))
    assert len(outcomes) == 1
    assert took < 0.9


async def one_answer(client: httpx.AsyncClient, body: dict, thread: str) -> tuple[load.Outcome, float]:
    return load.Outcome(status=200, seconds=0.0, id=thread, thread=thread), 1.0


def test_the_memory_told_is_what_the_server_held_before_and_its_peak(capsys):
    block = b"x" * 150_000_000
    held = memory_mb(os.getpid(), "VmRSS")
    del block
    with served() as running:
        load.main(running.url, None, 1, 0.1, "tiny", None, os.getpid())
    before, most = json.loads(capsys.readouterr().out)["memory_mb"]
    assert before < held - 100
    assert most >= held - 1
