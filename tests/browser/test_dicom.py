"""A DICOM file on the page: its windows by their names, its frames by a slider, and a word on names in the picture."""

import numpy as np
from playwright.sync_api import Page, expect

from psmooth.scans import notes
from psmooth.views.locale import translations
from tests.browser.conftest import OVER, settle
from tests.dicoms import dicom, file_of

LEFT = "document.querySelector('.ps-crop').getContext('2d').getImageData(0, 16, 1, 1).data[0]"


def slices() -> np.ndarray:
    """Three slices of 64 × 64: the left edge is at −800, 0 and 800 HU, the right one at 1,000."""
    across = np.linspace(0, 1, 64)
    rows = [np.tile(edge + (1_000 - edge) * across, (64, 1)) for edge in (-800, 0, 800)]
    return (np.stack(rows).round() + 1_024).astype(np.uint16)


def upload(page: Page, content: bytes) -> None:
    """As anyone would, under a name that is nobody's business."""
    files = {"name": "DOE_JANE.dcm", "mimeType": "application/dicom", "buffer": content}
    page.set_input_files("#ps-scan-card input[type=file]", files=[files])  # type: ignore[list-item]
    settle(page)
    page.wait_for_selector(OVER)


def test_a_window_and_a_frame_are_chosen(page: Page) -> None:
    upload(page, file_of(dicom(slices(), frames=3, Modality="CT", RescaleSlope="1", RescaleIntercept="-1024")))
    facts = page.locator(".ps-scan-facts")
    expect(facts).to_have_text("64 × 64, 16-bit grey, CT · frame 2 of 3")
    assert "DOE" not in page.inner_text("body")
    page.wait_for_function(f"Math.abs({LEFT} - 255 * (0 - 40 + 200) / 400) < 40")
    page.click("#ps-window input")
    page.locator("#ps-window [role=option]").filter(has_text="bone").click()
    expect(page.get_by_label("Window width")).to_have_value("1800")
    page.wait_for_function(f"Math.abs({LEFT} - 255 * (0 - 400 + 900) / 1800) < 12")
    slider = page.locator("#ps-scan-frame input[type=range]")
    slider.focus()
    slider.press("ArrowRight")
    slider.dispatch_event("pointerup")
    expect(facts).to_have_text("64 × 64, 16-bit grey, CT · frame 3 of 3")
    expect(page.get_by_label("Window width")).to_have_value("1800")
    page.wait_for_function(f"Math.abs({LEFT} - 255 * (800 - 400 + 900) / 1800) < 12")
    page.wait_for_selector(OVER)


def test_an_ultrasound_says_that_names_may_stand_in_it(page: Page) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    upload(page, file_of(dicom(colours, Modality="US")))
    expect(page.locator(".ps-scan-facts")).to_contain_text("Names may be written into this picture")
    expect(page.locator("#ps-scan-frame")).to_be_hidden()
    expect(page.get_by_label("Window centre")).to_be_hidden()


def test_what_is_told_of_a_scan_follows_the_language(page: Page) -> None:
    words = translations("de")
    page.select_option(".ps-language", "de")
    expect(page.locator(".ps-scan-facts")).to_contain_text("8-Bit-RGB")
    file = file_of(dicom(slices(), frames=3, Modality="US"))
    upload(page, file)
    facts = page.locator(".ps-scan-facts")
    expect(facts).to_contain_text("Bild 2 von 3")
    expect(facts).to_contain_text(words[notes.WRITTEN])
    page.select_option(".ps-language", "en")
    expect(facts).to_contain_text("frame 2 of 3")
    expect(facts).to_contain_text(notes.WRITTEN)
    expect(page.locator("#ps-window input")).not_to_have_value("")
    assert page.locator(".ps-scan").get_attribute("src"), "the pictures stay"
