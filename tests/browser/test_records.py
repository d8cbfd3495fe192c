"""Several runs on one scan are listed, and a certificate that is brought to the page is checked there."""

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import OVER


def certify_again(page: Page) -> None:
    page.click("#ps-certify")
    page.wait_for_selector(f".ps-stage:not({OVER.removeprefix('.ps-stage')})")
    page.wait_for_selector(OVER)


def test_runs_on_one_scan_are_listed_with_their_joint_alpha_until_another_scan_comes(page: Page) -> None:
    expect(page.locator(".ps-runs")).to_be_hidden()
    certify_again(page)
    expect(page.locator(".ps-runs summary")).to_contain_text("2 runs on this scan")
    expect(page.locator(".ps-runs summary")).to_contain_text("0.002")
    page.click(".ps-runs summary")
    expect(page.locator(".ps-runs tbody tr")).to_have_count(2)
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []
    page.click(".ps-picker button:nth-child(3)")
    expect(page.locator(".ps-runs")).to_be_hidden()


def test_a_certificate_is_checked_by_button_and_by_dropping_it(page: Page, tmp_path: Path) -> None:
    page.wait_for_selector(".ps-download:not([disabled])")
    with page.expect_download() as download:
        page.click(".ps-stage .ps-download")
    file = tmp_path / "certificate.json"
    download.value.save_as(file)
    with page.expect_file_chooser() as chooser:
        page.click(".ps-check")
    chooser.value.set_files(file)
    expect(page.locator("h2.ps-headline")).to_have_text("This certificate holds together.")
    altered = file.read_text("utf-8").replace('"noise_level": 0.25', '"noise_level": 0.75')
    page.evaluate(
        """(text) => {
          const data = new DataTransfer();
          data.items.add(new File([text], "altered.json", { type: "application/json" }));
          document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
        }""",
        altered,
    )
    expect(page.locator("h2.ps-headline")).to_have_text("This certificate does not hold together.")
