"""What a training run is told: a TOML file read into one typed object, made once at the edge and passed down.

`[model]` says what is trained, `[defaults]` what all stages share, and `[words]`, `[align]`, `[instruct]`, `[policy]`
and `[reward]` what each does otherwise; `--set instruct.steps=50` changes one value. A key nobody knows is an error.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tools.errors import UsageError

STAGES = ("words", "align", "instruct", "policy", "reward")
SHIPPED = Path(__file__).parent / "recipes"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TinyLanguage(Strict):
    """A random LM with the base's tokenizer instead of the base: to see a recipe run, not to learn."""

    hidden_size: int = 32
    layers: int = 2
    heads: int = 4


class ModelRecipe(Strict):
    """`base`: a folder of a causal LM with its tokenizer (none: the nano base from the cache).

    `vision`: a configuration of transformers with its `model_type` (none: no tower); `tower`: a folder with a trained
    one, or with a Grounding DINO whose backbone it becomes (then `vision` is not needed). `region` holds further
    settings of `P2GConfig`: resampler, region pathway, allocation.
    """

    base: Path | None = None
    tiny: TinyLanguage | None = None
    vision: dict[str, Any] | None = None
    tower: Path | None = None
    region: dict[str, Any] = {}
    gradient_checkpointing: bool = False


class SourceRecipe(Strict):
    """Where trees come from: a kind of `policies.train.sources`, how often it is drawn, what it reads (`path`, and
    pictures named in it under `images`), and settings of its own (`options`)."""

    kind: str
    share: float = Field(default=1.0, gt=0)
    path: Path | None = None
    images: Path | None = None
    options: dict[str, Any] = {}


class Rates(Strict):
    """Peak learning rate of each part; 0: it stays as it is. `rows` are the embeddings of the special tokens."""

    language: float = Field(default=0.0, ge=0)
    projectors: float = Field(default=0.0, ge=0)
    tower: float = Field(default=0.0, ge=0)
    rows: float = Field(default=0.0, ge=0)


class StageRecipe(Strict):
    """One stage. `init`: an earlier stage of the same run, or a folder of weights. The run ends after `steps` updates
    or `minutes` of wall time (one of them is given); `piece` minutes make one call, `--resume` goes on with the next.

    `tokens` is the budget of padded tokens for one pass on one device, `accumulate` the passes of an update, `pool`
    the trees among which those of like length are put together; trees with more than `branch_tokens` tokens of branches
    are cut into several over the same prefix. `workers` processes make data; 0: the trainer does.
    """

    sources: list[SourceRecipe] = []
    init: str | None = None
    rates: Rates = Rates()
    language: Literal["lora", "full"] = "lora"
    lora_rank: int = Field(default=16, ge=1)
    lora_alpha: int = Field(default=32, ge=1)
    steps: int | None = Field(default=None, ge=1)
    minutes: float | None = Field(default=None, gt=0)
    piece: float | None = Field(default=None, gt=0)
    warmup: float = Field(default=0.03, ge=0, lt=1)
    floor: float = Field(default=0.05, ge=0, le=1)
    tokens: int = Field(default=2400, ge=1)
    accumulate: int = Field(default=1, ge=1)
    branch_tokens: int | None = Field(default=None, ge=1)
    pool: int = Field(default=64, ge=1)
    clip: float = Field(default=1.0, gt=0)
    decay: float = Field(default=0.0, ge=0)
    betas: tuple[float, float] = (0.9, 0.98)
    precision: Literal["bf16", "fp32"] = "bf16"
    shard: bool = False
    workers: int = Field(default=1, ge=0)
    checkpoint_seconds: float = Field(default=120, gt=0)
    log_steps: int = Field(default=10, ge=1)
    validate_minutes: float | None = Field(default=None, gt=0)
    validate_items: int = Field(default=16, ge=1)
    tensorboard: bool = False
    peak_tflops: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one_end(self) -> StageRecipe:
        if self.steps and self.minutes:
            raise ValueError("give steps or minutes, not both")
        return self


class LabelRecipe(Strict):
    """Which questions are asked twice to label them: `per_picture` and a general one for each picture of each track
    (`policies/train/questions.py`). `pictures` from `first` on are trained on, `held_out` others fit the temperature
    and threshold and judge them. `options`: the part of the scene questions that is asked with options. `experts`:
    simulated from the truth, or the real tools."""

    tracks: list[str] = ["pages", "scenes"]
    first: int = Field(default=0, ge=0)
    pictures: int = Field(default=500, ge=1)
    held_out: int = Field(default=150, ge=2)
    per_picture: int = Field(default=4, ge=1)
    options: float = Field(default=0.5, ge=0, le=1)
    experts: Literal["simulated", "tools"] = "simulated"


class ThresholdRule(Strict):
    """How the threshold is chosen: best balanced accuracy, or best accuracy less `price` times cost (cost: expert calls
    and thousands of tokens)."""

    kind: Literal["balanced", "accuracy-cost"] = "balanced"
    price: float = Field(default=0.02, ge=0)


class PolicyRecipe(StageRecipe):
    """`policy` teaches the decision on labels of forced runs. `neither`: questions that come out wrong both ways count
    as not needed (calling only costs), or are left out. `expert_weight` is the loss of an expert's name against that of
    the decision; `plugins` the share of pictures that are also asked what a plug-in at hand is for, or one that is
    not. Without `sources` it trains on its labels alone."""

    labels: LabelRecipe = LabelRecipe()
    neither: Literal["not needed", "leave out"] = "not needed"
    expert_weight: float = Field(default=0.5, ge=0)
    plugins: float = Field(default=0.5, ge=0, le=1)
    threshold: ThresholdRule = ThresholdRule()


class RewardRecipe(StageRecipe):
    """`reward` learns from answers and their cost: reward = correct - `price` x (calls + kilotokens), `samples`
    decisions a question, ratios clipped at `clip_ratio`, `kl` times the divergence from the weights it began with.

    `rollouts`: `live` plays every sampled decision with the model as it is, `labels` takes what the forced runs of
    `policy` gave. `reuse` is how many passes a group of samples serves. It stops when, over `window` questions of each
    kind, the call rates on needed and on not needed questions are both below `band[0]` or both above `band[1]`."""

    price: float = Field(default=0.05, ge=0)
    samples: int = Field(default=8, ge=2)
    clip_ratio: float = Field(default=0.2, gt=0, lt=1)
    kl: float = Field(default=0.02, ge=0)
    reuse: int = Field(default=1, ge=1)
    rollouts: Literal["live", "labels"] = "live"
    band: tuple[float, float] = (0.05, 0.95)
    window: int = Field(default=200, ge=1)

    @model_validator(mode="after")
    def _band_in_order(self) -> RewardRecipe:
        if not 0 <= self.band[0] < self.band[1] <= 1:
            raise ValueError("band must be two rates in order, as in [0.05, 0.95]")
        return self


class Recipe(Strict):
    """A whole recipe. Stage S writes into `out`/S. `defaults` are merged under the stages when the file is read."""

    seed: int = Field(default=1, ge=0)
    out: Path = Path("runs/train")
    model: ModelRecipe = ModelRecipe()
    words: StageRecipe = StageRecipe()
    align: StageRecipe = StageRecipe()
    instruct: StageRecipe = StageRecipe()
    policy: PolicyRecipe = PolicyRecipe()
    reward: RewardRecipe = RewardRecipe()

    def stage(self, name: str) -> StageRecipe:
        return getattr(self, name)

    def folder(self, name: str) -> Path:
        """Where stage `name` keeps its checkpoint and leaves its weights."""
        return self.out / name


def load_recipe(path: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """The recipe in TOML file `path` (or one of `recipes/`, by name: "nano") with `changes` "key=value" on top.

    Raises `UsageError` with one line that names the file and the key.
    """
    file = SHIPPED / f"{path}.toml" if (SHIPPED / f"{path}.toml").is_file() else Path(path)
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        here = ", ".join(sorted(p.stem for p in SHIPPED.glob("*.toml")))
        raise UsageError(f"cannot read recipe {file}: {error.strerror}; those that ship: {here}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"recipe {file} is not TOML: {error}") from error
    for change in changes:
        _change(raw, change)
    defaults = raw.pop("defaults", {})
    if not isinstance(defaults, dict):
        raise UsageError(f"recipe {file}: defaults must be a table")
    for name in STAGES:
        own = raw.get(name, {})
        if isinstance(own, dict):  # pydantic says what is wrong with anything else
            raw[name] = {**defaults, **own}
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        raise UsageError(f"recipe {file}: {_first(error)}") from error


def _change(raw: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise UsageError(f"--set {change!r}: write key=value, as in instruct.steps=50")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    table = raw
    for part in parts[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise UsageError(f"--set {change!r}: {part} is a value, it has no keys")
    table[parts[-1]] = value


def _first(error: ValidationError) -> str:
    """The first problem of a recipe as one line with its key."""
    found = error.errors()[0]
    key = ".".join(str(part) for part in found["loc"])
    if found["type"] == "extra_forbidden":
        return f"unknown key {key}"
    message = found["msg"].removeprefix("Value error, ")
    return f"{key}: {message[0].lower()}{message[1:]}" + (
        f", got {found['input']!r}" if not isinstance(found["input"], dict) else ""
    )
