"""Training trees of decisions from labelled questions: one picture's questions under experts with drawn names.

Names and descriptions are drawn anew each time a picture comes round, plug-ins are at hand and asked for, and a
question whose expert is not at hand is to be answered: so the controller learns to decide by what is listed, and an
expert that was never seen can be used (design §7). A target is the decision token and, after a call, the expert's name.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from policies.data.tree import Branch, Tree
from policies.data.visual_experts import AtHand, asked_of, at_hand, plugin
from policies.data.visual_scene import Optics
from policies.text.protocol import Protocol
from policies.train.counterfactual import Forced
from policies.train.questions import draw
from policies.train.records import digest
from policies.train.sources import HELD_OUT, kept_apart
from tools.safety import neutralise

CALLS = ("needed", "plug-in")
ANSWERS = ("not needed", "blind")
VERSION = 2


class Decisions:
    """`Source` of decision trees. `optics`: with a vision tower, the picture stands in the prefix. `neither` and
    `plugins` as in `PolicyRecipe`. Items from `HELD_OUT` on are of pictures that are kept apart."""

    def __init__(
        self,
        protocol: Protocol,
        rows: Sequence[Forced],
        seed: int,
        neither: str = "not needed",
        plugins: float = 0.5,
        optics: Optics | None = None,
    ) -> None:
        self.protocol, self.seed, self.plugins, self.optics = protocol, seed, plugins, optics
        self.rows = list(rows)
        self.about = f"decisions {VERSION} {seed} {neither} {plugins} {optics}"
        self.pictures: dict[tuple[str, int], list[Forced]] = {}
        for row in rows:
            if row.label != "neither" or neither == "not needed":
                self.pictures.setdefault((row.track, row.index), []).append(row)
        trained, held = kept_apart(list({(row.track, row.index) for row in rows}))
        self.names, self.held = ([name for name in names if name in self.pictures] for names in (trained, held))
        self._order = lru_cache(maxsize=2)(self._shuffled)

    def trees(self, index: int) -> list[Tree]:
        if index < HELD_OUT:
            epoch, place = divmod(index, len(self.names))
            track, number = self.names[self._order(epoch)[place]]
        elif self.held:
            track, number = self.held[(index - HELD_OUT) % len(self.held)]
        else:
            return []
        rng = random.Random(f"decisions:{self.seed}:{index}")
        rows = self.pictures[track, number]
        experts = at_hand(rng)
        size = rows[0].size
        tree = Tree(self.protocol.decide_prefix(experts.listed, size, image=self.optics is not None))
        if self.optics is not None:
            tree.image = self.optics.whole(draw(track, number))  # type: ignore[arg-type]
        for row in rng.sample(rows, len(rows)):
            tree.branches.append(self._branch(row, experts))
        if rng.random() < self.plugins:
            tree.branches += self._plugins(experts, rng)
        return [tree]

    def digest(self) -> str:
        sample = self.protocol.encode("<|im_start|>user\nread: finds text")
        return hashlib.sha256(f"{self.about} {sample} {digest(self.rows)}".encode()).hexdigest()

    def weights(self, items: int = 200) -> dict[str, float]:
        """A weight for each kind of branch with which calls and answers count the same; from the first `items`."""
        optics, self.optics = self.optics, None  # kinds do not depend on pictures
        counts = Counter(branch.kind for item in range(items) for tree in self.trees(item) for branch in tree.branches)
        self.optics = optics
        calls, answers = (sum(counts[kind] for kind in kinds) for kinds in (CALLS, ANSWERS))
        total = calls + answers
        each = {kind: total / (2 * max(1, calls)) for kind in CALLS}
        return each | {kind: total / (2 * max(1, answers)) for kind in ANSWERS}

    def _shuffled(self, epoch: int) -> list[int]:
        order = list(range(len(self.names)))
        random.Random(f"decisions:{self.seed}:epoch:{epoch}").shuffle(order)
        return order

    def _branch(self, row: Forced, experts: AtHand) -> Branch:
        prompt = self.protocol.question(neutralise(row.question))
        if row.label != "needed":
            return Branch(prompt, [self.protocol.answer_id], "not needed")
        name = experts.names.get(row.expert)
        if name is None:
            return Branch(prompt, [self.protocol.answer_id], "blind")
        return Branch(prompt, self._call(name), "needed")

    def _plugins(self, experts: AtHand, rng: random.Random) -> list[Branch]:
        """A question for each plug-in at hand, and one for a plug-in that is not."""
        branches = []
        for name, kind in experts.plugins.items():
            question, _ = asked_of(kind, name, rng)
            branches.append(Branch(self.protocol.question(question), self._call(name), "plug-in"))
        away = plugin(rng)
        if all(set(away.questions).isdisjoint(kind.questions) for kind in experts.plugins.values()):
            question, _ = asked_of(away, "", rng)
            branches.append(Branch(self.protocol.question(question), [self.protocol.answer_id], "blind"))
        return branches

    def _call(self, name: str) -> list[int]:
        return [self.protocol.call_id, *self.protocol.encode(f"{name}:")]
