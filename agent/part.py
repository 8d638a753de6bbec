"""A question about a part of the picture: the controller and the experts see that part alone, as if it were all.

What comes out is moved back, so that every box a caller sees is in pixels of the whole picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from agent.events import Event
from tools import boxes, masks
from tools.base import Region
from tools.errors import UsageError
from tools.pictures import Picture

SMALLEST = 4  # pixels on a side


class Part:
    """The part `box` (pixels, x1 y1 x2 y2, any order of corners) of a picture, grown to whole pixels.

    `picture` is that part as a picture of its own. Raises `UsageError` when there is hardly a pixel in it.
    """

    def __init__(self, whole: Picture, box: Sequence[float]) -> None:
        numbers = len(box) == 4 and all(map(math.isfinite, box))
        inside = boxes.clamp(boxes.ordered(box), whole.size) if numbers else None
        if inside is None or min(inside[2] - inside[0], inside[3] - inside[1]) < SMALLEST:
            size = f"{whole.width}x{whole.height}"
            raise UsageError(f"the part {list(box)} is too small or outside the {size} picture: give a larger box")
        x1, y1, x2, y2 = inside
        self.box = (float(math.floor(x1)), float(math.floor(y1)), float(math.ceil(x2)), float(math.ceil(y2)))
        self.size = (round(self.box[2] - self.box[0]), round(self.box[3] - self.box[1]))
        self.whole, self.picture = whole.size, Picture.open(whole.crop(self.box))

    def into(self, regions: Sequence[Region]) -> list[Region]:
        """Regions of the whole picture in pixels of the part; what lies outside is left out, masks are dropped."""
        placed = [(region, boxes.clamp(boxes.to_crop(region.box, self.box), self.size)) for region in regions]
        return [region.model_copy(update={"box": inside, "mask": None}) for region, inside in placed if inside]

    def back(self, event: Event) -> Event:
        """An event about the part, in pixels of the whole picture."""
        moved: Event = type(event).model_validate(self._moved(event.model_dump(mode="json")))
        return moved

    def _moved(self, value: Any) -> Any:
        """JSON of events: regions have a box and perhaps a mask, calls have boxes among their arguments."""
        if isinstance(value, list):
            return [self._moved(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "expert" in value and isinstance(value.get("args"), dict):
            return {**value, "args": {name: self._argument(given) for name, given in value["args"].items()}}
        if _is_box(value.get("box")):
            mask = value.get("mask")
            return {**value, "box": self._shifted(value["box"]), "mask": mask and self._whole_mask(mask)}
        return {key: self._moved(item) for key, item in value.items()}

    def _argument(self, given: Any) -> Any:
        if _is_box(given):
            return self._shifted(given)
        if isinstance(given, list) and given and all(map(_is_box, given)):
            return [self._shifted(item) for item in given]
        return given

    def _shifted(self, box: list[float]) -> list[float]:
        return list(boxes.shift(box, self.box[0], self.box[1]))

    def _whole_mask(self, mask: dict[str, Any]) -> dict[str, Any]:
        whole = np.zeros((self.whole[1], self.whole[0]), dtype=bool)
        x, y = round(self.box[0]), round(self.box[1])
        whole[y : y + self.size[1], x : x + self.size[0]] = masks.decode(mask, self.size)
        return masks.encode(whole)


def _is_box(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(isinstance(number, int | float) for number in value)
