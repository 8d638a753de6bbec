"""`p2g ask-many`: the real command and graph; killed, resumed, fed with bad rows."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from agent import Agent
from agent.cli import main
from agent.many_rows import read_rows
from tests.agent.many_fakes import agent_of
from tools.errors import UsageError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name, colour in (("red", (200, 10, 20)), ("blue", (0, 0, 250))):
        Image.new("RGB", (32, 24), colour).save(tmp_path / f"{name}.png")
    return tmp_path


@pytest.fixture
def p2g(place, monkeypatch, capsys):
    """Runs a command line with the known agent; (exit code, stdout, stderr)."""
    agent = agent_of(place / "log")
    monkeypatch.setattr(Agent, "load", classmethod(lambda cls, profile, **how: agent))

    def run(*args: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(arg) for arg in args])
        return (ended.value.code or 0, *capsys.readouterr())

    run.controller = agent.controller
    return run


def jsonl(path: Path, rows: list) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def many(place: Path, count: int) -> Path:
    rows = [{"image": f"{'red' if n % 2 else 'blue'}.png", "question": f"colour of wall {n}?"} for n in range(count)]
    return jsonl(place / "questions.jsonl", rows)


def test_answers_come_in_the_order_of_the_input_with_decision_and_evidence(place, p2g):
    code, out, err = p2g("ask-many", many(place, 6))
    assert code == 0
    assert out.strip() == str(place / "questions.answers.jsonl")
    assert "6 of 6 rows" in err
    rows = lines(Path(out.strip()))
    assert [row["question"] for row in rows] == [f"colour of wall {n}?" for n in range(6)]
    assert [row["answer"] for row in rows[:2]] == ["rgb 0 0 250", "rgb 200 10 20"]
    assert rows[0]["calls"] == ["middle"]
    assert rows[0]["p_call"] == 0.9
    assert rows[0]["evidence"][0]["box"] == [0, 0, 32, 24]
    assert rows[0]["error"] is None


def start(log: Path, delay: float, *args: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.agent.many_fakes", str(log), str(delay), *map(str, args)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for(path: Path, count: int, process: subprocess.Popen) -> None:
    end = time.monotonic() + 60
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < end, "the run does not get on"
        time.sleep(0.01)


def test_killed_in_the_middle_it_goes_on_and_ends_the_same(place, p2g):
    source, log = many(place, 60), place / "killed.log"
    rows = place / "killed.jsonl.run" / "rows.jsonl"
    process = start(log, 0.03, "ask-many", source, "--out", place / "killed.jsonl", "--workers", 2)
    wait_for(rows, 10, process)
    process.kill()
    process.wait()
    assert not (place / "killed.jsonl").exists()
    with rows.open("ab") as file:
        file.write(b'{"key": "torn')  # as if the power had gone while writing
    kept = rows.read_bytes().count(b"\n")
    assert 10 <= kept < 60
    code, _, err = p2g("ask-many", source, "--out", place / "killed.jsonl")
    assert code == 0
    assert f"60 questions, {kept} of them answered already" in err
    assert p2g("ask-many", source, "--out", place / "whole.jsonl")[0] == 0
    assert (place / "killed.jsonl").read_bytes() == (place / "whole.jsonl").read_bytes()
    again = log.read_text().splitlines()
    asked = (place / "log").read_text().splitlines()[: 60 - kept]
    assert set(again) | set(asked) == {f"colour of wall {n}?" for n in range(60)}
    assert len(set(again) & set(asked)) <= 2, "only what was in flight is asked again"


def test_ctrl_c_keeps_what_is_there_and_says_how_to_go_on(place):
    source = many(place, 60)
    process = start(place / "log", 0.03, "ask-many", source)
    wait_for(place / "questions.answers.jsonl.run" / "rows.jsonl", 3, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"of 60 answers are kept; the same command goes on" in err


def test_bad_rows_say_why_and_the_others_are_answered(place, p2g):
    source = jsonl(
        place / "mixed.jsonl",
        [
            {"image": "red.png", "question": "colour?", "id": "good"},
            {"image": "gone.png", "question": "colour?"},
            "this is no JSON",
            ["red.png", "colour?"],
            {"image": "red.png"},
            {"question": "colour?"},
            {"image": "red.png", "question": "colour?", "mode": "sometimes"},
            {"image": "red.png", "question": "colour?", "options": ["red"]},
            {"image": "red.png", "question": "colour?", "imgae": "x"},
            {"image": "mixed.jsonl", "question": "colour?"},
            {"image": "red.png", "question": "crash?"},
            {"image": "http://example.org/a.png", "question": "colour?"},
            {"image": "blue.png", "question": "colour?", "id": "good"},
        ],
    )
    code, out, err = p2g("ask-many", source)
    assert code == 0
    rows = lines(Path(out.strip()))
    said = [row["error"] for row in rows]
    assert said[0] is None
    assert said[-1] is None, "the same id twice is no reason to lose a row"
    assert rows[-1]["answer"] == "rgb 0 0 250"
    for error, words in zip(
        said[1:-1],
        ["does not exist", "line 3 is no JSON", "no object", "question is missing", "image is missing", "sometimes",
         "2 to 26 options", "'imgae'", "not a picture", "the controller broke", ""], strict=True,
    ):  # fmt: skip
        assert error
        assert words in error
    assert "11 of 13 rows have an error" in err


def test_errors_are_asked_again_only_when_told_to(place, p2g):
    source = jsonl(place / "q.jsonl", [{"image": "later.png", "question": "colour?"}])
    p2g("ask-many", source)
    Image.new("RGB", (8, 8), (1, 2, 3)).save(place / "later.png")
    p2g("ask-many", source)
    assert "does not exist" in lines(place / "q.answers.jsonl")[0]["error"]
    p2g("ask-many", source, "--retry-errors")
    assert lines(place / "q.answers.jsonl")[0]["answer"] == "rgb 1 2 3"


def test_csv_with_quotes_commas_line_breaks_and_a_byte_order_mark(place, p2g):
    source = place / "q.csv"
    with source.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "Question", "image", "options", "mode"])
        writer.writerow(["a", 'Is it "red", or\nanother colour?', "red.png", "", ""])
        writer.writerow(["b", "Which?", "red.png", "red; green ;blue", "direct"])
    code, out, _ = p2g("ask-many", source)
    assert code == 0
    first, second = lines(Path(out.strip()))
    assert (first["id"], first["question"], first["options"]) == ("a", 'Is it "red", or\nanother colour?', None)
    assert first["answer"] == "rgb 200 10 20"
    assert (second["id"], second["mode"], second["options"]) == ("b", "direct", ["red", "green", "blue"])
    assert second["error"] is None


def test_a_csv_row_with_too_many_cells_is_told_apart_from_its_neighbours(place):
    (place / "q.csv").write_text("image,question\nred.png,what, else?\nred.png,colour?\n")
    first, second = read_rows(place / "q.csv")
    assert "line 2 has 3 cells for 2 columns" in first.error
    assert second.error is None


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("q.csv", "image,question,colour\nred.png,a,b\n", "unknown column 'colour'; the columns are image, question"),
        ("q.csv", "image,question,image\nred.png,a,b\n", "'image' is there twice"),
        ("q.csv", "", "the first line must name the columns"),
        ("q.csv", "image,question\n", "has no question"),
        ("q.jsonl", "\n\n", "has no question"),
        ("q.txt", "red.png", "must end in .jsonl or .csv"),
    ],
)
def test_input_that_cannot_be_used_is_one_line(place, p2g, name, text, said):
    (place / name).write_text(text)
    code, out, err = p2g("ask-many", place / name)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_csv_in_another_encoding_is_named(place):
    (place / "q.csv").write_bytes("image,question\nred.png,grün?\n".encode("latin-1"))
    with pytest.raises(UsageError, match="no UTF-8"):
        read_rows(place / "q.csv")


def test_a_folder_is_asked_one_question(place, p2g):
    (place / "in" / "deep").mkdir(parents=True)
    os.replace(place / "red.png", place / "in" / "b.PNG")
    os.replace(place / "blue.png", place / "in" / "deep" / "a.png")
    (place / "in" / "notes.txt").write_text("no picture")
    code, out, _ = p2g("ask-many", place / "in", "--question", "colour?")
    assert code == 0
    assert out.strip() == str(place / "in.answers.jsonl")
    assert [(row["id"], row["answer"]) for row in lines(place / "in.answers.jsonl")] == [
        ("b.PNG", "rgb 200 10 20"),
        ("deep/a.png", "rgb 0 0 250"),
    ]
    assert "--question" in p2g("ask-many", place / "in")[2]


def test_another_input_or_mode_does_not_go_into_the_same_answers(place, p2g):
    source = many(place, 2)
    p2g("ask-many", source)
    assert "mode is learned there and direct here" in p2g("ask-many", source, "--mode", "direct")[2]
    many(place, 3)
    assert "input_sha256" in p2g("ask-many", source)[2]


def test_questions_at_once_are_bounded(place, p2g):
    p2g.controller.delay = 0.01
    p2g("ask-many", many(place, 12), "--workers", 3)
    assert 1 < p2g.controller.most <= 3


def test_nothing_is_loaded_when_nothing_is_left(place, p2g, monkeypatch):
    source = many(place, 2)
    p2g("ask-many", source)
    before = (place / "questions.answers.jsonl").read_bytes()
    monkeypatch.setattr(Agent, "load", classmethod(lambda cls, profile, **how: pytest.fail("loaded")))
    (place / "questions.answers.jsonl").unlink()
    assert p2g("ask-many", source)[0] == 0
    assert (place / "questions.answers.jsonl").read_bytes() == before


def test_answers_never_take_the_place_of_the_questions(place, p2g):
    source = many(place, 2)
    before = source.read_bytes()
    (place / "same.jsonl").symlink_to(source)
    for out in (source, place / "same.jsonl"):
        code, _, err = p2g("ask-many", source, "--out", out)
        assert code == 2
        assert "holds the questions" in err
    assert source.read_bytes() == before
    assert "must end in .jsonl" in p2g("ask-many", source, "--out", place / "answers.csv")[2]
