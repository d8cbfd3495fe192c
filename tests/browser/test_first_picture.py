"""The first picture stands before Gradio's scripts have run, and gives way to the page, wherever that is mounted."""

import re

from playwright.sync_api import Browser, Route, expect

from tests.browser.conftest import OVER, Watched
from tests.serving import Server, serve


def test_it_is_drawn_where_gradio_s_scripts_never_come(browser: Browser, server: Server) -> None:
    page = browser.new_page(locale="de-DE")
    page.route("**/assets/*.js", lambda _: None)
    page.goto(server.url, wait_until="commit")
    expect(page.locator("#ps-first .ps-picker button").first).to_be_visible()
    expect(page.locator("#ps-first .ps-sigma")).to_have_text("σ = 0,25")
    expect(page.locator("#ps-first .ps-language")).to_have_value("de")
    page.close()


def test_it_gives_way_to_the_page_below_another_address_too(browser: Browser, models_served: str) -> None:
    """The browser itself plays the proxy that takes the path away."""
    server = serve(models_served, ("GRADIO_ROOT_PATH", "/sub"))
    page = browser.new_page()
    watched = Watched(page, f"{server.url}/sub/")

    def without_path(route: Route) -> None:
        route.continue_(url=route.request.url.replace("/sub/", "/", 1))

    page.route(re.compile("/sub/"), without_path)
    page.goto(watched.url)
    page.wait_for_selector(OVER)
    expect(page.locator("#ps-first")).to_have_count(0)
    expect(page.locator(".ps-stage .ps-plot svg").first).to_be_visible()
    page.select_option(".ps-language", "de")
    page.click(".ps-nav a[data-view=understand]")
    page.wait_for_selector("#understand-votes[data-state=certified]")
    page.close()
    assert watched.wrong == []
