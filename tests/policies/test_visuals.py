"""The general form: pictures in the order of their placeholders, in packed trees, batches and every region pathway."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import ResNetBackbone, ResNetConfig

from policies.allocation import visual_token_count
from policies.config import P2GConfig
from policies.data.tree import Branch, Looks, Tree
from policies.data.visual_scene import Optics
from policies.model import P2GModel
from policies.vision import PictureProcessor
from policies.visuals import Block, Pictures, Visuals
from tools.errors import UsageError
from tools.pictures import Picture

REGION, IMAGE, SIDE = 62, 63, 28
PATHWAYS = ["crop", "roi_align", "hybrid"]


def picture(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, (*shape, SIDE, SIDE, 3), dtype=np.uint8)


def looks(seed, number):
    rng = np.random.default_rng(seed)
    corners = rng.random((number, 2)) * 0.4
    sizes = rng.choice([0.2, 0.55], (number, 2))  # less and more than the four features that hybrid asks for below
    return Looks(picture(seed, number), [tuple(map(float, box)) for box in np.hstack([corners, corners + sizes])])


def regions(number):
    return [token for n in range(number) for token in (10 + n, REGION)]


def tree(seed=0, shown=2, appended=3):
    """A picture with `shown` regions in the prefix; the second branch appends `appended` more."""
    branches = [
        Branch([20, 21], [22, 23]),
        Branch([24, *regions(appended), 25], [26, 27, 28], looks=looks(seed + 1, appended)),
        Branch([29], [30]),
    ]
    return Tree([5, IMAGE, 6, *regions(shown), 7], branches, picture(seed), looks(seed, shown))


def alone(model, tree, branch):
    """Logits of one branch after its prefix, in a row of its own."""
    pictures = Pictures(model.config)
    whole = pictures.add(tree.image)
    prefix, _ = pictures.expand(tree.prefix, whole, tree.looks)
    prompt, _ = pictures.expand(branch.prompt, whole, branch.looks)
    ids = torch.tensor([[*prefix, *prompt, *branch.target]])
    return model(ids, visuals=pictures.visuals()).logits[0, len(prefix) :]


def pack(model, trees, left=0):
    """All trees as rows of one batch: ids, positions, tree mask, visuals, and the places of every branch."""
    pictures = Pictures(model.config)
    rows, places = [], []
    for number, item in enumerate(trees):
        whole = pictures.add(item.image)
        prefix, _ = pictures.expand(item.prefix, whole, item.looks)
        row = list(prefix)
        for branch in item.branches:
            ids, _ = pictures.expand(branch.prompt, whole, branch.looks)
            places.append((number, len(prefix), len(row), len(row) + len(ids) + len(branch.target)))
            row += [*ids, *branch.target]
        rows.append(row)
    size = max(map(len, rows))
    ids, positions = torch.zeros(len(rows), size, dtype=torch.long), torch.zeros(len(rows), size, dtype=torch.long)
    mask = torch.eye(size, dtype=torch.bool).repeat(len(rows), 1, 1, 1)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row)
    for number, prefix, start, stop in places:
        positions[number, :prefix] = torch.arange(prefix)
        positions[number, start:stop] = torch.arange(prefix, prefix + stop - start)
        mask[number, 0, :prefix, :prefix] = torch.ones(prefix, prefix).tril().bool()
        mask[number, 0, start:stop, :prefix] = True
        mask[number, 0, start:stop, start:stop] = torch.ones(stop - start, stop - start).tril().bool()
    inputs = {"input_ids": ids, "position_ids": positions, "attention_mask": mask, "visuals": pictures.visuals()}
    return inputs, places


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("pathway", PATHWAYS)
@torch.no_grad()
def test_a_packed_tree_gives_each_branch_the_logits_it_gets_alone(make_tiny, pathway, attention):
    model = make_tiny(region_pathway=pathway, hybrid_min_cells=2)
    model.language_model.set_attn_implementation(attention)
    trees = [tree(0, shown=2, appended=3), tree(10, shown=0, appended=5), tree(20, shown=6, appended=1)]
    inputs, places = pack(model, trees)
    logits = model(**inputs).logits
    branches = [(item, branch) for item in trees for branch in item.branches]
    for (row, _, start, stop), (item, branch) in zip(places, branches, strict=True):
        torch.testing.assert_close(logits[row, start:stop], alone(model, item, branch), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("min_cells", "same_as"), [(0, "roi_align"), (100, "crop")])
@torch.no_grad()
def test_hybrid_gives_the_logits_of_the_others_at_its_extremes(make_tiny, min_cells, same_as):
    hybrid = make_tiny(region_pathway="hybrid", hybrid_min_cells=min_cells)
    other = make_tiny(region_pathway=same_as)
    results = []
    for model in (hybrid, other):
        inputs, _ = pack(model, [tree(0), tree(10, shown=5)])
        results.append(model(**inputs).logits)
    assert torch.equal(*results)


@torch.no_grad()
def test_in_a_packed_tree_a_branch_does_not_see_the_regions_of_another(make_tiny):
    model = make_tiny()
    one, other = tree(0), tree(0)
    other.branches[1].looks = looks(99, 3)
    (a, places), (b, _) = pack(model, [one]), pack(model, [other])
    changed = (model(**a).logits - model(**b).logits).abs().amax(-1)[0] > 1e-5
    _, _, start, stop = places[1]
    assert changed[start:stop].any()
    assert not changed[:start].any()
    assert not changed[stop:].any()


@pytest.mark.parametrize("number", [0, 1, 4, 5, 12])
@torch.no_grad()
def test_the_general_form_equals_the_arguments_for_one_context(make_tiny, number):
    model = make_tiny()
    shown, image = looks(number, number), picture(7)
    pictures = Pictures(model.config)
    ids, _ = pictures.expand([5, *regions(number)[:2], IMAGE, *regions(number)[2:], 8], pictures.add(image), shown)
    inputs = torch.tensor([ids])
    mean, std = torch.tensor(model.config.image_mean), torch.tensor(model.config.image_std)

    def pixels(array):
        return ((torch.from_numpy(array) / 255 - mean) / std).permute(0, 3, 1, 2)

    expected = model(inputs, pixels(image[None]), pixels(shown.crops), [number]).logits
    torch.testing.assert_close(model(inputs, visuals=pictures.visuals()).logits, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("pathway", PATHWAYS)
@torch.no_grad()
def test_a_padded_batch_equals_its_rows_alone(make_tiny, pathway, side):
    model = make_tiny(region_pathway=pathway, hybrid_min_cells=2)

    def row(pictures, n):
        ids = [5, IMAGE, *regions(n), 8, 9]
        return pictures.expand(ids, pictures.add(picture(n)), looks(n, n))[0]

    together = Pictures(model.config)
    rows = [row(together, n) for n in (3, 0, 5, 1)]
    size = max(map(len, rows))
    ids, mask = torch.zeros(4, size, dtype=torch.long), torch.zeros(4, size, dtype=torch.long)
    for n, line in enumerate(rows):
        place = slice(0, len(line)) if side == "right" else slice(size - len(line), size)
        ids[n, place], mask[n, place] = torch.tensor(line), 1
    logits = model(ids, attention_mask=mask, visuals=together.visuals()).logits
    for n, number in enumerate((3, 0, 5, 1)):
        single = Pictures(model.config)
        alone = model(torch.tensor([row(single, number)]), visuals=single.visuals()).logits[0]
        torch.testing.assert_close(logits[n][mask[n].bool()], alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("allocation", "pathway", "totals"),
    [
        ("rule", "crop", {0: 16, 1: 3 + 16, 4: 3 + 64, 5: 3 + 15, 12: 3 + 36}),
        ("mlp", "crop", {0: 16, 1: 32, 4: 80, 5: 96, 12: 208}),
        ("resampler", "crop", {0: 3, 1: 6, 4: 15, 5: 18, 12: 39}),
        ("rule", "roi_align", {0: 16, 1: 3 + 4, 4: 3 + 16, 5: 3 + 15, 12: 3 + 36}),
        ("mlp", "roi_align", {0: 16, 1: 20, 4: 32, 5: 36, 12: 64}),
    ],
)
@torch.no_grad()
def test_the_allocation_override_is_exact_in_count_text_and_tokens(make_tiny, allocation, pathway, totals):
    model = make_tiny(allocation=allocation, region_pathway=pathway)
    for number, total in totals.items():
        pictures = Pictures(model.config)
        ids, _ = pictures.expand([IMAGE, *regions(number)], pictures.add(picture(1)), looks(2, number))
        visuals = pictures.visuals()
        assert visual_token_count(model.config, number).total == total
        assert sum(token in (IMAGE, REGION) for token in ids) == total
        assert model.visual_tokens(visuals).shape == (total, 24)
        used = {block.via for block in visuals.blocks}
        assert used == {allocation} or allocation == "rule"


def test_hybrid_counts_by_the_size_of_each_region(make_tiny):
    config = make_tiny(region_pathway="hybrid", hybrid_min_cells=2).config
    boxes = [(0.1, 0.1, 0.2, 0.9), (0.0, 0.0, 0.9, 0.9)]
    assert visual_token_count(config, boxes).total == 3 + 16 + 4
    assert visual_token_count(config, boxes * 3).total == 3 + 6 * 3  # all resampled: the same whatever the pathway
    with pytest.raises(UsageError, match="needs the regions' boxes"):
        visual_token_count(config, 2)


def test_each_context_has_its_own_allocation(make_tiny):
    model = make_tiny()
    pictures = Pictures(model.config)
    whole = pictures.add(picture(0))
    pictures.expand([IMAGE], whole)
    pictures.expand(regions(5), whole, looks(1, 5))
    pictures.expand(regions(1), whole, looks(2, 1))
    assert [block.via for block in pictures.visuals().blocks] == ["mlp", *["resampler"] * 5, "mlp"]


def test_a_picture_is_encoded_once_however_many_contexts_show_it(make_tiny):
    model = make_tiny(region_pathway="roi_align")
    seen = []
    model.vision_tower.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    inputs, _ = pack(model, [tree(0), tree(0, shown=3)])
    model(**inputs)
    assert seen == [2]
    image = picture(3)
    shared = [Tree([IMAGE, 1], [Branch([2], [3])], image) for _ in range(4)]
    model(**pack(model, shared)[0])
    assert seen == [2, 1]


def test_pictures_of_training_are_the_pixels_that_the_processor_normalises(make_tiny):
    model = make_tiny(region_pathway="hybrid")
    source = Picture.open(Image.fromarray(picture(5)[:14]))
    processor, config = PictureProcessor(model.config), model.config
    optics = Optics(config.image_side, tuple(config.image_mean), config.crop_scale)
    box = (3.0, 2.0, 12.0, 11.0)
    shown = optics.looks(source.image, [box])
    assert shown.boxes == [(3 / 28, 9 / 28, 12 / 28, 18 / 28)]
    with torch.no_grad():
        for stored, pixels in (
            (optics.whole(source.image)[None], processor.image(source)),
            (shown.crops, processor.regions(source, [box])),
        ):
            got = model.vision_features(torch.from_numpy(stored.copy()))
            torch.testing.assert_close(got, model.vision_features(pixels), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("ids", "blocks", "message"),
    [
        ([IMAGE] * 15, [Block(0, "mlp")], "take 16 positions, input_ids have 15"),
        ([IMAGE] * 3, [], "no pictures were given"),
        ([REGION] * 3 + [IMAGE] * 16, [Block(0, "mlp"), Block(0, "resampler")], "mix <image> and"),
    ],
)
def test_text_and_pictures_that_do_not_fit_are_a_clear_error(make_tiny, ids, blocks, message):
    visuals = Visuals(torch.zeros(1, 3, SIDE, SIDE), blocks)
    with pytest.raises(UsageError, match=message):
        make_tiny()(torch.tensor([ids]), visuals=visuals)


def test_what_a_context_lacks_is_said(make_tiny):
    pooled = Pictures(make_tiny(region_pathway="roi_align").config)
    with pytest.raises(UsageError, match="pooled from the whole picture, which was not given"):
        pooled.expand([REGION], None, looks(0, 1))
    cropped = Pictures(make_tiny().config)
    with pytest.raises(UsageError, match="no picture was given"):
        cropped.expand([IMAGE])
    with pytest.raises(UsageError, match="0 crops for 1 regions"):
        cropped.expand([REGION], None, Looks(picture(0, 0), [(0.0, 0.0, 1.0, 1.0)]))
    cropped.expand([IMAGE], cropped.add(torch.zeros(16, 16)))
    cropped.expand([IMAGE], cropped.add(picture(0)))
    with pytest.raises(UsageError, match="all pixels or all features"):
        cropped.visuals()


def resnet(**settings):
    layers = {"embedding_size": 8, "hidden_sizes": [8, 12, 16], "depths": [1, 1, 1], "layer_type": "basic"}
    return ResNetConfig(**layers, **settings)


@pytest.mark.parametrize(
    ("side", "layer", "settings", "grid", "width"),
    [
        (64, None, {}, 4, 16),
        (50, None, {}, 4, 16),
        (64, -2, {}, 8, 12),
        (64, 0, {}, 16, 8),
        (64, None, {"downsample_in_first_stage": True}, 2, 16),
    ],
)
@torch.no_grad()
def test_a_convolutional_tower_gives_its_map_as_tokens(make_tiny, side, layer, settings, grid, width):
    model = make_tiny(resnet(**settings), vision_side=side, vision_feature_layer=layer)
    config, pixels = model.config, torch.randn(2, 3, side, side)
    assert (config.image_side, config.vision_grid, config.vision_tokens, config.vision_width) == (
        side,
        grid,
        grid * grid,
        width,
    )
    states = model.vision_tower(pixels, output_hidden_states=True).hidden_states
    expected = states[-1 if layer is None else layer].flatten(2).transpose(1, 2)
    assert torch.equal(model.vision_features(pixels), expected)
    assert expected.shape == (2, grid * grid, width)


@torch.no_grad()
def test_the_weights_of_a_detectors_backbone_fit_the_tower(make_tiny):
    torch.manual_seed(3)
    backbone = ResNetBackbone(resnet(out_features=["stage2", "stage3"])).eval()
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
    model = make_tiny(resnet(out_features=["stage2", "stage3"]), vision_side=64)
    model.vision_tower.load_state_dict(backbone.state_dict())
    pixels = torch.randn(1, 3, 64, 64)
    expected = backbone(pixels).feature_maps[-1].flatten(2).transpose(1, 2)
    torch.testing.assert_close(model.vision_features(pixels), expected)


def test_a_frozen_tower_keeps_its_statistics_and_a_learning_one_does_not(make_tiny):
    model = make_tiny(resnet(), vision_side=64).train()
    norm = next(m for m in model.vision_tower.modules() if isinstance(m, torch.nn.BatchNorm2d))
    before = norm.running_mean.clone()
    pixels = torch.randn(3, 3, 64, 64)
    model.vision_tower.requires_grad_(False)
    features = model.train().vision_features(pixels)
    assert torch.equal(norm.running_mean, before)
    assert not features.requires_grad
    alone = model.vision_features(pixels[:1])
    torch.testing.assert_close(features[:1], alone, rtol=1e-3, atol=1e-3)  # not the batch's own statistics
    model.vision_tower.requires_grad_(True)
    assert model.train().vision_features(pixels).requires_grad
    assert not torch.equal(norm.running_mean, before)


def test_a_tower_of_any_size_must_be_told_one_and_has_no_cls_token():
    with pytest.raises(UsageError, match="vision_side"):
        _ = P2GConfig(vision_config=resnet()).image_side
    with pytest.raises(UsageError, match="no CLS token"):
        P2GConfig(vision_config=resnet(), vision_feature_select="full")


@pytest.mark.parametrize("pathway", PATHWAYS)
def test_what_should_learn_does_and_what_is_frozen_does_not(make_tiny, pathway):
    model = make_tiny(region_pathway=pathway, hybrid_min_cells=2).train()
    model.vision_tower.requires_grad_(False)
    model.language_model.requires_grad_(False)
    inputs, _ = pack(model, [tree(0)])
    model(**inputs).logits.square().mean().backward()
    for part in (model.projector, model.resampler):  # regions through the MLP, the picture through the resampler
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())
    for part in (model.vision_tower, model.language_model):
        assert all(p.grad is None for p in part.parameters())
    model.vision_tower.requires_grad_(True)
    model(**inputs).logits.square().mean().backward()
    assert model.vision_tower.get_parameter("embeddings.patch_embedding.weight").grad.abs().sum() > 0


@pytest.mark.parametrize("vision", [None, "resnet"])
def test_every_new_setting_survives_saving(make_tiny, tmp_path, vision):
    settings = {
        "allocation": "mlp",
        "region_pathway": "hybrid",
        "roi_cells": 3,
        "roi_samples": 1,
        "hybrid_min_cells": 1.5,
    }
    tower = {"vision": resnet(), "vision_side": 64} if vision else {}
    model = make_tiny(**tower, **settings)
    model.save_pretrained(tmp_path)
    loaded = P2GModel.from_pretrained(tmp_path).eval()
    assert {name: getattr(loaded.config, name) for name in settings} == settings
    assert (loaded.config.image_side, loaded.config.vision_tokens) == ((64, 16) if vision else (28, 16))
    side = loaded.config.image_side
    blocks = [Block(0, "mlp"), Block(0, "resampler", (0.1, 0.1, 0.9, 0.5)), Block(0, "mlp", (0.1, 0.1, 0.9, 0.5))]
    visuals = Visuals(torch.randn(1, 3, side, side), blocks)
    with torch.no_grad():
        torch.testing.assert_close(loaded.visual_tokens(visuals), model.visual_tokens(visuals))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"allocation": "none"}, "allocation must be 'rule' or 'mlp' or 'resampler', got 'none'"),
        ({"region_pathway": "pool"}, "region_pathway must be 'crop' or"),
        ({"roi_cells": 0}, "roi_cells must be at least 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(setting, message):
    with pytest.raises(UsageError, match=message):
        P2GConfig(**setting)
