"""The mathematics of the reward stage, as pure functions: rewards, group advantages, clipped objective, KL, guard.

After GRPO (Shao et al. 2024, arXiv 2402.03300): K decisions of one question are a group, and each is judged against the
others of its group; no value model. A decision has few possible outcomes, so KL and call rates are exact sums.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import torch
from torch import Tensor

EPSILON = 1e-6


def reward(correct: bool, cost: float, price: float) -> float:
    """`correct - price * cost`; cost in expert calls and thousands of tokens."""
    return float(correct) - price * cost


def group_advantages(rewards: Tensor) -> Tensor:
    """`[Q, K]` -> `[Q, K]`: less the group's mean, over its standard deviation; 0 where all rewards are the same."""
    spread = rewards - rewards.mean(dim=-1, keepdim=True)
    deviation = rewards.std(dim=-1, keepdim=True, correction=0)
    return torch.where(deviation > EPSILON, spread / deviation.clamp(min=EPSILON), torch.zeros_like(spread))


def clipped(log_new: Tensor, log_old: Tensor, advantages: Tensor, clip: float) -> tuple[Tensor, Tensor]:
    """PPO's objective `[Q, K]`, the smaller of ratio x advantage and clipped ratio x advantage; and where it was cut.

    `log_new` and `log_old` `[Q, K]` are log-probabilities of the sampled decisions, now and when they were sampled.
    """
    ratio = (log_new - log_old).exp()
    free, cut = ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages
    return torch.minimum(free, cut), cut < free


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p || q) `[Q]` of distributions over decisions `[Q, A]`; -inf stands for decisions that a question lacks."""
    there = torch.isfinite(log_p)
    gap = torch.where(there, log_p - torch.where(there, log_q, torch.zeros_like(log_q)), torch.zeros_like(log_p))
    return (torch.where(there, log_p.exp(), torch.zeros_like(log_p)) * gap).sum(-1)


def decision_log_probs(pair: Tensor, names: Tensor) -> Tensor:
    """Log-probabilities `[1 + E]` of answering and of calling each of E experts.

    `pair` `[2]`: logits of `<|answer|>` and `<|call|>`; `names` `[E]`: log-likelihoods of the experts' names after a
    call, compared among each other as in use. Without experts all there is is to answer.
    """
    if not len(names):
        return pair.new_zeros(1)
    answer, call = pair.log_softmax(-1)
    return torch.cat([answer[None], call + names.log_softmax(-1)])


class Guard:
    """Sees the call rate where calls are needed and where they are not, over the last `window` questions of each.

    A policy that always calls or never does has both rates at one end; `collapsed` then says so.
    """

    def __init__(self, band: tuple[float, float], window: int) -> None:
        self.band = band
        self.rates: dict[bool, deque[float]] = {needed: deque(maxlen=window) for needed in (True, False)}

    def add(self, needed: bool, p_call: float) -> None:
        self.rates[needed].append(p_call)

    def rate(self, needed: bool) -> float | None:
        seen = self.rates[needed]
        return sum(seen) / len(seen) if seen else None

    @property
    def full(self) -> bool:
        return all(len(seen) == seen.maxlen for seen in self.rates.values())

    def collapsed(self) -> str | None:
        """A line when both rates are beyond the same end of the band and both windows are full; else None."""
        needed, other = self.rate(True), self.rate(False)
        if not self.full or needed is None or other is None:
            return None
        low, high = self.band
        ends = {"never calls": max(needed, other) < low, "always calls": min(needed, other) > high}
        for what, is_so in ends.items():
            if is_so:
                return (
                    f"the policy {what}: p_call is {needed:.1%} where calls are needed and {other:.1%} where they are "
                    f"not, outside of {low:.0%} to {high:.0%}"
                )
        return None

    def state(self) -> list[list[float]]:
        """JSON values for a checkpoint."""
        return [list(self.rates[needed]) for needed in (True, False)]

    def load(self, state: Sequence[Sequence[float]]) -> None:
        for needed, values in zip((True, False), state, strict=True):
            self.rates[needed].clear()
            self.rates[needed].extend(values)
