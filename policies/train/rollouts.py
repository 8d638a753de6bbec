"""What a decision comes to: the trees that ask for decisions, and two ways to play them.

`play_live` plays a decision with the weights as they are now, experts simulated under the names that the prompt gives
them; `play_labels` looks it up in the forced runs, which is free where answers hardly change with the decisions.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from policies.data.tree import Branch, Tree
from policies.data.visual_experts import FIND, AtHand, at_hand
from policies.text.protocol import Protocol
from policies.train.counterfactual import Forced
from policies.train.expert_runs import Listed, SimulatedExperts, split_call
from policies.train.player import Outcome, Player, engine_of
from policies.train.questions import Asked, Track, asked, draw
from policies.train.recipe import Recipe
from policies.train.records import digest
from policies.train.sources import HELD_OUT, kept_apart, optics
from tools.safety import neutralise

if TYPE_CHECKING:
    from policies.train.learner import Learner

QUESTIONS = 4  # of one picture in one tree
VERSION = 2


@dataclass(frozen=True)
class Trial:
    """One question under experts: `names` as listed in the prompt, `kinds` of those that find something."""

    row: Forced
    listed: Listed
    kinds: dict[str, str]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.listed]

    @property
    def needed(self) -> bool | None:
        """Whether a call is needed, by the forced runs; None where both came out wrong or no expert here helps."""
        if self.row.label == "neither" or (self.row.label == "needed" and self.row.expert not in self.kinds.values()):
            return None
        return self.row.label == "needed"


@dataclass
class TrialTree(Tree):
    """A tree of decisions: for each trial a branch that answers and one that calls each expert, in this order."""

    trials: list[Trial] = field(default_factory=list)


class Trials:
    """`Source` of trial trees: a picture's questions, in turns, under experts with drawn names. Items from `HELD_OUT`
    on are of pictures that are kept apart, the same that `Decisions` keeps apart."""

    def __init__(self, protocol: Protocol, rows: Sequence[Forced], recipe: Recipe) -> None:
        self.protocol, self.seed, self.rows = protocol, recipe.seed, list(rows)
        self.optics = optics(recipe.model)
        self.pictures: dict[tuple[str, int], list[Forced]] = {}
        for row in rows:
            self.pictures.setdefault((row.track, row.index), []).append(row)
        self.names, self.held = kept_apart(list(self.pictures))

    def trees(self, index: int) -> list[Tree]:
        rng = random.Random(f"trials:{self.seed}:{index}")
        names = self.names if index < HELD_OUT else self.held
        if not names:
            return []
        track, number = rng.choice(names)
        rows = self.pictures[track, number]
        experts = at_hand(rng, read=0.95, find=0.95)
        rng.shuffle(experts.listed)
        tree = TrialTree(self.protocol.decide_prefix(experts.listed, rows[0].size, image=self.optics is not None))
        if self.optics is not None:
            tree.image = self.optics.whole(draw(cast(Track, track), number))
        for row in rng.sample(rows, min(QUESTIONS, len(rows))):
            self._add(tree, row, experts)
        return [tree]

    def digest(self) -> str:
        sample = self.protocol.encode("<|im_start|>user\nread: finds text")
        return hashlib.sha256(f"trials {VERSION} {self.seed} {sample} {digest(self.rows)}".encode()).hexdigest()

    def _add(self, tree: TrialTree, row: Forced, experts: AtHand) -> None:
        trial = Trial(row, list(experts.listed), {name: kind for kind, name in experts.names.items()})
        prompt = self.protocol.question(neutralise(row.question))
        tree.trials.append(trial)
        tree.branches.append(Branch(prompt, [self.protocol.answer_id], "answer"))
        for name in trial.names:
            tree.branches.append(Branch(prompt, [self.protocol.call_id, *self.protocol.encode(f"{name}:")], "call"))


def play_labels(trial: Trial, actions: Sequence[int]) -> dict[int, Outcome]:
    """Outcomes from the forced runs: a call of an expert of the kind that was called then gives what it gave then, a
    call of another gives nothing right."""
    row = trial.row
    called = split_call(row.call)[0]
    out = {}
    for action in actions:
        if action == 0:
            out[action] = row.direct
            continue
        same = trial.kinds.get(trial.names[action - 1]) == called
        out[action] = row.experts if same else row.experts.model_copy(update={"correct": False, "text": ""})
    return out


def play_live(
    learner: Learner, base: Path, trials: Sequence[Trial], wanted: Sequence[Sequence[int]]
) -> list[dict[int, Outcome]]:
    """Outcomes with the learner's weights as they are now."""
    out: list[dict[int, Outcome]] = []
    with engine_of(learner, _tokenizer(base)) as engine:
        for trial, actions in zip(trials, wanted, strict=True):
            takes = {name for name, kind in trial.kinds.items() if kind == FIND}
            player = Player(engine, SimulatedExperts(listed=trial.listed, kinds=trial.kinds, takes_args=takes))
            item = _item(cast(Track, trial.row.track), trial.row.index, trial.row.key)
            out.append({action: _play(player, item, trial, action) for action in actions})
    return out


def _play(player: Player, item: Asked, trial: Trial, action: int) -> Outcome:
    if action == 0:
        return player.direct(item)
    name, description = trial.listed[action - 1]
    call = player.call(item)
    if split_call(call)[0] != name:  # another one is likelier: the arguments it writes when it has this one alone
        call = player.call(item, [(name, description)])
    return player.with_calls(item, call)


@lru_cache(maxsize=64)
def _asked(track: Track, index: int) -> dict[str, Asked]:
    return {item.key: item for item in asked(track, index, per_picture=1 << 10)}


def _item(track: Track, index: int, key: str) -> Asked:
    return _asked(track, index)[key]


@lru_cache(maxsize=1)
def _tokenizer(base: Path):
    from policies.train.learner import load_tokenizer

    return load_tokenizer(base)
