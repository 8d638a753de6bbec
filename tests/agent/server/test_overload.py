"""Too many questions, callers that leave, too little time, and the end: nothing is lost, nothing runs on."""

from __future__ import annotations

import contextlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("fastapi")
import httpx

from tests.agent.server.serving import PICTURE, Scripted, Streaming, served, until


def ask(url: str, question: str, **body) -> httpx.Response:
    return httpx.post(f"{url}/v1/ask", json={"question": question, "picture": PICTURE, **body}, timeout=30)


def test_under_overload_every_question_is_answered_once_or_refused_with_a_time_to_come_back():
    with served(running=2, waiting=3) as running, ThreadPoolExecutor(40) as pool:
        replies = list(pool.map(lambda number: (number, ask(running.url, f"Question {number}?")), range(80)))
        answered = [(number, reply) for number, reply in replies if reply.status_code == 200]
        refused = [reply for _, reply in replies if reply.status_code == 429]
        assert len(answered) + len(refused) == 80
        assert answered
        assert refused
        for number, reply in answered:
            assert reply.json()["answer"]["text"].startswith(f"Question {number}? after")
        assert all(int(reply.headers["retry-after"]) >= 1 for reply in refused)
        asked = list(running.controller.answered)
        assert sorted(asked) == sorted(f"Question {number}?" for number, _ in answered)
        assert ids(answered) == len(answered)
        until(lambda: running.desk.held == 0)


def ids(answered) -> int:
    return len({reply.json()["id"] for _, reply in answered})


def test_nobody_waits_for_what_cannot_be_in_time():
    with served(running=1, waiting=50, deadline_s=4) as running, ThreadPoolExecutor(10) as pool:
        first = pool.submit(ask, running.url, "wait")
        until(lambda: running.controller.seen)
        line = [pool.submit(ask, running.url, f"Number {number}?", stream=bool(number % 2)) for number in range(6)]
        assert [reply.result().status_code for reply in line] == [429] * 6  # after two seconds at the latest
        assert all(int(reply.result().headers["retry-after"]) >= 1 for reply in line)
        running.controller.gate.set()
        first.result()
        until(lambda: running.desk.held == 0)
        assert ask(running.url, "What?").status_code == 200
        assert running.controller.seen == ["wait", "What?"]


def test_controllers_that_can_are_asked_side_by_side():
    with served(Streaming()) as running, ThreadPoolExecutor(8) as pool:
        replies = [pool.submit(ask, running.url, f"wait {number}") for number in range(8)]
        until(lambda: len(running.controller.seen) == 8)
        running.controller.gate.set()
        assert all(reply.result().status_code == 200 for reply in replies)


@pytest.mark.parametrize("stream", [False, True])
def test_when_the_caller_leaves_the_work_stops_at_the_next_step(stream):
    with served(running=1) as running:
        body = {"question": "wait", "picture": PICTURE, "stream": stream}
        with pytest.raises(httpx.ReadTimeout):  # a stream has begun, and is left in its middle
            httpx.post(f"{running.url}/v1/ask", json=body, timeout=0.5)
        until(lambda: 'p2g_questions_total{model="tiny",outcome="left"} 1.0' in metrics(running.url))
        assert running.desk.held == 1  # its place is taken until its thread has ended
        running.controller.gate.set()
        until(lambda: running.desk.held == 0)
        assert running.controller.answered == []
        assert ask(running.url, "What?").status_code == 200


def test_a_caller_that_leaves_the_line_is_not_asked_for():
    with served(running=1, waiting=5) as running, ThreadPoolExecutor() as pool:
        first = pool.submit(ask, running.url, "wait 1")
        until(lambda: running.controller.seen)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{running.url}/v1/ask", json={"question": "gone", "picture": PICTURE}, timeout=0.3)
        until(lambda: running.desk.held == 1)
        running.controller.gate.set()
        assert first.result().status_code == 200
        assert ask(running.url, "next").status_code == 200
        assert running.controller.seen == ["wait 1", "next"]


def test_a_question_that_takes_too_long_is_a_504_with_what_was_done():
    with served(running=1, waiting=1, deadline_s=0.6) as running:
        late = ask(running.url, "wait")
        assert late.status_code == 504
        assert late.json()["error"]["code"] == "deadline"
        assert [step["kind"] for step in late.json()["trace"]] == ["decide", "experts", "focus"]
        waited = ask(running.url, "What?")  # the first one still has the place
        assert waited.status_code == 429
    with served(running=1, waiting=1, deadline_s=0.6) as running:
        streamed = ask(running.url, "wait", stream=True)
        last = json.loads(streamed.text.strip().rsplit("data: ", 1)[1])
        assert (last["kind"], last["error"]["code"]) == ("error", "deadline")


def test_the_end_finishes_what_runs_and_refuses_what_is_new():
    with served(running=1, drain_s=20) as running, ThreadPoolExecutor() as pool:
        first = pool.submit(ask, running.url, "wait")
        until(lambda: running.controller.seen)
        running.server.handle_exit(15, None)
        new = ask(running.url, "What?")
        assert (new.status_code, new.json()["error"]["code"]) == (503, "shutting_down")
        assert httpx.get(f"{running.url}/readyz").status_code == 503
        assert httpx.get(f"{running.url}/healthz").status_code == 200
        running.controller.gate.set()
        assert first.result().status_code == 200
        until(lambda: running.server.should_exit)


def test_a_question_that_never_ends_is_not_waited_for_at_the_end_for_ever():
    with served(running=1, drain_s=0.2) as running:
        threading.Thread(target=ask_quietly, args=(running.url,), daemon=True).start()
        until(lambda: running.controller.seen)
        running.server.handle_exit(15, None)
        until(lambda: running.server.should_exit)


def ask_quietly(url: str) -> None:
    with contextlib.suppress(httpx.HTTPError):
        ask(url, "wait")


def metrics(url: str) -> str:
    return httpx.get(f"{url}/metrics").text


def test_metrics_tell_questions_phases_experts_tokens_and_refusals():
    with served(Scripted(), running=1, waiting=0) as running, ThreadPoolExecutor() as pool:
        first = pool.submit(ask, running.url, "wait")
        until(lambda: running.controller.seen)
        assert "p2g_questions_running 1.0" in metrics(running.url)
        assert ask(running.url, "What?").status_code == 429
        running.controller.gate.set()
        first.result()
        until(lambda: "p2g_questions_running 0.0" in metrics(running.url))
        text = metrics(running.url)
        for line in (
            'p2g_requests_total{route="/v1/ask",status="200"} 1.0',
            'p2g_requests_total{route="/v1/ask",status="429"} 1.0',
            'p2g_rejected_total{code="busy"} 1.0',
            'p2g_questions_total{model="tiny",outcome="ok"} 1.0',
            'p2g_expert_calls_total{expert="look",outcome="ok"} 1.0',
            'p2g_tokens_total{kind="prompt"} 40.0',
            'p2g_phase_seconds_count{phase="decide"} 1.0',
            'p2g_phase_seconds_count{phase="wait"} 1.0',
            "p2g_questions_waiting 0.0",
        ):
            assert line in text, line


def test_a_question_that_gets_no_thread_gives_its_place_back(monkeypatch):
    from agent.server.desk import Run

    def none(run: Run) -> None:
        raise RuntimeError("can't start new thread")

    with served(running=1, waiting=0) as running:
        with monkeypatch.context() as patched:
            patched.setattr(Run, "start", none)
            assert ask(running.url, "What?").status_code == 500
        assert running.desk.held == 0
        assert ask(running.url, "What?").status_code == 200
