"""Which projector each picture goes through, and how many tokens that makes: P²G's allocation rule as pure functions.

No regions: the global image keeps all its patches (MLP). A few regions: they keep theirs and the global image is
resampled. Many: everything is resampled, so that the number of visual tokens stays bounded per picture. The rule holds
for each context on its own: a prompt's prefix, and every focus turn that is appended to it. `regions` is a number, or
the regions' boxes (0-1 of the padded square), which "hybrid" needs to know which of them are re-encoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from policies.regions import reencodes
from tools.errors import UsageError

if TYPE_CHECKING:
    from policies.config import P2GConfig
    from policies.data.tree import UnitBox

Via = Literal["mlp", "resampler"]
IGNORED = -100  # the label that the loss skips


class Allocation(NamedTuple):
    """The projector of the global image and the one of every region."""

    global_via: Via
    regions_via: Via


class VisualTokens(NamedTuple):
    """Token counts of one context: of its global image, of each region (its largest), and of all together."""

    image: int
    region: int
    total: int


def allocate(num_regions: int, max_mlp_regions: int = 4, allocation: str = "rule") -> Allocation:
    """P²G's rule for a context with `num_regions` regions; `regions_via` says nothing when there are none.

    `allocation` "mlp" or "resampler" overrides it for everything (the ablation).
    """
    if num_regions < 0:
        raise UsageError(f"the number of regions cannot be negative, got {num_regions}")
    if allocation == "mlp":
        return Allocation("mlp", "mlp")
    if allocation == "resampler":
        return Allocation("resampler", "resampler")
    if num_regions == 0:
        return Allocation("mlp", "mlp")
    return Allocation("resampler", "mlp" if num_regions <= max_mlp_regions else "resampler")


def block_tokens(config: P2GConfig, via: Via, box: UnitBox | None = None) -> int:
    """Tokens of one picture, or of a region pooled from `box` of one; `UsageError` without a vision tower."""
    if via == "resampler":
        return config.resampler_latents
    return config.vision_tokens if box is None else config.roi_cells**2


def visual_token_count(config: P2GConfig, regions: int | Sequence[UnitBox]) -> VisualTokens:
    """Tokens of a context with one global image and `regions`; `UsageError` without a vision tower."""
    image, each = _widths(config, regions)
    return VisualTokens(image, max(each, default=0), image + sum(each))


def _widths(config: P2GConfig, regions: int | Sequence[UnitBox]) -> tuple[int, list[int]]:
    """Tokens of the global image and of every region."""
    number = regions if isinstance(regions, int) else len(regions)
    boxes: Sequence[UnitBox | None] = [None] * number if isinstance(regions, int) else regions
    rule = allocate(number, config.max_mlp_regions, config.allocation)
    cropped = block_tokens(config, rule.regions_via)
    pooled = block_tokens(config, rule.regions_via, (0.0, 0.0, 1.0, 1.0))
    same = cropped == pooled
    each = [cropped if same or reencodes(config, box) else pooled for box in boxes]
    return block_tokens(config, rule.global_via), each


def expand_visual_tokens(
    input_ids: Sequence[int],
    regions: int | Sequence[UnitBox],
    config: P2GConfig,
    labels: Sequence[int] | None = None,
) -> tuple[list[int], list[int] | None]:
    """Repeat the placeholders of one context, one each in the text, to as many positions as their features take.

    `input_ids` holds exactly one region token for each of `regions` and at most one image token (none where a focus
    turn is appended to a cached prefix). `labels`, if given, are expanded alongside, with -100 at every visual
    position. Raises `UsageError` when the placeholders do not match.
    """
    number = regions if isinstance(regions, int) else len(regions)
    found = sum(token == config.region_token_id for token in input_ids)
    images = sum(token == config.image_token_id for token in input_ids)
    if found != number:
        raise UsageError(f"the text has {found} <|region|> placeholders for {number} regions; write one for each")
    if images > 1:
        raise UsageError(f"the text has {images} <image> placeholders; a sample has one global image")
    if labels is not None and len(labels) != len(input_ids):
        raise UsageError(f"{len(labels)} labels do not fit {len(input_ids)} input ids")
    if not (found or images):
        return list(input_ids), None if labels is None else list(labels)
    image, each = _widths(config, regions)
    ids: list[int] = []
    spread: list[int] = []
    left = iter(each)
    for position, token in enumerate(input_ids):
        visual = token in (config.image_token_id, config.region_token_id)
        width = 1 if not visual else image if token == config.image_token_id else next(left)
        ids += [token] * width
        if labels is not None:
            spread += [IGNORED if visual else labels[position]] * width
    return ids, None if labels is None else spread


def check_placeholders(
    input_ids: Sequence[Sequence[int]], counts: Sequence[int], config: P2GConfig, with_image: bool
) -> None:
    """Raise `UsageError` unless sample i of expanded `input_ids` has the positions that `counts[i]` regions fill.

    `with_image` says that every sample has a global image, too.
    """
    for name, needed in (("image_token_id", with_image), ("region_token_id", any(counts))):
        if needed and getattr(config, name) is None:
            raise UsageError(f"{name} is not set; call model.add_special_tokens(tokenizer) first")
    for sample, (ids, n) in enumerate(zip(input_ids, counts, strict=True)):
        count = visual_token_count(config, n)
        expected = (count.image if with_image else 0, count.total - count.image)
        found = tuple(sum(token == id_ for token in ids) for id_ in (config.image_token_id, config.region_token_id))
        if found != expected:
            raise UsageError(
                f"sample {sample} with {n} regions needs {expected[0]} <image> and {expected[1]} <|region|> positions, "
                f"its input_ids have {found[0]} and {found[1]}; use expand_visual_tokens"
            )
