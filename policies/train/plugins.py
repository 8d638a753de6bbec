"""Whether an expert that was never seen is called when its description fits, and left alone when it does not.

`HELD_OUT_PLUGINS` (`policies/data/visual_experts.py`) are kinds that no training prompt holds. Each question about one
is asked with that plug-in among the experts that ship, and again with another held-out plug-in in its place.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel

from policies.data.decisions import OBJECTS
from policies.data.visual_experts import HELD_OUT_PLUGINS, Plugin
from policies.train.expert_runs import Listed, described, split_call
from tools.ground import Ground
from tools.read import Read
from tools.zoom import Zoom

if TYPE_CHECKING:
    from policies.text.engine import TextEngine
    from tools.pictures import Picture

SIZE = (1600, 1200)


class PluginCheck(BaseModel):
    """Counts of questions about plug-ins. `decided`: p_call reached the threshold; `called`: and it was this very
    plug-in that was called; `strays`: calls of the wrong plug-in, of `others` questions that do not fit it."""

    asked: int = 0
    decided: int = 0
    called: int = 0
    others: int = 0
    strays: int = 0

    def __add__(self, other: PluginCheck) -> PluginCheck:
        return PluginCheck(**{name: getattr(self, name) + getattr(other, name) for name in PluginCheck.model_fields})


def check_plugins(
    engine: TextEngine,
    threshold: float,
    plugins: Sequence[Plugin] = HELD_OUT_PLUGINS,
    shipped: Listed | None = None,
    picture: Picture | None = None,
    seed: int = 0,
) -> dict[str, PluginCheck]:
    """What happens to every question of every plug-in, by the plug-in's first name; one name and place in the list is
    drawn for each question. `picture` is for models that look at one: it should show none of what is asked."""
    listed = described(Read, Ground, Zoom) if shipped is None else shipped
    size = picture.size if picture is not None else SIZE
    found = {}
    for number, plugin in enumerate(plugins):
        other = plugins[(number + 1) % len(plugins)]
        counts = PluginCheck()
        for text in plugin.questions:
            rng = random.Random(f"plug-ins:{seed}:{plugin.names[0]}:{text}")
            question = text.format(o=rng.choice(OBJECTS))
            called, decided = _called(engine, threshold, plugin, question, listed, size, picture, rng)
            counts += PluginCheck(asked=1, decided=decided, called=called)
            if other is not plugin:
                strayed, _ = _called(engine, threshold, other, question, listed, size, picture, rng)
                counts += PluginCheck(others=1, strays=strayed)
        found[plugin.names[0]] = counts
    return found


def _called(
    engine: TextEngine,
    threshold: float,
    plugin: Plugin,
    question: str,
    shipped: Listed,
    size: tuple[int, int],
    picture: Picture | None,
    rng: random.Random,
) -> tuple[bool, bool]:
    """(whether `plugin` was called, whether anything was) for `question`."""
    name = rng.choice(plugin.names)
    listed = list(shipped)
    listed.insert(rng.randint(0, len(listed)), (name, rng.choice(plugin.descriptions)))
    if engine.p_call(listed, size, question, None, picture) < threshold:
        return False, False
    calls = engine.call(listed, size, question, None, {"ground"}, picture)
    return any(split_call(line)[0] == name for line in calls.splitlines()), True
