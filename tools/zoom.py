"""The expert `zoom`: look at one part of the picture more closely.

It finds nothing by itself; the region it returns is what the controller gets more visual tokens for. The box is grown
a little about its centre, because boxes named by a controller tend to cut what they mean (P²G uses the same trick).
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from tools import boxes
from tools.base import BoxArg, Region, Tool
from tools.errors import ExpertError
from tools.pictures import Picture


class ZoomArgs(BaseModel):
    model_config = ConfigDict(extra="forbid")

    box: BoxArg = Field(description="x1, y1, x2, y2 in pixels of the whole picture")


class Zoom(Tool):
    name = "zoom"
    description = "Look closely at one part of the picture, for small things that are hard to see in the whole."
    Args = ZoomArgs

    def __call__(self, picture: Picture, args: ZoomArgs) -> list[Region]:
        inside = boxes.clamp(boxes.ordered(args.box), picture.size)
        box = inside and boxes.expand(inside, picture.size)
        if box is None:
            raise ExpertError(f"zoom: box {args.box} is outside the {picture.width}x{picture.height} picture or empty")
        return [Region(box=box, label="zoom", source=self.name)]
