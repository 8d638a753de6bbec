"""Stage `reward`: the policy tries decisions, answers are scored, and what paid is made likelier (GRPO).

For each question K decisions are drawn (answer, or call one of the experts at hand), every distinct one is played with
the engine, and reward = correct - price x (calls + kilotokens). The objective is PPO's with group advantages and the
KL to the weights the stage began with. A guard ends the run when the policy calls always or never, a collapse that
others report; the best weights until then are kept in `best/`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from policies.data.tree import Source, Tree
from policies.train.advantages import Guard, clipped, decision_log_probs, divergence, group_advantages, reward
from policies.train.counterfactual import ROWS
from policies.train.packing import Batch
from policies.train.player import Outcome
from policies.train.policy import LABELS, first_of, fit_decisions, labels_of, make_labels
from policies.train.recipe import Recipe, RewardRecipe
from policies.train.rollouts import Trial, Trials, play_labels, play_live
from policies.train.stages import Loss, Stage, Work
from policies.train.weights import save_weights
from tools.errors import TrainingError, UsageError

if TYPE_CHECKING:
    from policies.text.protocol import Protocol
    from policies.train.learner import Learner

BEST = "best"


@dataclass
class Group:
    """One pass of trees: the decisions drawn for each question `[Q, K]`, their log-probabilities then, and what they
    were worth against each other."""

    trees: Sequence[Tree]
    chosen: Tensor
    log_old: Tensor
    advantages: Tensor


class RewardStage(Stage):
    """GRPO on the decision. `reuse` 1 is on-policy, with nothing to clip; with more, each group serves that many
    passes (updates, with `accumulate` 1) against the log-probabilities it was drawn with (a resumed run begins with
    fresh groups)."""

    name = "reward"
    after = "policy"
    shards = False  # it computes with the weights that it began with, too
    recipe: RewardRecipe

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        if self.recipe.branch_tokens is not None:
            raise UsageError(
                "reward compares the branches of a question and cannot cut them: set branch_tokens under other stages, "
                "not under reward or defaults"
            )
        self.guard = Guard(self.recipe.band, self.recipe.window)
        self.kept: deque[Group] = deque(maxlen=self.recipe.reuse - 1)
        self.recent: deque[float] = deque(maxlen=self.recipe.window)
        self.best = (float("-inf"), 0)

    def begin(self, learner: Learner, base: Path, say: Callable[[str], None]) -> None:
        """Keeps a copy of the weights that the policy must stay near."""
        super().begin(learner, base, say)
        self.start = {name: p.detach().clone() for name, p in learner.named_parameters() if p.requires_grad}

    def prepare(self, learner: Learner) -> None:
        """Labels, unless `policy` left some."""
        if not (self.whole.folder("policy") / LABELS / ROWS).is_file():
            make_labels(self.whole, learner, self.base, self.say)

    def source(self, protocol: Protocol) -> Source:
        return Trials(protocol, labels_of(self.whole), self.whole)

    def loss(self, work: Work, trees: Sequence[Tree]) -> Loss:
        now, parts = self.draw(work, trees)
        self.watch(work)
        total, cut, count = torch.zeros((), device=work.device), 0.0, 0
        for group in [now, *self.kept]:
            batch = work.batch(group.trees)
            log_p = log_probs(work.model(batch), batch, group.trees, work.learner)
            with torch.no_grad(), self.began(work.learner):
                log_q = log_probs(work.learner(batch), batch, group.trees, work.learner)
            objective, was_cut = clipped(
                log_p.gather(1, group.chosen), group.log_old, group.advantages, self.recipe.clip_ratio
            )
            kl = divergence(log_p, log_q)
            total = total - objective.mean(-1).sum() + self.recipe.kl * kl.sum()
            cut, count = cut + float(was_cut.float().mean(-1).sum()), count + len(kl)
            if group is now:
                parts["kl"] = (float(kl.detach().sum()), float(len(kl)))
        parts["clipped"] = (cut, float(count))
        if self.recipe.reuse > 1:
            self.kept.append(now)
        return Loss(total, float(count), parts)

    @torch.no_grad()
    def draw(self, work: Work, trees: Sequence[Tree]) -> tuple[Group, dict[str, tuple[float, float]]]:
        """Decisions for every question, played and judged; and figures of them as (sum, count)."""
        batch = work.batch(trees)
        log_p = log_probs(work.learner(batch), batch, trees, work.learner)
        trials = trials_of(trees)
        samples = self.recipe.samples
        chosen = torch.multinomial(log_p.exp().cpu(), samples, replacement=True, generator=work.generator)
        played = self.play(work, trials, [sorted(set(row)) for row in chosen.tolist()])
        rewards = torch.tensor(
            [
                [reward(found[k].correct, found[k].cost, self.recipe.price) for k in row]
                for found, row in zip(played, chosen.tolist(), strict=True)
            ]
        )
        right = sum(found[k].correct for found, row in zip(played, chosen.tolist(), strict=True) for k in row)
        self.recent.extend(rewards.mean(-1).tolist())
        parts = {"reward": (float(rewards.sum()), float(rewards.numel())), "right": (right, float(rewards.numel()))}
        for needed, name in ((True, "call rate needed"), (False, "call rate not needed")):
            rates = [1 - float(p.exp()[0]) for trial, p in zip(trials, log_p, strict=True) if trial.needed is needed]
            if rates:
                parts[name] = (sum(rates), float(len(rates)))
            for rate in rates:
                self.guard.add(needed, rate)
        chosen = chosen.to(log_p.device)
        advantages = group_advantages(rewards).to(log_p.device)
        return Group(trees, chosen, log_p.gather(1, chosen), advantages), parts

    def play(self, work: Work, trials: Sequence[Trial], wanted: Sequence[Sequence[int]]) -> list[dict[int, Outcome]]:
        """What each wanted decision (0 answers, k calls expert k - 1) of each trial comes to."""
        if self.recipe.rollouts == "labels":
            return [play_labels(trial, actions) for trial, actions in zip(trials, wanted, strict=True)]
        return play_live(work.learner, self.base, trials, wanted)

    def watch(self, work: Work) -> None:
        """Keeps the best weights, and ends the run on a collapse."""
        folder = self.whole.folder(self.name)
        collapse = self.guard.collapsed()
        full = len(self.recent) == self.recent.maxlen
        mean = sum(self.recent) / max(1, len(self.recent))
        first = int(os.environ.get("RANK", 0)) == 0
        if collapse is None and full and mean > self.best[0] + 1e-6 and first:
            save_weights(work.learner, folder / BEST)
            self.best = (mean, work.step)
            self.recent.clear()  # the next comparison is of other questions
        if collapse is not None:
            kept = f"the best weights (step {self.best[1]}, reward {self.best[0]:.3f}) are in {folder / BEST}"
            kept = kept if (folder / BEST).is_dir() else "no weights were kept"
            raise TrainingError(f"step {work.step}: {collapse}; {kept}: lower reward.price (now {self.recipe.price:g})")

    def state(self) -> dict[str, Any]:
        return {"guard": self.guard.state(), "recent": list(self.recent), "best": list(self.best)}

    def load(self, state: dict[str, Any]) -> None:
        self.guard.load(state["guard"])
        self.recent.extend(state["recent"])
        self.best = (state["best"][0], state["best"][1])

    @torch.no_grad()
    def measure(self, work: Work, trees: Sequence[Tree]) -> dict[str, tuple[float, float]]:
        """Held-out call rates; nothing is played."""
        batch = work.batch(trees)
        log_p = log_probs(work.model(batch), batch, trees, work.learner)
        found = {}
        for needed, name in ((True, "call rate needed"), (False, "call rate not needed")):
            rates = [1 - float(p.exp()[0]) for t, p in zip(trials_of(trees), log_p, strict=True) if t.needed is needed]
            found[name] = (sum(rates), float(len(rates)))
        return found

    def finish(self, work: Work, folder: Path) -> dict[str, float]:
        """Temperature and threshold are fitted anew, as after `policy`."""
        return fit_decisions(self.whole, work, self.base, folder, self.say)

    @contextmanager
    def began(self, learner: Learner) -> Iterator[None]:
        """The learner with the weights it had when the stage began."""
        mine = {name: p for name, p in learner.named_parameters() if name in self.start}
        now = {name: p.data for name, p in mine.items()}
        try:
            for name, parameter in mine.items():
                parameter.data = self.start[name]
            yield
        finally:
            for name, parameter in mine.items():
                parameter.data = now[name]


def trials_of(trees: Sequence[Tree]) -> list[Trial]:
    return [trial for tree in trees for trial in tree.trials]  # type: ignore[attr-defined]


def log_probs(logits: Tensor, batch: Batch, trees: Sequence[Tree], learner: Learner) -> Tensor:
    """Log-probabilities `[Q, A]` of the decisions of every question, -inf where a question has fewer than A.

    A question's branches are its decisions in order: `<|answer|>`, then `<|call|>` and the name of each expert.
    """
    owners, first = batch.owners, first_of(batch.owners)
    each = logits.float().log_softmax(-1).gather(1, batch.targets[:, None])[:, 0]
    names = each.new_zeros(len(batch.kinds)).index_add(0, owners[~first], each[~first])
    pairs = learner.model.decision_logits(logits[first]).float()
    sizes = [1 + len(trial.names) for trial in trials_of(trees)]
    rows, at = [], 0
    for size in sizes:
        found = decision_log_probs(pairs[at], names[at + 1 : at + size])
        rows.append(torch.nn.functional.pad(found, (0, max(sizes) - size), value=float("-inf")))
        at += size
    return torch.stack(rows)
