"""Finds the expert calls in what a controller wrote, however it wrote them, and checks them against the schemas.

Reads native lines (`ground: red car`), JSON, OpenAI `tool_calls`, the tags of Hermes, Qwen, GLM, DeepSeek and Mistral,
`Action:` blocks and `read(box=[…])`. Nothing is executed and nothing raises: what cannot be repaired without doubt is
left out with a one-line note that the controller sees once. Rules for boxes are in `agent/arguments.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from agent.arguments import Misfit, Size, bare, fit_arguments, short
from agent.loose import Reader, Unreadable, whole
from agent.tagged import Found, tagged_calls
from tools.base import Call

MAX_CHARS = 64 * 1024
MAX_CALLS = 16
MAX_NOTES = 16
_NAMES = ("name", "tool", "expert", "tool_name", "function_name", "action", "function", "recipient_name")
_ARGS = ("arguments", "args", "parameters", "params", "input", "action_input", "kwargs", "tool_input", "tool_args")
_LISTS = ("tool_calls", "calls", "tools", "actions", "tool_uses", "function_call", "tool_call", "functions")
_MARKERS = re.compile(
    r"<\|[^<>|]{1,40}\|>|<｜[^<>｜]{1,40}｜>|</?(?:tool_call|tools|function_calls?|tool_calls|call|calls|tool_code)>"
    r"|<(?:start|end)_function_call>|\[/?TOOL_CALLS?\]|\[(?:ARGS|CALL_ID)\]|```[ \t]*\w{0,20}"
)
_LINE = re.compile(
    r"[ \t]*(?:(?:[-*•>]|\d{1,2}[.)])[ \t]+)?[*`]{0,2}([A-Za-z_][\w.-]{0,63})[*`]{0,2}[ \t]*([:=({]|[ \t]*$)", re.M
)
_LEAD = re.compile(
    r"[ \t]*(?:✿FUNCTION✿|Action|Tool|Tool call|Function|Call|Expert|call)[ \t]*:[ \t]*(?=[A-Za-z_])", re.I
)
_ARGS_LEAD = re.compile(r"[ \t]*(?:✿ARGS✿|Action Input|Arguments|Args|Parameters|Input)[ \t]*:[ \t]*", re.I)
_NAMED_LINE = re.compile(r"\s*([A-Za-z_]\w{0,40})\s*=(?!=)")


class ParsedCalls(BaseModel):
    """The calls that can be made, in order, without doubles, and a line for each thing that could not be used."""

    calls: list[Call] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)


def parse_calls(text: str, schemas: Sequence[dict[str, Any]], picture_size: Size) -> ParsedCalls:
    """The calls in a controller's text. `schemas` are the `Tool.schema()` at hand; `picture_size` is width, height."""
    known = {bare(schema["name"]): schema["name"] for schema in schemas}
    notes = []
    if len(text) > MAX_CHARS:
        notes.append(f"only the first {MAX_CHARS} characters were read for calls")
    found, unknown = Finder(whole(text[:MAX_CHARS]), known).find()
    parsed = check_calls(found, schemas, picture_size)
    for name in unknown:
        notes.append(f"there is no expert {short(name)!r}, there are: {', '.join(known.values()) or 'none'}")
    parsed.notes = [*notes, *parsed.notes][:MAX_NOTES]
    return parsed


def check_calls(found: Sequence[Found], schemas: Sequence[dict[str, Any]], picture_size: Size) -> ParsedCalls:
    """(name, raw arguments) pairs, as tool-calling APIs give them, fitted to the schemas."""
    by_name = {bare(schema["name"]): schema for schema in schemas}
    parsed = ParsedCalls()
    for name, raw in found:
        schema = by_name.get(plain_name(name))
        if schema is None:
            there = ", ".join(schema["name"] for schema in schemas) or "none"
            parsed.notes.append(f"there is no expert {short(name)!r}, there are: {there}")
            continue
        try:
            args, notes = fit_arguments(opened(raw), schema["parameters"], picture_size)
        except (Misfit, OverflowError) as problem:
            parsed.notes.append(f"{schema['name']}: {problem}")
            continue
        parsed.notes += [f"{schema['name']}: {note}" for note in notes]
        call = Call(expert=schema["name"], args=args)
        if call in parsed.calls:
            continue
        if len(parsed.calls) == MAX_CALLS:
            parsed.notes.append(f"at most {MAX_CALLS} calls in one turn, the rest was left out")
            break
        parsed.calls.append(call)
    parsed.notes = parsed.notes[:MAX_NOTES]
    return parsed


def opened(raw: Any) -> Any:
    """Arguments that are JSON inside a string, once more read; other values as they are."""
    if not isinstance(raw, str) or raw.lstrip()[:1] not in ("{", "["):
        return raw
    try:
        return Reader(raw[:MAX_CHARS]).value(0)[0]
    except Unreadable:
        return raw


def plain_name(name: str) -> str:
    """`functions.read`, `Read`, `read_tool` → what `bare` makes of the expert's own name."""
    return bare(re.split(r"[.:/]", name.strip()[:200])[-1])


class Finder:
    """One pass over a text; `find` gives (name, raw arguments) in order, and unknown names that looked like calls."""

    def __init__(self, text: str, known: dict[str, str]) -> None:
        self.known = known
        self.unknown: list[str] = []
        self.pending: tuple[int, str] | None = None
        self.text, self.found = tagged_calls(_MARKERS.sub("\n", without_thoughts(text)))
        self.reader = Reader(self.text)

    def find(self) -> tuple[list[Found], list[str]]:
        at = 0
        while at < len(self.text):
            end = self.text.find("\n", at)
            end = len(self.text) if end < 0 else end
            at = max(self._line(at, end), at + 1)
        self._flush()
        ordered = sorted(self.found, key=lambda item: item[0])
        return [call for _, call in ordered], list(dict.fromkeys(self.unknown))[:MAX_NOTES]

    def _line(self, at: int, end: int) -> int:
        """Reads what begins on this line; returns where to go on."""
        start = at + len(self.text[at:end]) - len(self.text[at:end].lstrip(" \t"))
        if start == end:
            return end + 1
        if lead := _LEAD.match(self.text, start, end):
            start = lead.end()
        elif self.pending and (lead := _ARGS_LEAD.match(self.text, start, end)):
            return self._rest(self.pending[1], lead.end(), end, pending=True)
        if self.text[start] in "{[(" or (self.pending and self.text[start] in "\"'"):
            if (after := self._value(start)) is not None:
                return after
            start += 1
        line = _LINE.match(self.text, start, end)
        if line and plain_name(line[1]) in self.known:
            if line[2] in ":=({" and line[2]:
                self._flush()
                return self._rest(line[1], line.end() if line[2] in ":=" else line.end() - 1, end)
            if line[1] == line[1].lower():
                self._flush()
                self.pending = (start, line[1])
                return end + 1
        brace = self.text.find("{", start, end)
        if brace >= 0 and (after := self._value(brace)) is not None:
            return after
        if line and line[2] in (":", "(") and re.fullmatch(r"[a-z][a-z0-9_]{0,31}", line[1]):
            self.unknown.append(line[1])
        return end + 1

    def _rest(self, name: str, at: int, end: int, pending: bool = False) -> int:
        """Arguments after `name:` or `name(`, on this line or as a value that goes on over the next ones."""
        where, self.pending = (self.pending[0] if pending and self.pending else at), None
        rest = self.text[at:end].strip()
        if not rest:
            self.pending = (where, name)
            return end + 1
        start = at + len(self.text[at:end]) - len(self.text[at:end].lstrip())
        try:
            if rest[0] == "(":
                positional, named, after = self.reader.arguments(start + 1)
                self._add(where, name, {**named} if named else positional)
                return after
            if rest[0] in "{[":
                value, after = self.reader.value(start)
                tail = self.text[after:end].strip()
                if rest[0] == "{" or not tail.startswith((",", ";")):
                    self._add(where, name, value)
                    return after
            elif _NAMED_LINE.match(rest):
                positional, named, after = self.reader.arguments(start, "\n")
                if not positional:
                    self._add(where, name, named)
                    return after
        except Unreadable:
            pass
        self._add(where, name, rest.rstrip(",;"))
        return end + 1

    def _value(self, at: int) -> int | None:
        """A structure that begins here: the calls in it, or the arguments that an expert's name waits for."""
        try:
            value, after = self.reader.value(at)
        except Unreadable:
            return None
        calls = calls_in(value, self.known)
        if calls:
            self._flush()
            for call in calls:
                self._add(at, *call)
        elif self.pending:
            where, name = self.pending
            self.pending = None
            self._add(where, name, value)
        return after

    def _add(self, at: int, name: str, raw: Any) -> None:
        if len(self.found) <= 4 * MAX_CALLS:
            self.found.append((at, (name, raw)))

    def _flush(self) -> None:
        if self.pending:
            where, name = self.pending
            self.pending = None
            self._add(where, name, None)


def without_thoughts(text: str) -> str:
    """The text after the last `</think>`; nothing of a thought that never ends."""
    if "</think>" in text:
        return text.rpartition("</think>")[2]
    return text.partition("<think>")[0]


def calls_in(value: Any, known: dict[str, str], depth: int = 0) -> list[Found]:
    """The calls in a decoded structure, whatever its shape."""
    if depth > 6:
        return []
    if isinstance(value, list):
        return [call for item in value[: 8 * MAX_CALLS] for call in calls_in(item, known, depth + 1)]
    if isinstance(value, str) and depth:
        line, _, rest = value.strip().partition(":")
        return [(line, rest)] if plain_name(line) in known else []
    if not isinstance(value, dict):
        return []
    for key in _LISTS:
        if isinstance(value.get(key), list | dict) and (calls := calls_in(value[key], known, depth + 1)):
            return calls
    if isinstance(value.get("function"), dict):
        return calls_in(value["function"], known, depth + 1)
    for key in _NAMES:
        if isinstance(name := value.get(key), str):
            args = next((value[other] for other in _ARGS if other in value), None)
            if args is None and not any(other in value for other in _ARGS):
                args = {k: v for k, v in value.items() if k not in (key, "type", "id", "index")}
            if plain_name(name) in known or any(other in value for other in _ARGS):
                return [(name, args)]
    named = [(str(key), args) for key, args in value.items() if plain_name(str(key)) in known]
    return named if len(named) == len(value) else []
