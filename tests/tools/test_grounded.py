"""A grounding checkpoint that says how it looks (`ground.json`): tiles, names one by one, odd and large pictures."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools import Call, Picture, Runner, boxes
from tools.ground import Ground, _own_tokens, _prompt
from tools.grounded import Bar, Habits, detect_tiles, filled

HABITS = {"tile": 160, "overlap": 40, "look": 0.0, "threshold": 0.5, "most": 4, "scale": 1.0, "bias": 0.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A random Grounding DINO with a slim ResNet, in half precision, and its habits."""
    torch = pytest.importorskip("torch")
    import transformers as t
    from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil

    folder = tmp_path_factory.mktemp("grounded")
    vocabulary = [f"[unused{i}]" for i in range(1100)]
    fixed = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]", 1012: ".", 1029: "?"}
    for index, word in {**fixed, 1040: "cat", 1041: "dog", 1042: "red", 1043: "car"}.items():
        vocabulary[index] = word
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    t.BertTokenizerFast(vocab=str(folder / "vocab.txt"), do_lower_case=True).save_pretrained(folder)
    GroundingDinoImageProcessorPil(size={"shortest_edge": 96, "longest_edge": 160}).save_pretrained(folder)
    backbone = t.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage3", "stage4"],
    )  # fmt: skip
    text = t.BertConfig(
        vocab_size=1100, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    config = t.GroundingDinoConfig(
        backbone_config=backbone, text_config=text, d_model=32, encoder_layers=1, decoder_layers=2, num_queries=180,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
        num_feature_levels=2, fusion_droppath=0.0, dropout=0.0,
    )  # fmt: skip
    torch.manual_seed(0)
    model = t.GroundingDinoForObjectDetection(config)
    with torch.no_grad():  # phrases and picture apart, as ours is trained
        layer = model.model.encoder.layers[0].fusion_layer
        layer.vision_param.zero_()
        layer.text_param.zero_()
        for decoder in model.model.decoder.layers:
            decoder.encoder_attn_text.out_proj.weight.zero_()
        model.model.query_position_embeddings.weight.zero_()
        for norm in (model.model.decoder.layer_norm, model.model.enc_output_norm):
            norm.weight.fill_(0.1)
    model.half().save_pretrained(folder)
    (folder / "ground.json").write_text(json.dumps(HABITS))
    return folder


def ground(folder, image, *names, **args):
    result = Runner([Ground(str(folder))]).run(
        Picture.open(image), [Call(expert="ground", args={"objects": list(names), **args})]
    )[0]
    assert result.error is None, result.error
    return result.regions


def noise(width, height, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8))


def facts(regions):
    return sorted(
        (region.label, tuple(round(value, 1) for value in region.box), round(region.score, 3)) for region in regions
    )


def test_names_asked_together_get_what_each_gets_alone(folder):
    image = noise(300, 200)
    together = ground(folder, image, "cat", "red car", threshold=0.3)
    apart = [region for name in ("cat", "red car") for region in ground(folder, image, name, threshold=0.3)]
    assert together
    assert {region.label for region in together} == {"cat", "red car"}
    best = {name: max(region.score for region in apart if region.label == name) for name in ("cat", "red car")}
    for name, score in best.items():
        assert max(region.score for region in together if region.label == name) == pytest.approx(score, abs=1e-3)


def test_tiles_looked_at_together_give_what_each_gives_alone(folder):
    expert = Ground(str(folder))
    expert.ready()
    image, habits = noise(320, 160), Habits.beside(folder)
    text, spans = _prompt(["cat", "dog"])
    tokens = expert._tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
    own = _own_tokens(tokens.pop("offset_mapping")[0], spans)
    tiles = [(0, 0, 160, 160), (80, 0, 240, 160), (160, 0, 320, 160)]
    together = detect_tiles(expert._model, image, tiles, tokens, own, ["cat", "dog"], habits, 0.0)
    for tile, found in zip(tiles, together, strict=True):
        (alone,) = detect_tiles(expert._model, image, [tile], tokens, own, ["cat", "dog"], habits, 0.0)
        assert len(alone) == len(found) > 100
        first, other = (max(items, key=lambda item: item.score) for items in (alone, found))
        assert first.label == other.label
        assert first.score == pytest.approx(other.score, abs=1e-4)
        assert first.box == pytest.approx(other.box, abs=0.2)


def test_a_threshold_keeps_the_better_detections_and_none_is_the_models_own(folder):
    image = noise(200, 150)
    low, high = ground(folder, image, "cat", threshold=0.2), ground(folder, image, "cat", threshold=0.6)
    assert len(high) < len(low)
    assert all(region.score >= 0.6 for region in high)
    assert facts(high) == facts([region for region in low if region.score >= 0.6])
    assert facts(ground(folder, image, "cat")) == facts(ground(folder, image, "cat", threshold=0.5))
    assert Ground(str(folder), threshold=0.9).usual_bar == Bar(0.9, 0.9)


def test_further_things_of_a_name_that_was_found_need_less(folder, tmp_path):
    other, image = tmp_path / "other", noise(200, 150)
    shutil.copytree(folder, other)
    every = ground(folder, image, "cat", "dog", threshold=0.3)
    best = {name: max(region.score for region in every if region.label == name) for name in ("cat", "dog")}
    sure, unsure = sorted(best, key=lambda name: -best[name])
    between = (best[sure] + best[unsure]) / 2
    (other / "ground.json").write_text(json.dumps({**HABITS, "threshold": between, "more": 0.3}))
    assert facts(ground(other, image, "cat", "dog")) == facts([one for one in every if one.label == sure])
    assert all(one.score >= between for one in ground(other, image, "cat", "dog", threshold=between))


def test_a_guess_is_the_likeliest_place_where_nothing_else_is_found(folder):
    image = noise(200, 150)
    every = ground(folder, image, "cat", "dog", threshold=0.05)
    (guess,) = ground(folder, image, "cat", "dog", threshold=0.99, guess="one")
    assert facts([guess]) == facts([max(every, key=lambda region: region.score)])
    assert ground(folder, image, "cat", "dog", threshold=0.99) == []
    found = ground(folder, image, "cat", threshold=0.3)
    assert facts(ground(folder, image, "cat", threshold=0.3, guess="one")) == facts(found)


def test_a_guess_for_each_is_the_likeliest_place_of_everyone_that_is_not_found(folder):
    image = noise(200, 150)
    every = ground(folder, image, "cat", "dog", threshold=0.05)
    best = {name: max((r for r in every if r.label == name), key=lambda r: r.score) for name in ("cat", "dog")}
    guesses = ground(folder, image, "cat", "dog", threshold=0.99, guess="each")
    assert facts(sorted(guesses, key=lambda r: r.label)) == facts([best["cat"], best["dog"]])
    between = sum(one.score for one in best.values()) / 2
    found = ground(folder, image, "cat", "dog", threshold=between)
    (sure,) = {one.label for one in found}
    both = ground(folder, image, "cat", "dog", threshold=between, guess="each")
    assert facts([one for one in both if one.label == sure]) == facts(found)
    assert facts([one for one in both if one.label != sure]) == facts([best["cat" if sure == "dog" else "dog"]])


def test_scores_are_calibrated_by_scale_and_bias(folder, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "ground.json").write_text(json.dumps({**HABITS, "scale": 2.0, "bias": -0.5}))
    image = noise(150, 120)
    plain = [region.score for region in ground(folder, image, "dog", threshold=0.0)]
    fitted = [region.score for region in ground(other, image, "dog", threshold=0.0)]
    expected = 1 / (1 + np.exp(-(2 * np.log(max(plain) / (1 - max(plain))) - 0.5)))
    assert max(fitted) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("size", [(1, 700), (700, 1), (9, 9), (161, 159), (500, 40), (321, 641)])
def test_pictures_of_odd_sizes_have_boxes_inside_them(folder, size):
    for region in ground(folder, noise(*size), "cat", threshold=0.0):
        assert boxes.clamp(region.box, size) == region.box


def test_a_box_of_the_picture_is_looked_at_alone_and_answered_in_the_pictures_frame(folder):
    image = noise(400, 300)
    part = ground(folder, image, "cat", threshold=0.3, box=[200, 100, 330, 220])
    alone = ground(folder, image.crop((200, 100, 330, 220)), "cat", threshold=0.3)
    assert part
    assert [tuple(round(value, 2) for value in boxes.shift(region.box, 200, 100)) for region in alone] == [
        tuple(round(value, 2) for value in region.box) for region in part
    ]


def test_tiles_are_filled_up_with_grey():
    values = filled([noise(100, 50), noise(300, 20)])
    assert tuple(values.shape) == (2, 3, 192, 320)
    assert values[0, :, 60:].abs().max() == 0
    assert values[0, :, :50, :100].abs().max() > 0


def test_habits_that_make_no_sense_are_an_error_of_one_line(folder, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "ground.json").write_text('{"tile": 7, "speed": 1}')
    result = Runner([Ground(str(broken))]).run(
        Picture.open(noise(50, 50)), [Call(expert="ground", args={"objects": ["cat"]})]
    )[0]
    assert "ground.json cannot be used" in result.error
    assert "\n" not in result.error
    assert Habits.beside(tmp_path) is None


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the peak is read from /proc")
def test_a_picture_of_24_megapixels_needs_less_than_two_gigabytes(folder, tmp_path):
    path = tmp_path / "large.jpg"
    Image.linear_gradient("L").resize((6000, 4000)).convert("RGB").save(path)
    code = (
        "import sys\n"
        "from tools import Call, Picture, Runner\n"
        "from tools.ground import Ground\n"
        "result = Runner([Ground(sys.argv[1])]).run(Picture.open(sys.argv[2]),"
        " [Call(expert='ground', args={'objects': ['cat'], 'threshold': 0.0})])[0]\n"
        "assert result.error is None, result.error\n"
        "print([line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line][0])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder), str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-600:]
    assert int(done.stdout.split()[-1]) * 1024 < 2_000_000_000
