"""Request bodies: JSON of a model, or a form with a picture; what is wrong with them is said in one line."""

from __future__ import annotations

import asyncio
import json
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from agent.server.errors import Refused, refused
from agent.server.wire import AskRequest

AS_JSON = {"options", "regions", "box"}  # fields of a form
Model = TypeVar("Model", bound=BaseModel)


async def read(request: Request, kind: type[Model]) -> Model:
    """The body as JSON. Raises `Refused`."""
    sent = content_type(request)
    if sent != "application/json" and not (sent.startswith("application/") and sent.endswith("+json")):
        text = f"the body must be JSON with Content-Type: application/json, not {sent or 'nothing'}"
        raise Refused(415, "unsupported_media_type", text)
    try:
        data = await request.body()
        return await asyncio.to_thread(kind.model_validate_json, data or b"{}")
    except ValidationError as error:
        raise refused(error) from None
    except ClientDisconnect:
        raise Refused(400, "bad_request", "the body ended early") from None


async def read_ask(request: Request) -> tuple[AskRequest, bytes | None]:
    """(the question, the picture where it was uploaded). Raises `Refused`."""
    if content_type(request) != "multipart/form-data":
        return await read(request, AskRequest), None
    upload: bytes | None = None
    fields: dict[str, object] = {}
    try:
        form = await request.form(max_files=1, max_fields=16, max_part_size=1_000_000)
    except Refused:
        raise
    except (HTTPException, ValueError) as error:
        text = getattr(error, "detail", None) or "the form cannot be read"
        raise Refused(400, "bad_request", str(text)) from None
    except ClientDisconnect:
        raise Refused(400, "bad_request", "the body ended early") from None
    async with request.form():
        for name, value in form.multi_items():
            if name in fields or (upload is not None and name == "picture"):
                raise Refused(400, "bad_request", f"the field {name[:40]!r} is there twice", name[:40])
            if isinstance(value, UploadFile):
                if name != "picture":
                    raise Refused(400, "bad_request", "the picture belongs into the field `picture`", "picture")
                upload = await value.read()
            elif name in AS_JSON:
                fields[name] = parsed(name, value)
            elif value:
                fields[name] = value
    try:
        return AskRequest.model_validate(fields), upload
    except ValidationError as error:
        raise refused(error) from None


def parsed(name: str, value: str) -> object:
    try:
        return json.loads(value) if value.strip() else None
    except (ValueError, RecursionError):
        raise Refused(400, "bad_request", f"the field {name} must be JSON", name) from None


def content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
