"""The native protocol as token ids: decide turn, focus turn of regions and read rows, question, decision tokens.

Everything that repeats comes first (system text, experts, picture, regions, rows of the page) and the question last,
so that a second question on the same picture shares a prefix. Cell texts are encoded alone, each with its leading
space, so that a copied answer is token for token a piece of the prompt. `<image>` and `<|region|>` stand once for each
picture; who embeds the prompt puts their tokens there. All text from images, experts and users is neutralised before
it gets here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from transformers import PreTrainedTokenizerBase

from policies.config import ANSWER_TOKEN, CALL_TOKEN, IMAGE_TOKEN, REGION_TOKEN
from policies.data.scenes import scene
from policies.text.places import in_words, numbers
from policies.text.rows import Row
from tools.boxes import Box, Size, to_unit

DECIDE = (
    "You answer questions about an image. Call an expert when the answer must be looked up in the image.\nExperts:\n"
)
ANSWER = "You answer questions about an image from the text that was read in it."
ROWS = "Rows of the image, y and @x in hundredths:"
ABSENT = f" {scene.ABSENT}"
REGIONS = "Regions:\n"
NOT_FOUND = "not found"
NUMBERS = "Numbers:"
MAX_LABEL = 60  # characters of a region's label


@dataclass(frozen=True)
class RegionLine:
    """A line of the focus turn: `label <|region|> at [x1,y1,x2,y2] note` with `box` in 0-1 of the original picture.

    Without a box it says `label: not found`: an expert looked for the thing and saw none.
    """

    label: str
    box: Box | None = None
    note: str = ""

    @classmethod
    def of(cls, labels: Sequence[str], places: Sequence[Box], size: Size) -> list[RegionLine]:
        """Lines of regions in pixels of a picture of `size`, with what their boxes say in words (`places.py`)."""
        short = [plain_label(label) for label in labels]
        notes = in_words(short, places, size)
        return [cls(label, to_unit(place, size), note) for label, place, note in zip(short, places, notes, strict=True)]


@dataclass
class Context:
    """Token ids of a page's focus turn; `cells` holds `(line number, first position, ids)` of every shown cell.

    Placeholders are single here, so positions count a picture or a region as one.
    """

    ids: list[int] = field(default_factory=list)
    cells: list[tuple[int, int, list[int]]] = field(default_factory=list)


class Protocol:
    """Builds prompts with one tokenizer (SmolLM2's chat markup); knows the ids of the decision tokens."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        vocabulary = tokenizer.get_vocab()
        self.answer_id, self.call_id = vocabulary[ANSWER_TOKEN], vocabulary[CALL_TOKEN]
        self.image_id, self.region_id = vocabulary[IMAGE_TOKEN], vocabulary[REGION_TOKEN]
        self.end_id = vocabulary["<|im_end|>"]
        self._pieces: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, remembering short pieces (marks, numbers, common words)."""
        if len(text) > 24:
            return self.tokenizer(text, add_special_tokens=False)["input_ids"]
        if text not in self._pieces:
            self._pieces[text] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return self._pieces[text]

    def decide_prefix(
        self, experts: Sequence[tuple[str, str]], size: tuple[int, int], image: bool = False
    ) -> list[int]:
        """System turn with experts as (name, description) and the start of the user's turn with the picture's size.

        `image` puts the picture itself before its size; for a model with a vision tower.
        """
        listed = "".join(f"{name}: {description}\n" for name, description in experts) or "none\n"
        seen = f"{IMAGE_TOKEN}\n" if image else ""
        start = f"<|im_start|>system\n{DECIDE}{listed}<|im_end|>\n<|im_start|>user\n"
        return list(self.encode(f"{start}{seen}Image of {size[0]}x{size[1]} pixels.\n"))

    def call_turn(self, said: str) -> list[int]:
        """What the controller writes after `question` to call experts: `said` is one `expert: args` a line."""
        return [self.call_id, *self.encode(said), self.end_id]

    def context(
        self, rows: Sequence[Row], shown: Sequence[int], regions: Sequence[RegionLine] = (), image: bool = False
    ) -> Context:
        """The answer turn up to the question, encoded anew ("paper" context): system turn, picture, regions, rows.

        `shown` numbers the rows to show. `image` and `regions` are for a model with a vision tower; without them the
        ids are those of the text path.
        """
        start = f"<|im_start|>system\n{ANSWER}<|im_end|>\n<|im_start|>user\n"
        if not (image or regions):
            return self._rows(Context(list(self.encode(start + ROWS))), rows, shown)
        return self._focus(Context(list(self.encode(start + f"{IMAGE_TOKEN}\n" * image))), rows, shown, regions)

    def focus_turn(self, rows: Sequence[Row], shown: Sequence[int], regions: Sequence[RegionLine] = ()) -> Context:
        """The focus turn that continues a `call_turn` ("append" context): regions and rows; the question follows."""
        return self._focus(Context(list(self.encode("\n<|im_start|>user\n"))), rows, shown, regions)

    def _focus(self, out: Context, rows: Sequence[Row], shown: Sequence[int], regions: Sequence[RegionLine]) -> Context:
        if regions:
            out.ids += self.encode(REGIONS)
        for region in regions:
            out.ids += self.region_line(region)
        if any(region.box for region in regions):
            out.ids += self.encode(f"{NUMBERS} {numbers([plain_label(one.label) for one in regions if one.box])}\n")
        if not shown:
            return out
        out.ids += self.encode(ROWS)
        return self._rows(out, rows, shown)

    def _rows(self, out: Context, rows: Sequence[Row], shown: Sequence[int]) -> Context:
        """The rows numbered `shown`, a line of dots where rows are left out."""
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

    def region_line(self, region: RegionLine) -> list[int]:
        """Token ids of one line with its line end; exactly one `region_id` in it when the region has a box."""
        label = plain_label(region.label)
        if region.box is None:
            return list(self.encode(f"{label}: {NOT_FOUND}\n"))
        place = ",".join(f"{min(max(value, 0.0), 1.0):.3f}" for value in region.box)
        note = f" {region.note}" if region.note else ""
        return [*self.encode(f"{label} "), self.region_id, *self.encode(f" at [{place}]{note}\n")]

    def row_cost(self, row: Row) -> int:
        """Tokens that `row` takes in the focus turn."""
        return 3 + sum(3 + len(self.encode(" " + cell.text)) for cell in row.cells)

    def question(self, question: str, options: Sequence[str] | None = None) -> list[int]:
        """The question, its options, and the head of the assistant's turn."""
        listed = f"\nOptions: {'; '.join(options)}" if options else ""
        return list(self.encode(f"Question: {question}{listed}<|im_end|>\n<|im_start|>assistant\n"))


def plain_label(label: str) -> str:
    """A region's label as a line of the focus turn has it."""
    return " ".join(label.split())[:MAX_LABEL].strip() or "region"


def to_text(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
    """The text of one sequence of ids."""
    text = tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens)
    assert isinstance(text, str)  # a list only for a batch
    return text
