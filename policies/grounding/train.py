"""Trains the nano Grounding DINO: `python -m policies.grounding.train --recipe cpu --out runs/grounding`.

The same command goes on where a run was stopped; `--minutes` stops it in time. When it ends or stops in phase `full`,
and with `--export` any time in that phase, the folder `OUT/checkpoint` holds what `tools/ground.py` loads; in phase
`dense` nothing is exported, because the decoder has not learned anything yet. What the recipe needs besides this
repository is made before: `policies/grounding/more.py` (pictures), `prepare.py` (text encoder, looks).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policies.grounding.batches import Batches
from policies.grounding.configuration import Phase, Recipe, load_recipe
from policies.grounding.export import export
from policies.grounding.loop import Helpers, Trainer
from policies.grounding.mosaics import Painter, grounds
from policies.grounding.phrases import UNSAID, Asker
from policies.grounding.prepare import LOOKS, TEXT, load_text, reduced
from policies.grounding.sprites import Bank, load_bank
from policies.grounding.text import END, START, STOP, encode
from policies.nano import shipped

if TYPE_CHECKING:
    import torch


class Run:
    """All of a run: data and trainer, of a recipe and the folder of what `prepare.py` made."""

    def __init__(self, recipe: Recipe, prepared: Path, fetched: Path | None, more: Path | None, device: str) -> None:
        import numpy as np
        import torch

        from policies.grounding.model import build, go_on_from, thaw_norms

        self.recipe = recipe
        bank = load_bank(fetched, more, recipe.kinds)
        text, head, self.tokenizer = load_text(prepared / TEXT)
        torch.manual_seed(recipe.seed)
        model = build(recipe.shape, text.config)
        model.model.text_backbone.load_state_dict(text.state_dict())
        with torch.no_grad():
            model.model.text_projection.weight.copy_(head.weight)
            model.model.text_projection.bias.copy_(head.bias)
            names = self._names(text.eval(), bank)
            vectors = head(names).numpy()
            if recipe.begin:
                go_on_from(model, shipped(recipe.begin))
                names = self._names(model.model.text_backbone.eval(), bank)
        self.asker = Asker(bank, self.tokenizer, vectors)
        looks = None
        if (prepared / LOOKS).is_file() and recipe.kinds is None:
            looks = torch.tensor(reduced(np.load(prepared / LOOKS), len(bank.sprites))).float()
        thaw_norms(model.model.backbone.conv_encoder.model)
        related = torch.tensor(self.asker.relation == UNSAID)
        self.trainer = Trainer(model, recipe, Helpers(names, looks, related), device)
        self.painter = Painter(bank, grounds(recipe.backdrops, recipe.seed, fetched), recipe.seed)

    def _names(self, text: Any, bank: Bank) -> torch.Tensor:
        """`[kinds, hidden]`: what the text encoder gives for the kinds' names."""
        import torch

        return torch.stack([self._name(text, kind.name) for kind in bank.kinds])

    def _name(self, text: Any, name: str) -> torch.Tensor:
        import torch

        ids = self.tokenizer(name, add_special_tokens=False)["input_ids"]
        return encode(text, torch.tensor([[START, *ids, STOP, END]]))[0, 1 : 1 + len(ids)].mean(0)

    def batches(self, first: int, last: int, phase: Phase) -> Batches:
        return Batches(self.painter, self.asker, phase.batch, phase.sides, first, last)

    def go(self, out: Path, seconds: float | None = None) -> bool:
        """Trains from the last state in `out` on, then exports; True when the recipe's end was reached."""
        state = out / "state.pt"
        if state.is_file():
            self.trainer.load(state)
        done = self.trainer.run(self.batches, out, _say, seconds)
        self.export(out)
        return done

    def export(self, out: Path) -> Path | None:
        """The checkpoint folder; None in phase `dense`, whose decoder is still random: it would detect nothing."""
        if self.trainer.phase == "dense":
            _say(f"no checkpoint is exported at step {self.trainer.step} of phase dense: the decoder is untrained")
            return None
        return export(self.trainer.model, self.tokenizer, out / "checkpoint")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m policies.grounding.train", description="Train nano Grounding DINO."
    )
    parser.add_argument("--recipe", default="cpu", help="a name of policies/grounding/recipes, or a .toml file")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--prepared", type=Path, required=True, help="what prepare.py made")
    parser.add_argument("--assets", type=Path, help="what `python -m policies.data.scenes.fetch` made")
    parser.add_argument("--more", type=Path, help="what `python -m policies.grounding.more` made")
    parser.add_argument("--minutes", type=float, help="stop after so long; the same command goes on")
    parser.add_argument("--device", help="default: the GPU if there is one")
    parser.add_argument("--export", action="store_true", help="only write OUT/checkpoint from the last state")
    given = parser.parse_args()
    import cv2
    import torch

    cv2.setNumThreads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    device = given.device or ("cuda" if torch.cuda.is_available() else "cpu")
    run = Run(load_recipe(given.recipe), given.prepared, given.assets, given.more, device)
    if given.export:
        run.trainer.load(given.out / "state.pt")
        folder = run.export(given.out)
        if folder is None:
            sys.exit(1)
        print(folder)
        return
    (given.out / "recipe.json").write_text(run.recipe.model_dump_json(indent=1) + "\n", encoding="utf-8")
    done = run.go(given.out, given.minutes * 60 if given.minutes else None)
    print("done" if done else "stopped in time; the same command goes on")


if __name__ == "__main__":
    main()
