"""The same run over Ray: `ray.data` maps the questions over actors that hold an agent each; the rows come back here.

The driver writes the run folder, so that resuming, shards and reports are those of a local run. On a cluster
(`RAY_ADDRESS`) pictures and weights must be found under the same paths on every node. Needs `pip install 'p2g[ray]'`.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from agent.together import stopping
from agent.types import Step
from evaluation.asking import Asker, Asking, Asks, BenchMode, Load
from evaluation.benchmarks.base import Question
from evaluation.journal import Journal
from evaluation.rows import Row
from evaluation.runner import Plan, Task
from tools.errors import ControllerError, UsageError

if TYPE_CHECKING:
    from agent.profiles import Profile

MAX_BLOCKS = 2000  # a block's rows arrive together: few enough blocks for Ray, few enough rows to lose with the driver
OBJECT_STORE_BYTES = 200 * 2**20


class Actor:
    """An agent in its own process, loaded once; asked one question after another."""

    asking: Asking
    load: Load

    def __init__(self) -> None:
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        self.asks = type(self).load()

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        question = Question.model_validate_json(item["question"])
        question._directory = Path(item["directory"])
        row, steps = self.asking(self.asks, question, cast(BenchMode, item["mode"]))
        return {"row": to_json(row.model_dump(mode="json")), "steps": to_json([step.model_dump() for step in steps])}


def load_asker(profile: Profile, modes: list[str], cold: bool) -> Load:
    """What an actor loads."""
    return cast("Callable[[], Asks]", partial(Asker.load, profile, modes, cold))


def ask_over_ray(
    plan: Plan,
    tasks: Sequence[Task],
    load: Load,
    journal: Journal,
    *,
    actors: int = 1,
    tell: Callable[[Row], None] = lambda row: None,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """`ask_all` over Ray. Raises `UsageError` without Ray, `ControllerError` when no actor can be kept alive.

    On Ctrl-C the rows that have arrived are kept; what actors are busy with is asked again next time.
    """
    with connected(actors, say) as ray, stopping(say) as stop:
        items = [
            {
                "question": question.model_dump_json(),
                "directory": str(question._directory.absolute()),
                "mode": mode,
            }
            for question, mode in tasks
        ]
        mine = type("P2GActor", (Actor,), {"asking": plan.asking, "load": staticmethod(load)})
        pool = ray.data.ActorPoolStrategy(size=min(actors, len(items)))
        asked = ray.data.from_items(items, override_num_blocks=min(len(items), MAX_BLOCKS)).map(mine, compute=pool)
        try:
            for item in asked.iter_rows():
                row = Row.model_validate_json(item["row"])
                journal.append(row, [Step.model_validate(step) for step in json.loads(item["steps"])])
                tell(row)
                if stop.is_set():
                    raise KeyboardInterrupt
        except ray.exceptions.RayError as error:
            raise ControllerError(
                f"Ray gave up ({reason(error)}); its rows are kept, the same command goes on"
            ) from None


@contextmanager
def connected(actors: int, say: Callable[[str], None]) -> Iterator[Any]:
    """Ray, connected to `RAY_ADDRESS` or started on this machine; left as it was found."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError:
        raise UsageError("--ray needs Ray, which is not installed: pip install 'p2g[ray]'") from None
    mine = not ray.is_initialized()
    if mine:
        here: dict[str, Any] = {"num_cpus": max(actors, os.cpu_count() or 1), "object_store_memory": OBJECT_STORE_BYTES}
        if not os.environ.get("RAY_ADDRESS"):
            say("starting Ray on this machine")
        ray.init(
            **({} if os.environ.get("RAY_ADDRESS") else {**here, "include_dashboard": False}),
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield ray
    finally:
        if mine:
            ray.shutdown()


def reason(error: Exception) -> str:
    """The last line of a Ray error that says something: the actor's own exception."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__


def to_json(data: Any) -> str:
    return json.dumps(data, default=str)
