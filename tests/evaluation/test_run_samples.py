"""The runner over real questions with a stand-in agent whose right and wrong answers are known."""

import json

import pytest

import agent
from agent.types import Answer, Decision, ExpertCost, Ledger
from evaluation import run_samples
from evaluation.benchmarks.format import read_questions
from evaluation.report import summarise
from tools.base import Call, Region
from tools.errors import ControllerError

QUESTIONS = read_questions(run_samples.SAMPLES)[:12]
BROKEN = next(question for question in QUESTIONS if question.track == "text")


class Stand:
    """Knows every answer, but says it only when it calls an expert; fails on one question with an error of our own."""

    def __init__(self, questions=QUESTIONS, broken=BROKEN):
        self.gold = {question.question: question for question in questions}
        self.broken = broken
        self.orders = []

    def ask(self, image, question, options=None, *, mode="learned"):
        gold = self.gold[question]
        if self.broken is not None and gold.id == self.broken.id and mode != "direct":
            raise RuntimeError("boom\nand more")
        call = mode == "always" or (mode == "learned" and gold.needs_experts)
        answer = Answer(text=gold.answer.upper() + "." if call else "I do not know")
        if options:
            self.orders.append(tuple(options))
            answer.choice = options.index(gold.answer) if call else None
        if call:
            answer.decision = Decision(calls=[Call(expert="read")], p_call=0.9)
            answer.ledger = Ledger(experts=[ExpertCost(expert="read", ms=5.0)])
            answer.evidence = [Region(box=box, source="read") for box in gold.evidence]
        return answer


def test_rows_score_answers_decisions_and_evidence():
    rows = run_samples.run(Stand(broken=None), QUESTIONS, "learned")
    assert [row.id for row in rows] == [question.id for question in QUESTIONS]
    text = [row for row in rows if row.track == "text"]
    assert all(row.exact and row.contains and row.decision_right and row.expert_calls == 1 for row in text)
    assert {row.evidence_hit for row in rows if row.gold != "not in the image" and row.track == "text"} == {True}
    assert {row.evidence_hit for row in rows if row.gold == "not in the image"} == {None}
    assert all(row.choice_right is None for row in rows), "nothing was asked with options"


def test_a_question_that_fails_is_a_wrong_row_and_the_run_goes_on():
    rows = run_samples.run(Stand(), QUESTIONS, "always", with_options=True)
    assert len(rows) == len(QUESTIONS)
    failed = [row for row in rows if row.error]
    assert [row.id for row in failed] == [BROKEN.id]
    assert failed[0].error == "RuntimeError: boom and more"
    assert (failed[0].exact, failed[0].choice_right, failed[0].evidence_hit) == (False, False, False)
    summary = summarise("always", rows)
    assert summary.errors == 1
    assert summary.text_exact.k == summary.text_exact.n - 1


def test_a_picture_that_is_gone_is_a_wrong_row(tmp_path):
    lost = QUESTIONS[0].model_copy()
    lost._directory = tmp_path
    row = run_samples.run(Stand([lost], None), [lost], "always")[0]
    assert row.error is not None
    assert lost.image in row.error


def test_options_are_shuffled_by_seed_and_question_alone():
    first, again, other = Stand(broken=None), Stand(broken=None), Stand(broken=None)
    rows = run_samples.run(first, QUESTIONS, "always", with_options=True, seed=1)
    run_samples.run(again, QUESTIONS[::-1], "always", with_options=True, seed=1)
    run_samples.run(other, QUESTIONS, "always", with_options=True, seed=2)
    assert first.orders == again.orders[::-1]
    assert first.orders != other.orders
    assert any(list(order) != question.options for order, question in zip(first.orders, QUESTIONS, strict=True))
    assert all(row.choice_right for row in rows)


@pytest.fixture
def stand(monkeypatch):
    class Loads:
        @staticmethod
        def load(profile):
            if profile != "nano":
                raise ControllerError(f"no such profile {profile!r}")
            return Stand(read_questions(run_samples.SAMPLES))

    monkeypatch.setattr(agent, "Agent", Loads, raising=False)


def test_the_command_prints_a_table_and_writes_the_report(stand, tmp_path, capsys):
    out = tmp_path / "runs" / "samples.json"
    assert run_samples.main(["--out", str(out), "--options", "--seed", "5"]) == 0
    printed = capsys.readouterr()
    report = json.loads(out.read_text())
    assert [summary["mode"] for summary in report["summaries"]] == ["direct", "learned", "always"]
    assert report["seed"] == 5
    assert report["versions"]["pydantic"]
    assert len(report["rows"]) == 3 * report["questions"]
    direct, learned, always = report["summaries"]
    assert direct["text_exact"]["k"] == 0
    assert learned["text_exact"]["k"] == learned["text_exact"]["n"] - 1
    assert learned["decision"]["rate"] > always["decision"]["rate"] > direct["decision"]["rate"]
    assert report["differences"][0]["of"] == "learned - direct"
    assert report["differences"][0]["delta"] == pytest.approx(learned["text_exact"]["rate"])
    assert "learned - direct: +" in printed.out
    assert printed.err.count("\n") == len(report["rows"]), "one line of progress for each answer"


@pytest.mark.parametrize(
    ("argv", "reason", "code"),
    [
        (["--modes", "direct,often"], "--modes 'direct,often'", 2),
        (["--modes", ","], "--modes ','", 2),
        (["--dir", "no/such/folder"], "no such file", 2),
        (["--profile", "none"], "no such profile 'none'", 5),
    ],
)
def test_wrong_arguments_end_with_one_line_and_a_code(stand, capsys, argv, reason, code):
    assert run_samples.main(argv) == code
    printed = capsys.readouterr()
    assert reason in printed.err
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1


def test_an_output_that_cannot_be_written_is_said_before_anything_is_asked(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(agent, "Agent", None, raising=False)
    (tmp_path / "file").write_text("")
    assert run_samples.main(["--out", str(tmp_path / "file" / "report.json")]) == 2
    assert "cannot be written" in capsys.readouterr().err
