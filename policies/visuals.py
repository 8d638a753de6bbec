"""The pictures of a batch, in the order of their placeholders: the general form that every context mode shares.

A `Block` is what one placeholder of the text stands for: a whole picture, or a box pooled from one, through one of the
two projectors. `Pictures` collects the blocks of any number of contexts (prefixes, focus turns, packed branches) while
it expands their placeholders; each distinct picture is encoded once, however many blocks look at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from policies.allocation import Via, allocate, block_tokens, check_placeholders, expand_visual_tokens
from policies.regions import reencodes
from tools.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from policies.config import P2GConfig
    from policies.data.tree import Looks, UnitBox


class Block(NamedTuple):
    """One placeholder: picture number `picture`, all of it or (pooled) the features in `box`, through `via`."""

    picture: int
    via: Via
    box: UnitBox | None = None


@dataclass
class Visuals:
    """`blocks` in the order of their placeholders, row after row, and the N `pictures` they look at.

    `pictures` are uint8 `[N, S, S, 3]`, normalised pixels `[N, 3, S, S]`, or features `[N, P, W]` of `vision_features`.
    """

    pictures: Tensor
    blocks: list[Block]

    def __len__(self) -> int:
        return len(self.blocks)

    def to(self, device: Any) -> Visuals:
        """The same with the pictures on `device`."""
        return replace(self, pictures=self.pictures.to(device, non_blocking=True))

    def since(self, block: int) -> Visuals:
        """The blocks from number `block` on, with the pictures that these need and no others."""
        blocks = self.blocks[block:]
        used = sorted({b.picture for b in blocks})
        place = {picture: index for index, picture in enumerate(used)}
        moved = [b._replace(picture=place[b.picture]) for b in blocks]
        return Visuals(self.pictures[used], moved)


class Pictures:
    """Collects the pictures and blocks of a batch while the placeholders of its texts are expanded.

    Call `expand` for the contexts in the order in which their ids stand in `input_ids`, then `visuals` once::

        pictures = Pictures(model.config)
        for tree in trees:
            whole = None if tree.image is None else pictures.add(tree.image)
            prefix, _ = pictures.expand(tree.prefix, whole, tree.looks)
            for branch in tree.branches:
                prompt, _ = pictures.expand(branch.prompt, whole, branch.looks)
        model(input_ids, visuals=pictures.visuals(), attention_mask=mask4d, position_ids=positions)
    """

    def __init__(self, config: P2GConfig) -> None:
        self.config = config
        self._arrays: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._blocks: list[Block] = []

    def add(self, picture: Any) -> int:
        """The number of `picture`: uint8 `[S, S, 3]` (an array), pixels `[3, S, S]` or features `[P, W]` (tensors).

        The same object again has the same number.
        """
        if id(picture) not in self._numbers:  # the list keeps it alive, so that its id stays its own
            self._numbers[id(picture)] = len(self._arrays)
            self._arrays.append(picture)
        return self._numbers[id(picture)]

    def expand(
        self,
        ids: Sequence[int],
        image: int | None = None,
        looks: Looks | None = None,
        labels: Sequence[int] | None = None,
    ) -> tuple[list[int], list[int] | None]:
        """`ids` (and `labels`) of one context with their placeholders expanded; their blocks follow those before.

        `image` is the number of the whole picture: for an `<image>` in `ids`, and for regions pooled from it. The
        allocation rule counts the regions of this context alone. Raises `UsageError` when something is missing.
        """
        boxes: list[UnitBox] = looks.boxes if looks is not None else []
        out = expand_visual_tokens(ids, boxes, self.config, labels)
        rule = allocate(len(boxes), self.config.max_mlp_regions, self.config.allocation)
        regions = iter(range(len(boxes)))
        for token in ids:
            if token == self.config.image_token_id:
                if image is None:
                    raise UsageError("the text has an <image> placeholder but no picture was given")
                self._blocks.append(Block(image, rule.global_via))
            elif boxes and token == self.config.region_token_id:
                assert looks is not None
                number = next(regions)
                if reencodes(self.config, boxes[number]):
                    self._blocks.append(Block(self._crop(looks, number), rule.regions_via))
                elif image is None:
                    raise UsageError("a region is pooled from the whole picture, which was not given")
                else:
                    self._blocks.append(Block(image, rule.regions_via, boxes[number]))
        return out

    def visuals(self) -> Visuals | None:
        """What was collected, or None when no text had a placeholder."""
        import torch

        if not self._blocks:
            return None
        used = sorted({block.picture for block in self._blocks})
        arrays = [self._arrays[number] for number in used]
        kinds = {(len(array.shape), str(array.dtype).removeprefix("torch.")) for array in arrays}
        if len(kinds) > 1:
            raise UsageError(
                "pictures of one batch must be all pixels or all features; encode them with vision_features"
            )
        pictures = torch.stack([torch.as_tensor(array) for array in arrays])
        place = {number: index for index, number in enumerate(used)}
        return Visuals(pictures, [block._replace(picture=place[block.picture]) for block in self._blocks])

    def _crop(self, looks: Looks, number: int) -> int:
        if len(looks.crops) != len(looks.boxes):
            raise UsageError(f"{len(looks.crops)} crops for {len(looks.boxes)} regions; give one for each")
        crop = looks.crops[number]
        self._arrays.append(crop)  # a new view each time, so `add` could not tell it again
        return len(self._arrays) - 1


def widths(config: P2GConfig, blocks: Sequence[Block]) -> list[int]:
    """Tokens of every block."""
    return [block_tokens(config, block.via, block.box) for block in blocks]


def one_context_blocks(
    config: P2GConfig, input_ids: Sequence[Sequence[int]], images: int | None, counts: Sequence[int]
) -> list[Block]:
    """The blocks of rows with one context each, whose pictures are `images` global ones, then the crops row by row.

    Raises `UsageError` when the expanded `input_ids` do not have the positions that they need.
    """
    if images is not None and images != len(input_ids):
        raise UsageError(f"{images} global images for {len(input_ids)} samples; give one for each")
    check_placeholders(input_ids, counts, config, with_image=images is not None)
    blocks: list[Block] = []
    crop = images or 0
    for row, (ids, number) in enumerate(zip(input_ids, counts, strict=True)):
        rule = allocate(number, config.max_mlp_regions, config.allocation)
        here = [Block(crop + i, rule.regions_via) for i in range(number)]
        if images is not None:
            before = ids[: ids.index(config.image_token_id)].count(config.region_token_id)
            here.insert(before // block_tokens(config, rule.regions_via), Block(row, rule.global_via))
        blocks += here
        crop += number
    return blocks


def region_numbers(counts: Tensor | Sequence[int] | None, batch: int, total: int) -> list[int]:
    """Region counts as `batch` numbers that add up to the `total` regions given."""
    if counts is None:
        if total and batch != 1:
            raise UsageError(f"say with region_counts how {total} regions divide among {batch} samples")
        return [total] + [0] * (batch - 1)
    values = [int(n) for n in counts]
    if len(values) != batch or sum(values) != total or min(values) < 0:
        raise UsageError(f"region_counts {values} do not fit {total} regions in {batch} samples")
    return values
