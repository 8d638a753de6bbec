"""The engine `paddleocr`: PaddleOCR's own pipeline on the same PP-OCRv6 small weights, without paddlepaddle.

PaddleOCR runs ONNX files when a folder holds `inference.onnx` and an `inference.yml` that describes it; both are made
once, in a cache folder, from the weights in the `rapidocr` wheel and from PaddleX's own descriptions of the models.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np

from tools.errors import ExpertError
from tools.ocr.lines import Line, clockwise, sense, sides
from tools.ocr.rapid import STANDING, tidy, weights

CLEAR = 0.80  # mean score, weighted by length, below which the page is read again, turned
MODELS = {"det": "PP-OCRv6_small_det", "rec": "PP-OCRv6_small_rec"}


class PaddleEngine:
    """`threads` is the number of CPU threads (None: PaddleOCR's choice); `cache` where model folders are made."""

    def __init__(self, threads: int | None = None, cache: Path | None = None) -> None:
        self.threads = threads
        self.cache = cache or Path(os.environ.get("P2G_HOME") or "~/.cache/p2g").expanduser() / "paddleocr"
        self._pipeline: Any = None
        self._lock = threading.Lock()

    def unavailable(self) -> str | None:
        from importlib.util import find_spec

        missing = find_spec("paddleocr") is None or find_spec("rapidocr") is None
        return "paddleocr is not installed; run: pip install 'p2g[paddle]'" if missing else None

    def load(self) -> None:
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        os.environ.setdefault("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")  # no look-up of model hosts
        try:
            from paddleocr import PaddleOCR
        except Exception as error:  # a half-installed paddlex fails in many ways
            raise ExpertError(
                f"read: paddleocr cannot be imported ({error}); run: pip install 'p2g[paddle]'"
            ) from error
        for name in ("ppocr", "paddlex"):
            logging.getLogger(name).setLevel(logging.ERROR)
        folders = {task: model_folder(self.cache, task) for task in MODELS}
        options = {"cpu_threads": self.threads} if self.threads else {}
        self._pipeline = PaddleOCR(
            text_detection_model_name=MODELS["det"],
            text_detection_model_dir=str(folders["det"]),
            text_recognition_model_name=MODELS["rec"],
            text_recognition_model_dir=str(folders["rec"]),
            use_doc_orientation_classify=False,
            use_doc_unwarping=False,
            use_textline_orientation=False,
            engine="onnxruntime",
            device="cpu",
            **options,
        )

    def read(self, image: np.ndarray) -> list[Line]:
        """Lines of `image`; a page that reads badly is read again, turned, and the better reading counts."""
        best = self._predict(image)
        if best and _clarity(best) < CLEAR:
            standing = sum(_stands(line) * len(line.text) for line in best) > sum(len(line.text) for line in best) / 2
            for turns in (1, 3) if standing else (2,):
                turned = self._predict(np.rot90(image, turns))
                lines = [_turned_back(line, image.shape[:2], turns) for line in turned]
                best = max(best, lines, key=sense)
        return best

    def _predict(self, image: np.ndarray) -> list[Line]:
        with self._lock:  # the pipeline keeps state between its stages
            result = self._pipeline.predict(np.ascontiguousarray(image[..., ::-1]))[0]
        lines = []
        for corners, text, score in zip(result["rec_polys"], result["rec_texts"], result["rec_scores"], strict=True):
            quad = clockwise(np.asarray(corners, dtype=np.float64).reshape(4, 2))
            wide, high = sides(quad)
            if high >= STANDING * wide:  # the pipeline turns such a line counter-clockwise before it reads it
                quad = np.roll(quad, -1, axis=0)
            if tidy(text):
                lines.append(Line(quad, tidy(text), float(min(1.0, max(0.0, score)))))
        return lines


def model_folder(cache: Path, task: str) -> Path:
    """A folder with `inference.onnx` and `inference.yml` of the model for `det` or `rec`, made if it is not there."""
    import yaml
    from paddlex.modules.base.utils.pdparams2safetensors.inference_meta import build_inference_meta

    source, folder = weights(task), cache / MODELS[task]
    description = build_inference_meta(MODELS[task])
    if task == "rec":
        description["PostProcess"]["character_dict"] = alphabet(source)
    part = folder / f"part-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        model = folder / "inference.onnx"
        if not model.is_file() or model.stat().st_size != source.stat().st_size:
            shutil.copyfile(source, part)
            os.replace(part, model)
        part.write_text(yaml.safe_dump(description, allow_unicode=True, sort_keys=False), encoding="utf-8")
        os.replace(part, folder / "inference.yml")
    except OSError as error:
        reason = error.strerror or error
        raise ExpertError(f"read: cannot write {folder}: {reason}; set P2G_HOME to a folder you own") from error
    return folder


def alphabet(model: Path) -> list[str]:
    """The characters a recogniser can write, from the metadata of its ONNX file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    return session.get_modelmeta().custom_metadata_map["character"].splitlines()


def _stands(line: Line) -> bool:
    x1, y1, x2, y2 = line.box
    return y2 - y1 >= STANDING * (x2 - x1)


def _turned_back(line: Line, shape: tuple[int, ...], turns: int) -> Line:
    """From the frame of an image turned counter-clockwise `turns` times to that of the image of `shape` (h, w)."""
    x, y = line.quad[:, 0], line.quad[:, 1]
    height, width = shape[0], shape[1]
    points = {1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}[turns]
    return Line(np.stack(points, axis=1), line.text, line.score)


def _clarity(lines: list[Line]) -> float:
    return sum(line.score * len(line.text) for line in lines) / max(1, sum(len(line.text) for line in lines))
