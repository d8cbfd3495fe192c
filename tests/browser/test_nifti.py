"""A volume on the page: its planes by a menu, its slices by the slider."""

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OVER, settle

nib: Any = pytest.importorskip("nibabel")


def test_a_plane_and_a_slice_are_chosen(page: Page) -> None:
    values = np.random.default_rng(0).integers(0, 100, (40, 44, 48)).astype(np.int16)
    content = nib.Nifti1Image(values, np.eye(4)).to_bytes()
    expect(page.locator("#ps-scan-plane")).to_be_hidden()
    files = {"name": "DOE_JANE.nii", "mimeType": "application/octet-stream", "buffer": content}
    page.set_input_files("#ps-scan-card input[type=file]", files=[files])  # type: ignore[list-item]
    settle(page)
    page.wait_for_selector(OVER)
    facts = page.locator(".ps-scan-facts")
    expect(facts).to_have_text("40 × 44, 16-bit grey · axial · frame 24 of 48")
    page.click("#ps-scan-plane input")
    page.locator("#ps-scan-plane [role=option]").filter(has_text="coronal").click()
    expect(facts).to_have_text("40 × 48, 16-bit grey · coronal · frame 22 of 44")
    slider = page.locator("#ps-scan-frame input[type=range]")
    slider.focus()
    slider.press("ArrowRight")
    slider.dispatch_event("pointerup")
    expect(facts).to_have_text("40 × 48, 16-bit grey · coronal · frame 23 of 44")
    page.wait_for_selector(OVER)
    assert "DOE" not in page.inner_text("body")
