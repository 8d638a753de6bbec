"""SEAL's (V*) instruction data as trees: what to search for, and answers from the things that were found.

Layout: LLaVA's with `search` and `target_instances` `[{"name", "bbox": [x, y, width, height]}]` in pixels. An item with
targets becomes an answer turn with these as regions, and a decide turn that asks an expert to find them. An item whose
answer is SEAL's "Sorry, I can not answer the question. Some visual information about the following objects is missing or
unclear: ..." becomes a decide turn that asks for those names. Any other item is answered from the whole picture.
"""

from __future__ import annotations

import random
import re
from pathlib import Path

from policies.data import conversation_files
from policies.data.conversation_files import Item
from policies.data.tree import Branch, Tree
from policies.data.visual_experts import FIND, at_hand
from policies.data.visual_names import SEPARATOR
from policies.data.visual_scene import Optics
from policies.text.protocol import Protocol, RegionLine
from tools.boxes import to_unit
from tools.pictures import Picture

VERSION = 1
MISSING = re.compile(r"^Sorry, I can ?not answer the question\..*?(?:missing or unclear)\s*:\s*(.*)$", re.I | re.S)
FOCUS = re.compile(r"^\s*Additional visual information to focus on\s*:[^\n]*\n", re.I)


class SealJson:
    """`Source` over a JSON file or a folder of them; pictures lie in `images` or beside the JSON."""

    def __init__(
        self, protocol: Protocol, optics: Optics, path: Path, images: Path | None = None, seed: int = 0
    ) -> None:
        self.protocol, self.optics, self.seed = protocol, optics, seed
        self.data = conversation_files.load(path, images)

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
        found = conversation_files.boxes_in(item, picture) if item.search else []
        lines = [RegionLine(name, to_unit(box, picture.size)) for name, box in found]
        tree = Tree(self.protocol.context([], [], lines, image=True).ids, image=self.optics.whole(picture.image))
        tree.looks = self.optics.looks(picture.image, [box for _, box in found]) if found else None
        tree.branches = conversation_files.branches(turns, self.protocol, "search" if found else "conversation")
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

    def digest(self) -> str:
        return conversation_files.digest("SealJson", VERSION, self.protocol, self.optics, self.data, self.seed)


def _names(item: Item) -> list[str]:
    return list(dict.fromkeys(target.name for target in item.targets))
