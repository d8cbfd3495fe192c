"""A scan is looked at: its window is drawn up by hand, its frames are looked through, and a box is offered where names
may stand in it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Request, expect

from psmooth.interface.assets import address
from psmooth.scans import Window
from psmooth.scans.scan import Offer, Scan
from psmooth.scans.windows import shown
from psmooth.views import levels
from tests.browser.conftest import OVER, fits, next_run
from tests.browser.test_dicom import slices, upload
from tests.dicoms import dicom, file_of

CT: dict[str, Any] = {"Modality": "CT", "RescaleSlope": "1", "RescaleIntercept": "-1024"}
NUMBERS = ".ps-viewer-numbers"
SHOWN = """document.querySelector('.ps-viewer-levels').getContext('2d').getImageData(0, 32, 64, 1).data"""


def bring_a_ct(page: Page) -> None:
    upload(page, file_of(dicom(slices(), frames=3, **CT)))
    expect(page.locator(".ps-scan-facts")).to_have_text("64 × 64, 16-bit grey, CT · frame 2 of 3")


def take_the_window_in_hand(page: Page) -> None:
    page.click(".ps-open")
    expect(page.locator(NUMBERS)).to_have_text("40 / 400 HU")
    page.check(".ps-viewer-hand input[value=window]", force=True)


def drag(page: Page, right: float, down: float) -> None:
    """From the middle of the picture; the hand is not taken off."""
    ground = page.locator(".ps-viewer-ground").bounding_box()
    assert ground is not None
    x, y = ground["x"] + ground["width"] / 2, ground["y"] + ground["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right, y + down, steps=8)


def window_of_the_certificate(page: Page, certify: str, folder: Path) -> dict[str, Any]:
    with next_run(page):
        page.click(certify)
    with page.expect_download() as waiting:
        page.click(".ps-stage .ps-download")
    waiting.value.save_as(folder / "c.json")
    return json.loads((folder / "c.json").read_text())["preprocessing"]


def test_a_window_is_drawn_up_by_hand_and_certified(page: Page, tmp_path: Path) -> None:
    bring_a_ct(page)
    take_the_window_in_hand(page)
    box = page.inner_text(".ps-viewer-said"), page.get_attribute(".ps-viewer-box", "style")
    drag(page, 80, -60)
    page.wait_for_function(f"!document.querySelector('{NUMBERS}').textContent.startsWith('40')")
    text = page.inner_text(NUMBERS).replace("−", "-")
    center, width = (int(number) for number in text.removesuffix(" HU").split(" / "))
    assert center < 40
    assert width > 400
    page.wait_for_selector(".ps-viewer-levels:not([hidden])")
    middle = slices()[1, 32].astype(int) - 1_024
    expected = shown(middle, Window(center, width, "linear"))
    page.wait_for_function(
        f"expected => {SHOWN}.every((value, index) => index % 4 == 3 || value == expected[index >> 2])",
        arg=expected.tolist(),
    )
    page.mouse.up()
    page.wait_for_selector(".ps-viewer-levels", state="hidden")  # the server's own picture has come
    assert page.inner_text(NUMBERS).replace("−", "-") == text
    assert (page.inner_text(".ps-viewer-said"), page.get_attribute(".ps-viewer-box", "style")) == box
    page.keyboard.press("Escape")
    expect(page.locator("#ps-window input")).to_have_value(f"your own · {text}".replace("-", "−"))
    expect(page.get_by_label("Window centre")).to_have_value(str(center))
    told = window_of_the_certificate(page, "#ps-certify", tmp_path)
    assert told["window"] == {"center": center, "width": width, "function": "linear"}
    assert told["frame"] == 2


def test_a_window_by_keys_and_by_its_name(page: Page) -> None:
    bring_a_ct(page)
    take_the_window_in_hand(page)
    page.focus(".ps-viewer-ground")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    page.wait_for_selector(".ps-viewer-levels", state="visible")
    page.wait_for_selector(".ps-viewer-levels", state="hidden")
    center, width = page.inner_text(NUMBERS).removesuffix(" HU").split(" / ")
    assert int(center) > 40
    assert int(width) > 400
    page.select_option(".ps-viewer-offers", label="lung · −600 / 1500 HU")
    expect(page.locator(NUMBERS)).to_have_text("−600 / 1500 HU")
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []
    page.keyboard.press("Escape")
    expect(page.locator("#ps-window input")).to_have_value("lung · −600 / 1500 HU")
    page.get_by_label("Window width").fill("1400")
    page.get_by_label("Window width").blur()
    expect(page.locator("#ps-window input")).to_have_value("your own · −600 / 1400 HU")


def test_a_finger_draws_up_a_window(browser: Any, server: Any) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844}, has_touch=True)
    page.goto(server.url)
    page.wait_for_selector(OVER)
    bring_a_ct(page)
    page.locator(".ps-open").tap()
    expect(page.locator(NUMBERS)).to_have_text("40 / 400 HU")
    page.locator(".ps-viewer-hand label:has([value=window])").tap()
    ground = page.locator(".ps-viewer-ground").bounding_box()
    touch = page.context.new_cdp_session(page)
    x, y = ground["x"] + 150, ground["y"] + 100
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 6):
        points = [{"x": x + 20 * step, "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page.locator(NUMBERS)).not_to_have_text("40 / 400 HU")
    page.wait_for_selector(".ps-viewer-levels", state="hidden")
    fits(page, 390)
    page.close()


@pytest.mark.parametrize("function", ["linear_exact", "linear", "sigmoid"])
@pytest.mark.parametrize("inverted", [False, True])
def test_the_page_spreads_grey_values_as_the_server_does(page: Page, function: Any, inverted: bool) -> None:
    """Every number from 0 to 65,535, whole and in halves, through windows of many widths."""
    for step in (1, 0.5):
        values = np.arange(65_536, dtype=np.int32 if step == 1 else np.float64) * step - 9_000
        scan = Scan(values.reshape(256, 256), "", "", inverted=inverted, offers=(Offer("", Window(0, 1)),))
        sent = {name: levels(scan)[name] for name in ("low", "step", "inverted")}
        for center, width in ((40, 400), (-600, 1500), (0.5, 1), (3, 2), (100, 1e5), (7.25, 0.5)):
            spread = "(await import(new URL(place, document.baseURI))).greys(sent, window)"
            given = {
                "place": address("page/grey.js"), "sent": sent,
                "window": {"center": center, "width": width, "kind": function},
            }  # fmt: skip
            greys = page.evaluate(f"async ({{ place, sent, window }}) => [...{spread}]", given)
            assert np.array_equal(greys, shown(values, Window(center, width, function), inverted))


# --- frames


def asked_for_frames(page: Page) -> list[int]:
    """How many requests of pictures of frames had no answer yet, each time that one was sent."""
    waiting: set[Request] = set()
    counts: list[int] = []

    def sent(request: Request) -> None:
        if is_for_frames(request):
            waiting.add(request)
            counts.append(len(waiting))

    page.on("request", sent)
    page.on("requestfinished", lambda request: waiting.discard(request))
    return counts


def is_for_frames(request: Request) -> bool:
    return "/run/" in request.url and '"first"' in (request.post_data or "")


def many(frames: int) -> bytes:
    """Frame after frame brighter below an edge of one dark row."""
    levels = np.linspace(10, 240, frames).round().astype(np.uint8)
    values = np.broadcast_to(levels[:, None, None], (frames, 48, 64)).copy()
    values[:, 0] = 0
    return file_of(dicom(values, frames=frames, Modality="XA"))


def bring_frames(page: Page, frames: int) -> None:
    """Their own run has come to its end: one that begins would stop them."""
    upload(page, many(frames))
    expect(page.locator(".ps-scan-facts")).to_contain_text(f"frame {frames // 2} of {frames}")
    page.wait_for_selector(OVER)


NOTE_FRAMES = """() => {
  window.seen = new Set();
  document.addEventListener("input", ({ target }) => target.closest("#ps-scan-frame") && seen.add(target.value));
}"""

BRIGHTNESS = """() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const image = document.querySelector(".ps-frames img");
  if (!image.complete || !image.naturalWidth) return -1;
  canvas.getContext("2d").drawImage(image, 0, 0, 1, 1);
  return canvas.getContext("2d").getImageData(0, 0, 1, 1).data[0];
}"""


def test_each_frame_has_a_picture_while_the_slider_moves_and_rests_as_the_one_that_is_certified(page: Page) -> None:
    bring_frames(page, 20)
    facts = page.locator(".ps-scan-facts")
    expect(facts).to_contain_text("frame 10 of 20")
    slider = page.locator("#ps-scan-frame input[type=range]")
    slider.focus()
    for frame in (11, 12, 13):
        slider.press("ArrowRight")
        level = 10 + 230 * (frame - 1) / 19
        page.wait_for_function(f"level => Math.abs(({BRIGHTNESS})() - level) < 6", arg=level)
    expect(facts).to_contain_text("frame 13 of 20")  # what rests after a key is chosen
    page.wait_for_selector(OVER)


def test_frames_play_one_request_at_a_time_and_where_they_stop_is_certified(page: Page) -> None:
    bring_frames(page, 40)
    counts = asked_for_frames(page)
    page.evaluate(NOTE_FRAMES)
    page.click(".ps-frames-play")
    page.wait_for_function("seen.size == 40")
    assert set(counts) == {1}
    page.click(".ps-frames-play")
    frame = page.locator("#ps-scan-frame input[type=range]").input_value()
    expect(page.locator(".ps-scan-facts")).to_contain_text(f"frame {frame} of 40")
    page.wait_for_selector(OVER)


def test_a_run_that_begins_stops_the_frames(page: Page) -> None:
    bring_frames(page, 20)
    page.click(".ps-frames-play")
    page.wait_for_function("document.querySelector('#ps-scan-frame input[type=range]').value != 10")
    page.click("#ps-certify")
    page.wait_for_selector(".ps-frames:not(.ps-playing)")
    assert page.locator("#ps-scan-frame input[type=range]").input_value() == "10"
    page.wait_for_selector(OVER)


def test_whoever_wants_less_motion_has_no_moving_frames(page: Page) -> None:
    bring_frames(page, 20)
    expect(page.locator(".ps-frames-play")).to_be_visible()
    page.click(".ps-frames-play")
    page.emulate_media(reduced_motion="reduce")
    expect(page.locator(".ps-frames-play")).to_be_hidden()
    page.wait_for_selector(".ps-frames:not(.ps-playing)")


def test_a_scan_of_one_frame_has_no_frames_to_look_through(page: Page) -> None:
    bring_frames(page, 20)
    expect(page.locator(".ps-frames")).to_be_visible()
    page.click(".ps-picker button:nth-child(2)")
    expect(page.locator(".ps-frames")).to_be_hidden()


# --- what is written into a picture


def test_where_names_may_stand_in_the_picture_a_box_is_a_click_away(page: Page, tmp_path: Path) -> None:
    expect(page.locator(".ps-draw")).to_be_hidden()
    colours = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    upload(page, file_of(dicom(colours, Modality="US")))
    page.click(".ps-draw")
    expect(page.locator(".ps-viewer-said")).to_have_text("96 × 96 pixels from 32, 12")
    assert page.evaluate("document.activeElement.className") == "ps-viewer-box"
    page.keyboard.press("ArrowLeft")
    told = window_of_the_certificate(page, ".ps-viewer-use", tmp_path)
    left, top, right, bottom = told["box"]
    assert (right - left, bottom - top, top) == (96, 96, 12)
    assert left < 32
    expect(page.locator(".ps-scan-facts")).to_contain_text("Names may be written into this picture")
    expect(page.locator(".ps-draw")).to_be_visible()  # a box is no promise
