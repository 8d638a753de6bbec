"""Replies of model servers with characters that no file can hold, or numbers that are none, still end in an answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from PIL import Image

from agent import Agent
from agent.controllers.chat import ChatController
from tools.errors import ControllerError
from tools.runner import Runner
from tools.zoom import Zoom


class Handler(BaseHTTPRequestHandler):
    """Sends the prepared texts one after the other, the last one for ever."""

    replies: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = (self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *about: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def says(**message: object) -> str:
    return json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}]})


def calls(name: str, arguments: object) -> str:
    return says(
        content=None, tool_calls=[{"id": "a", "type": "function", "function": {"name": name, "arguments": arguments}}]
    )


DEEP: list = []
for _ in range(400):
    DEEP = [DEEP]
CALL = '<tool_call>{"name": "zoom", "arguments": {"box": [0, 0, 5, 5]}}</tool_call>\n'
ODD = {
    "half a pair in the answer": [says(content="The total \ud800 is 12.50 \udfff")],
    "half a pair in a call": [calls("zoom", '{"box": [0, 0, 5, 5], "\\ud800": "\ud800"}'), says(content="12.50")],
    "half a pair in a name": [calls("zoo\ud800m", "{}"), says(content="12.50")],
    "half a pair in a text call": [says(content=f"{CALL}\ud800"), says(content="12.50")],
    "deep arguments": [calls("zoom", {"box": DEEP}), says(content="12.50")],
    "many percent signs": [calls("zoom", json.dumps({"box": ["1" + "%" * 9000, 0, 5, 5]})), says(content="12.50")],
    "huge numbers": [calls("zoom", {"box": [0, 0, 10**4000, 1e308]}), says(content="12.50")],
    "not a number": [calls("zoom", {"box": [float("nan"), float("inf"), 1, 1]}), says(content="12.50")],
    "a hundred calls": [says(content=CALL * 100), says(content="12.50")],
}


@pytest.mark.parametrize("replies", ODD.values(), ids=list(ODD))
def test_an_odd_reply_ends_in_an_answer_that_can_be_kept_and_sent(url, tmp_path, replies):
    Handler.replies = list(replies)
    controller = ChatController(url, "a-model", max_retries=0)
    with Agent(controller, Runner([Zoom()]), checkpoint=tmp_path / "kept.sqlite3") as agent:
        answer = agent.ask(Image.new("RGB", (40, 30)), "What is the total?", thread_id="t")
        told = agent.conversation("t")
    assert "12.50" in answer.text
    assert json.loads(answer.model_dump_json())["text"] == answer.text
    assert told is not None
    assert told.turns[-1].answer == answer.text


def test_a_reply_nested_too_deeply_is_an_error_of_one_line(url):
    Handler.replies = ['{"choices": ' + "[" * 200_000]
    controller = ChatController(url, "a-model", max_retries=0)
    with Agent(controller, Runner([Zoom()])) as agent, pytest.raises(ControllerError) as caught:
        agent.ask(Image.new("RGB", (40, 30)), "What?")
    assert "\n" not in str(caught.value)
