"""One question in, one grounded answer out: graph, controllers, profiles, CLI. `from agent import Agent`.

Names are imported when they are first used, so that `import agent` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.agent import Agent
    from agent.events import Event
    from agent.state import Limits
    from agent.types import Answer, Controller, Decision, Ledger, Mode, Step, Turn, Usage, View

_HOME = {
    "Agent": "agent.agent",
    "Event": "agent.events",
    "Limits": "agent.state",
    **dict.fromkeys(
        ("Answer", "Controller", "Decision", "Ledger", "Mode", "Step", "Turn", "Usage", "View"), "agent.types"
    ),
}

__all__ = [
    "Agent",
    "Answer",
    "Controller",
    "Decision",
    "Event",
    "Ledger",
    "Limits",
    "Mode",
    "Step",
    "Turn",
    "Usage",
    "View",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'agent' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
