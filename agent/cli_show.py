"""How the command line looks: the answer, its decision, evidence and cost, the lists, and progress on stderr.

Words from pictures and models are printed as plain text: no markup of theirs is obeyed, control characters are removed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.events import Decided, Event, ExpertFinished, ExpertStarted, Focused
from agent.evidence import printable, words_of
from agent.replies import letter_of
from agent.types import Answer, Decision, ExpertCost

if TYPE_CHECKING:
    from agent.cli_weights import WeightFile
    from agent.doctor import Check
    from agent.profiles import Profile
    from tools.base import Tool

MAX_ROWS = 20


class Progress:
    """What happens, on stderr: one moving line on a terminal, plain lines elsewhere, nothing when `quiet`."""

    def __init__(self, quiet: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.quiet = quiet
        self.status = self.console.status("", spinner="dots") if self.console.is_terminal and not quiet else None

    def __enter__(self) -> Progress:
        if self.status:
            self.status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.status:
            self.status.stop()

    def say(self, line: str) -> None:
        if self.status:
            self.status.update(Text(f"{line} ..."))
        elif not self.quiet:
            print(f"p2g: {line}", file=sys.stderr, flush=True)

    def event(self, event: Event) -> None:
        """The line of one event; what failed stays on the screen."""
        if isinstance(event, Decided):
            self.say(describe_decision(event.decision) if event.decision.calls or not event.round else "answering")
        elif isinstance(event, ExpertStarted):
            self.say(f"{event.call.expert} is working")
        elif isinstance(event, ExpertFinished):
            result = event.result
            if result.error and not self.quiet:
                self.console.print(Text(f"p2g: {result.call.expert} failed: {printable(result.error, 400)}", "yellow"))
            elif not result.error:
                spent = "known already" if result.cached else _seconds(result.ms)
                self.say(f"{result.call.expert} found {_regions(len(result.regions))} ({spent})")
        elif isinstance(event, Focused):
            self.say(f"looking at {_regions(event.regions)}")


def read_question() -> str | None:
    """The next line of the user, None at the end of input or after /quit."""
    if sys.stdin is None:  # closed by the caller
        return None
    terminal = sys.stdin.isatty()
    if terminal:
        import readline  # noqa: F401  (line editing and history for input())
    try:
        line = input("? " if terminal else "").strip()
    except EOFError:
        return None
    return None if line in {"/quit", "/exit", "/q"} else line


def to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def describe_decision(decision: Decision) -> str:
    """`call read, zoom (p_call 0.93)` or `answer directly (p_call 0.12)`."""
    names = list(dict.fromkeys(call.expert for call in decision.calls))
    said = f"call {', '.join(names)}" if names else "answer directly"
    return f"{said} (p_call {decision.p_call:.2f})"


def describe_cost(answer: Answer) -> list[str]:
    """The ledger in a few short lines: controller, experts, time."""
    usage, ms = answer.ledger.usage, answer.ledger.ms
    lines = [
        f"controller: {usage.controller_calls} calls, {usage.prompt_tokens} prompt tokens "
        f"({usage.visual_tokens} visual, {usage.cached_tokens} cached), {usage.generated_tokens} generated"
    ]
    lines += [f"{cost.expert}: {_expert_cost(cost)}" for cost in answer.ledger.experts]
    steps = ", ".join(f"{name} {_seconds(spent)}" for name, spent in ms.items() if name != "total" and spent >= 1)
    total = ms.get("total", 0.0)
    return [*lines, f"time: {_seconds(total)}" + (f" ({steps})" if steps else "")]


def show_answer(answer: Answer, options: Sequence[str] | None) -> None:
    """Answer, decision, evidence and cost on stdout."""
    console = _console()
    letter = f"{letter_of(answer.choice)}. " if options and answer.choice is not None else ""
    sure = f"  (confidence {answer.confidence:.2f})" if answer.confidence is not None else ""
    console.print(_field("answer"), Text(letter + printable(answer.text, 4000), "bold"), Text(sure, "dim"), sep="")
    console.print(_field("decision"), Text(describe_decision(answer.decision)), sep="")
    if answer.evidence:
        console.print(_field("evidence"), Text(_regions(len(answer.evidence))), sep="")
        console.print(_evidence_table(answer))
    for number, line in enumerate(describe_cost(answer)):
        console.print(_field("" if number else "cost"), Text(line, "dim"), sep="")


def show_tools(experts: Sequence[Tool], lacking: Mapping[str, str]) -> None:
    """`lacking` says why experts cannot run here, by name."""
    table = _table("expert", "available", "arguments", "what it does")
    for tool in experts:
        reason = lacking.get(tool.name)
        table.add_row(
            Text(tool.name, "bold"),
            Text("yes", "green") if reason is None else Text(f"no: {reason}", "yellow"),
            Text(describe_arguments(tool.schema()["parameters"])),
            Text(tool.description),
        )
    _console().print(table)


def describe_arguments(parameters: Mapping[str, Any]) -> str:
    """`box?: array, query: string`, from a JSON schema; `?` marks what may be left out."""
    required = parameters.get("required", [])
    lines = []
    for name, field in parameters.get("properties", {}).items():
        kinds = [part.get("type", "object") for part in field.get("anyOf", [field]) if part.get("type") != "null"]
        lines.append(f"{name}{'' if name in required else '?'}: {' or '.join(dict.fromkeys(kinds))}")
    return "\n".join(lines) or "none"


def show_profiles(profiles: Sequence[Profile]) -> None:
    table = _table("profile", "controller", "experts", "what it is")
    for profile in profiles:
        experts = [name for name, table_ in profile.experts.tables().items() if table_ is not False]
        table.add_row(
            Text(profile.name, "bold"), profile.controller.kind, Text(", ".join(experts)), Text(profile.description)
        )
    _console().print(table)


def show_doctor(packages: Mapping[str, str], reports: Mapping[str, Sequence[Check]]) -> None:
    """Installed versions, then for each profile what is fine, what it lacks and the command that fixes it."""
    console = _console()
    console.print(
        _field("installed"), Text(", ".join(f"{name} {version}" for name, version in packages.items())), sep=""
    )
    for name, checks in reports.items():
        lacks = [check for check in checks if not check.ok]
        state = Text("ready", "green") if not lacks else Text(f"lacks {len(lacks)}", "yellow")
        console.print(Text(f"\nprofile {name}: ", "bold"), state, sep="")
        for check in checks:
            mark = Text("  ok     ", "green") if check.ok else Text("  lacks  ", "yellow")
            console.print(mark, Text(f"{check.name}: {check.detail}"), sep="")
            if not check.ok and check.fix:
                console.print(Text(f"         fix: {check.fix}", "bold"), soft_wrap=True)


def show_weights(files: Sequence[WeightFile]) -> None:
    table = _table("weights", "file", "MB", "SHA-256")
    for file in files:
        table.add_row(file.name, Text(str(file.path), overflow="fold"), f"{file.bytes / 1e6:.1f}", file.sha256[:16])
    console = _console()
    console.print(table)
    if not any(file.name.startswith("base/") for file in files):
        console.print(
            Text("the base language model of profile nano is not here yet: run `p2g weights fetch`", "yellow")
        )


def _console() -> Console:
    """Standard output; a file or a pipe gets wide lines, so that nothing is cut."""
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=160)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _field(name: str) -> Text:
    return Text(f"{name:<10}", "dim")


def _evidence_table(answer: Answer) -> Table:
    table = _table("         #", "text or label", "box", "score", "expert")
    for number, region in enumerate(answer.evidence[:MAX_ROWS], 1):
        box = ",".join(f"{side:.0f}" for side in region.box)
        table.add_row(f"{number:>10}", Text(words_of(region)), f"[{box}]", f"{region.score:.2f}", region.source)
        table.columns[2].no_wrap = True
    if len(answer.evidence) > MAX_ROWS:
        table.add_row("", f"and {len(answer.evidence) - MAX_ROWS} more (--json has all)", "", "", "")
    return table


def _expert_cost(cost: ExpertCost) -> str:
    if cost.error:
        return f"failed after {_seconds(cost.ms)}: {printable(cost.error, 300)}"
    return f"{_regions(cost.regions)}, " + ("cached" if cost.cached else _seconds(cost.ms))


def _regions(count: int) -> str:
    return "1 region" if count == 1 else f"{count} regions"


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.2f} s" if ms >= 100 else f"{ms:.0f} ms"
