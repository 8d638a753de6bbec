"""Region pathways: pooling against a reference, which regions are re-encoded, and the features that the model gets."""

import math
import random

import numpy as np
import pytest
import torch

from policies.allocation import visual_token_count
from policies.regions import reencodes, roi_align
from policies.visuals import Block, Visuals
from tools.boxes import to_square
from tools.errors import UsageError

WHOLE = (0.0, 0.0, 1.0, 1.0)


def reference(map_, box, cells, samples):
    """RoIAlign in plain Python: every sample interpolated from its four neighbours, clamped at the border."""
    channels, height, width = map_.shape
    out = np.zeros((cells * cells, channels))
    for row in range(cells):
        for column in range(cells):
            for i in range(samples):
                for j in range(samples):
                    x = box[0] + (box[2] - box[0]) * (column + (j + 0.5) / samples) / cells
                    y = box[1] + (box[3] - box[1]) * (row + (i + 0.5) / samples) / cells
                    x, y = (min(max(v * n - 0.5, 0), n - 1) for v, n in ((x, width), (y, height)))
                    left, top = min(math.floor(x), width - 2), min(math.floor(y), height - 2)
                    for dy in (0, 1):
                        for dx in (0, 1):
                            weight = abs(1 - dx - (x - left)) * abs(1 - dy - (y - top))
                            out[row * cells + column] += weight * map_[:, top + dy, left + dx] / samples**2
    return out


@pytest.mark.parametrize(("cells", "samples"), [(1, 1), (2, 2), (3, 2), (4, 1), (2, 3)])
def test_pooling_equals_the_plain_reference(cells, samples):
    rng = random.Random(cells * 10 + samples)
    maps = torch.randn(3, 5, 4, 6, generator=torch.Generator().manual_seed(1))
    corners = [sorted(rng.random() for _ in range(4)) for _ in range(7)]
    boxes = [(a, b, c, d) for a, b, c, d in corners] + [WHOLE, (0.4, 0.4, 0.4, 0.4)]
    owners = [rng.randrange(3) for _ in boxes]
    got = roi_align(maps, owners, boxes, cells, samples)
    assert got.shape == (len(boxes), cells * cells, 5)
    for features, owner, box in zip(got, owners, boxes, strict=True):
        np.testing.assert_allclose(features.numpy(), reference(maps[owner].numpy(), box, cells, samples), atol=1e-5)


def test_a_constant_map_gives_its_value_and_a_linear_one_the_middle_of_each_cell():
    across = (torch.arange(8) + 0.5) / 8
    maps = torch.stack([torch.full((8, 8), 2.5), across.expand(8, 8), across[:, None].expand(8, 8)])[None]
    box = (0.25, 0.125, 0.75, 0.875)
    constant, x, y = roi_align(maps, [0], [box], 2, 2)[0].T
    torch.testing.assert_close(constant, torch.full((4,), 2.5))
    torch.testing.assert_close(x, torch.tensor([0.375, 0.625, 0.375, 0.625]))
    torch.testing.assert_close(y, torch.tensor([0.3125, 0.3125, 0.6875, 0.6875]))


def test_the_whole_map_at_its_own_grid_is_the_map():
    maps = torch.randn(1, 3, 4, 4)
    torch.testing.assert_close(roi_align(maps, [0], [WHOLE], 4, 1)[0], maps[0].flatten(1).T)


def test_pooling_passes_gradients_to_the_cells_it_saw_and_to_no_others():
    maps = torch.randn(2, 1, 4, 4, requires_grad=True)
    roi_align(maps, [1], [(0.5, 0.5, 1.0, 1.0)], 2, 1).sum().backward()
    assert (maps.grad[0] == 0).all()
    assert (maps.grad[1, 0, 2:, 2:] == 1).all()
    assert (maps.grad[1, 0, :2, :2] == 0).all()


def test_a_pixel_box_lands_on_the_padded_square():
    assert to_square((0, 0, 200, 100), (200, 100)) == (0, 0.25, 1, 0.75)
    assert to_square((0, 50, 50, 100), (50, 100)) == (0.25, 0.5, 0.75, 1)
    assert to_square((-30, 0, 300, 100), (200, 100)) == (0, 0.25, 1, 0.75)


def test_hybrid_reencodes_what_is_less_than_so_many_cells_wide_or_high(make_tiny):
    config = make_tiny(region_pathway="hybrid", hybrid_min_cells=2).config  # 4 x 4 features: a half is two of them
    assert not reencodes(config, (0.0, 0.0, 0.5, 0.5))
    assert reencodes(config, (0.0, 0.0, 0.49, 1.0))
    assert reencodes(config, (0.0, 0.2, 1.0, 0.6))
    with pytest.raises(UsageError, match="boxes"):
        reencodes(config, None)


@pytest.mark.parametrize(("min_cells", "same_as"), [(0, "roi_align"), (100, "crop")])
def test_hybrid_is_one_of_the_others_at_its_extremes(make_tiny, min_cells, same_as):
    boxes = [(0.1, 0.1, 0.3, 0.3), (0.0, 0.2, 1.0, 0.9)]
    hybrid = make_tiny(region_pathway="hybrid", hybrid_min_cells=min_cells).config
    other = make_tiny(region_pathway=same_as).config
    assert [reencodes(hybrid, box) for box in boxes] == [reencodes(other, box) for box in boxes]
    assert visual_token_count(hybrid, boxes) == visual_token_count(other, len(boxes))


def test_the_model_pools_the_features_of_the_right_picture_before_it_projects_them(make_tiny):
    model = make_tiny(region_pathway="roi_align")
    box = (0.1, 0.3, 0.8, 0.9)
    with torch.no_grad():
        features = model.vision_features(torch.randn(2, 3, 28, 28))
        got = model.visual_tokens(Visuals(features, [Block(1, "mlp", box), Block(0, "resampler", box)]))
        maps = features.transpose(1, 2).unflatten(2, (4, 4)).numpy()
        pooled = [torch.from_numpy(reference(maps[i], box, 2, 2)).float() for i in (0, 1)]
        expected = torch.cat([model.projector(pooled[1]), model.resampler(pooled[0][None])[0]])
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_a_cls_token_is_no_part_of_the_map(make_tiny):
    settings = {"region_pathway": "roi_align", "roi_cells": 4, "roi_samples": 1}
    model = make_tiny(vision_feature_select="full", **settings)
    with torch.no_grad():
        features = model.vision_features(torch.randn(1, 3, 28, 28))
        got = model.visual_tokens(Visuals(features, [Block(0, "mlp", WHOLE)]))
        torch.testing.assert_close(got, model.projector(features[0, 1:]), atol=1e-4, rtol=1e-4)
