"""AdamW on fp32 masters of the learning parameters, which may be bf16 in the model; one group a part of the recipe.

Gradients are sums over targets; `step` divides them by the count of all passes and devices, so that the update does
not depend on how the batch was cut. Under sharding the parameters are fp32 shards and are their own masters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from policies.train.recipe import StageRecipe

if TYPE_CHECKING:
    from policies.train.learner import Learner

SLOTS = ("exp_avg", "exp_avg_sq")


class Masters:
    """`parameters` and `masters` by name; `step(scale, factor)` is one update."""

    def __init__(self, learner: Learner, recipe: StageRecipe) -> None:
        self.clip = recipe.clip
        self.parameters: dict[str, nn.Parameter] = {}
        self.masters: dict[str, Tensor] = {}
        groups = []
        for part, found in learner.parts().items():
            mine = {n: p if p.dtype == torch.float32 else p.detach().float().clone() for n, p in found.items()}
            self.parameters |= found
            self.masters |= mine
            rate = getattr(recipe.rates, part)
            for decays in (True, False):  # norms, biases and vectors do not decay
                chosen = [m for m in mine.values() if (m.ndim > 1) == decays]
                if chosen:
                    decay = recipe.decay if decays else 0.0
                    groups.append({"params": chosen, "lr": rate, "weight_decay": decay, "peak": rate})
        self.optimizer = torch.optim.AdamW(groups, betas=recipe.betas)

    def collect(self) -> None:
        """After every backward pass: add the gradients to those of the masters, so that they sum in fp32."""
        for name, master in self.masters.items():
            parameter = self.parameters[name]
            if parameter is not master and parameter.grad is not None:
                gradient, parameter.grad = parameter.grad.float(), None
                master.grad = gradient if master.grad is None else master.grad.add_(gradient)

    def step(self, scale: float, factor: float) -> float:
        """Update with gradients times `scale` at `factor` of the peak rates; returns the gradient's norm.

        A norm that is not finite changes nothing.
        """
        gradients = [m.grad for m in self.masters.values() if m.grad is not None]
        if not gradients:
            return 0.0
        torch._foreach_mul_(gradients, scale)
        norm = nn.utils.clip_grad_norm_(self.masters.values(), self.clip)
        value = float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)
        if value == value and abs(value) != float("inf"):
            for group in self.optimizer.param_groups:
                group["lr"] = group["peak"] * factor
            self.optimizer.step()
            self._publish()
        self.zero()
        return value

    def zero(self) -> None:
        for master in self.masters.values():
            master.grad = None

    @torch.no_grad()
    def _publish(self) -> None:
        pairs = [(self.parameters[n], m) for n, m in self.masters.items() if m is not self.parameters[n]]
        if pairs:
            torch._foreach_copy_([p for p, _ in pairs], [m for _, m in pairs])

    def state(self, whole: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """Masters and moments by name, each gathered by `whole`."""
        out: dict[str, Tensor] = {}
        for name, master in self.masters.items():
            out[f"{name}#master"] = whole(master)
            slots = self.optimizer.state.get(master, {})
            for slot in SLOTS:
                if slot in slots:
                    out[f"{name}#{slot}"] = whole(slots[slot])
            if "step" in slots:
                out[f"{name}#step"] = slots["step"].detach().clone()
        return out

    @torch.no_grad()
    def load(self, state: dict[str, Tensor], spread: Callable[[Tensor, Tensor], None]) -> None:
        """Take a state of `state`; `spread(into, value)` copies, onto shards where there are. `KeyError`/`RuntimeError`
        when it is of other parameters."""
        if {key.partition("#")[0] for key in state} != set(self.masters):
            raise KeyError("other parameters learn now than in the checkpoint")
        for name, master in self.masters.items():
            spread(master, state[f"{name}#master"])
            if f"{name}#step" in state:
                slots = self.optimizer.state[master]
                slots["step"] = state[f"{name}#step"].clone()
                for slot in SLOTS:
                    slots[slot] = torch.zeros_like(master)
                    spread(slots[slot], state[f"{name}#{slot}"])
        self._publish()
