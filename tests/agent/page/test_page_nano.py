"""`p2g ui` itself, as a process, with the real nano weights: from the command to an answer with its evidence."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.profiles import p2g_home
from policies.base_lm import base_lm_ready
from policies.nano import WEIGHTS

pytestmark = [
    pytest.mark.timeout(600),  # loading shares the machine with whatever else it does
    pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(not (WEIGHTS / "nano" / "adapter_model.safetensors").is_file(), reason="no weights of nano"),
    pytest.mark.skipif(not base_lm_ready(p2g_home()), reason="no base language model: run `p2g weights fetch`"),
]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect


@pytest.fixture
def address():
    """Where `p2g ui` says that the page is."""
    command = [sys.executable, "-m", "agent.cli", "ui", "--no-browser", "--port", "0"]
    root = Path(__file__).parents[3]
    process = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)
    line = process.stderr.readline()
    yield re.search(r"http://127\.0\.0\.1:\d+/", line).group()
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(timeout=120) in (0, 130)
    finally:
        process.kill()


def test_an_invoice_is_read_and_its_total_is_marked(browser, address):
    page = browser.new_page()
    page.goto(address)
    page.get_by_role("button", name="Sample: invoice").click()
    expect(page.locator("#stage")).to_be_visible()
    page.fill("#question", "What is the total?")
    page.keyboard.press("Enter")  # asked as soon as the model is loaded
    expect(page.locator("#about")).to_contain_text("profile nano · experts: read", timeout=250_000)
    turn = page.locator("#turns > .turn").first
    expect(turn.locator(".said strong")).to_have_text("$265.24", timeout=250_000)
    expect(turn.locator(".meter")).to_contain_text("the controller asks read")
    expect(turn.locator(".evidence .words").first).to_have_text("$265.24")
    page.locator("#tags .box.evidence").first.hover()
    expect(turn.locator(".row-of").first).to_have_class(re.compile("lit"))
    page.close()
