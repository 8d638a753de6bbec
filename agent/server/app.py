"""The routes: `/v1/chat/completions` for every tool that speaks OpenAI's API, `/v1/ask` with everything an answer rests
on, conversations, health and metrics.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from agent.events import Done, Event
from agent.server import bodies, schema
from agent.server.chat import ChatRequest, Choice, Chunks, Completion, ReplyMessage, extension, said, usage_of
from agent.server.errors import Refused, refused
from agent.server.guard import Guard, answer
from agent.server.replying import Asked
from agent.server.service import SWEEP_S, Service
from agent.server.wire import AskReply, AskRequest, ConversationReply, Failed, Finished, ResumeRequest, Waiting, sse
from tools.errors import P2GError


def build_app(service: Service) -> FastAPI:
    """The application around a service; its models load when it starts."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.start()
        sweeping = asyncio.create_task(sweep(service))
        yield
        sweeping.cancel()
        service.close()

    from importlib.metadata import version

    app = FastAPI(title="P2G", version=version("p2g"), lifespan=lifespan, docs_url=None, redoc_url=None)
    handlers: dict[Any, Any] = {
        Refused: lambda request, error: failed(request, error),
        HTTPException: lambda request, error: failed(request, plain(request, error)),
        RequestValidationError: lambda request, error: failed(request, parameters(error)),
        P2GError: lambda request, error: failed(request, refused(error)),
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
    add_questions(app, service)
    add_conversations(app, service)
    add_watching(app, service)
    schema.describe(app)
    app.add_middleware(Guard, service=service)
    return app


def add_questions(app: FastAPI, service: Service) -> None:
    @app.post("/v1/chat/completions", response_model=Completion, **schema.body(ChatRequest, stream=True))
    async def chat_completions(request: Request) -> Response:
        """OpenAI's chat completions: the last picture of the conversation, the last user message as the question."""
        body = await bodies.read(request, ChatRequest)
        body.check()
        asked_for = said(body.messages)
        job = await service.job(
            owner(request), body.p2g, asked_for.question, asked_for.picture, body.model, asked_for.turns
        )
        del asked_for
        asked = Asked(request, service, job)
        id_ = f"chatcmpl-{asked.id}"
        if body.stream:
            usage = body.stream_options is not None and body.stream_options.include_usage
            chunks = Chunks(id_, body.model, job.clean and not body.p2g.options, usage)
            started = False

            def pieces(event: Event | Waiting) -> Iterable[bytes]:
                nonlocal started
                if not started:
                    started = True
                    yield sse(chunks.first())
                if isinstance(event, Done):
                    ours = extension(event.answer, job.picture, job.thread_id, asked.id)
                    for chunk in chunks.last(event.answer, ours):
                        yield sse(chunk)
                    yield sse("[DONE]")
                elif event.kind == "delta" and (more := chunks.delta(event.text)):
                    yield sse(more)

            return await asked.stream(pieces, lambda error: [sse(error.body()), sse("[DONE]")])

        def reply(done: Done) -> Response:
            completion = Completion(
                id=id_,
                created=int(time.time()),
                model=body.model,
                choices=[Choice(message=ReplyMessage(content=done.answer.text))],
                usage=usage_of(done.answer.ledger),
                p2g=extension(done.answer, job.picture, job.thread_id, asked.id),
            )
            return json_response(completion)

        return await asked.whole(reply)

    @app.post("/v1/ask", response_model=AskReply, **schema.body(AskRequest, stream=True, upload=True))
    async def ask(request: Request) -> Response:
        """A question about a picture: the answer with evidence, decision, ledger and trace."""
        body, upload = await bodies.read_ask(request)
        picture = upload if upload is not None else body.picture
        job = await service.job(owner(request), body, body.question, picture, body.model)
        return await reply_to(Asked(request, service, job), body.stream)

    @app.get("/v1/models", responses=schema.errors(401, 403))
    async def models() -> dict[str, Any]:
        """Every profile, and the same with a forced mode."""
        return {"object": "list", "data": [described(name) for name in service.models]}

    @app.get("/v1/models/{model}", responses=schema.errors(401, 403, 404))
    async def model(model: str) -> dict[str, Any]:
        if model not in service.models:
            raise Refused(404, "model_not_found", f"there is no model {model[:80]!r}", "model")
        return described(model)


def add_conversations(app: FastAPI, service: Service) -> None:
    base, codes = "/v1/conversations/{thread_id}", schema.errors(400, 401, 403, 404, 409, 503)

    @app.get(base, responses=codes)
    async def conversation(request: Request, thread_id: schema.ThreadId, model: str | None = None) -> ConversationReply:
        """The turns of a conversation, and whether its last question is unfinished."""
        return await asyncio.to_thread(service.conversation, owner(request), thread_id, model)

    @app.delete(base, responses=codes)
    async def forget(request: Request, thread_id: schema.ThreadId, model: str | None = None) -> dict[str, bool]:
        await asyncio.to_thread(service.forget, owner(request), thread_id, model)
        return {"deleted": True}

    @app.post(f"{base}/resume", response_model=AskReply, **schema.body(ResumeRequest, stream=True))
    async def resume(request: Request, thread_id: schema.ThreadId) -> Response:
        """Goes on with a question that was cut off."""
        body = await bodies.read(request, ResumeRequest)
        job = await service.resumed(owner(request), thread_id, body.picture, body.model)
        return await reply_to(Asked(request, service, job), body.stream)


def add_watching(app: FastAPI, service: Service) -> None:
    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Whether the process answers."""
        return {"status": "ok"}

    @app.get("/readyz", responses={503: {"description": "Not ready"}})
    async def readyz() -> JSONResponse:
        """Whether questions are answered: models loaded, not shutting down."""
        why = service.not_ready()
        return JSONResponse({"status": "ready" if why is None else why}, 200 if why is None else 503)

    @app.get("/metrics", responses=schema.errors(401, 403), response_class=Response)
    async def metrics() -> Response:
        """Prometheus metrics."""
        text = await asyncio.to_thread(service.metrics.text)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


async def reply_to(asked: Asked, stream: bool) -> Response:
    """The reply of `/v1/ask`, whole or as events."""
    about: dict[str, Any] = {"id": f"ask-{asked.id}", "model": asked.job.model, "thread_id": asked.job.thread_id}
    about["picture"] = asked.job.picture
    if not stream:
        return await asked.whole(lambda done: json_response(AskReply(**about, answer=done.answer)))

    def pieces(event: Event | Waiting) -> Iterable[bytes]:
        yield sse(Finished(**about, answer=event.answer) if isinstance(event, Done) else event, event.kind)

    def end(error: Refused) -> Iterable[bytes]:
        yield sse(Failed(error=error.body()["error"], trace=error.trace or []), "error")

    return await asked.stream(pieces, end)


async def sweep(service: Service) -> None:
    while True:
        with contextlib.suppress(Exception):  # a full disk or a locked file: tried again
            await asyncio.to_thread(service.sweep)
        await asyncio.sleep(SWEEP_S)


def owner(request: Request) -> str:
    return str(request.scope["state"].get("owner", ""))


def described(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "p2g"}


def json_response(model: Any) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")


def failed(request: Request, error: Refused) -> Response:
    request.scope["state"]["seen"]["code"] = error.code
    return answer(error)


def plain(request: Request, error: HTTPException) -> Refused:
    """Starlette's own errors: no such route, no such method."""
    found = Refused(error.status_code, json.dumps(error.detail).strip('"').lower().replace(" ", "_"), str(error.detail))
    found.headers = dict(error.headers or {}) or None
    return found


def parameters(error: RequestValidationError) -> Refused:
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    return Refused(400, "bad_request", f"{where}: {problem['msg']}"[:300], where[:100])
