"""The reader of the P²GB format: what it takes, and the one line it says when a folder is wrong."""

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

from evaluation.benchmarks.format import Question, read_questions
from tools.errors import UsageError


def write(folder: Path, *changes: dict) -> Path:
    """A folder with a 40x30 picture and one question for each dict of changes; None removes a field."""
    Image.new("RGB", (40, 30), "white").save(folder / "a.png")
    lines = []
    for number, change in enumerate(changes, start=1):
        row = {
            "id": f"a-{number}",
            "image": "a.png",
            "image_sha256": hashlib.sha256((folder / "a.png").read_bytes()).hexdigest(),
            "question": "Which colour?",
            "answer": "white",
            "options": ["red", "white"],
            "evidence": [[0, 0, 40, 30]],
            "track": "object",
            "needs_experts": False,
            "split": "test",
        } | change
        lines.append(json.dumps({key: value for key, value in row.items() if value is not None}))
    (folder / "questions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_reads_questions_in_order_and_knows_where_the_picture_is(tmp_path):
    questions = read_questions(write(tmp_path, {}, {"evidence": [], "options": None}))
    assert [question.id for question in questions] == ["a-1", "a-2"]
    assert questions[0].path == tmp_path / "a.png"
    assert questions[0].evidence == [(0, 0, 40, 30)]
    assert questions[1].options == []


def test_blank_lines_are_skipped_and_still_counted(tmp_path):
    file = write(tmp_path, {}, {"track": "smell"}) / "questions.jsonl"
    file.write_text("\n" + file.read_text())
    with pytest.raises(UsageError, match=r"questions\.jsonl:3: track: "):
        read_questions(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image": "b.png"}, "'b.png' is missing"),
        ({"image": "../a.png"}, "outside the folder"),
        ({"image_sha256": "0" * 64}, "'a.png' has changed"),
        ({"image_sha256": "abc"}, "image_sha256: "),
        ({"options": ["red", "blue"]}, "'white' must be exactly once among the options"),
        ({"options": ["white", "White"]}, "two options are the same"),
        ({"options": ["white"]}, "one option is no choice"),
        ({"evidence": [[0, 0, 41, 30]]}, "leaves the picture of 40x30"),
        ({"evidence": [[-1, 0, 10, 10]]}, "must have 0 <= x1"),
        ({"evidence": [[5, 5, 5, 9]]}, "x1 < x2"),
        ({"evidence": [[0, 0, 1]]}, "evidence.0"),
        ({"question": "  "}, "question: "),
        ({"answer": None}, "answer: Field required"),
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"id": "a-1"}, "used before, in line 1"),
    ],
)
def test_a_wrong_line_is_named_with_its_number_and_reason(tmp_path, change, reason):
    write(tmp_path, {}, change)
    with pytest.raises(UsageError) as caught:
        read_questions(tmp_path)
    message = str(caught.value)
    assert "questions.jsonl:2: " in message
    assert reason in message
    assert "\n" not in message


def test_a_line_that_is_not_json_and_a_picture_that_is_none_are_named(tmp_path):
    file = write(tmp_path, {}) / "questions.jsonl"
    line = file.read_text()
    file.write_text("{not json\n")
    with pytest.raises(UsageError, match=r":1: not JSON"):
        read_questions(tmp_path)
    file.write_text(line)
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(UsageError, match=r":1: image: 'a.png' cannot be opened"):
        read_questions(tmp_path)


def test_a_folder_without_questions_says_so(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        read_questions(tmp_path)
    (tmp_path / "questions.jsonl").write_text("\n")
    with pytest.raises(UsageError, match="holds no question"):
        read_questions(tmp_path)


def test_boxes_are_checked_against_the_picture_as_it_is_shown(tmp_path):
    """A camera picture stored on its side is 30 wide and 40 high once turned."""
    write(tmp_path, {"evidence": [[0, 0, 30, 40]]})
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30), "white").save(tmp_path / "a.png", exif=exif)
    digest = hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest()
    row = json.loads((tmp_path / "questions.jsonl").read_text()) | {"image_sha256": digest}
    (tmp_path / "questions.jsonl").write_text(json.dumps(row))
    assert read_questions(tmp_path)[0].evidence == [(0, 0, 30, 40)]


def test_every_field_of_the_format_is_documented():
    for name, schema in Question.model_json_schema()["properties"].items():
        assert schema.get("description"), name


def test_a_picture_as_large_as_the_agent_takes_is_taken_here(tmp_path, monkeypatch):
    write(tmp_path, {})
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert len(read_questions(tmp_path)) == 1
