"""P²GB-S: 1,600 questions about generated high-resolution scenes, which everyone makes from the shipped pack.

`object` and `text` (600 each) share kinds of things, fonts and phrasings with training scenes, never seeds; `unseen`
(400) has only what training never shows. The hash of the questions, which hold the hashes of their pictures, is
compared with the recorded one: other versions of Pillow, OpenCV or matplotlib draw other pictures.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.metadata
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from pydantic import BaseModel

from agent.profiles import p2g_home
from evaluation.benchmarks import p2gb_s_draw
from evaluation.benchmarks.base import Benchmark
from evaluation.benchmarks.format import QUESTIONS, Question, read_questions
from evaluation.benchmarks.p2gb_s_draw import Part, choose, write_questions
from evaluation.benchmarks.scoring import p2gb
from policies.data import scenes, values
from tools.errors import P2GError

RECORD = Path(__file__).with_suffix(".json")
DRAWN_BY = ("pillow", "numpy", "matplotlib", "opencv-python-headless", "opencv-contrib-python", "opencv-python")
PARTS = (
    Part("object", "test", ("object",), 600, 9_100_000),
    Part("text", "test", ("text",), 600, 9_200_000),
    Part("unseen", "unseen", ("object", "text"), 400, 9_300_000),
)
DEV = (Part("object", "train", ("object",), 200, 70_000_000), Part("text", "train", ("text",), 200, 70_100_000))
"""Scenes that nothing trains on, to choose weights and settings by: never by those of `PARTS`."""


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def load(folder: Path | None = None, part: str | None = None, parts: Sequence[Part] = PARTS) -> list[Question]:
    """The questions, of one part or all; made first if the cache has none (a few minutes, once)."""
    questions = read_questions(folder or build(p2g_home(), parts, say=tell))
    return [question for question in questions if part is None or question.id.startswith(f"{part}-")]


def built(home: Path, parts: Sequence[Part] = PARTS) -> Path:
    """Where it is under the cache, made or not; a changed generator has another folder and never meets old pictures."""
    return home / "benchmarks" / "p2gb-s" / sources(parts)[:12]


def here(parts: Sequence[Part] = PARTS) -> Path | None:
    folder = built(p2g_home(), parts)
    return folder if (folder / QUESTIONS).is_file() else None


ABOUT = {
    "object": "what is where, how many, of what colour",
    "text": "what is written",
    "unseen": "both, of unseen kinds",
}
BENCHMARKS = (
    Benchmark("p2gb-s", "generated scenes, all parts", "accuracy", load, p2gb, here=here),
    *(
        Benchmark(f"p2gb-s-{name}", f"generated scenes: {about}", "accuracy", partial(load, part=name), p2gb, here=here)
        for name, about in ABOUT.items()
    ),
    Benchmark(
        "p2gb-s-dev",
        "like its seen parts, no test: to choose by",
        "accuracy",
        partial(load, parts=DEV),
        p2gb,
        here=partial(here, DEV),
    ),
)


def build(
    home: Path,
    parts: Sequence[Part] = PARTS,
    workers: int | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """The folder of P²GB-S under the cache `home`, made if need be. Pictures made before an interruption are kept."""
    folder = built(home, parts)
    if (folder / QUESTIONS).is_file():
        return folder
    work = folder.with_suffix(".partial")
    work.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process that makes the same is waited for; the lock ends with it
        if not (folder / QUESTIONS).is_file():
            work.mkdir(exist_ok=True)
            say(f"p2gb-s: drawing scenes for {sum(part.count for part in parts)} questions into {folder}")
            number = workers if workers is not None else min(8, os.cpu_count() or 1)
            write_questions(work, {part.name: choose(part, work, number, say) for part in parts})
            os.replace(work, folder)
            if tuple(parts) == PARTS:
                say(f"p2gb-s: {verdict(folder)}")
    return folder


class Record(BaseModel):
    """Where the documented figures come from: hash of the questions, of what drew them, and versions."""

    sha256: str
    sources: str
    drawn_by: dict[str, str]


def sources(parts: Sequence[Part] = PARTS) -> str:
    """Hash of all that decides the content but for installed packages: the makers of scenes, the pack, the choice."""
    makers = sorted(Path(scenes.__file__).parent.rglob("*"))
    digest = hashlib.sha256(repr(parts).encode())
    for path in [*makers, Path(values.__file__), Path(p2gb_s_draw.__file__)]:
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def content(folder: Path) -> str:
    """SHA-256 of `questions.jsonl`, which holds the hash of every picture."""
    return hashlib.sha256((folder / QUESTIONS).read_bytes()).hexdigest()


def drawn_by() -> dict[str, str]:
    installed = {found.metadata["Name"].lower(): found.version for found in importlib.metadata.distributions()}
    return {name: installed[name] for name in DRAWN_BY if name in installed}


def verdict(folder: Path) -> str:
    """One line: the hash, and whether it is the recorded one or why it is not."""
    found = content(folder)
    if not RECORD.exists():
        return f"content {found[:16]}, and none is recorded"
    record = Record.model_validate_json(RECORD.read_bytes())
    if found == record.sha256:
        return f"content {found[:16]}, as recorded"
    here = drawn_by()
    other = [f"{name} {here.get(name)} and not {was}" for name, was in record.drawn_by.items() if here.get(name) != was]
    changed = ["the makers of scenes have changed"] if sources() != record.sources else []
    reason = "; ".join(changed + other) or "for a reason that is not known"
    return (
        f"content {found[:16]} is NOT the recorded {record.sha256[:16]} ({reason}): compare figures only with runs of "
        "the same content"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m evaluation.benchmarks.p2gb_s`: makes it, says what is in it; `--record` keeps its hash in the code."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.p2gb_s", description=main.__doc__)
    parser.add_argument("--home", type=Path, default=p2g_home(), help="the cache")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--record", action="store_true", help="this content is what figures are compared with")
    given = parser.parse_args(arguments)
    try:
        folder = build(given.home, workers=given.workers, say=tell)
        questions = read_questions(folder)
    except P2GError as error:
        raise SystemExit(str(error)) from error
    if given.record:
        record = Record(sha256=content(folder), sources=sources(), drawn_by=drawn_by())
        RECORD.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    pictures = {question.path for question in questions}
    print(f"{folder}: {len(questions)} questions, {len(pictures)} pictures, ", end="")
    print(f"{sum(path.stat().st_size for path in pictures) / 1e6:.0f} MB")
    for part in PARTS:
        mine = [question for question in questions if question.id.startswith(f"{part.name}-")]
        kinds = ", ".join(f"{kind} {count}" for kind, count in Counter(q.kind for q in mine).most_common())
        print(f"{part.name}: {len(mine)} ({sum(q.needs_experts is True for q in mine)} need experts); {kinds}")
    print(verdict(folder))


if __name__ == "__main__":
    main()
