"""The command line as a user meets it: what is printed where, exit codes, one line per error and never a traceback."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from pydantic import BaseModel

import agent.agent
from agent import cli
from agent.types import Answer, Decision, Usage, View
from tools.base import Call, Region, Tool
from tools.errors import ControllerError
from tools.pictures import Picture
from tools.runner import Runner

ROOT = Path(__file__).parents[2]
HEAVY = ["torch", "transformers", "peft", "langgraph", "rapidocr", "onnxruntime", "cv2", "httpx"]


class Spell(Tool):
    """Finds one word; its text is hostile to terminals and to markup."""

    name = "spell"
    description = "Spells the word in the picture."

    def __call__(self, picture: Picture, args: BaseModel) -> list[Region]:
        print("noise of a library on stdout")
        return [Region(box=(4, 6, 40, 20), text="[red]TOTAL[/red]\x1b[31m 12.40", score=0.875, source=self.name)]


class Crash(Tool):
    name = "crash"
    description = "Always fails, to see what happens."

    def __call__(self, picture: Picture, args: BaseModel) -> list[Region]:
        raise ZeroDivisionError("no divisor\nat all")


class Slow(Tool):
    name = "slow"
    description = "Never ends in time, to see what happens."
    timeout_s = 0.05

    def __call__(self, picture: Picture, args: BaseModel) -> list[Region]:
        time.sleep(1.0)
        return []


class Scripted:
    """Calls one expert, then answers with what it found (or the first option), or raises what it is given."""

    def __init__(self, expert: str | None = "spell", error: BaseException | None = None) -> None:
        self.expert, self.error, self.views = expert, error, []

    def decide(self, view: View) -> Decision:
        self.views.append(view)
        if self.error:
            raise self.error
        view.usage += Usage(controller_calls=1, prompt_tokens=10)
        calls = [Call(expert=self.expert)] if self.expert and view.round == 0 else []
        return Decision(calls=calls, p_call=0.9 if self.expert else 0.1)

    def answer(self, view: View) -> Answer:
        view.usage += Usage(controller_calls=1, prompt_tokens=20, cached_tokens=10, generated_tokens=3)
        if view.options:
            return Answer(text=view.options[0], choice=0, evidence=view.regions, confidence=0.5)
        return Answer(text=" ".join(region.text or "" for region in view.regions) or "nothing", evidence=view.regions)


@pytest.fixture
def png(tmp_path: Path) -> str:
    path = tmp_path / "page.png"
    Image.new("RGB", (120, 80), "white").save(path)
    return str(path)


@pytest.fixture
def controller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Scripted:
    """`Agent.load` gives a real agent around this controller, with the real runner and the experts above."""
    scripted = Scripted()
    monkeypatch.setenv("P2G_HOME", str(tmp_path / "home"))

    def load(profile, **how):
        return agent.agent.Agent(scripted, Runner([Spell(), Crash(), Slow()]), **how)

    monkeypatch.setattr(agent.agent.Agent, "load", load)
    return scripted


@pytest.fixture
def p2g(capsys: pytest.CaptureFixture[str]):
    """Runs the command line in this process: (exit code, stdout, stderr)."""

    def run(*argv: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            cli.main(argv)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return left.value.code, out, err

    return run


def test_ask_shows_answer_decision_evidence_and_cost(p2g, png, controller):
    code, out, err = p2g("ask", png, "What is the total?")
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "[red]TOTAL[/red]" in lines["answer"]
    assert lines["decision"].split(maxsplit=1)[1] == "call spell (p_call 0.90)"
    assert "[4,6,40,20]" in lines["1"]
    assert "0.88" in lines["1"]
    assert "3 calls, 40 prompt tokens (0 visual, 10 cached), 3 generated" in lines["cost"]
    assert "1 region" in lines["spell:"]
    assert "spell found 1 region (" in err


def test_nothing_from_a_picture_reaches_the_terminal_as_control(p2g, png, controller):
    _, out, err = p2g("ask", png, "What is the total?")
    assert "\x1b" not in out + err


def test_json_is_all_there_is_on_stdout(p2g, png, controller):
    code, out, err = p2g("ask", png, "What is the total?", "--json", "--threshold", "0.25")
    answer = json.loads(out)
    assert code == 0
    assert answer["evidence"][0]["box"] == [4, 6, 40, 20]
    assert (answer["question"], answer["mode"], answer["threshold"]) == ("What is the total?", "learned", 0.25)
    assert "trace" not in answer
    assert "noise of a library" in err
    assert controller.views[0].threshold == 0.25


def test_quiet_leaves_stderr_empty(p2g, png, controller):
    controller.expert = None
    assert p2g("ask", png, "Colour?", "--quiet")[2] == ""


@pytest.mark.parametrize(
    "given", [["--options", "red; green;blue"], ["--option", "red", "--option", "green", "--option", "blue"]]
)
def test_options_come_joined_or_one_by_one(p2g, png, controller, given):
    code, out, _ = p2g("ask", png, "Colour?", *given)
    assert code == 0
    assert controller.views[0].options == ["red", "green", "blue"]
    assert "A. red" in out


def test_mode_is_passed_on(p2g, png, controller):
    _, out, _ = p2g("ask", png, "Colour?", "--mode", "direct")
    assert controller.views[0].mode == "direct"
    assert "answer directly" in out


def test_trace_and_evidence_are_written(p2g, png, controller, tmp_path):
    trace, evidence = tmp_path / "trace.json", tmp_path / "evidence.png"
    code, _, err = p2g("ask", png, "Total?", "--trace", str(trace), "--evidence", str(evidence))
    assert code == 0
    assert [step["kind"] for step in json.loads(trace.read_text())["trace"]][:2] == ["decide", "experts"]
    assert Image.open(evidence).width > 120
    assert str(evidence) in err


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["ask", "{png}"], 2, "question"),
        (["ask", "{png}", "  "], 2, "empty"),
        (["ask", "{tmp}/gone.png", "x"], 3, "does not exist"),
        (["ask", "{tmp}", "x"], 3, "folder"),
        (["ask", "{tmp}/words.png", "x"], 3, "not a picture"),
        (["ask", "{tmp}/cut.png", "x"], 3, "cut.png"),
        (["ask", "{png}", "x", "--profile", "{tmp}/tiny.toml"], 3, "over the limit"),
        (["ask", "{png}", "x", "--profile", "nope"], 2, "unknown profile 'nope'"),
        (["ask", "{png}", "x", "--profile", "{tmp}/bad.toml"], 2, "'colour'"),
        (["ask", "{png}", "x", "--mode", "sometimes"], 2, "sometimes"),
        (["ask", "{png}", "x", "--threshold", "1.5"], 2, "--threshold"),
        (["ask", "{png}", "x", "--options", "only"], 2, "2 to 26"),
        (["ask", "{png}", "x", "--options", "a;;b"], 2, "option 2 is empty"),
        (["ask", "{png}", "x", "--option", "a", "--option", "A"], 2, "twice"),
        (["ask", "{png}", "x", "--wrong"], 2, "--wrong"),
        (["ask", "{png}", "x", "--evidence", "{tmp}/none/e.png"], 2, "does not exist"),
        (["ask", "{png}", "x", "--evidence", "{tmp}/e.txt"], 2, ".png"),
        (["ask", "{png}", "x", "--trace", "{tmp}/t.png"], 2, ".json"),
        (["fly"], 2, "fly"),
    ],
)
def test_bad_input_is_one_line_and_an_exit_code(p2g, png, controller, tmp_path, argv, code, said):
    (tmp_path / "words.png").write_text("this is not a picture")
    (tmp_path / "cut.png").write_bytes(Path(png).read_bytes()[:90])
    (tmp_path / "tiny.toml").write_text("max_pixels = 100")
    (tmp_path / "bad.toml").write_text("colour = 'red'")
    got, out, err = p2g(*(part.format(png=png, tmp=tmp_path) for part in argv))
    assert (got, out) == (code, "")
    last = err.splitlines()[-1]
    assert last.startswith("p2g: error: ")
    assert said in last
    assert len([line for line in err.splitlines() if "error" in line]) == 1


def test_an_expert_that_crashes_does_not_lose_the_answer(p2g, png, controller):
    controller.expert = "crash"
    code, out, err = p2g("ask", png, "Total?")
    assert code == 0
    assert "nothing" in out
    assert "failed" in out
    assert "no divisor" in err


def test_an_expert_that_takes_too_long_does_not_lose_the_answer(p2g, png, controller):
    controller.expert = "slow"
    code, out, err = p2g("ask", png, "Total?")
    assert code == 0
    assert "slow failed" in err
    assert "0.05 s" in err
    assert "failed after" in out


def test_a_controller_that_fails_is_exit_code_5(p2g, png, controller):
    controller.error = ControllerError("the server said no;\ntry later")
    code, out, err = p2g("ask", png, "Total?")
    assert (code, out) == (5, "")
    assert err.splitlines()[-1] == "p2g: error: the server said no; try later"


def test_a_server_that_is_down_is_exit_code_5(p2g, png, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    profile = tmp_path / "down.toml"
    profile.write_text(
        f"[controller]\nkind = 'chat'\nmodel = 'm'\nbase_url = 'http://127.0.0.1:{port}/v1'\nmax_retries = 0\n"
    )
    code, out, err = p2g("ask", png, "Total?", "--profile", str(profile))
    assert (code, out) == (5, "")
    assert f"127.0.0.1:{port}" in err.splitlines()[-1]


def test_ctrl_c_is_130(p2g, png, controller):
    controller.error = KeyboardInterrupt()
    code, out, err = p2g("ask", png, "Total?")
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == "p2g: interrupted"


def test_a_bug_is_one_line_unless_debugging(p2g, png, controller, monkeypatch):
    controller.error = KeyError("lost")
    code, _, err = p2g("ask", png, "Total?")
    assert code == cli.BUG_EXIT_CODE
    assert "KeyError" in err.splitlines()[-1]
    monkeypatch.setenv("P2G_DEBUG", "1")
    with pytest.raises(KeyError):
        cli.main(["ask", png, "Total?"])


def test_chat_reuses_what_was_read_and_goes_on_after_a_bad_question(p2g, png, controller, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"Total?\n\n{'x' * 5000}\nAnd the word?\n/quit\nnever asked\n"))
    code, out, err = p2g("chat", png)
    assert code == 0
    assert out.count("answer ") == 2
    assert [line.split()[-1] for line in out.splitlines() if line.strip().startswith("spell:")][1] == "cached"
    assert "5000 characters" in err
    assert [turn.question for turn in controller.views[-1].history] == ["Total?"]


def test_a_named_conversation_goes_on_in_another_run(p2g, png, controller, monkeypatch):
    for question in ("Total?", "And the word?"):
        monkeypatch.setattr(sys, "stdin", io.StringIO(question))
        assert p2g("chat", png, "--thread", "receipts")[0] == 0
    assert [turn.question for turn in controller.views[-1].history] == ["Total?"]


def test_tools_says_what_can_run_here(p2g):
    code, out, _ = p2g("tools", "--json")
    experts = {expert["name"]: expert for expert in json.loads(out)}
    assert code == 0
    assert {"read", "ground", "zoom"} <= set(experts)
    assert experts["read"]["unavailable"] is None
    assert experts["ground"]["unavailable"] is None
    assert "read" in p2g("tools")[1]


def test_profiles_lists_nano_first(p2g):
    code, out, _ = p2g("profiles", "--json")
    assert code == 0
    assert [profile["name"] for profile in json.loads(out)] == ["nano", "api", "cpu", "gpu"]
    assert "nano" in p2g("profiles")[1]


def test_weights_are_listed_with_their_hash(p2g, tmp_path, monkeypatch):
    monkeypatch.setenv("P2G_HOME", str(tmp_path))
    (tmp_path / "base" / "small").mkdir(parents=True)
    (tmp_path / "base" / "small" / "model.safetensors").write_bytes(b"weights")
    files = {file["name"]: file for file in json.loads(p2g("weights", "--json")[1])}
    assert files["base/small"]["bytes"] == 7
    assert files["base/small"]["sha256"] == hashlib.sha256(b"weights").hexdigest()
    assert "model.safetensors" in p2g("weights")[1]


def test_version_and_help(p2g):
    assert p2g("--version")[1].startswith("p2g ")
    code, out, _ = p2g()
    assert code == 0
    assert "ask" in out


def test_heavy_packages_are_not_imported_until_they_are_needed():
    script = (
        "import sys, agent, agent.agent, tools, agent.cli, agent.cli_show, agent.profiles, agent.doctor;"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.parametrize("argv", [["profiles"], ["profiles", "--json"], ["--help"]])
def test_a_reader_that_leaves_is_no_error(argv):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "agent.cli", *argv]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, cwd=ROOT)
    os.close(write)
    assert done.stderr == b""
    assert done.returncode in {1, 141}


@pytest.mark.parametrize("output", ["--evidence", "--trace"])
def test_a_file_that_cannot_be_written_does_not_lose_the_answer(p2g, png, controller, tmp_path, output, monkeypatch):
    def full(*args, **how):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    monkeypatch.setattr(Path, "write_text", full)
    path = tmp_path / ("e.png" if output == "--evidence" else "t.json")
    code, out, err = p2g("ask", png, "Total?", output, str(path))
    assert code == 2
    assert "TOTAL" in out
    assert err.splitlines()[-1] == f"p2g: error: {path} cannot be written: No space left on device"


def test_a_question_that_is_not_utf8_can_be_traced(p2g, png, controller, tmp_path):
    code, _, _ = p2g("ask", png, "Total \udcff?", "--trace", str(tmp_path / "t.json"))
    assert code == 0
    assert json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))["question"] == "Total ??"


def test_a_cache_directory_that_cannot_be_written_is_a_usage_error(p2g, png, controller, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("P2G_HOME", str(tmp_path / "file" / "home"))
    for argv in (["chat", png, "--thread", "a"], ["weights", "fetch"]):
        code, out, err = p2g(*argv)
        assert (code, out) == (2, "")
        assert "P2G_HOME" in err.splitlines()[-1]


def test_chat_without_stdin_ends_at_once(p2g, png, controller, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    assert p2g("chat", png)[:2] == (0, "")


def test_closed_and_full_outputs_are_no_bugs():
    command = f"{sys.executable} -m agent.cli profiles"
    for redirect, code in (("<&- >&-", 0), ("2>&-", 0), (">/dev/full", 1)):
        done = subprocess.run(f"{command} {redirect}", shell=True, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == code, done.stderr
        assert len(done.stderr.splitlines()) == (code != 0)


def test_a_plug_in_whose_check_crashes_is_listed_with_the_reason(p2g, monkeypatch):
    class Sick(Spell):
        name = "sick"

        def unavailable(self) -> str | None:
            raise ZeroDivisionError("no divisor")

    monkeypatch.setattr("agent.profiles.Profile.build_tools", lambda self: [Spell(), Sick()])
    code, out, _ = p2g("tools", "--json")
    assert code == 0
    spell, sick = json.loads(out)
    assert spell["unavailable"] is None
    assert "no divisor" in sick["unavailable"]
    assert "no divisor" in p2g("tools")[1]
