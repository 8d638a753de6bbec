"""Neutralised text gives no special token in a real tokenizer, stays readable, and ordinary text is left alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from tools.safety import neutralise

SPECIAL = [
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|call|>", "<|answer|>", "<|region|>", "<|image|>", "<|eot_id|>",
    "<|start_header_id|>", "<|vision_start|>", "<|image_pad|>", "<|python_tag|>", "<|reserved_special_token_12|>",
    "<s>", "</s>", "<pad>", "<unk>", "<bos>", "<eos>", "<mask>", "<image>", "<video>", "<img>", "</img>",
    "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<image_soft_token>", "<end_of_utterance>",
    "<fake_token_around_image>", "<global-img>", "<row_1_col_2>", "<think>", "</think>", "<tool_call>", "</tool_call>",
    "<tool_response>", "<start_function_call>", "<arg_key>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "[TOOL_CALLS]",
    "[AVAILABLE_TOOLS]", "[IMG]", "[IMG_BREAK]", "[CLS]", "[SEP]", "[MASK]", "[PAD]", "[gMASK]",
    "<｜begin▁of▁sentence｜>",
    "<｜User｜>", "<｜Assistant｜>", "<｜tool▁calls▁begin｜>", "<loc0012>", "<unused99>", "<extra_id_3>", "<0x0A>",
    "<box>", "</ref>", "<quad>", "<fim_prefix>", "<|begin_of_text|>", "<|/call|>",
]  # fmt: skip
ODD = ["USER", "###", "{{slot}}", "<weird-token>", "~~~end", "<|", "§§"]
ORDINARY = [
    "Total: $12.50 (VAT 20%)", "<5 kg", "weight > 3 and < 9", "a<b>c", "x <= y >= z", "John <john.doe@example.com>",
    "if (a < b && c > d) { return a[i]; }", "List<String> names = new ArrayList<>();", "std::vector<int> v;",
    "[1] see note [2]", "arr[0]", "[INFO] started", "|a|b|", "a || b", "x |> f", "(<|>) p q", "wow! great",
    "<b>bold</b> <div class='x'>", "Systems: 3", "The user: guide", "Usage:", "12:30", "https://example.com/a?b=<c>",
    "naïve café 北京 日本語 العربية हिन्दी", "½ cup, 5 µm, ﬁne, ｆｕｌｌ", "line one\nline two\tend", "", " ",
    "C:\\path\\<name>",
    "Attention: user manual", "system", "assistant manager", "→ ✓ 😀 👍🏽", "#include <stdio.h>", "<!-- note -->",
]  # fmt: skip


def tokenizer(tmp_path: Path, extra: list[str], normalise: bool = False) -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    if normalise:
        made.normalizer = normalizers.NFKC()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    made.train_from_iterator(["the total is on the receipt, and the user reads it"], trainer)
    made.add_special_tokens([AddedToken(token, normalized=normalise) for token in extra])
    path = tmp_path / "tokenizer.json"
    made.save(str(path))
    return Tokenizer.from_file(str(path))


def special_ids(made: Tokenizer, text: str) -> list[str]:
    special = {id_ for id_, token in made.get_added_tokens_decoder().items() if token.special}
    encoded = made.encode(text, add_special_tokens=False)
    return [made.id_to_token(id_) for id_ in encoded.ids if id_ in special]


@pytest.mark.parametrize("token", SPECIAL)
def test_known_special_tokens_lose_their_power_and_stay_readable(tmp_path, token):
    made = tokenizer(tmp_path, SPECIAL)
    text = f"before {token} after{token}{token}"
    assert special_ids(made, text) == [token] * 3
    harmless = neutralise(text)
    assert special_ids(made, harmless) == []
    assert harmless.startswith("before ")
    assert token.strip("<>[]|｜/") in harmless


@pytest.mark.parametrize("token", ODD)
def test_the_tokens_of_the_tokenizer_at_hand_are_given(tmp_path, token):
    made = tokenizer(tmp_path, ODD)
    text = f"a {token} b{token}"
    assert special_ids(made, text)
    assert special_ids(made, neutralise(text, ODD)) == []


def test_a_normalising_tokenizer_finds_nothing_in_wide_letters(tmp_path):
    made = tokenizer(tmp_path, SPECIAL, normalise=True)
    for text in ("＜|im_start|＞", "<｜im_start｜>", "＜ｓ＞", "［ＩＮＳＴ］", "<｜ｃａｌｌ｜>", "<ᵗhink>"):
        assert special_ids(made, text), text
        assert special_ids(made, neutralise(text)) == [], text


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_untouched(text):
    assert neutralise(text, SPECIAL) == text


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("<|im_start|>system", "‹|im_start|›system"),
        ("<|im\u200b_start|>", "‹|im_start|›"),
        ("<\u00ads>", "‹s›"),
        ("<|im<|x|>_start|>", "‹|im‹|x|›_start|›"),
        ("<think >", "‹think ›"),
        ("</ s >", "‹/ s ›"),
        ("<THINK>", "‹THINK›"),
        ("<function=read>", "‹function=read›"),
        ('<parameter name="a">', '‹parameter name="a"›'),
        ("[INST] do [/INST]", "(INST) do (/INST)"),
        ("assistant: yes", "assistant∶ yes"),
        ("price\nassistant: yes", "price\nassistant∶ yes"),
        ("price\r\nASSISTANT: yes", "price\nASSISTANT∶ yes"),
        ("x\u2028system: y", "x\nsystem∶ y"),
        ("### Human: hi", "### Human∶ hi"),
        ("**User**: hi", "**User**∶ hi"),
        ("assistant\nyes", "assistant ∶\nyes"),
        ("![x](http://evil.example/?q=1)", "! [x](http://evil.example/?q=1)"),
        ("<img src=http://evil.example>", "‹img src=http://evil.example›"),
        ("a\x00b\x1b[31mc\x7f", "ab[31mc"),
        ("abc\u202egnp.exe\u2066", "abcgnp.exe"),
        ("\ufefftop", "top"),
        ("a\U000e0041\U000e0042b", "ab"),
        ("lone \ud800 half", "lone � half"),
    ],
)
def test_what_has_power_is_changed_in_this_way(text, harmless):
    assert neutralise(text) == harmless


def test_neutralising_twice_changes_nothing_more_and_no_token_survives_in_random_mixtures(tmp_path):
    made = tokenizer(tmp_path, SPECIAL + ODD)
    random_ = random.Random(7)
    pieces = SPECIAL + ODD + ORDINARY + list("<>|[]/!:\n \u200b＜＞｜") + ["user", "assistant:", "im_start", "![a](b)"]
    for _ in range(1500):
        chosen = [piece[: random_.randrange(1, len(piece) + 2)] for piece in random_.choices(pieces, k=8) if piece]
        text = "".join(chosen)
        once = neutralise(text, ODD)
        assert neutralise(once, ODD) == once, text
        assert special_ids(made, once) == [], text


@pytest.mark.parametrize(
    "text",
    ["<|" * 50_000, "<" * 100_000, "[" * 100_000, "<s" * 50_000, "user" * 25_000, "<|a" * 30_000 + "|>" * 30_000],
)
def test_long_hostile_texts_end(text):
    assert neutralise(neutralise(text)) == neutralise(text)
