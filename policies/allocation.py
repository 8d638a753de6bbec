"""Which projector each picture goes through, and how many tokens that makes: P²G's allocation rule as pure functions.

No regions: the global image keeps all its patches (MLP). A few regions: they keep theirs and the global image is
resampled. Many: everything is resampled, so that the number of visual tokens stays bounded per picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from tools.errors import UsageError

if TYPE_CHECKING:
    from policies.config import P2GConfig

Via = Literal["mlp", "resampler"]
IGNORED = -100  # the label that the loss skips


class Allocation(NamedTuple):
    """The projector of the global image and the one of every region."""

    global_via: Via
    regions_via: Via


class VisualTokens(NamedTuple):
    """Token counts of one sample: of its global image, of each region, and of all together."""

    image: int
    region: int
    total: int


def allocate(num_regions: int, max_mlp_regions: int = 4) -> Allocation:
    """P²G's rule for a sample with `num_regions` regions; `regions_via` says nothing when there are none."""
    if num_regions < 0:
        raise UsageError(f"the number of regions cannot be negative, got {num_regions}")
    if num_regions == 0:
        return Allocation("mlp", "mlp")
    return Allocation("resampler", "mlp" if num_regions <= max_mlp_regions else "resampler")


def visual_token_count(config: P2GConfig, num_regions: int) -> VisualTokens:
    """Tokens of a sample with one global image and `num_regions` regions; `UsageError` without a vision tower."""
    tokens: dict[Via, int] = {"mlp": config.vision_tokens, "resampler": config.resampler_latents}
    via = allocate(num_regions, config.max_mlp_regions)
    image, region = tokens[via.global_via], tokens[via.regions_via]
    return VisualTokens(image, region, image + num_regions * region)


def expand_visual_tokens(
    input_ids: Sequence[int], num_regions: int, config: P2GConfig, labels: Sequence[int] | None = None
) -> tuple[list[int], list[int] | None]:
    """Repeat the placeholders of one sample, one each in the text, to as many positions as their features take.

    `input_ids` holds exactly `num_regions` region tokens and at most one image token (none where a focus turn is
    appended to a cached prefix). `labels`, if given, are expanded alongside, with -100 at every visual position.
    Raises `UsageError` when the placeholders do not match.
    """
    regions = sum(token == config.region_token_id for token in input_ids)
    images = sum(token == config.image_token_id for token in input_ids)
    if regions != num_regions:
        raise UsageError(
            f"the text has {regions} <|region|> placeholders for {num_regions} regions; write one for each"
        )
    if images > 1:
        raise UsageError(f"the text has {images} <image> placeholders; a sample has one global image")
    if labels is not None and len(labels) != len(input_ids):
        raise UsageError(f"{len(labels)} labels do not fit {len(input_ids)} input ids")
    if not (regions or images):
        return list(input_ids), None if labels is None else list(labels)
    count = visual_token_count(config, num_regions)
    width = {config.image_token_id: count.image, config.region_token_id: count.region}
    ids = [token for token in input_ids for _ in range(width.get(token, 1))]
    if labels is None:
        return ids, None
    spread = [
        IGNORED if token in width else label
        for token, label in zip(input_ids, labels, strict=True)
        for _ in range(width.get(token, 1))
    ]
    return ids, spread


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
        expected = (count.image if with_image else 0, n * count.region)
        found = tuple(sum(token == id_ for token in ids) for id_ in (config.image_token_id, config.region_token_id))
        if found != expected:
            raise UsageError(
                f"sample {sample} with {n} regions needs {expected[0]} <image> and {expected[1]} <|region|> positions, "
                f"its input_ids have {found[0]} and {found[1]}; use expand_visual_tokens"
            )
