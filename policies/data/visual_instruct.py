"""Questions of train scenes as trees for the stages `instruct` and `policy`: answer with evidence, answer at a glance,
decide whom to call.

Item `index` is one scene: a tree for each focus turn (`visual_deliberate.py`), and one decide tree whose prefix lists
random experts and shows the whole picture; over it, which questions call which expert with which arguments, which are
answered at once, and at times focus turns that are appended ("append" context). Until forced runs say otherwise
(`labels`), a question needs an expert when what decides it is too small to be made out in a thumbnail.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from policies.data import decisions
from policies.data.digests import digest_of
from policies.data.scenes.scene import ABSENT
from policies.data.tree import Branch, Tree
from policies.data.visual_deliberate import DENSE, PER_TREE, Deliberate, Item, items_of
from policies.data.visual_experts import FIND, READ, AtHand, asked_of, at_hand, plugin
from policies.data.visual_focus import Faults
from policies.data.visual_names import SEPARATOR, About, names_of
from policies.data.visual_scene import Optics, SceneTrack, SeenScene, load_assets, load_scene
from policies.text.protocol import Protocol

BLIND = "I cannot tell"
VERSION = 2  # of what trees are made from a scene


@dataclass(frozen=True)
class InstructSettings:
    """`seed`: the first scene. `draws`: how often a scene is asked about, each time with other focus turns and experts
    (more where drawing scenes is dear). `dense`: all that can be asked of its objects is asked, many questions a focus
    turn, to learn what names, places and numbers in one tell. `append`: share of decide trees that carry appended focus
    turns, at most `appended` of them. `guess`: share of the questions that need an expert and are answered without one
    as well, as mode `direct` does. `assets`: folder of fetched assets."""

    track: SceneTrack = "scenes"
    seed: int = 0
    draws: int = 1
    dense: bool = False
    append: float = 0.3
    appended: int = 3
    guess: float = 0.25
    deliberate: bool = True
    decide: bool = True
    faults: Faults = field(default_factory=Faults)
    assets: Path | None = None


class SceneInstruct:
    """`Source` of instruct trees. `labels`: for keys of questions (`scenes/7/3`), whether they need an expert."""

    def __init__(
        self,
        protocol: Protocol,
        optics: Optics,
        settings: InstructSettings | None = None,
        labels: Mapping[str, bool] | None = None,
    ) -> None:
        self.protocol, self.optics = protocol, optics
        self.settings = settings or InstructSettings()
        self.labels = labels or {}
        self.assets = load_assets(self.settings.assets)
        self.names = names_of(self.assets)

    def trees(self, index: int) -> list[Tree]:
        settings = self.settings
        seen = load_scene(settings.track, settings.seed + index, self.optics, self.assets)
        items = items_of(seen, self.names, self.labels.get, settings.dense)
        out: list[Tree] = []
        for draw in range(settings.draws):
            rng = random.Random(f"instruct:{seen.key}:{draw}")
            turns = Deliberate(self.protocol, seen, items, rng, settings.faults, DENSE if settings.dense else PER_TREE)
            if settings.deliberate:
                out += turns.trees()
            if settings.decide:
                out.append(self._decide(seen, items, turns, rng))
        return [tree for tree in out if tree.branches]

    def digest(self) -> str:
        return digest_of(
            "SceneInstruct", VERSION, self.protocol, self.optics, self.settings, sorted(self.labels.items())
        )

    def _decide(self, seen: SeenScene, items: list[Item], turns: Deliberate, rng: random.Random) -> Tree:
        experts = at_hand(rng)
        tree = Tree(self.protocol.decide_prefix(experts.listed, seen.size, image=True), image=seen.image)
        chosen = rng.sample(items, len(items))
        for item in chosen:
            tree.branches += self._first_turn(item, experts, turns, rng)
        tree.branches += self._others(seen, experts, rng)
        if rng.random() < self.settings.append:
            callable_ = [item for item in chosen if item.needed and call_line(item.open, experts)]
            for item in callable_[: self.settings.appended]:
                tree.branches += self._appended(item, experts, turns)
        return tree

    def _first_turn(self, item: Item, experts: AtHand, turns: Deliberate, rng: random.Random) -> Iterator[Branch]:
        """The decision about a question, without its options as in use, and what an answer at a glance would be."""
        protocol, question = self.protocol, item.question
        said = call_line(item.open, experts)
        prompt = protocol.question(question.text)
        if item.needed and said:
            yield Branch(prompt, protocol.call_turn(said), "call")
        elif item.needed:
            yield self._answer(prompt, BLIND, "blind")
        else:
            yield self._answer(prompt, question.answer, "direct")
        if item.needed and said and item.open.names != item.offered.names:  # the options say what to look for
            offered = protocol.question(question.text, turns.options(question))
            yield Branch(offered, protocol.call_turn(call_line(item.offered, experts)), "call")
        if not item.needed or (question.answer != ABSENT and rng.random() < self.settings.guess):
            options = turns.options(question)
            if question.answer in options:
                start = [*protocol.question(question.text, options), protocol.answer_id]
                kind = "guess" if item.needed else "direct"
                yield Branch(start, [*protocol.encode(f" {question.answer}"), protocol.end_id], kind)

    def _others(self, seen: SeenScene, experts: AtHand, rng: random.Random) -> Iterator[Branch]:
        """Questions for the plug-ins at hand, for one that is not at hand, and one that needs no look."""
        for name, kind in experts.plugins.items():
            text, said = asked_of(kind, name, rng)
            yield Branch(self.protocol.question(text), self.protocol.call_turn(said), "plug-in")
        if rng.random() < 0.3:
            kind = plugin(rng)
            if all(set(kind.questions).isdisjoint(other.questions) for other in experts.plugins.values()):
                text, _ = asked_of(kind, "", rng)
                yield self._answer(self.protocol.question(text), BLIND, "blind")
        text, known = decisions.general(rng, seen.size)
        yield self._answer(self.protocol.question(text), known, "direct")

    def _appended(self, item: Item, experts: AtHand, turns: Deliberate) -> Iterator[Branch]:
        """The call, then its focus turn, then the question again: nothing before is encoded anew."""
        protocol = self.protocol
        for offered in (False,) if item.open.names != item.offered.names else (False, True):
            if not turns.fits(item.open):
                return
            turn = turns.turn([(item, False)])
            context = protocol.focus_turn(turn.rows, turn.shown, turn.found.lines)
            start = [*protocol.question(item.question.text), *protocol.call_turn(call_line(item.open, experts))]
            for branch in turns.branches(item, offered, turn, context):
                prompt = [*start, *context.ids, *branch.prompt]
                yield Branch(prompt, branch.target, branch.kind, turns.looks(turn))

    def _answer(self, prompt: list[int], text: str, kind: str) -> Branch:
        protocol = self.protocol
        return Branch(prompt, [protocol.answer_id, *protocol.encode(f" {text}"), protocol.end_id], kind)


def call_line(about: About, experts: AtHand) -> str:
    """The calls that settle a question, one a line; empty where an expert for it is not at hand."""
    lines = []
    if about.names:
        if FIND not in experts.names:
            return ""
        lines.append(f"{experts.names[FIND]}: {SEPARATOR.join(map(str, about.names))}")
    if about.read:
        if READ not in experts.names:
            return ""
        lines.append(f"{experts.names[READ]}:")
    return "\n".join(lines)
