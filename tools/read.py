"""The expert `read`: OCR of the picture or of a part of it, one region per line of text, in reading order.

All engines run the same PP-OCRv6 weights: `rapidocr` (the default, tuned for CPUs here), `openvino` (the same, faster
where the CPU has bfloat16) and `paddleocr` (PaddleOCR's own pipeline, for those who have it or want its other models).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tools import boxes
from tools.base import BoxArg, Region, Tool
from tools.errors import ExpertError, UsageError
from tools.ocr.lines import Engine
from tools.ocr.order import reading_order
from tools.pictures import Picture

EngineName = Literal["rapidocr", "openvino", "paddleocr"]
MARGIN = 8.0  # pixels of surroundings that the engine sees around a part, because detectors miss text on a border
KEEP = 0.5  # lines below this score are mostly not text


class ReadArgs(BaseModel):
    model_config = ConfigDict(extra="forbid")

    box: BoxArg | None = Field(
        default=None,
        description="read only this part: x1, y1, x2, y2 in pixels of the whole picture; leave out for all",
    )


class Read(Tool):
    name = "read"
    description = "Read the text in the picture, or in one part of it: every line with its place, in reading order."
    Args = ReadArgs
    timeout_s = 120.0
    version = "2"

    def __init__(self, engine: EngineName = "rapidocr", threads: int | None = None) -> None:
        self.engine_name, self.engine = engine, _engine(engine, threads)

    def unavailable(self) -> str | None:
        return self.engine.unavailable()

    def setup(self) -> None:
        self.engine.load()

    def cache_key(self) -> str:
        return f"{self.version}-{self.engine_name}"

    def __call__(self, picture: Picture, args: ReadArgs) -> list[Region]:
        pixels = picture.array()
        if args.box is None:
            return self._regions(pixels, 0, 0)
        part = boxes.clamp(boxes.ordered(args.box), picture.size)
        if part is None:
            raise ExpertError(f"read: box {args.box} is outside the {picture.width}x{picture.height} picture or empty")
        x1, y1 = (max(0, int(value - MARGIN)) for value in part[:2])
        x2, y2 = (int(np.ceil(value + MARGIN)) for value in part[2:])
        return [region for region in self._regions(pixels[y1:y2, x1:x2], x1, y1) if _middle_in(region.box, part)]

    def _regions(self, pixels: np.ndarray, dx: int, dy: int) -> list[Region]:
        """Lines of a part of the picture whose top-left corner is at `(dx, dy)`."""
        lines = [line for line in self.engine.read(pixels) if line.score >= KEEP]
        regions = []
        for index in reading_order([line.quad for line in lines]):
            line = lines[index]
            box = boxes.clamp(line.box, (pixels.shape[1], pixels.shape[0]))
            if box is not None:
                box = boxes.shift(box, dx, dy)
                regions.append(Region(box=box, label="text", score=line.score, text=line.text, source=self.name))
        return regions


def _middle_in(box: boxes.Box, part: boxes.Box) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return part[0] <= x < part[2] and part[1] <= y < part[3]


def _engine(name: str, threads: int | None) -> Engine:
    from tools.ocr.openvino import OpenVinoEngine
    from tools.ocr.paddle import PaddleEngine
    from tools.ocr.rapid import RapidEngine

    if name == "rapidocr":
        return RapidEngine(threads)
    if name == "openvino":
        return OpenVinoEngine(threads)
    if name == "paddleocr":
        return PaddleEngine(threads)
    raise UsageError(f"read has no engine {name!r}; take rapidocr, openvino or paddleocr")
