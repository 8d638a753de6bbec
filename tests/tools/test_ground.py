"""`ground` with a tiny random Grounding DINO saved on disk: the same detections as transformers, labelled, in place."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tools import Call, ExpertError, Picture, Runner, UsageError, boxes, load_tools
from tools.ground import Ground, _names, _prompt
from tools.slicing import Detection

WORDS = ["cat", "dog", "red", "car", "street", "sign", "##s", "a", "the"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A whole checkpoint folder, with a BERT vocabulary that has its special tokens where Grounding DINO wants them."""
    torch = pytest.importorskip("torch")
    import transformers as t
    from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil

    folder = tmp_path_factory.mktemp("ground") / "tiny"
    folder.mkdir()
    vocabulary = [f"[unused{i}]" for i in range(1100)]
    fixed = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]", 1012: ".", 1029: "?"}
    for index, word in {**fixed, **dict(enumerate(WORDS, 1040))}.items():
        vocabulary[index] = word
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    t.BertTokenizerFast(vocab=str(folder / "vocab.txt"), do_lower_case=True).save_pretrained(folder)
    GroundingDinoImageProcessorPil(size={"shortest_edge": 96, "longest_edge": 160}).save_pretrained(folder)
    swin = t.SwinConfig(
        image_size=96, embed_dim=16, depths=[1, 1, 1, 1], num_heads=[1, 2, 2, 2], window_size=3, out_indices=[2, 3, 4]
    )
    bert = t.BertConfig(
        vocab_size=1100, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    config = t.GroundingDinoConfig(
        backbone_config=swin, text_config=bert, d_model=32, encoder_layers=1, decoder_layers=2, num_queries=20,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
    )  # fmt: skip
    torch.manual_seed(0)
    t.GroundingDinoForObjectDetection(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def runner(checkpoint):
    return Runner([Ground(str(checkpoint))])


@pytest.fixture(scope="module")
def picture():
    rng = np.random.default_rng(0)
    return Picture.open(Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)).resize((600, 400)))


def ground(runner, picture, **args):
    result = runner.run(
        picture, [Call(expert="ground", args={"objects": ["a cat", "red car"], "threshold": 0, **args})]
    )[0]
    assert result.error is None
    return result.regions


def test_detections_are_those_of_transformers(checkpoint, runner, picture):
    import torch
    from transformers import AutoTokenizer, GroundingDinoForObjectDetection, GroundingDinoProcessor
    from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil

    processor = GroundingDinoProcessor(
        GroundingDinoImageProcessorPil.from_pretrained(checkpoint), AutoTokenizer.from_pretrained(checkpoint)
    )
    model = GroundingDinoForObjectDetection.from_pretrained(checkpoint).eval()
    inputs = processor(images=picture.image, text=["a cat", "red car"], return_tensors="pt")
    with torch.inference_mode():
        output = model(**inputs)
    threshold = float(output.logits.sigmoid().amax(-1).median())
    expected = processor.post_process_grounded_object_detection(
        output, inputs["input_ids"], threshold=threshold, target_sizes=[(400, 600)]
    )[0]
    assert len(expected["scores"]) >= 5
    found = ground(runner, picture, threshold=threshold)
    assert found
    clamped = [boxes.clamp(box, (600, 400)) for box in expected["boxes"].tolist()]
    for region in found:
        distance = [max(abs(p - q) for p, q in zip(region.box, box, strict=True)) for box in clamped]
        best = int(np.argmin(distance))
        assert distance[best] < 0.05
        assert region.score == pytest.approx(float(expected["scores"][best]), abs=1e-4)
    # what is left out overlaps a kept one of its label (suppression), so every expected box is explained
    kept = np.array([region.box for region in found])
    assert (boxes.iou(np.array(clamped), kept).max(axis=1) > 0.69).all()


def test_labels_are_the_names_that_were_asked_for(runner, picture):
    regions = ground(runner, picture)
    assert regions
    assert {region.label for region in regions} <= {"a cat", "red car"}
    assert all(region.source == "ground" for region in regions)
    assert {region.label for region in ground(runner, picture, objects=["Street Signs"])} == {"Street Signs"}


def test_the_name_with_the_highest_token_wins(checkpoint, picture):
    import torch

    tool = Ground(str(checkpoint))
    tool.ready()
    plain = tool._model

    class Certain:
        """The model, sure that the first query is the last name and all others the first name."""

        def __call__(self, **inputs):
            output = plain(**inputs)
            ids = inputs["input_ids"][0].tolist()
            output.logits.fill_(-9.0)
            output.logits[0, :, ids.index(1040)] = 2.0  # cat
            output.logits[0, 0, ids.index(1043)] = 3.0  # car
            return output

    tool._model = Certain()
    with torch.inference_mode():
        found = tool._detect(picture.image, tool._prompt(["a cat", "red car"]), 0.5)
    assert sorted(item.label for item in found).count("red car") == 1
    assert {round(item.score, 3) for item in found if item.label == "red car"} == {0.953}


def test_more_names_than_one_prompt_holds_are_asked_for_in_several(checkpoint, runner, picture):
    names = [f"{'red ' * 18}cat {number}" for number in range(16)]
    assert {region.label for region in ground(runner, picture, objects=[*names, "a cat"][1:])} >= {"a cat"}
    tool = Ground(str(checkpoint))
    tool.ready()
    prompts = tool._prompts(names)
    assert [name for prompt in prompts for name in prompt.names] == names
    assert 1 < len(prompts) < len(names)
    assert max(map(len, prompts)) <= tool._model.config.max_text_len


def test_a_name_that_no_prompt_holds_is_an_error_of_one_line(checkpoint, picture):
    tool = Ground(str(checkpoint))
    tool.ready()
    tool._model.config.text_config.max_position_embeddings = 12
    result = Runner([tool]).run(picture, [Call(expert="ground", args={"objects": ["cat", "red " * 19]})])[0]
    assert "name it in a few words" in result.error


def test_a_phrase_with_a_place_gives_the_thing_it_means_under_the_words_that_were_said(picture, monkeypatch):
    tool, asked = Ground("unused"), []
    seen = [Detection((10, 10, 20, 20), 0.6, "cat"), Detection((200, 10, 220, 30), 0.9, "cat")]
    seen.append(Detection((100, 10, 120, 30), 0.7, "dog"))
    monkeypatch.setattr(tool, "_prompts", lambda names: asked.append(names) or [names])
    monkeypatch.setattr(tool, "_find", lambda view, prompt, threshold: seen)
    objects = ["Leftmost Cat", "cat", "a cat right of the dog", "dog above the cat"]
    found = tool(picture, tool.parse({"objects": objects}))
    assert asked == [["cat", "dog"]]
    assert [(region.label, region.box[0], region.score) for region in found] == [
        ("Leftmost Cat", 10, 0.6),
        ("cat", 10, 0.6),
        ("cat", 200, 0.9),
        ("a cat right of the dog", 200, 0.9),
    ]


def test_other_weights_at_the_same_place_are_other_results(checkpoint, tmp_path):
    folder = tmp_path / "tiny"
    shutil.copytree(checkpoint, folder)
    before = Ground(str(folder)).cache_key()
    assert Ground(str(folder)).cache_key() == before
    (folder / "ground.json").write_text('{"bias": 1.0}')
    assert Ground(str(folder)).cache_key() != before
    assert (
        Ground("IDEA-Research/grounding-dino-tiny").cache_key()
        == Ground("IDEA-Research/grounding-dino-tiny").cache_key()
    )


def test_a_threshold_keeps_the_best(runner, picture):
    everything = ground(runner, picture)
    middle = sorted(region.score for region in everything)[len(everything) // 2]
    assert all(region.score > middle for region in ground(runner, picture, threshold=middle))
    assert ground(runner, picture, threshold=1) == []


def test_a_part_is_searched_in_the_picture_frame(runner, picture):
    box = [300, 200, 500, 380]
    regions = ground(runner, picture, box=box)
    alone = ground(runner, Picture.open(picture.crop(tuple(box))))
    assert [region.box for region in regions] == [pytest.approx(boxes.shift(r.box, 300, 200), abs=1e-3) for r in alone]


def test_large_pictures_are_sliced_and_seen_as_a_whole(checkpoint):
    seen = []

    class Watched(Ground):
        def _detect(self, image, names, threshold):
            seen.append(image.size)
            return super()._detect(image, names, threshold)

    picture = Picture.open(Image.new("RGB", (3000, 2200), "white"))
    assert all(0 <= r.box[0] < r.box[2] <= 3000 for r in ground(Runner([Watched(str(checkpoint))]), picture))
    assert seen[0] == (3000, 2200)
    assert len(seen) == 7
    assert max(seen[1]) <= 1333
    seen.clear()
    ground(Runner([Watched(str(checkpoint), max_slices=2)]), picture)
    assert len(seen) <= 3


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, "objects"),
        ({"objects": []}, "objects"),
        ({"objects": ["x"] * 17}, "objects"),
        ({"objects": [""]}, "objects.0"),
        ({"objects": "cat"}, "objects"),
        ({"objects": [" . "]}, "only blanks or dots"),
        ({"objects": ["cat"], "threshold": 2}, "threshold"),
        ({"objects": ["cat"], "box": [700, 0, 800, 50]}, "outside the 600x400 picture"),
    ],
)
def test_wrong_arguments(runner, picture, args, words):
    assert words in runner.run(picture, [Call(expert="ground", args=args)])[0].error


def test_names_and_prompt():
    assert _names([" a  cat ", "St. Mark", "a cat", "."]) == ["a cat", "St Mark"]
    text, spans = _prompt(["A Cat", "dog"])
    assert text == "a cat. dog."
    assert [text[start:end] for start, end in spans] == ["a cat", "dog"]
    with pytest.raises(ExpertError):
        _names(["..."])


def test_without_a_model_it_says_what_to_do(picture):
    (tool,) = load_tools(["ground"])
    assert "not available in this profile" in tool.unavailable()
    assert "grounding-dino-tiny" in tool.unavailable()
    assert "not available" in Runner([tool]).run(picture, [Call(expert="ground", args={"objects": ["x"]})])[0].error
    with pytest.raises(ExpertError, match="not available in this profile"):
        tool.ready()


def test_a_folder_without_a_checkpoint(tmp_path):
    assert "no config.json" in Ground(str(tmp_path)).unavailable()
    assert "no config.json" in Ground("./missing").unavailable()


def test_a_broken_checkpoint_is_one_line(tmp_path, picture):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "grounding-dino"}))
    result = Runner([Ground(str(tmp_path))]).run(picture, [Call(expert="ground", args={"objects": ["cat"]})])[0]
    assert result.error.startswith(f"ground: cannot load {tmp_path}")
    assert "\n" not in result.error


def test_a_hub_name_offline_is_one_line():
    script = """
from PIL import Image
from tools import Call, Picture, Runner, load_tools

tools = load_tools(["ground"], {"ground": {"model": "IDEA-Research/grounding-dino-tiny"}})
assert tools[0].unavailable() is None
call = Call(expert="ground", args={"objects": ["x"]})
print(Runner(tools).run(Picture.open(Image.new("RGB", (9, 9))), [call])[0].error)
"""
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": "/nonexistent", "PATH": "/usr/bin"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, env=environment, check=True
    )
    assert done.stdout.startswith("ground: cannot load IDEA-Research/grounding-dino-tiny")
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_wrong_settings():
    with pytest.raises(UsageError):
        load_tools(["ground"], {"ground": {"weights": "x"}})
