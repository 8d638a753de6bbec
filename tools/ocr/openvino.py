"""The engine `openvino`: the networks of `rapidocr`, run with OpenVINO, which on new CPUs computes in bfloat16.

About a third faster than onnxruntime there (`make bench` prints both where both are installed), for 180 MB more on
disk: `pip install 'p2g[openvino]'`. Sizes, turned text and decoding are those of `tools/ocr/rapid.py`.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np

from tools.ocr.rapid import Network, RapidEngine, weights


class OpenVinoEngine(RapidEngine):
    needs = ("rapidocr", "openvino")
    width_step = 128  # kernels are made for every new width, which costs more than the padding

    def _network(self, task: str) -> tuple[Network, str]:
        import openvino

        core = openvino.Core()
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if self.threads:
            settings["INFERENCE_NUM_THREADS"] = self.threads
        model = core.read_model(weights(task))
        request = core.compile_model(model, "CPU", settings).create_infer_request()
        turn = Lock()  # a request serves one call at a time, and several calls of `read` run at once

        def run(pixels: np.ndarray) -> np.ndarray:
            with turn:
                return np.array(request.infer({"x": pixels})[0])

        alphabet = str(model.get_rt_info(["framework", "character"]).value) if task == "rec" else ""
        return run, alphabet
