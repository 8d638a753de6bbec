"""Every format and mode that Pillow writes, whole, cut off and damaged, opens as RGB or is refused in one line."""

from __future__ import annotations

import io
import itertools
import random
import struct
import warnings
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image, ImageCms

from tools.pictures import FORMATS, Picture, PictureError, PictureLimits

MODES = [
    "1",
    "L",
    "LA",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "I;16",
    "La",
    "RGBa",
]
ELSEWHERE = {"PDF", "EPS", "WMF", "HDF5", "BUFR", "GRIB"}  # Pillow writes them by programs or not at all
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")
SMALL = PictureLimits(max_pixels=4_000_000, max_bytes=10_000_000)

Image.init()


def written() -> Iterator[tuple[str, str, bytes]]:
    """(format, mode, bytes) of everything that this Pillow can write."""
    grey = Image.fromarray(np.random.default_rng(3).integers(0, 255, (23, 31), dtype=np.uint8))
    colour = Image.merge("RGB", [grey, grey.rotate(180), Image.eval(grey, lambda value: 255 - value)])
    for kind, mode in itertools.product(sorted(set(Image.SAVE) - ELSEWHERE), MODES):
        source = grey if mode in ("L", "1", "I", "F", "I;16") else colour
        if mode in ("PA", "La", "RGBa"):
            source = source.convert({"PA": "P", "La": "LA", "RGBa": "RGBA"}[mode])
        image = Image.new("LAB", source.size, (120, 30, 200)) if mode == "LAB" else source.convert(mode)
        buffer = io.BytesIO()
        try:
            image.save(buffer, kind)
        except (OSError, ValueError, KeyError, SystemError, TypeError, AttributeError):  # not a mode of this format
            continue
        yield kind, mode, buffer.getvalue()


WRITTEN = list(written())


def one_line(error: Exception) -> str:
    text = str(error)
    assert "\n" not in text
    assert 10 < len(text) < 400
    return text


def outcome(data: bytes, limits: PictureLimits = SMALL) -> str | None:
    """None when `data` opens as RGB within the limits, else the one line that says why not."""
    try:
        picture = Picture.open(data, limits)
        pixels = picture.array()
    except PictureError as error:
        return one_line(error)
    assert picture.image.mode == "RGB"
    assert pixels.dtype == np.uint8
    assert pixels.shape == (picture.height, picture.width, 3)
    assert picture.width * picture.height <= limits.max_pixels
    return None


@pytest.mark.parametrize("kind", sorted({kind for kind, _, _ in WRITTEN}))
def test_every_mode_of_a_format_opens_or_is_named_as_no_known_format(kind):
    for _, mode, data in (found for found in WRITTEN if found[0] == kind):
        said = outcome(data)
        assert said is None if kind in FORMATS else "not a picture in a known format" in (said or ""), (mode, said)


@pytest.mark.parametrize("kind", sorted({kind for kind, _, _ in WRITTEN if kind in FORMATS}))
def test_cut_off_or_damaged_anywhere_it_opens_or_says_why_in_one_line(kind):
    random_ = random.Random(kind)
    refused = 0
    for _, _, data in (found for found in WRITTEN if found[0] == kind):
        places = {*range(0, 40, 3), *(random_.randrange(len(data)) for _ in range(12)), len(data) - 1}
        for place in sorted(places):
            refused += outcome(data[:place]) is not None
        for _ in range(24):
            damaged = bytearray(data)
            for _ in range(random_.choice((1, 1, 2, 8))):
                damaged[random_.randrange(min(len(data), random_.choice((64, len(data)))))] = random_.randrange(256)
            outcome(bytes(damaged))
        outcome(data + bytes(random_.randbytes(500)))
        outcome(data[: len(data) // 2] + data)
    assert refused > 20


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = b"".join(chunk(*one) for one in chunks)
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 4), (4, 20_000)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "GIF", "PPM", "TGA", "QOI"])
def test_thin_and_tiny_pictures(kind, size):
    buffer = io.BytesIO()
    Image.new("RGB", size, "red").save(buffer, kind)
    picture = Picture.open(buffer.getvalue())
    assert picture.size == size
    assert picture.array()[0, 0, 0] > 200
    assert max(picture.thumbnail(64).size) <= 64


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
def test_of_an_animation_the_first_frame_is_shown(kind):
    if kind not in Image.SAVE_ALL:
        pytest.skip(f"this Pillow writes no {kind} animations")
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("blue", "red", "green")]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
    with Image.open(io.BytesIO(buffer.getvalue())) as animation:
        assert getattr(animation, "n_frames", 1) == 3
    red, _, blue = Picture.open(buffer.getvalue()).array()[10, 10]
    assert red < 60
    assert blue > 180


@pytest.mark.parametrize(
    ("depth", "colour", "pixel"), [(16, 0, 2), (16, 2, 6), (16, 4, 4), (16, 6, 8), (1, 0, 1), (2, 0, 1), (4, 0, 1)]
)
def test_pngs_of_every_depth(depth, colour, pixel):
    white = png(1, 3, depth, colour, (b"\0" + b"\xff" * pixel) * 3)
    assert Picture.open(white).array().min() >= 254


def profiles() -> dict[str, bytes]:
    good = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return {
        "empty": b"",
        "cut": good[:60],
        "zeros": bytes(400),
        "huge": good[:128] + b"\xff" * 200_000,
        "text": b"x" * 9,
    }


@pytest.mark.parametrize("name", profiles())
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_broken_colour_profile_is_no_reason_to_refuse_a_picture(kind, name):
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10), "red").save(buffer, kind, icc_profile=profiles()[name])
    assert outcome(buffer.getvalue()) is None


def tiff_exif(entries: list[tuple[int, int, int, int]], next_ifd: int = 0) -> bytes:
    """EXIF of (tag, type, count, value or offset) as they are, however wrong."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries)) + body + struct.pack("<I", next_ifd)


HOSTILE_EXIF = {
    "orientation 9": tiff_exif([(0x0112, 3, 1, 9)]),
    "orientation 0": tiff_exif([(0x0112, 3, 1, 0)]),
    "orientation as text": tiff_exif([(0x0112, 2, 4, 0x41414141)]),
    "many orientations": tiff_exif([(0x0112, 3, 0xFFFFFFFF, 6)]),
    "offset far away": tiff_exif([(0x010F, 2, 0x7FFFFFFF, 0xFFFFFFF0), (0x0112, 3, 1, 6)]),
    "ifd in itself": tiff_exif([(0x8769, 4, 1, 8), (0x8825, 4, 1, 8), (0xA005, 4, 1, 8)], next_ifd=8),
    "more entries than there are": b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(40),
    "no byte order": b"Exif\0\0" + b"XX" + bytes(60),
    "cut": b"Exif\0\0II*\0",
    "noise": b"Exif\0\0" + random.Random(5).randbytes(3000),
    "rational by zero": tiff_exif([(0x011A, 5, 1, 26), (0x0112, 3, 1, 3)]) + bytes(16),
}


@pytest.mark.parametrize("exif", HOSTILE_EXIF.values(), ids=list(HOSTILE_EXIF))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_hostile_exif_is_no_reason_to_refuse_a_picture(kind, exif):
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10), "red").save(buffer, kind, exif=exif)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own, about the EXIF
        picture = Picture.open(buffer.getvalue())
        assert picture.array().shape == (picture.height, picture.width, 3)
        assert sorted(picture.size) == [10, 20]


@pytest.mark.parametrize("values", [[3e38, -3e38], [np.inf, -np.inf], [np.nan, np.nan], [1e-45, 0], [-1e-45, 1e-45]])
def test_numbers_of_any_size_become_grey(values):
    buffer = io.BytesIO()
    Image.fromarray(np.array([values], np.float32)).save(buffer, "TIFF")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert outcome(buffer.getvalue()) is None
