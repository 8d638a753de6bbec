"""From a job's events to a response: all at once, or as server-sent events; either way the work stops when the caller
leaves, and a failure says what was done so far.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from agent.events import Done, Event
from agent.server.errors import Refused, refused
from agent.server.guard import answer
from agent.server.service import Job, Service
from agent.server.wire import Waiting

log = logging.getLogger("p2g.serve")
FIRST_S = 5.0  # so long a streamed reply waits for its first event, to be able to say 429, 504 …
ALIVE_S = 10.0  # between signs of life, for proxies that close silent connections
Item = TypeVar("Item")


class Left(Exception):
    """The caller has gone."""


class Asked:
    """One job of one request: runs it, counts it, logs it."""

    def __init__(self, request: Request, service: Service, job: Job) -> None:
        self.request, self.service, self.job = request, service, job
        self.seen = request.scope["state"]["seen"]
        self.seen |= {"model": job.model, "picture": job.picture.sha256[:12]}
        self.id: str = self.seen["id"]

    async def whole(self, reply: Callable[[Done], Response]) -> Response:
        """The reply when all is done. Raises what the question raises."""

        async def collect() -> Done:
            async for item in self._counted():
                if isinstance(item, Done):
                    return item
            raise RuntimeError("the graph ended without an answer")

        working = asyncio.ensure_future(collect())
        leaving = asyncio.ensure_future(left(self.request))
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                return Response(status_code=499)
            return reply(working.result())
        finally:
            await cancelled(working)
            await cancelled(leaving)

    async def stream(self, pieces: Callable[[Event | Waiting], Iterable[bytes]], end: Any) -> Response:
        """Server-sent events: `pieces` of every event, and `end(Refused)` for a failure after the first one."""
        events = self._counted()
        first: asyncio.Task[Event | Waiting] = asyncio.ensure_future(anext(events))
        await asyncio.wait({first}, timeout=FIRST_S)
        waiting: list[Waiting] = []
        if first.done() and first.exception() is None and isinstance(found := first.result(), Waiting):
            waiting, first = [found], asyncio.ensure_future(anext(events))
            await asyncio.wait({first}, timeout=FIRST_S)
        if first.done() and first.exception() is not None:
            return await self._refuse(first)

        async def body() -> AsyncIterator[bytes]:
            pending = first
            try:
                for piece in (piece for item in waiting for piece in pieces(item)):
                    yield piece
                while True:
                    await asyncio.wait({pending}, timeout=ALIVE_S)
                    if not pending.done():
                        yield b": working\n\n"
                        continue
                    try:
                        item = pending.result()
                    except StopAsyncIteration:
                        return
                    except Exception as error:
                        for piece in end(self._failed(error)):
                            yield piece
                        return
                    for piece in pieces(item):
                        yield piece
                    pending = asyncio.ensure_future(anext(events))
            finally:
                await cancelled(pending)
                await events.aclose()

        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return StreamingResponse(body(), media_type="text/event-stream", headers=headers)

    async def _refuse(self, first: asyncio.Task[Any]) -> Response:
        error = first.exception()
        assert error is not None
        return answer(self._failed(error))

    def _failed(self, error: BaseException) -> Refused:
        found = refused(error)
        if found.code == "internal_error":
            log.error("request %s failed", self.id, exc_info=error)
        self.seen["code"] = found.code
        return found

    async def _counted(self) -> AsyncGenerator[Event | Waiting, None]:
        """The events, with the answer's cost in the metrics and the log."""
        events = self.job.desk.run(self.job.asking)
        outcome = "left"
        try:
            async for item in events:
                if isinstance(item, Done):
                    outcome = "ok"
                    self._answered(item)
                yield item
        except Exception as error:
            outcome = refused(error).code
            raise
        finally:
            await events.aclose()
            self.service.metrics.questions.labels(self.job.model, outcome).inc()

    def _answered(self, done: Done) -> None:
        ledger = done.answer.ledger
        self.service.metrics.answered(ledger)
        self.seen |= {"experts": [cost.expert for cost in ledger.experts], "ms_by_phase": ledger.ms}
        self.seen |= {"p_call": round(done.answer.decision.p_call, 4), "tokens": ledger.usage.prompt_tokens}


async def left(request: Request) -> None:
    """Returns when the caller has gone. The body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def cancelled(task: asyncio.Task[Any] | asyncio.Future[Any]) -> None:
    if not task.done():
        task.cancel()
    with suppress(BaseException):
        await task
