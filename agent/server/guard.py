"""What stands before every route: tokens, who may call without one, the body's limits; after it, a log line.

The log has one line of JSON per request: never a picture, a question or a token.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import re
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.server.errors import Refused, refused
from agent.server.service import Service
from tools.errors import UsageError
from tools.remote.local import LOCAL_HOST

log = logging.getLogger("p2g.serve")
AMBIGUOUS = "ambiguous_length"
OPEN = ("/healthz", "/readyz")
TOKEN = re.compile(r"[!-~]{8,512}")
COMMENT = re.compile(r"(^|\s)#.*")


class Guard:
    """The middleware around all routes of one service."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service, self.settings = app, service, service.settings
        self.bodies = 0  # bytes of requests under way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began, status = time.perf_counter(), 0
        seen: dict[str, Any] = {"id": uuid.uuid4().hex[:16]}
        scope.setdefault("state", {})["seen"] = seen
        body = Body(self, receive)

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", seen["id"].encode())]
            await send(message)

        try:
            refusal = self._refusal(Request(scope), scope["path"])
            if refusal is None:
                await self.app(scope, body.receive, watched)
            else:
                seen["code"] = refusal.code
                await answer(refusal)(scope, receive, watched)
        except Exception as error:
            log.exception("request %s failed", seen["id"])
            if status:  # the reply has begun: all that is left is to break it off
                raise
            seen["code"] = (last := refused(error)).code
            await answer(last)(scope, receive, watched)
        finally:
            self.bodies -= body.size
            self._tell(scope, status, (time.perf_counter() - began) * 1000, seen)

    def _refusal(self, request: Request, path: str) -> Refused | None:
        if "transfer-encoding" in request.headers and "content-length" in request.headers:
            # a proxy may go by the one and we by the other, and see a request that it did not (RFC 9112, 6.1)
            return Refused(400, AMBIGUOUS, "give a Content-Length or a Transfer-Encoding, not both")
        if path in OPEN:
            return None
        if self.settings.tokens:
            owner = owner_of(request.headers.get("authorization", ""), self.settings.tokens)
            if owner is None:
                return Refused(
                    401, "invalid_api_key", "the token is missing or wrong; send `Authorization: Bearer ...`"
                )
            request.scope["state"]["owner"] = request.scope["state"]["seen"]["owner"] = owner
        else:
            host, origin = request.headers.get("host", ""), request.headers.get("origin")
            if not LOCAL_HOST.fullmatch(host):  # a web page may point its own name here
                return Refused(403, "not_local", "without a token only callers of localhost are served")
            if origin is not None and origin.partition("://")[2] != host:
                return Refused(403, "cross_site", "without a token other web pages are not served")
        if self.service.closing and request.method != "GET":
            return Refused(503, "shutting_down", "the server is shutting down; ask again later", retry_s=5)
        announced = request.headers.get("content-length", "0")
        if not (announced.isascii() and announced.isdecimal()):
            return Refused(400, "bad_request", "the Content-Length is not a number")
        if int(announced) > self.settings.max_body:
            return too_large(self.settings.max_body)
        return None

    def _tell(self, scope: Scope, status: int, ms: float, seen: dict[str, Any]) -> None:
        route = getattr(scope.get("route"), "path", None) or ("refused" if "code" in seen else "other")
        status = status or 499  # the caller left
        self.service.metrics.requests.labels(route, str(status)).inc()
        if "code" in seen:
            self.service.metrics.rejected.labels(seen["code"]).inc()
        line = {"time": round(time.time(), 3), "method": scope["method"], "path": scope["path"][:200]}
        log.info("%s", json.dumps({**line, "status": status, "ms": round(ms, 1), **seen}))


class Body:
    """The body of one request as it comes in: not larger and not slower than allowed, nor all bodies together."""

    def __init__(self, guard: Guard, receive: Receive) -> None:
        self.guard, self.inner = guard, receive
        self.size = 0
        self.complete = False
        self.until = time.monotonic() + guard.settings.upload_s

    async def receive(self) -> Message:
        """Raises `Refused`."""
        if self.complete:
            return await self.inner()
        try:
            async with asyncio.timeout(max(0.0, self.until - time.monotonic())):
                message = await self.inner()
        except TimeoutError:
            took = self.guard.settings.upload_s
            raise Refused(408, "too_slow", f"the body did not arrive within {took:g} s") from None
        if message["type"] == "http.request":
            length = len(message.get("body", b""))
            self.size += length
            self.guard.bodies += length
            self.complete = not message.get("more_body", False)
            if self.size > self.guard.settings.max_body:
                raise too_large(self.guard.settings.max_body)
            if self.guard.bodies > self.guard.settings.max_bodies:
                raise Refused(429, "busy", "the server holds too many pictures at the moment; try again", retry_s=2)
        return message


def too_large(most: int) -> Refused:
    return Refused(413, "too_large", f"the body is over the limit of {most / 1e6:.0f} MB; send a smaller picture")


def answer(error: Refused) -> JSONResponse:
    """The response of an error. A body that was not read to its end makes the connection useless: it is closed."""
    headers = dict(error.headers or {})
    if error.status_code in (408, 413, 429, 503) or error.code == AMBIGUOUS:
        headers["Connection"] = "close"
    return JSONResponse(error.body(), error.status_code, headers)


def owner_of(authorization: str, tokens: Sequence[tuple[str, str]]) -> str | None:
    """The name of the token in a header `Bearer ...`; every token is compared, in constant time."""
    kind, _, sent = authorization.partition(" ")
    digest = hashlib.sha256(sent.strip().encode("utf-8", "replace")).hexdigest()
    found = None
    for name, known in tokens:
        if hmac.compare_digest(digest, known):
            found = name
    return found if kind.lower() == "bearer" else None


def read_tokens(path: Path) -> tuple[tuple[str, str], ...]:
    """(name, SHA-256) of each line `NAME TOKEN` or `TOKEN`; ` #` begins a comment. Raises `UsageError`."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"the tokens file {path} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    tokens: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        words = COMMENT.sub("", line).split()
        if not words:
            continue
        name, token = (f"token{number}", words[0]) if len(words) == 1 else (words[0], words[1])
        if len(words) > 2 or not TOKEN.fullmatch(token) or not re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", name):
            raise UsageError(f"{path}, line {number}: give NAME TOKEN, the token of 8 or more printable characters")
        if name in tokens:
            raise UsageError(f"{path}, line {number}: the name {name!r} is there twice")
        tokens[name] = hashlib.sha256(token.encode()).hexdigest()
    if not tokens:
        raise UsageError(f"the tokens file {path} has no token: give one a line, NAME TOKEN")
    return tuple(tokens.items())
