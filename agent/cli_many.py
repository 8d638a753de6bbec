"""The command `p2g ask-many`: a file of questions, or one question of a folder of pictures; JSON lines out."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from agent.durable import RunFolder
    from agent.many import ManyRun
    from agent.many_rows import Wanted
    from agent.profiles import Profile
    from agent.progress import CountProgress

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command("ask-many")
def ask_many(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|DIR",
            help="JSONL or CSV with image, question and, if wanted, options, id, mode; or a folder of pictures.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The answers; default INPUT.answers.jsonl.", show_default=False)
    ] = None,
    question: Annotated[
        str | None, typer.Option("--question", help="Asked where a row has none; of a folder's pictures.")
    ] = None,
    mode: Annotated[
        Literal["direct", "always", "learned"], typer.Option(help="For rows that name none, as in `p2g ask`.")
    ] = "learned",
    profile: Annotated[str, typer.Option("--profile", "-p", help="A profile's name, or the path of a .toml file.")] = (
        "nano"
    ),
    threshold: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Call experts from this p_call on.", show_default=False)
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Questions at once, if the controller allows it.")] = 4,
    retry_errors: Annotated[bool, typer.Option("--retry-errors", help="Ask again what ended with an error.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
) -> None:
    """Ask many questions, or go on where a run was stopped or killed: what has an answer is not asked again.

    A row that cannot be answered says why in its `error` and does not end the run. Each answer is kept in OUT.run as
    it comes, with its cost; OUT itself appears when all are there, in the order of the input.
    """
    from agent.cli_files import check_output
    from agent.durable import RunFolder
    from agent.many import run_of, stable, waiting
    from agent.many_rows import read_rows
    from agent.profiles import load_profile
    from agent.progress import CountProgress
    from tools.errors import UsageError

    settings = load_profile(profile)
    threshold = settings.threshold if threshold is None else threshold
    rows = read_rows(source, question)
    out = out or source.with_name(f"{source.name if source.is_dir() else source.stem}.answers.jsonl")
    check_output(out, ".jsonl")
    if out.resolve() == source.resolve():
        raise UsageError(f"{out} holds the questions: name another file for the answers")
    where = {"directory": str(source.absolute()), "command": shlex.join(["p2g", *sys.argv[1:]])}
    folder = RunFolder(out.with_name(out.name + ".run"), run_of(rows, settings, mode, threshold, **where))
    try:
        with redirect_stdout(sys.stderr):
            left = waiting(rows, folder, retry_errors)
            with CountProgress(len(rows), len(rows) - len(left), quiet) as progress:
                progress.say(f"{len(rows)} questions, {len(rows) - len(left)} of them answered already")
                if left:
                    _ask(settings, left, folder, source if source.is_dir() else source.parent, progress, workers)
        folder.finish_with((row.key for row in rows), stable, out)
        errors = len(folder.failed)
    except KeyboardInterrupt:
        print(f"p2g: {len(folder)} of {len(rows)} answers are kept; the same command goes on", file=sys.stderr)
        raise
    finally:
        folder.close()
    if not quiet and errors:
        print(f"p2g: {errors} of {len(rows)} rows have an error; --retry-errors asks them again", file=sys.stderr)
    print(out)


def _ask(
    settings: Profile,
    rows: Sequence[Wanted],
    folder: RunFolder[ManyRun],
    pictures: Path,
    progress: CountProgress,
    workers: int,
) -> None:
    """Loads the agent, only when a row needs it, and asks."""
    from agent.agent import Agent
    from agent.many import ask_rows

    progress.say(f"loading profile {settings.name}")
    with Agent.load(settings) as agent:
        if setup := getattr(agent.controller, "setup", None):
            setup()
        ask_rows(
            agent,
            rows,
            folder,
            pictures,
            workers=workers,
            tell=lambda row: progress.count(row.id, row.error),
            say=progress.say,
        )
