"""The graph and the agent around a scripted controller, the real runner and small real experts on a real PNG."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from pydantic import BaseModel

from agent import Agent, Answer, Decision, Limits, Usage, View
from agent.events import Decided, Delta, Done, ExpertFinished, ExpertStarted, Focused
from agent.state import Question
from agent.types import Turn
from tools.base import Call, Region, Tool
from tools.errors import ControllerError, P2GError, PictureError, UsageError
from tools.pictures import Picture
from tools.runner import Runner


class Count(Tool):
    """Returns the mean colour of the picture, so that its result depends on real pixels."""

    name = "count"
    description = "Tells the colour of the middle of the picture."

    def __init__(self) -> None:
        self.ran = 0

    def __call__(self, picture: Picture, args: BaseModel) -> list[Region]:
        self.ran += 1
        red, green, blue = picture.image.getpixel((picture.width // 2, picture.height // 2))
        return [Region(box=(0, 0, picture.width, picture.height), text=f"rgb {red} {green} {blue}", source=self.name)]


class Where(BaseModel):
    what: str


class Find(Tool):
    name = "find"
    description = "Finds a thing in the picture by its name."
    Args = Where

    def __call__(self, picture: Picture, args: Where) -> list[Region]:
        if args.what == "ghost":
            raise ValueError("there are no ghosts\nat all")
        return [Region(box=(1, 2, 30, 40), label=args.what, score=0.5)]


class Scripted:
    """Decides what the script says, round by round, and answers with what it was shown; keeps every view."""

    def __init__(self, *script: Decision) -> None:
        self.script, self.views = script, []

    def decide(self, view: View) -> Decision:
        self.views.append(view.model_copy(deep=True))
        view.usage += Usage(controller_calls=1, prompt_tokens=10)
        return self.script[view.round] if view.round < len(self.script) else Decision()

    def answer(self, view: View) -> Answer:
        self.views.append(view.model_copy(deep=True))
        view.usage += Usage(controller_calls=1, prompt_tokens=20, cached_tokens=10, generated_tokens=3)
        texts = [region.text or region.label for region in view.regions]
        return Answer(text="; ".join(texts) or "nothing", evidence=view.regions, confidence=0.5)


class Streaming(Scripted):
    thread_safe = True

    def stream_answer(self, view: View, emit) -> Answer:
        for piece in ("to", "day"):
            emit(piece)
        return Answer(text="today")


@pytest.fixture
def png(tmp_path: Path) -> Path:
    path = tmp_path / "red.png"
    Image.new("RGB", (64, 48), (200, 10, 20)).save(path)
    return path


def calls(*names: str, **args: str) -> Decision:
    return Decision(calls=[Call(expert=name, args=args) for name in names], p_call=0.9)


def agent_of(controller, *tools: Tool, **how) -> Agent:
    return Agent(controller, Runner(tools or (Count(), Find())), **how)


def test_experts_are_asked_and_the_answer_rests_on_them(png):
    answer = agent_of(Scripted(calls("count"))).ask(png, "What colour?")
    assert answer.text == "rgb 200 10 20"
    assert [region.source for region in answer.evidence] == ["count"]
    assert answer.decision.calls == [Call(expert="count")]
    assert answer.decision.p_call == 0.9
    assert [step.kind for step in answer.trace] == ["decide", "experts", "focus", "decide", "answer"]
    assert [(cost.expert, cost.regions, cost.cached, cost.error) for cost in answer.ledger.experts] == [
        ("count", 1, False, None)
    ]


def test_ledger_sums_tokens_and_times_of_all_turns(png):
    answer = agent_of(Scripted(calls("count"))).ask(png, "What colour?")
    assert answer.ledger.usage == Usage(controller_calls=3, prompt_tokens=40, cached_tokens=10, generated_tokens=3)
    assert set(answer.ledger.ms) == {"decide", "experts", "focus", "answer", "total"}
    assert answer.ledger.ms["total"] == pytest.approx(sum(step.ms for step in answer.trace), abs=0.01)


def test_a_direct_decision_goes_straight_to_the_answer(png):
    count = Count()
    answer = agent_of(Scripted(Decision(p_call=0.1)), count).ask(png, "What colour?")
    assert answer.text == "nothing"
    assert count.ran == 0
    assert [step.kind for step in answer.trace] == ["decide", "answer"]


def test_an_answer_given_while_deciding_is_not_asked_for_again(png):
    controller = Scripted(Decision(answer="The answer is B", confidence=0.7))
    answer = agent_of(controller).ask(png, "What colour?", ["red", "blue"])
    assert (answer.text, answer.choice, answer.confidence) == ("blue", 1, 0.7)
    assert len(controller.views) == 1


def test_rounds_end_at_the_limit(png):
    script = [calls("find", what=what) for what in ("cat", "dog", "cow", "hen")]
    answer = agent_of(Scripted(*script), limits=Limits(max_rounds=3)).ask(png, "Which?")
    assert answer.text == "cat; dog; cow"
    assert [step.kind for step in answer.trace].count("decide") == 3


def test_no_rounds_means_no_calls(png):
    assert agent_of(Scripted(calls("count")), limits=Limits(max_rounds=0)).ask(png, "Which?").text == "nothing"


def test_a_call_made_before_is_not_made_again_and_the_controller_is_told(png):
    count = Count()
    controller = Scripted(calls("count"), calls("count"))
    answer = agent_of(controller, count).ask(png, "What colour?")
    assert count.ran == 1
    assert "already made" in controller.views[-1].notes[0]
    assert answer.text == "rgb 200 10 20"


def test_the_view_tells_rounds_regions_and_experts(png):
    controller = Scripted(calls("find", what="cat"))
    agent_of(controller).ask(png, "Where?")
    first, second, last = controller.views
    assert [schema["name"] for schema in first.experts] == ["count", "find"]
    assert (first.round, first.regions, first.rounds) == (0, [], [])
    assert second.round == 1
    assert second.regions[0].label == "cat"
    assert second.rounds[0].results[0].regions == second.regions
    assert last.calls == [Call(expert="find", args={"what": "cat"})]


@pytest.mark.parametrize(
    ("expert", "args", "said"),
    [
        ("find", {"what": "ghost"}, "crashed"),
        ("find", {}, "what"),
        ("nobody", {}, "there is no expert"),
    ],
)
def test_a_failing_expert_is_a_line_and_never_the_end(png, expert, args, said):
    controller = Scripted(Decision(calls=[Call(expert=expert, args=args), Call(expert="count")], p_call=1))
    answer = agent_of(controller).ask(png, "Boo?")
    assert answer.text == "rgb 200 10 20"
    assert len(controller.views[-1].failures) == 1
    assert said in controller.views[-1].failures[0]
    assert "\n" not in controller.views[-1].failures[0]
    assert said in answer.ledger.experts[0].error
    assert said in json.dumps(answer.model_dump(mode="json")["trace"])


def test_mode_direct_never_calls(png):
    count = Count()
    answer = agent_of(Scripted(calls("count")), count).ask(png, "What colour?", mode="direct")
    assert (answer.text, count.ran, answer.decision.calls) == ("nothing", 0, [])


def test_mode_always_calls_what_needs_no_arguments_when_the_controller_did_not(png):
    answer = agent_of(Scripted(Decision(answer="red"))).ask(png, "What colour?", mode="always")
    assert answer.decision.calls == [Call(expert="count")]
    assert answer.text == "rgb 200 10 20"


def test_mode_always_keeps_the_calls_of_the_controller_and_adds_the_experts_that_need_no_arguments(png):
    answer = agent_of(Scripted(calls("find", what="cat"))).ask(png, "Where?", mode="always")
    assert answer.text == "cat; rgb 200 10 20"


@pytest.mark.parametrize(("threshold", "text"), [(0.95, "nothing"), (0.9, "rgb 200 10 20"), (None, "rgb 200 10 20")])
def test_the_threshold_moves_the_decision(png, threshold, text):
    assert agent_of(Scripted(calls("count"))).ask(png, "What colour?", threshold=threshold).text == text


def test_the_threshold_of_the_agent_is_the_default(png):
    agent = agent_of(Scripted(calls("count")), threshold=0.95)
    assert agent.ask(png, "What colour?").text == "nothing"
    assert agent.ask(png, "What colour?", threshold=0.5).text == "rgb 200 10 20"


def test_events_come_in_order_and_end_with_the_answer(png):
    found = list(agent_of(Streaming(calls("count"))).stream(png, "What colour?"))
    assert [type(event) for event in found] == [
        Decided, ExpertStarted, ExpertFinished, Focused, Decided, Delta, Delta, Done,
    ]  # fmt: skip
    assert found[2].result.regions[0].text == "rgb 200 10 20"
    assert found[-1].answer.text == "today"
    assert all(json.loads(event.model_dump_json())["kind"] for event in found)


def test_ask_hands_events_to_the_callback(png):
    kinds: list[str] = []
    answer = agent_of(Scripted(calls("count"))).ask(png, "What?", on_event=lambda event: kinds.append(event.kind))
    assert kinds == ["decision", "expert_started", "expert_finished", "focus", "decision", "done"]
    assert answer.text == "rgb 200 10 20"


def test_a_conversation_remembers_turns_and_does_not_repeat_experts(png):
    count, controller = Count(), Scripted(calls("count"))
    agent = agent_of(controller, count)
    agent.ask(png, "What colour?", ["x", "y"], thread_id="a")
    second = agent.ask(png, "And now?", thread_id="a")
    assert count.ran == 1
    assert [cost.cached for cost in second.ledger.experts] == [True]
    assert second.text == "rgb 200 10 20"
    assert [(turn.question, turn.answer) for turn in controller.views[-1].history] == [
        ("What colour?", "rgb 200 10 20")
    ]
    assert controller.views[-1].options is None
    other = agent.ask(png, "And now?", thread_id="b")
    assert controller.views[-1].history == []
    assert other.text == second.text


def test_questions_without_a_conversation_are_strangers(png):
    controller = Scripted(calls("count"))
    agent = agent_of(controller)
    agent.ask(png, "One?")
    agent.ask(png, "Two?")
    assert controller.views[-1].history == []


def test_a_new_picture_empties_the_memory_of_experts(png, tmp_path):
    blue = tmp_path / "blue.png"
    Image.new("RGB", (64, 48), (0, 0, 255)).save(blue)
    agent = agent_of(Scripted(calls("count")))
    agent.ask(png, "What colour?", thread_id="a")
    answer = agent.ask(blue, "What colour?", thread_id="a")
    assert answer.text == "rgb 0 0 255"
    assert not answer.ledger.experts[0].cached


def test_a_new_picture_in_a_conversation_leaves_what_was_said_of_the_old_one(png, tmp_path):
    blue = tmp_path / "blue.png"
    Image.new("RGB", (64, 48), (0, 0, 255)).save(blue)
    controller = Scripted(calls("find", what="hat"))
    agent = agent_of(controller)
    agent.ask(png, "A hat?", thread_id="a")
    agent.ask(png, "And now?", thread_id="a")
    assert [turn.question for turn in controller.views[-1].history] == ["A hat?"]
    agent.ask(blue, "And here?", thread_id="a")
    decided = next(view for view in controller.views if view.question == "And here?")
    assert (decided.history, decided.regions, decided.rounds) == ([], [], [])
    agent.ask(blue, "Still here?", thread_id="a")
    assert [turn.question for turn in controller.views[-1].history] == ["And here?"]


def test_a_file_that_changes_is_opened_again(png):
    agent = agent_of(Scripted(calls("count")))
    agent.ask(png, "What colour?")
    Image.new("RGB", (65, 48), (0, 0, 255)).save(png)
    assert agent.ask(png, "What colour?").text == "rgb 0 0 255"


def test_conversations_outlive_the_process_in_sqlite(png, tmp_path):
    file = tmp_path / "talk.sqlite"
    with agent_of(Scripted(calls("count")), checkpoint=file) as agent:
        agent.ask(png, "What colour?", thread_id="a")
    count, controller = Count(), Scripted(calls("count"))
    with agent_of(controller, count, checkpoint=file) as agent:
        answer = agent.ask(png, "And now?", thread_id="a")
    assert count.ran == 0
    assert answer.ledger.experts[0].cached
    assert [turn.question for turn in controller.views[-1].history] == ["What colour?"]
    stored = file.read_bytes()
    assert str(png).encode() in stored
    assert png.read_bytes()[60:90] not in stored


def test_an_interrupted_question_is_resumed_where_it_stopped(png, tmp_path):
    class Broken(Scripted):
        def answer(self, view: View) -> Answer:
            raise ControllerError("the server is down")

    file, count = tmp_path / "talk.sqlite", Count()
    with agent_of(Broken(calls("count")), count, checkpoint=file) as agent, pytest.raises(ControllerError):
        agent.ask(png, "What colour?", ["red", "blue"], thread_id="a")
    controller = Scripted(calls("count"))
    with agent_of(controller, count, checkpoint=file) as agent:
        done = list(agent.resume("a"))[-1]
        with pytest.raises(UsageError, match="nothing to resume"):
            agent.resume("a")
    assert done.answer.text == "rgb 200 10 20"
    assert count.ran == 1
    assert controller.views[-1].options == ["red", "blue"]


def test_a_checkpoint_that_cannot_be_written_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="cannot keep conversations"):
        agent_of(Scripted(), checkpoint=tmp_path / "no" / "such" / "folder.sqlite")
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(UsageError, match="not a database"):
        agent_of(Scripted(), checkpoint=broken)


def test_pictures_come_as_paths_bytes_images_and_pictures(png):
    agent = agent_of(Scripted(calls("count")))
    for image in (png, str(png), png.read_bytes(), Image.open(png), Picture.open(png)):
        assert agent.ask(image, "What colour?").text == "rgb 200 10 20"


@pytest.mark.parametrize(
    ("question", "how", "said"),
    [
        ("  ", {}, "empty"),
        ("x" * 5000, {}, "5000 characters"),
        ("Which?", {"options": ["one"]}, "2 to 26"),
        ("Which?", {"options": []}, "2 to 26"),
        ("Which?", {"options": [str(number) for number in range(27)]}, "2 to 26"),
        ("Which?", {"options": ["one", " ONE "]}, "twice"),
        ("Which?", {"options": ["one", " "]}, "empty"),
        ("Which?", {"options": "ab"}, "list"),
        ("Which?", {"mode": "sometimes"}, "sometimes"),
        ("Which?", {"threshold": 1.5}, "between 0 and 1"),
        ("Which?", {"threshold": float("nan")}, "between 0 and 1"),
    ],
)
def test_wrong_input_is_a_usage_error_of_one_line(png, question, how, said):
    controller = Scripted()
    with pytest.raises(UsageError, match=said) as error:
        agent_of(controller).ask(png, question, **how)
    assert "\n" not in str(error.value)
    assert not controller.views


def test_a_picture_that_is_not_there_is_a_picture_error(tmp_path):
    with pytest.raises(PictureError):
        agent_of(Scripted()).stream(tmp_path / "none.png", "What?")


def test_errors_of_the_controller_reach_the_caller(png):
    class Down(Scripted):
        def decide(self, view: View) -> Decision:
            raise ControllerError("http://nowhere does not answer")

    with pytest.raises(P2GError, match="nowhere"):
        agent_of(Down()).ask(png, "What?")


def test_many_threads_ask_one_agent_and_one_controller_at_a_time(png):
    class Careful(Scripted):
        inside = 0

        def decide(self, view: View) -> Decision:
            assert self.inside == 0
            self.inside += 1
            threading.Event().wait(0.01)
            self.inside -= 1
            return Decision(answer=view.question)

    agent, answers = agent_of(Careful()), {}

    def ask(number: int) -> None:
        answers[number] = agent.ask(png, f"number {number}", thread_id=f"t{number % 3}").text

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: f"number {number}" for number in range(12)}


def test_the_async_twin_gives_the_same_and_runs_side_by_side(png):
    agent = agent_of(Streaming(calls("count")))

    async def run():
        answers = await asyncio.gather(*(agent.aask(png, f"What {number}?") for number in range(4)))
        kinds = [event.kind async for event in agent.astream(png, "What?")]
        async for event in agent.astream(png, "What?"):
            first = event
            break
        with pytest.raises(UsageError):
            await anext(agent.astream(png, ""))
        return answers, kinds, first

    answers, kinds, first = asyncio.run(run())
    assert [answer.text for answer in answers] == ["today"] * 4
    assert kinds == ["decision", "expert_started", "expert_finished", "focus", "decision", "delta", "delta", "done"]
    assert first.kind == "decision"


def test_the_graph_runs_on_langgraphs_async_saver_by_path_alone(png, tmp_path):
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    from agent.graph import build_graph

    async def run():
        async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "a.sqlite")) as saver:
            graph = build_graph(Scripted(calls("count")), Runner([Count()]), checkpointer=saver)
            config = {"configurable": {"thread_id": "1"}}
            first = await graph.ainvoke({"image": str(png), "question": "What?"}, config)
            second = await graph.ainvoke({"question": "And now?"}, config)
            return first, second, await graph.aget_state(config)

    first, second, state = asyncio.run(run())
    assert first["answer"]["text"] == "rgb 200 10 20"
    assert second["answer"]["ledger"]["experts"][0]["cached"]
    assert [turn["question"] for turn in state.values["history"]] == ["What?", "And now?"]
    json.dumps(state.values)


def test_options_of_one_question_do_not_leak_into_the_next_of_a_bare_graph(png):
    from langgraph.checkpoint.memory import InMemorySaver

    from agent.graph import build_graph

    controller = Scripted(Decision())
    graph = build_graph(controller, Runner([Count()]), checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    graph.invoke({"image": str(png), "question": "What?", "options": ["a", "b"], "mode": "direct"}, config)
    graph.invoke({"question": "And now?"}, config)
    assert controller.views[-1].options is None
    assert controller.views[-1].mode == "learned"


def test_a_graph_without_a_picture_says_so():
    from agent.graph import build_graph

    with pytest.raises(PictureError, match="no picture"):
        build_graph(Scripted(), Runner([])).invoke(Question(question="What?"))


def test_large_texts_of_a_picture_pass_through_the_state(tmp_path):
    class Page(Tool):
        name = "page"
        description = "Returns many lines, as a dense page has."

        def __call__(self, picture, args):
            return [Region(box=(0, n, 10, n + 1), text=f"line {n} <|im_start|>") for n in range(900)]

    path = tmp_path / "page.png"
    image = Image.new("RGB", (100, 1000), "white")
    ImageDraw.Draw(image).text((5, 5), "hello", fill="black")
    image.save(path)
    answer = agent_of(Scripted(calls("page")), Page()).ask(path, "What?", thread_id="long")
    assert len(answer.evidence) == 900
    assert answer.evidence[7].text == "line 7 <|im_start|>"


@pytest.mark.parametrize(("most", "seen"), [(2, ["b", "c"]), (0, [])])
def test_a_given_history_is_cut_to_the_turns_that_are_remembered(png, most, seen):
    controller = Scripted()
    history = [Turn(question=question, answer="yes") for question in "abc"]
    agent_of(controller, limits=Limits(max_turns=most)).ask(png, "d", history=history)
    assert [turn.question for turn in controller.views[0].history] == seen
