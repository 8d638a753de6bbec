"""P²GB-S: drawn alike by everyone, balanced, and of no use to a model that does not look."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from agent.types import Answer
from evaluation.asking import shown
from evaluation.benchmarks import p2gb_s, p2gb_s_draw, registry
from evaluation.benchmarks.check import check
from evaluation.benchmarks.format import read_questions
from evaluation.benchmarks.p2gb_s_draw import Part
from policies.data import scenes
from policies.data.scenes.scene import ABSENT, Scene, SceneQuestion
from tools.base import Region
from tools.errors import P2GError

TINY = (
    Part("object", "test", ("object",), 60, 1_000),
    Part("text", "test", ("text",), 60, 2_000),
    Part("unseen", "unseen", ("object", "text"), 40, 3_000),
)
KINDS = ("attribute", "count", "relation", "unanswerable")


def maker(track):
    def make(rng: random.Random, split, assets) -> Scene:
        """Six questions on an empty picture, most of them of one kind; the answer is never where it is expected."""
        box = (10.0, 10.0, 10.0 + rng.randrange(20, 200), 60.0)
        asked = []
        for number, kind in enumerate((*KINDS, "count", "count")):
            answer = ABSENT if kind == "unanswerable" else f"{number}{rng.randrange(10**6)}"
            options = (answer, "red herring", "blue whale", "tall order")
            evidence = () if kind == "unanswerable" else (box,)
            asked.append(SceneQuestion(f"Which is number {number}?", answer, options, evidence, kind, track))
        return Scene(f"{track}s", Image.new("RGB", (1500, 300), tuple(rng.randbytes(3))), [], asked)

    return make


@pytest.fixture
def quick(monkeypatch):
    """Scenes that are drawn in a millisecond."""
    made = {"objects": maker("object"), "texts": maker("text")}
    monkeypatch.setattr(scenes, "makers", lambda: made)
    monkeypatch.setattr(scenes, "kinds", lambda track: [f"{track}s"])


@pytest.fixture
def folder(tmp_path, quick):
    return p2gb_s.build(tmp_path, TINY, workers=0)


def test_it_has_as_many_questions_of_each_part_as_it_says(folder):
    questions = read_questions(folder)
    assert Counter(q.id.split("-")[0] for q in questions) == {"object": 60, "text": 60, "unseen": 40}
    assert Counter(q.track for q in questions if q.id.startswith("unseen")) == {"object": 20, "text": 20}
    assert {path.name for path in folder.iterdir()} == {q.image for q in questions} | {"questions.jsonl"}
    assert max(Counter(q.image for q in questions).values()) == 3
    assert [str(problem) for problem in check(folder)] == []


def test_kinds_of_questions_are_balanced_where_scenes_give_them(folder):
    counts = Counter(q.kind for q in read_questions(folder) if q.id.startswith("object"))
    assert set(counts) == set(KINDS)
    assert counts.pop("unanswerable") == pytest.approx(counts["attribute"] / 2, abs=1)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_any_beginning_is_mixed_like_the_whole(folder):
    first = read_questions(folder)[:50]
    counts = Counter(q.id.split("-")[0] for q in first)
    assert abs(counts["object"] - counts["text"]) <= 3
    assert 9 <= counts["unseen"] <= 16


def test_it_is_the_same_to_the_byte_after_an_interruption(folder, tmp_path, quick, monkeypatch):
    drawn = []

    def stop(work, split, kind, seed):
        if len(drawn) == 20:
            raise KeyboardInterrupt
        drawn.append(seed)
        return p2gb_s_draw.draw(work, split, kind, seed)

    with monkeypatch.context() as patch:
        patch.setattr(p2gb_s_draw.shards, "in_order", lambda work, tasks, workers: (stop(*task) for task in tasks))
        with pytest.raises(KeyboardInterrupt):
            p2gb_s.build(tmp_path / "again", TINY, workers=0)
    stored = []
    real = p2gb_s_draw.shards.store
    monkeypatch.setattr(p2gb_s_draw.shards, "store", lambda seed, *rest: stored.append(seed) or real(seed, *rest))
    again = p2gb_s.build(tmp_path / "again", TINY, workers=0)
    assert not set(stored) & set(drawn)
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }
    before = (again / "questions.jsonl").stat().st_mtime_ns
    assert p2gb_s.build(tmp_path / "again", TINY, workers=0) == again
    assert (again / "questions.jsonl").stat().st_mtime_ns == before


def test_gold_answers_score_100_percent_and_shuffling_never_changes_what_is_gold(folder):
    score = registry.get("p2gb-s").score
    for question in read_questions(folder):
        for seed in range(5):
            options = shown(question, seed)
            assert sorted(options) == sorted(question.options)
            gold = "ABCD"[options.index(question.answer)]
            regions = [Region(box=box) for box in question.evidence]
            for said in (gold, f"The answer is {gold}.", f"({gold}) {question.answer}", question.answer):
                scores = score(question, options, Answer(text=said, evidence=regions), (1500, 300))
                assert scores == dict.fromkeys(scores, 1.0)
            assert score(question, [], Answer(text=question.answer), (1500, 300))["accuracy"] == 1.0


def test_gold_answers_are_balanced_over_the_letters_as_written_and_as_shown(folder):
    questions = read_questions(folder)
    written = Counter(q.options.index(q.answer) for q in questions)
    assert set(written.values()) == {len(questions) // 4}
    for seed in range(3):
        counts = Counter(shown(q, seed).index(q.answer) for q in questions)
        expected = len(questions) / 4
        assert sum((counts[place] - expected) ** 2 / expected for place in range(4)) < 16.3  # p = 0.001 of chi-square


@pytest.mark.parametrize("letter", "ABCD")
def test_a_model_that_always_says_the_same_letter_scores_a_quarter(folder, letter):
    score = registry.get("p2gb-s").score
    questions = read_questions(folder)
    right = [score(q, q.options, Answer(text=letter), (1500, 300))["accuracy"] for q in questions]
    assert sum(right) / len(right) == 0.25
    right = [score(q, shown(q, s), Answer(text=letter), (1500, 300))["accuracy"] for q in questions for s in range(5)]
    assert sum(right) / len(right) == pytest.approx(0.25, abs=0.05)


def test_not_in_the_image_is_right_in_a_quarter_of_the_questions_that_offer_it(folder):
    offering = [q for q in read_questions(folder) if ABSENT in q.options]
    right = [q for q in offering if q.answer == ABSENT]
    assert right
    assert len(right) / len(offering) == 0.25
    assert all(q.kind == "unanswerable" for q in right)


def test_too_few_questions_end_the_drawing_instead_of_a_smaller_set(tmp_path, quick, monkeypatch):
    monkeypatch.setattr(scenes, "kinds", lambda track: ["objects"])
    with pytest.raises(P2GError, match="text questions too few"):
        p2gb_s.build(tmp_path, TINY, workers=0)
    assert not list(tmp_path.glob("**/questions.jsonl"))


def test_another_content_than_the_recorded_one_is_said_with_the_reason(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(p2gb_s, "RECORD", tmp_path / "record.json")
    assert "none is recorded" in p2gb_s.verdict(folder)
    now = p2gb_s.Record(sha256=p2gb_s.content(folder), sources=p2gb_s.sources(), drawn_by=p2gb_s.drawn_by())
    for change, reason in (
        ({}, "as recorded"),
        ({"sha256": "0" * 64, "drawn_by": {"pillow": "1.0"}}, "NOT the recorded"),
        ({"sha256": "0" * 64, "drawn_by": {"pillow": "1.0"}}, "and not 1.0"),
        ({"sha256": "0" * 64, "sources": "0" * 64}, "makers of scenes have changed"),
    ):
        p2gb_s.RECORD.write_text(now.model_copy(update=change).model_dump_json())
        assert reason in p2gb_s.verdict(folder)


def test_the_parts_are_benchmarks_of_their_own(folder, tmp_path, monkeypatch):
    assert len(registry.get("p2gb-s").load(folder)) == 160
    assert {q.id.split("-")[0] for q in registry.get("p2gb-s-unseen").load(folder)} == {"unseen"}
    assert sum(part.count for part in p2gb_s.PARTS) == 1600
    monkeypatch.setenv("P2G_HOME", str(tmp_path))
    assert registry.get("p2gb-s").here() is None


def test_what_weights_are_chosen_by_is_neither_trained_on_nor_the_test(tmp_path, monkeypatch):
    from policies.data.visual_scene import HELD_OUT

    assert all(part.split == "train" and part.first >= HELD_OUT for part in p2gb_s.DEV)
    assert {part.name for part in p2gb_s.DEV} == {"object", "text"}
    monkeypatch.setenv("P2G_HOME", str(tmp_path))
    assert registry.get("p2gb-s-dev").here() is None
    assert p2gb_s.built(tmp_path, p2gb_s.DEV) != p2gb_s.built(tmp_path)


def test_real_scenes_become_questions_that_check_has_no_error_for(tmp_path):
    """One picture of each track out of the real makers."""
    parts = (Part("object", "test", ("object",), 3, 9_100_000), Part("text", "unseen", ("text",), 3, 9_300_000))
    folder = p2gb_s.build(tmp_path, parts, workers=0)
    assert [str(problem) for problem in check(folder) if problem.level == "error"] == []
    assert len(read_questions(folder)) == 6


def test_two_that_make_it_at_once_draw_it_once(tmp_path, quick):
    said: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda _: p2gb_s.build(tmp_path, TINY, workers=0, say=said.append), range(2)))
    assert made[0] == made[1]
    assert sum("drawing" in line for line in said) == 1
