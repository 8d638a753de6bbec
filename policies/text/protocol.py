"""The native protocol as token ids: decide turn, focus turn of read rows, question, and the decision tokens.

Everything that repeats comes first (system text, experts, rows of the page) and the question last, so that a second
question on the same picture shares a prefix. Cell texts are encoded alone, each with its leading space, so that a
copied answer is token for token a piece of the prompt. All text from images, experts and users is neutralised before
it gets here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from transformers import PreTrainedTokenizerBase

from policies.config import ANSWER_TOKEN, CALL_TOKEN
from policies.text.rows import Row

DECIDE = (
    "You answer questions about an image. Call an expert when the answer must be looked up in the image.\nExperts:\n"
)
ANSWER = "You answer questions about an image from the text that was read in it."
ROWS = "Rows of the image, y and @x in hundredths:"
ABSENT = " not in the image"


@dataclass
class Context:
    """Token ids of a page's focus turn; `cells` holds `(line number, first position, ids)` of every shown cell."""

    ids: list[int] = field(default_factory=list)
    cells: list[tuple[int, int, list[int]]] = field(default_factory=list)


class Protocol:
    """Builds prompts with one tokenizer (SmolLM2's chat markup); knows the ids of the decision tokens."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        vocabulary = tokenizer.get_vocab()
        self.answer_id, self.call_id = vocabulary[ANSWER_TOKEN], vocabulary[CALL_TOKEN]
        self.end_id = vocabulary["<|im_end|>"]
        self._pieces: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, remembering short pieces (marks, numbers, common words)."""
        if len(text) > 24:
            return self.tokenizer(text, add_special_tokens=False)["input_ids"]
        if text not in self._pieces:
            self._pieces[text] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return self._pieces[text]

    def decide_prefix(self, experts: Sequence[tuple[str, str]], size: tuple[int, int]) -> list[int]:
        """System turn with experts as (name, description) and the start of the user's turn with the picture's size."""
        listed = "".join(f"{name}: {description}\n" for name, description in experts) or "none\n"
        text = (
            f"<|im_start|>system\n{DECIDE}{listed}<|im_end|>\n<|im_start|>user\nImage of {size[0]}x{size[1]} pixels.\n"
        )
        return list(self.encode(text))

    def context(self, rows: Sequence[Row], shown: Sequence[int]) -> Context:
        """The focus turn: system turn, then the rows numbered `shown`, a line of dots where rows are left out."""
        out = Context(list(self.encode(f"<|im_start|>system\n{ANSWER}<|im_end|>\n<|im_start|>user\n{ROWS}")))
        last = -1
        for number in shown:
            if number != last + 1:
                out.ids += self.encode("\n...")
            last = number
            out.ids += self.encode(f"\n{rows[number].y:02d}")
            for cell in rows[number].cells:
                out.ids += self.encode(f" @{cell.column:02d}")
                ids = self.encode(" " + cell.text)
                out.cells.append((cell.line, len(out.ids), list(ids)))
                out.ids += ids
        out.ids += self.encode("\n")
        return out

    def row_cost(self, row: Row) -> int:
        """Tokens that `row` takes in the focus turn."""
        return 3 + sum(3 + len(self.encode(" " + cell.text)) for cell in row.cells)

    def question(self, question: str, options: Sequence[str] | None = None) -> list[int]:
        """The question, its options, and the head of the assistant's turn."""
        listed = f"\nOptions: {'; '.join(options)}" if options else ""
        return list(self.encode(f"Question: {question}{listed}<|im_end|>\n<|im_start|>assistant\n"))


def to_text(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
    """The text of one sequence of ids."""
    text = tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens)
    assert isinstance(text, str)  # a list only for a batch
    return text
