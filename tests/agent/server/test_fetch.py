"""Pictures by address: only from public addresses, however the way there is disguised; real servers on loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("fastapi")
import httpx

from agent.server.errors import Refused
from agent.server.fetch import Fetcher, checked_url, is_public
from tests.agent.server.serving import PICTURE, png, served


class Site(BaseHTTPRequestHandler):
    """`/png` is a picture, `/to?URL` redirects, `/big` never ends, `/slow` neither, `/zip` is compressed."""

    def do_GET(self):
        self.server.asked.append(self.path)
        path, _, target = self.path.partition("?")
        self.send_response({"/to": 302, "/gone": 404}.get(path, 200))
        if path == "/to":
            self.send_header("Location", target)
        if path == "/zip":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if path == "/png":
            self.wfile.write(png())
        try:
            while path in ("/big", "/slow"):
                self.wfile.write(b"x" * (100_000 if path == "/big" else 1))
                if self.server.stop.wait(0.05 if path == "/slow" else 0):
                    return
        except OSError:
            pass

    def log_message(self, *args):
        pass


@contextmanager
def site(host: str = "127.0.0.2"):
    server = ThreadingHTTPServer((host, 0), Site)
    server.asked, server.stop, server.daemon_threads = [], threading.Event(), True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{host}:{server.server_port}", server
    finally:
        server.stop.set()
        server.shutdown()
        server.server_close()


def get(url: str, resolve=None, allowed=lambda address: address == "127.0.0.2", **how) -> bytes:
    async def run() -> bytes:
        return await Fetcher(**{"max_bytes": 1_000_000, "timeout_s": 5.0, **how}, allowed=allowed, resolve=resolve).get(
            url
        )

    return asyncio.run(run())


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "203.0.113.1", "224.0.0.1",
        "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.88.99.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1",
        "fd12::1", "ff02::1", "fec0::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
        "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:7f00:1::", "localhost", "", "1.2.3",
    ],
)  # fmt: skip
def test_what_is_not_the_public_internet(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1", "::ffff:8.8.8.8"])
def test_what_is(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/a.png", "file:///etc/passwd", "gopher://127.0.0.1:70/", "http://", "http:///a", "//host/a",
        "http://user:pw@example.org/", "http://example.org:0/", "http://example.org:99999/", "http://exämple.org/",
        "http://example.org/a b", "http://[::1", "http://example.org/\r\nHost: x", "http://example.org/" + "a" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_picture(url):
    with pytest.raises(Refused):
        checked_url(url)


LOCAL = [
    "http://127.0.0.1:{port}/png", "http://localhost:{port}/png", "http://2130706433:{port}/png",
    "http://0x7f000001:{port}/png", "http://0177.0.0.1:{port}/png", "http://127.1:{port}/png", "http://0:{port}/png",
    "http://[::ffff:127.0.0.1]:{port}/png", "http://[::1]:{port}/png", "http://localhost.:{port}/png",
]  # fmt: skip


@pytest.mark.parametrize("url", LOCAL)
def test_no_way_of_writing_a_local_address_reaches_it(url):
    with site("127.0.0.1") as (base, server):
        with pytest.raises(Refused) as caught:
            get(url.format(port=base.rsplit(":")[-1]), allowed=is_public)
        assert server.asked == []
        assert caught.value.status_code == 400


def test_a_picture_is_fetched_and_redirects_are_followed():
    with site() as (base, server):
        assert get(f"{base}/png") == png()
        assert get(f"{base}/to?/png") == png()
        assert get(f"{base}/to?{base}/png#part") == png()
        assert server.asked[-2:] == [f"/to?{base}/png", "/png"]


@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/png", "http://localhost:{port}/png", "file:///etc/passwd"])
def test_a_redirect_to_a_private_address_is_not_followed(target):
    with site("127.0.0.1") as (inner, secret), site() as (base, _):
        with pytest.raises(Refused, match=r"public|http or https"):
            get(f"{base}/to?{target.format(port=inner.rsplit(':')[-1])}")
        assert secret.asked == []


def test_redirects_end():
    with site() as (base, server):
        with pytest.raises(Refused, match="redirects more than"):
            get(f"{base}/to?/to?/to?/to?/to?/png")
        assert len(server.asked) == 4


def names(*answers: list[str]):
    """A resolver that answers something else each time, and what it was asked."""
    asked: list[str] = []

    async def resolve(host, port, **how):
        asked.append(host)
        addresses = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return resolve, asked


def test_a_name_that_resolves_to_a_private_address_is_refused():
    for answer in (["127.0.0.1"], ["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"], []):
        with site("127.0.0.1") as (base, server):
            with pytest.raises(Refused, match="public"):
                get(f"http://pictures.example:{base.rsplit(':')[-1]}/png", names(answer)[0])
            assert server.asked == []


def test_a_name_is_resolved_once_and_the_checked_address_is_the_one_connected_to():
    resolve, asked = names(["127.0.0.2"], ["127.0.0.1"])
    with site() as (base, server):
        assert get(f"http://pictures.example:{base.rsplit(':')[-1]}/png", resolve) == png()
        assert asked == ["pictures.example"]
        assert server.asked == ["/png"]


def test_a_name_that_changes_its_mind_at_the_redirect_is_refused():
    resolve, _ = names(["127.0.0.2"], ["127.0.0.1"])
    with site() as (base, _server):
        port = base.rsplit(":")[-1]
        with pytest.raises(Refused, match="public"):
            get(f"http://pictures.example:{port}/to?http://other.example:{port}/png", resolve)


@pytest.mark.parametrize(
    ("path", "said", "how"),
    [
        ("/big", "over the limit", {}),
        ("/slow", "within 0.3 s", {"timeout_s": 0.3}),
        ("/gone", "status 404", {}),
        ("/zip", "compressed", {}),
    ],
)
def test_what_is_too_large_too_slow_or_not_there_is_refused(path, said, how):
    with site() as (base, _), pytest.raises(Refused, match=said):
        get(f"{base}{path}", **how)


def test_the_server_fetches_only_where_it_was_allowed():
    for fetch, said in ((False, "does not fetch"), (True, "public Internet")):
        with served(fetch=fetch) as running, site("127.0.0.1") as (base, secret):
            asked = {"question": "What?", "picture": f"{base}/png"}
            reply = httpx.post(f"{running.url}/v1/ask", json=asked)
            assert reply.status_code == 400
            assert said in reply.json()["error"]["message"]
            assert secret.asked == []
            assert httpx.post(f"{running.url}/v1/ask", json={**asked, "picture": PICTURE}).status_code == 200
