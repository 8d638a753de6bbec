"""How a region of the picture becomes features: re-encoded from a crop, or pooled from the picture's feature map.

`crop` re-encodes every region (P²G, SEAL: the box x1.2, stretched to the tower's square). `roi_align` pools a fixed
grid of cells from the global map by bilinear samples (RoIAlign of Mask R-CNN), without a second encoding. `hybrid`
pools, and re-encodes only what the global map shows too coarsely. All that differs between them is `reencodes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tools.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from policies.config import P2GConfig
    from policies.data.tree import UnitBox


def reencodes(config: P2GConfig, box: UnitBox | None) -> bool:
    """Whether the region in `box` (0-1 of the padded square) is encoded from its own crop rather than pooled.

    Only "hybrid" looks at the box; `UsageError` if it has none.
    """
    if config.region_pathway != "hybrid":
        return config.region_pathway == "crop"
    if box is None:
        raise UsageError("region_pathway 'hybrid' needs the regions' boxes, not only their number")
    x1, y1, x2, y2 = box
    return min(x2 - x1, y2 - y1) * config.vision_grid < config.hybrid_min_cells


def roi_align(maps: Tensor, owners: Sequence[int], boxes: Sequence[UnitBox], cells: int, samples: int = 2) -> Tensor:
    """Features `[R, cells * cells, C]` of R boxes, box r on map `owners[r]` of `maps [N, C, H, W]`, row by row.

    A box is 0-1 of its map, of which feature (i, j) is the value at the centre ((j + 0.5) / W, (i + 0.5) / H). Each
    cell is the mean of `samples` x `samples` bilinear samples; beyond the outermost centres the border value holds.
    """
    import torch
    import torch.nn.functional as F

    steps = (torch.arange(cells * samples, device=maps.device, dtype=torch.float32) + 0.5) / (cells * samples)
    x1, y1, x2, y2 = torch.tensor(boxes, device=maps.device, dtype=torch.float32).reshape(-1, 4).unbind(1)
    xs = x1[:, None] + (x2 - x1)[:, None] * steps  # [R, cells * samples]
    ys = y1[:, None] + (y2 - y1)[:, None] * steps
    points = torch.stack(torch.broadcast_tensors(xs[:, None, :], ys[:, :, None]), dim=-1) * 2 - 1
    out = maps.new_empty(len(boxes), cells * cells, maps.shape[1])
    for owner in sorted(set(owners)):  # one call for the regions of a map, so that no map is copied for each of them
        chosen = [r for r, index in enumerate(owners) if index == owner]
        grid = points[chosen].flatten(0, 1)[None]  # [1, r * cells * samples, cells * samples, 2]
        with torch.autocast(maps.device.type, enabled=False):
            sampled = F.grid_sample(
                maps[owner : owner + 1].float(), grid, mode="bilinear", padding_mode="border", align_corners=False
            )
            pooled = F.avg_pool2d(sampled, samples)[0]  # [C, r * cells, cells]
        features = pooled.unflatten(1, (len(chosen), cells)).permute(1, 2, 3, 0).flatten(1, 2)
        out = out.index_copy(0, torch.tensor(chosen, device=maps.device), features.to(maps.dtype))
    return out
