"""What controllers write and what becomes of it: forms, repairs, rejections, boxes, limits, and a seeded fuzz."""

from __future__ import annotations

import contextlib
import json
import random
from typing import Literal

import pytest
from pydantic import BaseModel

from agent.calls import MAX_CALLS, ParsedCalls, calls_in, parse_calls
from agent.loose import Reader, Unreadable
from tools.base import Box, Region, Tool

SIZE = (2000, 1500)


class ReadArgs(BaseModel):
    region: Box | None = None


class GroundArgs(BaseModel):
    queries: list[str]
    threshold: float = 0.3


class ZoomArgs(BaseModel):
    box: Box


class SearchArgs(BaseModel):
    query: str
    top: int = 5
    exact: bool = False
    kind: Literal["text", "object"] = "text"


class _Fake(Tool):
    name = "fake_base"
    description = "An expert for the tests of the parser."

    def __call__(self, picture, args) -> list[Region]:
        return []


def expert(expert_name: str, args: type[BaseModel]) -> dict:
    return type(expert_name, (_Fake,), {"name": expert_name, "Args": args}).schema()


SCHEMAS = [
    expert("read", ReadArgs),
    expert("ground", GroundArgs),
    expert("zoom", ZoomArgs),
    expert("search", SearchArgs),
    _Fake.schema(),
]
READ = [("read", {})]
CAR = [("ground", {"queries": ["red car"]})]
CARDOG = [("ground", {"queries": ["red car", "dog"]})]
PART = [("read", {"region": [200.0, 150.0, 1000.0, 750.0]})]
ZOOM = [("zoom", {"box": [200.0, 150.0, 1000.0, 750.0]})]
FIND = [("search", {"query": "total"})]


def parse(text: str) -> list[tuple[str, dict]]:
    return [(call.expert, call.args) for call in parse_calls(text, SCHEMAS, SIZE).calls]


NATIVE = [
    ("read:", READ),
    ("read", READ),
    ("read: ", READ),
    ("Read:", READ),
    ("READ:", READ),
    ("  read:  ", READ),
    ("- read:", READ),
    ("* read", READ),
    ("1. read:", READ),
    ("2) read", READ),
    ("read()", READ),
    ("read({})", READ),
    ("read: {}", READ),
    ("read: null", READ),
    ("read: none", READ),
    ("**read**:", READ),
    ("`read`:", READ),
    ("<|call|>read:", READ),
    ("<|call|>\nread:\n<|im_end|>", READ),
    ("ground: red car", CAR),
    ("ground: red car;", CAR),
    ('ground: "red car"', CAR),
    ("ground: 'red car'", CAR),
    ("ground: “red car”", CAR),
    ("ground: red car; dog", CARDOG),
    ("ground: red car, dog", CARDOG),
    ('ground: ["red car", "dog"]', CARDOG),
    ("ground: ['red car', 'dog']", CARDOG),
    ("ground: ('red car', 'dog')", CARDOG),
    ("ground: [red car, dog]", CARDOG),
    ('ground: {"queries": ["red car", "dog"]}', CARDOG),
    ("ground: {'queries': ['red car', 'dog']}", CARDOG),
    ("ground: {queries: [red car, dog]}", CARDOG),
    ('ground: queries=["red car", "dog"]', CARDOG),
    ("ground: queries=red car", CAR),
    ("ground: queries='red car'", CAR),
    ('ground: queries=["red car"], threshold=0.5', [("ground", {"queries": ["red car"], "threshold": 0.5})]),
    ('ground(queries=["red car"], threshold=0.5)', [("ground", {"queries": ["red car"], "threshold": 0.5})]),
    ('ground("red car")', CAR),
    ('ground(["red car", "dog"])', CARDOG),
    ('ground("red car", "dog")', CARDOG),
    ("ground(red car)", CAR),
    ("ground = red car", CAR),
    ('ground {"queries": ["red car"]}', CAR),
    ('ground:\n{"queries": ["red car"]}', CAR),
    ('ground\n{\n  "queries": [\n    "red car"\n  ]\n}', CAR),
    ("read:\nground: red car", READ + CAR),
    ("read: {}\nzoom: [0.1, 0.1, 0.5, 0.5]", READ + ZOOM),
    ("search: total", FIND),
    ("search: query=total", FIND),
    ("search: query: total", [("search", {"query": "query: total"})]),
    ("search: total; subtotal", [("search", {"query": "total; subtotal"})]),
    ("zoom: 0.1 0.1 0.5 0.5", ZOOM),
    ("zoom: 0.1, 0.1, 0.5, 0.5", ZOOM),
    ("zoom: [0.1,0.1,0.5,0.5]", ZOOM),
    ("zoom: (0.1,0.1,0.5,0.5)", ZOOM),
    ("zoom: x1=0.1, y1=0.1, x2=0.5, y2=0.5", ZOOM),
    ("zoom(0.1, 0.1, 0.5, 0.5)", ZOOM),
    ("zoom(box=[0.1, 0.1, 0.5, 0.5])", ZOOM),
    ("read: [0.1, 0.1, 0.5, 0.5]", PART),
    ("read: region=[0.1, 0.1, 0.5, 0.5]", PART),
    ("fake_base", [("fake_base", {})]),
    ("fake-base:", [("fake_base", {})]),
]
JSON = [
    ('{"name": "read", "arguments": {}}', READ),
    ('{"name": "read"}', READ),
    ('{"name": "read", "arguments": null}', READ),
    ('{"name": "read", "arguments": "{}"}', READ),
    ('{"name": "read", "arguments": ""}', READ),
    ('{"name": "read", "parameters": {}}', READ),
    ('{"tool": "read", "args": {}}', READ),
    ('{"expert": "read"}', READ),
    ('{"action": "read", "action_input": {}}', READ),
    ('{"read": {}}', READ),
    ('{"read": null}', READ),
    ('["read"]', READ),
    ('[{"name": "read", "arguments": {}}]', READ),
    ('{"tool_calls": [{"name": "read", "arguments": {}}]}', READ),
    ('{"tool_calls": [{"id": "1", "type": "function", "function": {"name": "read", "arguments": "{}"}}]}', READ),
    ('{"function_call": {"name": "read", "arguments": "{}"}}', READ),
    ('{"function": "read", "arguments": {}}', READ),
    ('{"name": "functions.read", "arguments": {}}', READ),
    ('{"name": "tools/read", "arguments": {}}', READ),
    ('{"name": "Read", "arguments": {}}', READ),
    ('{"tool_uses": [{"recipient_name": "functions.read", "parameters": {}}]}', READ),
    ('{"name": "ground", "arguments": {"queries": ["red car"]}}', CAR),
    ('{"name": "ground", "queries": ["red car"]}', CAR),
    ('{"name": "ground", "arguments": {"queries": "red car"}}', CAR),
    ('{"name": "ground", "arguments": {"query": "red car"}}', CAR),
    ('{"name": "ground", "arguments": {"Queries": ["red car"]}}', CAR),
    ('{"name": "ground", "arguments": ["red car"]}', CAR),
    ('{"name": "ground", "arguments": "red car"}', CAR),
    ('{"name": "ground", "arguments": "{\\"queries\\": [\\"red car\\"]}"}', CAR),
    ('{"name": "ground", "arguments": {"queries": "[\\"red car\\", \\"dog\\"]"}}', CARDOG),
    ('{"name": "ground", "arguments": {"queries": ["red car",],},}', CAR),
    ("{'name': 'ground', 'arguments': {'queries': ['red car']}}", CAR),
    ("{name: ground, arguments: {queries: [red car]}}", CAR),
    ("{“name”: “ground”, “arguments”: {“queries”: [“red car”]}}", CAR),
    ('{"name": "ground", "arguments": {"queries": ["red car"]}', CAR),
    ('{"name": "ground", "arguments": {"queries": ["red car"', CAR),
    ('{"name": "ground", "arguments": {"queries": ["red car', CAR),
    ('{"name": "ground", "arguments": {"queries": ["red car"]}}}}}', CAR),
    ('{"name": "ground" "arguments": {"queries": ["red car"]}}', CAR),
    ('{"name": "ground",\n // look for the car\n "arguments": {"queries": ["red car"]}}', CAR),
    ('{"name": "ground", # the car\n "arguments": {"queries": ["red car"]}}', CAR),
    ('{"name": "ground", /* the car */ "arguments": {"queries": ["red car"]}}', CAR),
    ('{"name" = "ground", "arguments" => {"queries": ["red car"]}}', CAR),
    ('[{"name": "read"}, {"name": "ground", "arguments": {"queries": ["red car"]}}]', READ + CAR),
    ('{"name": "read"}\n{"name": "ground", "arguments": {"queries": ["red car"]}}', READ + CAR),
    ('{"name": "read"}{"name": "ground", "arguments": {"queries": ["red car"]}}', READ + CAR),
    ('{"name": "read"}, {"name": "ground", "arguments": {"queries": ["red car"]}}', READ + CAR),
    ('{"read": {}, "ground": {"queries": ["red car"]}}', READ + CAR),
    ('["read", "ground: red car"]', READ + CAR),
    ('{"name": "search", "arguments": {"query": "total", "top": "3"}}', [("search", {"query": "total", "top": 3})]),
    ('{"name": "search", "arguments": {"query": "total", "top": 3.0}}', [("search", {"query": "total", "top": 3})]),
    (
        '{"name": "search", "arguments": {"query": "total", "exact": "yes"}}',
        [("search", {"query": "total", "exact": True})],
    ),
    (
        "{'name': 'search', 'arguments': {'query': 'total', 'exact': True}}",
        [("search", {"query": "total", "exact": True})],
    ),
    ('{"name": "search", "arguments": {"query": 42}}', [("search", {"query": "42"})]),
    ('{"name": "search", "arguments": {"query": ["total"]}}', FIND),
    (
        '{"name": "search", "arguments": {"query": "total", "kind": "Object"}}',
        [("search", {"query": "total", "kind": "object"})],
    ),
    ('{"name": "search", "arguments": {"text": "total"}}', FIND),
    ('{"name": "search", "arguments": {"query": "the "best" car"}}', [("search", {"query": 'the "best" car'})]),
    ("{'name': 'search', 'arguments': {'query': 'the dog's tail'}}", [("search", {"query": "the dog's tail"})]),
    ('{"name": "search", "arguments": {"query": "a\\nb \\u00e9"}}', [("search", {"query": "a\nb é"})]),
    ('{"name": "search", "arguments": {"query": """total"""}}', FIND),
]
TAGS = [
    ('<tool_call>{"name": "read", "arguments": {}}</tool_call>', READ),
    ('<tool_call>\n{"name": "read", "arguments": {}}\n</tool_call>', READ),
    ('<tool_call>\n{"name": "read", "arguments": {}}', READ),
    ('{"name": "read", "arguments": {}}\n</tool_call>', READ),
    ('I must read it.\n<tool_call>{"name": "read"}</tool_call> Done.', READ),
    ('I must read it. <tool_call>{"name": "read"}</tool_call>', READ),
    ('<tool_call>{"name": "read"}</tool_call><tool_call>ground: red car</tool_call>', READ + CAR),
    ('<tool_call>\n```json\n{"name": "read"}\n```\n</tool_call>', READ),
    ("<tool_call>read</tool_call>", READ),
    ("<call>read:</call>", READ),
    ('<|tool_call|>[{"name": "read"}]', READ),
    ('<|python_tag|>{"name": "read", "parameters": {}}<|eom_id|>', READ),
    ('[TOOL_CALLS] [{"name": "read", "arguments": {}}]', READ),
    ("[TOOL_CALLS]read[ARGS]{}", READ),
    ("<function=read></function>", READ),
    ("<function=read>{}</function>", READ),
    ('<function=ground>{"queries": ["red car"]}</function>', CAR),
    ('<function=ground>\n<parameter=queries>\n["red car"]\n</parameter>\n</function>', CAR),
    ("<function=ground>\n<parameter=queries>\nred car\n</parameter>\n</function>", CAR),
    ("<tool_call>\n<function=ground>\n<parameter=queries>\nred car\n</parameter>\n</function>\n</tool_call>", CAR),
    ("<function=ground><parameter=queries>red car", CAR),
    ("<function=ground><parameter=queries>red car</function>", CAR),
    ("<function=read></function><function=ground><parameter=queries>red car</parameter></function>", READ + CAR),
    (
        "<function=search><parameter=query>total</parameter><parameter=top>3</parameter></function>",
        [("search", {"query": "total", "top": 3})],
    ),
    ("<function=zoom><parameter=box>[0.1, 0.1, 0.5, 0.5]</parameter></function>", ZOOM),
    ('<invoke name="ground"><parameter name="queries">["red car"]</parameter></invoke>', CAR),
    ('<function_calls>\n<invoke name="read">\n</invoke>\n</function_calls>', READ),
    ('<tool_call>ground\n<arg_key>queries</arg_key>\n<arg_value>["red car"]</arg_value>\n</tool_call>', CAR),
    (
        "<tool_call>ground\n<arg_key>queries</arg_key>\n<arg_value>red car</arg_value>\n</tool_call>\n"
        "<tool_call>read\n</tool_call>",
        CAR + READ,
    ),
    (
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>read\n```json\n{}\n```<｜tool▁call▁end｜>",
        READ,
    ),
    ('<start_function_call>call:ground{queries:["red car"]}<end_function_call>', CAR),
    ('✿FUNCTION✿: ground\n✿ARGS✿: {"queries": ["red car"]}', CAR),
    ('Thought: look\nAction: ground\nAction Input: {"queries": ["red car"]}', CAR),
    ("Action: ground\nAction Input: red car", CAR),
    ("Action: read", READ),
    ("Action: read\nObservation: none", READ),
    ('```json\n{"name": "read"}\n```', READ),
    ('```\n{"name": "read"}\n```', READ),
    ("```python\nread()\n```", READ),
    ("```tool_code\nground(queries=['red car'])\n```", CAR),
    ('~~~\n{"name": "read"}\n~~~', READ),
    ("<think>ground: dog</think>\nground: red car", CAR),
    ('<think>read: or {"name": "zoom"}</think><tool_call>{"name": "read"}</tool_call>', READ),
    ('Sure! Here is the call: {"name": "read"} and that is all.', READ),
]
BOXES = [
    ("[0.1, 0.1, 0.5, 0.5]", [200, 150, 1000, 750]),
    ("[0, 0, 1, 1]", [0, 0, 2000, 1500]),
    ("[0.0, 0.0, 1.02, 1.0]", [0, 0, 2000, 1500]),
    ("[0.5, 0.5, 0.1, 0.1]", [200, 150, 1000, 750]),
    ("[200, 150, 1000, 750]", [200, 150, 1000, 750]),
    ("[1000, 750, 200, 150]", [200, 150, 1000, 750]),
    ("[-50, -50, 100, 100]", [0, 0, 100, 100]),
    ("[1900, 1400, 2050, 1550]", [1900, 1400, 2000, 1500]),
    ("[1900, 1400, 9000, 9000]", [1900, 1400, 2000, 1500]),
    ('["200", "150", "1000", "750"]', [200, 150, 1000, 750]),
    ('"200, 150, 1000, 750"', [200, 150, 1000, 750]),
    ('"[200, 150, 1000, 750]"', [200, 150, 1000, 750]),
    ('"(200,150),(1000,750)"', [200, 150, 1000, 750]),
    ("[[200, 150], [1000, 750]]", [200, 150, 1000, 750]),
    ("[[200, 150, 1000, 750]]", [200, 150, 1000, 750]),
    ("(200, 150, 1000, 750)", [200, 150, 1000, 750]),
    ('{"x1": 200, "y1": 150, "x2": 1000, "y2": 750}', [200, 150, 1000, 750]),
    ('{"xmin": 200, "ymin": 150, "xmax": 1000, "ymax": 750}', [200, 150, 1000, 750]),
    ('{"left": 200, "top": 150, "right": 1000, "bottom": 750}', [200, 150, 1000, 750]),
    ('{"x": 200, "y": 150, "width": 800, "height": 600}', [200, 150, 1000, 750]),
    ('{"x": 0.1, "y": 0.1, "w": 0.4, "h": 0.4}', [200, 150, 1000, 750]),
    ('["10%", "10%", "50%", "50%"]', [200, 150, 1000, 750]),
    ('"200px 150px 1000px 750px"', [200, 150, 1000, 750]),
]
BAD_BOXES = [
    "[1, 2, 3]", "[1, 2, 3, 4, 5]", '"here"', "[0.5, 0.5, 0.5, 0.9]", "[300, 300, 300, 300]",
    "[3000, 3000, 4000, 4000]", "[null, 1, 2, 3]", "[true, 1, 2, 3]", '["a", "b", "c", "d"]', "{}", "12",
    "[1e400, 0, 1, 1]", "[NaN, 0, 1, 1]", '{"x1": 1}',
]  # fmt: skip
REJECTED = [
    ('{"name": "ground", "arguments": {}}', "ground: needs queries"),
    ("ground:", "ground: needs queries"),
    ("zoom", "zoom: needs box"),
    ("zoom: the corner", "zoom: box: must be [x1, y1, x2, y2]"),
    ('{"name": "fly", "arguments": {}}', "there is no expert 'fly'"),
    ("fly: away", "there is no expert 'fly'"),
    ("fly(away)", "there is no expert 'fly'"),
    ("<function=fly></function>", "there is no expert 'fly'"),
    ('{"name": "search", "arguments": {"query": {"a": 1}}}', "search: query: must be a text"),
    ('{"name": "search", "arguments": {"query": ""}}', "search: query: is empty"),
    ('{"name": "search", "arguments": {"query": "x", "top": "many"}}', "search: top: must be a number"),
    ('{"name": "search", "arguments": {"query": "x", "top": 2.5}}', "search: top: must be a whole number"),
    ('{"name": "search", "arguments": {"query": "x", "exact": "maybe"}}', "search: exact: must be true or false"),
    ('{"name": "search", "arguments": {"query": "x", "kind": "smell"}}', "is not one of text, object"),
    ('{"name": "search", "arguments": {"query": "' + "y" * 3000 + '"}}', "longer than 2000"),
    ('search("a", 1, true, "text", 5)', "search: got 5 values"),
]  # fmt: skip
NOTHING = [
    "", " ", "\n\n", "The answer is 42.", "I would like to read it.", "Read the sign: it says stop.", "{}", "[]",
    "[[[[", "}{", "{{{{{{", '"', "'", "```", "<tool_call>", "</tool_call>", "<tool_call></tool_call>", "{name",
    '{"name"',
    '{"name":', '{"name": "', "[1, 2, 3]", "null", "true", "<|call|>", "<|answer|>42", "<think>read:", "(((", ")))",
    "\\", "\x00", "{\"answer\": \"read\"}", "// read:", "<function>", "<function=>", "Zoom", "💥", "￿",
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), [*NATIVE, *JSON, *TAGS])
def test_calls_are_found_in_every_form(text, expected):
    parsed = parse_calls(text, SCHEMAS, SIZE)
    assert [(call.expert, call.args) for call in parsed.calls] == expected
    assert parsed.notes == []


@pytest.mark.parametrize(("box", "expected"), BOXES)
@pytest.mark.parametrize("form", ['{"name": "zoom", "arguments": {"box": BOX}}', "zoom: {'bbox_2d': BOX}", "zoom: BOX"])
def test_boxes_of_any_kind_become_pixels(form, box, expected):
    assert parse(form.replace("BOX", box)) == [("zoom", {"box": expected})]


@pytest.mark.parametrize("box", BAD_BOXES)
def test_boxes_that_mean_nothing_are_rejected_with_a_line(box):
    parsed = parse_calls('{"name": "zoom", "arguments": {"box": ' + box + "}}", SCHEMAS, SIZE)
    assert parsed.calls == []
    assert len(parsed.notes) == 1
    assert parsed.notes[0].startswith("zoom: ")
    assert "\n" not in parsed.notes[0]


@pytest.mark.parametrize(
    ("size", "box", "expected"),
    [
        ((800, 600), [100, 100, 900, 900], [80, 60, 720, 540]),
        ((800, 600), [100, 100, 500, 500], [100, 100, 500, 500]),
        ((800, 600), [100, 100, 820, 590], [100, 100, 800, 590]),
        ((800, 600), [100, 100, 1200, 900], [100, 100, 800, 600]),
        ((4000, 3000), [100, 100, 900, 900], [100, 100, 900, 900]),
        ((2, 2), [0, 0, 1, 1], [0, 0, 2, 2]),
    ],
)
def test_the_unit_of_a_box_follows_the_stated_rule(size, box, expected):
    """Up to 1: fractions; fits the picture: pixels; does not fit but up to 1000: thousandths; beyond: pixels, cut."""
    parsed = parse_calls(json.dumps({"name": "zoom", "arguments": {"box": box}}), SCHEMAS, size)
    assert [call.args for call in parsed.calls] == [{"box": expected}]


@pytest.mark.parametrize(("text", "note"), REJECTED)
def test_what_cannot_be_repaired_is_left_out_and_said(text, note):
    parsed = parse_calls(text, SCHEMAS, SIZE)
    assert parsed.calls == []
    assert len(parsed.notes) == 1
    assert note in parsed.notes[0]
    assert len(parsed.notes[0]) < 200


@pytest.mark.parametrize("text", NOTHING)
def test_texts_without_calls_give_none(text):
    assert parse_calls(text, SCHEMAS, SIZE) == ParsedCalls()


def test_an_unknown_argument_is_ignored_and_said():
    parsed = parse_calls('{"name": "read", "arguments": {"language": "en"}}', SCHEMAS, SIZE)
    assert [call.args for call in parsed.calls] == [{}]
    assert parsed.notes == ["read: language is not an argument and was ignored, it takes region"]


def test_the_same_call_counts_once():
    assert parse('read:\nread: {}\n{"name": "read"}\nground: dog\nground: ["dog"]') == [
        ("read", {}),
        ("ground", {"queries": ["dog"]}),
    ]


def test_one_bad_call_does_not_harm_the_others():
    parsed = parse_calls("zoom: nowhere\nread:\nfly: high\nground: red car", SCHEMAS, SIZE)
    assert [call.expert for call in parsed.calls] == ["read", "ground"]
    assert len(parsed.notes) == 2


def test_there_are_at_most_sixteen_calls():
    parsed = parse_calls("\n".join(f"search: word {number}" for number in range(100)), SCHEMAS, SIZE)
    assert len(parsed.calls) == MAX_CALLS
    assert parsed.calls[-1].args == {"query": "word 15"}
    assert any("at most 16" in note for note in parsed.notes)


def test_text_beyond_the_limit_is_not_read():
    parsed = parse_calls("read:\n" + "x " * 40_000 + "\nground: red car", SCHEMAS, SIZE)
    assert [call.expert for call in parsed.calls] == ["read"]
    assert "65536 characters" in parsed.notes[0]


def test_without_experts_everything_is_unknown():
    assert parse_calls('{"name": "read", "arguments": {}}', [], SIZE).notes == [
        "there is no expert 'read', there are: none"
    ]


def test_code_is_text():
    parsed = parse_calls("search(__import__('os').system('true'))", SCHEMAS, SIZE)
    assert all(isinstance(value, str) for call in parsed.calls for value in call.args.values())


HUGE = [
    "{" * 65_536, "[" * 65_536, '{"a":' * 13_000, '["' * 32_000, "'" * 65_536, '"a' * 32_000, "<tool_call>" * 6_000,
    "<function=read>" * 4_000, "<parameter=a>" * 5_000, "<arg_key>" * 7_000, "read:" * 13_000, "read(" * 13_000,
    "read: [\n" * 8_000, '["aaaa\n' * 9_000, "\\" * 65_536, "{a:" * 20_000, "/*" * 32_000, "//\n" * 20_000,
    "((" * 32_000, "1" * 65_536, "read: " + "9" * 60_000, "-" * 65_536, " " * 65_536, "\n" * 65_536, "a" * 65_536,
    "a:\n" * 20_000,
    '{"name": "search", "arguments": {"query": "' * 1_500, "Action: " * 8_000, "x=" * 30_000, "search: a=1," * 5_000,
    "<|" * 32_000, "```" * 20_000, '{"name":"read"},' * 4_000, "“" * 65_536, "zoom: " + "1 " * 30_000,
]  # fmt: skip


@pytest.mark.parametrize("text", HUGE, ids=[text[:12] for text in HUGE])
def test_huge_input_ends_and_stays_within_the_limits(text):
    parsed = parse_calls(text, SCHEMAS, SIZE)
    assert len(parsed.calls) <= MAX_CALLS
    assert len(parsed.notes) <= 16


def test_the_reader_gives_up_after_a_fixed_number_of_steps_per_character():
    """Without the bound, every line of this text would be read again to its end: 4,000 times 4,000 lines."""
    reader = Reader('["aaaa\\n' * 4000)
    for at in range(0, len(reader.text), 7):
        with contextlib.suppress(Unreadable):
            reader.value(at)
        if reader.steps < 0:
            break
    with pytest.raises(Unreadable, match="too long"):
        reader.value(0)
    assert reader.steps >= -3 * len(reader.text)


def test_random_garbage_never_raises_and_never_yields_an_invalid_call():
    pieces = [text for text, _ in [*NATIVE, *JSON, *TAGS]] + NOTHING
    alphabet = "{}[]()<>\"'`“”,:;=|/\\ \n\t#*-._0123456789eE%readzoomnameargumentsbox\x00é｜▁"
    random_ = random.Random(20240607)
    names = {schema["name"] for schema in SCHEMAS}
    seen = 0
    for _ in range(4000):
        kind = random_.random()
        if kind < 0.3:
            text = "".join(random_.choices(alphabet, k=random_.randrange(120)))
        else:
            text = "".join(random_.choices(pieces, k=random_.randrange(1, 4)))
            for _ in range(random_.randrange(8)):
                at = random_.randrange(len(text) + 1)
                cut = random_.randrange(6) if random_.random() < 0.5 else 0
                text = text[:at] + random_.choice(alphabet) * random_.randrange(3) + text[at + cut :]
        parsed = parse_calls(text, SCHEMAS, SIZE)
        seen += len(parsed.calls)
        for call in parsed.calls:
            assert call.expert in names
            if box := call.args.get("box") or call.args.get("region"):
                assert 0 <= box[0] < box[2] <= SIZE[0]
                assert 0 <= box[1] < box[3] <= SIZE[1]
            json.dumps(call.args, allow_nan=False)
        assert all("\n" not in note and len(note) < 400 for note in parsed.notes)
    assert seen > 1000


def test_decoded_structures_of_any_depth_are_safe():
    deep: list = []
    for _ in range(500):
        deep = [deep]
    assert calls_in(deep, {"read": "read"}) == []


def test_surrogate_pairs_are_one_character_and_halves_are_replaced():
    found = Reader(r'{"a": "\ud83d\ude00 x", "b": "\ud83d"}').value(0)[0]
    assert found == {"a": "\U0001f600 x", "b": "\ufffd"}
