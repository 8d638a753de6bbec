"""Batches of canvases with their prompts and truth, made ahead by worker processes; batch `n` is always the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from policies.grounding.losses import Targets
from policies.grounding.mosaics import Canvas, Painter
from policies.grounding.phrases import Asker, Prompt

if TYPE_CHECKING:
    import torch

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # as transformers' image processor has them
MOST_CANVASES = 4096  # canvases of a batch; canvases are numbered as if all batches were so large


@dataclass
class Batch:
    pixels: torch.Tensor  # [B, 3, S, S] float
    ids: torch.Tensor  # [B, T] long
    targets: Targets


class Batches:
    """An iterable over batches `first`, `first + 1`, ... of `size` canvases whose side is one of `sides`.

    Batches of different numbers share no canvas, whatever their sizes: no phase of a training repeats another's.
    """

    def __init__(
        self, painter: Painter, asker: Asker, size: int, sides: tuple[int, ...], first: int, last: int
    ) -> None:
        assert size <= MOST_CANVASES, f"a batch of {size} canvases; at most {MOST_CANVASES}"
        self.painter, self.asker, self.size, self.sides, self.first, self.last = (
            painter,
            asker,
            size,
            sides,
            first,
            last,
        )

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, at: int) -> tuple[np.ndarray, list[Prompt], list[Canvas]]:
        if at >= len(self):
            raise IndexError(at)
        number = self.first + at
        rng = np.random.default_rng((self.painter.seed, 7, number))
        side = int(self.sides[int(rng.integers(len(self.sides)))])
        canvases = [self.painter.draw(number * MOST_CANVASES + one, side) for one in range(self.size)]
        prompts = [self.asker.ask(rng, canvas.items) for canvas in canvases]
        return np.stack([canvas.pixels for canvas in canvases]), prompts, canvases


def ahead(batches: Batches, workers: int) -> Iterator[Batch]:
    """The batches as tensors, drawn by `workers` processes beside the training (0: in this one)."""
    from torch.utils.data import DataLoader

    more: dict[str, Any] = {"prefetch_factor": 4} if workers else {}
    loader: Any = DataLoader(batches, batch_size=None, num_workers=workers, collate_fn=lambda made: made, **more)  # type: ignore[arg-type]
    for pixels, prompts, canvases in loader:
        yield to_batch(pixels, prompts, canvases)


def to_batch(pixels: np.ndarray, prompts: list[Prompt], canvases: list[Canvas]) -> Batch:
    import torch

    size, side = len(pixels), pixels.shape[1]
    things = max(1, *(len(canvas.items) for canvas in canvases))
    phrases = max(1, *(len(prompt.means) for prompt in prompts))
    length = max(len(prompt.ids) for prompt in prompts)
    ids = torch.zeros(size, length, dtype=torch.long)
    targets = Targets(
        boxes=torch.zeros(size, things, 4),
        there=torch.zeros(size, things, dtype=torch.bool),
        means=torch.zeros(size, phrases, things, dtype=torch.int8),
        phrase_of=torch.full((size, length), -1),
        real=torch.zeros(size, length, dtype=torch.bool),
        kinds=torch.full((size, things), -1),
        sprites=torch.zeros(size, things, dtype=torch.long),
    )
    for row, (prompt, canvas) in enumerate(zip(prompts, canvases, strict=True)):
        ids[row, : len(prompt.ids)] = torch.tensor(prompt.ids)
        targets.phrase_of[row, : len(prompt.ids)] = torch.tensor(prompt.phrase_of)
        targets.real[row, : len(prompt.ids)] = True
        count = len(canvas.items)
        if count:
            corners = torch.tensor([item.box for item in canvas.items]) / side
            targets.boxes[row, :count] = torch.cat(
                [(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], 1
            )
            targets.there[row, :count] = True
            targets.means[row, : len(prompt.means), :count] = torch.from_numpy(prompt.means)
            targets.kinds[row, :count] = torch.tensor([item.kind for item in canvas.items])
            targets.sprites[row, :count] = torch.tensor([item.sprite for item in canvas.items])
    image = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    image = (image - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    return Batch(image, ids, targets)
