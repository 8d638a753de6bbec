"""The engine with a vision tower: pictures and regions at their places, encoded once, in both contexts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPVisionConfig, ResNetConfig

from policies.config import P2GConfig
from policies.data.page import Line
from policies.model import P2GModel
from policies.seeing import spread
from policies.text.engine import COPY_ODDS, Found, TextEngine
from policies.text.protocol import ABSENT
from tools.base import Region
from tools.drawings import data_url
from tools.pictures import Picture

SIZE = (200, 120)
EXPERTS = [("read", "reads the text in the image"), ("ground", "finds objects by name")]
LINES = [Line("Invoice 2041", (5, 5, 90, 15)), Line("Total CHF 55.20", (5, 30, 90, 40))]
OPTIONS = ["red", "dark blue", "12", "yes"]
QUESTION = "What colour is the car?"
TOWERS = {
    "clip": CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2, image_size=28, patch_size=7
    ),
    "resnet": ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"),
}


def picture(seed: int) -> Picture:
    pixels = np.random.default_rng(seed).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    return Picture.open(Image.fromarray(pixels))


def regions(number: int) -> list[Region]:
    return [Region(box=(8 * n, 4 * n, 8 * n + 40, 4 * n + 30), label=f"car {n}", score=0.5) for n in range(number)]


@pytest.fixture(params=list(TOWERS))
def engine(request, tiny_lm, tokenizer):
    return engine_of(request.param, tiny_lm, tokenizer)


@pytest.fixture
def clip(tiny_lm, tokenizer):
    return engine_of("clip", tiny_lm, tokenizer)


def engine_of(tower, lm, tokenizer, **settings):
    torch.manual_seed(1)
    small = {"resampler_heads": 2, "resampler_head_dim": 8, "resampler_latents": 3, "roi_cells": 2, "vision_side": 28}
    model = P2GModel(P2GConfig(lm.config, TOWERS[tower], **small, **settings), language_model=lm).eval()
    model.add_special_tokens(tokenizer)
    for part in (model.vision_tower, model.projector, model.resampler):
        for parameter in part.parameters():
            parameter.data.mul_(3) if parameter.ndim > 1 else None
    return TextEngine(model, tokenizer)


@torch.no_grad()
def uncached(engine, items):
    """Logits after `items` in one pass of the model."""
    ids, visuals = spread(items, engine.model.config)
    return engine.model(input_ids=torch.tensor([ids]), visuals=visuals).logits[0]


def last_prompt(engine, monkeypatch):
    """A list that receives every prefix with its prompt."""
    asked = []
    ask = engine._ask
    monkeypatch.setattr(engine, "_ask", lambda prefix, prompt: asked.append([*prefix, *prompt]) or ask(prefix, prompt))
    return asked


def test_the_decision_depends_on_the_picture_and_equals_a_plain_pass(engine):
    first, second = picture(1), picture(2)
    found = [engine.p_call(EXPERTS, SIZE, QUESTION, None, shown) for shown in (first, second, first)]
    assert found[0] == pytest.approx(found[2], abs=1e-5)
    assert abs(found[0] - found[1]) > 1e-4
    items = [*engine._decide(EXPERTS, SIZE, second), *engine.protocol.question(QUESTION)]
    assert float(engine.model.p_call(uncached(engine, items)[-1])) == pytest.approx(found[1], abs=1e-4)


@pytest.mark.parametrize(("number", "image", "each"), [(0, 16, 0), (1, 3, 16), (4, 3, 16), (5, 3, 3), (12, 3, 3)])
def test_the_ledger_counts_the_tokens_of_the_allocation_rule(clip, number, image, each):
    clip.answer(LINES, SIZE, QUESTION, None, Found(picture(1), regions(number)))
    assert clip.cost.visual == image + number * each
    assert clip.cost.visual < clip.cost.prompt


def test_a_second_question_encodes_nothing_and_pays_for_its_own_tokens(engine, monkeypatch):
    shown, found = picture(1), regions(3)
    engine.p_call(EXPERTS, SIZE, QUESTION, None, shown)
    engine.answer([], SIZE, QUESTION, None, Found(shown, found))
    assert engine.eyes.encoded == 1 + len(found)
    engine.cost = type(engine.cost)()
    asked = last_prompt(engine, monkeypatch)
    engine.answer([], SIZE, "Where is it?", None, Found(shown, found))
    assert engine.eyes.encoded == 1 + len(found)
    own = len(engine.protocol.question("Where is it?")) + 1
    assert engine.cost.prompt - engine.cost.cached == own
    assert len(asked) == 1


def test_crops_are_encoded_in_one_batch(clip, monkeypatch):
    batches = []
    real = clip.model.vision_features
    monkeypatch.setattr(clip.model, "vision_features", lambda pixels: batches.append(len(pixels)) or real(pixels))
    clip.answer([], SIZE, QUESTION, None, Found(picture(1), regions(5)))
    assert sorted(batches) == [1, 5]
    clip.answer([], SIZE, QUESTION, None, Found(picture(1), regions(7)))  # two of them are new
    assert sorted(batches) == [1, 2, 5]


def test_another_picture_with_the_same_words_does_not_share_a_cache(engine):
    for context in ({}, {"experts": EXPERTS, "said": "ground: car"}):
        engine.forget()
        scores = []
        for shown in (picture(1), picture(2)):
            warm = engine.answer([], SIZE, QUESTION, OPTIONS, Found(shown, regions(2), **context))
            scores.append(warm.confidence)
        engine.forget()
        cold = engine.answer([], SIZE, QUESTION, OPTIONS, Found(picture(2), regions(2), **context))
        assert scores[1] == pytest.approx(cold.confidence, abs=1e-4)
        assert abs(scores[0] - scores[1]) > 1e-6


@pytest.mark.parametrize("said", [None, "ground: car"])
@pytest.mark.parametrize("number", [1, 5])
def test_both_contexts_equal_one_pass_without_caches(engine, monkeypatch, said, number):
    """Logits behind the caches, filled by the decide turn before, against the whole sequence at once."""
    shown = picture(1)
    engine.p_call(EXPERTS, SIZE, QUESTION, None, shown)
    prompts, logits = last_prompt(engine, monkeypatch), []
    run = engine.cached.run
    monkeypatch.setattr(engine.cached, "run", lambda *a: logits.append(run(*a)) or logits[-1])
    engine.answer(LINES, SIZE, QUESTION, OPTIONS, Found(shown, regions(number), ["dog"], EXPERTS, said))
    torch.testing.assert_close(logits[0], uncached(engine, prompts[0])[-1], atol=1e-3, rtol=1e-3)
    text = engine.tokenizer.decode([item for item in prompts[0] if isinstance(item, int)])
    assert text.count(QUESTION) == (2 if said else 1)
    assert "dog: not found" in text
    assert len([item for item in prompts[0] if not isinstance(item, int)]) == 1 + number


def test_append_recomputes_nothing_of_the_turn_in_which_experts_were_called(clip):
    shown = picture(1)
    said = clip.call(EXPERTS, SIZE, QUESTION, None, {"ground"}, shown)
    before = spread(clip._decide(EXPERTS, SIZE, shown), clip.model.config)[0]
    turn = [*before, *clip.protocol.question(QUESTION), *clip.protocol.call_turn(said)]
    clip.cost = type(clip.cost)()
    clip.answer(LINES, SIZE, QUESTION, None, Found(shown, regions(2), [], EXPERTS, said))
    assert clip.cost.cached == len(turn)
    assert clip.cost.visual == 16 + 2 * 16  # the picture as it was seen when deciding


def test_append_goes_on_from_a_call_that_was_made_with_its_options(clip):
    shown = picture(1)
    said = clip.call(EXPERTS, SIZE, QUESTION, OPTIONS, {"ground"}, shown)
    before = spread(clip._decide(EXPERTS, SIZE, shown), clip.model.config)[0]
    turn = [*before, *clip.protocol.question(QUESTION, OPTIONS), *clip.protocol.call_turn(said)]
    clip.cost = type(clip.cost)()
    clip.answer(LINES, SIZE, QUESTION, OPTIONS, Found(shown, regions(2), [], EXPERTS, said, OPTIONS))
    asked = sum(len(clip.protocol.question(QUESTION, shown)) + 1 for shown in (OPTIONS, None))
    whole = (clip.cost.prompt - asked) // 2  # of the context, which the second reading of the options finds cached
    assert clip.cost.cached == len(turn) + whole


def test_options_in_a_batch_score_as_each_does_alone(engine, monkeypatch):
    """Against plain passes over prompt and option, one by one, without any cache; with the options shown and not."""
    prompts = last_prompt(engine, monkeypatch)
    reply = engine.answer(LINES, SIZE, QUESTION, OPTIONS, Found(picture(1), regions(2)))

    def likelihood(prompt, option):
        ids = [*engine.protocol.encode(" " + option), engine.protocol.end_id]
        logits = uncached(engine, [*prompt, *ids]).log_softmax(-1)
        start = len(logits) - len(ids) - 1
        return sum(logits[start + i, token] for i, token in enumerate(ids))

    assert len(prompts) == 2
    each = [torch.stack([likelihood(prompt, option) for option in OPTIONS]).log_softmax(-1) for prompt in prompts]
    expected = (sum(each) / 2).softmax(-1)
    best = int(expected.argmax())
    assert (reply.choice, reply.text, reply.seen) == (best, OPTIONS[best], True)
    assert reply.confidence == pytest.approx(float(expected.max()), abs=1e-3)


@pytest.mark.parametrize("likelier", [True, False])
def test_free_words_answer_only_when_much_likelier_than_the_read_text(clip, monkeypatch, likelier):
    copied = clip.answer(LINES, SIZE, QUESTION, None, Found(picture(1)))
    assert copied.lines or copied.text == ABSENT.strip()  # no regions: held to what was read
    write, copy = clip._write, clip._copy

    def written(*args):
        out = write(*args)
        out.probability = 0.01 * COPY_ODDS * (1.1 if likelier else 0.9)
        return out

    def held(*args):
        out = copy(*args)
        out.probability = 0.01
        return out

    monkeypatch.setattr(clip, "_write", written)
    monkeypatch.setattr(clip, "_copy", held)
    reply = clip.answer(LINES, SIZE, QUESTION, None, Found(picture(1), regions(1)))
    assert reply.seen == likelier
    assert bool(reply.lines) != likelier
    assert clip.answer([], SIZE, QUESTION, None, Found(picture(1), regions(1))).seen  # nothing was read


def test_marks_that_were_read_are_no_answer_beside_what_was_seen(clip):
    assert clip.answer([Line(", ;", (5, 5, 90, 15))], SIZE, QUESTION, None, Found(picture(1), regions(1))).seen


def test_a_thing_that_was_not_found_is_told_and_nothing_at_all_is_not_in_the_image(clip):
    assert clip.answer([], SIZE, QUESTION, None, Found(picture(1))).text == ABSENT.strip()
    assert clip.cost.prompt == 0
    assert clip.answer([], SIZE, QUESTION, None, Found(picture(1), [], ["car"])).seen
    assert clip.cost.visual == 16


@pytest.mark.parametrize(("pathway", "encoded"), [("crop", 4), ("roi_align", 1), ("hybrid", 2)])
def test_pathways_encode_what_they_say(tiny_lm, tokenizer, pathway, encoded):
    engine = engine_of("clip", tiny_lm, tokenizer, region_pathway=pathway, hybrid_min_cells=2)
    small, large = (10, 10, 40, 40), (10, 10, 190, 115)
    found = [Region(box=box, label="car") for box in (small, large, (0, 0, 150, 110))]
    engine.answer([], SIZE, QUESTION, None, Found(picture(1), found))
    assert engine.eyes.encoded == encoded
    assert engine.cost.visual == 3 + {"crop": 3 * 16, "roi_align": 3 * 4, "hybrid": 16 + 2 * 4}[pathway]


@pytest.mark.parametrize(("allocation", "visual"), [("rule", 3 + 2 * 16), ("mlp", 16 + 2 * 16), ("resampler", 9)])
def test_the_allocation_can_be_overridden(tiny_lm, tokenizer, allocation, visual):
    engine = engine_of("clip", tiny_lm, tokenizer, allocation=allocation)
    engine.answer([], SIZE, QUESTION, None, Found(picture(1), regions(2)))
    assert engine.cost.visual == visual


def test_what_an_expert_drew_is_seen_in_place_of_the_picture(clip):
    box, drawn = (10, 10, 60, 60), data_url(Image.new("RGB", (20, 20), "red"))
    plain, marked = Region(box=box, label="depth"), Region(box=box, label="depth", image=drawn)
    one, other = (clip.eyes.regions(picture(1), [region])[0] for region in (plain, marked))
    assert one != other
    assert not torch.equal(one.features, other.features)
    again = clip.eyes.regions(picture(2), [marked])[0]
    assert torch.equal(again.features, other.features)


@pytest.mark.parametrize("pathway", ["roi_align", "hybrid"])
def test_what_an_expert_drew_is_seen_as_drawn_where_regions_are_pooled(tiny_lm, tokenizer, pathway):
    box, drawn = (10, 10, 190, 110), data_url(Image.new("RGB", (20, 20), "red"))
    shown = [Region(box=box, label="depth"), Region(box=box, label="depth", image=drawn)]
    looks = engine_of("clip", tiny_lm, tokenizer, region_pathway=pathway, hybrid_min_cells=2).eyes.regions(
        picture(1), shown
    )
    cropped = engine_of("clip", tiny_lm, tokenizer).eyes.regions(picture(1), shown)
    assert looks[0].box is not None
    assert (looks[1].box, looks[1].length) == (None, 16)
    torch.testing.assert_close(looks[1].features, cropped[1].features)


def test_a_drawing_that_cannot_be_opened_is_seen_as_each_region_s_own_part(clip):
    broken, boxes = "data:image/png;base64,AAAA", [(10, 10, 60, 60), (100, 20, 160, 90)]
    marked = [Region(box=box, label="depth", image=broken) for box in boxes]
    plain = [Region(box=box, label="depth") for box in boxes]
    for seed in (1, 2):
        for got, expected in zip(
            clip.eyes.regions(picture(seed), marked), clip.eyes.regions(picture(seed), plain), strict=True
        ):
            torch.testing.assert_close(got.features, expected.features)


def test_features_are_kept_within_bounds(clip):
    clip.eyes.kept = 3
    looks = clip.eyes.regions(picture(1), regions(6))
    assert len(looks) == 6
    assert len(clip.eyes._features) == 3


def test_several_calls_are_written_where_another_line_is_likelier_than_the_end(clip, monkeypatch):
    (newline,), end = clip.protocol.encode("\n"), clip.protocol.end_id
    lines = iter([newline, end])
    names = iter(["ground", "read"])
    monkeypatch.setattr(clip, "_name", lambda *_: next(names))

    def written(logits, cache, stops):
        logits = logits.clone()
        logits[next(lines)] = 100.0
        return Written(" red car", 1.0, [clip.cached.run(cache, ids), ids][1], logits)

    from policies.text.engine import Written

    ids = list(clip.protocol.encode(" red car"))
    monkeypatch.setattr(clip, "_write", written)
    text = clip.call(EXPERTS, SIZE, QUESTION, None, {"ground", "read"}, picture(1))
    assert text == "ground: red car\nread: red car"


@pytest.mark.parametrize("token", ["\n", "<|im_end|>"])
def test_an_expert_is_called_once_and_one_that_takes_arguments_with_some(clip, monkeypatch, token):
    """However much likelier the model finds another line, or no arguments at all."""
    (likely,) = clip.protocol.encode(token)
    run = clip.cached.run

    def leaning(cache, ids, visuals=None):
        logits = run(cache, ids, visuals)
        return logits.index_fill(0, torch.tensor([likely]), float(logits.max()) + 9)

    monkeypatch.setattr(clip.cached, "run", leaning)
    lines = clip.call(EXPERTS, SIZE, QUESTION, None, {"ground"}, picture(1)).splitlines()
    names = [line.partition(":")[0] for line in lines]
    assert len(names) == len(set(names)) == (len(EXPERTS) if token == "\n" else 1)
    for name, args in (line.split(":", 1) for line in lines):
        assert bool(args) == (name == "ground")


def test_without_a_tower_nothing_that_was_found_changes_an_answer(tiny_model, tokenizer):
    engine = TextEngine(tiny_model, tokenizer)
    found = Found(picture(1), regions(3), ["dog"], EXPERTS)
    for options in (None, OPTIONS):
        assert engine.answer(LINES, SIZE, QUESTION, options, found) == engine.answer(LINES, SIZE, QUESTION, options)
    shown = picture(1)
    assert engine.p_call(EXPERTS, SIZE, QUESTION, None, shown) == engine.p_call(EXPERTS, SIZE, QUESTION, None)
    assert engine.answer([], SIZE, QUESTION, None, found).text == ABSENT.strip()
    assert engine.cost.visual == 0
