"""What a question with regions costs on one model: paper context, append context, and re-encoding everything each time.

`python -m policies.bench_model` measures a model of nano's shape, `--shape 7b` on a GPU one of LLaVA-1.5's, with a
training step and its MFU. Weights are random and texts are random ids of usual lengths: neither changes the cost, and
all three ways run on the same weights in one process. A question is a decide turn, a call of fixed length, regions as
crops, and four options by likelihood; `naive` keeps nothing from one of these to the next, nor between questions.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from policies.cache import CachedModel
from policies.data.tree import Looks
from policies.model import P2GModel
from policies.nano import place_of
from policies.shapes import SHAPES, build
from policies.visuals import Pictures, Visuals

REGIONS, OPTIONS = 3, 4
EXPERTS, ROWS, QUESTION, OPTION, CALL, LABEL = 120, 60, 30, 4, 8, 18  # tokens of text
WAYS = ("paper", "append", "naive")


@dataclass
class Cost:
    """Means of one question: milliseconds, tokens that the language model computed and those of them that are visual,
    tokens of its prompts as they read (what is cached included), and pictures that the tower encoded."""

    ms: float
    computed: float
    visual: float
    prompt: float
    pictures: float


@dataclass
class Report:
    """`questions[way]`, and with `--train` a training step: milliseconds, tokens, FLOPs and MFU."""

    shape: str
    device: str
    dtype: str
    parameters: int
    questions: dict[str, Cost] = field(default_factory=dict)
    training: dict[str, float] | None = None


class Asking:
    """Random questions on one model, answered in three ways; counts what runs."""

    def __init__(self, model: P2GModel, seed: int = 0) -> None:
        self.model, self.config = model, model.config
        self.runner = CachedModel(model)
        self.random = torch.Generator().manual_seed(seed)
        self.features: dict[int, Tensor] = {}
        self.computed = self.visual = self.prompt = self.pictures = 0
        model.language_model.base_model.register_forward_pre_hook(self._count, with_kwargs=True)
        model.get_submodule("vision_tower").register_forward_pre_hook(self._count_pictures)
        for projector in ("projector", "resampler"):
            model.get_submodule(projector).register_forward_hook(self._count_visual)
        self.experts, self.instruction = self.text(EXPERTS), self.text(ROWS)

    def text(self, length: int) -> list[int]:
        return torch.randint(3, self.config.text_config.vocab_size - 4, (length,), generator=self.random).tolist()

    def picture(self, *shape: int) -> Tensor:
        side = self.config.image_side
        return torch.randint(0, 256, (*shape, side, side, 3), generator=self.random, dtype=torch.uint8)

    def paper(self, picture: Tensor, crops: Tensor, question: list[int], options: list[list[int]]) -> list[float]:
        """Decide on the cached prefix; picture and regions anew by their own allocation, features of both kept."""
        whole, regions = self._seen(picture), self._encode(crops)
        prefix = self._context([*self.experts, self._image], whole)
        cache, _ = self.runner.prefix(*prefix)
        self._call(cache, question)
        cache, _ = self.runner.prefix(*self._focus(whole, regions))
        return self._choose(cache, question, options)

    def append(self, picture: Tensor, crops: Tensor, question: list[int], options: list[list[int]]) -> list[float]:
        """Decide on the cached prefix; the regions follow what was said."""
        cache, _ = self.runner.prefix(*self._context([*self.experts, self._image], self._seen(picture)))
        self._call(cache, question)
        self.runner.run(cache, *self._context(self._lines(len(crops)), None, self._encode(crops)))
        return self._choose(cache, question, options)

    def naive(self, picture: Tensor, crops: Tensor, question: list[int], options: list[list[int]]) -> list[float]:
        """The paper context with nothing kept: call and options each encode their whole prompt and its pictures."""
        ids, visuals = self._context([*self.experts, self._image], picture)
        self._ask(self.runner.empty(), [*ids, *question], visuals)
        self._call(self.runner.empty(), [*ids, *question], visuals)
        ids, visuals = self._focus(picture, crops)
        return [self._choose(self.runner.empty(), [*ids, *question], [option], visuals)[0] for option in options]

    def measure(self, way: str, pictures: int, questions: int) -> tuple[Cost, list[list[float]]]:
        """Mean cost of a question in one way, and the scores of its options; the questions are the same in each."""
        self.random.manual_seed(1)
        ask = getattr(self, way)
        times, scores = [], []
        self.runner.forget()
        self.features.clear()
        self.computed = self.visual = self.prompt = self.pictures = 0
        for _ in range(pictures):
            picture = self.picture()
            for _ in range(questions):
                question, crops = self.text(QUESTION), self.picture(REGIONS)
                options = [self.text(OPTION) for _ in range(OPTIONS)]
                ms, scored = timed(lambda: ask(picture, crops, question, options), self.model.device)  # noqa: B023
                times.append(ms)
                scores.append(scored)
        each = [n / len(times) for n in (self.computed, self.visual, self.prompt, self.pictures)]
        return Cost(round(statistics.mean(times), 1), *(round(value, 1) for value in each)), scores

    @property
    def _image(self) -> int:
        return self.config.image_token_id or 0

    def _lines(self, number: int) -> list[int]:
        region = self.config.region_token_id or 0
        return [token for _ in range(number) for token in [*self.instruction[:LABEL], region]]

    def _context(
        self, ids: Sequence[int], whole: Tensor | None = None, crops: Tensor | None = None
    ) -> tuple[list[int], Visuals | None]:
        pictures = Pictures(self.config)
        number = None if whole is None else pictures.add(whole)
        looks: Any = None if crops is None else Looks(crops, [(0.0, 0.0, 1.0, 1.0)] * len(crops))  # type: ignore[arg-type]
        expanded, _ = pictures.expand(ids, number, looks)
        return expanded, pictures.visuals()

    def _focus(self, whole: Tensor, crops: Tensor) -> tuple[list[int], Visuals | None]:
        return self._context([*self.instruction, self._image, *self._lines(len(crops))], whole, crops)

    def _seen(self, picture: Tensor) -> Tensor:
        """Features of a picture that questions come back to."""
        if id(picture) not in self.features:
            self.features = {id(picture): self._encode(picture[None])[0]}
        return self.features[id(picture)]

    @torch.inference_mode()
    def _encode(self, pictures: Tensor) -> Tensor:
        return self.model.vision_features(pictures)

    def _ask(self, cache: Any, ids: list[int], visuals: Visuals | None = None) -> Tensor:
        """Logits after the rest of a prompt."""
        logits = self.runner.run(cache, ids, visuals)
        self.prompt += cache.get_seq_length()
        return logits

    def _call(self, cache: Any, ids: list[int], visuals: Visuals | None = None) -> None:
        self.runner.write(self._ask(cache, ids, visuals), cache, stops=(), limit=CALL)

    def _choose(
        self, cache: Any, ids: list[int], options: list[list[int]], visuals: Visuals | None = None
    ) -> list[float]:
        return self.runner.score(self._ask(cache, ids, visuals), cache, options)

    def _count(self, module: Any, args: Any, kwargs: Any) -> None:
        rows, length = kwargs["inputs_embeds"].shape[:2]
        self.computed += rows * length

    def _count_visual(self, module: Any, args: Any, tokens: Tensor) -> None:
        self.visual += tokens.shape[0] * tokens.shape[1]

    def _count_pictures(self, module: Any, args: Any) -> None:
        self.pictures += len(args[0])


def training_step(model: P2GModel, asking: Asking, rows: int, peak: float | None) -> dict[str, float]:
    """Forward, backward and an SGD update of all but the tower, on `rows` contexts with a picture and regions.

    FLOPs are counted on a step of its own; MFU is against `peak` (FLOPs a second), or a measured large product.
    """
    from torch.utils.flop_counter import FlopCounterMode

    from policies.train.flops import peak_flops

    device = model.device
    model.get_submodule("vision_tower").requires_grad_(False)
    pictures = Pictures(model.config)
    lines = []
    for _ in range(rows):
        row = [*asking.instruction, asking._image, *asking._lines(REGIONS), *asking.text(QUESTION)]
        looks: Any = Looks(asking.picture(REGIONS), [(0.0, 0.0, 1.0, 1.0)] * REGIONS)  # type: ignore[arg-type]
        lines.append(pictures.expand(row, pictures.add(asking.picture()), looks)[0])
    ids = torch.tensor(lines, device=device)
    visuals = pictures.visuals()
    assert visuals is not None
    visuals = visuals.to(device)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-6)

    def step() -> None:
        model(ids, visuals=visuals, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    model.train()
    with FlopCounterMode(display=False) as counter:
        step()
    ms = min(timed(step, device)[0] for _ in range(3))
    model.eval()
    flops = float(counter.get_total_flops())
    top = peak or peak_flops(str(device), "bf16" if model.dtype == torch.bfloat16 else "fp32")
    mfu = flops / (ms / 1000) / top
    return {"ms": ms, "tokens": ids.numel(), "flops": flops, "peak_flops": top, "mfu": round(mfu, 3)}


def timed(do: Callable[[], Any], device: torch.device) -> tuple[float, Any]:
    """(milliseconds, result); waits for the device."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    result = do()
    wait()
    return round((time.perf_counter() - start) * 1000, 1), result


def run(shape: str, device: str, pictures: int, questions: int, train: int = 0, peak: float | None = None) -> Report:
    """The whole report; one question in each way goes first unmeasured."""
    dtype = torch.float32 if shape == "tiny" else place_of(device)[1]
    model = build(shape, device, dtype)
    asking = Asking(model)
    report = Report(shape, device, str(dtype).removeprefix("torch."), sum(p.numel() for p in model.parameters()))
    for way in WAYS:
        asking.measure(way, 1, 1)
        report.questions[way] = asking.measure(way, pictures, questions)[0]
    if train:
        report.training = training_step(model, asking, train, peak)
    return report


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=list(SHAPES), default="nano")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--pictures", type=int, default=2)
    parser.add_argument("--questions", type=int, default=3, help="questions about each picture")
    parser.add_argument("--train", type=int, default=None, metavar="ROWS", help="rows of a training step; 0: none")
    parser.add_argument("--peak-tflops", type=float, help="of the device, for MFU; measured if not given")
    parser.add_argument("--json", type=Path, help="write the report here")
    args = parser.parse_args(arguments)
    if args.shape == "7b" and not args.device.startswith("cuda"):
        parser.error("a 7B-shaped model needs a GPU: --device cuda")
    train = args.train if args.train is not None else 2 * (args.shape == "7b")
    report = run(
        args.shape, args.device, args.pictures, args.questions, train, args.peak_tflops and args.peak_tflops * 1e12
    )
    print(f"{report.shape} on {report.device}, {report.dtype}, {report.parameters / 1e6:.0f} M parameters, a question:")
    print(f"{'':8}{'ms':>9}{'computed':>10}{'visual':>8}{'prompt':>8}{'pictures':>10}")
    for way, cost in report.questions.items():
        print(f"{way:8}{cost.ms:9.1f}{cost.computed:10.0f}{cost.visual:8.0f}{cost.prompt:8.0f}{cost.pictures:10.1f}")
    if report.training:
        t = report.training
        print(f"training step: {t['ms']:.0f} ms, {t['tokens']} tokens, {t['flops']:.3g} FLOPs, MFU {t['mfu']:.1%}")
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(asdict(report), indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
