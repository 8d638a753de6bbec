"""What experts would return for a scene, with their faults: regions of an expert for objects, lines of one for text.

Faults follow what detectors and engines really do: boxes a little off, a thing overlooked, another thing given the name
that was asked for (above all one of its kind in another colour), letters misread, lines run together. Where a fault takes
away what decides a question, `lost` says so, and its answer becomes "not in the image" or the question is left out.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from policies.data.page import Line, Page, Question, Span
from policies.data.reading import Reading, misread
from policies.data.scenes.scene import Box, SceneQuestion, Thing
from policies.data.tree import ANY
from policies.data.visual_names import About, Named
from policies.data.visual_scene import SeenScene
from policies.text.protocol import RegionLine

WORKED_OUT = ("count", "arithmetic")  # kinds of questions whose answer is a number that need not be written anywhere


@dataclass(frozen=True)
class Faults:
    """How often an expert for objects errs; `Faults.none()` for the truth."""

    jitter: float = 0.03  # of a box's side, standard deviation of each edge
    overlooked: float = 0.03  # of the things it should find
    mistaken: float = 0.06  # of the names: one other thing is called so
    colour_blind: float = 0.3  # of the names with a colour: things of that kind in other colours are called so

    @classmethod
    def none(cls) -> Faults:
        return cls(0.0, 0.0, 0.0, 0.0)


@dataclass
class Found:
    """Lines of a focus turn with the boxes (pixels) of those that have one, and the things that were overlooked."""

    lines: list[RegionLine] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)  # id() of things

    def __len__(self) -> int:
        return len(self.boxes)


def ground(
    names: Sequence[Named], seen: SeenScene, rng: random.Random, faults: Faults, keep: set[int], most: int
) -> Found:
    """What an expert finds for `names`; things in `keep` (by id) are not overlooked, and mistakes make no more than
    `most` regions."""
    out = Found()
    groups: list[list[tuple[str, Box]]] = []
    absent: list[str] = []
    taken: set[int] = set()
    room = most - region_count(names, seen)
    groundable = [thing for thing in seen.objects if Named(ANY).fits(thing)]
    for name in names:
        right = [thing for thing in groundable if name.fits(thing) and (name.kind != ANY or id(thing) not in taken)]
        missed = [t for t in right if id(t) not in keep and rng.random() < faults.overlooked]
        out.lost |= {id(thing) for thing in missed}
        shown = [thing for thing in right if id(thing) not in out.lost]
        wrong: list[Thing] = []
        if name.colour and rng.random() < faults.colour_blind:
            wrong += [t for t in groundable if t.name == name.kind and t.colour != name.colour][:2]
        others = [thing for thing in groundable if thing.name != name.kind]
        if others and name.kind != ANY and rng.random() < faults.mistaken:
            wrong.append(rng.choice(others))
        wrong = wrong[: max(0, room)]
        room -= len(wrong)
        taken |= {id(thing) for thing in shown}
        if not shown and not wrong:
            absent.append(str(name))
            continue
        group = [(str(name), seen.jittered(thing.box, rng, faults.jitter)) for thing in [*shown, *wrong]]
        rng.shuffle(group)
        groups.append(group)
    flat = [pair for group in groups for pair in group]
    if rng.random() < 0.3:
        rng.shuffle(flat)
    out.boxes = [box for _, box in flat]
    out.lines = RegionLine.of([label for label, _ in flat], out.boxes, seen.size)
    out.lines += [RegionLine(label) for label in absent]
    return out


def region_count(names: Sequence[Named], seen: SeenScene) -> int:
    """How many regions an expert without faults returns for `names`; a thing counts for each name that fits it."""
    exact = [name for name in names if name.kind != ANY]
    count = sum(name.fits(thing) for thing in seen.objects for name in exact)
    if len(exact) < len(names):
        count += sum(not any(name.fits(t) for name in exact) and Named(ANY).fits(t) for t in seen.objects)
    return count


@dataclass
class ReadScene:
    """The scene's text as it was read. For each question asked about: the spans of its answer (None where the answer is
    not written as such, or was lost) and the numbers of the lines that decide it (None where one was lost)."""

    reading: Reading
    answers: list[list[Span] | None]
    evidence: list[list[int] | None]


def read(seen: SeenScene, asked: Sequence[tuple[SceneQuestion, About]], rng: random.Random) -> ReadScene:
    """All text of the scene as an engine reads it, followed to the answers of the questions `asked`."""
    page = Page(*seen.size, font=None)
    number = {id(thing): i for i, thing in enumerate(seen.texts)}
    for thing in seen.texts:
        page.lines.append(Line(thing.text, thing.box))
    for question, about in asked:
        lines = [number[id(thing)] for thing in about.evidence if id(thing) in number]
        written = [] if question.kind in WORKED_OUT else spans_of(question.answer, lines, page)
        page.questions.append(Question("", written, "answer"))
        page.questions.append(Question("", [page.whole(line) for line in lines], "evidence"))
    reading = misread(page, rng)
    answers: list[list[Span] | None] = []
    evidence: list[list[int] | None] = []
    for i in range(len(asked)):
        answers.append(reading.spans[2 * i] or None)
        whole = reading.spans[2 * i + 1]
        evidence.append(None if whole is None else sorted({span.line for span in whole}))
    return ReadScene(reading, answers, evidence)


def spans_of(answer: str, lines: Sequence[int], page: Page) -> list[Span]:
    """Where `answer` stands in `lines` of the page: within one of them, or as some of them one after another."""
    for line in lines:
        if page.lines[line].text == answer:
            return [page.whole(line)]
    for line in lines:
        start = _word_at(page.lines[line].text, answer)
        if start >= 0:
            return [Span(line, start, start + len(answer))]
    for i in range(len(lines)):
        for j in range(i + 2, len(lines) + 1):
            if " ".join(page.lines[line].text for line in lines[i:j]) == answer:
                return [page.whole(line) for line in lines[i:j]]
    return []


def _word_at(text: str, part: str) -> int:
    """Where `part` stands in `text` as whole words, or -1."""
    start = text.find(part)
    while start >= 0:
        end = start + len(part)
        if not (text[start - 1 : start].isalnum() and start) and not text[end : end + 1].isalnum():
            return start
        start = text.find(part, start + 1)
    return -1
