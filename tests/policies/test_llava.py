"""Starting from a LLaVA-1.5 checkpoint on disk: the direct path computes what LLaVA computes, the rest is ready."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models
from transformers import (
    CLIPImageProcessorPil,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
)

from policies.allocation import expand_visual_tokens
from policies.config import SPECIAL_TOKENS
from policies.llava import from_llava_checkpoint
from policies.model import P2GModel
from tests.policies.tiny import tiny_text, tiny_vision
from tools.errors import ControllerError

MEAN = [0.1, 0.2, 0.3]


@pytest.fixture
def checkpoint(tmp_path):
    """A tiny random checkpoint with the files of `llava-hf/llava-1.5-7b-hf`: `<image>` and `<pad>` after the words,
    rows of the embedding to spare, an untied head, CLIP in front."""
    torch.manual_seed(5)
    text = tiny_text(pad_token_id=51, tie_word_embeddings=False)
    llava = LlavaForConditionalGeneration(
        LlavaConfig(text_config=text, vision_config=tiny_vision(), image_token_index=50)
    )
    llava.save_pretrained(tmp_path)
    words = {f"w{i}": i for i in range(50)} | {"<image>": 50, "<pad>": 51}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="w0")))
    tokenizer.add_tokens(["<image>", "<pad>"], special_tokens=True)
    tokenizer.save_pretrained(tmp_path)
    size = {"height": 28, "width": 28}
    CLIPImageProcessorPil(crop_size=size, size={"shortest_edge": 28}, image_mean=MEAN).save_pretrained(tmp_path)
    return tmp_path


def as_on_the_hub(folder):
    """Name the tower's tensors as the files of the hub still do; the others have their names already."""
    file = folder / "model.safetensors"
    tensors = load_file(file)
    assert {"language_model.lm_head.weight", "multi_modal_projector.linear_1.weight"} <= set(tensors)
    names = {name: name.replace("vision_tower.", "vision_tower.vision_model.") for name in tensors}
    save_file({names[name]: tensor for name, tensor in tensors.items()}, file, metadata={"format": "pt"})


@pytest.mark.parametrize("layout", ["saved", "hub"])
@torch.no_grad()
def test_the_direct_path_computes_what_llava_computes(checkpoint, layout):
    llava = LlavaForConditionalGeneration.from_pretrained(checkpoint).eval()
    if layout == "hub":
        as_on_the_hub(checkpoint)
    model, _ = from_llava_checkpoint(checkpoint, resampler_heads=2)
    ids = torch.tensor([expand_visual_tokens([1, 50, 7, 8], 0, model.eval().config)[0]])
    pixels = torch.randn(1, 3, 28, 28)
    expected = llava(input_ids=ids, pixel_values=pixels).logits
    got = model(ids, pixels).logits
    known = [token for token in range(64) if token not in (52, 53, 54)]  # the rows of the new tokens are new
    torch.testing.assert_close(got[..., known], expected[..., known], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_the_converted_model_knows_its_tokens_takes_regions_and_can_be_saved(checkpoint, tmp_path):
    before = LlavaForConditionalGeneration.from_pretrained(checkpoint).lm_head.weight
    model, tokenizer = from_llava_checkpoint(checkpoint, dtype=torch.float32, resampler_heads=2, resampler_latents=3)
    config = model.eval().config
    assert (config.image_token_id, config.image_mean) == (50, MEAN)
    ids = [config.answer_token_id, config.call_token_id, config.region_token_id, config.image_token_id]
    assert tokenizer.convert_ids_to_tokens(ids) == list(SPECIAL_TOKENS)
    head = model.get_output_embeddings().weight
    assert torch.equal(head[:52], before[:52])
    torch.testing.assert_close(head[config.call_token_id], before[:52].mean(0))
    assert len(head) == 64  # the spare rows were enough
    prompt = torch.tensor([expand_visual_tokens([1, 50, 7, config.region_token_id, 8], 1, config)[0]])
    inputs = (prompt, torch.randn(1, 3, 28, 28), torch.randn(1, 3, 28, 28))
    model.save_pretrained(tmp_path / "p2g")
    loaded = P2GModel.from_pretrained(tmp_path / "p2g").eval()
    torch.testing.assert_close(loaded(*inputs).logits, model(*inputs).logits)


def test_what_cannot_be_loaded_is_said_in_one_line(checkpoint):
    with pytest.raises(ControllerError, match="cannot start from nowhere/at-all") as error:
        from_llava_checkpoint("nowhere/at-all")
    assert "\n" not in str(error.value)
    tensors = load_file(checkpoint / "model.safetensors")
    save_file(
        {name: value for name, value in tensors.items() if "projector" not in name},
        checkpoint / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(ControllerError, match="4 tensors are missing"):
        from_llava_checkpoint(checkpoint)
    settings = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(settings | {"vision_feature_layer": [-2]}))
    save_file(tensors, checkpoint / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ControllerError, match="joins vision layers"):
        from_llava_checkpoint(checkpoint)
