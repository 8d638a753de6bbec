"""`/v1/ask`: answers with everything they rest on, whole and as events, and conversations."""

from __future__ import annotations

import json
import threading

import pytest

pytest.importorskip("fastapi")
import httpx

from tests.agent.server.serving import PICTURE, png, served, until


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with served(store=tmp_path_factory.mktemp("store")) as found:
        yield found


def ask(running, **body):
    return httpx.post(f"{running.url}/v1/ask", json={"question": "What colour?", **body}, timeout=20)


def events(reply: httpx.Response) -> list[dict]:
    blocks = [block.split("\n") for block in reply.text.strip().split("\n\n")]
    found = [json.loads(lines[-1].removeprefix("data: ")) for lines in blocks]
    assert [lines[0] for lines in blocks] == [f"event: {event['kind']}" for event in found]
    return found


def test_an_answer_comes_with_evidence_decision_ledger_and_trace(running):
    reply = ask(running, picture=PICTURE).json()
    assert reply["answer"]["text"] == "What colour? after []: ['rgb 200 10 20']"
    assert reply["answer"]["evidence"][0]["text"] == "rgb 200 10 20"
    assert [step["kind"] for step in reply["answer"]["trace"]] == ["decide", "experts", "focus", "decide", "answer"]
    assert reply["answer"]["ledger"]["usage"]["prompt_tokens"] == 40
    assert (reply["picture"]["width"], reply["picture"]["height"], reply["model"]) == (60, 40, "tiny")


def test_an_upload_is_the_same_as_a_data_url(running):
    fields = {"question": "Which?", "options": '["red", "blue"]', "mode": "always", "box": "[0, 0, 30, 40]"}
    sent = httpx.post(f"{running.url}/v1/ask", data=fields, files={"picture": ("a.png", png())}).json()
    same = ask(running, picture=PICTURE, question="Which?", options=["red", "blue"], mode="always", box=[0, 0, 30, 40])
    assert sent["picture"] == same.json()["picture"]
    assert sent["answer"]["evidence"] == same.json()["answer"]["evidence"]
    assert sent["answer"]["choice"] == 1


def test_events_tell_the_run_as_it_happens_and_end_with_the_reply(running):
    whole = ask(running, picture=PICTURE).json()
    found = events(ask(running, picture=PICTURE, stream=True))
    kinds = [event["kind"] for event in found]
    assert kinds == ["decision", "expert_started", "expert_finished", "focus", "decision", "done"]
    assert found[2]["result"]["regions"][0]["text"] == "rgb 200 10 20"
    assert found[-1]["answer"]["text"] == whole["answer"]["text"]
    assert found[-1]["picture"] == whole["picture"]


def test_a_part_and_given_regions(running):
    part = ask(running, picture=PICTURE, box=[10, 10, 30, 30]).json()["answer"]
    assert part["evidence"][0]["box"] == [10, 10, 30, 30]
    before = running.expert.runs
    given = ask(running, picture=PICTURE, regions=[{"box": [1, 2, 3, 4], "label": "moon"}]).json()["answer"]
    assert given["text"].endswith("['moon']")
    assert running.expert.runs == before


def test_a_conversation_remembers_its_picture_and_its_turns(running):
    ask(running, picture=PICTURE, thread_id="walk")
    again = ask(running, question="And now?", thread_id="walk")
    assert again.json()["answer"]["text"] == "And now? after ['What colour?']: ['rgb 200 10 20']"
    assert again.json()["answer"]["ledger"]["experts"][0]["cached"]
    told = httpx.get(f"{running.url}/v1/conversations/walk").json()
    assert [turn["question"] for turn in told["turns"]] == ["What colour?", "And now?"]
    assert told["unfinished"] is None
    assert told["regions"][0]["text"] == "rgb 200 10 20"
    assert httpx.delete(f"{running.url}/v1/conversations/walk").json() == {"deleted": True}
    assert httpx.get(f"{running.url}/v1/conversations/walk").status_code == 404
    assert ask(running, thread_id="walk").status_code == 400


def test_a_corrected_region_replaces_the_wrong_answer(running):
    ask(running, picture=PICTURE, thread_id="fix")
    ask(running, thread_id="fix", regions=[{"box": [1, 2, 3, 4], "text": "red"}])
    turns = httpx.get(f"{running.url}/v1/conversations/fix").json()["turns"]
    assert [turn["answer"] for turn in turns] == ["What colour? after []: ['red']"]


def test_a_question_that_failed_can_be_resumed(running):
    assert ask(running, picture=PICTURE, question="fail once", thread_id="back").status_code == 500
    assert httpx.get(f"{running.url}/v1/conversations/back").json()["unfinished"] == "fail once"
    runs, running.controller.mended = running.expert.runs, True
    reply = httpx.post(f"{running.url}/v1/conversations/back/resume", json={}).json()
    running.controller.mended = False
    assert reply["answer"]["text"] == "fail once after []: ['rgb 200 10 20']"
    assert running.expert.runs == runs
    nothing = httpx.post(f"{running.url}/v1/conversations/back/resume", json={})
    assert (nothing.status_code, nothing.json()["error"]["code"]) == (400, "nothing_to_resume")
    assert httpx.post(f"{running.url}/v1/conversations/none/resume", json={}).status_code == 404


def test_one_question_at_a_time_in_a_conversation(running):
    body = {"picture": PICTURE, "question": "wait", "thread_id": "q"}
    first = threading.Thread(target=ask, args=(running,), kwargs=body)
    first.start()
    until(lambda: "wait" in running.controller.seen)
    second = ask(running, picture=PICTURE, thread_id="q")
    assert (second.status_code, second.json()["error"]["code"]) == (409, "conversation_busy")
    running.controller.gate.set()
    first.join()
    until(lambda: ask(running, picture=PICTURE, thread_id="q").status_code == 200)


FORM = {"content-type": "multipart/form-data; boundary=x"}
BAD = [
    ({"content": b"{"}, 400),
    ({"content": b"[]"}, 400),
    ({"content": b""}, 400),
    ({"content": b"\xff\xfe"}, 400),
    ({"content": b"[" * 100_000}, 400),
    ({"content": b'{"question": "\\ud800", "picture": "data:,"}'}, 400),
    ({"content": b"question=a", "headers": {"content-type": "text/plain"}}, 415),
    ({"content": b"no form", "headers": FORM}, 400),
    ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400),
    ({"json": {"question": "a", "surprise": 1}}, 400),
    ({"json": {"question": "a", "picture": PICTURE, "thread_id": "../../etc"}}, 400),
    ({"json": {"question": "a", "picture": PICTURE, "box": [0, 0, 1e999, 3]}}, 400),
    ({"json": {"question": "a", "picture": PICTURE, "regions": [{"box": [5, 5, 1, 1]}]}}, 400),
    ({"data": {"question": "a", "options": "[["}, "files": {"picture": png()}}, 400),
    ({"data": {"question": "a"}, "files": {"photo": png()}}, 400),
    ({"data": {"question": ["a", "b"]}, "files": {"picture": png()}}, 400),
    ({"data": {"question": "a"}, "files": [("picture", png()), ("picture", png())]}, 400),
]


@pytest.mark.parametrize(("request_", "status"), BAD)
def test_what_is_no_question_is_refused_in_one_line(running, request_, status):
    if "json" in request_:
        request_ = {"content": json.dumps(request_["json"]).encode()}
    headers = {"content-type": "application/json"} if "content" in request_ else {}
    reply = httpx.post(f"{running.url}/v1/ask", **{"headers": headers, **request_})
    assert reply.status_code == status, reply.text
    error = reply.json()["error"]
    assert error["message"]
    assert "\n" not in error["message"]
    assert error["code"]
