"""The page as a visitor has it: in a browser, with mouse, keyboard, files and closed tabs."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from psmooth.certificate import read_certificate, verify
from tests.browser.conftest import COUNTING, OVER, Watched, choose_model, fits, next_run, settle, start_long_run
from tests.serving import Server

EVIL = "<img src=x onerror=window.hacked=1>"


def headline(page: Page) -> str:
    return page.inner_text("h2.ps-headline")


def line(page: Page) -> str:
    return page.inner_text(".ps-stage .ps-line")


def download(page: Page, folder: Path) -> Path:
    with page.expect_download() as waiting:
        page.click(".ps-stage .ps-download")
    path = folder / "certificate.json"
    waiting.value.save_as(path)
    return path


def upload(page: Page, name: str, content: bytes) -> None:
    page.set_input_files("#ps-scan-card input[type=file]", {"name": name, "mimeType": "image/png", "buffer": content})


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


# --- opening


def test_it_opens_with_an_example_running_and_ends_with_a_verdict(watched: Watched) -> None:
    page = watched.open()
    page.wait_for_selector(COUNTING + "," + OVER)
    assert page.evaluate("document.querySelector('.ps-noisy').width") > 0
    page.wait_for_selector(OVER)
    state = page.get_attribute(".ps-stage", "data-state")
    assert headline(page).startswith(("The answer", "Certified, and wrong") if state == "certified" else "Abstained")
    assert "1,000 votes" in line(page)
    assert page.inner_text(".ps-kind").startswith("Unconditional")
    assert "Drawn as" in page.inner_text(".ps-facts")
    assert page.locator("h1").all_inner_texts() == ["psmooth"]
    assert "Not for clinical use" in page.inner_text(".ps-header")


def test_the_chart_keeps_its_node_and_the_table_tells_the_same(page: Page) -> None:
    page.evaluate("document.querySelector('.ps-chart .main-svg').dataset.mine = 'kept'")
    with next_run(page):
        page.click("#ps-certify")
    assert page.get_attribute(".ps-chart .main-svg", "data-mine") == "kept"
    counts = page.evaluate("[...document.querySelectorAll('.ps-votes tbody tr')].map(r => +r.cells[2].textContent)")
    assert sum(counts) == 1_000
    drawn = page.evaluate("(([, rest, leader]) => [...rest.x, ...leader.x])(document.querySelector('.ps-plot').data)")
    assert sum(drawn) == pytest.approx(1)


def test_all_who_open_the_page_watch_one_run_and_certify_draws_their_own(page: Page, watched: Watched) -> None:
    def seed() -> str:
        return str(
            page.evaluate("document.querySelector('#ps-stage-column .ps-report').textContent").split("Seed")[1][:40]
        )

    said = page.locator("#ps-stage-column .ps-line")
    opened = watched.open
    opened().wait_for_selector(OVER)  # once more: by now somebody has opened the page before
    expect(said).to_contain_text(re.compile(r"all votes drawn · at \d\d:\d\d UTC for all who open the page"))
    first = seed()
    opened().wait_for_selector(OVER)
    assert seed() == first
    with next_run(page):
        page.click("#ps-certify")
    expect(said).not_to_contain_text("for all who open the page")
    assert seed() != first


def test_nothing_jumps_while_votes_pour_in(watched: Watched) -> None:
    page = watched.open()
    parts = "document.querySelectorAll('.ps-stage .ps-card:not(.ps-budget), .ps-stage .ps-foot')"
    boxes = f"[...{parts}].map(e => Math.round(e.getBoundingClientRect().top))"
    page.wait_for_selector(".ps-chart .main-svg")
    before = page.evaluate(boxes)
    page.wait_for_selector(OVER)
    assert page.evaluate(boxes) == before


# --- running, stopping, queueing


def test_stop_leaves_a_valid_certificate(page: Page, tmp_path: Path) -> None:
    start_long_run(page)
    page.wait_for_function("document.querySelector('.ps-line').textContent.includes('of 100,000')")
    page.click(".ps-stage .ps-stop")
    page.wait_for_selector(".ps-stage[data-state=stopped]")
    record = read_certificate(download(page, tmp_path))
    assert record.votes.ended == "stopped"
    assert 0 < record.votes.total < 100_000
    assert f"{record.votes.total:,} votes" in line(page)


def test_the_certificate_of_a_whole_run_verifies(page: Page, tmp_path: Path) -> None:
    checked = verify(download(page, tmp_path))
    assert checked.ok, checked.problems
    assert checked.certificate is not None
    assert checked.certificate.votes.ended == "complete"


def test_a_second_click_begins_again_and_an_example_replaces_a_run(page: Page) -> None:
    start_long_run(page)
    page.click("#ps-certify")
    page.wait_for_selector(COUNTING)
    page.click("#ps-precision label:has-text('quick')")
    page.click(".ps-picker button:nth-child(6)")
    page.wait_for_selector(OVER)
    assert "bacterial pneumonia" in page.inner_text(".ps-facts")
    assert "1,000 votes" in line(page)


def test_a_second_tab_waits_in_words_and_a_closed_one_lets_it_in(page: Page, browser: Browser, server: Server) -> None:
    second = browser.new_page()
    second.goto(server.url)
    second.wait_for_selector(OVER, timeout=180_000)
    start_long_run(page)
    second.click("#ps-certify")
    expect(second.locator(".ps-stage .ps-line")).to_contain_text("Queued · place 1", timeout=180_000)
    page.close()
    second.wait_for_selector(OVER, timeout=180_000)
    second.close()


def test_another_model_in_the_middle_of_a_run_takes_over(page: Page, tmp_path: Path) -> None:
    start_long_run(page)
    choose_model(page, "pocket")
    page.click("#ps-precision label:has-text('quick')")
    page.click("#ps-certify")
    page.wait_for_function("document.querySelector('.ps-facts').textContent.includes('pocket @')")
    page.wait_for_selector(OVER, timeout=120_000)
    assert read_certificate(download(page, tmp_path)).run.model["id"] == "pocket"


def test_a_lost_connection_leaves_the_computer_free(browser: Browser, server: Server) -> None:
    lost = browser.new_page()
    lost.goto(server.url)
    lost.wait_for_selector(OVER, timeout=180_000)
    lost.click("#ps-precision label:has-text('publication')")
    lost.click("#ps-certify")
    lost.wait_for_selector(COUNTING)
    lost.context.set_offline(True)
    other = browser.new_page()
    other.goto(server.url)
    other.wait_for_selector(OVER, timeout=90_000)
    other.close()
    lost.context.set_offline(False)
    lost.reload()
    lost.wait_for_selector(OVER, timeout=90_000)
    lost.close()


def test_clear_takes_the_scan_away(page: Page) -> None:
    page.click("#ps-clear")
    page.wait_for_selector(".ps-stage[data-state=idle]")
    assert page.evaluate("document.querySelector('.ps-crop').width") == 0
    for facts in (".ps-scan-facts", ".ps-crop-facts"):
        expect(page.locator(facts)).to_have_text("")
    page.click("#ps-certify")
    expect(page.locator("h2.ps-headline")).to_contain_text("No scan yet.")


def test_what_ends_a_run_in_the_middle_is_not_painted_over_by_its_last_step(page: Page) -> None:
    for end, said in (
        (lambda: upload(page, "notes.txt", b"no scan"), "That did not work."),
        (lambda: page.click("#ps-clear"), "No scan yet."),
    ):
        page.click("#ps-precision label:has-text('quick')")
        page.click(".ps-picker button:nth-child(1)")
        page.wait_for_selector(OVER)
        start_long_run(page)
        end()
        expect(page.locator("h2.ps-headline")).to_have_text(said)
        page.wait_for_timeout(2_000)  # the run that was ended has told its last by then
        assert headline(page) == said


# --- what a visitor brings


def test_a_file_that_is_no_scan_is_answered_with_a_sentence(page: Page) -> None:
    upload(page, "holiday.png", b"not a picture at all")
    page.wait_for_selector(".ps-stage[data-state=failed]")
    said = page.inner_text("p.ps-sentence")
    assert "PNG" in said
    assert "holiday" not in page.inner_text("body")
    assert "Traceback" not in page.inner_text("body")


def test_a_16_bit_scan_shows_its_window_and_its_grey_levels(page: Page) -> None:
    ramp = np.tile(np.arange(64, dtype=np.uint16) * 1_000, (64, 1))
    upload(page, "deep.png", png(ramp))
    settle(page)
    expect(page.get_by_label("Window centre")).to_be_visible()
    expect(page.locator(".ps-scan-facts")).to_have_text("64 × 64, 16-bit grey")
    page.wait_for_selector(OVER)
    row = "document.querySelector('.ps-crop').getContext('2d').getImageData(0, 0, 32, 1).data"
    levels = page.evaluate(f"[...{row}].filter((_, i) => i % 4 == 0)")
    assert levels[0] < 10
    assert levels[-1] > 250, "spread from the lowest of its values to the highest"
    assert levels == sorted(levels)
    page.get_by_label("Window width").fill("1000")
    page.click("#ps-certify")
    page.wait_for_function("document.querySelector('.ps-crop').getContext('2d').getImageData(0, 0, 1, 1).data[0] == 0")


def test_class_names_of_a_visitor_stay_text(page: Page) -> None:
    page.click("#ps-question-card input[aria-label='Task']")
    page.get_by_role("option", name="my own class names").click()
    page.get_by_role("textbox", name="Class names").fill(f"{EVIL}; <b>bold</b>; ${{window.hacked = 2}}")
    page.click("#ps-certify")
    page.wait_for_function("document.querySelector('.ps-votes tbody').textContent.includes('onerror')")
    page.wait_for_selector(OVER)
    assert page.evaluate("window.hacked") is None
    assert page.locator(".ps-stage :is(h2, tbody, .ps-chart, .ps-facts) :is(img, b)").count() == 0
    assert EVIL in page.inner_text(".ps-votes tbody")


def test_a_dropped_scan_is_certified(page: Page) -> None:
    content = list(png(np.repeat(np.indices((40, 40))[0, ..., None] * 6, 3, -1).astype(np.uint8)))
    page.evaluate(
        """(bytes) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "drop.png", { type: "image/png" }));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        content,
    )
    settle(page)
    expect(page.locator(".ps-scan-facts")).to_contain_text("40 × 40")


# --- controls


def test_the_noise_slider_redraws_the_noisy_copy_at_once_and_alone(page: Page) -> None:
    look = "document.querySelector('.ps-noisy').toDataURL()"
    before, requests = page.evaluate(look), []
    page.on("request", lambda request: requests.append(request.url))
    page.focus("#ps-noise input[type=range]")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(look) != before
    assert page.inner_text(".ps-sigma") == "σ = 0.3"
    assert not [url for url in requests if "queue" in url]
    page.click(".ps-ticks button[data-value='1']")
    assert page.inner_text(".ps-sigma") == "σ = 1"
    page.click("#ps-certify")
    page.wait_for_selector(OVER)


def test_everything_can_be_reached_by_keyboard(page: Page) -> None:
    seen = set()
    page.evaluate("document.body.focus()")
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("(e => e.closest('[id^=ps-]')?.id + ' ' + e.className)(document.activeElement)"))
    reached = " ".join(seen)
    for part in ("ps-scan-card", "ps-upload", "ps-noise", "ps-precision", "ps-certify", "ps-download"):
        assert part in reached, part
    page.focus(".ps-picker button:nth-child(2)")
    page.keyboard.press("Enter")
    expect(page.locator(".ps-picker button:nth-child(2)")).to_have_attribute("aria-pressed", "true")


# --- light, dark, wide, narrow


def violations(page: Page) -> list[Any]:
    return [(one["id"], [node["target"] for node in one["nodes"]]) for one in Axe().run(page).response["violations"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, server: Server, scheme: Any) -> None:
    page = browser.new_page(viewport={"width": 1320, "height": 900}, color_scheme=scheme)
    page.goto(server.url)
    page.wait_for_selector(OVER)
    page.click("text=More")
    assert violations(page) == []
    page.close()


def test_dark_is_dark_and_the_button_changes_it(page: Page) -> None:
    ground = "getComputedStyle(document.querySelector('.ps-card')).backgroundColor"
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    page.click(".ps-theme")
    assert page.evaluate(ground) != "rgb(255, 255, 255)"
    bar = "document.querySelector('.ps-plot').data[2].marker.color"
    role = "document.querySelector('.ps-stage').dataset.truth === 'wrong' ? '--ps-wrong' : '--ps-accent'"
    page.wait_for_function(f"{bar} == getComputedStyle(document.body).getPropertyValue({role}).trim()")


# Controls that lie under the button, and class names that reach into the plot.
COVERED = """(() => {
  const button = document.querySelector("#ps-certify").getBoundingClientRect();
  return [...document.querySelectorAll("#ps-side :is(input, label, button, span)")]
    .filter((one) => !one.closest("#ps-certify"))
    .map((one) => [one.textContent, one.getBoundingClientRect()])
    .filter(([, box]) => box.width > 2 && box.bottom > button.top && box.top < button.bottom)
    .map(([text]) => text);
})()"""
CROSSED = """(() => {
  const left = (one) => one.getBoundingClientRect().left;
  const lines = Math.min(...[...document.querySelectorAll(".ps-plot .shapelayer path, .ps-plot .bars path")].map(left));
  const names = [...document.querySelectorAll(".ps-chart .ps-name")];
  return names.filter((one) => one.getBoundingClientRect().right > lines + 1).map((one) => one.textContent);
})()"""


def test_the_radius_and_the_button_are_seen_without_scrolling_and_no_width_needs_it_sideways(page: Page) -> None:
    for width, height in ((1920, 1080), (1320, 860), (1280, 720)):
        fits(page, width, height)
        for part in (".ps-radius b", "#ps-certify"):
            expect(page.locator(part)).to_be_in_viewport(ratio=1)
        assert page.evaluate(COVERED) == [], "the button is in nobody's way"
        assert page.evaluate(CROSSED) == []
    for width in (768, 360):
        fits(page, width)
        page.wait_for_function(f"{CROSSED}.length === 0")
    expect(page.locator("footer .divider").first).to_be_hidden()
