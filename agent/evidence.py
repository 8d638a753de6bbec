"""The evidence picture: numbered boxes on the image, and beside it a legend with a crop and the words of each region.

The crops are cut from the original pixels, so that a line of small text stays readable when the whole image is shrunk
to fit a screen. Texts come from images: they are only ever drawn, and any script or control character is safe.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from tools.base import Region
from tools.pictures import Picture

COLOURS = ["#e6194b", "#0a7f3f", "#4363d8", "#c75a00", "#911eb4", "#00798c", "#b0187c", "#8a5a00"]
FONTS = ["DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial Unicode.ttf", "arial.ttf"]
WIDE_FONTS = ["NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "msyh.ttc"]
MAX_ROWS = 24

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


def draw_evidence(
    picture: Picture, regions: Sequence[Region], title: str = "", max_side: int | None = 2000
) -> Image.Image:
    """An RGB image: the picture (longer side at most `max_side` pixels; None keeps its size) and the legend beside it.

    Boxes and tags grow with the picture; rows after the 24th are counted, not drawn.
    """
    scale = min(1.0, max_side / max(picture.size)) if max_side else 1.0
    main = picture.thumbnail(max_side) if max_side else picture.image.copy()
    unit = max(12, round(max(main.size) / 70))  # text height in pixels of the result
    pen = ImageDraw.Draw(main)
    for number, region in enumerate(regions, 1):
        _draw_box(pen, main.size, region, number, scale, unit)
    if not (regions or title):
        return main
    legend = _legend(picture, regions, title, width=max(unit * 24, round(main.width * 0.45)), unit=unit)
    page = Image.new("RGB", (main.width + legend.width, max(main.height, legend.height)), "white")
    page.paste(main, (0, 0))
    page.paste(legend, (main.width, 0))
    return page


def printable(text: str, limit: int = 200) -> str:
    """One line of visible characters: controls, escapes and line breaks become spaces; at most `limit` characters."""
    line = "".join(" " if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else char for char in text)
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def words_of(region: Region) -> str:
    """What a region says: its text, or else its label."""
    return printable(region.text if region.text is not None else region.label)


def _colour(number: int) -> str:
    return COLOURS[(number - 1) % len(COLOURS)]


def _draw_box(
    pen: ImageDraw.ImageDraw, size: tuple[int, int], region: Region, number: int, scale: float, unit: int
) -> None:
    width = max(2, unit // 6)
    x1, y1, x2, y2 = (side * scale for side in region.box)
    box = (max(0, x1 - width), max(0, y1 - width), min(size[0] - 1, x2 + width), min(size[1] - 1, y2 + width))
    if box[0] >= box[2] or box[1] >= box[3]:  # outside the picture
        return
    pen.rectangle(box, outline=_colour(number), width=width)
    font, label = _font(unit), str(number)
    tag = pen.textlength(label, font=font) + unit * 0.6
    left = max(0.0, box[0] - tag) if box[0] >= tag else min(box[2], size[0] - tag)
    top = max(0.0, min(box[1], size[1] - unit * 1.3))
    pen.rectangle((left, top, left + tag, top + unit * 1.3), fill=_colour(number))
    pen.text((left + tag / 2, top + unit * 0.65), label, fill="white", font=font, anchor="mm")


def _legend(picture: Picture, regions: Sequence[Region], title: str, width: int, unit: int) -> Image.Image:
    gap, rows = unit // 2, []
    if title:
        rows.append(_paragraph(printable(title, 600), width - 2 * gap, unit, "black"))
    for number, region in enumerate(regions[:MAX_ROWS], 1):
        rows.append(_row(picture, region, number, width - 2 * gap, unit))
    if len(regions) > MAX_ROWS:
        rows.append(_paragraph(f"and {len(regions) - MAX_ROWS} more", width - 2 * gap, unit, "#555555"))
    legend = Image.new("RGB", (width, sum(row.height + gap for row in rows) + gap), "white")
    top = gap
    for row in rows:
        legend.paste(row, (gap, top))
        top += row.height + gap
    return legend


def _row(picture: Picture, region: Region, number: int, width: int, unit: int) -> Image.Image:
    """Number, crop, and under it what the expert said."""
    indent = round(unit * 2.2)
    crop = _crop(picture, region, width - indent, unit)
    said = _paragraph(
        f"{words_of(region)}  ({printable(region.source, 64)} {region.score:.2f})", width - indent, unit, "black"
    )
    height = said.height + (crop.height + unit // 4 if crop else 0)
    row = Image.new("RGB", (width, max(height, round(unit * 1.4))), "white")
    pen = ImageDraw.Draw(row)
    pen.rectangle((0, 0, indent - unit * 0.4, unit * 1.3), fill=_colour(number))
    pen.text(((indent - unit * 0.4) / 2, unit * 0.65), str(number), fill="white", font=_font(unit), anchor="mm")
    if crop:
        row.paste(crop, (indent, 0))
    row.paste(said, (indent, crop.height + unit // 4 if crop else 0))
    return row


def _crop(picture: Picture, region: Region, width: int, unit: int) -> Image.Image | None:
    """The region's pixels in a frame of `width` by five lines; small ones are enlarged up to three times."""
    x1, y1, x2, y2 = region.box
    x1, y1, x2, y2 = max(0.0, x1), max(0.0, y1), min(picture.width, x2), min(picture.height, y2)
    if x1 >= x2 or y1 >= y2:
        return None
    scale = min(width / (x2 - x1), 5 * unit / (y2 - y1), 3.0)
    crop = picture.crop((x1, y1, x2, y2), scale)
    return crop.crop((0, 0, min(crop.width, width), min(crop.height, 6 * unit)))


def _paragraph(text: str, width: int, unit: int, colour: str) -> Image.Image:
    """`text` broken into lines no wider than `width`, between words or, where a word is too long, inside it."""
    lines, line = [], ""
    for word in text.split(" "):
        while word:
            joined = f"{line} {word}" if line else word
            if _length(joined, unit) <= width:
                line, word = joined, ""
            elif line:
                lines.append(line)
                line = ""
            else:
                cut = next((n for n in range(len(word), 1, -1) if _length(word[:n], unit) <= width), 1)
                lines.append(word[:cut])
                word = word[cut:]
    lines.append(line)
    height = round(unit * 1.35)
    image = Image.new("RGB", (width, height * len(lines)), "white")
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        left = 0.0
        for font, piece in _runs(line, unit):
            pen.text((left, number * height + unit), piece, fill=colour, font=font, anchor="ls")
            left += font.getlength(piece)
    return image


def _length(text: str, size: int) -> float:
    return sum(font.getlength(piece) for font, piece in _runs(text, size))


def _runs(text: str, size: int) -> list[tuple[Font, str]]:
    """The text in pieces, each with a font that can draw it (a box where no font can)."""
    runs: list[tuple[Font, str]] = []
    for char in text:
        font = _font(size) if char.isascii() or _can_draw(char, size) else _font(size, wide=True)
        if runs and runs[-1][0] is font:
            runs[-1] = (font, runs[-1][1] + char)
        else:
            runs.append((font, char))
    return runs


@lru_cache(maxsize=4096)
def _can_draw(char: str, size: int) -> bool:
    """Whether the font has this character: it does not look like a character that no font has."""
    font = _font(size)
    return bytes(font.getmask(char)) != bytes(font.getmask("\U0010fffe"))


@lru_cache(maxsize=32)
def _font(size: int, wide: bool = False) -> Font:
    """A font of the system, for scripts like Chinese when `wide`; Pillow's own (Latin only) where there is none."""
    for name in WIDE_FONTS if wide else FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return _font(size) if wide else ImageFont.load_default(size)
