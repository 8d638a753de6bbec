"""Conversations in LLaVA's JSON layout as trees: the whole picture, then question and answer in turn.

Layout: a list of `{"image": "folder/file.jpg", "conversations": [{"from": "human", "value": "<image>\\n..."},
{"from": "gpt", "value": "..."}]}`, as in LLaVA-Pretrain and LLaVA-Instruct; items without `image` are text alone.
"""

from __future__ import annotations

from pathlib import Path

from policies.data import conversation_files
from policies.data.tree import Tree
from policies.data.visual_scene import Optics
from policies.text.protocol import ANSWER, Protocol

VERSION = 1


class LlavaJson:
    """`Source` over a JSON file or a folder of them; pictures lie in `images` or beside the JSON."""

    def __init__(
        self, protocol: Protocol, optics: Optics, path: Path, images: Path | None = None, seed: int = 0
    ) -> None:
        self.protocol, self.optics, self.seed = protocol, optics, seed
        self.data = conversation_files.load(path, images)

    def trees(self, index: int) -> list[Tree]:
        item = self.data.at(index, self.seed)
        picture = None
        if item.picture is not None and (picture := self.data.open(item)) is None:
            return []
        if picture is None:
            tree = Tree(list(self.protocol.encode(f"<|im_start|>system\n{ANSWER}<|im_end|>\n<|im_start|>user\n")))
        else:
            tree = Tree(self.protocol.context([], [], image=True).ids, image=self.optics.whole(picture.image))
        tree.branches = conversation_files.branches(item.turns, self.protocol, "conversation")
        return [tree]

    def digest(self) -> str:
        return conversation_files.digest("LlavaJson", VERSION, self.protocol, self.optics, self.data, self.seed)
