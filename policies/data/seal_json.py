"""SEAL's (V*) instruction data as trees: what to search for, and answers from the things that were found.

Layout: LLaVA's with `search` and `target_instances` `[{"name", "bbox": [x, y, width, height]}]` in pixels. An item with
targets becomes an answer turn with these as regions, and a decide turn that asks an expert to find them. An item whose
answer is SEAL's "Sorry, I can not answer the question. Some visual information about the following objects is missing or
unclear: ..." becomes a decide turn that asks for those names. Any other item is answered from the whole picture.
"""

from __future__ import annotations

import random
import re

from policies.data.conversation_files import ConversationSource, Item, branches
from policies.data.tree import Branch, Tree
from policies.data.visual_experts import FIND, at_hand
from policies.data.visual_names import SEPARATOR
from policies.text.protocol import RegionLine
from tools.pictures import Picture

MISSING = re.compile(r"^Sorry, I can ?not answer the question\..*?(?:missing or unclear)\s*:\s*(.*)$", re.I | re.S)
FOCUS = re.compile(r"^\s*Additional visual information to focus on\s*:[^\n]*\n", re.I)


class SealJson(ConversationSource):
    """`Source` of SEAL's conversations."""

    def trees(self, index: int) -> list[Tree]:
        item = self.data.at(index, self.seed)
        picture = self.data.open(item) if item.picture is not None else None
        if picture is None:
            return []
        rng = random.Random(f"seal:{self.seed}:{index}")
        turns = [(FOCUS.sub("", question), answer) for question, answer in item.turns]
        question, answer = turns[0]
        if missing := MISSING.match(answer):
            names = [name.strip(" .") for name in re.split(r"[,;]", missing[1]) if name.strip(" .")]
            return [self._decide(question, names, picture, rng)] if names else []
        found = self.data.boxes(item, picture) if item.search else []
        if found is None:
            return []
        lines = RegionLine.of([name for name, _ in found], [box for _, box in found], picture.size)
        tree = Tree(self.protocol.context([], [], lines, image=True).ids, image=self.optics.whole(picture.image))
        tree.looks = self.optics.looks(picture.image, [box for _, box in found]) if found else None
        tree.branches = branches(turns, self.protocol, "search" if found else "conversation")
        if not (item.search and found):
            return [tree]
        return [tree, self._decide(question, _names(item), picture, rng)]

    def _decide(self, question: str, names: list[str], picture: Picture, rng: random.Random) -> Tree:
        experts = at_hand(rng, find=1.0)
        tree = Tree(self.protocol.decide_prefix(experts.listed, picture.size, image=True))
        tree.image = self.optics.whole(picture.image)
        said = f"{experts.names[FIND]}: {SEPARATOR.join(names)}"
        tree.branches = [Branch(self.protocol.question(question), self.protocol.call_turn(said), "call")]
        return tree


def _names(item: Item) -> list[str]:
    return list(dict.fromkeys(target.name for target in item.targets))
