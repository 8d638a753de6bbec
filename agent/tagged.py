"""Expert calls written as XML-like tags: `<function=read><parameter=box>…`, `<invoke name="read">…`, GLM's pairs.

One pass over the tags; what is not part of a call is handed back for the other forms.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

Found = tuple[str, Any]
_TAGS = re.compile(r"<(/?)(function|invoke|parameter|arg_key|arg_value)\b([^<>]{0,200})>")


def tagged_calls(text: str) -> tuple[str, list[tuple[int, Found]]]:
    """(the text with the calls blanked out, calls with their positions)."""
    tags = list(_TAGS.finditer(text))
    calls: list[_Tagged] = []
    call: _Tagged | None = None
    free = 0  # where text outside calls begins
    for index, tag in enumerate(tags):
        closing, kind, attribute = bool(tag[1]), tag[2], tag[3]
        end = tags[index + 1].start() if index + 1 < len(tags) else len(text)
        content = text[tag.end() : end].strip()
        if call:
            call.end = tag.end() if closing else end
        if kind in ("function", "invoke"):
            if call and not closing:
                call.end = tag.start()
            call, free = None, tag.end()
            if not closing and (name := _attribute(attribute)):
                calls.append(call := _Tagged(name, tag.start(), end, content))
        elif kind == "arg_key" and not closing:
            if call is None:
                before = text[free : tag.start()].rstrip()
                start = free + before.rfind("\n") + 1
                calls.append(call := _Tagged(text[start : tag.start()].strip(), start, end, ""))
            call.key = content
        elif call and not closing and kind in ("parameter", "arg_value"):
            call.args[_attribute(attribute) if kind == "parameter" else call.key] = content
        elif call and closing and kind == "arg_value" and content:
            call, free = None, tag.end()
    out, last = [], 0
    for call in calls:
        out += [text[last : call.start], "\n" + " " * (call.end - call.start - 1)]
        last = call.end
    found = [(call.start, (call.name, call.args or call.body or None)) for call in calls]
    return "".join(out) + text[last:], found


@dataclass
class _Tagged:
    """One call while its tags are read: `text[start:end]`."""

    name: str
    start: int
    end: int
    body: str
    key: str = ""
    args: dict[str, str] = field(default_factory=dict)


def _attribute(text: str) -> str:
    """`=read`, ` name="read"` → `read`."""
    return text.partition("=")[2].strip(" \"'/")
