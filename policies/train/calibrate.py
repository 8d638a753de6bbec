"""Fit and judge the decision of weights that are there: `python -m policies.train.calibrate --weights nano --out DIR`.

Asks held-out questions both ways (rows in DIR, made once, gone on with after a kill), fits temperature, bias and
threshold, and asks for unseen plug-ins. A fit on the pictures of even number is judged on the odd ones against what the
weights ship; `--write` puts the fit on all of them into the weights' policy.json, only where that one was the better.
Weights whose fit is to be judged once more want other pictures: `--first`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from policies.data.visual_scene import HELD_OUT
from policies.nano import Policy, load_nano, weights_path
from policies.train.calibration import Fit, Report, report, write_policy
from policies.train.counterfactual import ROWS, Forced, run_forced, summary
from policies.train.expert_runs import Experts, SimulatedExperts, ToolExperts
from policies.train.player import Player
from policies.train.plugins import PluginCheck, check_plugins
from policies.train.policy import calibrate, decided, said
from policies.train.questions import OPTIONS_SHOWN, TRACKS, Track
from policies.train.recipe import ThresholdRule
from policies.train.records import read_records
from policies.train.weights import folder_hash
from tools.errors import P2GError


def better(found: Fit, shipped: Report) -> bool:
    """Whether a fit on other rows improves on what ships. By rule accuracy-cost it is worth more at that price; by rule
    balanced it is no worse at deciding, and the likelihood loss and the calibration error are both lower."""
    new = found.after
    if found.rule.kind == "accuracy-cost":
        worth = [one.accuracy.value - found.rule.price * one.cost for one in (new, shipped)]
        return worth[0] > worth[1]
    decides = new.balanced_accuracy.value >= shipped.balanced_accuracy.value
    return decides and new.nll < shipped.nll and new.ece.value < shipped.ece.value


def forced_rows(
    weights: Path,
    home: Path,
    out: Path,
    wanted: Sequence[tuple[Track, int]],
    tools: bool,
    options: float,
    say: Callable[[str], None],
) -> list[Forced]:
    """Forced runs of weights on disk on the pictures that are `wanted`, kept in `out`."""
    engine, _ = load_nano(home, weights)
    experts: Experts = ToolExperts(ground=engine.eyes is not None) if tools else SimulatedExperts()
    header = {"weights": folder_hash(weights), "experts": "tools" if tools else "simulated", "options": options}
    rows = run_forced(out, Player(engine, experts), wanted, header, say, shown=options)
    return [row for row in rows if (row.track, row.index) in set(wanted)]


def unseen(home: Path, weights: Path, threshold: float, seeds: int) -> PluginCheck:
    """Held-out plug-ins over `seeds` drawings of names and places."""
    engine, _ = load_nano(home, weights)
    return sum(
        (counts for seed in range(seeds) for counts in check_plugins(engine, threshold, seed=seed).values()),
        PluginCheck(),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="nano", help="weights that ship, by name, or a folder")
    parser.add_argument("--home", type=Path, default=Path("~/.cache/p2g"), help="the cache with the base model")
    parser.add_argument("--out", type=Path, required=True, help="folder of the rows")
    parser.add_argument("--tracks", nargs="+", choices=TRACKS, default=["pages", "text-scenes"])
    parser.add_argument("--first", type=int, default=HELD_OUT)
    parser.add_argument("--pictures", type=int, default=60, help="of each track; 0: only the rows that are there")
    parser.add_argument("--options", type=float, default=OPTIONS_SHOWN, help="part of the scene questions with options")
    parser.add_argument("--experts", choices=["simulated", "tools"], default="simulated")
    parser.add_argument("--neither", choices=["leave out", "not needed"], default="leave out")
    parser.add_argument("--rule", choices=["balanced", "accuracy-cost"], default="balanced")
    parser.add_argument("--price", type=float, default=0.02)
    parser.add_argument("--plugins", type=int, default=2, help="drawings of every question about unseen plug-ins")
    parser.add_argument("--write", action="store_true", help="into policy.json, where the fit is better")
    args = parser.parse_args(arguments)
    say = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
    try:
        weights, home = weights_path(args.weights), args.home.expanduser()
        if args.pictures:
            pictures = range(args.first, args.first + args.pictures)
            wanted = [(track, index) for index in pictures for track in cast(list[Track], args.tracks)]
            rows = forced_rows(weights, home, args.out, wanted, args.experts == "tools", args.options, say)
        else:
            rows = read_records(args.out / ROWS, Forced)
        print(summary(rows))
        found = calibrate(rows, ThresholdRule(kind=args.rule, price=args.price), args.neither)
        print(said(found))
        ships = Policy.model_validate_json((weights / "policy.json").read_text())
        judged = decided([row for row in rows if row.index % 2], args.neither)
        shipped = report(judged, ships.temperature, ships.threshold, ships.bias)
        for name, figures in (("ships", shipped), ("fitted", found.after)):
            print(line(name, figures))
        take = better(found, shipped)
        print("the fit is better" if take else "what ships is not worse: it stays")
        if args.write and take:
            print(f"written: {write_policy(weights, found)}")
        if args.plugins:
            counts = unseen(home, weights, found.threshold if take else ships.threshold, args.plugins)
            print(
                f"unseen plug-ins: called for {counts.called} of {counts.asked} questions that fit (any expert: "
                f"{counts.decided}), for {counts.strays} of {counts.others} that do not"
            )
    except P2GError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def line(name: str, figures: Report) -> str:
    """A report in one line."""
    ece, balanced, accuracy = figures.ece, figures.balanced_accuracy, figures.accuracy
    return (
        f"{name:7} n {figures.n}, ECE {ece.value:.3f} [{ece.low:.3f}, {ece.high:.3f}], NLL {figures.nll:.3f}, balanced "
        f"{balanced.value:.3f} [{balanced.low:.3f}, {balanced.high:.3f}], called {figures.called_needed:.0%} / "
        f"{figures.called_not_needed:.0%}, right {accuracy.value:.3f}, cost {figures.cost:.2f}"
    )


if __name__ == "__main__":
    sys.exit(main())
