"""The runner: checked, concurrent, bounded, cached; one bad call never harms another."""

import subprocess
import sys
import threading
import time

import pytest
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from tools import Call, ExpertError, NoArgs, Picture, Region, ResultCache, ResultLimits, Runner, Tool, UsageError

BOX = (1.0, 2.0, 30.0, 20.0)


class NumberArgs(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: int = Field(default=1, ge=0)


class Counter(Tool):
    name = "counter"
    description = "Counts how often it was called."
    Args = NumberArgs

    def __init__(self):
        self.calls, self.setups = [], 0

    def setup(self):
        self.setups += 1

    def __call__(self, picture, args):
        self.calls.append(args.number)
        return [Region(box=BOX, label=str(args.number))]


def tool(body, name="other", **more):
    members = {"name": name, "description": "A tool for one test.", "__call__": body, **more}
    return type("Other", (Tool,), members)()


@pytest.fixture
def picture():
    return Picture.open(Image.new("RGB", (100, 80)))


def run(tools, picture, *calls, **options):
    return Runner(tools, **options).run(picture, [Call(expert=name, args=args) for name, args in calls])


def test_results_come_in_call_order_with_their_source(picture):
    results = run([Counter()], picture, *(("counter", {"number": n}) for n in (3, 1, 2)))
    assert [result.regions[0].label for result in results] == ["3", "1", "2"]
    assert {result.regions[0].source for result in results} == {"counter"}
    assert [result.call.args["number"] for result in results] == [3, 1, 2]
    assert all(result.error is None and not result.cached and result.ms > 0 for result in results)


def test_no_calls(picture):
    assert run([Counter()], picture) == []


@pytest.mark.parametrize(
    ("expert", "args", "words"),
    [
        ("counter", {"number": "many"}, ["counter: number:", "it takes number"]),
        ("counter", {"number": -1}, ["number", "greater than or equal to 0"]),
        ("counter", {"colour": 1}, ["colour", "not permitted"]),
        ("count", {}, ["no expert 'count'", "counter"]),
    ],
)
def test_wrong_calls_are_errors_of_one_line(picture, expert, args, words):
    counter = Counter()
    wrong, right = run([counter], picture, (expert, args), ("counter", {}))
    assert all(word in wrong.error for word in words)
    assert "\n" not in wrong.error
    assert right.regions
    assert counter.calls == [1]


@pytest.mark.parametrize("crash", [ValueError("bad\nthing"), RuntimeError(), SystemExit(3), MemoryError("big")])
def test_a_crash_stays_in_its_own_result(picture, crash):
    def body(self, picture, args):
        raise crash

    crashed, fine = run([tool(body), Counter()], picture, ("other", {}), ("counter", {}))
    assert "other crashed" in crashed.error
    assert type(crash).__name__ in crashed.error
    assert "\n" not in crashed.error
    assert fine.regions


def test_an_experts_own_error_is_passed_on(picture):
    def body(self, picture, args):
        raise ExpertError("other: nothing to see here; go on")

    assert run([tool(body)], picture, ("other", {}))[0].error == "other: nothing to see here; go on"


@pytest.mark.parametrize("returned", [None, "text", [1], {"a": 1}])
def test_results_that_are_not_regions_are_an_error(picture, returned):
    result = run([tool(lambda self, picture, args: returned)], picture, ("other", {}))[0]
    assert "not a list of Region" in result.error


def test_a_failing_setup_is_an_error_and_is_tried_again(picture):
    class Late(Counter):
        name = "late"

        def setup(self):
            super().setup()
            if self.setups == 1:
                raise OSError("weights are missing")

    runner = Runner([Late()])
    first = runner.run(picture, [Call(expert="late")])[0]
    assert "weights are missing" in first.error
    assert runner.run(picture, [Call(expert="late")])[0].regions


def test_calls_run_at_the_same_time(picture):
    barrier = threading.Barrier(3, timeout=30)  # passes only when all three calls are inside it

    def body(self, picture, args):
        barrier.wait()
        return []

    results = run([tool(body, Args=NumberArgs)], picture, *(("other", {"number": n}) for n in range(3)))
    assert [result.error for result in results] == [None] * 3


def test_no_more_than_max_workers_at_a_time(picture):
    lock, inside, most = threading.Lock(), [], []

    def body(self, picture, args):
        with lock:
            inside.append(args.number)
            most.append(len(inside))
        time.sleep(0.01)
        with lock:
            inside.remove(args.number)
        return []

    calls = [("other", {"number": n}) for n in range(8)]
    assert all(result.error is None for result in run([tool(body, Args=NumberArgs)], picture, *calls, max_workers=2))
    assert len(most) == 8
    assert max(most) <= 2


def test_an_expert_that_is_not_thread_safe_gets_one_call_at_a_time(picture):
    lock, most = threading.Lock(), []

    def body(self, picture, args):
        most.append(lock.acquire(blocking=False))
        time.sleep(0.01)
        lock.release()
        return []

    calls = [("other", {"number": n}) for n in range(5)]
    results = run([tool(body, Args=NumberArgs, thread_safe=False)], picture, *calls)
    assert [result.error for result in results] == [None] * 5
    assert most == [True] * 5


@pytest.mark.parametrize("override", [None, 0.05, {"other": 0.05}])
def test_a_hung_expert_is_given_up_and_the_others_are_not(picture, override):
    release = threading.Event()
    stuck = tool(lambda self, picture, args: release.wait(60) and [], timeout_s=0.05 if override is None else 60)
    hung, fine = run([stuck, Counter()], picture, ("other", {}), ("counter", {}), timeout_s=override)
    release.set()
    assert "other was given up after 0.05 s" in hung.error
    assert not hung.regions
    assert fine.regions


def test_a_late_result_of_a_given_up_call_is_not_kept(picture):
    release, ended = threading.Event(), threading.Event()

    def body(self, picture, args):
        release.wait(60)
        ended.set()
        return [Region(box=BOX)]

    runner = Runner([tool(body, timeout_s=0.05)])
    assert runner.run(picture, [Call(expert="other")])[0].error
    release.set()
    assert ended.wait(30)
    again = runner.run(picture, [Call(expert="other")])[0]
    assert again.regions
    assert not again.cached


def test_loading_does_not_count_against_the_time_of_a_call(picture):
    slow = tool(lambda self, picture, args: [], timeout_s=0.2, setup=lambda self: time.sleep(0.5))
    assert run([slow], picture, ("other", {}))[0].error is None


def test_loading_that_hangs_is_given_up_too(picture):
    release = threading.Event()
    stuck = tool(lambda self, picture, args: [], timeout_s=0.01, setup=lambda self: release.wait(60))
    result = run([stuck], picture, ("other", {}), limits=ResultLimits(setup_timeout_s=0.05))[0]
    release.set()
    assert "loading" in result.error


def test_a_hung_expert_does_not_keep_the_process_from_exiting():
    script = """
import threading
from PIL import Image
from tools import Call, Picture, Runner, Tool

class Stuck(Tool):
    name = "stuck"
    description = "Never comes back."
    timeout_s = 0.1
    def __call__(self, picture, args):
        threading.Event().wait()

print(Runner([Stuck()]).run(Picture.open(Image.new("RGB", (9, 9))), [Call(expert="stuck")])[0].error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert "given up" in done.stdout
    assert done.returncode == 0
    assert done.stderr == ""


def test_an_interrupt_reaches_the_caller_and_the_runner_works_on(picture):
    def stop(event):
        if event.kind == "done":
            raise KeyboardInterrupt

    runner = Runner([Counter()])
    with pytest.raises(KeyboardInterrupt):
        runner.run(picture, [Call(expert="counter")], on_event=stop)
    assert runner.run(picture, [Call(expert="counter")])[0].regions


def test_results_are_cached_by_picture_expert_and_arguments(picture):
    counter = Counter()
    runner = Runner([counter])

    def once(picture, **args):
        return runner.run(picture, [Call(expert="counter", args=args)])[0]

    first, second = once(picture, number=1), once(picture)  # the default is 1: the same call
    assert (first.cached, second.cached) == (False, True)
    assert first.regions == second.regions
    assert counter.calls == [1]
    assert not once(picture, number=2).cached
    assert not once(Picture.open(Image.new("RGB", (100, 80), "red"))).cached
    assert once(Picture.open(Image.new("RGB", (100, 80)))).cached  # another object, the same pixels
    assert counter.setups == 1


def test_errors_are_not_cached(picture):
    calls = []

    def body(self, picture, args):
        calls.append(1)
        raise ValueError

    runner = Runner([tool(body)])
    for _ in range(2):
        assert runner.run(picture, [Call(expert="other")])[0].error
    assert len(calls) == 2


def test_another_version_or_setting_is_another_result(picture):
    cache, counter = ResultCache(), Counter()
    run([counter], picture, ("counter", {}), cache=cache)
    newer = type("Newer", (Counter,), {"version": "2"})()
    assert not run([newer], picture, ("counter", {}), cache=cache)[0].cached
    tuned = type("Tuned", (Counter,), {"cache_key": lambda self: "1-large"})()
    assert not run([tuned], picture, ("counter", {}), cache=cache)[0].cached
    assert run([counter], picture, ("counter", {}), cache=cache)[0].cached


def test_equal_calls_of_one_batch_run_once(picture):
    counter = Counter()
    results = run([counter], picture, ("counter", {}), ("counter", {"number": 1}), ("counter", {"number": 2}))
    assert sorted(counter.calls) == [1, 2]
    assert [result.cached for result in results] == [False, True, False]
    assert results[0].regions == results[1].regions


def test_boxes_are_clamped_and_what_lies_outside_is_dropped(picture):
    found = [(-10, -10, 50, 900), (200, 0, 300, 50), (10, 10, float("inf"), 20)]
    result = run([tool(lambda self, picture, args: [Region(box=box) for box in found])], picture, ("other", {}))[0]
    assert [region.box for region in result.regions] == [(0, 0, 50, 80), (10, 10, 100, 20)]


def test_too_large_results_are_cut_and_say_so(picture):
    regions = [Region(box=BOX, text="x" * 50) for _ in range(5)]
    limits = ResultLimits(max_regions=3, max_text=20)
    runner = Runner([tool(lambda self, picture, args: regions)], limits=limits)
    for _ in range(2):  # from the expert and from the cache
        result = runner.run(picture, [Call(expert="other")])[0]
        assert len(result.regions) == 3
        assert result.regions[0].text == "x" * 20 + "…"
        assert "3 of 5 regions" in result.note
        assert "20 characters" in result.note
    assert run([Counter()], picture, ("counter", {}))[0].note is None


def test_events_tell_what_happens(picture):
    events = []
    calls = [Call(expert="counter"), Call(expert="nobody"), Call(expert="counter", args={"number": 2})]
    results = Runner([Counter()]).run(picture, calls, on_event=events.append)
    assert [event.index for event in events if event.kind == "start"] == [0, 1, 2]
    done = {event.index: event.result for event in events if event.kind == "done"}
    assert [done[index] for index in range(3)] == results
    assert events[0].kind == "start"


def test_experts_that_cannot_run_are_known_by_reason(picture):
    lacking = tool(lambda self, picture, args: [], unavailable=lambda self: "needs a licence; buy one")
    broken = tool(lambda self, picture, args: [], name="broken", unavailable=lambda self: 1 / 0)
    runner = Runner([Counter(), lacking, broken])
    assert set(runner.unavailable()) == {"other", "broken"}
    assert [schema["name"] for schema in runner.schemas()] == ["counter"]
    result = runner.run(picture, [Call(expert="other")])[0]
    assert result.error == "other: needs a licence; buy one"


def test_two_experts_of_one_name_are_refused():
    with pytest.raises(UsageError, match="two experts are named 'counter'"):
        Runner([Counter(), Counter()])


def test_one_runner_serves_many_threads(picture):
    counter, results = Counter(), []
    runner = Runner([counter])

    def ask(number):
        results.append(runner.run(picture, [Call(expert="counter", args={"number": number % 4})])[0])

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 16
    assert all(result.regions[0].label == str(result.call.args["number"]) for result in results)
    assert counter.setups == 1


def test_a_text_that_is_not_unicode_does_not_lose_the_question(picture):
    class Broken(Tool):
        name = "broken_text"
        description = "Returns half of a surrogate pair."

        def __call__(self, picture: Picture, args: NoArgs) -> list[Region]:
            return [Region(box=(0, 0, 5, 5), text="ab\ud83d")]

    (result,) = Runner([Broken()]).run(picture, [Call(expert="broken_text")])
    assert result.regions[0].text == "ab?"
    assert result.model_dump_json()
