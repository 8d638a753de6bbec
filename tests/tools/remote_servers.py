"""Real servers on loopback for the tests of remote experts: the expert server itself, and one that plays tricks."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import uvicorn

from tools.base import Tool
from tools.remote.local import listen
from tools.remote.server import ExpertServer, ServerLimits, build_app


@contextmanager
def served(
    tools: Sequence[Tool], token: str | None = None, limits: ServerLimits | None = None, port: int = 0
) -> Iterator[tuple[str, ExpertServer]]:
    """The expert server in a thread: its address and its state."""
    listener = listen("127.0.0.1", port)
    app = build_app(tools, token, limits)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", app.state.server
    finally:
        server.should_exit = True
        thread.join(5)
        listener.close()


Answer = Callable[[str, str, bytes], tuple[int, dict[str, str], bytes] | None]


@contextmanager
def tricky(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """A server that answers what `answer(method, path, body)` says, None breaks off; its address and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            data = self.rfile.read(int(self.headers.get("content-length", 0)))
            asked.append(f"{self.command} {self.path}")
            answered = answer(self.command, self.path, data)
            self.close_connection = True
            if answered is None:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            status, headers, content = answered
            self.send_response(status)
            for key, value in {"Content-Length": str(len(content)), "Connection": "close", **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = do_POST = do

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *args: None  # type: ignore[method-assign]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
