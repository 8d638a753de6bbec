"""`p2g bench`: list, run, compare, report, check, new, merge. Found through the entry-point group `p2g.commands`.

Like the commands of `agent/cli.py`: heavy imports inside the commands, results on stdout, progress on stderr, an error
is one line and an exit code.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from agent.profiles import Profile
    from evaluation.benchmarks.base import Benchmark
    from evaluation.journal import Journal
    from evaluation.runner import Plan

app = typer.Typer(
    name="bench",
    help="Run benchmarks, compare runs, make your own.",
    add_completion=False,
    rich_markup_mode=None,
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON only.")]
BenchmarkArgument = Annotated[
    str, typer.Argument(metavar="BENCHMARK|DIR", help="A name of `p2g bench list`, or a P²GB folder.")
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)]


@app.callback(invoke_without_command=True)
def _help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the benchmarks, and whether their data are on this machine."""
    from evaluation.benchmarks.registry import get, names
    from evaluation.cli_output import show_benchmarks

    show_benchmarks([get(name) for name in names()], as_json)


@app.command()
def run(
    context: typer.Context,
    benchmark: BenchmarkArgument,
    profile: Annotated[str, typer.Option("--profile", "-p", help="A profile's name, or a .toml file.")] = "nano",
    modes: Annotated[str, typer.Option(help="Of direct, always, learned, exhaustive.")] = "direct,always,learned",
    data: Annotated[
        Path | None, typer.Option(help="Folder with the benchmark's official files.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run folder; default runs/BENCHMARK-PROFILE.", show_default=False)
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N questions.", show_default=False)] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Every N-th question, from the I-th.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the order of the options.")] = 0,
    threshold: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Call experts from this p_call on.", show_default=False)
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Questions at once, where the controller allows it.")] = 4,
    retry_errors: Annotated[bool, typer.Option("--retry-errors", help="Ask again what ended with an error.")] = False,
    cold: Annotated[
        bool, typer.Option("--cold", help="Keep no expert's result, so that the times of the modes compare.")
    ] = False,
    ray: Annotated[bool, typer.Option("--ray", help="Over Ray, WORKERS actors with an agent each.")] = False,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
) -> None:
    """Run a benchmark, or go on with a run that was stopped; what has a row is not asked again.

    `grounding` is no benchmark of questions: it measures the profile's expert `ground` on --limit scenes (60), and has
    no use for other options than --profile, --out, --limit, --json and --quiet.
    """
    if benchmark == "grounding":
        from evaluation.benchmarks.grounding import command

        refuse_others(context, ("benchmark", "profile", "out", "limit", "as_json", "quiet"))
        command(load_profile(profile), limit or 60, out, as_json, quiet)
        return
    from evaluation.cli_output import show_end
    from evaluation.journal import Journal
    from evaluation.progress import RunProgress
    from evaluation.reports import write_reports
    from evaluation.runner import begin, finish, waiting

    settings, chosen, part = load_profile(profile), parse_modes(modes), parse_shard(shard)
    found = load_benchmark(benchmark)
    with redirect_stdout(sys.stderr):
        plan = begin(
            found,
            data,
            settings,
            modes=chosen,
            seed=seed,
            threshold=threshold,
            limit=limit,
            shard=part,
            command=command_line(),
        )
        suffix = f"-{part[0]}-of-{part[1]}" if part else ""
        out = out or Path("runs") / f"{found.name}-{settings.name}{suffix}"
        with Journal(out, plan.run) as journal:
            tasks = waiting(plan, journal, retry_errors)
            total = len(plan.questions) * len(plan.modes)
            try:
                with RunProgress(total, total - len(tasks), quiet) as progress:
                    progress.say(f"{total} rows into {out}, {total - len(tasks)} of them there already")
                    ask(plan, tasks, settings, journal, progress, workers=workers, cold=cold, ray=ray)
            except KeyboardInterrupt:
                print(f"p2g: {len(journal)} of {total} rows are kept; the same command goes on", file=sys.stderr)
                raise
            digest = finish(plan, journal)
            errors = len(journal.failed)
        reports = write_reports(out)
    show_end(out, digest, reports, errors, as_json)


def ask(
    plan: Plan, tasks: Any, settings: Profile, journal: Journal, progress: Any, *, workers: int, cold: bool, ray: bool
) -> None:
    """Asks what is left, here or over Ray; nothing is loaded when nothing is left."""
    if not tasks:
        return
    if ray:
        from evaluation.ray_runner import ask_over_ray, load_asker

        load = load_asker(settings, plan.run.modes, cold)
        ask_over_ray(plan, tasks, load, journal, actors=workers, tell=progress.row, say=progress.say)
        return
    from evaluation.asking import Asker
    from evaluation.runner import ask_all

    progress.say(f"loading profile {settings.name}")
    asks = Asker.load(settings, plan.run.modes, cold)
    try:
        ask_all(plan, tasks, asks, journal, workers=workers, tell=progress.row, say=progress.say)
    finally:
        asks.close()


@app.command()
def ablate(
    benchmark: BenchmarkArgument = "p2gb-s",
    profile: Annotated[str, typer.Option("--profile", "-p", help="A profile's name, or a .toml file.")] = "nano",
    variants: Annotated[str, typer.Option(help="Some of them by name; learned is always among them.")] = "all",
    out: Annotated[Path, typer.Option(help="A run folder for each variant, and ablations.md.")] = Path(
        "runs/ablations"
    ),
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N questions.", show_default=False)] = None,
    seed: Annotated[int, typer.Option(help="Of the order of the options.")] = 0,
) -> None:
    """One change at a time against mode learned: modes, thresholds, pathways, allocation, contexts, experts."""
    from evaluation.ablations import ablate as run_ablations

    with redirect_stdout(sys.stderr):
        text = run_ablations(
            load_benchmark(benchmark),
            load_profile(profile),
            out,
            names=None if variants == "all" else [name.strip() for name in variants.split(",")],
            seed=seed,
            limit=limit,
            command=command_line(),
            say=lambda line: print(f"p2g: {line}", file=sys.stderr, flush=True),
        )
    print(text)


@app.command()
def compare(
    before: RunArgument,
    after: RunArgument,
    out: Annotated[Path | None, typer.Option(help="Write it as Markdown to this .md file.", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """Say which differences between two runs of the same questions are more than chance."""
    from agent.cli_files import check_output, save
    from evaluation.cli_output import console
    from evaluation.reports.compare import compare as comparison_of
    from evaluation.reports.compare import to_markdown, to_terminal

    check_output(out, ".md")
    found = comparison_of(before, after)
    if out:
        save(out, lambda: out.write_text(to_markdown(found), encoding="utf-8", errors="replace"))
    if as_json:
        print(found.model_dump_json(indent=1))
    else:
        console().print(to_terminal(found))


@app.command()
def report(run_folder: RunArgument, as_json: JsonOption = False) -> None:
    """Write the report of a run again, finished or not."""
    from evaluation.cli_output import show_summary, to_json
    from evaluation.reports import write_reports

    reports = write_reports(run_folder)
    if as_json:
        print(to_json([str(path) for path in reports]))
        return
    show_summary(run_folder)
    for path in reports:
        print(path)


@app.command()
def merge(
    shards: Annotated[list[Path], typer.Argument(help="The run folders of all shards.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The run folder to write.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Join the shards of a run; the results are those of the run in one go."""
    from agent.durable import ROWS, scan
    from evaluation.cli_output import show_end
    from evaluation.merge import merge as join
    from evaluation.reports import write_reports

    digest = join(shards, out)
    _, failed, _ = scan(out / ROWS)
    show_end(out, digest, write_reports(out), len(failed), as_json)


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A P²GB folder.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Say all that is wrong with a benchmark of one's own. Exit code 2: it cannot be run."""
    from evaluation.benchmarks.check import check as problems_of
    from evaluation.cli_output import show_problems

    problems = problems_of(folder)
    show_problems(folder, problems, as_json)
    if any(problem.level == "error" for problem in problems):
        raise typer.Exit(2)


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.", show_default=False)],
    images: Annotated[list[Path] | None, typer.Argument(help="One's own pictures.", show_default=False)] = None,
    table: Annotated[
        Path | None, typer.Option(help="CSV of image,question,answer[,options,...].", show_default=False)
    ] = None,
) -> None:
    """Make a benchmark of one's own pictures, with lines to fill in or the questions of a CSV."""
    from evaluation.benchmarks.build import new as build
    from evaluation.benchmarks.format import QUESTIONS

    print(build(folder, images or [], table) / QUESTIONS)


def refuse_others(context: typer.Context, used: Sequence[str]) -> None:
    """Raises `UsageError` for options of the command line that are not `used` and say something else than usual."""
    from tools.errors import UsageError

    others = [option for option in context.command.params if option.name not in used]
    given = [option.opts[0] for option in others if context.params[option.name or ""] != option.get_default(context)]
    if given:
        raise UsageError(f"{context.params['benchmark']} has no use for {', '.join(given)}; leave that out")


def load_profile(name: str) -> Profile:
    from agent.profiles import load_profile

    return load_profile(name)


def load_benchmark(name: str) -> Benchmark:
    from evaluation.benchmarks.registry import get

    return get(name)


def parse_modes(text: str) -> list[Any]:
    """The modes of `--modes`, each once, in the order given. Raises `UsageError`."""
    from evaluation.asking import MODES
    from tools.errors import UsageError

    modes = [part.strip() for part in text.split(",") if part.strip()]
    if not modes or any(mode not in MODES for mode in modes):
        raise UsageError(f"--modes {text!r}: name some of {', '.join(MODES)}, separated by commas")
    return list(dict.fromkeys(modes))


def parse_shard(text: str | None) -> tuple[int, int] | None:
    """(i, n) of `i/n` with 1 <= i <= n, or None. Raises `UsageError`."""
    from tools.errors import UsageError

    if text is None:
        return None
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise UsageError(f"--shard {text!r}: give I/N with I from 1 to N, as in 2/4")
    return int(number), int(of)


def command_line() -> str:
    """The command, so that a run can be repeated."""
    import shlex

    return shlex.join(["p2g", *sys.argv[1:]])
