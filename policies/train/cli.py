"""The command `p2g train`: the stages of one recipe, cut and resumed at will.

On several devices: `accelerate launch -m policies.train.cli instruct --config nano`, or the same with `torchrun`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def train(
    stage: Annotated[
        Literal["words", "align", "instruct", "policy", "reward", "calibrate"],
        typer.Argument(
            help="words: tower and projectors learn names; align: projectors; instruct: the protocol; policy: the "
            "decision; reward: answers and cost; calibrate: fit the threshold of policy and reward again."
        ),
    ],
    config: Annotated[
        str, typer.Option("--config", "-c", help="A recipe's .toml file; cpu, nano, text and tiny ship.")
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change one value: key=value, as in instruct.steps=50; again for more."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint; begin where there is none.")
    ] = False,
    home: Annotated[
        Path, typer.Option(envvar="P2G_HOME", help="The cache with the base model (p2g weights fetch).")
    ] = Path("~/.cache/p2g"),
) -> None:
    """Train one stage of a recipe; weights, log and plot go to OUT/STAGE. Ctrl-C and kill lose nothing: --resume."""
    from policies.base_lm import base_lm_path, base_lm_ready
    from policies.train.recipe import load_recipe
    from tools.errors import UsageError

    tell = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
    recipe = load_recipe(config, set_ or ())
    if stage == "calibrate":
        from policies.train.policy import recalibrate

        return recalibrate(recipe, tell)
    base = recipe.model.base
    if base is None:
        if not base_lm_ready(home.expanduser()):
            raise UsageError("the base language model is not here yet: run `p2g weights fetch` once (93 MB)")
        base = base_lm_path(home.expanduser())
    elif not (base / "tokenizer_config.json").is_file():
        raise UsageError(f"model.base: no language model with its tokenizer in {base}")
    from policies.train.loop import train as run

    run(recipe, stage, base, resume, tell)


def main() -> None:
    """For launchers, which start modules: errors in one line as `p2g` shows them."""
    from tools.errors import P2GError

    try:
        app(standalone_mode=False)
    except P2GError as error:
        print("p2g: error:", " ".join(str(error).split()), file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
