"""Every control in the address: a link restores what was seen, and never a visitor's scan."""

import io

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.browser.conftest import OVER
from tests.serving import Server


def test_a_link_restores_example_task_noise_and_votes(page: Page, browser: Browser) -> None:
    page.click(".ps-picker button:nth-child(6)")
    page.click(".ps-ticks button[data-value='0.5']")
    page.click("#ps-precision label:has-text('standard')")
    page.wait_for_function("location.search.includes('votes=10000') && location.search.includes('noise=0.5')")
    assert "example=5" in page.url
    second = browser.new_page()
    second.goto(page.url)
    expect(second.locator(".ps-picker button:nth-child(6)")).to_have_attribute("aria-pressed", "true")
    second.wait_for_selector(".ps-stage[data-state=estimating]," + OVER, timeout=60_000)
    assert "σ = 0.5" in second.inner_text(".ps-sigma")
    assert "10,000" in second.inner_text(".ps-stage .ps-line")
    assert "bacterial pneumonia" in second.inner_text(".ps-facts")
    second.close()


def test_a_link_made_beside_an_own_scan_says_that_the_scan_is_not_in_it(page: Page, browser: Browser) -> None:
    content = io.BytesIO()
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(content, "PNG")
    file: FilePayload = {"name": "mine.png", "mimeType": "image/png", "buffer": content.getvalue()}
    page.set_input_files("#ps-scan-card input[type=file]", file)
    page.wait_for_function("location.search.includes('scan=own')")
    assert "mine" not in page.url
    second = browser.new_page()
    second.goto(page.url)
    expect(second.locator("h2.ps-headline").first).to_contain_text("The scan is not in the link.")
    assert second.evaluate("document.querySelector('.ps-crop').width") == 0
    second.close()


def test_nonsense_in_an_address_changes_nothing(browser: Browser, server: Server) -> None:
    page = browser.new_page()
    page.goto(f"{server.url}/?model=evil&noise=99&votes=7&example=400&task=%3Cscript%3E&view=nowhere")
    page.wait_for_selector(OVER, timeout=60_000)
    assert "1,000 votes" in page.inner_text(".ps-stage .ps-line")
    assert "monocyte" in page.inner_text(".ps-facts")
    page.close()
