"""A `Tool` is checked when its class is made; a region is always a proper box."""

import threading

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from tools import ExpertError, NoArgs, Region, Tool
from tools.base import BoxArg


class Args(BaseModel):
    model_config = ConfigDict(extra="forbid")
    word: str
    box: BoxArg | None = None


def make(**changes):
    body = {
        "name": "words",
        "description": "Finds words in the picture.",
        "Args": Args,
        "__call__": lambda self, picture, args: [],
        **changes,
    }
    return type("Words", (Tool,), {key: value for key, value in body.items() if value is not None})


def test_a_good_tool_describes_itself():
    schema = make().schema()
    assert schema["name"] == "words"
    assert schema["description"] == "Finds words in the picture."
    assert schema["parameters"]["properties"]["word"]["type"] == "string"
    assert schema["parameters"]["required"] == ["word"]
    assert "prefixItems" not in str(schema)  # tool-calling APIs do not know tuples


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": None}, "name must be"),
        ({"name": "Has Space"}, "'Has Space'"),
        ({"name": "9lives"}, "name must be"),
        ({"name": "x" * 33}, "name must be"),
        ({"name": 5}, "name must be"),
        ({"description": None}, "description must be"),
        ({"description": "short"}, "description must be"),
        ({"description": "x" * 601}, "description must be"),
        ({"Args": dict}, "Args must be a pydantic model"),
        ({"Args": Args(word="x")}, "Args must be a pydantic model"),
        ({"__call__": lambda self, picture: []}, "must take"),
        ({"__call__": lambda self, picture, args, more: []}, "must take"),
    ],
)
def test_a_broken_tool_fails_when_its_class_is_made(changes, words):
    with pytest.raises(TypeError, match=words):
        make(**changes)


def test_abstract_intermediate_classes_are_allowed():
    class Base(Tool):
        pass

    class Ready(Base):
        name = "ready_one"
        description = "A tool made in two steps."

        def __call__(self, picture, args):
            return []

    assert Ready.Args is NoArgs
    assert Ready().unavailable() is None
    with pytest.raises(TypeError):
        Base()


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ({}, "word"),
        ({"word": 3}, "word"),
        ({"word": "a", "box": [1, 2, 3]}, "box"),
        ({"word": "a", "box": [1, 2, 3, "x"]}, "box.3"),
        ({"word": "a", "box": [1, 2, 3, float("nan")]}, "box.3"),
        ({"word": "a", "extra": 1}, "extra"),
    ],
)
def test_wrong_arguments_name_the_field_in_one_line(args, field):
    with pytest.raises(ExpertError) as caught:
        make().parse(args)
    message = str(caught.value)
    assert message.startswith(f"words: {field}: ")
    assert "word, box" in message
    assert "\n" not in message


def test_setup_runs_once_for_many_threads_and_again_after_a_failure():
    counts = []
    tool = make(setup=lambda self: counts.append(1))()
    threads = [threading.Thread(target=tool.ready) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counts) == 1

    def fails_first(self):
        counts.append(1)
        if len(counts) == 2:
            raise ExpertError("words: no weights")

    tool = make(setup=fails_first)()
    with pytest.raises(ExpertError, match="no weights"):
        tool.ready()
    tool.ready()
    tool.ready()
    assert len(counts) == 3


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (0, 5, 9, 5), (9, 0, 1, 5), (0, 0, float("nan"), 5), (1, 2, 3)])
def test_a_region_without_a_proper_box_is_refused(box):
    with pytest.raises(ValidationError):
        Region(box=box)


def test_a_region_is_frozen_and_its_score_a_probability():
    region = Region(box=(0, 0, 1, 1))
    with pytest.raises(ValidationError):
        region.label = "x"
    with pytest.raises(ValidationError):
        Region(box=(0, 0, 1, 1), score=1.2)
    assert Region.model_validate_json(region.model_dump_json()) == region
