"""Asking again from corrected regions, and asking about a part: the real graph and runner, a scripted controller."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import BaseModel

from agent import Agent, Answer, Decision, View
from agent.events import Decided, Done, ExpertFinished, ExpertStarted
from agent.part import Part
from tools import masks
from tools.base import BoxArg, Call, Region, Tool
from tools.errors import UsageError
from tools.pictures import Picture
from tools.runner import Runner


class Where(BaseModel):
    box: BoxArg


class Bright(Tool):
    """The box of the bright pixels and their mask."""

    name = "bright"
    description = "Finds the bright pixels of the picture."
    Args = Where
    runs = 0

    def __call__(self, picture: Picture, args: Where) -> list[Region]:
        type(self).runs += 1
        mask = np.asarray(picture.image)[:, :, 0] > 128
        box = masks.box_of(mask)
        return [] if box is None else [Region(box=box, text="lamp", mask=masks.encode(mask), source="bright")]


class Looks:
    """Calls `bright` on the whole picture it sees and answers with the words of the regions; remembers its views."""

    def __init__(self) -> None:
        self.views: list[View] = []

    def decide(self, view: View) -> Decision:
        if view.round:
            return Decision()
        call = Call(expert="bright", args={"box": [0, 0, *map(float, view.picture.size)]})
        return Decision(calls=[call], p_call=0.8)

    def answer(self, view: View) -> Answer:
        self.views.append(view)
        words = ", ".join(region.text or region.label for region in view.regions)
        return Answer(text=words or "nothing", evidence=view.regions)


@pytest.fixture
def agent() -> Agent:
    return Agent(Looks(), Runner([Bright()]))


@pytest.fixture
def png(tmp_path: Path) -> Path:
    path, image = tmp_path / "night.png", Image.new("RGB", (100, 80))
    image.paste((255, 255, 255), (60, 40, 70, 44))
    image.save(path)
    return path


def test_given_regions_are_answered_from_without_decision_or_experts(agent, png):
    before = Bright.runs
    given = [Region(box=(1, 2, 3, 4), text="torch", source="bright"), Region(box=(5, 5, 9, 9), label="moon")]
    events = list(agent.stream(png, "What shines?", regions=given))
    assert not any(isinstance(event, Decided | ExpertStarted) for event in events)
    assert Bright.runs == before
    answer = events[-1].answer
    assert answer.text == "torch, moon"
    assert answer.evidence == given
    assert answer.decision.calls == []
    assert [step.kind for step in answer.trace] == ["given", "answer"]


def test_given_regions_look_to_the_controller_like_a_round_of_their_experts(agent, png):
    agent.ask(png, "What shines?", regions=[Region(box=(1, 2, 3, 4), text="torch", source="bright")])
    (view,) = agent.controller.views
    assert [result.call.expert for result in view.rounds[0].results] == ["bright"]
    assert view.rounds[0].results[0].regions == view.regions


def test_no_regions_means_an_answer_from_nothing(agent, png):
    assert agent.ask(png, "What shines?", regions=[]).text == "nothing"


def test_in_a_conversation_a_corrected_answer_replaces_the_wrong_one(agent, png):
    agent.ask(png, "What shines?", thread_id="t")
    agent.ask(png, "What shines?", thread_id="t", regions=[Region(box=(1, 2, 3, 4), text="torch")])
    agent.ask(png, "And what else?", thread_id="t")
    assert [(turn.question, turn.answer) for turn in agent.controller.views[-1].history] == [("What shines?", "torch")]


def test_regions_of_one_question_do_not_stay_for_the_next(agent, png):
    agent.ask(png, "What shines?", thread_id="t", regions=[Region(box=(1, 2, 3, 4), text="torch")])
    assert agent.ask(png, "What shines now?", thread_id="t").text == "lamp"


def test_a_part_is_looked_at_alone_and_every_box_comes_back_in_the_whole_picture(agent, png):
    events = list(agent.stream(png, "What shines?", box=(50, 30, 90, 60)))
    assert agent.controller.views[0].picture.size == (40, 30)
    answer = next(event.answer for event in events if isinstance(event, Done))
    assert answer.evidence[0].box == (60, 40, 70, 44)
    assert answer.decision.calls[0].args == {"box": [50, 30, 90, 60]}
    (found,) = [event.result for event in events if isinstance(event, ExpertFinished)]
    assert found.regions[0].box == (60, 40, 70, 44)
    assert masks.box_of(masks.decode(found.regions[0].mask, (100, 80))) == (60, 40, 70, 44)
    (step,) = [step for step in answer.trace if step.kind == "experts"]
    assert step.data["results"][0]["regions"][0]["box"] == [60, 40, 70, 44]


def test_what_lies_outside_the_part_is_not_seen(agent, png):
    assert agent.ask(png, "What shines?", box=(0, 0, 50, 80)).text == "nothing"


def test_given_regions_outside_the_part_are_left_out(agent, png):
    given = [Region(box=(60, 40, 70, 44), text="in"), Region(box=(1, 1, 9, 9), text="out")]
    answer = agent.ask(png, "What shines?", box=(50, 30, 90, 60), regions=given)
    assert answer.text == "in"
    assert answer.evidence[0].box == (60, 40, 70, 44)


@pytest.mark.parametrize("box", [(0, 0, 2, 2), (500, 500, 600, 600), (10, 10, 10, 40), (math.nan, 0, 50, 50)])
def test_a_part_without_pixels_is_refused(agent, png, box):
    with pytest.raises(UsageError, match="part"):
        agent.stream(png, "What shines?", box=box)


def test_a_part_covers_whole_pixels_and_corners_may_be_swapped(png):
    part = Part(Picture.open(png), (70.4, 44.5, 59.6, 39.2))
    assert part.box == (59, 39, 71, 45)
    assert part.picture.size == (12, 6)


def test_a_part_is_no_new_picture_in_a_conversation_and_its_results_are_its_own(agent, png):
    agent.ask(png, "What shines?", thread_id="t")
    runs = Bright.runs
    assert agent.ask(png, "And here?", thread_id="t", box=(0, 0, 50, 80)).text == "nothing"
    assert Bright.runs == runs + 1, "what is known of the whole picture is not known of the part"
    assert [turn.question for turn in agent.controller.views[-1].history] == ["What shines?"]
    assert agent.conversation("t").sha256 == Picture.open(png).sha256
    answer = agent.ask(png, "And in all?", thread_id="t")
    assert answer.text == "lamp"
    assert [cost.cached for cost in answer.ledger.experts] == [True]
    assert [turn.question for turn in agent.controller.views[-1].history] == ["What shines?", "And here?"]


def test_another_picture_empties_a_conversation_also_by_its_part(agent, png, tmp_path):
    agent.ask(png, "What shines?", thread_id="t", box=(50, 30, 90, 60))
    Image.new("RGB", (100, 80), "white").save(tmp_path / "day.png")
    agent.ask(tmp_path / "day.png", "And here?", thread_id="t", box=(50, 30, 90, 60))
    assert agent.controller.views[-1].history == []


def test_an_unfinished_question_about_a_part_is_resumed_on_that_part(png, tmp_path):
    controller = Looks()
    agent = Agent(controller, Runner([Bright()]))
    answer = controller.answer
    controller.answer = None  # as if it had died there
    with pytest.raises(TypeError):
        agent.ask(png, "What shines?", thread_id="t", box=(50, 30, 90, 60))
    controller.answer = answer
    assert agent.conversation("t").sha256 == Picture.open(png).sha256
    assert list(agent.resume("t"))[-1].answer.evidence[0].box == (60, 40, 70, 44)
