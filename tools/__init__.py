"""Experts and what they share: the contract, pictures, boxes, the registry and the runner.

`from tools import Tool, Region` is all that a new expert needs; see `tools/zoom.py` for a small one.
"""

from tools.base import Box, Call, CallResult, NoArgs, Region, Tool
from tools.cache import ResultCache
from tools.errors import ControllerError, ExpertError, P2GError, PictureError, UsageError
from tools.pictures import Picture, PictureLimits
from tools.registry import available_tools, load_tools
from tools.runner import ResultLimits, RunEvent, Runner

__all__ = [
    "Box",
    "Call",
    "CallResult",
    "ControllerError",
    "ExpertError",
    "NoArgs",
    "P2GError",
    "Picture",
    "PictureError",
    "PictureLimits",
    "Region",
    "ResultCache",
    "ResultLimits",
    "RunEvent",
    "Runner",
    "Tool",
    "UsageError",
    "available_tools",
    "load_tools",
]
