"""The page in headless Chromium, on a real server: what a person sees and does."""

from __future__ import annotations

import io
import json
import re
import shutil

import httpx
import pytest
from PIL import Image

from tests.agent.page.page_fakes import LAMPS, SCRIPT
from tools.base import Region

pytest.importorskip("fastapi")
from agent.server.wire import How

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium on this machine")
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect


def start(page) -> None:
    page.get_by_role("button", name="Sample: two lamps").click()
    expect(page.locator("#stage")).to_be_visible()
    expect(page.locator("#question")).to_be_focused()


def ask(page, question: str) -> object:
    """Asks and waits for the answer; the newest turn."""
    before = page.locator("#turns > .turn").count()
    page.fill("#question", question)
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("#turns > .turn")).to_have_count(before + 1)
    turn = page.locator("#turns > .turn").first
    expect(turn.locator(".actions").first).to_be_visible()
    return turn


def choose(page, mode: str) -> None:
    page.locator("#more > summary").click()
    page.get_by_role("radio", name=re.compile(mode)).check()


def boxes(page) -> list[str]:
    return page.locator("#tags .box.evidence .tag").all_inner_texts()


def test_a_sample_is_asked_about_and_decision_experts_and_evidence_appear(page):
    start(page)
    turn = ask(page, "Which lamps?")
    expect(turn.locator(".meter")).to_contain_text("the controller asks lamps")
    expect(turn.locator(".meter")).to_contain_text("p_call 0.60, at or above 0.50")
    expect(turn.locator(".runs")).to_contain_text("lamps found 2 regions")
    expect(turn.locator(".said strong")).to_have_text("red and blue")
    assert turn.locator(".evidence .words").all_inner_texts() == ["red", "blue"]
    assert sorted(boxes(page)) == ["1", "2"]
    expect(page.locator("#status")).to_have_text("Answer: red and blue")
    turn.locator(".cost summary").click()
    expect(turn.locator(".cost")).to_contain_text("generated tokens")


def test_boxes_lie_on_what_they_are_about_at_every_zoom(page):
    start(page)
    ask(page, "Which lamps?")
    for _ in range(3):
        seen, box = (page.locator(at).bounding_box() for at in ("#picture", '.box[aria-label$="blue"]'))
        scale = seen["width"] / 600
        x1, y1, x2, y2 = LAMPS["blue"][1]
        assert box["x"] == pytest.approx(seen["x"] + x1 * scale - 2, abs=1)
        assert box["y"] == pytest.approx(seen["y"] + y1 * scale - 2, abs=1)
        assert box["width"] == pytest.approx((x2 - x1) * scale + 4, abs=1)
        assert box["height"] == pytest.approx((y2 - y1) * scale + 4, abs=1)
        page.mouse.move(500, 400)
        page.mouse.wheel(0, -200)


def test_row_and_box_point_at_each_other(page):
    start(page)
    turn = ask(page, "Which lamps?")
    red, blue = page.locator('.box[aria-label$="red"]'), page.locator('.box[aria-label$="blue"]')
    turn.locator(".row-of", has_text="blue").hover()
    expect(blue).to_have_class(re.compile("lit"))
    expect(red).not_to_have_class(re.compile("lit"))
    red.hover()
    expect(turn.locator(".row-of", has_text="red")).to_have_class(re.compile("lit"))
    turn.locator(".row-of", has_text="blue").locator(".pick").focus()
    expect(blue).to_have_class(re.compile("lit"))


def test_the_threshold_changes_the_decision(page):
    start(page)
    page.locator("#more > summary").click()
    page.locator("#threshold").fill("0.9")
    turn = ask(page, "Which lamps?")
    expect(turn.locator(".meter")).to_contain_text("the controller answers directly")
    expect(turn.locator(".meter")).to_contain_text("below 0.90")
    expect(turn.locator(".said strong")).to_have_text("no idea")
    page.get_by_role("button", name="As trained").click()
    expect(ask(page, "Which lamps?").locator(".said strong")).to_have_text("red and blue")


def test_a_mode_can_be_forced(page):
    start(page)
    choose(page, "Direct")
    expect(page.locator("#threshold")).to_be_disabled()
    expect(ask(page, "Which lamps?").locator(".meter")).to_contain_text("mode direct")


def test_a_deleted_region_is_no_longer_answered_from_and_no_expert_runs(page, served):
    start(page)
    turn = ask(page, "Which lamps?")
    runs = served.lamps.runs
    turn.get_by_role("button", name="Delete the region red").click()
    assert boxes(page) == ["2"]
    turn.get_by_role("button", name="Answer again from these").click()
    again = page.locator("#turns > .turn").first
    expect(again.locator(".said strong")).to_have_text("blue")
    expect(again.locator(".chip")).to_have_text("corrected regions")
    assert served.lamps.runs == runs
    assert served.controller.views[-1].history == [], "the wrong answer is not part of the conversation"


def test_a_region_is_moved_and_resized_with_the_pointer_and_undone(page, served):
    start(page)
    turn = ask(page, "Which lamps?")
    red = page.locator('.box[aria-label$="red"]')
    red.click()
    at = red.bounding_box()
    scale = page.locator("#picture").bounding_box()["width"] / 600
    drag(page, at["x"] + at["width"] / 2, at["y"] + at["height"] / 2, 60, 30)
    corner = page.locator('.box[aria-label$="red"] .handle.se').bounding_box()
    drag(page, corner["x"] + 7, corner["y"] + 7, 40, 0)
    turn.get_by_role("button", name="Answer again from these").click()
    expect(page.locator("#turns > .turn").first.locator(".actions")).to_be_visible()
    box = served.controller.views[-1].regions[0].box
    wanted = (40 + 60 / scale, 30 + 30 / scale, 120 + 100 / scale, 60 + 30 / scale)
    assert box == pytest.approx(wanted, abs=1.5)
    first = page.locator("#turns > .turn").nth(1)
    first.get_by_role("button", name="Undo").click()
    expect(first.locator(".again")).to_be_hidden()
    assert red.bounding_box()["x"] == pytest.approx(at["x"], abs=1)


def drag(page, x: float, y: float, dx: float, dy: float) -> None:
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx / 2, y + dy / 2)
    page.mouse.move(x + dx, y + dy)
    page.mouse.up()


def test_what_was_read_wrong_is_corrected(page):
    start(page)
    turn = ask(page, "Which lamps?")
    turn.get_by_role("button", name="Correct the words of red").click()
    turn.get_by_role("textbox", name="What it says").fill("crimson")
    page.keyboard.press("Enter")
    turn.get_by_role("button", name="Answer again from these").click()
    expect(page.locator("#turns > .turn").first.locator(".said strong")).to_have_text("crimson and blue")


def test_more_and_longer_regions_than_the_server_takes_are_answered_from_all_the_same(page, served, tmp_path):
    many = [{"box": [n, 0, n + 1, 1], "label": "lamp", "text": "", "score": 1, "source": "a"} for n in range(1100)]
    many[0] |= {"label": "x" * 201, "text": "😀" * 4001, "source": "a" * 65}
    sent = page.evaluate("(many) => import('/turn.js').then(({ given }) => given([...many, ...many]))", many)
    assert len(How.model_validate({"regions": sent}).regions) == 1000
    served.lamps.more = [Region(box=(5, 5, 20, 20), label="x" * 300, source="lamps")] * 1200
    Image.new("RGB", (300, 200), "gray").save(tmp_path / "long.png")
    page.set_input_files("#file", tmp_path / "long.png")
    try:
        turn = ask(page, "Which lamps?")
    finally:
        served.lamps.more = []
    turn.get_by_role("button", name="Delete the region").first.click()
    turn.get_by_role("button", name="Answer again from these").click()
    expect(page.locator("#turns > .turn").first.locator(".said strong")).to_have_text("x" * 200)
    assert len(served.controller.views[-1].regions) == 1


def test_while_a_question_is_answered_no_other_is_asked_again(page):
    start(page)
    turn = ask(page, "Which lamps?")
    turn.get_by_role("button", name="Delete the region red").click()
    page.fill("#question", "a slow one?")
    page.keyboard.press("Enter")
    expect(page.locator("#turns > .turn")).to_have_count(2)
    again = page.locator("#turns > .turn").nth(1)
    again.get_by_role("button", name="Answer again from these").click()
    expect(page.locator("#status")).to_contain_text("wait for it or stop it")
    expect(page.locator("#turns > .turn")).to_have_count(2)
    expect(page.locator("#turns > .turn").first.locator(".said strong")).to_have_text("red and blue")


def test_a_server_that_did_not_answer_once_is_asked_again_what_it_is(browser, served):
    page, asked = browser.new_page(), []
    page.route("**/page/info", lambda route: (asked.append(1), route.abort() if len(asked) == 1 else route.continue_()))
    page.goto(served.url)
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    expect(page.locator("#about")).to_contain_text("lamps")
    expect(page.get_by_role("alert")).to_be_hidden()
    start(page)
    page.close()


def test_a_drawn_part_restricts_the_question(page, served):
    start(page)
    page.get_by_role("button", name="Restrict to a part").click()
    seen = page.locator("#picture").bounding_box()
    scale = seen["width"] / 600
    drag(page, seen["x"] + 300 * scale, seen["y"] + 150 * scale, 250 * scale, 150 * scale)
    expect(page.locator("#restricted")).to_be_visible()
    turn = ask(page, "Which lamps?")
    expect(turn.locator(".said strong")).to_have_text("blue")
    expect(turn.locator(".chip")).to_have_text("a part")
    assert served.controller.views[-1].picture.size == pytest.approx((250, 150), abs=3)
    box = page.locator('.box[aria-label$="blue"]').bounding_box()
    assert box["x"] == pytest.approx(seen["x"] + 400 * scale - 2, abs=1), "in the frame of the whole picture"
    page.get_by_role("button", name="Whole picture").click()
    expect(ask(page, "Which lamps?").locator(".said strong")).to_have_text("red and blue")


def test_direct_and_deliberate_are_compared_side_by_side(page):
    start(page)
    turn = ask(page, "Which lamps?")
    turn.get_by_role("button", name="Compare direct and deliberate").click()
    expect(page.locator("#status")).to_have_text("They differ.")
    direct, deliberate = turn.locator(".compare .turn").all()
    expect(direct.locator(".said strong")).to_have_text("no idea")
    expect(deliberate.locator(".said strong")).to_have_text("red and blue")
    left, right = direct.bounding_box(), deliberate.bounding_box()
    assert left["x"] + left["width"] <= right["x"]
    assert left["y"] == right["y"]


def test_trace_and_evidence_picture_are_downloaded(page):
    start(page)
    turn = ask(page, "Which lamps?")
    with page.expect_download() as trace:
        turn.get_by_role("button", name="Download the trace").click()
    kept = json.loads(trace.value.path().read_text())
    assert kept["question"] == "Which lamps?"
    assert [step["kind"] for step in kept["trace"]] == ["decide", "experts", "focus", "decide", "answer"]
    assert kept["ledger"]["usage"]["controller_calls"] >= 2
    with page.expect_download() as picture:
        turn.get_by_role("button", name="Download the evidence picture").click()
    with Image.open(picture.value.path()) as image:
        assert image.format == "PNG"
        assert image.width > 600, "the picture and the legend beside it"


def test_questions_about_one_picture_are_a_conversation(page, served):
    start(page)
    ask(page, "Which lamps?")
    ask(page, "And which is larger?")
    assert [turn.question for turn in served.controller.views[-1].history] == ["Which lamps?"]
    page.locator("#turns > .turn").nth(1).locator(".question").click()
    expect(page.locator("#turns > .turn").nth(1)).to_have_class(re.compile("active"))


def test_everything_works_by_keyboard(page, served):
    page.get_by_role("button", name="Sample: two lamps").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#question")).to_be_focused()
    page.keyboard.type("Which lamps?")
    page.keyboard.press("Enter")
    turn = page.locator("#turns > .turn").first
    expect(turn.locator(".said strong")).to_have_text("red and blue")
    page.locator("#stage").focus()
    before = page.locator("#zoom").inner_text()
    page.keyboard.press("+")
    assert page.locator("#zoom").inner_text() != before
    page.keyboard.press("ArrowRight")
    page.keyboard.press("0")
    expect(page.locator("#zoom")).to_have_text(before)
    tab_to(page, "Evidence 1: red")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    expect(turn.locator(".again")).to_be_visible()
    page.keyboard.press("Delete")
    tab_to(page, "Answer again from these")
    page.keyboard.press("Enter")
    expect(page.locator("#turns > .turn").first.locator(".said strong")).to_have_text("blue")


def tab_to(page, name: str) -> None:
    """Presses Tab until the element of this name has the focus, which must be seen."""
    for _ in range(60):
        page.keyboard.press("Tab")
        at = page.locator(":focus")
        if at.count() and name in ((at.get_attribute("aria-label") or "") + at.inner_text()):
            return
    raise AssertionError(f"{name!r} is not reached with Tab")


def test_a_part_is_made_moved_and_removed_by_keyboard(page):
    start(page)
    page.locator("#part").focus()
    page.keyboard.press("Enter")
    part = page.locator("#tags .part")
    expect(part).to_be_focused()
    before = part.bounding_box()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowRight")
    after = part.bounding_box()
    assert after["x"] < before["x"]
    assert after["width"] > before["width"]
    page.keyboard.press("Delete")
    expect(part).to_have_count(0)
    expect(page.locator("#restricted")).to_be_hidden()


def test_script_like_words_are_shown_as_words(page):
    start(page)
    turn = ask(page, f"script {SCRIPT}")
    expect(turn.locator(".question")).to_have_text(f"script {SCRIPT}")
    expect(turn.locator(".said strong")).to_have_text(SCRIPT)
    expect(turn.locator(".evidence .words")).to_have_text(SCRIPT)
    assert page.locator("#ask img, #ask b b, #tags img").count() == 0
    assert SCRIPT in page.locator("#tags .box.evidence").get_attribute("aria-label")


def test_the_page_allows_only_its_own_scripts_and_no_frames(served):
    policy = httpx.get(served.url).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert httpx.get(f"{served.url}main.js").headers["content-type"].startswith("text/javascript")


def test_samples_are_only_those_of_the_folder(served):
    for name in ("..%2f..%2fetc%2fpasswd", "nothing.png", "..", "%00"):
        assert httpx.get(f"{served.url}page/samples/{name}").status_code in (400, 404)


def test_what_is_wrong_is_one_line_and_the_next_question_works(page):
    start(page)
    page.fill("#question", "is it broken?")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("the model ran out of memory; use a smaller picture")
    expect(ask(page, "Which lamps?").locator(".said strong")).to_have_text("red and blue")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_question_without_a_picture_is_answered_with_what_to_do(page):
    page.fill("#question", "Which lamps?")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Choose a picture first.")


def test_a_file_that_is_no_picture_is_refused_in_one_line(page):
    page.set_input_files("#file", {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"just words"})
    expect(page.get_by_role("alert")).to_contain_text("not a picture in a known format")


def test_a_picture_that_the_browser_cannot_show_is_shown_all_the_same(page, served, tmp_path):
    with Image.open(served.samples / "two-lamps.png") as image:
        image.save(tmp_path / "lamps.tiff")
    page.set_input_files("#file", tmp_path / "lamps.tiff")
    expect(page.locator("#name")).to_have_text("lamps.tiff, 600 × 400")
    expect(ask(page, "Which lamps?").locator(".said strong")).to_have_text("red and blue")


def test_a_picture_is_pasted_and_dropped(page, served):
    data = io.BytesIO()
    Image.new("RGB", (50, 40), "green").save(data, "PNG")
    for kind, name in (("paste", "clipboardData"), ("drop", "dataTransfer")):
        page.evaluate(
            """([kind, name, bytes]) => {
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(bytes)], `${kind}.png`, { type: "image/png" }));
                const event = new Event(kind, { bubbles: true, cancelable: true });
                event[name] = data;
                document.dispatchEvent(event);
            }""",
            [kind, name, list(data.getvalue())],
        )
        expect(page.locator("#name")).to_have_text(f"{kind}.png, 50 × 40")


def test_a_question_can_be_stopped(page):
    start(page)
    page.fill("#question", "a slow one?")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#turns > .turn").first.locator(".said")).to_have_text("Stopped.")
    expect(ask(page, "Which lamps?").locator(".said strong")).to_have_text("red and blue")


def test_after_a_restart_of_the_server_the_picture_is_sent_again(page, served):
    start(page)
    ask(page, "Which lamps?")
    for thread in list(served.agent._saver.storage):
        served.agent.forget(thread)
    expect(ask(page, "Which lamps now?").locator(".said strong")).to_have_text("red and blue")


def test_options_are_asked_with_letters(page, served):
    start(page)
    page.locator("#more > summary").click()
    page.fill("#options", "red\n\n blue ")
    turn = ask(page, "Which lamps?")
    expect(turn.locator(".options")).to_contain_text("A. red")
    assert served.controller.views[-1].options == ["red", "blue"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_of_a_narrow_screen(page, scheme):
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme=scheme)
    start(page)
    turn = ask(page, "Which lamps are there in this picture, and which colours do they have?")
    turn.get_by_role("button", name="Compare direct and deliberate").click()
    expect(page.locator("#status")).to_have_text("They differ.")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("#stage").bounding_box()["height"] > 150
