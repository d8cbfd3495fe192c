"""Takes the pictures of the page that stand in the documentation: light, dark and on a phone.

It knows nothing about what is on the page. Run it as ``python docs/screenshots.py`` from the repository.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from tests.browser.conftest import ARGUMENTS, CHROMIUM, OVER  # noqa: E402
from tests.serving import serve  # noqa: E402


@dataclass(frozen=True)
class Picture:
    """One picture: its name, the window it is taken in, and which example is shown."""

    name: str
    width: int
    height: int
    scheme: Literal["light", "dark"]
    example: int
    whole_page: bool = False


PICTURES = (
    Picture("certify-light", 1320, 830, "light", 0),
    Picture("certify-dark", 1320, 830, "dark", 6),
    Picture("certify-phone", 390, 844, "light", 0, whole_page=True),
)


def take(browser: Browser, url: str, picture: Picture) -> None:
    """Open the page, choose the example, wait for the verdict, keep the picture."""
    page = browser.new_page(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme=picture.scheme,
        device_scale_factor=2,
    )
    page.goto(url)
    page.wait_for_selector(OVER, timeout=120_000)
    if picture.example:
        _choose(page, picture.example)
    page.wait_for_timeout(300)
    page.screenshot(path=FOLDER / f"{picture.name}.png", full_page=picture.whole_page)
    page.close()


def _choose(page: Page, example: int) -> None:
    page.click(f".ps-picker button:nth-child({example + 1})")
    page.wait_for_selector(".ps-stage:not([data-state=certified], [data-state=abstained])", timeout=120_000)
    page.wait_for_selector(OVER, timeout=120_000)
    page.mouse.move(0, 0)


def main() -> None:
    """Every picture, with the bundled models or with those of PSMOOTH_MODELS."""
    server = serve(os.environ.get("PSMOOTH_MODELS", ""))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for picture in PICTURES:
            take(browser, server.url, picture)
        browser.close()


if __name__ == "__main__":
    main()
