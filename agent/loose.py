"""Reads JSON as language models write it: single or curly quotes, Python literals, comments, missing ends, commas.

A hand-written reader, because nothing of a model's reply may be executed and a regular expression could be made to
hang. Every step moves forward; depth and the total number of steps are bounded.
"""

from __future__ import annotations

import math
import re
from typing import Any

MAX_DEPTH = 24
STEPS_PER_CHAR = 4
_CLOSING = {'"': '"”“', "'": "'’‘", "`": "`", "“": '”"', "”": '”"', "‘": "’'", "’": "’'", "«": "»"}
_WORDS = {"true": True, "yes": True, "false": False, "no": False, "null": None, "none": None, "undefined": None}
_NEXT_KEY = re.compile(r"[\"'“](\w{1,40})[\"'”]\s{0,4}[:=]")  # after a forgotten comma
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_SPACES = " \t\r\n\u00a0\ufeff"


class Unreadable(ValueError):
    """What stands here is no value."""


class Reader:
    """Reads values out of one text. `value` and `arguments` return (what was read, position after it)."""

    def __init__(self, text: str) -> None:
        self.text, self.steps = text, 1000 + STEPS_PER_CHAR * len(text)

    def value(self, at: int, depth: int = 0, stops: str = ",]})\n") -> tuple[Any, int]:
        at = self.skip(at)
        if depth > MAX_DEPTH:
            raise Unreadable("nested too deeply")
        char = self.text[at : at + 1]
        if char == "{":
            return self._object(at + 1, depth)
        if char and char in "[(":
            return self._array(at + 1, depth)
        if char in _CLOSING and char:
            return self._string(at)
        if char and char in "rbuf" and self.text[at + 1 : at + 2] in ("'", '"'):
            return self._string(at + 1)
        return self._bare(at, stops)

    def arguments(self, at: int, closer: str = ")") -> tuple[list[Any], dict[str, Any], int]:
        """`value, key=value, …` up to the closer (`)` or a newline): (positional, named, position after it)."""
        positional: list[Any] = []
        named: dict[str, Any] = {}
        while True:
            at = self.skip(at, newlines=closer != "\n")
            char = self.text[at : at + 1]
            if not char or char == closer:
                return positional, named, at + len(char)
            if char in ",;":
                at += 1
                continue
            key, after = self._key(at)
            if key is None:
                value, end = self.value(at, 1, stops=",;)\n" if closer == ")" else ",;\n")
                positional.append(value)
            else:
                value, end = self.value(after, 1, stops=",;)\n" if closer == ")" else ",;\n")
                named[key] = value
            if end <= at:
                raise Unreadable("no progress")
            at = end

    def skip(self, at: int, newlines: bool = True) -> int:
        """The position after white space and comments."""
        text, spaces = self.text, _SPACES if newlines else " \t"
        while at < len(text):
            if text[at] in spaces:
                at += 1
            elif newlines and (text.startswith("//", at) or text[at] == "#"):
                end = text.find("\n", at)
                at = len(text) if end < 0 else end + 1
            elif text.startswith("/*", at):
                end = text.find("*/", at)
                at = len(text) if end < 0 else end + 2
            else:
                break
            self._spend(1)
        return at

    def _object(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        while True:
            at = self.skip(at)
            char = self.text[at : at + 1]
            if not char or char in "])":
                return found, at
            if char == "}":
                return found, at + 1
            if char in ",;":
                at += 1
                continue
            key, after = self._key(at)
            if key is None:
                raise Unreadable("a key without a value")
            if not self.text[self.skip(after) : self.skip(after) + 1]:
                return found, len(self.text)
            found[key], at = self.value(after, depth + 1)

    def _array(self, at: int, depth: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        while True:
            at = self.skip(at)
            char = self.text[at : at + 1]
            if not char or char == "}":
                return found, at
            if char in "])":
                return found, at + 1
            if char in ",;":
                at += 1
                continue
            item, at = self.value(at, depth + 1)
            found.append(item)

    def _key(self, at: int) -> tuple[str | None, int]:
        """A key and the position after its `:`, `=` or `=>`; (None, at) when no key stands here."""
        start = at
        if self.text[at] in _CLOSING:
            try:
                key, at = self._string(at)
            except Unreadable:
                return None, start
        else:
            while at < len(self.text) and at - start < 64 and (self.text[at].isalnum() or self.text[at] in "_-. "):
                at += 1
            key = self.text[start:at].strip()
            self._spend(at - start)
        at = self.skip(at)
        if not key or self.text[at : at + 1] not in (":", "="):
            return None, start
        return key, at + (2 if self.text.startswith("=>", at) else 1)

    def _string(self, at: int) -> tuple[str, int]:
        """A quoted string. A quote inside it that nothing structural follows belongs to the string."""
        text, closing, start = self.text, _CLOSING[self.text[at]], at
        for mark in ('"""', "'''"):
            if text.startswith(mark, at):
                end = text.find(mark, at + 3)
                end = len(text) if end < 0 else end
                self._spend(end - at)
                return text[at + 3 : end], min(len(text), end + 3)
        out: list[str] = []
        at += 1
        while at < len(text):
            char = text[at]
            if char == "\\" and at + 1 < len(text):
                piece, at = self._escape(at)
                out.append(piece)
            elif char in closing and self._ends(at + 1):
                self._spend(at - start)
                return whole("".join(out)), at + 1
            else:
                out.append(char)
                at += 1
        self._spend(at - start)
        return whole("".join(out)).rstrip("}])\"' \t\r\n"), at

    def _ends(self, at: int) -> bool:
        """Whether a quote before `at` can end a string: the end, a newline or punctuation of the structure follows."""
        rest = self.text[at : at + 80].lstrip(" \t")
        if not rest or rest[0] in ",]}):=;\n\r" or rest.startswith(("//", "#")):
            return True
        return self.text[at] in " \t" and _NEXT_KEY.match(rest) is not None

    def _escape(self, at: int) -> tuple[str, int]:
        char = self.text[at + 1]
        if char == "u":
            digits = self.text[at + 2 : at + 6]
            if len(digits) == 4 and all(digit in "0123456789abcdefABCDEF" for digit in digits):
                return chr(int(digits, 16)), at + 6
        return _ESCAPES.get(char, char), at + 2

    def _bare(self, at: int, stops: str) -> tuple[Any, int]:
        start = at
        while at < len(self.text) and self.text[at] not in stops:
            at += 1
        self._spend(at - start)
        word = self.text[start:at].strip()
        if not word:
            raise Unreadable("no value")
        return scalar(word), at

    def _spend(self, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise Unreadable("too long")


def whole(text: str) -> str:
    """`text` with surrogate pairs (`\\ud83d\\ude00`) as the one character they mean, and single halves as `�`."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def scalar(word: str) -> Any:
    """A bare word as what it looks like: number, true/false/null in any language's spelling, else itself."""
    if word.casefold() in _WORDS:
        return _WORDS[word.casefold()]
    if len(word) > 40:
        return word
    try:
        return int(word)
    except ValueError:
        pass
    try:
        number = float(word)
    except ValueError:
        return word
    return number if math.isfinite(number) else word
