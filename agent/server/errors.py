"""How a request ends that gets no answer: a status, and a body as OpenAI's clients expect it."""

from __future__ import annotations

import sqlite3
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from agent.types import Step
from tools.errors import ControllerError, ExpertError, P2GError, PictureError, StoreError, UsageError

TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
STATUS: tuple[tuple[type[P2GError], int, str], ...] = (
    (PictureError, 400, "bad_picture"),
    (UsageError, 400, "bad_request"),
    (ControllerError, 503, "controller_unavailable"),
    (ExpertError, 503, "expert_unavailable"),
    (P2GError, 400, "bad_request"),
)


class ErrorDetail(BaseModel):
    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorBody(BaseModel):
    """`trace` is what was done before the question was given up."""

    error: ErrorDetail
    trace: list[Step] | None = None


class Refused(HTTPException):
    """A request that ends here; FastAPI lets it through wherever it is raised."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        param: str | None = None,
        retry_s: int | None = None,
        trace: list[Step] | None = None,
    ) -> None:
        headers = {"Retry-After": str(retry_s)} if retry_s is not None else None
        if status == 401:
            headers = {"WWW-Authenticate": "Bearer"}
        super().__init__(status, one_line(message), headers)
        self.code, self.param, self.trace = code, param, trace

    def body(self) -> dict[str, Any]:
        kind = TYPES.get(self.status_code, "invalid_request_error" if self.status_code < 500 else "server_error")
        detail = ErrorDetail(message=self.detail, type=kind, param=self.param, code=self.code)
        return ErrorBody(error=detail, trace=self.trace).model_dump(mode="json", exclude_none=False)


def refused(error: BaseException) -> Refused:
    """Any error as the end of a request; for a bug of ours the caller learns that it is one, and no more."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, ValidationError):
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        return Refused(400, "bad_request", f"{where or 'body'}: {problem['msg']}"[:300], where[:100] or None)
    if isinstance(error, sqlite3.Error | StoreError):
        cause = error.__cause__ or error
        return Refused(503, "store_failed", f"conversations cannot be kept now ({cause}); try again later", retry_s=5)
    for kind, status, code in STATUS:
        if isinstance(error, kind):
            return Refused(status, code, str(error), retry_s=5 if status == 503 else None)
    return Refused(500, "internal_error", "the server failed on this request; its log says why")


def one_line(text: str) -> str:
    """Shown to callers and logs: one line, without what cannot be encoded."""
    return " ".join(text.encode("utf-8", "replace").decode().split())[:500]
