"""The example plug-in in `examples/p2g-barcode`: installed by pip from its folder, found, and called by controllers."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent import Agent
from agent.profiles import load_profile, p2g_home
from tools import Call, Picture, Runner, load_tools

zxingcpp = pytest.importorskip("zxingcpp")
EXAMPLE = Path(__file__).parents[1] / "examples" / "p2g-barcode"
NEED_WEIGHTS = "the base language model is not here: run `p2g weights fetch`"


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory):
    """`pip install` of the example into a folder on the path, as a user would install it beside p2g."""
    work = tmp_path_factory.mktemp("plugin")
    source, site = work / "p2g-barcode", work / "site"
    source.mkdir()
    for file in EXAMPLE.iterdir():  # pip builds in the folder: the example stays clean
        if file.is_file():
            (source / file.name).write_bytes(file.read_bytes())
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(site), str(source)], check=True, timeout=120)
    sys.path.insert(0, str(site))
    yield
    sys.path.remove(str(site))
    sys.modules.pop("p2g_barcode", None)


@pytest.fixture
def parcel():
    """A label with a QR code at (300, 200), 128 pixels a side within its white border, and a bar code below it."""
    image = Image.new("RGB", (900, 700), "#e8e4d8")
    code = zxingcpp.create_barcode("PARCEL 4711", zxingcpp.BarcodeFormat.QRCode)
    image.paste(Image.fromarray(np.array(code.to_image(scale=6))), (300, 200))
    bars = zxingcpp.create_barcode("4006381333931", zxingcpp.BarcodeFormat.EAN13)
    image.paste(Image.fromarray(np.array(bars.to_image(scale=3))), (80, 480))
    return image


def test_the_expert_is_short_enough_to_be_read_in_one_go():
    assert len((EXAMPLE / "p2g_barcode.py").read_text().splitlines()) < 60


def test_codes_are_read_with_their_places(parcel):
    runner = Runner(load_tools(["barcode"]))
    regions = runner.run(Picture.open(parcel), [Call(expert="barcode")])[0].regions
    found = {region.text: region for region in regions}
    assert set(found) == {"PARCEL 4711", "4006381333931"}
    assert found["4006381333931"].label == "EAN-13"
    box = found["PARCEL 4711"].box
    assert box == pytest.approx((324, 224, 452, 352), abs=4)  # without the white border of four modules
    (part,) = runner.run(Picture.open(parcel), [Call(expert="barcode", args={"box": [280, 180, 500, 400]})])[0].regions
    assert part.text == "PARCEL 4711"
    assert part.box == pytest.approx(box, abs=2)  # in the frame of the whole picture
    outside = runner.run(Picture.open(parcel), [Call(expert="barcode", args={"box": [1000, 0, 1100, 9]})])[0]
    assert "outside the 900x700 picture" in outside.error
    assert runner.run(Picture.open(Image.new("RGB", (50, 50))), [Call(expert="barcode")])[0].regions == []


def test_every_profile_has_it_and_p2g_tools_lists_it(capsys, monkeypatch, tmp_path):
    from agent import cli

    monkeypatch.setenv("P2G_HOME", str(tmp_path))
    with pytest.raises(SystemExit) as left:
        cli.main(["tools", "--json"])
    assert left.value.code == 0
    listed = {expert["name"]: expert for expert in json.loads(capsys.readouterr().out)}
    assert listed["barcode"]["unavailable"] is None
    assert "box" in listed["barcode"]["parameters"]["properties"]
    for name in ("cpu", "gpu", "api"):
        assert "barcode" in [tool.name for tool in load_profile(name).build_tools()]


@pytest.mark.parametrize(
    "question", ["What does the barcode say?", "What does the QR code say?", "What is encoded in the QR code?"]
)
def test_the_nano_controller_calls_it_without_having_been_trained_for_it(parcel, question, tmp_path):
    from policies.base_lm import base_lm_ready

    if not base_lm_ready(p2g_home()):
        pytest.skip(NEED_WEIGHTS)
    parcel.paste("#e8e4d8", (0, 460, 900, 700))  # one code only
    with Agent.load("nano", keep_results=False) as agent:
        answer = agent.ask(parcel, question)
    assert [call.expert for call in answer.decision.calls] == ["barcode"]
    assert answer.decision.p_call > 0.5  # likelier than not, and not just above the threshold that ships
    assert answer.text == "PARCEL 4711"
    assert [region.source for region in answer.evidence] == ["barcode"]


def test_the_nano_controller_still_reads_what_is_no_barcode(tmp_path):
    from PIL import ImageDraw

    from policies.base_lm import base_lm_ready

    if not base_lm_ready(p2g_home()):
        pytest.skip(NEED_WEIGHTS)
    image = Image.new("RGB", (600, 200), "white")
    ImageDraw.Draw(image).text((20, 60), "Total due 55.20 CHF", fill="black", font_size=40)
    with Agent.load("nano", keep_results=False) as agent:
        answer = agent.ask(image, "What is the total?")
    assert [call.expert for call in answer.decision.calls] == ["read"]


def test_a_chat_controller_calls_it(parcel):
    """A real OpenAI-compatible server on loopback that asks for the expert it was offered, then answers."""
    from agent.controllers.chat import ChatController

    requests = []

    class Server(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            requests.append(body)
            if len(requests) == 1:
                call = {"id": "1", "type": "function", "function": {"name": "barcode", "arguments": "{}"}}
                message = {"role": "assistant", "content": None, "tool_calls": [call]}
            else:
                message = {"role": "assistant", "content": "4006381333931"}
            data = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        with Agent(
            ChatController(f"http://127.0.0.1:{http.server_port}/v1", "m"), Runner(load_tools(["barcode"]))
        ) as agent:
            answer = agent.ask(parcel, "What is the number under the bar code?")
    finally:
        http.shutdown()
        http.server_close()
    assert [tool["function"]["name"] for tool in requests[0]["tools"]] == ["barcode"]
    (said,) = [message["content"] for message in requests[1]["messages"] if message["role"] == "tool"]
    assert '"4006381333931" at [' in said
    assert answer.text == "4006381333931"
    assert answer.ledger.experts[0].expert == "barcode"
