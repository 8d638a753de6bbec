"""The command `p2g mcp`: starts the MCP server on stdio, or on streamable HTTP with `--http`."""

from __future__ import annotations

import hmac
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def mcp(
    profile: Annotated[str, typer.Option("--profile", "-p", help="A profile's name, or the path of a .toml file.")] = (
        "nano"
    ),
    root: Annotated[
        list[Path] | None, typer.Option(help="A folder whose pictures may be named by path; again for more.")
    ] = None,
    http: Annotated[bool, typer.Option("--http", help="Streamable HTTP instead of stdio.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on with --http.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8766,
    token_env: Annotated[
        str | None, typer.Option(help="Environment variable with the token that callers must send.", show_default=False)
    ] = None,
) -> None:
    """Serve questions and experts to MCP clients (Claude Desktop, editors, agents) until they leave or Ctrl-C."""
    from agent.profiles import load_profile
    from tools.errors import UsageError
    from tools.remote.local import LOOPBACK

    token = os.environ.get(token_env) if token_env else None
    if token_env and not token:
        raise UsageError(f"the environment variable {token_env} is empty; put the token into it")
    if http and host not in LOOPBACK and not token:
        raise UsageError(f"{host} is open to others: name a token with --token-env, or listen on 127.0.0.1")
    try:
        import mcp.server  # noqa: F401
    except ImportError as error:
        raise UsageError(f"p2g mcp needs the package {error.name}: pip install 'p2g[mcp]'") from error
    from agent.mcp_server import Service, build_server

    server = build_server(Service(load_profile(profile), root or []))
    if http:
        serve_http(server, host, port, token)
    else:
        serve_stdio(server)


def serve_stdio(server: Server[Any]) -> None:
    """Until the client closes our standard input."""
    import anyio
    from mcp.server.stdio import stdio_server

    async def run() -> None:
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    anyio.run(run)


def serve_http(server: Server[Any], host: str, port: int, token: str | None) -> None:
    """Until Ctrl-C. The address is printed on stderr once the port is ours."""
    import uvicorn

    from agent.mcp_server import MAX_BYTES
    from tools.remote.local import listen

    inner = server.streamable_http_app(host=host, max_request_body_size=MAX_BYTES * 4 // 3 + 100_000)
    listening = listen(host, port)  # from now on clients wait instead of being refused
    shown = f"[{host}]" if ":" in host else host
    print(f"p2g: MCP at http://{shown}:{listening.getsockname()[1]}/mcp (Ctrl-C ends)", file=sys.stderr, flush=True)
    config = uvicorn.Config(guarded(inner, token) if token else inner, log_level="warning", timeout_graceful_shutdown=2)
    uvicorn.Server(config).run(sockets=[listening])


def guarded(inner: Any, token: str) -> Any:
    """The ASGI app behind a bearer token."""
    wanted = f"Bearer {token}".encode()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        given = dict(scope.get("headers", [])).get(b"authorization", b"")
        if scope["type"] == "http" and not hmac.compare_digest(given, wanted):
            headers = [(b"content-type", b"text/plain"), (b"www-authenticate", b"Bearer")]
            await send({"type": "http.response.start", "status": 401, "headers": headers})
            await send({"type": "http.response.body", "body": b"this server needs its token"})
            return
        await inner(scope, receive, send)

    return app
