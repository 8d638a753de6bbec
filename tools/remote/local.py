"""Listening on this machine, and who counts as a caller of it; the same for every server of ours."""

from __future__ import annotations

import re
import socket

from tools.errors import UsageError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
LOCAL_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")  # the header Host of a caller of this machine


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 is a free one. Raises `UsageError`."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror or error}; choose another --port") from None
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else every answer waits 40 ms for an ACK
    return listener
