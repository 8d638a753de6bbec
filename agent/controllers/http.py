"""Talks to an OpenAI-compatible server: bounded retries with backoff, server-sent events, errors of one line.

429, 5xx and connection troubles are tried again after a growing, jittered pause or as long as `Retry-After` says; all
else is a `ControllerError` that names the address and what to do, and never the key.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from agent.loose import whole
from tools.errors import ControllerError

AGAIN = {408, 425, 429, 500, 502, 503, 504, 529}
MAX_PAUSE_S = 60.0
ADVICE = {
    401: "the API key is missing or wrong: set the environment variable that the profile names in api_key_env",
    403: "the API key has no right to this: check the key and the model",
    404: "no such path or model: check base_url (it usually ends in /v1) and model",
    413: "the request is too large: lower max_side or max_bytes",
    429: "too many requests: wait, or ask with less concurrency",
}


class Refused(ControllerError):
    """The server answered with an error status; `status` and `detail` let the caller try another form."""

    def __init__(self, message: str, status: int, detail: str) -> None:
        super().__init__(message)
        self.status, self.detail = status, detail


class Server:
    """One server's chat-completions address. Safe to share between threads."""

    def __init__(
        self, base_url: str, api_key: str | None, timeout_s: float, max_retries: int, backoff_s: float = 0.5
    ) -> None:
        import httpx

        base = base_url.strip().rstrip("/").removesuffix("/chat/completions")
        if not base.startswith(("http://", "https://")):
            raise ControllerError(f"base_url {base_url!r} is not an address: it must begin with http:// or https://")
        try:
            address = httpx.URL(base + "/chat/completions")
            headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
            timeout = httpx.Timeout(timeout_s, connect=min(10.0, timeout_s))
            self.client = httpx.Client(headers=headers, timeout=timeout, verify=address.scheme == "https")
        except (httpx.InvalidURL, ValueError, UnicodeEncodeError):
            raise ControllerError(f"base_url {base!r} or the API key has characters that cannot be sent") from None
        self.address, self.shown = address, str(address.copy_with(username=None, password=None, query=None))
        self.key, self.max_retries, self.backoff_s = api_key, max_retries, backoff_s

    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """The decoded reply. Raises `ControllerError`, `Refused` for an error status."""
        import httpx

        for attempt in range(self.max_retries + 1):
            try:
                response = self.client.post(self.address, json=body)
            except httpx.HTTPError as error:
                self._pause_or_give_up(attempt, self._trouble(error), None)
                continue
            if response.status_code < 300:
                return self._object(response.text, response.headers.get("content-type", ""))
            self._refuse(attempt, response.status_code, response.text, response.headers.get("retry-after"))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def stream(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The decoded chunks of a streamed reply. Tried again only while nothing has come yet."""
        import httpx

        for attempt in range(self.max_retries + 1):
            begun = False
            try:
                with self.client.stream("POST", self.address, json=body) as response:
                    if response.status_code >= 300:
                        response.read()
                        again = response.headers.get("retry-after")
                        self._refuse(attempt, response.status_code, response.text, again)
                        continue
                    if "text/event-stream" not in response.headers.get("content-type", ""):
                        response.read()
                        yield self._object(response.text, response.headers.get("content-type", ""))
                        return
                    for line in response.iter_lines():
                        if not line.startswith("data:"):
                            continue
                        data = line[5:].strip()
                        if data == "[DONE]":
                            return
                        chunk = self._object(data, "event")
                        begun = True
                        yield chunk
                    if begun:
                        return
                    self._pause_or_give_up(attempt, f"{self.shown} sent an empty stream", None)
            except httpx.HTTPError as error:
                if begun:
                    raise ControllerError(f"{self._trouble(error)} in the middle of a reply; ask again") from None
                self._pause_or_give_up(attempt, self._trouble(error), None)

    def close(self) -> None:
        self.client.close()

    def _object(self, text: str, kind: str) -> dict[str, Any]:
        try:
            value = json.loads(text)
            if "\\ud" in text.casefold():  # halves of surrogate pairs, which no file and no reply can hold
                value = json.loads(whole(json.dumps(value, ensure_ascii=False)))
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            begin = self._clean(text)[:80]
            raise ControllerError(
                f"{self.shown} did not answer in JSON ({kind or 'no content type'}: {begin!r}): "
                "check that base_url is an OpenAI-compatible server, it usually ends in /v1"
            )
        if "error" in value and "choices" not in value:
            raise ControllerError(f"{self.shown} reports: {self._detail(text)}")
        return value

    def _refuse(self, attempt: int, status: int, text: str, retry_after: str | None) -> None:
        """Pauses when the status may pass, else raises `Refused`."""
        detail = self._detail(text)
        advice = ADVICE.get(
            status, "the server has a problem: try later" if status >= 500 else "check model and options"
        )
        message = f"{self.shown} answered {status}{f' ({detail})' if detail else ''}: {advice}"
        if status not in AGAIN or attempt == self.max_retries:
            raise Refused(message, status, detail)
        self._pause_or_give_up(attempt, message, retry_after)

    def _pause_or_give_up(self, attempt: int, message: str, retry_after: str | None) -> None:
        if attempt == self.max_retries:
            tries = f" ({attempt + 1} tries)" if attempt else ""
            raise ControllerError(f"{message}{tries}")
        pause = self.backoff_s * 2**attempt * random.uniform(0.5, 1.5)
        time.sleep(min(MAX_PAUSE_S, max(pause, seconds(retry_after))))

    def _trouble(self, error: Exception) -> str:
        import httpx

        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return f"{self.shown} cannot be reached: is the server running and base_url right?"
        if isinstance(error, httpx.TimeoutException):
            return f"{self.shown} did not answer in time: raise timeout_s or check the server"
        return f"{self.shown}: the connection broke ({type(error).__name__}): check the server"

    def _detail(self, text: str) -> str:
        """The server's own words, one line, without the key."""
        try:
            value = json.loads(text)
            found = value.get("error", value) if isinstance(value, dict) else value
            message = found.get("message", found) if isinstance(found, dict) else found
        except (ValueError, RecursionError):
            message = text
        return self._clean(str(message))[:200]

    def _clean(self, text: str) -> str:
        text = " ".join(text[:4000].split())
        return text.replace(self.key, "***") if self.key else text


def seconds(retry_after: str | None) -> float:
    """`Retry-After` (seconds or a date) in seconds, 0 when it says nothing."""
    if not retry_after:
        return 0.0
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError):
        return 0.0
