"""Whatever a controller writes: valid calls or notes of one line, in bounded time and memory; nothing is executed."""

from __future__ import annotations

import contextlib
import json
import math
import time
import tracemalloc
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import BaseModel, Field

from agent.calls import MAX_CALLS, MAX_NOTES, ParsedCalls, check_calls, parse_calls
from agent.loose import Reader, Unreadable
from agent.replies import read_answer
from agent.tagged import tagged_calls
from agent.types import View
from tools.base import BoxArg, NoArgs, Region, Tool
from tools.pictures import Picture

SIZE = (640, 480)
QUICK_S, FEW_BYTES = 2.0, 60_000_000
settings.register_profile(
    "hardening",
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)
bounded = settings(settings.get_profile("hardening"), max_examples=200)


class FindArgs(BaseModel):
    objects: list[str] = Field(max_length=16)
    least: float = 0.3
    most: int | None = None
    kind: Literal["any", "largest"] = "any"
    exact: bool = False


class LookArgs(BaseModel):
    box: BoxArg
    parts: list[BoxArg] = Field(default_factory=list)
    how: dict[str, str] | None = None


class _Fake(Tool):
    name, description = "fake_base", "An expert whose arguments have every type."

    def __call__(self, picture, args) -> list[Region]:
        return []


EXPERTS: dict[str, type[Tool]] = {
    name: type(name, (_Fake,), {"name": name, "Args": args})
    for name, args in {"find": FindArgs, "look": LookArgs, "read": NoArgs}.items()
}
SCHEMAS = [expert.schema() for expert in EXPERTS.values()]
PICTURE = Picture.open(Image.new("RGB", SIZE))


def checked(parsed: ParsedCalls) -> None:
    """Every call is of an expert at hand with arguments of its schema's types; every note is a line; all is JSON."""
    assert len(parsed.calls) <= MAX_CALLS
    assert len(parsed.notes) <= MAX_NOTES
    for note in parsed.notes:
        assert "\n" not in note
        assert len(note) < 500
    for call in parsed.calls:
        assert set(call.args) <= set(EXPERTS[call.expert].Args.model_fields)
        for box in [call.args.get("box"), *call.args.get("parts", [])]:
            if box is not None:
                assert 0 <= box[0] < box[2] <= SIZE[0]
                assert 0 <= box[1] < box[3] <= SIZE[1]
        json.dumps(call.args, allow_nan=False)
    assert json.loads(parsed.model_dump_json()) == parsed.model_dump(mode="json")


def quickly(text: str) -> ParsedCalls:
    began = time.process_time()
    parsed = parse_calls(text, SCHEMAS, SIZE)
    assert time.process_time() - began < QUICK_S
    checked(parsed)
    return parsed


texts = st.text(max_size=30) | st.sampled_from(
    [
        "red car",
        "x1",
        "\ud800",
        "ﬁnd",
        "ｒｅａｄ",
        "\u202eread:",
        "re\u200bad:",
        "\0",
        "́",
        "İ",
        "ß",
        "٣",
        "%" * 5000,
        "1%%",
        "__import__('os').system('touch canary')",
        "{{7*7}}",
        "<|im_end|>",
        "1e999",
        "-0",
        "NaN",
        "0x10",
        "1_000",
    ]
)
numbers = st.integers() | st.floats() | st.sampled_from([10**400, -(10**400), 1e308, 1e-320, 2**63])
plain = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
names = st.sampled_from(["find", "look", "read", "Find", "functions.look", "read_tool", "open", ""]) | texts
keys = st.sampled_from(
    ["objects", "box", "bbox", "x1", "y1", "x2", "y2", "least", "most", "kind", "exact", "parts", "how"]
)
calls = st.fixed_dictionaries({"name": names, "arguments": st.dictionaries(keys | texts, values, max_size=5) | values})
FORMS = (
    lambda call: json.dumps(call),
    lambda call: repr(call),
    lambda call: f"<tool_call>{json.dumps(call, ensure_ascii=False)}</tool_call>",
    lambda call: json.dumps({"tool_calls": [{"function": {**call, "arguments": json.dumps(call["arguments"])}}]}),
    lambda call: f"{call['name']}: {call['arguments']}",
    lambda call: f"{call['name']}({', '.join(f'{k}={v!r}' for k, v in dict_of(call['arguments']).items())})",
    lambda call: f"Action: {call['name']}\nAction Input: {json.dumps(call['arguments'])}",
    lambda call: (
        f"<function={call['name']}>"
        + "".join(f"<parameter={k}>{v}</parameter>" for k, v in dict_of(call["arguments"]).items())
    ),
)


def dict_of(value: object) -> dict:
    return value if isinstance(value, dict) else {"box": value}


@bounded
@given(st.lists(calls, min_size=1, max_size=3), st.sampled_from(FORMS), st.data())
def test_calls_in_every_form_with_any_values_and_mutations(made, form, data):
    text = "\n".join(form(call) for call in made)
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 8)))
        text = text[:start] + data.draw(texts | st.sampled_from(list("{}[]()<>\"'`,:;=|\\\n"))) + text[end:]
    quickly(text)


@bounded
@given(st.lists(st.tuples(names, values), max_size=4))
def test_calls_as_an_api_decodes_them(found):
    found = json.loads(json.dumps(found).replace("\\ud800", "?"))  # the HTTP client mends halves of pairs
    checked(check_calls(found, SCHEMAS, SIZE))


@bounded
@given(st.text(alphabet="{}[]()<>\"'`“”,:;=|/\\ \n#*-.019eErndfilokbx%\0é｜", max_size=200))
def test_the_reader_returns_or_says_unreadable(text):
    reader = Reader(text)
    for at in (0, len(text) // 2):
        for read in (reader.value, reader.arguments):
            with contextlib.suppress(Unreadable):
                assert at <= read(at)[-1] <= len(text) + 1
    rest, found = tagged_calls(text)
    assert all(0 <= start <= len(text) for start, _ in found)
    assert len(rest) <= 2 * len(text) + 2


@bounded
@given(
    st.text(max_size=60) | st.sampled_from(["The answer is (B).", "\\boxed{A}", "<think>A", "B" * 9]),
    st.lists(st.text(max_size=12), min_size=1, max_size=30),
)
def test_a_reply_chooses_one_of_the_options_or_none(text, options):
    view = View(picture=PICTURE, question="Which?", options=options)
    view.regions = [Region(box=(0, 0, 1, 1), text=option) for option in options[:3]]
    answer = read_answer(text, view)
    assert answer.choice is None or (0 <= answer.choice < len(options) and answer.text == options[answer.choice])


DEEP: list = []
for _ in range(900):
    DEEP = [DEEP]
NESTED: dict = {}
for _ in range(900):
    NESTED = {"box": NESTED}


@pytest.mark.parametrize(
    "raw", [DEEP, NESTED, {"box": DEEP}, {"objects": NESTED}, {"objects": [DEEP]}, {"how": NESTED}], ids=list("abcdef")
)
@pytest.mark.parametrize("name", ["find", "look", "read"])
def test_arguments_nested_as_deeply_as_json_allows(name, raw):
    checked(check_calls([(name, raw)], SCHEMAS, SIZE))


@pytest.mark.parametrize(
    "number", [10**4000, -(10**4000), math.nan, math.inf, 1e308], ids=["huge", "low", "nan", "inf", "top"]
)
def test_numbers_of_any_size(number):
    for args in (
        {"objects": number},
        {"objects": ["x"], "least": number},
        {"box": [0, 0, number, 1]},
        {"exact": number},
        {"objects": ["x"], "most": number, "kind": number},
        number,
        [number] * 4,
        {str(1): number},
    ):
        for name in EXPERTS:
            checked(check_calls([(name, args)], SCHEMAS, SIZE))


MEGABYTE = [
    "a" * 10**6,
    "é" * 10**6,
    "{" * 10**6,
    '{"name":"read",' * 70_000,
    "find: " + "car; " * 200_000,
    "look: [" + "1," * 500_000,
    "<function=find><parameter=objects>" + "x" * 10**6,
    "<invoke name='" * 80_000,
    "<arg_key>" * 110_000,
    "<think>" * 140_000 + "</think>" * 1000,
    "\\" * 10**6,
    "find: " + "\\u0041" * 160_000,
    "İ" * 10**6,
    "\u0301" * 10**6,
    "look: " + "%" * 10**6,
    'look: ["1' + "%" * 60_000 + '",1,2,3]',
    "look(x1=" * 120_000,
    "find: '" + "a' " * 300_000,
    "Action: find\nAction Input: " * 40_000,
    "/*" * 500_000,
    "find: {objects: " + "[" * 10**6,
    "look: x=" + "[[" * 500_000,
    "\n".join(f"find: car {number}" for number in range(60_000)),
    "look: " + "xmin" * 200_000,
    "- " * 500_000 + "read:",
]


@pytest.mark.parametrize("text", MEGABYTE, ids=[ascii(text[:16]) for text in MEGABYTE])
def test_a_megabyte_takes_bounded_time_and_memory(text):
    quickly(text)
    tracemalloc.start()
    try:
        parse_calls(text, SCHEMAS, SIZE)
        assert tracemalloc.get_traced_memory()[1] < FEW_BYTES
    finally:
        tracemalloc.stop()


PROGRAMS = [
    "__import__('pathlib').Path('canary').touch()",
    "open('canary', 'w')",
    "().__class__.__base__.__subclasses__()",
    "find(objects=[open('canary','w').name])",
    "look(box=__import__('os').system('touch canary'))",
    "read(); import os; os.system('touch canary')",
    "find: $(touch canary)",
    "find: `touch canary`",
    "find: ; touch canary",
    "!!python/object/apply:os.system ['touch canary']",
    '{"name": "find", "arguments": {"__class__": "open", "objects": 1}}',
    "find: {'objects': [f'{open(\"canary\", \"w\")}']}",
    "find: {{config.__class__}} {%% import os %%}",
    "cos\nsystem\n(S'touch canary'",
    "exec: open('canary','w')",
    "lambda: open('canary','w')",
    "find: [x for x in [open('canary','w')]]",
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_are_words(tmp_path, monkeypatch, program):
    monkeypatch.chdir(tmp_path)
    for form in (
        "{}",
        "<tool_call>{}</tool_call>",
        "```python\n{}\n```",
        "find: {}",
        "<function=find><parameter=objects>{}",
    ):
        quickly(form.replace("{}", program))
    checked(check_calls([("find", program), ("find", {"objects": [program]}), (program, {})], SCHEMAS, SIZE))
    assert list(tmp_path.iterdir()) == []
