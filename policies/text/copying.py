"""Decoding held to what was read: an answer is a run of tokens of the prompt's cells, or one of a few fixed words.

At every step only tokens are allowed that continue some run of the read text from a word's start, and the end only at
a word's end; so digits and names cannot be miscopied, and where the answer stands is known. Small beam, whole-answer
scores.
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
MARKS = " ,;:"  # left off at the ends of an answer
PART = "\ufffd"  # what a token of some bytes of a letter decodes to: it counts as a letter


@dataclass
class Copied:
    """An answer: `text`, the input lines it was copied from (none: a fixed phrase), its probability, and its tokens."""

    text: str
    lines: list[int]
    probability: float
    tokens: list[int] = field(default_factory=list)


class CopySource:
    """The cells of a focus turn as one long tape of tokens with the places where an answer may start and stop.

    An answer may run on from a cell into the next one, as wrapped text does. `phrases` are fixed token sequences
    allowed besides, such as " not in the image".
    """

    def __init__(self, context: Context, tokenizer: PreTrainedTokenizerBase, phrases: Sequence[list[int]]) -> None:
        self.tape: list[int] = []
        self.line_of: list[int] = []
        self.starts: list[int] = []
        self.stops: set[int] = set()  # an answer may end after this position
        for line, _, ids in context.cells:
            pieces = [to_text(tokenizer, [i]).replace(PART, "x") for i in ids]
            for k, token in enumerate(ids):
                around = ["\n", "\n", *pieces, " ", " "][k : k + 5]
                if _starts(*around):
                    self.starts.append(len(self.tape))
                if _stops(*around):
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


def _starts(before_that: str, before: str, piece: str, after: str, after_that: str) -> bool:
    """A word starts here: after a space or a mark, but not inside a number, a time or an address.

    Numbers carry their space as a token of its own, and that token is where they start.
    """
    if not piece.strip():
        return bool(after.strip(MARKS))
    if not piece.strip(MARKS) or before == " " or _joined(before[-1:], piece, after[:1]):
        return False
    if piece[0].isspace():
        return True
    if piece[0].isalnum() and before[-1:].isalnum():
        return False
    if piece[0].isdigit() and before.strip() in ("-", "−", ".") and not before_that[-1:].isalnum():
        return False  # the sign or the point of a number
    return not (piece[0].isdigit() and before_that[-1:].isdigit() and _joined(before_that[-1:], before, piece[0]))


def _stops(before_that: str, before: str, piece: str, after: str, after_that: str) -> bool:
    """A word ends here, and with it possibly an answer."""
    if not piece.strip():
        return False
    if after[:1].isspace():
        return True
    if piece[-1:].isalnum() and after[:1].isalnum():
        return False
    return not (_joined(before[-1:], piece, after[:1]) or _joined(piece[-1:], after, after_that[:1]))


def _joined(left: str, mark: str, right: str) -> bool:
    """`mark` holds the characters beside it together, as in 12.50, 14:30, O'Neill or www.example."""
    if len(mark) != 1 or mark not in JOINERS or not (left.isalnum() and right.isalnum()):
        return False
    if left.isdigit() and right.isdigit():
        return True
    sentence_ends = mark == "." and left.islower() and right.isupper()  # the space after it was not read
    return mark not in ",:" and not sentence_ends


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
    equally long token lists. Empty, with probability 0, where the source holds nothing but marks.
    """
    if not source.starts:
        return Copied("", [], 0.0)
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
    best = next((beam for beam in beams if beam.done), None) or _cut(beams[0], source)
    text = to_text(tokenizer, best.tokens).strip(MARKS)
    return Copied(text, _lines(source, best), math.exp(best.score), best.tokens)


def _cut(beam: _Beam, source: CopySource) -> _Beam:
    """A beam that never ended, back to the last place where an answer may stop."""
    for extra in range(len(beam.tokens)):
        places = [place - extra for place in beam.places or () if place - extra in source.stops]
        if places:
            return _Beam(beam.tokens[: len(beam.tokens) - extra], places, beam.score, True)
    return beam


def _lines(source: CopySource, beam: _Beam) -> list[int]:
    """Input lines of the first place on the tape that reads as the answer."""
    if not beam.places:
        return []
    last = beam.places[0]
    return list(dict.fromkeys(line for line in source.line_of[last - len(beam.tokens) + 1 : last + 1] if line >= 0))
