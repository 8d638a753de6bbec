"""The expert server: a Starlette application around some experts, run by uvicorn until SIGINT or SIGTERM.

Nothing a caller sends is unbounded: bodies, pictures, kept pictures, waiting calls and their time all have a limit.
The log has one line of JSON per request, without pictures, arguments or tokens. `protocol.py` lists the routes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import math
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tools.base import Tool
from tools.errors import P2GError, PictureError, UsageError
from tools.pictures import Picture, PictureLimits
from tools.remote.local import LOCAL_HOST, LOOPBACK, listen
from tools.remote.protocol import (
    PROTOCOL,
    PROTOCOL_HEADER,
    CallReply,
    CallRequest,
    Catalogue,
    Code,
    Failure,
    Health,
    StoredPicture,
)
from tools.remote.serving import Busy, OutOfTime, Places, Serving
from tools.remote.store import PictureStore

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServerLimits:
    """How much the server takes on. `uploads` are read at a time, each at most `pictures.max_bytes` in `upload_s`."""

    pictures: PictureLimits = field(default_factory=PictureLimits)
    store_bytes: int = 1_000_000_000
    concurrency: int = 4
    waiting: int = 64
    uploads: int = 2
    upload_s: float = 120.0
    max_request: int = 262_144
    max_reply: int = 16_000_000


class Refused(Exception):
    """A request that ends here: its status and why."""

    def __init__(self, status: int, code: Code, error: str) -> None:
        super().__init__(error)
        self.status, self.failure = status, Failure(error=" ".join(error.split())[:500], code=code)


class ExpertServer:
    """The state behind the routes: the experts, the pictures, the places for calls and uploads."""

    def __init__(self, tools: Sequence[Tool], limits: ServerLimits) -> None:
        self.limits = limits
        self.experts = {tool.name: Serving(tool) for tool in tools}
        self.store = PictureStore(limits.store_bytes)
        self.calls = Places(limits.concurrency, limits.waiting)
        self.uploads = Places(limits.uploads, limits.waiting)

    async def health(self, request: Request) -> Response:
        loading = any(serving.loading for serving in self.experts.values())
        return reply(Health(status="loading" if loading else "ok", protocol=PROTOCOL))

    async def catalogue(self, request: Request) -> Response:
        pictures = self.limits.pictures
        experts = [serving.describe() for serving in self.experts.values()]
        return reply(
            Catalogue(protocol=PROTOCOL, experts=experts, max_bytes=pictures.max_bytes, max_pixels=pictures.max_pixels)
        )

    async def picture(self, request: Request) -> Response:
        """HEAD and PUT of one picture; the only way a picture comes in."""
        sha256 = request.path_params["sha256"]
        found = self.store.get(sha256)
        if request.method == "HEAD":
            return Response(status_code=200 if found else 404)
        if found is None:
            await self.uploads.take(self.limits.upload_s)
            try:
                data = await body(request, self.limits.pictures.max_bytes, self.limits.upload_s)
                found = await asyncio.to_thread(self._keep, sha256, data)
            finally:
                self.uploads.leave()
        return reply(StoredPicture(sha256=sha256, width=found.width, height=found.height))

    def _keep(self, sha256: str, data: bytes) -> Picture:
        try:
            picture = Picture.open(data, self.limits.pictures)
            if picture.sha256 != sha256:
                raise Refused(422, "request", f"the picture's SHA-256 is {picture.sha256}, not {sha256}; send it again")
            self.store.put(picture, len(data))
        except PictureError as error:
            raise Refused(422, "size", str(error)) from None
        return picture

    async def call(self, request: Request) -> Response:
        began, name = time.perf_counter(), request.path_params["name"]
        try:
            asked = CallRequest.model_validate_json(await body(request, self.limits.max_request, self.limits.upload_s))
        except ValidationError as error:
            raise Refused(400, "request", f"not a call: {first(error)}") from None
        serving = self.experts.get(name)
        if serving is None:
            raise Refused(404, "expert", f"there is no expert {name!r} here; there are: {', '.join(self.experts)}")
        if reason := serving.unavailable():
            raise Refused(422, "expert", reason)
        if serving.loading:
            raise Busy(f"{name} is still loading; try again later")
        version = serving.tool.cache_key()
        if asked.version != version:
            raise Refused(409, "version", f"{name} is version {version} here, not {asked.version}")
        picture = self.store.get(asked.picture)
        if picture is None:
            raise Refused(404, "picture", f"unknown picture {asked.picture}; upload it first")
        try:
            args = serving.tool.parse(asked.args)
        except P2GError as error:
            raise Refused(422, "args", str(error)) from None
        regions = await serving.call(picture, args, self.calls, min(asked.deadline_s, serving.tool.timeout_s))
        ms = (time.perf_counter() - began) * 1000
        result = reply(CallReply(picture=asked.picture, version=version, regions=regions, ms=ms))
        if len(result.body) > self.limits.max_reply:
            size = f"{len(result.body) / 1e6:.0f} MB, over the limit of {self.limits.max_reply / 1e6:.0f}"
            raise Refused(422, "expert", f"{name} returned {size}; ask for a smaller part")
        request.state.regions = len(regions)
        return result


def build_app(tools: Sequence[Tool], token: str | None = None, limits: ServerLimits | None = None) -> Starlette:
    """The application; its experts load when it starts. Without `token` anyone who reaches it may call."""
    server = ExpertServer(tools, limits or ServerLimits())

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        for serving in server.experts.values():
            serving.start()
        yield

    routes = [
        Route("/healthz", server.health),
        Route("/experts", server.catalogue),
        Route("/pictures/{sha256}", server.picture, methods=["HEAD", "PUT"]),
        Route("/experts/{name}/calls", server.call, methods=["POST"]),
    ]
    handlers: dict[Any, Any] = {
        Refused: lambda request, error: reply(error.failure, error.status),
        Busy: lambda request, error: reply(Failure(error=str(error), code="busy"), 503, {"Retry-After": "1"}),
        OutOfTime: lambda request, error: reply(Failure(error=str(error), code="deadline"), 504),
        P2GError: lambda request, error: reply(Failure(error=line(error), code="expert"), 422),
        HTTPException: lambda request, error: reply(
            Failure(error=f"{request.scope['path'][:200]}: {error.detail}"), error.status_code
        ),
        Exception: lambda request, error: reply(Failure(error="the server failed; its log says why"), 500),
    }
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)
    app.state.server = server
    app.add_middleware(Guard, token=token)
    return app


class Guard:
    """Before anything else: the token, the host name, the protocol; after everything: the log line."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began, status, request = time.perf_counter(), 0, Request(scope)

        async def watched(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            refusal = None if scope["path"] == "/healthz" else self._refusal(request)
            await (self.app if refusal is None else reply(refusal.failure, refusal.status))(scope, receive, watched)
        finally:
            seen = {"time": round(time.time(), 3), "method": request.method, "path": scope["path"][:200]}
            seen |= {"status": status, "ms": round((time.perf_counter() - began) * 1000, 1)}
            seen |= {"regions": regions} if (regions := scope.get("state", {}).get("regions")) is not None else {}
            log.info("%s", json.dumps(seen))

    def _refusal(self, request: Request) -> Refused | None:
        if self.token is not None:
            sent = request.headers.get("authorization", "").encode("utf-8", "replace")
            if not hmac.compare_digest(sent, f"Bearer {self.token}".encode()):
                return Refused(401, "token", "the token is missing or wrong; send `Authorization: Bearer ...`")
        elif not LOCAL_HOST.fullmatch(request.headers.get("host", "")):  # a web page may point its own name here
            return Refused(403, "token", "without a token only callers of localhost are served")
        spoken = request.headers.get(PROTOCOL_HEADER.lower(), "")
        if spoken != str(PROTOCOL):
            return Refused(400, "protocol", f"this server speaks protocol {PROTOCOL}, not {spoken[:20] or 'none'}")
        return None


def serve_tools(
    tools: Sequence[Tool], host: str = "127.0.0.1", port: int = 8765, token: str | None = None, limits: Any = None
) -> None:
    """Serves until SIGINT or SIGTERM; running calls get ten seconds to end. Raises `UsageError`."""
    if token is None and host not in LOOPBACK:
        raise UsageError(f"serving on {host} without a token lets everyone there call the experts; give --token-env")
    listener = listen(host, port)
    logging.basicConfig(stream=sys.stderr, format="%(message)s")
    log.setLevel(logging.INFO)
    app = build_app(tools, token, limits)
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, limit_concurrency=4096)
    config.timeout_graceful_shutdown = 10
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises them again when it has shut down; that is no error
        signal.signal(number, lambda *_: None)
    where = f"[{host}]" if ":" in host else host
    print(f"serving {', '.join(tool.name for tool in tools)} at http://{where}:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])


async def body(request: Request, most: int, timeout_s: float) -> bytes:
    """The body, at most `most` bytes within `timeout_s`. Raises `Refused`."""
    too_large = Refused(413, "size", f"the body is over the limit of {math.ceil(most / 1000)} kB")
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal() or int(announced) > most:
        raise too_large
    data = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                data += chunk
                if len(data) > most:
                    raise too_large
    except (TimeoutError, ClientDisconnect):
        raise Refused(408, "request", f"the body did not arrive within {timeout_s:g} s") from None
    return bytes(data)


def reply(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(model.model_dump_json(exclude_none=True), status, headers, "application/json")


def line(error: Exception) -> str:
    return " ".join(str(error).split())[:500]


def first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in problem['loc']) or 'body'}: {problem['msg']}"[:300]
