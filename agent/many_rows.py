"""The questions of `p2g ask-many`, from JSONL, CSV, or a folder of pictures; a bad row keeps its place and says why.

A row has `image` (a path, relative to the file) and `question`, and may have `options`, `id` and `mode`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, Field

from agent.types import Mode
from tools.errors import UsageError

COLUMNS = ("image", "question", "options", "id", "mode")
PICTURES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".jp2", ".avif", ".ico", ".tga", ".qoi"}
)


class Wanted(BaseModel):
    """One question to be asked; with `error` it cannot be."""

    key: str = Field(description="its number in the input, from 1")
    id: str
    image: str = ""
    question: str = ""
    options: list[str] | None = None
    mode: Mode | None = None
    error: str | None = None


def read_rows(source: Path, question: str | None = None) -> list[Wanted]:
    """The rows of a file, or of a folder's pictures in the order of their names. `question` is for rows without one.

    Raises `UsageError` for what makes the whole input unusable.
    """
    try:
        if source.is_dir():
            return list(of_folder(source, question))
        data = source.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{source} does not exist; give a .jsonl or .csv file, or a folder of pictures") from None
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error.strerror or error}") from None
    readers = {".jsonl": of_jsonl, ".ndjson": of_jsonl, ".csv": of_csv}
    if (reader := readers.get(source.suffix.lower())) is None:
        raise UsageError(f"{source} must end in .jsonl or .csv, or be a folder of pictures")
    rows = [wanted(number, row, question) for number, row in enumerate(reader(data, source), start=1)]
    if not rows:
        raise UsageError(f"{source} has no question")
    return rows


def of_folder(folder: Path, question: str | None) -> Iterator[Wanted]:
    """One row for every picture in the folder and below."""
    if not (question and question.strip()):
        raise UsageError(f"{folder} is a folder: say with --question what is asked of every picture in it")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES and path.is_file())
    if not found:
        raise UsageError(f"{folder} holds no picture (of {', '.join(sorted(PICTURES))})")
    for number, path in enumerate(found, start=1):
        name = path.relative_to(folder).as_posix()
        yield Wanted(key=str(number), id=name, image=name, question=question.strip())


def of_jsonl(data: bytes, source: Path) -> Iterator[dict[str, Any] | str]:
    """An object a line; for a line that is none, what is wrong with it."""
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield f"line {number} is no JSON: {' '.join(str(error).split())[:200]}"
            continue
        yield row if isinstance(row, dict) else f"line {number} is no object like {{'image': ..., 'question': ...}}"


def of_csv(data: bytes, source: Path) -> Iterator[dict[str, Any] | str]:
    """A row for each record; the first line names the columns, in any order."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{source} is no UTF-8 at byte {error.start}: save it as UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [name.strip().lower() for name in next(reader, [])]
    check_header(header, source)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"line {reader.line_num}: {error}"
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header):
            yield f"line {reader.line_num} has {len(cells)} cells for {len(header)} columns: quote cells with commas"
        else:
            yield {name: cell for name, cell in zip(header, cells, strict=False) if cell.strip()}


def check_header(header: list[str], source: Path) -> None:
    if unknown := [name for name in header if name not in COLUMNS]:
        raise UsageError(f"{source}: unknown column {unknown[0]!r}; the columns are {', '.join(COLUMNS)}")
    if twice := [name for name in COLUMNS if header.count(name) > 1]:
        raise UsageError(f"{source}: column {twice[0]!r} is there twice")
    if "image" not in header:
        raise UsageError(f"{source}: the first line must name the columns, image among them")


def wanted(number: int, row: dict[str, Any] | str, question: str | None) -> Wanted:
    """The row as it will be asked, or with what is wrong with it."""
    key = str(number)
    if isinstance(row, str):
        return Wanted(key=key, id=key, error=row)
    given = row.get("id")
    out = Wanted(key=key, id=key if given is None or given == "" else str(given)[:200])
    if unknown := [str(name) for name in row if name not in COLUMNS]:
        return failed(out, f"unknown field {unknown[0][:60]!r}; a row has {', '.join(COLUMNS)}")
    image, asked = row.get("image"), row.get("question", question)
    out.image, out.question = image if isinstance(image, str) else "", asked if isinstance(asked, str) else ""
    if not out.image.strip():
        return failed(out, "image is missing: give the path of a picture")
    if not out.question.strip():
        return failed(out, "question is missing: say what you want to know, or give --question for all rows")
    try:
        out.options = options_of(row.get("options"))
        out.mode = mode_of(row.get("mode"))
    except ValueError as error:
        return failed(out, str(error))
    return out


def failed(row: Wanted, why: str) -> Wanted:
    return row.model_copy(update={"error": why})


def options_of(value: Any) -> list[str] | None:
    """A list of texts, or one text with `;` between them."""
    if value is None or value == "" or value == []:
        return None
    if isinstance(value, str):
        return [part.strip() for part in value.strip().strip(";").split(";")]
    if isinstance(value, list) and all(isinstance(option, str) for option in value):
        return value
    raise ValueError('options must be a list of texts, or one text like "red;green;blue"')


def mode_of(value: Any) -> Mode | None:
    if value is None or value == "":
        return None
    for mode in get_args(Mode):
        if value == mode:
            return mode
    raise ValueError(f"unknown mode {str(value)[:40]!r}: choose {', '.join(get_args(Mode))}")
