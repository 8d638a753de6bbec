"""What every scene must keep, whoever made it: `check_scene` names everything that is wrong with one.

Makers are tested with it over many seeds, and P²GB-S takes no scene that fails it. It checks form, not truth: whether a
person would answer the same way is looked at on pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from policies.data.scenes.asking import same
from policies.data.scenes.scene import ABSENT, QUESTION_KINDS, Box, Scene, SceneQuestion, Track, visible_at_thumbnail

LONG_SIDE = (1500, 4000)  # pixels


def check_scene(scene: Scene) -> None:
    """`AssertionError` with all problems, one a line, if there are any."""
    problems = list(scene_problems(scene))
    assert not problems, f"scene {scene.kind!r}: " + "\n".join(problems)


def scene_problems(scene: Scene) -> Iterator[str]:
    """Everything that is wrong, as one line each."""
    size = scene.image.size
    if scene.image.mode != "RGB":
        yield f"the picture is {scene.image.mode}, not RGB"
    if not LONG_SIDE[0] <= max(size) <= LONG_SIDE[1]:
        yield f"the longer side of {size[0]}x{size[1]} is not {LONG_SIDE[0]}-{LONG_SIDE[1]} pixels"
    if not scene.kind:
        yield "it has no kind"
    for number, thing in enumerate(scene.things):
        where = f"thing {number} ({thing.name!r})"
        if not thing.name:
            yield f"{where}: no name"
        if thing.name == "text" and not thing.text.strip():
            yield f"{where}: a text that says nothing"
        if not 0.0 <= thing.visible <= 1.0:
            yield f"{where}: visible is {thing.visible}, not 0-1"
        if thing.visible > 0:
            yield from (f"{where}: {line}" for line in _box_problems(thing.box, size))
    questions = [*scene.questions, *scene.more]
    for number, question in enumerate(questions):
        for line in _question_problems(question, size):
            yield f"question {number} ({question.text!r}): {line}"
    texts = [question.text.casefold() for question in questions]
    for text in sorted({text for text in texts if texts.count(text) > 1}):
        yield f"asked twice: {text!r}"


def _question_problems(question: SceneQuestion, size: tuple[int, int]) -> Iterator[str]:
    for name, text in (("text", question.text), ("answer", question.answer)):
        if not text or text != " ".join(text.split()):
            yield f"its {name} {text!r} is empty or has stray spaces"
    if question.text[-1:] not in "?.":
        yield "it does not end in ? or ."
    if question.kind not in QUESTION_KINDS:
        yield f"unknown kind {question.kind!r}"
    if question.track not in get_args(Track):
        yield f"unknown track {question.track!r}"
    if (question.answer == ABSENT) != (question.kind == "unanswerable"):
        yield f"answer {question.answer!r} does not go with kind {question.kind!r}"
    options = question.options
    if len(options) != 4 or options.count(question.answer) != 1:
        yield f"options {options} are not four with {question.answer!r} once"
    if any(same(a, b) for i, a in enumerate(options) for b in options[:i]):
        yield f"two of the options {options} mean the same"
    for form in question.accepted:
        if not form.strip():
            yield "an accepted form is empty"
        if any(option != question.answer and option.casefold() == form.casefold() for option in options):
            yield f"the accepted form {form!r} is a wrong option"
    if not question.evidence and question.kind not in ("unanswerable", "presence", "count"):
        yield "no evidence"
    for box in question.evidence:
        yield from _box_problems(box, size)
    if question.visible_at_thumbnail and not visible_at_thumbnail(question.evidence, size, question.track):
        yield "called visible at thumbnail size, but its evidence is not"


def _box_problems(box: Box, size: tuple[int, int]) -> Iterator[str]:
    x1, y1, x2, y2 = box
    if not (0 <= x1 < x2 <= size[0] and 0 <= y1 < y2 <= size[1]):
        yield f"box {tuple(round(v, 1) for v in box)} is empty or leaves the picture of {size[0]}x{size[1]}"
