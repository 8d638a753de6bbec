"""Stage `policy`: when to call, learned from what forced runs showed; then what `p_call` means is fitted and ships.

Three steps, each of which goes on where it was cut: the model answers training questions both ways (`prepare`, rows in
`labels/`), the decision token and the expert's name are trained on the labels (the loop), and the trained model's
decisions on pictures nobody trained on give temperature and threshold (`finish`, rows in `held-out/`).
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from policies.base_lm import base_lm_path
from policies.data.tree import Source, Tree
from policies.data.visual_scene import HELD_OUT
from policies.train.calibration import Decided, Fit, fit, write_policy
from policies.train.counterfactual import ROWS, Forced, run_forced, summary
from policies.train.decision_trees import CALLS, Decisions
from policies.train.expert_runs import Experts, SimulatedExperts, ToolExperts
from policies.train.packing import Batch
from policies.train.player import Player, engine_of
from policies.train.questions import TRACKS, Track
from policies.train.recipe import LabelRecipe, PolicyRecipe, Recipe, ThresholdRule
from policies.train.records import digest, read_records
from policies.train.sources import optics
from policies.train.stages import Loss, Stage, Work, judged
from tools.errors import UsageError

if TYPE_CHECKING:
    from policies.text.protocol import Protocol
    from policies.train.learner import Learner

Say = Callable[[str], None]
LABELS, JUDGED = "labels", "held-out"
BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}  # integers of a parameter's size in bytes


class PolicyStage(Stage):
    """The decision, by cross-entropy weighted so that calls and answers count the same, and the expert's name."""

    name = "policy"
    after = "instruct"
    recipe: PolicyRecipe

    def prepare(self, learner: Learner) -> None:
        """Labels, as far as they are not there."""
        self.say(f"labels: {summary(make_labels(self.whole, learner, self.base, self.say))}")

    def source(self, protocol: Protocol) -> Source:
        if self.recipe.sources:
            raise UsageError("policy trains on its own labels: leave sources out, or put them into instruct")
        settings, rows, seen = self.recipe, labels_of(self.whole), optics(self.whole.model)
        return Decisions(protocol, rows, self.whole.seed, settings.neither, settings.plugins, seen)

    @cached_property
    def weights(self) -> dict[str, float]:
        from policies.text.protocol import Protocol
        from policies.train.learner import load_tokenizer

        return cast(Decisions, self.source(Protocol(load_tokenizer(self.base)))).weights()

    def loss(self, work: Work, trees: Sequence[Tree]) -> Loss:
        batch = work.batch(trees)
        logits = work.model(batch).float()
        each = nn.functional.cross_entropy(logits, batch.targets, reduction="none")
        total = (each * token_weights(batch, self.weights, self.recipe.expert_weight)).sum()
        return Loss(total, float(len(batch.kinds)), call_rates(batch, logits.detach(), work.learner))

    @torch.no_grad()
    def measure(self, work: Work, trees: Sequence[Tree]) -> dict[str, tuple[float, float]]:
        batch = work.batch(trees)
        logits = work.model(batch).float()
        return judged(batch, logits) | call_rates(batch, logits, work.learner)

    def finish(self, work: Work, folder: Path) -> dict[str, float]:
        """Temperature and threshold, into `policy.json` of `folder`."""
        return fit_decisions(self.whole, work, self.base, folder, self.say)


def make_labels(recipe: Recipe, learner: Learner, base: Path, say: Say) -> list[Forced]:
    """Forced runs on the training pictures, kept with the policy stage. Raises `UsageError` for held-out ones."""
    labels = recipe.policy.labels
    pictures = range(labels.first, labels.first + labels.pictures)
    if pictures.stop > HELD_OUT:
        raise UsageError(
            f"policy.labels: pictures from {HELD_OUT} on are held out, got {pictures[0]} to {pictures[-1]}: lower first"
        )
    return label(learner, base, recipe.folder("policy") / LABELS, labels, pictures, say)


def labels_of(recipe: Recipe) -> list[Forced]:
    """The rows that `make_labels` made. Raises `UsageError` where there are none."""
    return read_records(recipe.folder("policy") / LABELS / ROWS, Forced)


def fit_decisions(recipe: Recipe, work: Work, base: Path, folder: Path, say: Say) -> dict[str, float]:
    """Forced runs of the trained model on held-out pictures, and from them `policy.json` of `folder`; figures of it.

    Where that cannot be fitted it says why, and the weights keep the threshold they have.
    """
    if any(hasattr(parameter, "device_mesh") for parameter in work.learner.parameters()):
        how = calibrate_command(recipe, base, folder)
        say(f"weights that are spread over devices keep their threshold and temperature; {how}")
        return {}
    labels = recipe.policy.labels
    pictures = range(HELD_OUT, HELD_OUT + labels.held_out)
    try:
        rows = label(work.learner, base, folder / JUDGED, labels, pictures, say)
        found = calibrate(rows, recipe.policy.threshold, "leave out", folder)
    except UsageError as error:
        say(f"threshold and temperature stay as they are: {error}")
        return {}
    say(said(found))
    return figures(found)


def calibrate_command(recipe: Recipe, base: Path, folder: Path) -> str:
    """What to run, in one process, for weights in `folder` that could not be calibrated while they were spread."""
    home = base.parent.parent
    if base_lm_path(home) != base:
        return f"only weights on the base from the cache are calibrated afterwards, these are on {base}"
    labels, rule = recipe.policy.labels, recipe.policy.threshold
    options = ["--weights", str(folder), "--home", str(home), "--out", str(folder / JUDGED)]
    options += ["--options", str(labels.options)]
    options += ["--tracks", *labels.tracks, "--pictures", str(labels.held_out), "--experts", labels.experts]
    options += ["--rule", rule.kind, "--price", str(rule.price), "--write"]
    return f"fit them by: {shlex.join(['python', '-m', 'policies.train.calibrate', *options])}"


def label(learner: Learner, base: Path, folder: Path, recipe: LabelRecipe, indices: range, say: Say) -> list[Forced]:
    """Forced runs of `learner` on the pictures `indices` of every track; those in `folder` are not made again."""
    from policies.train.learner import load_tokenizer

    for track in recipe.tracks:
        if track not in TRACKS:
            raise UsageError(f"labels.tracks: there is no {track!r}; tracks: {', '.join(TRACKS)}")
    experts: Experts = SimulatedExperts() if recipe.experts == "simulated" else ToolExperts(ground=True)
    header = {
        "weights": identity(learner),
        "experts": recipe.experts,
        "first": indices.start,
        "per_picture": recipe.per_picture,
        "options": recipe.options,
    }
    wanted = [(cast(Track, track), index) for index in indices for track in recipe.tracks]
    with engine_of(learner, load_tokenizer(base)) as engine:
        rows = run_forced(folder, Player(engine, experts), wanted, header, say, recipe.per_picture, recipe.options)
    names = set(wanted)
    return [row for row in rows if (row.track, row.index) in names]


def token_weights(batch: Batch, kinds: dict[str, float], expert_weight: float) -> torch.Tensor:
    """`[N]` for the targets of `batch`: a branch's weight for its decision, `expert_weight` of it for all tokens of the
    expert's name together."""
    owners = batch.owners
    lengths = torch.bincount(owners, minlength=len(batch.kinds))
    weight = torch.tensor([kinds[kind] for kind in batch.kinds], device=owners.device)[owners]
    share = expert_weight / (lengths[owners] - 1).clamp(min=1)
    return torch.where(first_of(owners), weight, weight * share)


def first_of(owners: torch.Tensor) -> torch.Tensor:
    """`[N]` bool: the first target of each branch."""
    before = torch.cat([owners.new_full((1,), -1), owners[:-1]])
    return owners != before


def call_rates(batch: Batch, logits: torch.Tensor, learner: Learner) -> dict[str, tuple[float, float]]:
    """(sum of p_call, count) of the decisions where a call is right, and where an answer is."""
    first = first_of(batch.owners)
    p = learner.model.p_call(logits[first]).tolist()
    calls = [kind in CALLS for kind in batch.kinds]
    out = {}
    for name, wanted in (("p_call needed", True), ("p_call not needed", False)):
        chosen = [value for value, call in zip(p, calls, strict=True) if call is wanted]
        if chosen:
            out[name] = (sum(chosen), float(len(chosen)))
    return out


def decided(rows: Sequence[Forced], neither: str) -> list[Decided]:
    """Rows as decisions. Those that neither way answers are "not needed", or ("leave out") have no label, as in the
    evaluation."""
    return [
        Decided(
            margin=row.margin,
            needed=None if row.label == "neither" and neither == "leave out" else row.label == "needed",
            right=(row.direct.correct, row.experts.correct),
            cost=(row.direct.cost, row.experts.cost),
            group=f"{row.track}/{row.index}",
        )
        for row in rows
    ]


def calibrate(rows: Sequence[Forced], rule: ThresholdRule, neither: str, folder: Path | None = None) -> Fit:
    """Temperature, bias and threshold fitted on all rows, and judged by what a fit on the pictures of even number does
    on the others; written into `folder`/policy.json when a folder is given."""
    even, odd = (decided([row for row in rows if row.index % 2 == half], neither) for half in (0, 1))
    found = fit(even, odd, rule, digest(list(rows)))
    if folder is not None:
        write_policy(folder, found)
    return found


def recalibrate(recipe: Recipe, say: Say) -> None:
    """Fits temperature, bias and threshold again on the held-out rows that stage `policy` (and `reward`) left, by the
    rule that the recipe says now. Raises `UsageError` where there are none."""
    stages = [name for name in ("policy", "reward") if (recipe.folder(name) / JUDGED / ROWS).is_file()]
    if not stages:
        raise UsageError(f"{recipe.folder('policy') / JUDGED} has no rows: p2g train policy makes them at its end")
    for name in stages:
        rows = read_records(recipe.folder(name) / JUDGED / ROWS, Forced)
        say(f"{name}: {said(calibrate(rows, recipe.policy.threshold, 'leave out', recipe.folder(name)))}")


def said(found: Fit) -> str:
    """One line on a fit."""
    one, two = found.before, found.after
    return (
        f"temperature {found.temperature:.3f}, bias {found.bias:.3f} (of {found.n} questions), threshold "
        f"{found.threshold:.4f}; fitted on "
        f"half of the pictures, on {two.n} questions about the others calibration error {one.ece.value:.3f} -> "
        f"{two.ece.value:.3f}, balanced accuracy "
        f"{one.balanced_accuracy.value:.3f} -> {two.balanced_accuracy.value:.3f} "
        f"[{two.balanced_accuracy.low:.3f}, {two.balanced_accuracy.high:.3f}], called when needed "
        f"{two.called_needed:.0%}, when not {two.called_not_needed:.0%}"
    )


def figures(found: Fit) -> dict[str, float]:
    """For training.json."""
    return {
        "temperature": found.temperature,
        "bias": found.bias,
        "threshold": found.threshold,
        "ece before": found.before.ece.value,
        "ece after": found.after.ece.value,
        "balanced accuracy": found.after.balanced_accuracy.value,
        "called needed": found.after.called_needed,
        "called not needed": found.after.called_not_needed,
    }


def identity(learner: Learner) -> str:
    """A hash of the weights, from the sums of the bits of all tensors: cheap for large models, other weights have
    others. What depends on the number of threads is left out: the order of summation, and the embedding's own rows of
    the special tokens, which are drawn at random and never used."""
    out = hashlib.sha256()
    model: Any = learner.model
    unused = [layer.weight for layer in (model.get_input_embeddings(), model.get_output_embeddings())]
    for name, parameter in learner.named_parameters():
        values = parameter.detach()
        if any(parameter is weight for weight in unused):
            values = values[: learner.old]
        if not bool(torch.isfinite(values).all()):
            raise UsageError(f"{name} holds values that are no numbers: take other weights")
        total = int(values.view(BITS[values.element_size()]).sum(dtype=torch.int64))
        out.update(f"{name} {total}\n".encode())
    return out.hexdigest()
