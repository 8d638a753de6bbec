"""Questions with truth for forced runs and rewards: from generated pages and from scenes, one index a picture.

`asked(track, index)` gives the same questions in every process. Indices from 50,000,000 on are never trained on, and
scenes are of the split `train` alone. What the experts at hand would return is in `things`, whose text a simulated
reading (`expert_runs.py`) spoils; the picture itself is drawn only when somebody looks at it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from policies.data import decisions
from policies.data.documents import make_page
from policies.data.scenes.scene import Thing
from policies.text.protocol import ABSENT
from tools.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

Track = Literal["pages", "scenes", "text-scenes", "object-scenes"]
TRACKS: tuple[Track, ...] = get_args(Track)
OPTIONS_SHOWN = 0.5  # part of the scene questions that are asked with their options, where nothing else is said
PER_PICTURE = 4


@dataclass(frozen=True)
class Asked:
    """One question. `key` names it for ever; `things` are what stands in the picture, boxes in pixels."""

    key: str
    track: Track
    index: int
    question: str
    gold: str
    size: tuple[int, int]
    things: tuple[Thing, ...]
    options: tuple[str, ...] | None = None
    accepted: tuple[str, ...] = ()
    kind: str = ""
    expert: str = ""  # the kind of expert that finds what decides it; "" when no look is needed


def asked(track: Track, index: int, per_picture: int = PER_PICTURE, shown: float = OPTIONS_SHOWN) -> list[Asked]:
    """The questions about picture `index`: `per_picture` about the picture, and one that needs no look at it. A key
    names the same question, whatever `per_picture` and `shown` are, the part of the scene questions with options."""
    if track not in TRACKS:
        raise UsageError(f"no questions are called {track!r}; there are {', '.join(TRACKS)}")
    rng = random.Random(f"asked:{track}:{index}")
    items = (
        _of_page(track, index, per_picture, rng)
        if track == "pages"
        else _of_scene(track, index, per_picture, rng, shown)
    )
    if items:
        size, things = items[0].size, items[0].things
        question, gold = decisions.general(random.Random(f"general:{track}:{index}"), size)
        items.append(Asked(last_key(track, index), track, index, question, gold, size, things, kind="general"))
    return items


def last_key(track: Track, index: int) -> str:
    """The key of the last question about a picture: once it is asked, all are."""
    return f"{track}/{index}/g"


def draw(track: Track, index: int) -> Image.Image:
    """The picture that `asked(track, index)` is about, RGB."""
    if track == "pages":
        from policies.data.page import render
        from policies.data.values import Values

        return render(make_page(index), Values(index))
    return _scene(track, index).image


def _of_page(track: Track, index: int, most: int, rng: random.Random) -> list[Asked]:
    page = make_page(index)
    size = (page.width, int(max(page.height, *(line.box[3] for line in page.lines), 0)))
    things = tuple(Thing("text", line.box, text=line.text) for line in page.lines)
    chosen = sorted(rng.sample(range(len(page.questions)), min(most, len(page.questions))))
    return [
        Asked(
            f"{track}/{index}/{number}",
            track,
            index,
            (question := page.questions[number]).text,
            page.answer(question) or ABSENT.strip(),
            size,
            things,
            kind=question.kind if question.spans else "absent",
            expert="read",
        )
        for number in chosen
    ]


def _scene(track: Track, index: int):
    from policies.data.scenes import kinds, make_scene

    if track == "scenes":
        return make_scene(index)
    of_track = kinds("text" if track == "text-scenes" else "object")
    return make_scene(index, kind=random.Random(f"kind:{index}").choice(of_track))


def _of_scene(track: Track, index: int, most: int, rng: random.Random, shown: float) -> list[Asked]:
    scene = _scene(track, index)
    chosen = sorted(rng.sample(range(len(scene.questions)), min(most, len(scene.questions))))
    items = []
    for number in chosen:
        question = scene.questions[number]
        key = f"{track}/{index}/{number}"
        options = question.options if random.Random(f"options:{key}").random() < shown else None
        items.append(
            Asked(
                key,
                track,
                index,
                question.text,
                question.answer,
                scene.image.size,
                tuple(scene.things),
                options=options,
                accepted=question.accepted,
                kind=question.kind,
                expert="read" if question.track == "text" else "ground",
            )
        )
    return items
