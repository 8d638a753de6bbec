"""The engine `rapidocr`: PP-OCRv6 small weights out of the `rapidocr` wheel, run with onnxruntime.

Detection runs on a shrunken picture and again, at full size, only where that may have missed small text; recognition
always reads full-size pixels, one line at a time, which on a CPU is faster than padded batches and as exact.
"""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from typing import Any

import numpy as np

from tools.ocr.detect import find_text
from tools.ocr.lines import Line

HEIGHT = 48  # what the recogniser takes
MIN_WIDTH = 160
GOOD = 0.75  # below this score, other ways to hold the line are tried


class RapidEngine:
    """`threads` is onnxruntime's number of threads for one operator (None: all cores)."""

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads
        self._detector: Any = None
        self._recogniser: Any = None

    def unavailable(self) -> str | None:
        from importlib.util import find_spec

        return None if find_spec("rapidocr") else "rapidocr is not installed; pip install rapidocr onnxruntime"

    def load(self) -> None:
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import rapidocr

        settings = {
            "Global.log_level": "critical",
            "EngineConfig.onnxruntime.enable_cpu_mem_arena": True,
            "EngineConfig.onnxruntime.intra_op_num_threads": self.threads or -1,
            "Det.limit_type": "max",
            "Det.limit_side_len": 1 << 20,  # sizes are chosen in `detect`
        }
        engine = rapidocr.RapidOCR(params=settings)
        blank = np.full((64, 320, 3), 255, np.uint8)
        engine(blank, use_det=True, use_cls=False, use_rec=False)
        engine(blank, use_det=False, use_cls=False, use_rec=True)
        self._detector, self._recogniser = engine.text_det, engine.text_rec

    def read(self, image: np.ndarray) -> list[Line]:
        bgr = np.ascontiguousarray(image[..., ::-1])
        lines = [self._line(bgr, quad) for quad in find_text(bgr, self._quads)]
        return [line for line in lines if line.text]

    def _quads(self, bgr: np.ndarray) -> np.ndarray:
        """`[N, 4, 2]` corners of the text lines the detector sees in `bgr` at its own scale."""
        found = self._detector(bgr).boxes
        return np.zeros((0, 4, 2)) if found is None else np.asarray(found, dtype=np.float64)

    def _line(self, bgr: np.ndarray, quad: np.ndarray) -> Line:
        crop = cut_out(bgr, quad)
        text, score = self._recognise(crop)
        return Line(quad, text, score)

    def _recognise(self, crop: np.ndarray) -> tuple[str, float]:
        """The text of one upright line and the mean probability of its characters."""
        import cv2

        height, width = crop.shape[:2]
        wide = max(8, round(width * HEIGHT / height))
        how = cv2.INTER_AREA if height > 2 * HEIGHT else cv2.INTER_LINEAR
        pixels = cv2.resize(crop, (wide, HEIGHT), interpolation=how).astype(np.float32).transpose(2, 0, 1)
        batch = np.zeros((1, 3, HEIGHT, max(wide, MIN_WIDTH)), np.float32)
        batch[0, :, :, :wide] = pixels / 127.5 - 1.0
        probabilities = self._recogniser.session(batch)[0]
        best = probabilities.argmax(axis=1)
        new = (best != 0) & np.concatenate([[True], best[1:] != best[:-1]])  # CTC: 0 is blank, repeats are one
        if not new.any():
            return "", 0.0
        characters = self._recogniser.postprocess_op.character
        text = "".join(characters[index] for index in best[new])
        score = float(probabilities[np.flatnonzero(new), best[new]].mean())
        return tidy(text), min(1.0, max(0.0, score))


def tidy(text: str) -> str:
    """NFKC (full-width `：` to `:`), because the recogniser mixes Chinese punctuation into Latin text; outer spaces cut."""
    return unicodedata.normalize("NFKC", text).strip()


def cut_out(image: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """The pixels inside four corners, straightened to a rectangle `[h, w, 3]`."""
    import cv2

    corners = quad.astype(np.float32)
    x1, y1 = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    x2, y2 = np.ceil(corners.max(axis=0)).astype(int)
    part = image[y1:y2, x1:x2]
    width = max(np.linalg.norm(corners[0] - corners[1]), np.linalg.norm(corners[3] - corners[2]))
    height = max(np.linalg.norm(corners[0] - corners[3]), np.linalg.norm(corners[1] - corners[2]))
    size = max(1, int(width)), max(1, int(height))
    target = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners - np.array([x1, y1], np.float32), target)
    return cv2.warpPerspective(part, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
