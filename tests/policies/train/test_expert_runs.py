"""Simulated experts see what is there, with the faults that experts have; the real ones look at the drawn picture."""

import random

import pytest

from policies.data.scenes.scene import Thing
from policies.data.visual_names import overlap
from policies.train.expert_runs import (
    Faults,
    SimulatedExperts,
    ToolExperts,
    names,
    simulated_ground,
    simulated_read,
    split_call,
)
from policies.train.questions import Asked, asked
from tools.errors import UsageError

SIZE = (400, 300)
THINGS = (
    Thing("car", (10, 10, 90, 60), colour="red"),
    Thing("car", (200, 10, 290, 60), colour="blue"),
    Thing("text", (10, 100, 200, 120), text="Total 55.20"),
    Thing("text", (10, 150, 200, 170), text="Anna Smith"),
)
ITEM = Asked("pages/1/0", "pages", 1, "What is the total?", "55.20", SIZE, THINGS)
EXACT = Faults(jitter=0, missed=0, false=0)


def ground(wanted, faults=EXACT, seed=0):
    return simulated_ground(THINGS, wanted, SIZE, random.Random(seed), faults)


def test_grounding_without_faults_is_the_truth():
    assert {region.box for region in ground(["cars"])} == {THINGS[0].box, THINGS[1].box}
    assert [region.box for region in ground(["red car"])] == [THINGS[0].box]
    assert ground(["dog"]) == []
    assert {region.box for region in ground(["object"])} == {THINGS[0].box, THINGS[1].box}


def test_faults_come_as_often_as_they_should():
    found = [ground(["car"], Faults(jitter=0, missed=0.25, false=0), seed) for seed in range(400)]
    assert sum(map(len, found)) / 800 == pytest.approx(0.75, abs=0.06)
    false = [ground(["dog"], Faults(jitter=0, missed=0, false=0.3), seed) for seed in range(400)]
    assert sum(map(len, false)) / 400 == pytest.approx(0.3, abs=0.08)


def test_jittered_boxes_stay_near_and_inside():
    for seed in range(50):
        for region in ground(["red car"], Faults(jitter=0.3, missed=0, false=0), seed):
            x1, y1, x2, y2 = region.box
            assert 0 <= x1 < x2 <= SIZE[0]
            assert 0 <= y1 < y2 <= SIZE[1]
            assert abs(x1 - 10) <= 24


def test_reading_gives_the_lines_in_order_and_only_text():
    texts = [region.text for region in simulated_read(THINGS, SIZE, random.Random(2))]
    assert len(texts) == 2
    assert texts[1].replace(" ", "").startswith(("Anna", "Ann"))


def test_some_readings_are_misread():
    read = {tuple(r.text for r in simulated_read(THINGS, SIZE, random.Random(seed))) for seed in range(60)}
    assert ("Total 55.20", "Anna Smith") in read
    assert len(read) > 1


def test_the_same_call_meets_the_same_faults_and_other_names_mean_the_same_experts():
    experts = SimulatedExperts()
    assert experts.run(ITEM, "ground: car") == experts.run(ITEM, "ground: car")
    renamed = SimulatedExperts(listed=[("x7", "reads text")], kinds={"x7": "read"})
    assert len(renamed.run(ITEM, "x7:")) == 2
    assert renamed.run(ITEM, "read:") == []


def test_the_real_experts_look_at_the_drawn_picture():
    experts = ToolExperts(ground=True)
    assert [name for name, _ in experts.listed] == ["read", "ground", "zoom"]
    item = asked("object-scenes", 0)[0]
    kinds = [thing.name for thing in item.things]
    found = experts.run(item, f"ground: {'; '.join(dict.fromkeys(kinds))}")
    right = [r for r in found if any(overlap(r.box, t.box) > 0.5 and t.name == r.label for t in item.things)]
    assert len(right) >= 3
    assert len(right) > 0.6 * len(found)
    assert experts.run(item, "zoom:") == experts.run(item, "x7: car") == []


@pytest.mark.parametrize(
    ("phrase", "colour", "expected"),
    [("car", "red", True), ("red cars", "red", True), ("blue car", "red", False), ("card", "red", False)],
)
def test_a_phrase_names_a_thing(phrase, colour, expected):
    assert names(phrase, Thing("car", (0, 0, 1, 1), colour=colour)) is expected


def test_calls_are_split_at_the_first_colon():
    assert split_call("ground: red car; dog") == ("ground", "red car; dog")
    assert split_call("read:") == ("read", "")


def test_questions_are_the_same_each_time_and_keep_their_keys():
    few, many = asked("pages", 7, 2), asked("pages", 7, 50)
    assert few == asked("pages", 7, 2)
    by_key = {item.key: item for item in many}
    assert all(by_key[item.key] == item for item in few)
    assert len({item.key for item in many}) == len(many)
    assert few[-1].kind == "general"
    assert few[-1].expert == ""


def test_scene_questions_keep_their_options_however_many_are_asked():
    few, many = asked("text-scenes", 3, 3), asked("text-scenes", 3, 50)
    by_key = {item.key: item for item in many}
    assert all(by_key[item.key] == item for item in few)
    assert any(item.options for item in many)
    assert any(item.options is None for item in many)


def test_an_unknown_track_is_named():
    with pytest.raises(UsageError, match="no questions are called 'books'"):
        asked("books", 1)
