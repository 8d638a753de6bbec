"""What a stage of training is: where its trees come from, which parts learn, and its loss. The loop does the rest.

`align` and `instruct` are here; `words`, `policy` and `reward` subclass `Stage` in modules of their own. A stage
overrides `loss` alone where a token's cross-entropy is not what it minimises; it may roll answers out with
`work.learner` first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from policies.data.tree import Source, Tree
from policies.train.packing import Batch, Packer
from policies.train.recipe import Recipe, StageRecipe
from tools.errors import UsageError

if TYPE_CHECKING:
    from policies.text.protocol import Protocol
    from policies.train.flops import Flops
    from policies.train.learner import Learner


@dataclass
class Loss:
    """A sum over examples and how many it is of: the update divides by the count of all passes and devices together,
    so that neither packing nor the number of devices changes it. `parts`: further (sum, count) pairs for the log."""

    total: Tensor
    count: float
    parts: dict[str, tuple[float, float]] = field(default_factory=dict)


@dataclass
class Work:
    """What a stage may use: `model(batch)` gives logits `[N, V]` for `batch.targets`, `model(batch, words)` what
    `Learner.likeness` does (call it, and only it, for what learns: it is the wrapped model on several devices);
    `learner` is the same module bare, for rollouts without gradients; `step` counts updates from 0; `generator` is
    saved with the run, draw from nothing else."""

    model: Callable[..., Tensor]
    learner: Learner
    packer: Packer
    device: str
    generator: torch.Generator
    step: int = 0
    observe: Callable[[Batch], None] = lambda batch: None

    def batch(self, trees: Sequence[Tree]) -> Batch:
        """Trees as one batch on the device; counted for the log."""
        batch = self.packer.collate(trees)
        self.observe(batch)
        return batch.to(self.device)

    def aside(self) -> Work:
        """For validation: nothing is counted, and the run's random numbers stay as they are."""
        generator = torch.Generator().manual_seed(0)
        return replace(self, generator=generator, observe=lambda batch: None)


class Stage:
    """Base of the stages; its loss is the cross-entropy of the targets."""

    name: ClassVar[str] = ""
    after: ClassVar[str | None] = None  # the stage whose weights it starts from when the recipe has no `init`
    shards: ClassVar[bool] = True  # whether its weights may be spread over devices
    base: Path
    say: Callable[[str], None]

    def __init__(self, recipe: Recipe) -> None:
        self.whole = recipe
        self.recipe: StageRecipe = recipe.stage(self.name)

    def begin(self, learner: Learner, base: Path, say: Callable[[str], None]) -> None:
        """Called first, in every process, with the weights that the stage starts from: what the stage remembers."""
        self.base, self.say = base, say

    def prepare(self, learner: Learner) -> None:
        """Called after `begin`, in the first process alone, before any source is made: what the source needs and only
        the model can make (labels) is written here. Called after a resume too: what is there already is kept."""

    def source(self, protocol: Protocol) -> Source:
        """Made once in every worker process, from the recipe alone."""
        from policies.train.sources import make_source

        return make_source(self.recipe.sources, protocol, self.whole)

    def operations(self, flops: Flops, batch: Batch) -> float:
        """What `loss` computes for `batch`, forward and backward, for the figures of speed."""
        return flops.of(batch)

    def loss(self, work: Work, trees: Sequence[Tree]) -> Loss:
        batch = work.batch(trees)
        targets = batch.targets
        total = nn.functional.cross_entropy(work.model(batch).float(), targets, reduction="sum")
        return Loss(total, float(targets.numel()))

    @torch.no_grad()
    def measure(self, work: Work, trees: Sequence[Tree]) -> dict[str, tuple[float, float]]:
        """Held-out figures as (sum, count): `loss`, and `exact KIND`: the whole target is the greedy choice."""
        batch = work.batch(trees)
        return judged(batch, work.model(batch).float())

    def state(self) -> dict[str, Any]:
        """JSON values that the stage needs to go on after a checkpoint."""
        return {}

    def load(self, state: dict[str, Any]) -> None:
        """Take what `state` gave."""

    def finish(self, work: Work, folder: Path) -> dict[str, float]:
        """Called once after the last update, on the first device alone, when the weights stand in `folder`: what is
        fitted afterwards (the temperature of `p_call`) is written there; figures it returns go into training.json."""
        return {}


def judged(batch: Batch, logits: Tensor) -> dict[str, tuple[float, float]]:
    """`loss` and `exact KIND` of `logits` `[N, V]` as (sum, count)."""
    targets = batch.targets
    found = {"loss": (float(nn.functional.cross_entropy(logits, targets, reduction="sum")), float(len(targets)))}
    wrong = set(batch.owners[logits.argmax(-1) != targets].tolist())
    for number, kind in enumerate(batch.kinds):
        right, count = found.get(f"exact {kind}", (0.0, 0.0))
        found[f"exact {kind}"] = (right + (number not in wrong), count + 1)
    return found


class Align(Stage):
    """Projectors and resampler learn to speak the LM's language: what is in a picture, where, which colour."""

    name = "align"
    after = "words"


class Instruct(Stage):
    """The whole protocol: decide, call, answer from regions and rows."""

    name = "instruct"
    after = "align"


def stage_class(name: str) -> type[Stage]:
    """The class of a stage by its name."""
    if name == "words":
        from policies.train.words import Words

        return Words
    if name == "policy":
        from policies.train.policy import PolicyStage

        return PolicyStage
    if name == "reward":
        from policies.train.reward import RewardStage

        return RewardStage
    found = {"align": Align, "instruct": Instruct}.get(name)
    if found is None:
        raise UsageError(f"there is no stage {name!r}; stages: words, align, instruct, policy, reward")
    return found
