"""P²G's allocation rule, the token counts that follow from it, and the expansion of placeholders."""

import pytest
from transformers import CLIPVisionConfig, LlamaConfig

from policies.allocation import allocate, check_placeholders, expand_visual_tokens, visual_token_count
from policies.config import P2GConfig
from tools.errors import UsageError

IMAGE, REGION = 90, 91


@pytest.fixture
def config():
    vision = CLIPVisionConfig(image_size=28, patch_size=7)  # 16 patches
    return P2GConfig(LlamaConfig(), vision, resampler_latents=3, image_token_id=IMAGE, region_token_id=REGION)


@pytest.mark.parametrize(
    ("regions", "global_via", "regions_via"),
    [
        (1, "resampler", "mlp"),
        (4, "resampler", "mlp"),
        (5, "resampler", "resampler"),
        (100, "resampler", "resampler"),
    ],
)
def test_regions_decide_the_projector(regions, global_via, regions_via):
    assert allocate(regions) == (global_via, regions_via)


def test_without_regions_the_global_image_keeps_its_patches():
    assert allocate(0).global_via == "mlp"


def test_the_limit_is_a_setting():
    assert allocate(2, max_mlp_regions=1).regions_via == "resampler"
    assert allocate(9, max_mlp_regions=9).regions_via == "mlp"


def test_a_negative_number_of_regions_is_refused():
    with pytest.raises(UsageError, match="-1"):
        allocate(-1)


@pytest.mark.parametrize(
    ("regions", "image", "total"), [(0, 16, 16), (1, 3, 3 + 16), (4, 3, 3 + 64), (5, 3, 3 + 15), (12, 3, 3 + 36)]
)
def test_token_counts(config, regions, image, total):
    count = visual_token_count(config, regions)
    assert (count.image, count.total) == (image, total)


def test_the_cls_token_counts_only_when_it_is_kept(config):
    config.vision_feature_select = "full"
    assert visual_token_count(config, 0).total == 17


def test_counts_need_a_vision_tower():
    with pytest.raises(UsageError, match="no vision tower"):
        visual_token_count(P2GConfig(LlamaConfig()), 0)


@pytest.mark.parametrize("regions", [0, 1, 4, 5])
def test_placeholders_become_as_many_positions_as_the_allocation_says(config, regions):
    ids, labels = expand_visual_tokens([1, IMAGE, *[REGION] * regions, 2], regions, config)
    count = visual_token_count(config, regions)
    assert labels is None
    assert ids == [1] + [IMAGE] * count.image + [REGION] * count.region * regions + [2]


def test_labels_are_expanded_alongside_and_visual_positions_ignored(config):
    ids, labels = expand_visual_tokens([IMAGE, 5, REGION, 6], 1, config, labels=[7, 5, 7, 6])
    assert ids == [IMAGE] * 3 + [5] + [REGION] * 16 + [6]
    assert labels == [-100] * 3 + [5] + [-100] * 16 + [6]


def test_text_without_placeholders_stays_as_it_is(config):
    assert expand_visual_tokens([1, 2], 0, config, [1, 2]) == ([1, 2], [1, 2])


def test_a_focus_turn_has_regions_and_no_image(config):
    assert expand_visual_tokens([REGION], 1, config)[0] == [REGION] * 16


@pytest.mark.parametrize(
    ("ids", "regions", "message"),
    [
        ([IMAGE, REGION], 0, "1 <|region|> placeholders for 0 regions"),
        ([IMAGE], 2, "0 <|region|> placeholders for 2 regions"),
        ([IMAGE, IMAGE], 0, "2 <image> placeholders"),
    ],
)
def test_wrong_placeholders_are_named(config, ids, regions, message):
    with pytest.raises(UsageError, match=message.replace("|", r"\|")):
        expand_visual_tokens(ids, regions, config)


def test_labels_must_have_the_length_of_the_ids(config):
    with pytest.raises(UsageError, match="1 labels do not fit 2"):
        expand_visual_tokens([1, 2], 0, config, labels=[1])


def test_the_check_names_the_sample_that_is_wrong(config):
    right = expand_visual_tokens([IMAGE, REGION], 1, config)[0]
    check_placeholders([right, right], [1, 1], config, with_image=True)
    with pytest.raises(UsageError, match="sample 1 with 1 regions needs 3 <image> and 16"):
        check_placeholders([right, right[:-1]], [1, 1], config, with_image=True)
