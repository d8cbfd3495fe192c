"""Those who wait in the queue watch a recording: named as one, in its own place, gone when their own run begins."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from scipy.special import ndtri

from psmooth import views
from psmooth.files import resource
from psmooth.tasks import TASKS
from tests.browser.conftest import OVER, Watched, start_long_run
from tests.serving import Server

RECORDED: dict[str, Any] = json.loads(resource("assets", "recording.json").read_text("utf-8"))
LABEL = "A recording of an earlier run on a drawn scan: your own is waiting."
BEGUN = ".ps-stage:is([data-state=selecting], [data-state=estimating], [data-state=certified], [data-state=abstained])"


@pytest.fixture
def first(browser: Browser, server: Server) -> Iterator[Page]:
    """Another visitor, whose run has the computer until its page is closed."""
    page = browser.new_page()
    page.set_default_timeout(180_000)
    page.goto(server.url)
    page.wait_for_selector(OVER)
    yield page
    if not page.is_closed():
        page.close()


def wait_in_line(page: Page, first: Page) -> None:
    start_long_run(first)
    page.click("#ps-certify")
    page.wait_for_selector(".ps-recording")


SHOWN = "document.querySelector('.ps-recording-run p b')"


def shown_radius(page: Page) -> str:
    return page.evaluate(f"{SHOWN}.innerText")


def test_the_recording_is_a_real_run_without_a_certificate() -> None:
    steps = RECORDED["steps"]
    totals = [step["chart"]["total"] for step in steps]
    assert len(steps) == 20
    assert totals == sorted(totals)
    assert totals[-1] == 1_000 == sum(steps[-1]["chart"]["counts"])
    assert steps[-1]["state"] == "certified"
    assert all("certificate" not in step for step in steps)


def test_its_radii_follow_from_its_bounds_and_its_charts_are_those_of_the_page() -> None:
    parts = set(views.empty_chart(next(iter(TASKS.values()))))
    for step in RECORDED["steps"]:
        chart = step["chart"]
        assert set(chart) == parts
        if chart["certified"]:
            radius = 0.25 / 2 * (ndtri(chart["lower"]) - ndtri(chart["upper"]))
            assert step["radius"]["text"] == views.radius_text(radius)
    assert any(step["chart"]["certified"] for step in RECORDED["steps"])


def test_who_waits_sees_a_recording_with_its_name_and_then_the_own_run(page: Page, first: Page) -> None:
    wait_in_line(page, first)
    expect(page.locator(".ps-recording-label")).to_contain_text(LABEL)
    expect(page.locator(".ps-recording-label b")).to_have_text("Recording")
    expect(page.locator(".ps-stage .ps-line")).to_contain_text("Queued · place 1")
    radii = {step["radius"]["text"] for step in RECORDED["steps"]}
    seen = [shown_radius(page)]
    for _ in range(2):
        page.wait_for_function(f"seen => !seen.includes({SHOWN}.innerText)", arg=seen)  # it moves
        seen.append(shown_radius(page))
    assert set(seen) <= radii
    first.close()
    page.wait_for_selector(BEGUN)
    expect(page.locator(".ps-recording")).to_have_count(0)
    page.wait_for_selector(OVER)
    expect(page.locator(".ps-votes > .ps-chart")).to_be_visible()
    expect(page.locator(".ps-stage .ps-download")).to_be_enabled()


def test_a_recording_is_never_a_result(page: Page, first: Page) -> None:
    wait_in_line(page, first)
    assert page.get_attribute(".ps-stage", "data-state") == "queued"
    expect(page.locator(".ps-stage .ps-download")).to_be_disabled()
    assert page.locator(".ps-recording :is(button, a, [role=status], h2)").count() == 0
    assert page.get_attribute(".ps-recording-run", "aria-hidden") == "true"
    announced = page.inner_text(".ps-stage > [role=status]")
    assert "Queued" in announced
    assert "monocyte" not in announced
    expect(page.locator(".ps-votes > .ps-chart")).to_be_hidden()
    box, votes = (page.locator(name).bounding_box() for name in (".ps-recording", ".ps-votes"))
    assert box == votes
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []


def test_where_motion_is_not_wanted_it_stands_still(browser: Browser, server: Server, first: Page) -> None:
    page = browser.new_page(reduced_motion="reduce")
    watched = Watched(page, server.url)
    watched.open()
    page.wait_for_selector(OVER)
    wait_in_line(page, first)
    last = RECORDED["steps"][-1]["radius"]["text"]
    for _ in range(5):
        assert shown_radius(page) == last
        page.wait_for_timeout(300)
    page.close()
    assert watched.wrong == []


def test_stop_while_waiting_ends_the_recording(page: Page, first: Page) -> None:
    wait_in_line(page, first)
    page.click(".ps-stage .ps-stop")
    page.wait_for_selector(".ps-stage[data-state=stopped]")
    expect(page.locator(".ps-recording")).to_have_count(0)
