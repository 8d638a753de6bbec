"""The grounding benchmark: what is asked of a scene, which detections are right, and the figures."""

import json

import numpy as np
import pytest

from evaluation.benchmarks import grounding
from evaluation.benchmarks.grounding import average_precision, summary
from policies.data.scenes import make_scene
from policies.data.scenes.assets import Assets
from policies.grounding.calibrate import bar_for_more, logistic, threshold_for
from policies.grounding.judging import Answered, Asked, Hit, colours_asked, judge, kinds_asked, places_asked
from tools.base import Region
from tools.errors import UsageError
from tools.ground import Ground, GroundArgs
from tools.grounded import Bar
from tools.phrases import meant, parse
from tools.pictures import Picture
from tools.slicing import Detection


def hits(*pairs):
    return [Hit(score=score, right=right) for score, right in pairs]


def answered(kind, things, *pairs, key="a"):
    return Answered(key=key, phrase=kind, kind=kind, things=things, hits=hits(*pairs))


def test_average_precision_is_the_area_under_the_curve():
    assert average_precision(hits((0.9, True), (0.8, True)), 2) == 1.0
    assert average_precision(hits((0.9, False), (0.8, True)), 1) == 0.5
    assert average_precision(hits((0.9, True), (0.8, False), (0.7, True)), 2) == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert average_precision(hits((0.9, True)), 4) == 0.25
    assert average_precision([], 3) == 0.0


def test_average_precision_agrees_with_its_definition_by_integration():
    rng = np.random.default_rng(0)
    found = hits(
        *((float(score), bool(right)) for score, right in zip(rng.random(60), rng.random(60) < 0.4, strict=True))
    )
    things = 40
    ranked = sorted(found, key=lambda hit: -hit.score)
    points = []
    for count in range(1, len(ranked) + 1):
        right = sum(hit.right for hit in ranked[:count])
        points.append((right / things, right / count))
    grid = np.linspace(0, 1, 20001)
    best = [max((precision for recall, precision in points if recall >= at), default=0.0) for at in grid[1:]]
    assert average_precision(found, things) == pytest.approx(float(np.mean(best)), abs=2e-3)


def test_a_thing_is_found_once_and_only_by_a_box_that_fits():
    asked = [Asked("cup", "cup", ((0.0, 0.0, 10.0, 10.0),)), Asked("owl", "owl", ())]
    regions = [
        Region(box=(0, 0, 10, 9), label="cup", score=0.5),
        Region(box=(0, 0, 10, 10), label="cup", score=0.9),
        Region(box=(0, 0, 10, 4), label="cup", score=0.4),
        Region(box=(0, 0, 10, 10), label="owl", score=0.3),
    ]
    cup, owl = judge("key", asked, regions)
    assert [(hit.score, hit.right) for hit in cup.hits] == [(0.9, True), (0.5, False), (0.4, False)]
    assert [(hit.score, hit.right) for hit in owl.hits] == [(0.3, False)]


def test_figures_of_a_part_count_silence_and_misses():
    plain = [
        answered("cup", 1, (0.9, True)),
        answered("cup", 0, (0.95, False), key="b"),
        answered("owl", 2, (0.8, True), (0.2, True)),
        answered("car", 0),
        answered("key", 0, (0.1, False)),
    ]
    coloured = [answered("cup", 1, (0.9, True)), answered("cup", 0, (0.9, False))]
    placed = [
        *(answered("cup", 1, (0.9, True)), answered("cup", 0)),
        *(answered("owl", 1, (0.9, True), (0.8, False)), answered("owl", 0, (0.9, False))),
        *(answered("key", 1), answered("key", 0)),  # not found: its silence says nothing
    ]
    anything = [answered("object", 4, (0.9, True), (0.8, False), (0.7, True))]
    part = summary("test", plain, coloured, placed, anything, Bar(0.5, 0.5))
    assert part.kinds == 2
    assert part.ap50.value == pytest.approx((0.5 + 1.0) / 2)
    assert (part.silent.value, part.silent.of) == (round(2 / 3, 4), 3)
    assert (part.found.value, part.found.of) == (round(2 / 3, 4), 3)
    assert part.precision == round(2 / 3, 4)
    assert (part.colour_right.value, part.colour_silent.value) == (1.0, 0.0)
    assert (part.place_right.value, part.place_right.of) == (round(1 / 3, 4), 3)
    assert (part.place_silent.value, part.place_silent.of) == (0.5, 2)
    assert (part.anything.value, part.anything_precision) == (0.5, round(2 / 3, 4))
    assert part.silent.low < part.silent.value < part.silent.high
    more = summary("test", plain, coloured, placed, [], Bar(0.5, 0.1))  # the second owl; no key, none is sure of one
    assert (more.silent.value, more.found.value) == (part.silent.value, 1.0)


def test_a_scene_is_asked_for_what_it_has_and_as_much_that_it_has_not():
    scene = make_scene(9_100_000, "test", "objects")
    asked = kinds_asked("key", scene, "test")
    assert asked == kinds_asked("key", scene, "test")
    assert asked != kinds_asked("other", scene, "test")
    here = {thing.name for thing in scene.things}
    present, absent = [one for one in asked if one.truth], [one for one in asked if not one.truth]
    assert {one.kind for one in present} <= here
    assert len(absent) == len(present) <= 8
    assets = Assets.load()
    assert not any(assets.kind(one.kind).like(assets.kind(name)) for one in absent for name in here)
    for one in present:
        assert set(one.truth) == {thing.box for thing in scene.things if thing.name == one.kind}
    for one in colours_asked("key", scene):
        boxes = {thing.box for thing in scene.things if f"{thing.colour} {thing.name}" == one.phrase}
        assert set(one.truth) == boxes


@pytest.mark.parametrize("layout", ["objects", "row", "shelf", "crowd", "search"])
def test_who_finds_all_things_finds_those_of_every_place_and_relation(layout):
    scene = make_scene(9_100_001, "test", layout)
    found = [Detection(thing.box, 0.9, thing.name) for thing in scene.things if thing.name != "text"]
    asked = places_asked("key", scene)
    assert asked == places_asked("key", scene)
    assert asked
    for one in asked:
        assert {item.box for item in meant(parse(one.phrase), found)} == set(one.truth), one.phrase


def test_the_logistic_fit_finds_the_scale_that_made_the_data():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 4000)
    right = rng.random(4000) < 1 / (1 + np.exp(-(0.6 * logits - 1)))
    scale, bias = logistic(list(logits), list(right))
    assert scale == pytest.approx(0.6, abs=0.06)
    assert bias == pytest.approx(-1, abs=0.12)
    assert logistic([1.0, 2.0], [True, True])[0] > 0  # nothing wrong among them: shrunk, not infinite


def test_the_threshold_keeps_as_many_absent_phrases_silent_as_asked():
    scores = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    threshold = threshold_for(scores, 0.9)
    assert sum(score < threshold for score in scores) == 9
    assert threshold_for([], 0.9) == 0.5


def test_further_things_of_a_name_need_what_makes_them_rather_right_than_wrong():
    sure = answered("cup", 5, (0.9, True), (0.45, True), (0.4, False), (0.3, True), (0.25, True), (0.1, False))
    unsure = answered("owl", 3, (0.2, True), (0.19, True), (0.18, True))  # not said at all: it does not count
    assert bar_for_more([sure, unsure], 0.5) == 0.25
    assert bar_for_more([unsure], 0.5) == 0.5


class Oracle(Ground):
    """Knows the scene by heart, but calls every absent thing the whole picture at a low score."""

    name = "ground"

    def __init__(self, items):
        super().__init__(threshold=0.5)
        self.truth = {
            Picture.open(item.jpeg).sha256: {
                one.phrase: one.truth for one in [*item.asked, *item.coloured, *item.placed, *item.anything]
            }
            for item in items
        }

    def unavailable(self):
        return None

    def setup(self):
        pass

    def __call__(self, picture, args: GroundArgs):
        truth = self.truth[picture.sha256]
        found = [
            Region(box=box, label=name, score=0.9 if truth[name] else 0.2)
            for name in args.objects
            for box in truth[name] or [(0.0, 0.0, float(picture.width), float(picture.height))]
        ]
        lowest = self.usual_bar.first if args.threshold is None else args.threshold
        return [region for region in found if region.score >= lowest]


def test_an_expert_that_knows_everything_gets_full_marks(monkeypatch):
    made = list(grounding.items("test", 2))
    monkeypatch.setattr(grounding, "items", lambda split, count, skip: made)
    said = []
    report = grounding.run(Oracle(made), 2, said.append, splits=("test",))
    (part,) = report.parts
    assert (part.ap50.value, part.silent.value, part.found.value, part.colour_right.value) == (1.0, 1.0, 1.0, 1.0)
    assert (part.place_right.value, part.place_silent.value) == (1.0, 1.0)
    assert (part.anything.value, part.anything_precision) == (1.0, 1.0)
    assert min(part.place_right.of, part.place_silent.of) > 0
    assert report.megapixels > 3
    assert any("absent phrases" in line for line in grounding.lines(report))


def test_the_command_says_when_the_profile_has_no_model(tmp_path):
    from typer.testing import CliRunner

    from evaluation.cli import app

    profile = tmp_path / "none.toml"
    profile.write_text('[controller]\nkind = "native"\n[experts.ground]\n')
    result = CliRunner().invoke(app, ["run", "grounding", "--profile", str(profile), "--limit", "1"])
    assert result.exit_code != 0
    assert "grounding is not available" in str(result.exception)
    assert json.dumps(str(result.exception)).count("\\n") == 0


def bench(*argv):
    """`p2g bench run grounding ...` in this process."""
    from typer.testing import CliRunner

    from evaluation.cli import app

    return CliRunner().invoke(app, ["run", "grounding", *(str(part) for part in argv)])


@pytest.mark.parametrize(
    "option",
    ["--threshold 0.5", "--shard 1/2", "--data .", "--seed 1", "--workers 2", "--modes direct", "--cold", "--ray"],
)
def test_options_that_the_command_has_no_use_for_are_refused(option, monkeypatch):
    monkeypatch.setattr(grounding, "command", lambda *given: pytest.fail("it ran"))
    error = bench(*option.split(), "--limit", "1").exception
    assert isinstance(error, UsageError)
    assert str(error) == f"grounding has no use for {option.split()[0]}; leave that out"


def test_options_that_it_uses_and_usual_values_are_taken(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(grounding, "command", lambda profile, *given: ran.append((profile.name, *given)))
    result = bench("--limit", "3", "--out", tmp_path, "--json", "--quiet", "--seed", "0", "--workers", "4")
    assert result.exception is None
    assert ran == [("nano", 3, tmp_path, True, True)]


def test_the_output_is_tried_before_anything_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(grounding, "run", lambda *given, **more: pytest.fail("it was measured"))
    (tmp_path / "file").write_text("")
    error = bench("--limit", "1", "--out", tmp_path / "file").exception
    assert isinstance(error, UsageError)
    assert "grounding.json cannot be written" in str(error)
