"""A generated page: text lines with exact places, questions whose answers are spans of those lines, and its picture.

Blocks (labelled fields, tables, paragraphs, headings, rows of words) write lines below a cursor, measured with the real
font, so that the places are right with or without rendering; `render` draws the page for an OCR engine to read.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from policies.data.values import Values

FONT_FOLDERS = ("/usr/share/fonts/truetype", "/usr/share/fonts/opentype", "/Library/Fonts")
UNSUITABLE = ("mathtex", "symbol", "dingbat", "braille", "music", "emoji")


@dataclass
class Span:
    """Characters `start:end` of line number `line`."""

    line: int
    start: int
    end: int


@dataclass
class Question:
    """A question about a page. The answer is the text of `spans` joined by spaces; no spans: not in the image."""

    text: str
    spans: list[Span]
    kind: str


@dataclass
class Line:
    """A text line as an OCR engine gives it: `box` is x1, y1, x2, y2 in pixels."""

    text: str
    box: tuple[float, float, float, float]


@dataclass
class Page:
    width: int
    height: int
    font: str | None
    lines: list[Line] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    facts: set[str] = field(default_factory=set)  # field keys that stand on the page, so that absent ones can be asked

    def write(self, x: float, y: float, text: str, size: int, align: str = "left") -> int:
        """Add a line with its left, middle or right edge at `x` and its top at `y`; returns its number."""
        width = measure(self.font, size, text)
        x -= {"left": 0.0, "middle": width / 2, "right": width}[align]
        self.lines.append(Line(text, (x, y, x + width, y + size * 1.15)))
        return len(self.lines) - 1

    def ask(self, question: str, kind: str, *spans: Span) -> None:
        self.questions.append(Question(question, list(spans), kind))

    def whole(self, line: int) -> Span:
        return Span(line, 0, len(self.lines[line].text))

    def part(self, line: int, text: str) -> Span:
        """The span of `text` in `line`, its last occurrence."""
        start = self.lines[line].text.rindex(text)
        return Span(line, start, start + len(text))

    def answer(self, question: Question) -> str:
        return " ".join(self.lines[s.line].text[s.start : s.end] for s in question.spans)


@functools.lru_cache(maxsize=1)
def fonts() -> list[str]:
    """Font files for text in Latin script found on this machine, sorted by name."""
    found = [p for folder in FONT_FOLDERS for p in Path(folder).rglob("*.[to]tf")]
    names = sorted(str(p) for p in found if not any(word in p.name.lower() for word in UNSUITABLE))
    return [name for name in names if _has_latin(name)]


def _has_latin(name: str) -> bool:
    """False for fonts of other scripts, which draw a box for every Latin letter."""
    font = load_font(name, 24)
    missing = bytes(font.getmask("\uffff"))
    return all(bytes(font.getmask(char)) not in (missing, b"") for char in "Ag7é€")


@functools.lru_cache(maxsize=512)
def load_font(font: str | None, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font in pixels; Pillow's own where the machine has none."""
    if font:
        return ImageFont.truetype(font, size, layout_engine=ImageFont.Layout.BASIC)
    return ImageFont.load_default(size)


@functools.lru_cache(maxsize=512)
def _average(font: str | None) -> dict[str, float]:
    at = load_font(font, 100)
    return {chr(c): at.getlength(chr(c)) / 100 for c in (*range(32, 127), *range(161, 383))}


def measure(font: str | None, size: int, text: str) -> float:
    """Width of `text` in pixels, by advance widths (no kerning)."""
    table = _average(font)
    return sum(table.get(char, 0.6) for char in text) * size


def new_page(values: Values) -> Page:
    """An empty page of random size, from a label to a poster, in a random font."""
    rng = values.rng
    names = fonts()
    font = rng.choice(names) if names else None
    width = rng.choice([900, 1200, 1600, 2000, 2400, 3000])
    return Page(width, int(width * rng.choice([0.6, 0.75, 1.0, 1.3, 1.41])), font)


def render(page: Page, values: Values) -> Image.Image:
    """The page as an RGB picture: paper and ink colours, rules, a little blur-free noise; black on white most of the time."""
    rng = values.rng
    dark = rng.random() < 0.12
    paper = tuple(rng.randint(0, 60) if dark else rng.randint(215, 255) for _ in range(3))
    ink = tuple(rng.randint(200, 255) if dark else rng.randint(0, 80) for _ in range(3))
    bottom = max([line.box[3] for line in page.lines] + [100])
    picture = Image.new("RGB", (page.width, int(max(bottom + 40, min(page.height, bottom * 1.5)))), paper)
    draw = ImageDraw.Draw(picture)
    for line in page.lines:
        x1, y1, _, y2 = line.box
        size = max(8, round((y2 - y1) / 1.15))
        draw.text((x1, y1), line.text, fill=ink, font=load_font(page.font, size))
    if rng.random() < 0.4:
        for line in page.lines[:: rng.randint(2, 6)]:
            draw.line((page.width * 0.04, line.box[3] + 4, page.width * 0.96, line.box[3] + 4), fill=ink, width=1)
    return picture
