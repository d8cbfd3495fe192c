"""The one question after an upload: what does the scan show? A run starts when that is settled."""

import io

import numpy as np
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from psmooth.phantoms import draw_phantom
from tests.browser.conftest import OVER, fits, next_run

TASK = "#ps-question-card input[aria-label=Task]"
BEGUN = ".ps-stage:not([data-state=idle])"


def bring(page: Page, pixels: np.ndarray) -> None:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    file: FilePayload = {"name": "mine.png", "mimeType": "image/png", "buffer": content.getvalue()}
    page.set_input_files("#ps-scan-card input[type=file]", file)


def stranger() -> np.ndarray:
    """Two halves, which no scan looks like."""
    pixels = np.zeros((120, 160, 3), np.uint8)
    pixels[:, 80:] = 255
    return pixels


def test_a_scan_that_looks_like_no_task_is_asked_about_and_nothing_runs_before_the_answer(page: Page) -> None:
    bring(page, stranger())
    question = page.locator(".ps-question[data-state=asked]")
    expect(question).to_be_visible()
    expect(page.locator(".ps-stage")).to_be_hidden()
    expect(question.locator("[aria-pressed=true]")).to_have_count(0)
    page.wait_for_timeout(1_500)
    assert page.get_attribute(".ps-stage", "data-state") == "idle", "no run has begun"
    assert page.evaluate("document.activeElement.textContent") == question.locator("h2").inner_text()
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []
    page.evaluate("document.body.classList.toggle('dark')")
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []
    for width in (768, 360):
        fits(page, width)
    page.select_option(".ps-language", "de")
    expect(question.locator("h2")).to_have_text("Was zeigt diese Aufnahme?")
    page.locator(".ps-tiles button[data-task=brain_mri]").press("Enter")
    expect(question).to_be_hidden()
    page.wait_for_selector(OVER)
    page.wait_for_function("location.search.includes('task=brain_mri')")
    expect(page.locator(".ps-votes tbody")).to_contain_text("Gliom")


def test_a_scan_that_is_recognised_is_asked_its_task_at_once_and_that_can_be_changed(page: Page) -> None:
    bring(page, draw_phantom("chest_xray", "bacterial_pneumonia", 1).pixels)
    question = page.locator(".ps-question")
    expect(question.locator("h2")).to_have_text("Looks like: chest X-ray")
    expect(page.locator(TASK)).to_have_value("chest X-ray")
    page.wait_for_selector(BEGUN)
    page.wait_for_selector(OVER)
    question.get_by_role("button", name="Change").click()
    expect(question.locator("[aria-pressed=true]")).to_contain_text("chest X-ray")
    question.get_by_role("button", name="Something else").click()
    expect(page.get_by_role("textbox", name="Class names")).to_be_focused()
    expect(question).to_be_hidden()
    page.get_by_role("textbox", name="Class names").fill("a cat; a dog")
    page.click("#ps-certify")
    page.wait_for_selector(OVER)
    expect(page.locator(".ps-votes tbody")).to_contain_text("a dog")
    with next_run(page):
        bring(page, stranger())
    expect(question).to_be_hidden()
    page.click(".ps-picker button:nth-child(5)")
    page.wait_for_selector(OVER)
    expect(question).to_be_hidden()


def test_in_compare_it_is_asked_there_and_the_comparison_is_the_answer_s(page: Page) -> None:
    page.click(".ps-nav [data-view=compare]")
    bring(page, stranger())
    question = page.locator("#ps-compare-column .ps-question[data-state=asked]")
    expect(question).to_be_visible()
    page.click(".ps-nav [data-view=certify]")
    expect(page.locator("#ps-stage-column .ps-question")).to_be_visible()
    page.click(".ps-nav [data-view=compare]")
    question.locator("button[data-task=chest_xray]").click()
    expect(page.locator(".ps-question")).to_be_hidden()
    expect(page.locator(TASK)).to_have_value("chest X-ray")
    expect(page.locator("body")).to_have_attribute("data-view", "compare")
    bring(page, stranger())
    expect(question).to_be_visible()
    page.click("#ps-compare")
    expect(page.locator(".ps-question")).to_be_hidden()
    page.wait_for_selector(".ps-compare[data-state=done]")
