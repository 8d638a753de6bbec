"""Conversations in LLaVA's JSON layout as trees: the whole picture, then question and answer in turn.

Layout: a list of `{"image": "folder/file.jpg", "conversations": [{"from": "human", "value": "<image>\\n..."},
{"from": "gpt", "value": "..."}]}`, as in LLaVA-Pretrain and LLaVA-Instruct; items without `image` are text alone.
"""

from __future__ import annotations

from policies.data.conversation_files import ConversationSource, branches
from policies.data.tree import Tree
from policies.text.protocol import ANSWER


class LlavaJson(ConversationSource):
    """`Source` of LLaVA's conversations."""

    def trees(self, index: int) -> list[Tree]:
        item = self.data.at(index, self.seed)
        picture = None
        if item.picture is not None and (picture := self.data.open(item)) is None:
            return []
        if picture is None:
            tree = Tree(list(self.protocol.encode(f"<|im_start|>system\n{ANSWER}<|im_end|>\n<|im_start|>user\n")))
        else:
            tree = Tree(self.protocol.context([], [], image=True).ids, image=self.optics.whole(picture.image))
        tree.branches = branches(item.turns, self.protocol, "conversation")
        return [tree]
