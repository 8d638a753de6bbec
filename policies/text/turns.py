"""What goes into a turn of the engine and what comes out: what experts found, the reply, and its cost in tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from tools.base import Region
from tools.pictures import Picture

Experts = Sequence[tuple[str, str]]  # name, description


@dataclass
class Cost:
    """Tokens of a turn: `prompt` all input, `visual` its part that stands for pictures, `cached` its part that was not
    recomputed, `generated` those written."""

    prompt: int = 0
    visual: int = 0
    cached: int = 0
    generated: int = 0


@dataclass
class Reply:
    """An answer with its probability; `choice` is an index into the options, `lines` are where it was copied from.

    `seen`: it rests on the regions that were looked at.
    """

    text: str
    confidence: float
    choice: int | None = None
    lines: list[int] = field(default_factory=list)
    seen: bool = False


@dataclass
class Found:
    """What experts found besides text: `regions` of `picture` to look at, and names of things `missing` in it.

    With `said` (the calls as they were made of `experts`, `options` shown or not) the answer turn continues the decide
    turn ("append"); without, picture and regions are encoded anew by their own allocation ("paper").
    """

    picture: Picture
    regions: Sequence[Region] = ()
    missing: Sequence[str] = ()
    experts: Experts = ()
    said: str | None = None
    options: Sequence[str] | None = None


@dataclass
class Written:
    """Text with its probability, its tokens, and the logits after them."""

    text: str
    probability: float
    tokens: list[int]
    logits: Tensor
