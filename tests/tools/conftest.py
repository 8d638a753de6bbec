"""Rendered pages for the tests of OCR engines, as the fixture `pages`."""

from types import SimpleNamespace

import pytest
from PIL import Image, ImageDraw, ImageFont

LINES = [
    "Invoice No. 20417 of 14 March 2023",
    "Harbour Street 58, Port Linden",
    "Blue enamel kettle 2 x 34.90 EUR",
    "Total amount due: 1,249.50 EUR",
    "Questions? Call +49 30 5557 2231",
    "Thank you for your order!",
]


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.truetype("DejaVuSans.ttf", size)
    except OSError:
        return ImageFont.load_default(size)


def page(size=(900, 500), texts=None, font_size=26, background="white", ink="black") -> Image.Image:
    """`texts` are (x, y, text); without them `LINES`, one below the other."""
    image = Image.new("RGB", size, background)
    draw = ImageDraw.Draw(image)
    for x, y, text in texts or [(60, 40 + 70 * i, text) for i, text in enumerate(LINES)]:
        draw.text((x, y), text, font=font(font_size), fill=ink)
    return image


@pytest.fixture(scope="session")
def pages() -> SimpleNamespace:
    return SimpleNamespace(LINES=LINES, font=font, page=page)
