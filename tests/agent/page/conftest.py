"""One headless Chromium for all tests of the page; skipped where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.page.page_fakes import draw, known_agent, serving

ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
ARGS += [f"--disable-{what}" for what in ("background-networking", "component-update", "sync")]


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator:  # its event loop must end with the module: other tests have theirs
    sync_api = pytest.importorskip("playwright.sync_api")
    if (found := shutil.which("chromium")) is None:
        pytest.skip("no Chromium on this machine: the page is not looked at")
    with sync_api.sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("chromium"),
            executable_path=found,
            args=ARGS,
            viewport={"width": 1300, "height": 800},
            accept_downloads=True,
        )
        context.set_default_timeout(15_000)
        yield context
        context.close()


class Served:
    """A server around the known agent, and what its controller and expert saw."""

    def __init__(self, url: str, agent, controller, lamps, samples: Path) -> None:
        self.url, self.agent, self.controller, self.lamps, self.samples = url, agent, controller, lamps, samples


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    samples = tmp_path_factory.mktemp("samples")
    draw(samples / "two-lamps.png")
    agent, controller, lamps = known_agent()
    with serving(agent, samples) as url:
        yield Served(url, agent, controller, lamps, samples)


@pytest.fixture
def page(browser, served) -> Iterator:
    """The page, loaded and ready; the test fails when a script of it did."""
    from playwright.sync_api import expect

    page, wrong = browser.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.goto(served.url)
    expect(page.locator("#about")).to_contain_text("lamps")
    yield page
    page.close()
    assert not wrong
