"""The expert `ground`: where the named things are, by Grounding DINO (arXiv 2303.05499) through transformers.

Any checkpoint of `GroundingDinoForObjectDetection` works: `IDEA-Research/grounding-dino-tiny` or `-base` by name, or a
local folder. Large pictures are looked at in slices as well, because the model sees at most 1333 pixels a side. A
folder with a `ground.json` (`tools/grounded.py`) says how its model looks and what its scores are worth; so does ours.
Places, sizes and relations in a phrase are read off the boxes of what it names (`tools/phrases.py`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tools import boxes
from tools.base import BoxArg, Region, Tool
from tools.errors import ExpertError
from tools.grounded import Bar, Habits, detect_tiles
from tools.phrases import meant, parse
from tools.pictures import Picture
from tools.pyramid import detect_pyramid
from tools.slicing import Detection, Slice, detect_sliced, slices

SEEN = 1333  # longer side of what the model sees, pixels
SLICED_FROM = 2000  # longer side from which a picture is sliced as well, pixels
OVERLAP = 0.2  # of a slice
THRESHOLD = 0.3
NMS = 0.7
GUESS = 0.05  # lowest score of a guess

Name = Annotated[str, Field(min_length=1, max_length=80)]


class GroundArgs(BaseModel):
    model_config = ConfigDict(extra="forbid")

    objects: list[Name] = Field(
        min_length=1,
        max_length=16,
        description="what to find, a few words each, such as 'red car', 'largest cup' or 'dog left of the tree'",
    )
    box: BoxArg | None = Field(
        default=None, description="look only here: x1, y1, x2, y2 in pixels of the whole picture; leave out for all"
    )
    threshold: float | None = Field(
        default=None, ge=0.0, le=1.0, description="lowest score of a detection, 0 to 1; leave out for the usual one"
    )
    guess: Literal["one", "each"] | None = Field(
        default=None,
        description="'one' where one of the objects must be there: if none is found, the likeliest place; 'each' where "
        "all of them must be: the likeliest place of everyone that is not found; leave out where they may be absent",
    )


@dataclass
class Prompt:
    """Names as the model is asked for them: the prompt's `tokens`, and of every name the numbers of its `own` ones."""

    names: list[str]
    tokens: Any
    own: list[Any]

    def __len__(self) -> int:
        return int(self.tokens["input_ids"].shape[1])


class Ground(Tool):
    name = "ground"
    description = "Find named things in the picture: a box for every place where one of the objects is seen."
    version = "4"
    Args = GroundArgs
    timeout_s = 300.0

    def __init__(
        self,
        model: str | None = None,
        threshold: float | None = None,
        device: str | None = None,
        max_slices: int = 9,
    ) -> None:
        """`model` is a hub name or a local folder; `device` a torch device (None: the GPU if there is one); `threshold`
        the lowest score (None: the model's own, or 0.3)."""
        self.model_name, self.threshold, self.device, self.max_slices = model, threshold, device, max_slices
        self._model: Any = None
        self._pixels: Any = None
        self._tokenizer: Any = None
        self._habits: Habits | None = None

    def unavailable(self) -> str | None:
        if self.model_name is None:
            return (
                "grounding is not available in this profile; set the expert's model to "
                "IDEA-Research/grounding-dino-tiny or to a local folder"
            )
        if _is_path(self.model_name) and not (Path(self.model_name).expanduser() / "config.json").is_file():
            return f"ground: {self.model_name} is not a folder with a checkpoint (no config.json); check the path"
        return None

    def cache_key(self) -> str:
        return f"{self.version}-{self.model_name}-{self._stamp()}-{self.threshold}-{self.max_slices}"

    def _stamp(self) -> str:
        """Of a local folder: which files it has, so that results of other weights at the same place are not reused."""
        folder = Path(self.model_name or "").expanduser()
        if self.model_name is None or not folder.is_dir():
            return ""
        files = [*folder.glob("*.safetensors"), *folder.glob("*.json")]
        found = sorted((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)
        return hashlib.sha256(repr(found).encode()).hexdigest()[:16]

    def setup(self) -> None:
        import torch
        from transformers import AutoTokenizer, GroundingDinoForObjectDetection
        from transformers.models.grounding_dino.image_processing_pil_grounding_dino import (
            GroundingDinoImageProcessorPil,
        )

        assert self.model_name is not None  # `ready` asked `unavailable`
        source = str(Path(self.model_name).expanduser()) if _is_path(self.model_name) else self.model_name
        try:
            self._pixels = GroundingDinoImageProcessorPil.from_pretrained(source)
            self._tokenizer = AutoTokenizer.from_pretrained(source)
            model: Any = GroundingDinoForObjectDetection.from_pretrained(source, use_safetensors=True)
        except Exception as error:  # hub, file and format errors of many kinds
            raise ExpertError(
                f"ground: cannot load {self.model_name} ({_first_line(error)}); check the name, "
                "connect once to fetch it, or give a local folder"
            ) from error
        self.device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        if self.device == "cpu" and model.dtype == torch.float16:
            model = model.float()
        self._model = model.to(self.device).eval()
        self._habits = Habits.beside(Path(source))

    @property
    def usual_bar(self) -> Bar:
        """What is reported when a call does not say; the model's own is known once it is loaded."""
        if self.threshold is not None or self._habits is None:
            threshold = THRESHOLD if self.threshold is None else self.threshold
            return Bar(threshold, threshold)
        threshold, more = self._habits.threshold, self._habits.more
        return Bar(threshold, threshold if more is None else min(more, threshold))

    def __call__(self, picture: Picture, args: GroundArgs) -> list[Region]:
        phrases = [parse(name) for name in _names(args.objects)]
        names = list(dict.fromkeys(name for phrase in phrases for name in phrase.names))
        bar = self.usual_bar if args.threshold is None else Bar(args.threshold, args.threshold)
        lowest = min(bar.more, GUESS) if args.guess else bar.more
        part = boxes.clamp(boxes.ordered(args.box or (0, 0, *picture.size)), picture.size)
        if part is None:
            raise ExpertError(f"ground: box {args.box} is outside the {picture.width}x{picture.height} picture")
        view = picture.image if args.box is None else picture.crop(part)
        dx, dy = int(part[0]), int(part[1])

        found = [item for prompt in self._prompts(names) for item in self._find(view, prompt, lowest)]
        seen = _reported(found, bar)
        if args.guess:
            seen += _guessed(found, seen, args.guess)
        wanted = [(phrase.said, {id(item) for item in meant(phrase, seen)}) for phrase in phrases]
        return [
            Region(box=boxes.shift(item.box, dx, dy), label=said, score=item.score, source=self.name)
            for item in seen
            for said, own in wanted
            if id(item) in own
        ]

    def _prompts(self, names: list[str]) -> list[Prompt]:
        """The names in as few prompts as the text encoder takes. Raises ExpertError for a name that none holds."""
        config = self._model.config
        most, positions = config.max_text_len, config.text_config.max_position_embeddings
        out: list[Prompt] = []
        for name in names:
            alone = self._prompt([name])
            if len(alone) > most or len(alone) > positions:
                raise ExpertError(f"ground: {name[:40]!r}... is too long to be found; name it in a few words")
            longer = self._prompt([*out[-1].names, name]) if out else alone
            if out and len(longer) <= most:
                out[-1] = longer
            else:
                out.append(alone)
        return out

    def _prompt(self, names: list[str]) -> Prompt:
        text, spans = _prompt(names)
        tokens = self._tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
        return Prompt(names, tokens, _own_tokens(tokens.pop("offset_mapping")[0], spans))

    def _find(self, view: Any, prompt: Prompt, threshold: float) -> list[Detection]:
        if self._habits:
            return self._closer(view, prompt, threshold, self._habits)

        def detect(piece: Slice) -> list[Detection]:
            return self._detect(view if piece == (0, 0, *view.size) else view.crop(piece), prompt, threshold)

        side = self._slice_side(view.size)
        return detect_sliced(view.size, detect, side, int(side * OVERLAP))

    def _closer(self, view: Any, prompt: Prompt, threshold: float, habits: Habits) -> list[Detection]:
        least = min(threshold, habits.sight.look)

        def detect(factor: int, tiles: list[Slice]) -> list[list[Detection]]:
            small = view if factor == 1 else view.reduce(factor)
            return detect_tiles(self._model, small, tiles, prompt.tokens, prompt.own, prompt.names, habits, least)

        return detect_pyramid(view.size, detect, habits.sight, threshold, habits.nms)

    def _slice_side(self, size: tuple[int, int]) -> int:
        """The smallest side from `SEEN` up that needs at most `max_slices` slices; one slice for small pictures."""
        if max(size) <= SLICED_FROM or self.max_slices < 2:
            return max(size)
        side = SEEN
        while len(slices(size, side, int(side * OVERLAP))) > self.max_slices:
            side = int(side * 1.1)
        return side

    def _detect(self, image: Any, prompt: Prompt, threshold: float) -> list[Detection]:
        """Detections in pixels of `image`. A query's score is its highest token probability, as in transformers; its
        label is the name whose tokens have the highest one."""
        import torch

        names = prompt.names
        inputs = {**prompt.tokens, **self._pixels(images=image, return_tensors="pt")}
        with torch.inference_mode():
            output = self._model(**{key: value.to(self.device) for key, value in inputs.items()})
        probabilities = output.logits[0].sigmoid().float().cpu()
        by_name = [
            probabilities[:, own].amax(dim=1) if len(own) else torch.zeros(len(probabilities)) for own in prompt.own
        ]
        labels = torch.stack(by_name, dim=1).argmax(dim=1)
        scores = probabilities.amax(dim=1)
        found = []
        for query in torch.nonzero(scores > threshold).flatten().tolist():
            centred = tuple(output.pred_boxes[0, query].float().cpu().tolist())
            box = boxes.clamp(boxes.from_unit(boxes.from_cxcywh(centred), image.size), image.size)
            if box is not None:
                found.append(Detection(box, float(scores[query]), names[int(labels[query])]))
        return [item for name in names for item in _distinct([item for item in found if item.label == name])]


def _reported(found: list[Detection], bar: Bar) -> list[Detection]:
    lowest = {name: bar.lowest(one.score for one in found if one.label == name) for name in {i.label for i in found}}
    return [item for item in found if item.score >= lowest[item.label]]


def _guessed(found: list[Detection], seen: list[Detection], guess: Literal["one", "each"]) -> list[Detection]:
    """The best of what was `found` where nothing of it is `seen`, or of each name of which nothing is."""
    if guess == "one":
        return [max(found, key=lambda item: item.score)] if found and not seen else []
    there = {item.label for item in seen}
    best: dict[str, Detection] = {}
    for item in found:
        if item.label not in there and (item.label not in best or item.score > best[item.label].score):
            best[item.label] = item
    return list(best.values())


def _names(objects: list[str]) -> list[str]:
    """Names as the model can take them: dots separate names in its prompt, so there are none inside; each name once."""
    cleaned = [" ".join(name.replace(".", " ").split()) for name in objects]
    names = list(dict.fromkeys(name for name in cleaned if name))
    if not names:
        raise ExpertError("ground: objects has no names, only blanks or dots; name what to find")
    return names


def _prompt(names: list[str]) -> tuple[str, list[tuple[int, int]]]:
    """`"a cat. a dog."`, lower-case as in training, and the characters `[start, end)` of every name."""
    spans, text = [], ""
    for name in names:
        spans.append((len(text), len(text) + len(name.lower())))
        text += name.lower() + ". "
    return text.rstrip(), spans


def _own_tokens(offsets: Any, spans: list[tuple[int, int]]) -> list[Any]:
    """Of every name the numbers of its tokens; `offsets` `[T, 2]` are the characters of each token."""
    import torch

    middles, real = offsets.float().mean(dim=1), offsets[:, 0] < offsets[:, 1]
    return [torch.nonzero((middles > start) & (middles < end) & real).flatten() for start, end in spans]


def _distinct(found: list[Detection]) -> list[Detection]:
    if not found:
        return []
    kept = boxes.nms(np.array([item.box for item in found]), [item.score for item in found], NMS)
    return [found[index] for index in kept]


def _is_path(model: str) -> bool:
    return model.startswith((".", "/", "~")) or model.count("/") != 1 or Path(model).is_dir()


def _first_line(error: Exception) -> str:
    return " ".join((str(error).strip() or type(error).__name__).splitlines()[0].split())[:200]
