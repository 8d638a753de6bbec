"""What stands before every route: sizes, speed, tokens, hosts; and what the log and the routes tell."""

from __future__ import annotations

import hashlib
import json
import logging
import socket
import time

import pytest

pytest.importorskip("fastapi")
import httpx

from agent.server.guard import owner_of, read_tokens
from tests.agent.server.serving import PICTURE, png, served, until, url_of
from tools.errors import UsageError


@pytest.fixture(scope="module")
def small():
    """A server with tight limits."""
    with served(max_body=20_000, max_picture=5_000, max_pixels=10_000, upload_s=0.5, header_s=0.5) as found:
        yield found


def connect(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def status_of(raw: bytes) -> int:
    return int(raw.split(b" ", 2)[1]) if raw else 0


def everything(connection: socket.socket) -> bytes:
    data = b""
    while piece := connection.recv(65536):
        data += piece
    return data


@pytest.mark.parametrize("path", ["/v1/ask", "/v1/chat/completions"])
def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_read(small, path):
    with connect(small.url) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 99999999\r\n\r\n".encode())
        raw = everything(connection)
    assert status_of(raw) == 413
    assert b"too_large" in raw


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=b"])
def test_a_body_that_does_not_say_its_size_is_refused_where_it_is_too_large(small, kind):
    sent = 0

    def pieces():
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="picture"; filename="a"\r\n\r\n'
        for _ in range(2000):
            sent += 10_000
            yield b"x" * 10_000

    try:
        reply = httpx.post(f"{small.url}/v1/ask", content=pieces(), headers={"content-type": kind})
        assert reply.status_code == 413
    except httpx.WriteError:  # the server hung up while we were still sending
        pass
    assert sent < 20_000_000


@pytest.mark.parametrize(
    ("picture", "status"),
    [(url_of(b"x" * 6_000), 413), (url_of(png(size=(200, 100))), 400), ("data:image/png;base64," + "A" * 7_000, 413)],
)
def test_a_picture_over_the_limits_is_refused(small, picture, status):
    reply = httpx.post(f"{small.url}/v1/ask", json={"question": "What?", "picture": picture})
    assert reply.status_code == status
    assert "limit" in reply.json()["error"]["message"]
    form = {"data": {"question": "What?"}, "files": {"picture": b"x" * 6_000}}
    assert httpx.post(f"{small.url}/v1/ask", **form).status_code == 413


def test_a_body_that_comes_too_slowly_is_given_up(small):
    with connect(small.url) as connection:
        head = (
            "POST /v1/ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
        )
        connection.sendall(head.encode() + b"{")
        assert status_of(everything(connection)) == 408
    assert httpx.post(f"{small.url}/v1/ask", json={"question": "What?", "picture": PICTURE}).status_code == 200


@pytest.mark.parametrize("head", [b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
def test_a_connection_that_asks_nothing_is_closed(small, head):
    with connect(small.url) as connection:
        connection.sendall(head)
        assert everything(connection) == b""


def test_idle_connections_do_not_keep_others_out():
    with served(connections=30, header_s=0.3) as running:
        idle = [connect(running.url) for _ in range(40)]
        until(lambda: httpx.get(f"{running.url}/healthz").status_code == 200)
        for connection in idle:
            connection.close()


def test_all_bodies_together_have_a_limit():
    with served(max_bodies=5_000, max_body=100_000) as running:
        reply = httpx.post(f"{running.url}/v1/ask", json={"question": "x" * 3_000, "picture": "x" * 3_000})
        assert (reply.status_code, reply.headers["retry-after"]) == (429, "2")
        assert httpx.post(f"{running.url}/v1/ask", json={"question": "What?", "picture": PICTURE}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({"host": "localhost:1", "origin": "http://localhost:1"}, 200),
        ({}, 200),
    ],
)
def test_without_a_token_only_local_callers_and_no_foreign_pages_are_served(small, headers, status):
    assert httpx.get(f"{small.url}/v1/models", headers=headers).status_code == status
    assert httpx.get(f"{small.url}/healthz", headers=headers).status_code == 200


def test_with_tokens_every_route_but_health_needs_one():
    tokens = (("ann", hashlib.sha256(b"open-sesame").hexdigest()),)
    with served(tokens=tokens) as running:
        for path in ("/v1/models", "/metrics", "/openapi.json", "/v1/conversations/x", "/nothing"):
            reply = httpx.get(f"{running.url}{path}")
            assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
        for path in ("/healthz", "/readyz"):
            assert httpx.get(f"{running.url}{path}").status_code == 200
        good = {"authorization": "Bearer open-sesame", "host": "p2g.example"}
        assert httpx.get(f"{running.url}/v1/models", headers=good).status_code == 200


@pytest.mark.parametrize("sent", ["", "open-sesame", "Basic open-sesame", "Bearer", "Bearer open", "Bearer \x80"])
def test_what_is_not_the_token(sent):
    assert owner_of(sent, (("ann", hashlib.sha256(b"open-sesame").hexdigest()),)) is None


def test_tokens_come_from_a_file(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("# who may ask\nann open-sesame\n\nsesame-open-2  # for scripts\nben open#sesame-3\t#his\n")
    assert [name for name, _ in read_tokens(path)] == ["ann", "token4", "ben"]
    assert owner_of("bearer sesame-open-2", read_tokens(path)) == "token4"
    assert owner_of("bearer open#sesame-3", read_tokens(path)) == "ben"


@pytest.mark.parametrize(
    "text", ["", "# none\n", "ann short\n", "a b c\n", "ann open-sesame\nann sesame-open\n", "a\tü" * 9]
)
def test_a_tokens_file_that_cannot_be_used_is_a_usage_error(tmp_path, text):
    (tmp_path / "tokens").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_tokens(tmp_path / "tokens")
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="cannot be read"):
        read_tokens(tmp_path / "missing")


def test_the_log_has_a_line_for_each_request_without_what_was_asked_or_sent(caplog):
    secret = "the colour of my secret"
    tokens = (("ann", hashlib.sha256(b"open-sesame").hexdigest()),)
    with served(tokens=tokens) as running, caplog.at_level(logging.INFO, "p2g.serve"):
        headers = {"authorization": "Bearer open-sesame"}
        asked = {"question": secret, "picture": PICTURE, "thread_id": "t"}
        reply = httpx.post(f"{running.url}/v1/ask", json=asked, headers=headers)
        httpx.get(f"{running.url}/v1/models", headers={"authorization": "Bearer wrong-token"})
        until(lambda: len(caplog.records) >= 2)
        time.sleep(0.05)
    lines = [json.loads(record.message) for record in caplog.records if record.message.startswith("{")]
    done, refused = (next(line for line in lines if line["status"] == status) for status in (200, 401))
    assert (done["path"], done["owner"], done["model"], done["experts"]) == ("/v1/ask", "ann", "tiny", ["look"])
    assert done["id"] == reply.headers["x-request-id"]
    assert done["id"] in reply.json()["id"]
    assert refused["code"] == "invalid_api_key"
    for hidden in (secret, "sesame", "wrong-token", PICTURE[30:60], "rgb 200"):
        assert hidden not in caplog.text


def test_health_readiness_and_routes_that_are_not_there():
    with served(ready=False) as loading:
        assert httpx.get(f"{loading.url}/healthz").json() == {"status": "ok"}
        ready = httpx.get(f"{loading.url}/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "loading tiny")
        missing = httpx.get(f"{loading.url}/v2/nothing")
        assert (missing.status_code, missing.json()["error"]["type"]) == (404, "not_found_error")
        assert httpx.get(f"{loading.url}/v1/ask").status_code == 405
