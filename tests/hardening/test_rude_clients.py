"""Clients that are slow, many, or speak nonsense get an error or are hung up on, and others go on being served."""

from __future__ import annotations

import contextlib
import gc
import json
import random
import socket
import time
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
import httpx

from tests.agent.server.serving import PICTURE, Running, png, served, until

HTTP = httpx.Client(verify=False, trust_env=False, timeout=20)
HEAD = "POST /v1/ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def running():
    with served(header_s=0.8, upload_s=0.8, max_body=300_000, connections=400) as found:
        yield found


def connect(running: Running, timeout: float = 10.0) -> socket.socket:
    host, port = running.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=timeout)


def reply_to(running: Running, raw: bytes, timeout: float = 5.0) -> bytes:
    """All that comes back before the server hangs up or says no more."""
    data = b""
    with connect(running, timeout) as connection, contextlib.suppress(OSError):
        connection.sendall(raw)
        while piece := connection.recv(65536):
            data += piece
            if b"\r\n\r\n" in data and data.endswith((b"}", b"\n")):
                break
    return data


def status_of(raw: bytes) -> int:
    return int(raw.split(b" ", 2)[1]) if raw.startswith(b"HTTP/1.1 ") else 0


def well(running: Running) -> None:
    """Others are served."""
    assert HTTP.get(f"{running.url}/healthz").json() == {"status": "ok"}
    asked = HTTP.post(f"{running.url}/v1/ask", json={"question": "What?", "picture": PICTURE})
    assert asked.status_code == 200


def memory() -> int:
    """Resident bytes of this process, where Linux tells them."""
    gc.collect()
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * 4096 if statm.exists() else 0


def drip(running: Running, start: bytes, count: int, seconds: float) -> int:
    """`count` connections that send a byte every 50 ms after `start`; how many the server ended within `seconds`."""
    lines = [connect(running) for _ in range(count)]
    for line in lines:
        line.sendall(start)
        line.setblocking(False)
    over, end = set(), time.monotonic() + seconds
    while len(over) < count and time.monotonic() < end:
        for number, line in enumerate(lines):
            if number in over:
                continue
            try:
                line.send(b"a")
                if line.recv(4096):
                    over.add(number)
            except BlockingIOError:
                pass
            except OSError:
                over.add(number)
        time.sleep(0.05)
    for line in lines:
        line.close()
    return len(over)


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        f"{HEAD}Content-Length: 5000\r\n\r\n{{".encode(),
        f"{HEAD}Transfer-Encoding: chunked\r\n\r\n1000\r\n".encode(),
    ],
    ids=["nothing", "header", "body", "chunk"],
)
def test_those_who_send_byte_by_byte_are_not_waited_for(running, start):
    assert drip(running, start, count=40, seconds=15) == 40
    well(running)


def test_three_hundred_idle_connections_keep_nobody_out(running):
    before = memory()
    idle = [connect(running) for _ in range(300)]
    for line in idle[::2]:
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    well(running)
    assert memory() - before < 100_000_000
    for line in idle:
        line.close()
    well(running)


def test_one_who_asks_much_and_reads_nothing_is_not_stored_up_for(running):
    before = memory()
    ask = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connect(running, timeout=1.5) as greedy, contextlib.suppress(OSError):
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(400):
            greedy.sendall(ask * 50)
    assert memory() - before < 150_000_000
    well(running)


LONG = {
    "a header of a megabyte": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "a hundred thousand headers": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    + b"X-Many: 1\r\n" * 100_000
    + b"\r\n",
    "a path of a megabyte": b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a method of a megabyte": b"A" * 1_000_000,
    "a line that never ends": b"\0" * 1_000_000,
    "a chunk's extension of a megabyte": f"{HEAD}Transfer-Encoding: chunked\r\n\r\n5;".encode() + b"x" * 1_000_000,
    "trailers without end": f"{HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\n".encode() + b"X-T: 1\r\n" * 100_000,
}


@pytest.mark.parametrize("raw", LONG.values(), ids=list(LONG))
def test_what_is_too_long_is_refused(running, raw):
    before = memory()
    assert status_of(reply_to(running, raw)) in (0, 400, 404, 408, 413, 414, 422, 431)
    assert memory() - before < 100_000_000
    well(running)


CHUNKED = f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode()
WRONG = {
    "a size that is no number": CHUNKED + b"ZZZ\r\nabc\r\n",
    "a negative size": CHUNKED + b"-5\r\nabc\r\n",
    "a size beyond all": CHUNKED + b"FFFFFFFFFFFFFFFFFF\r\nabc",
    "a chunk longer than said": CHUNKED + b"2\r\nabcdef\r\n0\r\n\r\n",
    "two lengths": f"{HEAD}Content-Length: 3\r\nContent-Length: 30\r\n\r\n{{}}".encode(),
    "a negative length": f"{HEAD}Content-Length: -3\r\n\r\n{{}}".encode(),
    "a length that is no number": f"{HEAD}Content-Length: 3e9\r\n\r\n{{}}".encode(),
    "a length beyond all": f"{HEAD}Content-Length: {10**30}\r\n\r\n{{}}".encode(),
    "an encoding nobody knows": f"{HEAD}Transfer-Encoding: zip\r\nContent-Length: 2\r\n\r\n{{}}".encode(),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "HTTP/0.9": b"GET /healthz\r\n",
    "a header without a colon": b"GET /healthz HTTP/1.1\r\nHost localhost\r\n\r\n",
    "a NUL in a header": b"GET /healthz HTTP/1.1\r\nHost: local\0host\r\n\r\n",
    "no host": b"GET /v1/models HTTP/1.1\r\n\r\n",
    "bytes in the path": b"GET /\xff\xfe\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a method of its own": b"BREW /v1/ask HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "another host in the path": b"GET http://evil.example/v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "noise": random.Random(11).randbytes(5000),
}


@pytest.mark.parametrize("raw", WRONG.values(), ids=list(WRONG))
def test_what_is_no_http_is_an_error_of_the_caller(running, raw):
    assert status_of(reply_to(running, raw)) in (0, 400, 403, 404, 405, 408, 411, 413, 422, 501, 505)
    well(running)


def test_a_length_and_chunks_together_are_one_request(running):
    """What follows the chunks must not be taken for a second request behind the back of a proxy."""
    body = b"2\r\n{}\r\n0\r\n\r\nGET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
    raw = f"{HEAD}Content-Length: {len(body)}\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + body
    with connect(running, 2.0) as connection:
        connection.sendall(raw)
        data = b""
        with contextlib.suppress(OSError):
            while piece := connection.recv(65536):
                data += piece
    assert status_of(data) == 400
    assert data.count(b"HTTP/1.1 ") == 1
    well(running)


ODD_BODIES = {
    "nested arrays": b"[" * 100_000,
    "nested objects": b'{"a":' * 50_000,
    "nested in a field": b'{"question":"a","picture":"b","options":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nothing": b"",
    "null": b"null",
    "a number": b"1" * 10_000,
    "a list": b"[]",
    "half": b'{"question": "a',
    "not UTF-8": b'{"question": "\xff\xfe"}',
    "UTF-16": '{"question": "a"}'.encode("utf-16"),
    "NUL": b"\0" * 1000,
    "NaN": b'{"question": "a", "picture": "b", "threshold": NaN}',
    "infinity": b'{"question": "a", "picture": "b", "threshold": 1e999}',
    "a double key": b'{"question": "a", "question": 5}',
    "a huge number": b'{"question": ' + b"9" * 100_000 + b"}",
    "half a pair": json.dumps({"question": "What \ud800?", "picture": PICTURE, "options": ["\udfff", "b"]}).encode(),
    "half a pair as a name": json.dumps({"question": "a", "picture": PICTURE, "thread_id": "\ud800"}).encode(),
    "a path as a name": json.dumps({"question": "a", "picture": PICTURE, "thread_id": "../../etc/passwd\0"}).encode(),
    "a file as a picture": json.dumps({"question": "a", "picture": "/etc/passwd"}).encode(),
    "a file's address": json.dumps({"question": "a", "picture": "file:///etc/passwd"}).encode(),
    "control characters": json.dumps({"question": "\x00\x1b[2J\u202e", "picture": PICTURE}).encode(),
}
ROUTES = ["/v1/ask", "/v1/chat/completions", "/v1/conversations/a/resume"]


@pytest.mark.parametrize("body", ODD_BODIES.values(), ids=list(ODD_BODIES))
def test_odd_bodies_are_answered_or_the_callers_fault(running, body):
    for route in ROUTES:
        reply = HTTP.post(f"{running.url}{route}", content=body, headers={"content-type": "application/json"})
        assert reply.status_code in (200, 400, 404, 413, 415, 422), (route, reply.text[:300])
        assert reply.json() is not None
        if reply.status_code != 200:
            assert "\n" not in reply.json()["error"]["message"]
    assert HTTP.get(f"{running.url}/healthz").status_code == 200


TYPES = [
    "",
    "text/plain",
    "application/xml",
    "application/json; charset=utf-16",
    "application/x-www-form-urlencoded",
    "a" * 5000,
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=b",
    "image/png",
    "\xff/\xfe",
    "multipart/form-data; boundary=" + "b" * 5000,
]


@pytest.mark.parametrize("kind", TYPES, ids=[ascii(kind[:40]) for kind in TYPES])
def test_a_wrong_content_type_is_the_callers_fault(running, kind):
    for body in (
        json.dumps({"question": "a", "picture": PICTURE}).encode(),
        png(),
        b"--b\r\n" * 2000,
        b"question=a&picture=b",
    ):
        for more in ({}, {"content-encoding": "gzip"}):
            headers = {"content-type": kind.encode("latin-1"), **more}
            reply = HTTP.post(f"{running.url}/v1/ask", content=body, headers=headers)
            assert reply.status_code in (200, 400, 413, 415, 422), reply.text[:300]
    assert HTTP.get(f"{running.url}/healthz").status_code == 200


def test_many_small_parts_of_a_form_are_refused_and_cost_little(running):
    before = memory()
    part = b'--b\r\nContent-Disposition: form-data; name="question"\r\n\r\na\r\n'
    files = b'--b\r\nContent-Disposition: form-data; name="picture"; filename="a"\r\n\r\n\r\n'
    for body in (part * 4000, files * 3500):
        headers = {"content-type": "multipart/form-data; boundary=b"}
        reply = HTTP.post(f"{running.url}/v1/ask", content=body + b"--b--\r\n", headers=headers)
        assert reply.status_code in (400, 413, 422)
    until(lambda: memory() - before < 100_000_000)
    well(running)
