"""The native protocol: what the text path is told stays token for token; pictures and regions stand at their places."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from policies.base_lm import base_lm_path, base_lm_ready
from policies.config import SPECIAL_TOKENS
from policies.data.page import Line
from policies.text.protocol import MAX_LABEL, Protocol, RegionLine
from policies.text.rows import to_rows

EXPERTS = [("read", "reads the text"), ("zoom", "looks closer")]
LINES = [
    Line("Invoice 2041", (10, 10, 110, 30)),
    Line("Total", (10, 50, 60, 70)),
    Line("55.20", (200, 50, 260, 70)),
    Line("left out", (10, 90, 100, 110)),
    Line("Bern", (10, 130, 60, 150)),
]
ROWS = to_rows(LINES, (400, 200))
SHOWN = [0, 1, 3]
CAR, DOG = RegionLine("red car", (0.1, 0.25, 0.5, 1.0)), RegionLine("dog")
SYSTEM = "<|im_start|>system\nYou answer questions about an image"
ANSWER = f"{SYSTEM} from the text that was read in it.<|im_end|>\n<|im_start|>user\n"
READ = "Rows of the image, y and @x in hundredths:\n10 @15 Invoice 2041\n30 @15 Total @57 55.20\n...\n70 @15 Bern\n"
MISSING = "dog: not found\n"
FOUND = f"Regions:\nred car <|region|> at [0.100,0.250,0.500,1.000]\n{MISSING}Numbers: red car 1\n"
DECIDE = (
    f"{SYSTEM}. Call an expert when the answer must be looked up in the image.\nExperts:\nread: reads the text\n"
    "zoom: looks closer\n<|im_end|>\n<|im_start|>user\n"
)

# fmt: off
DECIDE_IDS = [
    1, 9690, 198, 2683, 2988, 2029, 563, 354, 2443, 30, 9472, 354, 4507, 645, 260, 2988, 1251, 325, 5328, 614, 281, 260,
    2443, 30, 198, 31340, 42, 198, 1040, 42, 12927, 260, 1694, 198, 38458, 42, 5117, 5567, 198, 2, 198, 1, 4093, 198,
    9268, 282, 216, 38, 36, 32, 104, 36, 40, 32, 17218, 30, 198,
]
CONTEXT_IDS = [
    1, 9690, 198, 2683, 2988, 2029, 563, 354, 2443, 429, 260, 1694, 338, 436, 1012, 281, 357, 30, 2, 198, 1, 4093, 198,
    66, 2750, 282, 260, 2443, 28, 329, 284, 3394, 104, 281, 3822, 1856, 42, 198, 33, 32, 3394, 33, 37, 6484, 9628, 216,
    34, 32, 36, 33, 198, 35, 32, 3394, 33, 37, 16046, 3394, 37, 39, 216, 37, 37, 30, 34, 32, 198, 2026, 198, 39, 32,
    3394, 33, 37, 11676, 198,
]
CELLS = [
    (0, 43, [6484, 9628, 216, 34, 32, 36, 33]), (1, 56, [16046]), (2, 60, [216, 37, 37, 30, 34, 32]), (4, 74, [11676]),
]
QUESTION_IDS = [
    17872, 42, 1073, 1083, 47, 198, 23084, 42, 216, 37, 37, 30, 34, 32, 43, 441, 281, 260, 2443, 2, 198, 1, 520, 9531,
    198,
]
# fmt: on


@pytest.fixture(scope="module")
def shipped():
    """The protocol with the tokenizer of the base LM, for which the shipped weights were trained."""
    home = Path(os.environ.get("P2G_HOME") or "~/.cache/p2g").expanduser()
    if not base_lm_ready(home):
        pytest.skip("the base language model is not here: run `p2g weights fetch`")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base_lm_path(home))
    tokenizer.add_tokens(list(SPECIAL_TOKENS), special_tokens=True)
    return Protocol(tokenizer)


def test_prompts_of_the_text_path_have_the_token_ids_that_the_shipped_weights_know(shipped):
    context = shipped.context(ROWS, SHOWN)
    assert shipped.decide_prefix(EXPERTS, (640, 480)) == DECIDE_IDS
    assert (context.ids, context.cells) == (CONTEXT_IDS, CELLS)
    assert shipped.question("How much?", ["55.20", "not in the image"]) == QUESTION_IDS


def test_prompts_of_the_text_path_read_as_they_always_did(protocol):
    decode = protocol.tokenizer.decode
    assert decode(protocol.decide_prefix(EXPERTS, (640, 480))) == f"{DECIDE}Image of 640x480 pixels.\n"
    assert decode(protocol.context(ROWS, SHOWN).ids) == ANSWER + READ


def test_the_picture_comes_first_then_regions_then_rows(protocol):
    decode = protocol.tokenizer.decode
    seen = protocol.decide_prefix(EXPERTS, (640, 480), image=True)
    assert decode(seen) == f"{DECIDE}<image>\nImage of 640x480 pixels.\n"
    context = protocol.context(ROWS, SHOWN, [CAR, DOG], image=True)
    assert decode(context.ids) == f"{ANSWER}<image>\n{FOUND}{READ}"
    assert (context.ids.count(protocol.image_id), context.ids.count(protocol.region_id)) == (1, 1)
    assert decode(protocol.context([], [], [CAR], image=True).ids) == f"{ANSWER}<image>\n{FOUND.replace(MISSING, '')}"
    assert decode(protocol.context(ROWS, SHOWN, image=True).ids) == f"{ANSWER}<image>\n{READ}"


def test_cells_stand_where_the_context_says_also_after_regions(protocol):
    for context in (
        protocol.context(ROWS, SHOWN),
        protocol.context(ROWS, SHOWN, [CAR, DOG], image=True),
        protocol.focus_turn(ROWS, SHOWN, [CAR]),
    ):
        assert [line for line, _, _ in context.cells] == [0, 1, 2, 4]
        for _, start, ids in context.cells:
            assert context.ids[start : start + len(ids)] == ids


def test_the_appended_focus_turn_continues_the_call_as_one_text_would(protocol):
    """Piece by piece the same ids as the whole conversation encoded at once, so that training and use agree."""
    call = protocol.call_turn("ground: red car; dog\nread:")
    turn = protocol.focus_turn([], [], [CAR, DOG])
    text = f"<|call|>ground: red car; dog\nread:<|im_end|>\n<|im_start|>user\n{FOUND}"
    assert protocol.tokenizer.decode([*call, *turn.ids]) == text
    assert call[0] == protocol.call_id
    assert call[-1] == protocol.end_id


@pytest.mark.parametrize(
    ("region", "line"),
    [
        (RegionLine(" two\n lines ", (0, 0, 1, 1)), "two lines <|region|> at [0.000,0.000,1.000,1.000]\n"),
        (RegionLine("", (-0.2, 0.12345, 0.5, 1.2)), "region <|region|> at [0.000,0.123,0.500,1.000]\n"),
        (RegionLine("x" * 500), f"{'x' * MAX_LABEL}: not found\n"),
    ],
)
def test_a_region_is_one_line(protocol, region, line):
    ids = protocol.region_line(region)
    assert protocol.tokenizer.decode(ids) == line
    assert ids.count(protocol.region_id) == ("<|region|>" in line)
