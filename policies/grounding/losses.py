"""What training asks for: every cell inside a thing finds it, every query says how well its box fits.

Dense (one-to-many) supervision of the proposals, as FCOS does, converges in minutes where Hungarian matching needs
days; the decoder's queries are then judged by the overlap of the box they give (quality focal loss), and duplicates
are left to suppression, which the expert does anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

CORE = 0.3  # part of a box's half sides round its centre whose cells are its own
LARGEST = (112.0, 1e9)  # longer side of a thing, pixels, up to which each of the LEVELS owns it
SMALLEST = (0.0, 56.0)


@dataclass
class Targets:
    """Of a batch: boxes `[B, N, 4]` (centre, size; 0-1), which of the `N` are there, what the phrases mean."""

    boxes: torch.Tensor
    there: torch.Tensor  # [B, N] bool
    means: torch.Tensor  # [B, P, N] int8
    phrase_of: torch.Tensor  # [B, T] long, -1: no phrase
    real: torch.Tensor  # [B, T] bool: not padding
    kinds: torch.Tensor  # [B, N] long
    sprites: torch.Tensor  # [B, N] long


def assign(targets: Targets, shapes: list[tuple[int, int]], side: int) -> torch.Tensor:
    """`[B, S]`: of each cell the thing it belongs to, -1 nothing, -2 not to be said (inside, not in its core)."""
    import torch

    found = []
    boxes = targets.boxes[:, None]  # B 1 N 4
    centre, size = boxes[..., :2], boxes[..., 2:]
    area = (size[..., 0] * size[..., 1]).masked_fill(~targets.there[:, None], 9.0)
    for level, (height, width) in enumerate(shapes):
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        cells = torch.stack([(x.flatten() + 0.5) / width, (y.flatten() + 0.5) / height], -1).to(boxes)[None, :, None]
        off = (cells - centre).abs()
        inside = (off < size / 2).all(-1) & targets.there[:, None]
        half = torch.tensor([0.5 / width, 0.5 / height]).to(boxes)
        core = (off < torch.maximum(size / 2 * CORE, half)).all(-1) & targets.there[:, None]
        longest = size.amax(-1) * side
        fits = (longest >= SMALLEST[level]) & (longest < LARGEST[level])
        core &= fits
        best = area.masked_fill(~core, 10.0).min(-1)
        one = torch.where(best.values < 9.0, best.indices, torch.where(inside.any(-1), -2, -1))
        found.append(one)
    return torch.cat(found, 1)


def wanted(targets: Targets, thing: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """For things `[B, S]` (as `assign` gives them): `[B, S, T]` whether each token means it, and with what weight."""
    import torch

    batch = torch.arange(len(thing), device=thing.device)[:, None]
    phrases = targets.means.shape[1]
    by_phrase = targets.means.transpose(1, 2)[batch, thing.clamp(min=0)].float()  # B S P
    by_phrase = torch.where((thing >= 0)[..., None], by_phrase, torch.zeros_like(by_phrase))
    by_phrase = torch.where((thing == -2)[..., None], -torch.ones_like(by_phrase), by_phrase)
    by_phrase = torch.cat([by_phrase, torch.zeros_like(by_phrase[..., :1])], -1)  # the last: no phrase
    at = torch.where(targets.phrase_of < 0, phrases, targets.phrase_of)
    by_token = torch.gather(by_phrase, 2, at[:, None].expand(-1, thing.shape[1], -1))
    return by_token.clamp(min=0), ((by_token >= 0) & targets.real[:, None]).float()


def focal(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Quality focal loss: `|target - p|^2 * bce`; summed. Targets may be anything from 0 to 1."""
    import torch

    cost = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (cost * (target - logits.detach().sigmoid()).abs().square() * weight).sum()


def corners(boxes: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.cat([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], -1)


def overlap(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """IoU and generalised IoU of boxes (centre, size) pair by pair, shapes broadcast."""
    import torch

    a, b = corners(a), corners(b)
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    common = (high - low).clamp(min=0).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - common
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1)
    iou = common / union.clamp(min=1e-9)
    return iou, iou - (hull - union) / hull.clamp(min=1e-9)


def box_loss(boxes: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """L1 relative to the size of the thing, and GIoU; the mean over boxes `[n, 4]`."""
    import torch

    if not len(boxes):
        return boxes.sum() * 0
    scale = truth[:, 2:].repeat(1, 2).clamp(min=0.03)
    return (
        torch.nn.functional.smooth_l1_loss(boxes / scale, truth / scale, beta=0.2)
        + 2 * (1 - overlap(boxes, truth)[1]).mean()
    )


def of_proposals(
    logits: torch.Tensor, coords: torch.Tensor, thing: torch.Tensor, targets: Targets
) -> dict[str, torch.Tensor]:
    """Losses of the encoder's proposals."""
    import torch

    coords, logits = coords.float(), logits.float()
    sound = coords.isfinite().all(-1)
    own = (thing >= 0) & sound
    truth = torch.gather(targets.boxes, 1, thing.clamp(min=0)[..., None].expand(-1, -1, 4))
    want, weight = wanted(targets, thing)
    count = want.sum().clamp(min=1)
    return {
        "cells": focal(logits, want, weight * sound[..., None]) / count,
        "cell_boxes": box_loss(coords[own].sigmoid(), truth[own]),
    }


def of_queries(
    logits: torch.Tensor, boxes: torch.Tensor, cells: torch.Tensor, targets: Targets
) -> dict[str, torch.Tensor]:
    """Losses of one decoder layer: `logits` `[B, Q, T]`, `boxes` `[B, Q, 4]`; `cells`: what their cells hold."""
    import torch

    logits, boxes = logits.float(), boxes.float()
    fit = overlap(boxes.detach()[:, :, None], targets.boxes[:, None])[0].masked_fill(~targets.there[:, None], 0.0)
    best = fit.max(-1)
    thing = torch.where(best.values >= 0.5, best.indices, torch.where(cells >= 0, cells, torch.full_like(cells, -1)))
    quality = torch.gather(fit, 2, thing.clamp(min=0)[..., None])[..., 0]
    thing = torch.where((thing < 0) & (best.values > 0.35), torch.full_like(thing, -2), thing)
    want, weight = wanted(targets, thing)
    soft = want * quality[..., None]
    truth = torch.gather(targets.boxes, 1, thing.clamp(min=0)[..., None].expand(-1, -1, 4))
    own = thing >= 0
    return {
        "queries": focal(logits, soft, weight) / want.sum().clamp(min=1),
        "query_boxes": box_loss(boxes[own], truth[own]),
    }
