"""Decoding held to what was read: an answer is a run of tokens of the prompt's cells, or one of a few fixed words.

At every step only tokens are allowed that continue some run of the read text from a word's start, and the end only at a
word's end; so digits and names cannot be miscopied, and where the answer stands is known. Small beam, whole-answer scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from policies.text.protocol import Context, to_text

MAX_TOKENS = 48
JOINERS = ".,:/-'’@_%"


@dataclass
class Copied:
    """An answer: `text`, the input lines it was copied from (empty: a fixed phrase), its probability, and its tokens."""

    text: str
    lines: list[int]
    probability: float
    tokens: list[int] = field(default_factory=list)


class CopySource:
    """The cells of a focus turn as one long tape of tokens with the places where an answer may start and stop.

    An answer may run on from a cell into the next one, as wrapped text does. `phrases` are fixed token sequences allowed
    besides, such as " not in the image".
    """

    def __init__(self, context: Context, tokenizer: PreTrainedTokenizerBase, phrases: Sequence[list[int]]) -> None:
        self.tape: list[int] = []
        self.line_of: list[int] = []
        self.starts: list[int] = []
        self.stops: set[int] = set()  # an answer may end after this position
        for line, _, ids in context.cells:
            pieces = [to_text(tokenizer, [i]) for i in ids]
            for k, token in enumerate(ids):
                before = pieces[k - 1] if k else "\n"
                after = pieces[k + 1] if k + 1 < len(ids) else " "
                if _starts(before, pieces[k], pieces[k - 2] if k > 1 else "\n"):
                    self.starts.append(len(self.tape))
                if _stops(pieces[k], after, pieces[k + 2] if k + 2 < len(ids) else " "):
                    self.stops.add(len(self.tape))
                self.tape.append(token)
                self.line_of.append(line)
        self.fixed_from = len(self.tape)
        for phrase in phrases:
            self.starts.append(len(self.tape))
            self.tape += phrase
            self.line_of += [-1] * len(phrase)
            self.stops.add(len(self.tape) - 1)

    def next(self, places: Sequence[int] | None) -> tuple[dict[int, list[int]], bool]:
        """Allowed tokens with the tape places each leads to, and whether the answer may end here.

        `places` are the tape positions just taken; None at the beginning.
        """
        if places is None:
            following, ends = self.starts, False
        else:
            following = [
                p + 1
                for p in places
                if p + 1 < len(self.tape)
                and (p + 1 != self.fixed_from)
                and (p < self.fixed_from or p not in self.stops)
            ]
            ends = any(p in self.stops for p in places)
        out: dict[int, list[int]] = {}
        for place in following:
            out.setdefault(self.tape[place], []).append(place)
        return out, ends


def _starts(before: str, piece: str, before_that: str) -> bool:
    """A word starts here: after a space or a mark, but not inside a number, a time or an address.

    Numbers carry their space as a token of its own, and that token is where they start.
    """
    if not piece.strip():
        return True
    if before == " ":
        return False
    if piece[0].isspace():
        return True
    if piece[0].isalnum() and before[-1:].isalnum():
        return False
    return not (before[-1:] in JOINERS and piece[0].isdigit() and before_that[-1:].isdigit())


def _stops(piece: str, after: str, after_that: str) -> bool:
    if after[:1].isspace():
        return True
    if piece[-1:].isalnum() and after[:1].isalnum():
        return False
    return not (piece[-1:].isalnum() and after[:1] in JOINERS and len(after.strip()) == 1 and after_that[:1].isalnum())


@dataclass
class _Beam:
    tokens: list[int]
    places: list[int] | None
    score: float
    done: bool = False


Step = Callable[[list[list[int]]], Tensor]


@torch.inference_mode()
def copy_answer(
    step: Step, first: Tensor, source: CopySource, tokenizer: PreTrainedTokenizerBase, end_id: int, width: int = 3
) -> Copied:
    """The most likely allowed answer by beam search over `width` hypotheses.

    `first` are the logits `[V]` of the first answer token; `step(hypotheses)` gives the logits `[n, V]` after each of n
    equally long token lists.
    """
    beams = [_Beam([], None, 0.0)]
    logits = first[None]
    for _ in range(MAX_TOKENS):
        live = [beam for beam in beams if not beam.done]
        log_probs = torch.log_softmax(logits.float(), -1)
        grown = [beam for beam in beams if beam.done]
        for row, beam in enumerate(live):
            allowed, ends = source.next(beam.places)
            if ends:
                grown.append(_Beam(beam.tokens, beam.places, beam.score + log_probs[row, end_id].item(), True))
            if not allowed:
                continue
            ids = torch.tensor(list(allowed))
            values, which = log_probs[row, ids].topk(min(width, len(ids)))
            for value, k in zip(values.tolist(), which.tolist(), strict=True):
                token = int(ids[k])
                grown.append(_Beam([*beam.tokens, token], allowed[token], beam.score + value))
        beams = sorted(grown, key=lambda beam: -beam.score)[:width]
        best = beams[0]
        if best.done or all(beam.done for beam in beams):
            break
        logits = step([beam.tokens for beam in beams if not beam.done])
    done = [beam for beam in beams if beam.done] or beams
    best = done[0]
    text = to_text(tokenizer, best.tokens).strip().strip(",;:").strip()
    return Copied(text, _lines(source, best), math.exp(best.score), best.tokens)


def _lines(source: CopySource, beam: _Beam) -> list[int]:
    """Input lines of the first place on the tape that reads as the answer."""
    if not beam.places:
        return []
    last = beam.places[0]
    return list(dict.fromkeys(line for line in source.line_of[last - len(beam.tokens) + 1 : last + 1] if line >= 0))
