"""Plays one question on a model: answer at once, or call experts and answer from what they found; scored and priced.

Forced runs, rewards and the check of unseen plug-ins all go through here, so that they see what a user sees: the native
protocol through `policies/text/engine.py`, text of experts neutralised, the scorer of the evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from pydantic import BaseModel, Field

from policies.scoring import right
from policies.text.engine import Found, Reply, TextEngine
from policies.text.naming import as_asked, missing, one_name_each
from policies.train.expert_runs import Experts, Listed, split_call
from policies.train.questions import Asked, draw
from tools.base import Region
from tools.pictures import Picture
from tools.safety import neutralise

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from policies.train.learner import Learner

FLOOR = 1e-9  # of p_call, so that its logit is finite


class Outcome(BaseModel):
    """What came of one forced run. `likelihood` is the model's probability of what it said."""

    text: str
    correct: bool
    likelihood: float
    calls: int = 0
    tokens: int = Field(default=0, description="all input and what was generated, in all turns")

    @property
    def cost(self) -> float:
        """Expert calls and thousands of tokens."""
        return self.calls + self.tokens / 1000


class Player:
    """One engine with experts at hand. Not thread-safe; one question at a time."""

    def __init__(self, engine: TextEngine, experts: Experts) -> None:
        self.engine, self.experts = engine, experts
        self._seen: tuple[str, Picture] | None = None

    def margin(self, item: Asked, listed: Listed | None = None) -> float:
        """Logit of calling less that of answering, whatever was fitted. The question alone decides, as in use: options
        would tempt a model to guess."""
        experts = self.experts.listed if listed is None else listed
        p = self.engine.p_call(experts, item.size, neutralise(item.question), None, self._picture(item))
        p = min(max(p, FLOOR), 1 - FLOOR)
        return self.engine.temperature * math.log(p / (1 - p)) + self.engine.bias

    def call(self, item: Asked, listed: Listed | None = None) -> str:
        """The lines `expert: args` that the model writes when it has to call."""
        experts = self.experts.listed if listed is None else listed
        takes, question, picture = self.experts.takes_args, neutralise(item.question), self._picture(item)
        return self.engine.call_as_asked(experts, item.size, question, _options(item), takes, picture)[0]

    def direct(self, item: Asked) -> Outcome:
        """The answer without a look by any expert."""
        self.engine.cost = type(self.engine.cost)()
        question, picture = neutralise(item.question), self._picture(item)
        return self._outcome(
            item, self.engine.direct(self.experts.listed, item.size, question, _options(item), picture), 0
        )

    def with_calls(self, item: Asked, calls: str) -> Outcome:
        """The answer after these calls, one a line."""
        self.engine.cost = type(self.engine.cost)()
        lines = [line for line in calls.splitlines() if line.strip()]
        found = [one_name_each(self.experts.run(item, line)) for line in lines]
        regions = [region for part in found for region in part]
        read = [region.model_copy(update={"text": neutralise(region.text)}) for region in regions if region.text]
        picture = self._picture(item)
        looked = None
        if picture is not None:
            looked = Found(
                picture, [region for region in regions if not region.text], _missing(lines, found, item.question)
            )
        reply = self.engine.answer(read, item.size, neutralise(item.question), _options(item), looked)
        return self._outcome(item, reply, len(lines))

    def _picture(self, item: Asked) -> Picture | None:
        """The picture where the model can see it; the last one is kept."""
        if self.engine.eyes is None:
            return None
        key = f"{item.track}/{item.index}"
        if self._seen is None or self._seen[0] != key:
            self._seen = (key, Picture.open(draw(item.track, item.index)))
        return self._seen[1]

    def _outcome(self, item: Asked, reply: Reply, calls: int) -> Outcome:
        cost = self.engine.cost
        return Outcome(
            text=reply.text,
            correct=right(reply.text, reply.choice, item.options, item.gold, item.accepted),
            likelihood=min(1.0, max(0.0, reply.confidence)),
            calls=calls,
            tokens=cost.prompt + cost.generated,
        )


@contextmanager
def engine_of(learner: Learner, tokenizer: PreTrainedTokenizerBase) -> Iterator[TextEngine]:
    """An engine on the weights as they are learned now: the adapter in place, the rows of the special tokens put into
    the embedding (which never uses its own). Nothing is copied; the learner is as before when it ends."""
    model, training = learner.model, learner.training
    wrapped: Any = model.language_model
    plain = wrapped.get_base_model() if hasattr(wrapped, "peft_config") else wrapped
    learner.eval()
    try:
        model.language_model = plain
        with torch.no_grad():
            layers: list[Any] = [model.get_input_embeddings(), model.get_output_embeddings()]
            for layer in layers:  # tied: the second time changes nothing
                layer.weight[learner.old : learner.old + len(learner.rows)] = learner.rows.to(layer.weight)
        yield TextEngine(model, tokenizer)
    finally:
        model.language_model = wrapped
        learner.train(training)


def _missing(lines: list[str], found: list[list[Region]], question: str) -> list[str]:
    """Things asked for of which nothing was found."""
    asked = (as_asked([part.strip() for part in split_call(line)[1].split(";")], question) for line in lines)
    return [neutralise(name) for name in missing(zip(asked, found, strict=True))]


def _options(item: Asked) -> list[str] | None:
    return [neutralise(option) for option in item.options] if item.options else None
