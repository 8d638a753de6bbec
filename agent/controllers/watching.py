"""Two ears for `generate`: token probabilities without keeping all scores, and text as it comes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from transformers import LogitsProcessor, TextStreamer


class Watch(LogitsProcessor):
    """Remembers the probability of token `mark` at the first step, and the log-probability of each greedy choice."""

    def __init__(self, mark: int) -> None:
        self.mark, self.first = mark, 0.0
        self.chosen: list[float] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores [1, V], unchanged."""
        logprobs = scores[0].float().log_softmax(-1)
        if not self.chosen:
            self.first = float(logprobs[self.mark].exp())
        self.chosen.append(float(logprobs.max()))
        return scores

    def confidence(self) -> float | None:
        """The geometric mean probability of the chosen tokens."""
        return math.exp(sum(self.chosen) / len(self.chosen)) if self.chosen else None


class Emitter(TextStreamer):
    """Hands decoded pieces of the reply to a function."""

    def __init__(self, tokenizer: Any, emit: Callable[[str], None]) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self.emit = emit

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        if text:
            self.emit(text)
