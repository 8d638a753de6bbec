"""The OpenAPI of bodies that are read by hand (`bodies.py`), and of the errors that every route may answer with."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Path
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from agent.server.chat import ChatRequest
from agent.server.errors import ErrorBody
from agent.server.wire import THREAD, AskRequest, ResumeRequest

ThreadId = Annotated[str, Path(pattern=THREAD)]
REF = "#/components/schemas/{model}"
EVENT = {
    "type": "object",
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
    "required": ["data"],
}
WHY = {
    400: "What is wrong with the request",
    401: "The token is missing or wrong",
    403: "Without a token only local callers are served",
    404: "There is no such thing",
    408: "The body did not arrive in time",
    409: "The conversation is busy",
    413: "Too large",
    415: "Neither JSON nor a form",
    429: "Too many questions at the moment; see Retry-After",
    503: "Not ready, or the controller cannot be reached",
    504: "Not answered in time; `trace` has what was done",
}


def errors(*codes: int) -> dict[int | str, dict[str, Any]]:
    return {code: {"model": ErrorBody, "description": WHY[code]} for code in codes}


def body(kind: type[BaseModel], stream: bool = False, upload: bool = False) -> dict[str, Any]:
    """Keywords of a route: its body as JSON of `kind` (or as a form), its errors, its other content type."""
    ref = {"$ref": REF.format(model=kind.__name__)}
    content: dict[str, Any] = {"application/json": {"schema": ref}}
    if upload:
        form = {"type": "object", "required": ["question"], "properties": {}}
        form["properties"] = {"question": {"type": "string"}, "picture": {"type": "string", "format": "binary"}}
        content["multipart/form-data"] = {"schema": form}
    found = errors(*WHY)
    if stream:
        found[200] = {"content": {"text/event-stream": {"schema": EVENT}}, "description": "The answer"}
    return {"responses": found, "openapi_extra": {"requestBody": {"required": True, "content": content}}}


def describe(app: FastAPI) -> None:
    """Adds the request models to the application's OpenAPI."""
    inner = app.openapi

    def openapi() -> dict[str, Any]:
        found = inner()
        wanted: list[Any] = [(kind, "validation") for kind in (ChatRequest, AskRequest, ResumeRequest)]
        _, extra = models_json_schema(wanted, ref_template=REF)
        known = found.setdefault("components", {}).setdefault("schemas", {})
        for name, schema in extra["$defs"].items():
            known.setdefault(name, schema)
        return found

    app.openapi = openapi  # type: ignore[method-assign]
