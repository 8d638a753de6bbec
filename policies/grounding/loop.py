"""The training loop of the nano Grounding DINO: two phases, checkpoints, resume; the same on one CPU core and on a GPU.

`dense` trains backbone, encoder and proposals with live batch norms, helped by two heads that are thrown away: one
tells all kinds apart by what their names mean, one repeats what a pretrained image classifier sees in each sprite.
`full` freezes the norms and trains everything with the decoder.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policies.grounding.batches import Batch, Batches, ahead
from policies.grounding.configuration import Phase, Recipe
from policies.grounding.losses import Targets, assign, of_proposals, of_queries
from policies.grounding.model import inherit, meaning, propose, refine, still
from policies.grounding.text import encode

if TYPE_CHECKING:
    import torch

WEIGHTS = {"cells": 1.0, "cell_boxes": 1.0, "kinds": 1.0, "looks": 1.5, "queries": 1.0, "query_boxes": 1.0}
SAVE_EVERY = 120.0  # seconds


@dataclass
class Helpers:
    """What helps the dense phase: text encoder outputs of every kind's name, and vectors of every sprite or none."""

    names: torch.Tensor  # [K, hidden]
    looks: torch.Tensor | None  # [sprites, n], of length 1
    related: torch.Tensor  # [K, K] bool: may be taken for each other, and not the same


class Trainer:
    """State of a run: model, extra heads, optimizer, step. `run` trains to the end or to a time limit."""

    def __init__(self, model: Any, recipe: Recipe, helpers: Helpers, device: str) -> None:
        import torch

        self.model, self.recipe, self.device = model.to(device), recipe, device
        self.names, self.related = helpers.names.to(device), helpers.related.to(device)
        self.looks = None if helpers.looks is None else helpers.looks.to(device)
        width = recipe.shape.d_model
        self.look_head = torch.nn.Linear(width, 1 if self.looks is None else self.looks.shape[1]).to(device)
        self.sharpness = torch.nn.Parameter(torch.tensor(1.0, device=device))
        self.phase, self.step = "dense", 0
        self.optimizer = self._optimizer()

    def _optimizer(self) -> Any:
        import torch

        plan = self.plan
        backbone: list[torch.nn.Parameter] = []
        rest: list[torch.nn.Parameter] = []
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                (backbone if "conv_encoder" in name else rest).append(parameter)
        extra = [*self.look_head.parameters(), self.sharpness]
        groups = [
            {"params": backbone, "lr": plan.backbone_rate, "top": plan.backbone_rate},
            {"params": rest + extra, "lr": plan.rate, "top": plan.rate},
        ]
        return torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.02, fused=True)

    @property
    def plan(self) -> Phase:
        return self.recipe.dense if self.phase == "dense" else self.recipe.full

    def enter_full(self) -> None:
        """From the dense phase to the full one: norms are frozen, a new optimizer begins. A decoder that has not
        learned yet starts from the proposals' head."""
        import torch
        from transformers.models.grounding_dino.modeling_grounding_dino import replace_batch_norm

        with torch.no_grad():
            replace_batch_norm(self.model.model.backbone.conv_encoder.model)
        if self.recipe.begin is None:
            still(self.model)
            inherit(self.model)
        self.model.to(self.device)
        self.phase, self.step = "full", 0
        self.optimizer = self._optimizer()

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        import torch

        pixels, ids = batch.pixels.to(self.device), batch.ids.to(self.device)
        targets = Targets(**{key: value.to(self.device) for key, value in vars(batch.targets).items()})
        side = pixels.shape[-1]
        with torch.autocast(self.device.split(":")[0], torch.bfloat16):
            with torch.no_grad():
                words = encode(self.model.model.text_backbone, ids)
            light = self.phase == "dense" or not self.recipe.shape.attend
            found = propose(self.model, pixels, ids, targets.real, words, light)
            refined = refine(self.model, found, targets.real) if self.phase == "full" else None
        thing = assign(targets, found.shapes, side)
        parts = of_proposals(found.logits, found.coords, thing, targets)
        parts |= self._helped(found.queries.float(), thing, targets)
        if refined is not None:
            cells = torch.gather(thing, 1, refined.chosen)
            layers = list(zip(refined.logits, refined.boxes, strict=True))
            for logits, boxes in layers:
                for key, value in of_queries(logits, boxes, cells, targets).items():
                    parts[key] = parts.get(key, 0) + value / len(layers)
        return parts

    def _helped(self, queries: torch.Tensor, thing: torch.Tensor, targets: Targets) -> dict[str, torch.Tensor]:
        """The two extra heads, at the cells that belong to a thing."""
        import torch
        from torch.nn import functional

        rows, cells = torch.nonzero(thing >= 0, as_tuple=True)
        own, at = queries[rows, cells], thing[rows, cells]
        kinds, sprites = targets.kinds[rows, at], targets.sprites[rows, at]
        parts = {}
        named = kinds >= 0
        if named.any():
            scores = own[named] @ meaning(self.model, self.names).T * self.sharpness
            scores = scores.masked_fill(self.related[kinds[named]], -1e4)
            parts["kinds"] = functional.cross_entropy(scores, kinds[named])
        if self.looks is not None and len(own):
            parts["looks"] = 1 - functional.cosine_similarity(self.look_head(own), self.looks[sprites]).mean()
        return parts

    def train_step(self, batch: Batch) -> dict[str, float]:
        import torch

        progress = min(1.0, self.step / max(1, self.plan.steps))
        factor = min(1.0, (self.step + 1) / self.plan.warm_up) * (
            0.5 * (1 + math.cos(math.pi * progress)) * 0.97 + 0.03
        )
        for group in self.optimizer.param_groups:
            group["lr"] = group["top"] * factor
        parts = self.losses(batch)
        total = torch.stack([WEIGHTS[key] * value for key, value in parts.items()]).sum()
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_([p for group in self.optimizer.param_groups for p in group["params"]], 3.0)
        self.optimizer.step()
        self.step += 1
        return {key: float(value.detach()) for key, value in parts.items()}

    def save(self, path: Path) -> None:
        """Everything needed to go on, written whole or not at all."""
        import torch

        state = {
            "model": self.model.state_dict(),
            "look_head": self.look_head.state_dict(),
            "sharpness": self.sharpness.detach(),
            "optimizer": self.optimizer.state_dict(),
            "phase": self.phase,
            "step": self.step,
        }
        scratch = path.with_suffix(".partial")
        torch.save(state, scratch)
        os.replace(scratch, path)

    def load(self, path: Path) -> None:
        import torch

        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["phase"] == "full" and self.phase == "dense":
            self.enter_full()
        self.model.load_state_dict(state["model"])
        self.look_head.load_state_dict(state["look_head"])
        with torch.no_grad():
            self.sharpness.copy_(state["sharpness"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    def run(
        self,
        batches: Callable[[int, int, Phase], Batches],
        out: Path,
        say: Callable[[str], None],
        seconds: float | None = None,
    ) -> bool:
        """Trains both phases from where the state is; True when the end was reached, False at the time limit."""
        began = saved = time.monotonic()
        for phase in ("dense", "full"):
            if phase == "dense" and self.phase == "full":
                continue
            if phase == "full" and self.phase == "dense":
                self.enter_full()
            self.model.train()
            offset = self.recipe.dense.steps if phase == "full" else 0
            sums: dict[str, float] = {}
            counted = 0
            for batch in ahead(batches(offset + self.step, offset + self.plan.steps, self.plan), self.recipe.workers):
                for key, value in self.train_step(batch).items():
                    sums[key] = sums.get(key, 0.0) + value
                counted += 1
                now = time.monotonic()
                if self.step % self.recipe.log_every == 0 or self.step == self.plan.steps:
                    row = {"phase": phase, "step": self.step, "seconds": round(now - began, 1)}
                    row |= {key: round(value / counted, 4) for key, value in sums.items()}
                    with (out / "log.jsonl").open("a", encoding="utf-8") as log:
                        log.write(json.dumps(row) + "\n")
                    say(json.dumps(row))
                    sums, counted = {}, 0
                if now - saved > SAVE_EVERY:
                    self.save(out / "state.pt")
                    saved = now
                if seconds is not None and now - began > seconds:
                    self.save(out / "state.pt")
                    return False
            self.save(out / "state.pt")
        return True
