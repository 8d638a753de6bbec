"""The native model on a tiny real configuration: shapes, allocation, gradients, saving, padding, cache, generation."""

import json

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import (
    AutoModelForCausalLM,
    CLIPVisionConfig,
    CLIPVisionModel,
    GPT2Config,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
    SiglipVisionConfig,
)

from policies.allocation import expand_visual_tokens, visual_token_count
from policies.config import SPECIAL_TOKENS, P2GConfig
from policies.llava import from_llava
from policies.model import P2GModel
from tests.policies.tiny import tiny_text, tiny_vision
from tools.errors import UsageError

ANSWER, CALL, REGION, IMAGE = 60, 61, 62, 63
SIDE, LATENTS, PATCHES = 28, 3, 16


def text_config(tied=True):
    return tiny_text(tie_word_embeddings=tied, eos_token_id=None)


def tiny_config(vision=True, tied=True, **settings):
    return P2GConfig(
        text_config(tied),
        tiny_vision() if vision is True else vision,
        resampler_heads=2,
        resampler_head_dim=8,
        resampler_latents=LATENTS,
        answer_token_id=ANSWER,
        call_token_id=CALL,
        region_token_id=REGION,
        image_token_id=IMAGE,
        **settings,
    )


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = P2GModel(tiny_config()).eval()
    for parameter in model.parameters():  # far enough from zero that a wrong picture shows in the logits
        parameter.data.mul_(3) if parameter.ndim > 1 else None
    return model


def sample(regions, seed=0, tail=(7, 8, 9)):
    """Unexpanded ids, global image and crops of one sample."""
    draw = torch.Generator().manual_seed(seed)
    ids = [5, IMAGE, 6, *[token for i in range(regions) for token in (10 + i, REGION)], *tail]
    return ids, torch.randn(1, 3, SIDE, SIDE, generator=draw), torch.randn(regions, 3, SIDE, SIDE, generator=draw)


def batch(config, samples, side="right"):
    """Samples padded to one length, as `forward` takes them."""
    rows = [expand_visual_tokens(ids, len(crops), config)[0] for ids, _, crops in samples]
    longest = max(map(len, rows))
    ids, mask = torch.zeros(len(rows), longest, dtype=torch.long), torch.zeros(len(rows), longest, dtype=torch.long)
    for i, row in enumerate(rows):
        place = slice(0, len(row)) if side == "right" else slice(longest - len(row), longest)
        ids[i, place], mask[i, place] = torch.tensor(row), 1
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "pixel_values": torch.cat([image for _, image, _ in samples]),
        "region_pixel_values": torch.cat([crops for _, _, crops in samples]),
        "region_counts": [len(crops) for _, _, crops in samples],
    }


def tokenizer(size=60):
    words = {f"w{i}": i for i in range(size)}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="w0")))


@pytest.mark.parametrize(("regions", "visual"), [(0, 16), (1, 3 + 16), (4, 3 + 64), (5, 3 + 15), (12, 3 + 36)])
def test_any_number_of_regions_gives_one_logit_row_per_position(model, regions, visual):
    inputs = batch(model.config, [sample(regions)])
    assert inputs["input_ids"].shape[1] == 2 + visual + regions + 3  # text before, a word per region, text after
    assert visual_token_count(model.config, regions).total == visual
    logits = model(**inputs).logits
    assert logits.shape == (1, inputs["input_ids"].shape[1], 64)
    assert logits.isfinite().all()


@pytest.mark.parametrize("regions", [0, 2, 5])
def test_every_projector_gets_a_gradient_exactly_when_it_is_used(model, regions):
    inputs = batch(model.config, [sample(regions)])
    model(**inputs, labels=inputs["input_ids"]).loss.backward()

    def learned(part):
        gradients = [p.grad for p in part.parameters()]
        assert all(g is None for g in gradients) or all(g is not None and g.abs().sum() > 0 for g in gradients)
        return gradients[0] is not None

    assert learned(model.language_model)
    assert learned(model.projector) == (regions <= 4)
    assert learned(model.resampler) == (regions > 0)
    assert model.vision_tower.get_parameter("embeddings.patch_embedding.weight").grad.abs().sum() > 0


def test_each_crop_lands_at_its_own_placeholder(model):
    ids, image, crops = sample(2)
    inputs = batch(model.config, [(ids, image, crops)])
    other = {**inputs, "region_pixel_values": torch.stack([crops[0], crops[1] + 1])}
    changed = (model.embed(**without_mask(inputs)) != model.embed(**without_mask(other))).any(-1)[0]
    second = (inputs["input_ids"][0] == REGION).nonzero()[PATCHES:, 0]
    assert changed.nonzero()[:, 0].tolist() == second.tolist()


def without_mask(inputs):
    return {name: value for name, value in inputs.items() if name != "attention_mask"}


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_batch_of_mixed_counts_equals_its_samples_alone(model, side):
    samples = [sample(n, seed=n) for n in (0, 5, 1, 4)]
    together = batch(model.config, samples, side)
    logits = model(**together).logits
    for i, one in enumerate(samples):
        alone = model(**batch(model.config, [one])).logits[0]
        torch.testing.assert_close(logits[i][together["attention_mask"][i].bool()], alone, atol=1e-4, rtol=1e-4)


def test_padding_side_does_not_matter_with_learned_positions():
    torch.manual_seed(0)
    text = GPT2Config(vocab_size=64, n_embd=24, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=2)
    config = tiny_config()
    config.text_config = text
    model = P2GModel(config).eval()
    left, right = (batch(config, [sample(0), sample(1)], side) for side in ("left", "right"))
    got = [model(**inputs).logits[inputs["attention_mask"].bool()] for inputs in (left, right)]
    torch.testing.assert_close(*got, atol=1e-5, rtol=1e-4)


def test_visual_positions_and_padding_do_not_count_in_the_loss(model):
    inputs = batch(model.config, [sample(1)])
    ids = inputs["input_ids"]
    own = ids.masked_fill((ids == IMAGE) | (ids == REGION), -100)
    assert model(**inputs, labels=ids).loss == model(**inputs, labels=own).loss
    assert model(**inputs, labels=own.masked_fill(ids == 6, -100)).loss != model(**inputs, labels=own).loss


@pytest.mark.parametrize("tied", [True, False])
def test_saved_and_loaded_in_shards_gives_the_same_logits(tmp_path, tied):
    torch.manual_seed(1)
    model = P2GModel(tiny_config(tied=tied, resampler_depth=2, crop_scale=1.5)).eval()
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    shards = list(tmp_path.glob("*.safetensors"))
    stored = json.loads((tmp_path / "model.safetensors.index.json").read_text())["weight_map"]
    assert len(shards) > 1
    assert ("language_model.lm_head.weight" in stored) != tied
    loaded, report = P2GModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    head, table = loaded.get_output_embeddings().weight, loaded.get_input_embeddings().weight
    assert (head is table) == tied
    inputs = batch(model.config, [sample(2), sample(5)])
    assert torch.equal(loaded.eval()(**inputs).logits, model(**inputs).logits)


def test_the_configuration_survives_a_round_trip(tmp_path):
    config = tiny_config(resampler_depth=6, projector_dim=40, vision_feature_layer=-1, max_mlp_regions=7)
    config.save_pretrained(tmp_path)
    loaded = P2GConfig.from_pretrained(tmp_path)
    assert isinstance(loaded.text_config, LlamaConfig)
    assert isinstance(loaded.vision_config, CLIPVisionConfig)
    assert loaded.to_dict() | {"transformers_version": ""} == config.to_dict() | {"transformers_version": ""}
    P2GConfig(text_config()).save_pretrained(tmp_path)
    assert P2GConfig.from_pretrained(tmp_path).vision_config is None


@pytest.mark.parametrize(
    ("setting", "message"),
    [({"resampler_depth": 0}, "at least 1"), ({"vision_feature_select": "cls"}, "'patch' or 'full'")],
)
def test_settings_that_cannot_work_are_refused(setting, message):
    with pytest.raises(UsageError, match=message):
        tiny_config(**setting)


def test_given_parts_keep_their_weights_and_lend_their_configuration():
    torch.manual_seed(2)
    lm, tower = LlamaForCausalLM(text_config()), CLIPVisionModel(tiny_vision())
    lm.model.layers[0].mlp.down_proj = torch.nn.Linear(32, 24, bias=False)  # as adapters do
    before = {name: value.clone() for part in (lm, tower) for name, value in part.state_dict().items()}
    model = P2GModel(P2GConfig(), language_model=lm, vision_tower=tower)
    after = {**model.language_model.state_dict(), **model.vision_tower.state_dict()}
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert model.config.text_config is lm.config
    assert model.config.vision_config is tower.config


def test_without_vision_the_model_is_its_language_model(tmp_path):
    torch.manual_seed(3)
    lm = AutoModelForCausalLM.from_config(text_config()).eval()
    P2GModel(tiny_config(vision=None), language_model=lm).save_pretrained(tmp_path)
    model = P2GModel.from_pretrained(tmp_path).eval()
    ids = torch.tensor([[5, 6, REGION, 7]])
    assert torch.equal(model(input_ids=ids).logits, lm(input_ids=ids).logits)
    kwargs = {"max_new_tokens": 6, "do_sample": False}
    assert torch.equal(model.generate(ids, **kwargs), lm.generate(ids, **kwargs))


def test_without_vision_a_picture_is_a_clear_error():
    model = P2GModel(tiny_config(vision=None))
    with pytest.raises(UsageError, match="no vision tower"):
        model(input_ids=torch.tensor([[IMAGE]]), pixel_values=torch.zeros(1, 3, SIDE, SIDE))


def test_a_text_question_needs_no_picture(model):
    ids = torch.tensor([[5, 6]])
    expected = model.language_model(input_ids=ids).logits
    assert torch.equal(model(input_ids=ids).logits, expected)
    assert torch.equal(model(input_ids=ids, region_pixel_values=torch.empty(0, 3, SIDE, SIDE)).logits, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"region_counts": [1, 2]}, r"\[1, 2\] do not fit 2 regions in 2 samples"),
        ({"region_counts": None}, "how 2 regions divide among 2 samples"),
        ({"region_counts": [2, 0]}, "sample 0 with 2 regions needs 3 <image> and 32"),
        ({"pixel_values": torch.zeros(1, 3, SIDE, SIDE)}, "1 global images for 2 samples"),
        ({"pixel_values": torch.zeros(2, 3, 14, 14)}, r"\[N, 3, 28, 28\], got \[2, 3, 14, 14\]"),
        ({"pixel_values": torch.zeros(2, 9, 16)}, r"\[N, 16, 16\], got \[2, 9, 16\]"),
        ({"pixel_values": None, "region_pixel_values": None, "region_counts": None}, "no pictures were given"),
        ({"pixel_values": None}, "needs 0 <image>"),
    ],
)
def test_pictures_that_do_not_match_the_text_are_a_clear_error(model, change, message):
    inputs = batch(model.config, [sample(1), sample(1)]) | change
    with pytest.raises(UsageError, match=message):
        model(**inputs)


def test_unexpanded_placeholders_are_a_clear_error(model):
    ids, image, _ = sample(0)
    with pytest.raises(UsageError, match=r"needs 16 <image>.*expand_visual_tokens"):
        model(input_ids=torch.tensor([ids]), pixel_values=image)


def test_encoded_features_stand_in_for_pixels(model):
    inputs = batch(model.config, [sample(2)])
    encoded = {**inputs, "pixel_values": model.vision_features(inputs["pixel_values"])}
    torch.testing.assert_close(model(**encoded).logits, model(**inputs).logits)


def test_parts_may_have_their_own_precision(model):
    inputs = batch(model.config, [sample(2)])
    expected = model(**inputs).logits
    for part in (model.language_model.model.embed_tokens, model.language_model.model.layers, model.vision_tower):
        part.to(torch.bfloat16)
    model.language_model.model.norm.to(torch.bfloat16)
    logits = model(**inputs).logits
    assert (logits.dtype, model.projector.linear_1.weight.dtype) == (torch.bfloat16, torch.float32)
    assert torch.nn.functional.cosine_similarity(logits.float(), expected, dim=-1).min() > 0.9


def test_a_lora_trains_on_top_with_gradient_checkpointing(model):
    from peft import LoraConfig, get_peft_model

    frozen = {name: value.clone() for name, value in model.state_dict().items()}
    settings = LoraConfig(r=2, target_modules=r"language_model\..*\.(q|v)_proj", task_type="CAUSAL_LM")
    tuned = get_peft_model(model, settings).train()
    tuned.enable_input_require_grads()
    tuned.gradient_checkpointing_enable()
    inputs = batch(model.config, [sample(1), sample(5)])
    optimizer = torch.optim.SGD([p for p in tuned.parameters() if p.requires_grad], lr=1.0)
    losses = []
    for _ in range(4):
        loss = tuned(**inputs, labels=inputs["input_ids"]).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    restored = tuned.unload().state_dict()
    assert all(torch.equal(restored[name], value) for name, value in frozen.items())


def test_a_focus_turn_continues_a_cached_prefix(model):
    ids, image, crops = (*sample(0)[:2], sample(2)[2])
    prefix = expand_visual_tokens(ids, 0, model.config)[0]
    focus = expand_visual_tokens([11, REGION, 12, REGION, 13], 2, model.config)[0]
    first = model(input_ids=torch.tensor([prefix]), pixel_values=image, use_cache=True)
    mask = torch.ones(1, len(prefix) + len(focus), dtype=torch.long)
    pictures = {"region_pixel_values": crops, "region_counts": [2]}
    second = model(
        input_ids=torch.tensor([focus]), attention_mask=mask, past_key_values=first.past_key_values, **pictures
    )
    whole = torch.cat(
        [
            model.embed(torch.tensor([prefix]), image),
            model.embed(torch.tensor([focus]), **pictures),
        ],
        dim=1,
    )
    expected = model(inputs_embeds=whole).logits[:, len(prefix) :]
    torch.testing.assert_close(second.logits, expected, atol=1e-4, rtol=1e-4)


def greedy(model, embeds, steps):
    made = []
    for _ in range(steps):
        token = model(inputs_embeds=embeds).logits[:, -1].argmax(-1, keepdim=True)
        made.append(token)
        embeds = torch.cat([embeds, model.get_input_embeddings()(token)], dim=1)
    return torch.cat(made, dim=1)


@pytest.mark.parametrize("regions", [0, 2, 5])
def test_generate_is_greedy_decoding_and_returns_the_prompt_first(model, regions):
    inputs = batch(model.config, [sample(regions)])
    got = model.generate(**inputs, max_new_tokens=5, do_sample=False)
    length = inputs["input_ids"].shape[1]
    assert torch.equal(got[:, :length], inputs["input_ids"])
    with torch.no_grad():
        assert torch.equal(got[:, length:], greedy(model, model.embed(**without_mask(inputs)), 5))


def test_generate_in_a_left_padded_batch_and_with_beams(model):
    samples = [sample(0), sample(2), sample(5)]
    settings = {"max_new_tokens": 4, "do_sample": False, "num_beams": 2}
    together = model.generate(**batch(model.config, samples, "left"), **settings)
    for row, one in zip(together, samples, strict=True):
        assert torch.equal(row[-4:], model.generate(**batch(model.config, [one]), **settings)[0, -4:])


def test_generate_continues_from_a_cache_with_new_regions(model):
    ids, image, _ = sample(0)
    prefix = expand_visual_tokens(ids, 0, model.config)[0]
    focus = expand_visual_tokens([11, REGION, 13], 1, model.config)[0]
    crop = {"region_pixel_values": sample(1)[2], "region_counts": [1]}
    with torch.no_grad():
        cache = model(input_ids=torch.tensor([prefix]), pixel_values=image, use_cache=True).past_key_values
        embeds = torch.cat(
            [model.embed(torch.tensor([prefix]), image), model.embed(torch.tensor([focus]), **crop)], dim=1
        )
        expected = greedy(model, embeds, 4)
    whole = torch.tensor([prefix + focus])
    got = model.generate(whole, past_key_values=cache, max_new_tokens=4, do_sample=False, **crop)
    assert torch.equal(got[:, whole.shape[1] :], expected)


def test_p_call_is_the_softmax_of_the_decision_tokens(model):
    logits = torch.full((2, 3, 64), 9.0)
    logits[..., ANSWER], logits[..., CALL] = 1.0, 3.0
    assert model.decision_logits(logits).shape == (2, 3, 2)
    torch.testing.assert_close(model.p_call(logits), torch.full((2, 3), torch.tensor(2.0).sigmoid().item()))
    torch.testing.assert_close(model.p_call(logits, temperature=2.0)[0, 0], torch.tensor(1.0).sigmoid())
    with pytest.raises(UsageError, match="temperature"):
        model.p_call(logits, temperature=0)


@pytest.mark.parametrize("tied", [True, False])
def test_special_tokens_start_at_the_mean_and_leave_the_rest_alone(tmp_path, tied):
    torch.manual_seed(4)
    text = text_config(tied)
    text.vocab_size = 60
    model, words = P2GModel(P2GConfig(text, tiny_vision(), resampler_heads=2)), tokenizer(60)
    before = [layer.weight.clone() for layer in (model.get_input_embeddings(), model.get_output_embeddings())]
    assert model.add_special_tokens(words) == [60, 61, 62, 63]
    for layer, old in zip((model.get_input_embeddings(), model.get_output_embeddings()), before, strict=True):
        assert torch.equal(layer.weight[:60], old)
        torch.testing.assert_close(layer.weight[60:], old.mean(0).expand(4, -1))
    config = model.config
    assert config.text_config.vocab_size == 64
    ids = [config.answer_token_id, config.call_token_id, config.region_token_id, config.image_token_id]
    assert words.convert_ids_to_tokens(ids) == list(SPECIAL_TOKENS)
    assert words("w1<|call|>w2").input_ids == [1, config.call_token_id, 2]
    assert model.p_call(model(input_ids=torch.tensor([[1, 2]])).logits[0, -1]).item() == pytest.approx(0.5)
    assert model.add_special_tokens(words) == []
    model.save_pretrained(tmp_path)
    loaded = P2GModel.from_pretrained(tmp_path)
    assert torch.equal(loaded.get_output_embeddings().weight, model.get_output_embeddings().weight)
    assert loaded.config.call_token_id == config.call_token_id


def test_decisions_need_the_special_tokens_first():
    with pytest.raises(UsageError, match="add_special_tokens"):
        P2GModel(P2GConfig(text_config())).p_call(torch.zeros(64))


def test_a_tower_without_a_cls_token_works_and_says_so_when_it_is_asked_for():
    config = tiny_config(vision=tiny_vision(SiglipVisionConfig))
    pixels = torch.zeros(1, 3, SIDE, SIDE)
    assert P2GModel(config).vision_features(pixels).shape == (1, PATCHES, 16)
    config.vision_feature_select = "full"
    with pytest.raises(UsageError, match="'patch'"):
        P2GModel(config).vision_features(pixels)


def test_started_from_llava_it_computes_what_llava_computes():
    torch.manual_seed(5)
    llava = LlavaForConditionalGeneration(
        LlavaConfig(text_config=text_config(False), vision_config=tiny_vision(), image_token_index=IMAGE)
    ).eval()
    model = from_llava(llava, resampler_heads=2, region_token_id=REGION).eval()
    inputs = batch(model.config, [sample(0)])
    expected = llava(
        input_ids=inputs["input_ids"],
        pixel_values=inputs["pixel_values"],
        attention_mask=inputs["attention_mask"],
    ).logits
    torch.testing.assert_close(model(**inputs).logits, expected)
    assert not any(parameter.is_meta for parameter in model.parameters())


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@torch.no_grad()
def test_a_given_language_model_keeps_its_attention_and_stays_causal(tmp_path, attention):
    """The base class unsets the attention of its parts, and attention without a name sees the tokens to come."""
    torch.manual_seed(0)
    LlamaForCausalLM(text_config()).save_pretrained(tmp_path)
    lm = AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation=attention).eval()
    ids = torch.randint(0, 64, (2, 11))
    expected = lm(ids).logits
    config = P2GConfig(text_config=lm.config)
    before, own = config.to_dict(), config.text_config
    model = P2GModel(config, language_model=lm).eval()
    assert lm.config._attn_implementation == attention
    assert all(layer.self_attn.config._attn_implementation == attention for layer in lm.model.layers)
    torch.testing.assert_close(model(input_ids=ids).logits, expected, rtol=0, atol=0)
    torch.testing.assert_close(model(input_ids=ids[:, :6]).logits, expected[:, :6], rtol=1e-5, atol=1e-5)
    assert config.to_dict() == before
    assert config.text_config is own
