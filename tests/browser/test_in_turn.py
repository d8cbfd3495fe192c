"""A slow server, and a visitor who does not wait for it: of several choices none is lost, and the last one holds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import OVER, Watched
from tests.browser.test_looking import bring_a_ct, bring_frames, drag, take_the_window_in_hand


@contextmanager
def held(page: Page, is_meant: Callable[[str], bool]) -> Iterator[list[Route]]:
    """The first request whose body ``is_meant`` waits for its answer until what is done inside is done."""
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        if waiting or not is_meant(route.request.post_data or ""):
            return route.fallback()
        return waiting.append(route)

    page.route("**/run/**", hold)
    yield waiting
    assert waiting, "what was done inside asked for nothing"
    waiting[0].continue_()


def until(page: Page, waiting: list[Route]) -> None:
    while not waiting:
        page.wait_for_timeout(20)


@contextmanager
def frame_11_is_read(page: Page) -> Iterator[Locator]:
    """The slider, with which the frame after the middle one was chosen; it is read when what is done inside is done."""
    bring_frames(page, 20)
    slider = page.locator("#ps-scan-frame input[type=range]")
    slider.focus()
    with held(page, lambda body: ",11," in body) as waiting:
        slider.press("ArrowRight")
        until(page, waiting)
        yield slider


def test_of_three_examples_picked_at_once_the_last_is_shown(page: Page) -> None:
    with held(page, lambda body: '"index"' in body) as waiting:
        page.click(".ps-picker button:nth-child(2)")
        until(page, waiting)
        page.click(".ps-picker button:nth-child(3)")
        page.click(".ps-picker button:nth-child(4)")
    expect(page.locator(".ps-picker button[aria-pressed=true]")).to_have_count(1)
    expect(page.locator(".ps-picker button:nth-child(4)")).to_have_attribute("aria-pressed", "true")
    page.wait_for_selector(OVER)


def test_frames_chosen_while_one_is_read_end_at_the_last(page: Page) -> None:
    """Each step of the key rests for long enough to be a choice of its own."""
    with frame_11_is_read(page) as slider:
        for _ in range(2):
            slider.press("ArrowRight")
            page.wait_for_timeout(700)
    expect(page.locator(".ps-scan-facts")).to_contain_text("frame 13 of 20")
    assert slider.input_value() == "13"
    page.wait_for_selector(OVER)


def test_a_frame_before_the_last_that_is_shown_late_does_not_take_the_slider_back(page: Page) -> None:
    with frame_11_is_read(page) as slider:
        pass  # it is read, and nothing was chosen meanwhile
    slider.press("ArrowRight")  # its rest is not over when the frame before is shown
    expect(page.locator(".ps-scan-facts")).to_contain_text("frame 12 of 20")
    assert slider.input_value() == "12"
    page.wait_for_selector(OVER)


def test_the_window_where_the_hand_rested_last_holds(page: Page) -> None:
    bring_a_ct(page)
    take_the_window_in_hand(page)
    with held(page, lambda body: '"center"' in body) as waiting:
        drag(page, 40, 0)
        page.mouse.up()
        until(page, waiting)
        for right in (60, 80):
            drag(page, right, 0)
            page.mouse.up()
    said = page.inner_text(".ps-viewer-numbers")
    page.keyboard.press("Escape")
    expect(page.locator("#ps-window input")).to_have_value(f"your own · {said}")
    page.wait_for_selector(OVER)


def test_hands_come_to_every_part_before_the_first_picture_goes(watched: Watched) -> None:
    page, waiting = watched.page, list[Route]()
    page.route("**/page/header.js", lambda route: waiting.append(route))
    page.goto(watched.url)
    page.wait_for_selector(f"#ps-stage-column .ps-stage[data-state=estimating], {OVER}")
    assert page.locator("#ps-first").count() == 1
    waiting[0].continue_()
    page.wait_for_selector("#ps-first", state="detached")
    page.click(".ps-theme")
    page.wait_for_function("location.search.includes('theme=dark')")
    page.wait_for_selector(OVER)
