"""Where the time goes, measured in one run: start, import, load, OCR, decide, answer, and a second question.

`python -m evaluation.bench --json runs/bench.json`, or `make bench`. The page is rendered here (2000x1500, seeded), so
that "read" can be held to the exact lines; figures of different machines do not compare, their ratios do.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image, ImageDraw, ImageFont
from pydantic import BaseModel

from evaluation.cli_output import prepare_output
from tools.errors import P2GError
from tools.pictures import Picture
from tools.read import Read, ReadArgs

if TYPE_CHECKING:
    from agent.profiles import ReadSettings

SIZE, LINES, SEED = (2000, 1500), 32, 7
WORDS = [
    *("account", "address", "arrival", "balance", "bridge", "building", "carbon", "centre", "change", "column"),
    *("copper", "county", "customer", "delivery", "engine", "estate", "exchange", "factory", "flour", "glass"),
    *("harbour", "income", "journal", "kitchen", "ladder", "lemon", "library", "machine", "museum", "number"),
    *("orange", "parcel", "platform", "quarter", "railway", "river", "silver", "station", "timber", "warehouse"),
]
HEAVY = ["torch", "transformers", "peft", "langgraph.graph", "onnxruntime", "rapidocr"]


class Bench(BaseModel):
    """Milliseconds by step, and what was measured beside them."""

    machine: dict[str, Any]
    ms: dict[str, float]
    lines: int
    lines_exact: int
    first: dict[str, Any]
    second: dict[str, Any]


def render_page(seed: int = SEED) -> tuple[Image.Image, list[str]]:
    """A 2000x1500 page of words, codes and amounts at 30 pixels, and its lines from the top."""
    draw_from = random.Random(seed)
    page = Image.new("RGB", SIZE, "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(30)
    lines = []
    for number in range(LINES):
        words = draw_from.sample(WORDS, 11)
        words.insert(draw_from.randrange(12), f"{draw_from.randrange(1, 10_000)}.{draw_from.randrange(100):02}")
        words.insert(draw_from.randrange(13), f"{draw_from.choice('ABCDEFGH')}{draw_from.randrange(100, 1000)}")
        lines.append(" ".join(words))
        pen.text((110, 60 + number * 44), lines[-1], fill="black", font=font)
    return page, lines


def exact_lines(lines: list[str], read: list[str]) -> int:
    """How many lines were read to the last character; white space at the ends does not count, each reading once."""
    return sum((Counter(lines) & Counter(text.strip() for text in read)).values())


def timed(do: Callable[[], Any]) -> tuple[float, Any]:
    """(milliseconds, result)."""
    start = time.perf_counter()
    result = do()
    return round((time.perf_counter() - start) * 1000, 1), result


def start_of_cli(times: int = 5) -> float:
    """Median wall time of `p2g --help` in a new process."""
    command = [sys.executable, "-m", "agent.cli", "--help"]
    runs = [timed(lambda: subprocess.run(command, check=True, capture_output=True))[0] for _ in range(times)]
    return statistics.median(runs)


def import_heavy() -> None:
    for name in HEAVY:
        importlib.import_module(name)


def engines(settings: ReadSettings | Literal[False]) -> dict[str, Read]:
    """rapidocr and openvino with equally many threads, to be compared; none where the profile reads with another one
    or there is no openvino."""
    if settings is False or settings.engine != "rapidocr" or not find_spec("openvino"):
        return {}
    threads = settings.threads or os.cpu_count() or 1
    return {"rapidocr": Read("rapidocr", threads), "openvino": Read("openvino", threads)}


def times(reader: Read, picture: Picture, repeats: int) -> list[float]:
    """Milliseconds of each reading, without loading."""
    reader.ready()
    return [timed(lambda: reader(picture, ReadArgs()))[0] for _ in range(repeats)]


def run(profile_name: str, repeats: int) -> Bench:
    """All steps, in the order in which a question meets them."""
    from agent import Agent
    from agent.profiles import load_profile

    ms = {"p2g --help": start_of_cli(), "import": timed(import_heavy)[0]}
    profile = load_profile(profile_name).model_copy(update={"keep_results": False})
    controller = profile.build_controller()
    ms["load controller"] = timed(getattr(controller, "setup", lambda: None))[0]
    reader = next(tool for tool in profile.build_tools() if tool.name == "read")
    ms["load read"] = timed(reader.ready)[0]

    image, lines = render_page()
    picture = Picture.open(image)
    readings = [timed(lambda: reader(picture, reader.parse({}))) for _ in range(repeats)]
    ms["OCR, 2000x1500, first"] = readings[0][0]
    ms["OCR, 2000x1500"] = statistics.median(spent for spent, _ in readings)
    for name, engine in engines(profile.experts.read).items():
        spent = times(engine, picture, repeats)
        ms[f"OCR by {name}, first"], ms[f"OCR by {name}"] = spent[0], statistics.median(spent)

    agent = Agent(controller, profile.build_runner())
    for tool in agent.runner.tools.values():
        if tool.unavailable() is None:
            tool.ready()
    words = lines[LINES // 2].split()
    asked = [f"Which word comes after {words[1]}?", f"Which word comes after {words[2]}?"]
    answers = []
    for name, question in zip(("first", "second"), asked, strict=True):
        answer = agent.ask(picture, question, mode="always", thread_id="bench")
        ms |= {f"{name} question: {step}": round(spent, 1) for step, spent in answer.ledger.ms.items()}
        answers.append(answer.ledger.model_dump())
    return Bench(
        machine={"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        ms=ms,
        lines=len(lines),
        lines_exact=exact_lines(lines, [region.text or "" for region in readings[-1][1]]),
        first=answers[0],
        second=answers[1],
    )


def show(bench: Bench) -> None:
    """The table on stdout."""
    for name, spent in bench.ms.items():
        print(f"{name:<28}{spent / 1000:>9.3f} s")
    share = bench.lines_exact / bench.lines
    print(f"{'lines read exactly':<28}{bench.lines_exact:>5} of {bench.lines} ({share:.1%})")
    for name, ledger in (("first", bench.first), ("second", bench.second)):
        usage = ledger["usage"]
        again = ", ".join(f"{cost['expert']} {'cached' if cost['cached'] else 'run'}" for cost in ledger["experts"])
        print(f"{name + ' question':<28}{usage['cached_tokens']:>5} of {usage['prompt_tokens']} tokens cached; {again}")
    total = {name: bench.ms.get(f"{name} question: total", 0.0) for name in ("first", "second")}
    if total["first"]:
        print(f"{'second / first':<28}{total['second'] / total['first']:>9.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="nano")
    parser.add_argument("--repeats", type=int, default=3, help="OCR runs; the median counts")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    os.environ.setdefault("TQDM_DISABLE", "1")
    try:
        if options.json:
            prepare_output(options.json)
        bench = run(options.profile, max(1, options.repeats))
    except P2GError as error:
        print(f"bench: error: {error}", file=sys.stderr)
        return error.exit_code
    show(bench)
    if options.json:
        options.json.write_text(json.dumps(bench.model_dump(), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
