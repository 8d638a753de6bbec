"""The doctor: what is here, what a profile lacks, and the command that fixes it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from agent import cli
from agent.doctor import Check, check_profile, installed
from agent.profiles import Profile, load_profile
from policies.base_lm import base_lm_path
from tools.errors import ExpertError


def named(checks: list[Check], name: str) -> Check:
    return next(check for check in checks if check.name == name)


def profile(controller: dict, home: Path, **experts) -> Profile:
    tables = {"ground": False, "plugins": False, **experts}
    return Profile.model_validate({"name": "t", "controller": controller, "experts": tables, "home": home})


@pytest.fixture
def server() -> Iterator[str]:
    """A loopback server with the list of models of an OpenAI-compatible one; the key `secret` opens it."""

    class Models(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers.get("Authorization") == "Bearer secret"
            body = json.dumps({"data": [{"id": "small"}]} if known else {}).encode()
            self.send_response(200 if known else 401)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None: ...

    running = HTTPServer(("127.0.0.1", 0), Models)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}/v1"
    running.shutdown()
    running.server_close()


def test_installed_names_versions_of_what_is_here():
    packages = installed()
    assert {"python", "p2g", "torch", "pydantic"} <= set(packages)
    assert packages["python"].startswith("3.")


def test_nano_without_its_base_model_says_how_to_fetch_it(tmp_path):
    check = named(check_profile(profile({"kind": "native"}, tmp_path)), "base model")
    assert (check.ok, check.fix) == (False, "p2g weights fetch")
    assert str(tmp_path) in check.detail


def test_nano_with_its_base_model_is_content(tmp_path):
    folder = base_lm_path(tmp_path)
    folder.mkdir(parents=True)
    (folder / "source.json").write_text("{}")
    assert named(check_profile(profile({"kind": "native"}, tmp_path)), "base model").ok


def test_weights_are_found_in_any_folder(tmp_path):
    assert not named(check_profile(profile({"kind": "native", "weights": str(tmp_path)}, tmp_path)), "weights").ok
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    assert named(check_profile(profile({"kind": "native", "weights": str(tmp_path)}, tmp_path)), "weights").ok


def test_the_wrapped_controller_of_a_baseline_is_checked(tmp_path):
    wrapped = {"kind": "always", "controller": {"kind": "never", "controller": {"kind": "native"}}}
    assert not named(check_profile(profile(wrapped, tmp_path)), "base model").ok


def test_a_hub_model_that_is_not_here_has_its_download_command(tmp_path):
    checks = check_profile(profile({"kind": "transformers", "model": "nobody/nothing"}, tmp_path))
    assert named(checks, "controller model").fix == "hf download nobody/nothing"
    local = check_profile(profile({"kind": "transformers", "model": str(tmp_path)}, tmp_path))
    assert named(local, "controller model").ok


def test_grounding_without_a_model_is_a_choice_not_a_lack(tmp_path):
    assert named(check_profile(profile({"kind": "native"}, tmp_path, ground={})), "ground").ok
    named_model = check_profile(profile({"kind": "native"}, tmp_path, ground={"model": "nobody/nothing"}))
    assert named(named_model, "ground model").fix == "hf download nobody/nothing"


def test_a_server_is_asked_for_its_models(tmp_path, server, monkeypatch):
    def check(model: str) -> Check:
        settings = {"kind": "chat", "model": model, "base_url": server, "api_key_env": "P2G_TEST_KEY"}
        return named(check_profile(profile(settings, tmp_path)), "server")

    assert check("small").fix == "export P2G_TEST_KEY=<your key>"
    monkeypatch.setenv("P2G_TEST_KEY", "secret")
    assert check("small").ok
    assert "it has small" in check("large").detail


def test_a_server_that_is_down_is_a_lack(tmp_path):
    settings = {"kind": "chat", "model": "m", "base_url": "http://127.0.0.1:9/v1"}
    check = named(check_profile(profile(settings, tmp_path)), "server")
    assert not check.ok
    assert "does not answer" in check.detail


def test_a_missing_package_has_its_install_command(tmp_path, monkeypatch):
    monkeypatch.setattr("agent.doctor.find_spec", lambda name: None if name == "paddleocr" else object())
    checks = check_profile(profile({"kind": "native"}, tmp_path, read={"engine": "paddleocr"}))
    assert any(".[paddle]" in check.fix for check in checks if not check.ok)


def test_a_broken_plug_in_is_reported_and_the_rest_is_still_checked(tmp_path, monkeypatch):
    import tools.registry

    found = {
        **tools.registry.available_tools(),
        "spell": ExpertError("expert 'spell' cannot be imported: no dictionary"),
    }
    monkeypatch.setattr("tools.registry.available_tools", lambda: found)
    checks = check_profile(profile({"kind": "native"}, tmp_path))
    assert "no dictionary" in named(checks, "spell").detail
    assert named(checks, "zoom").ok


def test_the_command_fails_when_the_default_profile_lacks_something(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("P2G_HOME", str(tmp_path))
    with pytest.raises(SystemExit) as left:
        cli.main(["doctor"])
    out = capsys.readouterr().out
    assert left.value.code == 1
    assert "fix: p2g weights fetch" in out
    for name in ("nano", "cpu", "gpu", "api"):
        assert f"profile {name}: " in out


def test_every_lack_of_the_built_in_profiles_has_a_fix(tmp_path, monkeypatch):
    monkeypatch.setenv("P2G_HOME", str(tmp_path))
    for name in ("nano", "cpu", "gpu", "api"):
        for check in check_profile(load_profile(name)):
            assert check.ok or check.fix or check.name in {"read", "ground", "zoom"}
