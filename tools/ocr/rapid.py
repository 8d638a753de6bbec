"""The engine `rapidocr`: PP-OCRv6 small weights out of the `rapidocr` wheel, run with onnxruntime.

Its weights and the decoding of its detector are used; sizes, turned text and recognition are ours, because one line at
a time with a memory arena takes half the CPU time of padded batches. A long line in a wide font is squeezed to what its
letters need (a quarter less work at the same text), and read again at full width where that was too narrow.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tools.errors import ExpertError
from tools.ocr.detect import COARSE, find_text
from tools.ocr.lines import Line, sense, sides

HEIGHT, MIN_WIDTH, MAX_WIDTH = 48, 160, 8000  # what the recogniser takes, pixels
STEP = 8  # width of one step of the recogniser, pixels
STRIDE = 32  # sides of the detector's input are multiples of this, pixels
STANDING = 1.5  # a line is standing when it is this many times as high as wide
CLEAR = 0.85  # below this score a line is read again, turned by 180 degrees, and then looked at more closely
BETTER = 0.1  # by how much the score of a turned line must be higher, because "S 8" also reads as "8 S"
MARGIN = 16  # pixels around such a line
LONG = 640  # lines narrower than this at the recogniser's height are never squeezed, pixels
PACE, SLOWEST, LEAST = 2.0, 1.75, 0.75  # steps of the recogniser for a character: wanted, too few; strongest squeeze
SPACE = 2.0  # the probability of a space is multiplied by this, as the recogniser drops more spaces than it invents


Network = Callable[[np.ndarray], np.ndarray]  # pixels [1, 3, h, w] -> the first output


@dataclass
class Habits:
    """What the last lines of a picture were like: quarter turns that made a lying / standing line legible, and how far
    a line can be squeezed."""

    turns: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 1})
    squeeze: float = 1.0


class RapidEngine:
    """`threads` is the number of threads for one operator (None: one for each core).

    An engine that runs the same networks with another library changes `needs`, `width_step` and `_network`.
    """

    needs: tuple[str, ...] = ("rapidocr", "onnxruntime")
    width_step = 1  # widths of lines are rounded up to a multiple of this, pixels

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads
        self._detector: Network
        self._recogniser: Network
        self._corners: Any = None
        self._characters: list[str] = []

    def unavailable(self) -> str | None:
        from importlib.util import find_spec

        missing = [name for name in self.needs if find_spec(name) is None]
        return f"{' and '.join(missing)} not installed; run: pip install {' '.join(missing)}" if missing else None

    def load(self) -> None:
        from rapidocr.ch_ppocr_det.utils import DBPostProcess

        self._detector, _ = self._network("det")
        self._recogniser, alphabet = self._network("rec")
        self._corners = DBPostProcess(thresh=0.3, box_thresh=0.5, unclip_ratio=1.6, use_dilation=True)
        self._characters = ["", *alphabet.splitlines(), " "]  # 0 is the blank of CTC

    def _network(self, task: str) -> tuple[Network, str]:
        """The network of `det` or `rec`, and the alphabet that is written in it."""
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = self.threads or 0
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # be kind to a busy machine
        session = onnxruntime.InferenceSession(str(weights(task)), options, providers=["CPUExecutionProvider"])
        alphabet = session.get_modelmeta().custom_metadata_map.get("character", "")
        return lambda pixels: np.asarray(session.run(None, {"x": pixels})[0]), alphabet

    def read(self, image: np.ndarray) -> list[Line]:
        """Lines of `image`; what reads badly on a large one, such as a label found as one with its frame, is looked at
        again by itself."""
        bgr = np.ascontiguousarray(image[..., ::-1])
        lines = self._read(bgr)
        if max(bgr.shape) <= COARSE:
            return lines
        again = [self._closer(bgr, line) if line.score < CLEAR else [line] for line in lines]
        return [line for part in again for line in part]

    def _closer(self, bgr: np.ndarray, line: Line) -> list[Line]:
        """The line, or what a look at its surroundings alone makes of it if that is more."""
        x1, y1, x2, y2 = line.box
        left, top = max(0, int(x1) - MARGIN), max(0, int(y1) - MARGIN)
        part = bgr[top : int(y2) + MARGIN, left : int(x2) + MARGIN]
        if max(part.shape) > COARSE:
            return [line]
        found = [replace(item, quad=item.quad + np.array([left, top])) for item in self._read(part)]
        return max([line], found, key=sense)

    def _read(self, bgr: np.ndarray) -> list[Line]:
        lines, habits = [], Habits()
        for quad in find_text(bgr, self._quads):
            line = self._line(bgr, quad, habits)
            if line.text:
                lines.append(line)
        return lines

    def _line(self, bgr: np.ndarray, quad: np.ndarray, habits: Habits) -> Line:
        """The line, read turned as the last one of its kind, or by half a turn more; `habits` learn from it."""
        wide, high = sides(quad)
        standing = high >= STANDING * wide
        turns = habits.turns[standing]
        crop = cut_out(bgr, quad)
        text, score, habits.squeeze = self._squeezed(np.rot90(crop, turns), habits.squeeze)
        if score < CLEAR:
            other, other_score, _ = self._recognise(np.rot90(crop, turns + 2))
            if other_score > score + BETTER and len(other) >= len(text) / 2:
                text, score, turns = other, other_score, (turns + 2) % 4
        habits.turns[standing] = turns
        return Line(np.roll(quad, -turns, axis=0), text, score)

    def _squeezed(self, crop: np.ndarray, squeeze: float) -> tuple[str, float, float]:
        """Text and score of a line read at `squeeze` of its width, and the squeeze for lines like it."""
        if crop.shape[1] * HEIGHT < LONG * crop.shape[0]:
            return *self._recognise(crop)[:2], squeeze
        text, score, pace = self._recognise(crop, squeeze)
        if squeeze < 1.0 and pace < SLOWEST:
            squeeze = 1.0
            text, score, pace = self._recognise(crop)
        return text, score, min(1.0, max(LEAST, squeeze * PACE / pace)) if pace else squeeze

    def _quads(self, bgr: np.ndarray) -> np.ndarray:
        """`[N, 4, 2]` corners of the text lines the detector sees in `bgr` at its own scale."""
        import cv2

        height, width = bgr.shape[:2]
        size = [max(STRIDE, round(side / STRIDE) * STRIDE) for side in (width, height)]
        pixels = cv2.resize(bgr, size).astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1.0
        found, _ = self._corners(self._detector(pixels), (height, width))
        return np.asarray(found, dtype=np.float64).reshape(-1, 4, 2)

    def _recognise(self, crop: np.ndarray, squeeze: float = 1.0) -> tuple[str, float, float]:
        """The text of one upright line `[h, w, 3]`, the mean probability of its characters, and steps for each."""
        import cv2

        height, width = crop.shape[:2]
        wide = min(MAX_WIDTH, max(8, round(squeeze * width * HEIGHT / height)))
        how = cv2.INTER_AREA if height > 2 * HEIGHT else cv2.INTER_LINEAR
        pixels = cv2.resize(crop, (wide, HEIGHT), interpolation=how).astype(np.float32).transpose(2, 0, 1)
        padded = -(-max(wide, MIN_WIDTH) // self.width_step) * self.width_step
        batch = np.zeros((1, 3, HEIGHT, padded), np.float32)
        batch[0, :, :, :wide] = pixels / 127.5 - 1.0
        probabilities = self._recogniser(batch)[0]
        best = probabilities.argmax(axis=1)
        certain = probabilities.max(axis=1)
        best[probabilities[:, -1] * SPACE > certain] = probabilities.shape[1] - 1
        new = (best != 0) & np.concatenate([[True], best[1:] != best[:-1]])  # CTC: repeats are one character
        if not new.any():
            return "", 0.0, 0.0
        score = float(certain[new].mean())
        text = tidy("".join(self._characters[index] for index in best[new]))
        return text, min(1.0, max(0.0, score)), wide / STEP / int(new.sum())


def weights(task: str) -> Path:
    """The ONNX file of `det` or `rec` in the installed `rapidocr` package."""
    import rapidocr

    folder = Path(rapidocr.__file__).parent / "models"
    files = sorted(folder.glob(f"PP-OCR*_{task}_small.onnx"))
    if not files:
        raise ExpertError(f"read: no {task} weights in {folder}; reinstall rapidocr (3.10 or newer ships them)")
    return files[-1]


def tidy(text: str) -> str:
    """NFKC (full-width colon to `:`), as the recogniser mixes Chinese punctuation into Latin text; ends trimmed."""
    return unicodedata.normalize("NFKC", text).strip()


def cut_out(image: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """The pixels inside four corners, straightened to a rectangle `[h, w, 3]`."""
    import cv2

    corners = quad.astype(np.float32)
    x1, y1 = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    x2, y2 = np.ceil(corners.max(axis=0)).astype(int) + 1
    wide, high = sides(quad)
    size = max(1, int(wide)), max(1, int(high))
    target = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners - np.array([x1, y1], np.float32), target)
    part = image[y1:y2, x1:x2]
    return cv2.warpPerspective(part, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
