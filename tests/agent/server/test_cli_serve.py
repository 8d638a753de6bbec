"""`p2g serve` as a real process: its errors, and one question on the real nano weights."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
from typer.testing import CliRunner

from agent.cli_serve import app
from agent.cli_ui import app as ui
from agent.profiles import p2g_home
from agent.server.threads import FILE
from policies.base_lm import base_lm_path, base_lm_ready
from tests.agent.server.serving import until
from tools.errors import UsageError

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "evaluation" / "samples" / "typed-recipe.png"


def fails(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert isinstance(result.exception, UsageError), result.output
    return str(result.exception)


def test_a_port_that_is_taken_is_said(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = fails("--port", str(port), "--store", str(tmp_path))
    assert f"127.0.0.1:{port}" in said
    assert "--port" in said


def test_a_server_open_to_others_needs_tokens(tmp_path):
    assert "--tokens" in fails("--host", "0.0.0.0", "--store", str(tmp_path))
    assert "cannot be read" in fails("--tokens", str(tmp_path / "missing"), "--store", str(tmp_path))


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr("agent.cli_serve.PACKAGES", ("uvicorn", "not_there"))
    assert fails() == "p2g serve needs the package not-there: pip install 'p2g[serve]'"
    assert str(CliRunner().invoke(ui, []).exception).startswith("p2g ui needs the package not-there")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-p", "huge"], "unknown profile"),
        (["-p", "nano", "-p", "nano"], "twice"),
        (["--store", "/dev/null/x", "--workers", "2"], "choose another --store"),
    ],
)
def test_what_cannot_be_served_is_said_before_anything_is_loaded(arguments, said):
    assert said in fails(*arguments)


def test_a_damaged_store_is_said_once_and_not_by_one_worker_after_the_other(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr("agent.server.run.Workers.run", started.append)
    (tmp_path / FILE).write_bytes(b"no database " * 100)
    assert "cannot keep conversations" in fails("--store", str(tmp_path), "--workers", "2", "--port", "0")
    assert started == []


WORKERS = """
import sys, time
from pathlib import Path
from agent.server.run import Workers

def work():  # the first one dies, the second one stays and never sets a handler of its own
    begun = Path(sys.argv[1]) / str(len(list(Path(sys.argv[1]).iterdir())))
    begun.touch()
    if begun.name == "1":
        time.sleep(60)

Workers(1, work).run()
"""


@pytest.mark.parametrize("begun", [1, 2])
def test_a_server_told_to_end_while_it_replaces_a_worker_ends(tmp_path, begun):
    command = [sys.executable, "-c", WORKERS, str(tmp_path)]
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path.parent)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        try:
            assert process.stderr is not None
            assert "starting another" in process.stderr.readline()  # a second of rest begins
            until(lambda: len(list(tmp_path.iterdir())) == begun)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
            assert len(list(tmp_path.iterdir())) == begun
        finally:
            process.kill()


@pytest.mark.skipif(not base_lm_ready(p2g_home()), reason="the base model is not here: `p2g weights fetch`")
def test_nano_answers_through_openais_client_and_ends_gracefully(tmp_path):
    openai = pytest.importorskip("openai")
    import base64

    import httpx

    home = tmp_path / "home"  # results are cached there
    home.mkdir()
    (home / "base").symlink_to(base_lm_path(p2g_home()).parent)
    command = [sys.executable, "-c", "from agent.cli_serve import app; app()", "--port", "0"]
    environment = {**os.environ, "P2G_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
    assert process.stderr is not None
    try:
        line = next(line for line in process.stderr if line.startswith("serving"))
        url = line.split(" at ")[1].split(" ")[0]
        until(lambda: httpx.get(f"{url}/readyz").status_code == 200, 120)
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        image = "data:image/png;base64," + base64.b64encode(SAMPLE.read_bytes()).decode()
        asked = [{"type": "text", "text": "How much butter?"}, {"type": "image_url", "image_url": {"url": image}}]
        reply = client.chat.completions.create(
            model="nano:always", messages=[{"role": "user", "content": asked}], extra_body={"p2g": {"thread_id": "r"}}
        )
        assert reply.choices[0].message.content
        assert reply.p2g["ledger"]["experts"]
        assert reply.usage.prompt_tokens > 100
        more = client.chat.completions.create(
            model="nano",
            messages=[{"role": "user", "content": "What is it called?"}],
            stream=True,
            extra_body={"p2g": {"thread_id": "r"}},
        )
        assert any(chunk.choices and chunk.choices[0].delta.content for chunk in more)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.stderr.close()
