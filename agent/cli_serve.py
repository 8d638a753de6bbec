"""The command `p2g serve`: starts the HTTP server of `agent/server`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None)
PACKAGES = ("uvicorn", "fastapi", "prometheus_client", "python_multipart")


@app.command()
def serve(
    profile: Annotated[
        list[str] | None, typer.Option("--profile", "-p", help="A profile's name or .toml file; again for more.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8080,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes, each with its own models.")] = 1,
    running: Annotated[
        int | None, typer.Option(min=1, help="Questions at a time in a process; default: what the controller allows.")
    ] = None,
    queue: Annotated[int, typer.Option(min=0, help="Questions that may wait; more get 429.")] = 32,
    deadline: Annotated[float, typer.Option(min=0.1, help="Seconds a question may take, waiting included.")] = 120.0,
    max_picture_mb: Annotated[float, typer.Option(min=0.01, help="Of an encoded picture.")] = 20.0,
    max_megapixels: Annotated[float, typer.Option(min=0.01, help="Of a picture.")] = 100.0,
    max_body_mb: Annotated[float, typer.Option(min=0.01, help="Of a request, with all its earlier pictures.")] = 64.0,
    allow_picture_urls: Annotated[
        bool, typer.Option("--allow-picture-urls", help="Fetch pictures by address, from public addresses only.")
    ] = False,
    tokens: Annotated[
        Path | None, typer.Option(help="File with one `NAME TOKEN` a line; callers must send one of them.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="Folder for conversations and their pictures; default: in the cache directory.")
    ] = None,
    keep_days: Annotated[float, typer.Option(min=0.001, help="Conversations not used for so long go.")] = 30.0,
    store_mb: Annotated[
        float, typer.Option(min=1, help="Of conversations and pictures; the oldest go first.")
    ] = 2000.0,
    drain: Annotated[float, typer.Option(min=0, help="Seconds to finish running questions at the end.")] = 30.0,
) -> None:
    """Answer questions over HTTP: an OpenAI-compatible API, and /v1/ask with evidence, until Ctrl-C."""
    from agent.profiles import load_profile
    from tools.errors import UsageError
    from tools.remote.local import LOOPBACK

    require_packages()
    if host not in LOOPBACK and tokens is None:
        raise UsageError(f"{host} is open to others: give a file of tokens with --tokens, or listen on 127.0.0.1")
    profiles = [load_profile(name) for name in profile or ["nano"]]
    names = [found.name for found in profiles]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"the profile {twice[0]!r} is there twice")
    from agent.server.guard import read_tokens
    from agent.server.run import serve as run
    from agent.server.settings import MB, ServerSettings

    settings = ServerSettings(
        running=running,
        waiting=queue,
        deadline_s=deadline,
        max_body=round(max_body_mb * MB),
        max_bodies=8 * round(max_body_mb * MB),
        max_picture=round(max_picture_mb * MB),
        max_pixels=round(max_megapixels * MB),
        fetch=allow_picture_urls,
        store=store or profiles[0].home / "serve",
        keep_days=keep_days,
        store_bytes=round(store_mb * MB),
        drain_s=drain,
        tokens=read_tokens(tokens) if tokens else (),
    )
    run(profiles, settings, host, port, workers, lambda line: print(line, file=sys.stderr, flush=True))


def require_packages(command: str = "p2g serve") -> None:
    """Raises `UsageError` when the packages of the extra `serve` are not here."""
    from importlib.util import find_spec

    from tools.errors import UsageError

    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise UsageError(f"{command} needs the package {missing[0].replace('_', '-')}: pip install 'p2g[serve]'")
