"""The scan, large: what is boxed is what is certified."""

import io
import json
from pathlib import Path

import numpy as np
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.conftest import OVER, settle


def bring_a_scan(page: Page) -> None:
    """160 × 120: the left half dark and striped, the right half white."""
    pixels = np.zeros((120, 160, 3), np.uint8)
    pixels[np.arange(120) // 4 % 2 == 1] = 60
    pixels[:, 80:] = 255
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    file: FilePayload = {"name": "halves.png", "mimeType": "image/png", "buffer": content.getvalue()}
    page.set_input_files("#ps-scan-card input[type=file]", file)
    settle(page)
    expect(page.locator(".ps-scan-facts")).to_have_text("160 × 120, 8-bit RGB")
    page.wait_for_selector(OVER)


def crop_levels(page: Page) -> set[int]:
    data = "document.querySelector('.ps-crop').getContext('2d').getImageData(0, 0, 32, 32).data"
    return set(page.evaluate(f"[...{data}].filter((_, i) => i % 4 == 0)"))


def certificate(page: Page, folder: Path) -> dict[str, object]:
    with page.expect_download() as waiting:
        page.click(".ps-stage .ps-download")
    waiting.value.save_as(folder / "c.json")
    return json.loads((folder / "c.json").read_text())


def test_the_box_is_moved_and_sized_by_keys_and_its_part_is_certified(page: Page, tmp_path: Path) -> None:
    bring_a_scan(page)
    assert 255 in crop_levels(page)
    page.click(".ps-open")
    expect(page.locator(".ps-viewer")).to_be_visible()
    for _ in range(15):
        page.keyboard.press("Shift+-")
    for _ in range(20):
        page.keyboard.press("Shift+ArrowLeft")
    said = page.inner_text(".ps-viewer-said")
    page.click(".ps-viewer-use")
    page.wait_for_function("document.querySelector('.ps-stage').dataset.state != 'idle'")
    page.wait_for_function(
        "document.querySelector('.ps-crop').getContext('2d').getImageData(31, 16, 1, 1).data[0] < 64"
    )
    page.wait_for_selector(OVER)
    assert max(crop_levels(page)) < 90, "resampling overshoots a little"
    preprocessing = certificate(page, tmp_path)["preprocessing"]
    assert isinstance(preprocessing, dict)
    left, top, right, bottom = preprocessing["box"]
    assert (left, right - left) == (0, bottom - top)
    assert said.startswith(f"{right - left} × {right - left} pixels from 0, ")
    page.click(".ps-picker button:nth-child(2)")
    page.wait_for_selector(OVER)
    assert "left: 0%" in (page.get_attribute(".ps-frame", "style") or "")


def test_it_zooms_pans_inverts_and_drags(page: Page) -> None:
    bring_a_scan(page)
    page.click(".ps-open")
    style = "document.querySelector('.ps-viewer-sheet').style"
    before = page.evaluate(f"parseFloat({style}.width)")
    ground = page.locator(".ps-viewer-ground").bounding_box()
    assert ground is not None
    middle = (ground["x"] + ground["width"] / 2, ground["y"] + ground["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.wheel(0, -400)
    assert page.evaluate(f"parseFloat({style}.width)") > 1.5 * before
    page.check(".ps-viewer-invert")
    assert "invert" in page.evaluate("getComputedStyle(document.querySelector('.ps-viewer-sheet img')).filter")
    page.keyboard.press("Escape")
    page.click(".ps-open")
    corner = page.locator("[data-corner=se]").bounding_box()
    assert corner is not None
    page.mouse.move(corner["x"] + 11, corner["y"] + 11)
    page.mouse.down()
    page.mouse.move(corner["x"] - 100, corner["y"] - 100, steps=4)
    page.mouse.up()
    assert int(page.inner_text(".ps-viewer-said").split()[0]) < 110
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []
