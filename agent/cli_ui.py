"""The command `p2g ui`: the server and its page on this machine, opened in the browser."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli_serve import require_packages

if TYPE_CHECKING:
    import socket

    import uvicorn

    from agent.profiles import Profile
    from agent.server.service import Service

app = typer.Typer(add_completion=False, rich_markup_mode=None)
SOURCE_SAMPLES = Path(__file__).parents[1] / "evaluation" / "samples"  # in a source tree; else none are offered


@app.command()
def ui(
    profile: Annotated[str, typer.Option("--profile", "-p", help="A profile's name, or the path of a .toml file.")] = (
        "nano"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8780,
    host: Annotated[str, typer.Option(help="Address of this machine to listen on: 127.0.0.1, ::1.")] = "127.0.0.1",
    samples: Annotated[
        Path | None, typer.Option(help="Folder of pictures to offer; default: those of the source tree.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
) -> None:
    """Ask about pictures in the browser: watch the decision and the experts, correct the evidence. Ctrl-C ends."""
    from agent.profiles import load_profile
    from tools.errors import UsageError
    from tools.remote.local import LOOPBACK, listen

    require_packages("p2g ui")
    if host not in LOOPBACK:
        raise UsageError(f"the page is for this machine only: {host} is none of {', '.join(sorted(LOOPBACK))}")
    if samples is not None and not samples.is_dir():
        raise UsageError(f"{samples} is no folder: give one with pictures to --samples")
    settings = load_profile(profile)
    listener = listen(host, port)
    where = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/"
    print(f"p2g: the page is at {where} (Ctrl-C ends)", file=sys.stderr, flush=True)
    serve(settings, listener, SOURCE_SAMPLES if samples is None else samples, where if browser else None)


def serve(settings: Profile, listener: socket.socket, samples: Path, opened: str | None = None) -> None:
    """Server and page until SIGINT or SIGTERM. `opened` is the address to show in the browser."""
    import logging
    import threading

    from agent.server.run import Server, configure, loader
    from agent.server.service import Service
    from agent.server.settings import MB, ServerSettings

    limits = ServerSettings(
        max_picture=settings.max_bytes,
        max_pixels=settings.max_pixels,
        max_body=settings.max_bytes * 3 // 2 + MB,
        max_bodies=settings.max_bytes * 4,
        deadline_s=600,
        drain_s=2,
    )
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING)
    service = Service(limits, {settings.name: loader(settings, limits)})
    config = configure(service)
    include(config, service, samples)
    if opened is not None:
        import webbrowser

        threading.Timer(0.5, webbrowser.open, [opened]).start()
    Server(config, service).run(sockets=[listener])


def include(config: uvicorn.Config, service: Service, samples: Path | None) -> None:
    """Adds the page to the server's application."""
    from fastapi import FastAPI

    from agent.page.routes import include_page

    assert isinstance(config.app, FastAPI)
    include_page(config.app, service, samples)
