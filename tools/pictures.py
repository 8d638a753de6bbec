"""The one place that opens pictures, so that every expert and controller sees the same pixels.

A `Picture` is immutable: its header is checked when it is opened, its pixels are decoded on first use, EXIF orientation
is applied, and every Pillow mode becomes 8-bit RGB (transparency on white). Whatever is wrong with a file is a
`PictureError` of one line, never a traceback.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile, ImageOps, TiffImagePlugin, UnidentifiedImageError

from tools.errors import PictureError
from tools.jpeg import MAX_SCANS, scans
from tools.modes import to_rgb

FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "JPEG2000", "AVIF", "ICO", "TGA", "QOI")
SWAPS_SIDES = {5, 6, 7, 8}  # EXIF orientations that exchange width and height
ICON_PIXELS = 1024 * 1024
NOT_PICTURES = (
    (b"%PDF", "a PDF; render the page to PNG first"),
    (b"<svg", "an SVG drawing; render it to PNG first"),
    (b"ftyphei", "a HEIC photograph; convert it to JPEG first"),
    (b"ftypmif1", "a HEIF photograph; convert it to JPEG first"),
    (b"version https://git-lfs", "a Git LFS pointer; run `git lfs pull` first"),
    (b"<html", "an HTML page; was the download of the picture blocked?"),
    (b"<!doctype html", "an HTML page; was the download of the picture blocked?"),
)
_bomb_guard = threading.RLock()  # a crop decodes its picture


@dataclass(frozen=True)
class PictureLimits:
    """How large a picture may be: decoded pixels (width x height) and encoded bytes."""

    max_pixels: int = 200_000_000
    max_bytes: int = 200_000_000


class Picture:
    """An opened picture; make one with `Picture.open`. Equal when the contents are; safe to share between threads.

    `name` is the file name (or `picture-<hash>`), `path` where it came from if that was a file, `sha256` the hash of
    the encoded bytes (of the RGB pixels when it was opened from a `PIL.Image`).
    """

    def __init__(self, name: str, path: Path | None, sha256: str, size: tuple[int, int], source: bytes | Image.Image):
        self.name, self.path, self.sha256, self.size = name, path, sha256, size
        self._data = source if isinstance(source, bytes) else None
        self._image = source if isinstance(source, Image.Image) else None
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls, source: str | Path | bytes | Image.Image | Picture, limits: PictureLimits = PictureLimits()
    ) -> Picture:
        """A picture from a file, its encoded bytes or a `PIL.Image`. Raises `PictureError`."""
        if isinstance(source, Picture):
            return source
        if isinstance(source, Image.Image):
            return cls._from_pil(source, limits)
        if isinstance(source, bytes | bytearray | memoryview):
            return cls._from_bytes(bytes(source), None, limits)
        if isinstance(source, str | Path):
            path, data = _read(source, limits)
            return cls._from_bytes(data, path, limits)
        raise PictureError(f"cannot open a {type(source).__name__}; give a path, encoded bytes or a PIL image")

    @classmethod
    def _from_bytes(cls, data: bytes, path: Path | None, limits: PictureLimits) -> Picture:
        sha256 = hashlib.sha256(data).hexdigest()
        name = _shown(path.name) if path else f"picture-{sha256[:8]}"
        if len(data) > limits.max_bytes:
            raise _too_many_bytes(name, len(data), limits)
        with _open(data, name) as header:
            size = header.size
            if isinstance(header, TiffImagePlugin.TiffImageFile):  # its `size` is turned or not, by Pillow version
                size = int(header.tag_v2[256]), int(header.tag_v2[257])
            _check_size(name, size, limits)
            if header.format in ("JPEG", "MPO") and scans(data) > MAX_SCANS:
                raise PictureError(f"{name} has more than {MAX_SCANS} scans, it would take too long; save it again")
            if _orientation(header, data) in SWAPS_SIDES:
                size = (size[1], size[0])
        return cls(name, path, sha256, size, data)

    @classmethod
    def _from_pil(cls, image: Image.Image, limits: PictureLimits) -> Picture:
        path = getattr(image, "filename", "")
        name = _shown(Path(path).name) if isinstance(path, str) and path else "picture"
        _check_size(name, image.size, limits)
        rgb = _decode(image, name)
        digest = hashlib.sha256(repr(rgb.size).encode() + rgb.tobytes()).hexdigest()
        return cls(name if path else f"picture-{digest[:8]}", None, digest, rgb.size, rgb)

    @property
    def width(self) -> int:
        return self.size[0]

    @property
    def height(self) -> int:
        return self.size[1]

    @property
    def image(self) -> Image.Image:
        """The RGB pixels, upright; decoded once. Treat as read-only. Raises `PictureError` when the data is broken."""
        with self._lock:
            if self._image is None:
                assert self._data is not None
                with _open(self._data, self.name) as image:
                    decoded = _decode(image, self.name)
                if decoded.size != self.size:
                    raise PictureError(f"{self.name}: decodes to {decoded.size} pixels but its header says {self.size}")
                self._image, self._data = decoded, None
            return self._image

    def array(self) -> np.ndarray:
        """The RGB pixels as `[height, width, 3]` uint8, read-only."""
        array = np.asarray(self.image)
        array.flags.writeable = False
        return array

    def crop(self, box: tuple[float, float, float, float], scale: float = 1.0) -> Image.Image:
        """The part inside `box` (pixels, x1 y1 x2 y2), grown to whole pixels, cut at the border, resized by `scale`."""
        x1, y1 = max(0, int(np.floor(box[0]))), max(0, int(np.floor(box[1])))
        x2, y2 = min(self.width, int(np.ceil(box[2]))), min(self.height, int(np.ceil(box[3])))
        if x1 >= x2 or y1 >= y2:
            raise PictureError(
                f"{self.name}: box {tuple(box)} has no pixels inside the {self.width}x{self.height} picture"
            )
        image = self.image  # decoded before the guard is taken: decoding takes it as well
        with _no_bomb_check():
            part = image.crop((x1, y1, x2, y2))
        if scale == 1.0:
            return part
        size = max(1, round(part.width * scale)), max(1, round(part.height * scale))
        return part.resize(size, Image.Resampling.LANCZOS)

    def thumbnail(self, max_side: int) -> Image.Image:
        """The whole picture, shrunk so that its longer side is at most `max_side`; never enlarged."""
        scale = max_side / max(self.size)
        if scale >= 1.0:
            return self.image.copy()
        size = max(1, round(self.width * scale)), max(1, round(self.height * scale))
        return self.image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)

    def __repr__(self) -> str:
        return f"Picture({self.name!r}, {self.width}x{self.height}, sha256={self.sha256[:8]})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Picture) and other.sha256 == self.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __deepcopy__(self, memo: dict[int, Any]) -> Picture:
        return self  # immutable: copies of a state share the pixels


def _read(source: str | Path, limits: PictureLimits) -> tuple[Path, bytes]:
    text = _shown(str(source))
    if text.startswith(("http://", "https://", "data:")):
        raise PictureError(f"{text[:80]} is an address; download the picture and give its path")
    try:
        path = Path(source).expanduser()
        if path.is_dir():
            raise PictureError(f"{text} is a folder; give the path of one picture")
        if not path.exists():
            raise PictureError(f"{text} does not exist; check the path")
        if not path.is_file():
            raise PictureError(f"{text} is not a regular file; give the path of a picture")
        size = path.stat().st_size
        if size > limits.max_bytes:
            raise _too_many_bytes(text, size, limits)
        return path, path.read_bytes()
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"{text} cannot be read: {reason}") from error


def _shown(text: str) -> str:
    """A name as an error can carry it: one line without control characters, not too long."""
    shown = "".join(char if char.isprintable() else "�" for char in text)
    return shown if len(shown) <= 200 else f"{shown[:100]}…{shown[-99:]}"


def _too_many_bytes(name: str, size: int, limits: PictureLimits) -> PictureError:
    return PictureError(f"{name} has {size / 1e6:.0f} MB, over the limit of {limits.max_bytes / 1e6:.0f} MB; shrink it")


def _check_size(name: str, size: tuple[int, int], limits: PictureLimits) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PictureError(f"{name} has no pixels ({width}x{height}); give another picture")
    if width * height > limits.max_pixels:
        raise PictureError(
            f"{name} is {width}x{height} = {width * height / 1e6:.0f} megapixels, over the limit of "
            f"{limits.max_pixels / 1e6:.0f}; shrink it or crop it"
        )


@contextmanager
def _no_bomb_check(most: int | None = None) -> Iterator[None]:
    """Our own pixel limit replaces Pillow's global one, which would warn at 89 and raise at 179 megapixels."""
    with _bomb_guard:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, most
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _open(data: bytes, name: str) -> Image.Image:
    if not data:
        raise PictureError(f"{name} is empty (0 bytes); give another picture")
    Image.init()
    formats = [kind for kind in FORMATS if kind in Image.OPEN]
    most = ICON_PIXELS if data.startswith(b"\0\0\1\0") else None  # Pillow decodes icons when it opens them
    try:
        with _no_bomb_check(most):
            return Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError as error:
        head = data[:512].lower()
        hint = next((text for mark, text in NOT_PICTURES if mark.lower() in head), "not a picture in a known format")
        raise PictureError(f"{name} is {hint}") from error
    except Exception as error:  # broken headers raise whatever the decoder meets: struct, value, index, memory errors
        raise PictureError(
            f"{name} has a broken header ({_line(error)}); save it again or give another file"
        ) from error


def _orientation(image: Image.Image, data: bytes) -> int:
    """EXIF orientation 1-8 without decoding pixels (for PNG, Pillow decodes to look for a late EXIF chunk)."""
    if image.format == "PNG" and not any(mark in data for mark in (b"eXIf", b"Raw profile type", b"adobe.xmp")):
        return 1
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # unreadable EXIF is no reason to refuse a picture; broken pixels are reported when decoded
        return 1


def _decode(image: Image.Image, name: str) -> Image.Image:
    try:
        with _no_bomb_check() if isinstance(image, ImageFile.ImageFile) else _nothing():
            image.load()
        try:
            upright = ImageOps.exif_transpose(image)
        except Exception:  # as in `_orientation`
            upright = image.copy()
        return to_rgb(upright)
    except Exception as error:
        raise PictureError(
            f"{name} cannot be decoded, it is truncated or corrupt ({_line(error)}); save it again or give another file"
        ) from error


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:120]
