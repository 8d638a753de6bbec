"""Fits what a controller wrote as arguments to an expert's JSON schema: names, types, boxes; else says what is wrong.

Boxes: values up to 1 are fractions of the picture; larger ones are pixels when they fit the picture (5 % beyond its
edges counts as fitting); larger ones that do not fit but are at most 1000 are thousandths. Corners may be swapped;
what sticks out is cut off; a box without area is rejected.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from agent.loose import Reader, Unreadable, scalar
from tools import boxes

MAX_TEXT = 2000
_BOX_NAMES = {"box", "bbox", "bbox2d", "box2d", "region", "area", "coordinates", "coords", "rect", "crop"}
_CORNERS = (
    ("x1", "y1", "x2", "y2"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("left", "top", "right", "bottom"),
    ("x0", "y0", "x1", "y1"),
)
_SIZES = (("x", "y", "w", "h"), ("x", "y", "width", "height"), ("left", "top", "width", "height"))
_BOOLS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
Size = tuple[int, int]


class Misfit(ValueError):
    """Arguments that cannot be used; the message is one line for the controller."""


def fit_arguments(raw: Any, parameters: dict[str, Any], size: Size) -> tuple[dict[str, Any], list[str]]:
    """(arguments that match the schema, notes about what was left out). Raises `Misfit`.

    `raw` is a dict, a list of positional values, a plain text or None, as `agent.calls` found it.
    """
    defs = parameters.get("$defs", {})
    fields = {name: options(field, defs) for name, field in parameters.get("properties", {}).items()}
    required = [name for name in parameters.get("required", []) if name in fields]
    order = [*required, *(name for name in fields if name not in required)]
    notes: list[str] = []
    if isinstance(raw, str):
        raw = from_text(raw.strip(), fields, order)
    if isinstance(raw, list):
        raw = from_list(raw, fields, order)
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raw = from_list([raw], fields, order)
    named, unknown = match_names(raw, fields, required)
    for key in unknown:
        takes = ", ".join(fields) or "no arguments"
        notes.append(f"{short(key)} is not an argument and was ignored, it takes {takes}")
    found = {}
    for name, value in named.items():
        if value is None and name not in required:
            continue
        found[name] = fit(value, fields[name], size, name)
    missing = [name for name in required if name not in found]
    if missing:
        raise Misfit(f"needs {' and '.join(missing)}")
    return found, notes


def options(field: dict[str, Any], defs: dict[str, Any]) -> list[dict[str, Any]]:
    """The alternatives of a schema field without null, references resolved."""
    out: list[dict[str, Any]] = []
    for part in field.get("anyOf") or field.get("oneOf") or field.get("allOf") or [field]:
        if "$ref" in part:
            part = defs.get(str(part["$ref"]).rpartition("/")[2], {})
        if part.get("type") != "null":
            out.append(part)
    return out


def is_box(part: dict[str, Any]) -> bool:
    return part.get("type") == "array" and part.get("minItems") == 4 and part.get("maxItems") == 4


def takes(field: list[dict[str, Any]], kind: str) -> bool:
    if kind == "box":
        return any(is_box(part) for part in field)
    if kind == "texts":
        return any(part.get("type") == "array" and not is_box(part) for part in field)
    return any(part.get("type") == kind or (kind == "string" and "enum" in part) for part in field)


def from_text(text: str, fields: dict[str, list[dict[str, Any]]], order: list[str]) -> Any:
    """A text without names, such as `red car; dog` or `10 20 30 40`: for the first field that takes it."""
    if not text:
        return {}
    if (numbers := four_numbers(text)) is not None and (name := first(order, fields, "box")):
        return {name: numbers}
    if name := first(order, fields, "texts"):
        parts = text.split(";" if ";" in text else "," if "," in text else "\n")
        return {name: [unquote(part) for part in parts if part.strip()]}
    if name := first(order, fields, "string"):
        return {name: unquote(text)}
    if name := order[0] if order else "":
        return {name: scalar(text)}
    return {text: None}


def from_list(values: list[Any], fields: dict[str, list[dict[str, Any]]], order: list[str]) -> dict[str, Any]:
    """Values without names: a box, a list of texts, or the fields in order."""
    if len(values) == 1 and isinstance(values[0], dict):
        return values[0]
    if box_numbers(values) is not None and (name := first(order, fields, "box")):
        return {name: values}
    if len(values) == 1 and isinstance(values[0], str):
        text: dict[str, Any] = from_text(values[0].strip(), fields, order)
        return text
    texts = first(order, fields, "texts")
    if texts and values and all(isinstance(value, str) for value in values):
        return {texts: values}
    if len(values) > len(order):
        raise Misfit(f"got {len(values)} values, takes {', '.join(order) or 'no arguments'}")
    return dict(zip(order, values, strict=False))


def first(order: list[str], fields: dict[str, list[dict[str, Any]]], kind: str) -> str | None:
    return next((name for name in order if takes(fields[name], kind)), None)


def match_names(
    raw: dict[Any, Any], fields: dict[str, list[dict[str, Any]]], required: list[str]
) -> tuple[dict[str, Any], list[str]]:
    """(values by the schema's names, names that mean nothing). One wrong name for the one missing field is repaired."""
    plain = {bare(name): name for name in fields}
    named: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    for key, value in raw.items():
        name = plain.get(bare(str(key)))
        if name is None:
            unknown[str(key)] = value
        else:
            named[name] = value
    whole = next((corners for corners in (*_CORNERS, *_SIZES) if set(corners) <= {bare(key) for key in unknown}), None)
    if whole and (name := first([name for name in fields if name not in named], fields, "box")):
        named[name] = {bare(key): unknown.pop(key) for key in list(unknown) if bare(key) in whole}
    boxlike = [key for key, value in unknown.items() if bare(key) in _BOX_NAMES and as_box(value) is not None]
    free = [name for name in fields if name not in named and takes(fields[name], "box")]
    if len(boxlike) == 1 and len(free) == 1:
        named[free[0]] = unknown.pop(boxlike[0])
    lacking = [name for name in required if name not in named]
    if len(unknown) == 1 and len(lacking) == 1:
        key = next(iter(unknown))
        if unknown[key] is not None:
            named[lacking[0]] = unknown.pop(key)
    return named, list(unknown)


def fit(value: Any, field: list[dict[str, Any]], size: Size, name: str) -> Any:
    """The value as one of the field's types. Raises `Misfit`."""
    problem = Misfit(f"{name}: {short(value)} does not fit")
    for part in field or [{}]:
        try:
            return fit_one(value, part, size, name)
        except Misfit as error:
            problem = error
    raise problem


def fit_one(value: Any, part: dict[str, Any], size: Size, name: str) -> Any:
    kind = part.get("type")
    if "enum" in part:
        for choice in part["enum"]:
            if str(choice).casefold() == str(value).strip().casefold():
                return choice
        raise Misfit(f"{name}: {short(value)} is not one of {', '.join(map(str, part['enum']))}")
    if is_box(part):
        return fit_box(value, size, name)
    if kind == "array":
        return fit_array(value, part, size, name)
    if isinstance(value, list) and len(value) == 1 and kind != "object":
        value = value[0]
    if kind == "string":
        if isinstance(value, bool | dict | list) or value is None:
            raise Misfit(f"{name}: must be a text, got {short(value)}")
        text = str(value).strip()
        if not text or len(text) > MAX_TEXT:
            raise Misfit(f"{name}: is empty" if not text else f"{name}: is longer than {MAX_TEXT} characters")
        return text
    if kind in ("number", "integer"):
        number = scalar(value.strip()) if isinstance(value, str) else value
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise Misfit(f"{name}: must be a number, got {short(value)}")
        if kind == "integer" and number != int(number):
            raise Misfit(f"{name}: must be a whole number, got {short(value)}")
        return int(number) if kind == "integer" else number
    if kind == "boolean":
        known = value if isinstance(value, bool) else _BOOLS.get(str(value).strip().casefold())
        if known is None:
            raise Misfit(f"{name}: must be true or false, got {short(value)}")
        return known
    if kind == "object" and not isinstance(value, dict):
        raise Misfit(f"{name}: must be an object, got {short(value)}")
    return value


def fit_array(value: Any, part: dict[str, Any], size: Size, name: str) -> list[Any]:
    if isinstance(value, str):
        stripped = value.strip()
        if stripped.startswith("["):
            value = read_list(stripped)
        else:
            value = [unquote(piece) for piece in stripped.split(";" if ";" in stripped else ",") if piece.strip()]
    values = value if isinstance(value, list) else [value]
    item = part.get("items")
    fitted = [fit(one, [item], size, name) for one in values] if isinstance(item, dict) else list(values)
    least = part.get("minItems", 0)
    if len(fitted) < least:
        raise Misfit(f"{name}: needs at least {least}, got {len(fitted)}")
    return fitted


def fit_box(value: Any, size: Size, name: str) -> list[float]:
    """A box in pixels of the picture, see the module's docstring for how its unit is told."""
    numbers = as_box(value)
    if numbers is None:
        raise Misfit(f"{name}: must be [x1, y1, x2, y2], got {short(value)}")
    box = boxes.clamp(boxes.ordered(to_pixels(numbers, size)), size)
    if box is None or not (box[2] - box[0] > 0 and box[3] - box[1] > 0):
        raise Misfit(f"{name}: {short(value)} has no area inside the {size[0]}x{size[1]} picture")
    return [round(number, 2) for number in box]


def to_pixels(box: Sequence[float], size: Size) -> Sequence[float]:
    top = max(box)
    if top <= 1 or (top < 2 and any(number != int(number) for number in box)):
        return boxes.from_unit(box, size)
    fits = max(box[0], box[2]) <= size[0] * 1.05 and max(box[1], box[3]) <= size[1] * 1.05
    return box if fits or top > 1000 else boxes.from_unit(box, size, 1000)


def as_box(value: Any) -> list[float] | None:
    """Four finite numbers from the ways of writing a box: a list, two points, names, a text; or None."""
    if isinstance(value, str):
        return four_numbers(value)
    if isinstance(value, dict):
        low = {bare(str(key)): number for key, number in value.items()}
        for names in _CORNERS:
            if all(name in low for name in names):
                return box_numbers([low[name] for name in names])
        for names in _SIZES:
            if all(name in low for name in names) and (box := box_numbers([low[name] for name in names])):
                return list(boxes.from_xywh(box))
        return as_box(next(iter(value.values()))) if len(value) == 1 else None
    return box_numbers(value) if isinstance(value, list) else None


def box_numbers(values: list[Any]) -> list[float] | None:
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]
    if len(values) == 2 and all(isinstance(point, list) and len(point) == 2 for point in values):
        values = [*values[0], *values[1]]
    if len(values) != 4:
        return None
    numbers = [number_of(value) for value in values]
    return [number for number in numbers if number is not None] if None not in numbers else None


def number_of(value: Any) -> float | None:
    if isinstance(value, str):
        value = value.strip()
        if len(value) > 40:
            return None
        if value.endswith("%"):
            percent = number_of(value[:-1])
            return None if percent is None else percent / 100
        value = scalar(value.removesuffix("px").strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e9 else None


def four_numbers(text: str) -> list[float] | None:
    if len(text) > 200:
        return None
    if any(char.isalpha() for char in re.sub(r"px|e-?\d|[xy][0-2]?\s*[:=]|x(?:min|max)|y(?:min|max)", "", text)):
        return None
    parts = re.findall(r"-?(?:\d{1,12}(?:\.\d{0,12})?|\.\d{1,12})%?", re.sub(r"[xy][0-2]?\s*[:=]", " ", text))
    return box_numbers(parts) if len(parts) == 4 else None


def read_list(text: str) -> Any:
    try:
        return Reader(text).value(0)[0]
    except Unreadable:
        raise Misfit(f"cannot read {short(text)}") from None


def bare(name: str) -> str:
    """A name without case, spaces, dashes and underscores."""
    return "".join(char for char in name[:64].casefold() if char.isalnum())


def unquote(text: str) -> str:
    return text.strip().strip("\"'`“”‘’").strip()


def short(value: Any) -> str:
    """A value for a note: one line, at most 60 characters."""
    text = " ".join((value if isinstance(value, str) else repr(value))[:300].split())
    return text if len(text) <= 60 else text[:59] + "…"
