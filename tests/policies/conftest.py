"""A small real tokenizer and a tiny random model for the tests of the text path."""

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from policies.config import SPECIAL_TOKENS, P2GConfig
from policies.model import P2GModel
from policies.text.protocol import ABSENT, ANSWER, DECIDE, ROWS, Protocol
from tests.policies.tiny import random_lm, tiny_text, tiny_vision

CORPUS = [
    f"{ANSWER} {ROWS} {DECIDE} {ABSENT} Question: Options:",
    "Invoice number date total price amount due phone address name order customer street city company page title",
    "the and of is in to for with which what where when who how many much does was were report energy museum river",
    "Monday Tuesday Wednesday January March October kg ml cm EUR USD CHF www.example.com mail@example.org user system",
]


@pytest.fixture(scope="session")
def tokenizer():
    """Byte-level BPE with one token a digit, chat marks and the special tokens, like the one of the base LM."""
    tokenizer = Tokenizer(models.BPE())
    digits, bytes_ = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, bytes_])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=480, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS * 4, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    fast.add_tokens(["<|im_start|>", "<|im_end|>", *SPECIAL_TOKENS], special_tokens=True)
    return fast


@pytest.fixture(scope="session")
def protocol(tokenizer):
    return Protocol(tokenizer)


@pytest.fixture
def tiny_lm(tokenizer):
    """A random Llama whose logits differ clearly from token to token."""
    return random_lm(len(tokenizer))


@pytest.fixture
def tiny_model(tiny_lm, tokenizer):
    model = P2GModel(P2GConfig(text_config=tiny_lm.config), language_model=tiny_lm).eval()
    model.add_special_tokens(tokenizer)
    return model


@pytest.fixture(scope="session")
def make_tiny():
    """Builds a random P2GModel of 16 patches (4 x 4 of 7 pixels) whose logits show which picture it saw."""

    def make(vision=None, **settings):
        torch.manual_seed(0)
        ids = {"answer_token_id": 60, "call_token_id": 61, "region_token_id": 62, "image_token_id": 63}
        small = {"resampler_heads": 2, "resampler_head_dim": 8, "resampler_latents": 3, "roi_cells": 2}
        model = P2GModel(P2GConfig(tiny_text(), vision or tiny_vision(), **ids, **{**small, **settings})).eval()
        for parameter in model.parameters():
            parameter.data.mul_(3) if parameter.ndim > 1 else None
        return model

    return make
