"""The speed of a run on the page: offered where the server can, in Compare too, and refused in words elsewhere."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from psmooth.models import FAST, is_fast_here
from tests.browser.conftest import OVER, next_run
from tests.serving import Server, serve

needs_fast = pytest.mark.skipif(not is_fast_here(), reason="no OpenVINO, or a processor without bfloat16")


def open_more(page: Page) -> None:
    page.click("#ps-more button.label-wrap")


@needs_fast
def test_a_fast_run_is_asked_for_under_more_and_a_link_to_it_is_fast_too(page: Page, browser: Browser) -> None:
    open_more(page)
    with next_run(page):
        page.click("#ps-speed label:has-text('fast')")
        page.click("#ps-certify")
    expect(page.locator(".ps-facts").first).to_contain_text(f"{FAST} (openvino ")
    page.wait_for_function("location.search.includes('speed=fast')")
    second = browser.new_page()
    second.goto(page.url)
    second.wait_for_selector(OVER, timeout=180_000)
    expect(second.locator(".ps-facts").first).to_contain_text(FAST)
    second.close()


@needs_fast
def test_compare_offers_the_speed_and_nothing_else_under_more_and_learn_neither(page: Page) -> None:
    open_more(page)
    page.click(".ps-nav a[data-view=compare]")
    expect(page.locator("#ps-speed")).to_be_visible()
    for one in ("#ps-target", "#ps-bank-repo", "#ps-bank-fetch"):
        expect(page.locator(one)).to_be_hidden()
    page.click(".ps-nav a[data-view=learn]")
    expect(page.locator("#ps-more")).to_be_hidden()


@needs_fast
@pytest.mark.parametrize("locale", ["en", "de", "es", "fr", "zh"])
def test_both_speeds_stand_on_one_line_in_every_language(browser: Browser, server: Server, locale: str) -> None:
    page = browser.new_page(viewport={"width": 1320, "height": 900})
    page.goto(f"{server.url}/?lang={locale}")
    page.wait_for_selector(f"html[lang^={locale}]")
    page.wait_for_selector(OVER)
    open_more(page)
    expect(page.locator("#ps-speed label:has(input)").first).to_be_visible()
    tops = page.eval_on_selector_all("#ps-speed label:has(input)", "all => all.map((one) => one.offsetTop)")
    assert len(tops) == 2
    assert tops[0] == tops[1]
    page.close()


@pytest.fixture(scope="module")
def server_without(models_served: str, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A page whose OpenVINO is a broken one: it lies in a folder that comes first."""
    broken = tmp_path_factory.mktemp("broken") / "openvino"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise ImportError('made for another system')\n", "utf-8")
    return serve(models_served, ("PYTHONPATH", f"{broken.parent}:{Path(__file__).parents[2]}"))


def test_where_the_server_cannot_the_choice_is_not_there_and_a_link_is_refused_in_words(
    browser: Browser, server_without: Server
) -> None:
    page = browser.new_page()
    page.goto(server_without.url)
    page.wait_for_selector(OVER, timeout=180_000)
    open_more(page)
    expect(page.locator("#ps-target")).to_be_visible()
    expect(page.locator("#ps-speed")).to_have_count(0)
    page.goto(f"{server_without.url}/?speed=fast&example=1")
    page.wait_for_selector(".ps-stage[data-state=failed]", timeout=180_000)
    expect(page.locator(".ps-stage")).to_contain_text("This server cannot run fast")
    open_more(page)
    with next_run(page):
        page.click("#ps-speed label:has-text('as usual')")
        page.click("#ps-certify")
    page.close()
