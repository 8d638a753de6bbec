"""What `/v1/ask` and the conversations say: requests, replies and the events that are not the agent's own."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agent.server.errors import ErrorDetail
from agent.types import Answer, Mode, Step, Turn
from tools.base import Region

THREAD = r"^[A-Za-z0-9_.-]{1,64}$"
Coordinate = Annotated[float, Field(allow_inf_nan=False, ge=-1e9, le=1e9)]
PartBox = Annotated[list[Coordinate], Field(min_length=4, max_length=4)]


class GivenRegion(BaseModel):
    """A region as a caller may give it: a box with what is there."""

    model_config = ConfigDict(extra="ignore")

    box: PartBox
    label: str = Field(default="", max_length=200)
    score: float = Field(default=1.0, ge=0.0, le=1.0)
    text: str | None = Field(default=None, max_length=4000)
    source: str = Field(default="", max_length=64)

    @field_validator("box")
    @classmethod
    def _ordered(cls, box: list[float]) -> list[float]:
        x1, y1, x2, y2 = box
        if not (x1 < x2 and y1 < y2):
            raise ValueError("a box is x1, y1, x2, y2 with x1 < x2 and y1 < y2")
        return box

    def region(self) -> Region:
        return Region.model_validate(self.model_dump())


class How(BaseModel):
    """How a question is asked, in `/v1/ask` and in the field `p2g` of a chat completion."""

    model_config = ConfigDict(extra="forbid")

    options: list[str] | None = Field(default=None, max_length=64)
    mode: Mode | None = None
    threshold: float | None = Field(default=None, ge=0.0, le=1.0)
    thread_id: str | None = Field(default=None, pattern=THREAD)
    box: PartBox | None = None
    regions: list[GivenRegion] | None = Field(default=None, max_length=1000)


class AskRequest(How):
    """`picture` is a data URL, or an address where the server allows it."""

    question: str
    picture: str | None = None
    model: str | None = None
    stream: bool = False


class ResumeRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: str | None = None
    picture: str | None = None
    stream: bool = False


class PictureInfo(BaseModel):
    """The upright picture: SHA-256 of the encoded bytes, pixels."""

    sha256: str
    width: int
    height: int


class AskReply(BaseModel):
    id: str
    model: str
    thread_id: str | None = None
    picture: PictureInfo
    answer: Answer


class ConversationReply(BaseModel):
    """`regions` are those of the last question, in pixels of its picture (of its part, when there is a `box`)."""

    thread_id: str
    model: str
    sha256: str
    turns: list[Turn]
    unfinished: str | None
    regions: list[Region]
    box: list[float] | None


class Waiting(BaseModel):
    """The question waits for `ahead` others."""

    kind: Literal["waiting"] = "waiting"
    ahead: int


class Finished(AskReply):
    """The last event of a question that succeeded."""

    kind: Literal["done"] = "done"


class Failed(BaseModel):
    """The last event of a question that failed, with what was done so far."""

    kind: Literal["error"] = "error"
    error: ErrorDetail
    trace: list[Step] = Field(default_factory=list)


def sse(data: BaseModel | dict[str, Any] | str, event: str | None = None) -> bytes:
    """One server-sent event."""
    import json

    text = data if isinstance(data, str) else None
    if isinstance(data, BaseModel):
        text = data.model_dump_json()
    elif isinstance(data, dict):
        text = json.dumps(data, ensure_ascii=False)
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {text}\n\n".encode("utf-8", "replace")
