"""OpenAI's chat completions as questions to an agent: the last picture of the conversation is the picture, the last
user message the question, what was said before is the history.

Sampling parameters are accepted and without effect; what would change what a reply is (`tools`, `n`, JSON formats,
log-probabilities) is refused. System messages are ignored: an agent has its own.
"""

from __future__ import annotations

import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.server.errors import Refused
from agent.server.wire import How, PictureInfo
from agent.types import Answer, Decision, Ledger, Turn
from tools.base import Region

MAX_TEXT = 4000
REFUSED = {
    "tools": "this model calls its own experts; leave out tools",
    "functions": "this model calls its own experts; leave out functions",
    "logprobs": "log-probabilities are not available; p2g.confidence is",
    "audio": "only text comes out; leave out audio",
}


class ImageUrl(BaseModel):
    url: str


class ContentPart(BaseModel):
    type: Literal["text", "image_url"]
    text: str | None = None
    image_url: ImageUrl | None = None


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[ContentPart] | None = None


class StreamOptions(BaseModel):
    include_usage: bool = False


class ChatRequest(BaseModel):
    """`p2g` is our extension (`extra_body` of the openai client): options, mode, threshold, thread id, box, regions."""

    model_config = ConfigDict(extra="allow")

    model: str
    messages: list[ChatMessage] = Field(min_length=1, max_length=500)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: int | None = None
    response_format: dict[str, Any] | None = None
    p2g: How = How()

    def check(self) -> None:
        """Raises `Refused` for what would change what a reply is."""
        for name, why in REFUSED.items():
            if (self.model_extra or {}).get(name):
                raise Refused(400, "unsupported_parameter", f"{name}: {why}", name)
        if self.n not in (None, 1):
            raise Refused(400, "unsupported_parameter", "n: one answer a question; ask again for another", "n")
        if self.response_format is not None and self.response_format.get("type", "text") != "text":
            raise Refused(400, "unsupported_parameter", "response_format: answers are text", "response_format")


class Said(BaseModel):
    """A conversation as an agent takes it; `picture` is a data URL, an address, or None."""

    question: str
    picture: str | None
    turns: list[Turn]


def said(messages: list[ChatMessage]) -> Said:
    """Raises `Refused` for a conversation without a question."""
    picture, asked = None, []
    turns: list[Turn] = []
    for number, message in enumerate(messages):
        where = f"messages.{number}"
        text, pictures = _content(message, where)
        if message.role in ("system", "developer"):
            continue
        if len(pictures) > 1:
            raise Refused(400, "bad_request", f"{where}: one picture a message, there are {len(pictures)}", where)
        picture = pictures[0] if pictures else picture
        if message.role == "user":
            asked += [text] if text.strip() else []
        elif asked:
            turns.append(Turn(question="\n".join(asked)[:MAX_TEXT], answer=text[:MAX_TEXT]))
            asked = []
    if not asked:
        raise Refused(400, "bad_request", "the last message must be a question of the user", "messages")
    return Said(question="\n".join(asked), picture=picture, turns=turns)


def _content(message: ChatMessage, where: str) -> tuple[str, list[str]]:
    """(text, pictures) of a message."""
    if not isinstance(message.content, list):
        return message.content or "", []
    texts = [part.text or "" for part in message.content if part.type == "text"]
    images = [part.image_url for part in message.content if part.type == "image_url"]
    if any(image is None for image in images):
        raise Refused(400, "bad_request", f"{where}: a part of type image_url needs image_url.url", where)
    return "\n".join(texts), [image.url for image in images if image]


class Extension(BaseModel):
    """Our part of a completion, field `p2g`: everything an answer rests on but the trace, which `trace_id` names."""

    text: str
    choice: int | None
    confidence: float | None
    evidence: list[Region]
    decision: Decision
    ledger: Ledger
    picture: PictureInfo
    thread_id: str | None
    trace_id: str


class CompletionUsage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: dict[str, int]


class ReplyMessage(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    index: int = 0
    message: ReplyMessage
    finish_reason: Literal["stop"] = "stop"
    logprobs: None = None


class Completion(BaseModel):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: CompletionUsage
    p2g: Extension


def usage_of(ledger: Ledger) -> CompletionUsage:
    usage = ledger.usage
    return CompletionUsage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.generated_tokens,
        total_tokens=usage.prompt_tokens + usage.generated_tokens,
        prompt_tokens_details={"cached_tokens": usage.cached_tokens, "image_tokens": usage.visual_tokens},
    )


def extension(answer: Answer, picture: PictureInfo, thread_id: str | None, trace_id: str) -> Extension:
    kept = answer.model_dump(include={"text", "choice", "confidence", "evidence", "decision", "ledger"})
    return Extension(**kept, picture=picture, thread_id=thread_id, trace_id=trace_id)


class Chunks:
    """The chunks of one streamed completion, together what the whole one says.

    Pieces of the answer are sent as they come only where they are `clean`, as the controller must say; elsewhere a
    later `</think>` or `\\boxed{}` may still clean them away, and the answer is sent at the end.
    """

    def __init__(self, id_: str, model: str, clean: bool, include_usage: bool) -> None:
        self.base = {"id": id_, "object": "chat.completion.chunk", "created": int(time.time()), "model": model}
        self.clean, self.include_usage = clean, include_usage
        self.heard, self.sent = "", ""

    def first(self) -> dict[str, Any]:
        return self._chunk({"role": "assistant", "content": ""})

    def delta(self, text: str) -> dict[str, Any] | None:
        """A piece of the raw answer; None while it is held back."""
        self.heard += text
        return self._more(self.heard.strip()) if self.clean else None

    def last(self, answer: Answer, ours: Extension) -> list[dict[str, Any]]:
        """What is left of the answer, the end, and the usage where it was asked for."""
        rest = self._more(answer.text)
        end = {**self._chunk({}, "stop"), "p2g": ours.model_dump(mode="json")}
        usage = {**self.base, "choices": [], "usage": usage_of(answer.ledger).model_dump()}
        return [*([rest] if rest else []), end, *([usage] if self.include_usage else [])]

    def _more(self, text: str) -> dict[str, Any] | None:
        if len(text) <= len(self.sent) or not text.startswith(self.sent):
            return None
        more, self.sent = text[len(self.sent) :], text
        return self._chunk({"content": more})

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return {**self.base, "choices": [choice], **({"usage": None} if self.include_usage else {})}
