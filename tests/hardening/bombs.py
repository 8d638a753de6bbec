"""Small files that ask for much memory or time, and a process with little memory that opens them.

As a script: `python -m tests.hardening.bombs FOLDER` opens every file with 1.5 GB to spend beyond what it has, and says
on one line each what came of it: name, seconds, `opened` or the error.
"""

from __future__ import annotations

import io
import resource
import struct
import sys
import time
import zlib
from pathlib import Path

from PIL import Image

SPARE = 1_500_000_000


def png(width: int, height: int, colour: int = 2, *chunks: tuple[bytes, bytes], rows: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    body = b"".join(chunk(*one) for one in chunks)
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def ico(body: bytes) -> bytes:
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(body), 22) + body


def tiff(width: int, height: int, *more: tuple[int, int]) -> bytes:
    """One strip of LZW (or what `more` says) that holds nothing; `more` are further (tag, value)."""
    tags = {256: width, 257: height, 258: 8, 259: 5, 262: 1, 273: 400, 277: 1, 278: height, 279: 16, **dict(more)}
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return (b"II*\0" + struct.pack("<IH", 8, len(tags)) + body + bytes(4)).ljust(500, b"\0")


def bmp(width: int, height: int, rle: bytes) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(rle), 0, 0, 256, 0)
    start = 14 + len(head) + 1024
    return b"BM" + struct.pack("<IHHI", start + len(rle), 0, 0, start) + head + bytes(1024) + rle


def webp(width: int, height: int) -> bytes:
    """An animation whose canvas is said to be this large."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "WEBP", save_all=True, append_images=[Image.new("RGB", (8, 8), "red")])
    data = bytearray(buffer.getvalue())
    data[24:30] = size
    return bytes(data)


def gif(width: int, height: int, frame: tuple[int, int]) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return head + b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x4c\x01\x00;"


def scans(count: int, side: int) -> bytes:
    """A progressive JPEG whose last scan comes `count` times: little to read, much to decode."""
    buffer = io.BytesIO()
    Image.new("L", (side, side), 128).save(buffer, "JPEG", progressive=True, quality=50)
    data = buffer.getvalue()
    last, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:last] + data[last:end] * count + data[end:]


def written(folder: Path) -> list[str]:
    deflated = zlib.compress(bytes(60_000_000), 9)
    bombs = {
        "png-header": png(60_000, 60_000),
        "png-sides": png(2**31 - 1, 2**31 - 1),
        "png-text": png(8, 8, 2, (b"zTXt", b"a\0\0" + deflated), (b"eXIf", b"II*\0"), rows=bytes(200)),
        "png-profile": png(8, 8, 2, (b"iCCP", b"a\0\0" + deflated), rows=bytes(200)),
        "icon-of-a-large-png": ico(png(30_000, 30_000, 6, rows=bytes(30_000 * 4 * 2))),
        "icon-of-a-large-bitmap": ico(struct.pack("<IiiHHIIiiII", 40, 40_000, 80_000, 1, 32, 0, 0, 0, 0, 0, 0)),
        "gif-screen": gif(65_535, 65_535, (4, 4)),
        "gif-frame": gif(4, 4, (65_535, 65_535)),
        "tiff-size": tiff(60_000, 60_000),
        "tiff-strip": tiff(9_000, 9_000, (278, 4_000_000_000)),
        "tiff-tiles": tiff(64, 64, (322, 65_536), (323, 65_536), (324, 400), (325, 16)),
        "tiff-samples": tiff(64, 64, (277, 60_000)),
        "tiff-bytes": tiff(9_000, 9_000, (279, 4_000_000_000)),
        "webp-canvas": webp(16_384, 16_384),
        "webp-canvas-of-nonsense": webp(2**24, 2**24),
        "bmp-line": bmp(40_000_000, 1, b"\0\2\0\xff" * 50 + b"\0\1"),
        "jpeg-scans": scans(3_000, 2_000),
        "jpeg-size": scans(1, 64).replace(struct.pack(">HH", 64, 64), struct.pack(">HH", 65_500, 65_500), 1),
        "qoi-header": b"qoif" + struct.pack(">IIBB", 2**32 - 1, 2**32 - 1, 4, 0) + b"\xfd" * 50,
        "ppm-header": b"P6 99999999 99999999 255\n",
        "ppm-digits": b"P3 " + b"9" * 5_000_000,
        "tga-header": struct.pack("<BBBHHBHHHHBB", 0, 0, 10, 0, 0, 0, 0, 0, 65_535, 65_535, 32, 0) + bytes(100),
    }
    for name, data in bombs.items():
        (folder / name).write_bytes(data)
    return list(bombs)


def main() -> None:
    from tools.pictures import Picture, PictureError

    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE, used + SPARE))
    for path in sorted(Path(sys.argv[1]).iterdir()):
        began = time.process_time()
        try:
            Picture.open(path).array()
            said = "opened"
        except PictureError as error:
            said = f"refused {error}"
        print(path.name, f"{time.process_time() - began:.2f}", said, flush=True)
    # of this program alone: ru_maxrss begins with what the process that started it had
    (peak,) = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line]
    print("peak", int(peak) // 1000, "MB")


if __name__ == "__main__":
    main()
