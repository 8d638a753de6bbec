"""Finds experts through the entry-point group `p2g.tools`: the built-in ones and those of any installed package.

A plug-in that cannot be imported is reported by name and reason; it never keeps the other experts from loading.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from tools.base import Tool
from tools.errors import ExpertError, P2GError, UsageError

log = logging.getLogger(__name__)

GROUP = "p2g.tools"


def available_tools() -> dict[str, type[Tool] | P2GError]:
    """Every registered expert by name: its class, or the error that says why it cannot be used."""
    return {name: _load(name, entries) for name, entries in sorted(_registered().items())}


def load_tools(
    names: Iterable[str] | None = None, settings: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Tool]:
    """New experts, in the order asked for; without `names`, all that can be imported (the others are logged).

    `settings` are constructor arguments by expert name, such as `{"ground": {"model": "some/folder"}}`. Raises
    `UsageError` for an unknown name or wrong settings and `ExpertError` for a named expert that is broken.
    """
    registered = _registered()
    settings = settings or {}
    chosen = list(dict.fromkeys(names)) if names is not None else sorted(registered)
    for name in [*chosen, *settings]:
        if name not in registered:
            raise UsageError(f"there is no expert {name!r}; installed: {', '.join(sorted(registered)) or 'none'}")
    tools = []
    for name in chosen:
        found = _load(name, registered[name])
        if isinstance(found, P2GError):
            if names is not None:
                raise found
            log.warning("%s", found)
            continue
        tools.append(_make(found, settings.get(name, {})))
    return tools


def _registered() -> dict[str, list[EntryPoint]]:
    """Entry points by name; one distribution can show up twice on the path, so equal ones count once."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=GROUP):
        same = found.setdefault(entry.name, [])
        if all(entry.value != other.value for other in same):
            same.append(entry)
    return found


def _load(name: str, entries: list[EntryPoint]) -> type[Tool] | P2GError:
    if len(entries) > 1:
        places = " and ".join(sorted(entry.value for entry in entries))
        return ExpertError(f"expert {name!r} is registered twice, by {places}; uninstall one of them")
    entry = entries[0]
    try:
        found = entry.load()
    except BaseException as error:  # importing a plug-in runs its code: anything can happen, even SystemExit
        if isinstance(error, KeyboardInterrupt):
            raise
        reason = " ".join(str(error).split())[:200]
        return ExpertError(f"expert {name!r} ({entry.value}) cannot be imported: {type(error).__name__}: {reason}")
    if not (isinstance(found, type) and issubclass(found, Tool)):
        return ExpertError(f"expert {name!r} ({entry.value}) is not a subclass of tools.Tool; fix its entry point")
    if getattr(found, "name", None) != name:
        return ExpertError(f"expert {name!r} ({entry.value}) calls itself {found.name!r}; make the two names equal")
    return found


def _make(found: type[Tool], settings: Mapping[str, Any]) -> Tool:
    try:
        return found(**settings)
    except TypeError as error:
        given = ", ".join(settings) or "none"
        raise UsageError(f"expert {found.name!r} does not take these settings ({given}): {error}") from error
    except P2GError:
        raise
    except Exception as error:
        raise ExpertError(f"expert {found.name!r} cannot be made: {type(error).__name__}: {error}") from error
