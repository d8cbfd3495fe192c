"""Every control in the address: a link restores what was seen, and never a visitor's scan."""

import io
import re

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, expect

from psmooth.interface.assets import imported
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
    second.wait_for_selector(".ps-stage[data-state=estimating]," + OVER, timeout=180_000)
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


COUNT = """
  window.changes = 0;
  for (const name of ["replaceState", "pushState"]) {
    const change = history[name];
    history[name] = function (...values) { window.changes += 1; return change.apply(this, values); };
  }
"""


def test_the_address_is_written_when_typing_rests_and_before_it_is_copied(browser: Browser, server: Server) -> None:
    """Safari takes 100 changes in 30 seconds; nothing of what was typed may be lost."""
    page = browser.new_page()
    page.add_init_script(COUNT)
    page.goto(f"{server.url}/?task=own&__sign=secret")
    field = page.locator("#ps-question-card textarea").first
    field.wait_for(timeout=180_000)
    page.wait_for_selector(".ps-stage:not([data-state=loading])", timeout=180_000)
    page.wait_for_timeout(1_000)
    page.evaluate("window.changes = 0")
    typed = "".join("abcdefghij"[number % 10] for number in range(150))
    field.press_sequentially(typed)
    page.wait_for_function("typed => location.search.includes(typed)", arg=typed)
    assert page.evaluate("window.changes") < 100 / 2
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.evaluate(f"{imported('page/address')}.then(address => address.keep({{ noise: '0.9' }}))")
    page.evaluate("document.querySelector('.ps-share').click()")
    page.wait_for_function("window.copied")
    assert "noise=0.9" in page.evaluate("window.copied")
    assert "secret" not in page.evaluate("window.copied"), "a Space's own token is no part of a link"
    page.close()


def test_in_a_space_the_outer_address_follows(browser: Browser, server: Server) -> None:
    """The outer page is played by one of the same server, which notes what it is sent, and for whose eyes."""
    page = browser.new_page()
    outer = """<script>
        window.told = [];
        window.postMessage = (message, origin) => told.push({ ...message, origin });
      </script>
      <iframe src="/?__sign=secret" width="1200" height="900"></iframe>"""
    page.route(f"{server.url}/outer", lambda route: route.fulfill(content_type="text/html", body=outer))
    page.goto(f"{server.url}/outer")
    inner = page.frame_locator("iframe")
    inner.locator(".ps-ticks button[data-value='0.5']").click(timeout=180_000)
    heard = "part => told.some((one) => one.origin === 'https://huggingface.co' && one.queryString.includes(part))"
    page.wait_for_function(heard, arg="noise=0.5")
    inner.locator(".ps-nav a[data-view=understand]").click()
    page.wait_for_function(heard, arg="view=understand")
    assert "secret" not in str(page.evaluate("told"))
    page.close()


def test_nonsense_in_an_address_changes_nothing(browser: Browser, server: Server) -> None:
    page = browser.new_page()
    page.goto(f"{server.url}/?model=evil&noise=99&votes=7&example=400&task=%3Cscript%3E&view=nowhere")
    page.wait_for_selector(OVER, timeout=180_000)
    assert "1,000 votes" in page.inner_text(".ps-stage .ps-line")
    assert "monocyte" in page.inner_text(".ps-facts")
    page.close()


NOISE, EXAMPLE = "#ps-noise input[type=number]", ".ps-picker button:nth-child({})"


def certified_at(page: Page, noise: str) -> None:
    """A run with that noise level is shown to its end, and the controls and the address say the same."""
    page.wait_for_selector(f"{OVER}:not(.ps-stale)")
    expect(page.locator(".ps-sigma")).to_have_text(re.compile(rf"σ = {noise}".replace(".", "[.,]")))
    expect(page.locator(NOISE)).to_have_value(noise)
    page.wait_for_function("noise => new URLSearchParams(location.search).get('noise') === noise", arg=noise)


def test_back_and_forward_move_through_runs_and_not_through_the_steps_of_a_slider(page: Page) -> None:
    entries = page.evaluate("history.length")
    for noise in ("0.1", "1", "0.5"):
        page.click(f".ps-ticks button[data-value='{noise}']")
    page.click(".ps-moved")
    certified_at(page, "0.5")
    page.wait_for_function("entries => history.length === entries + 1", arg=entries)
    page.click(EXAMPLE.format(5))
    expect(page.locator(EXAMPLE.format(5))).to_have_attribute("aria-pressed", "true")
    certified_at(page, "0.5")
    page.wait_for_function("entries => history.length === entries + 2", arg=entries)
    page.click(".ps-nav [data-view=understand]")
    page.select_option(".ps-language", "de")
    page.go_back()
    expect(page.locator("body")).to_have_attribute("data-view", "certify")
    page.wait_for_function("location.search.includes('lang=de')")
    page.go_back()  # and at once, whatever the run there has come to
    page.go_back()
    for place, noise in ((1, "0.25"), (1, "0.5"), (5, "0.5")):
        expect(page.locator(EXAMPLE.format(place))).to_have_attribute("aria-pressed", "true")
        certified_at(page, noise)
        page.go_forward()
    expect(page.locator("body")).to_have_attribute("data-view", "understand")
    expect(page.locator("#ps-question-card input").nth(1)).to_have_value("Röntgen-Thorax")
    assert page.evaluate("history.length") == entries + 3, "no entry was added on the way"
