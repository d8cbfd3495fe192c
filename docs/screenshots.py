"""Takes the pictures of every view for the documentation, light, dark and on a phone, animated ones of a run and of an
attack, and the one that a link to the page shows where it is passed on.

It knows nothing about what is on the page. Run it as ``python docs/screenshots.py`` from the repository, with the names
of some pictures (``card``, ``run``, ``walk``, or a view) or without for all.
"""

import io
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, FloatRect, Page, sync_playwright

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from tests.browser.conftest import ARGUMENTS, CHROMIUM, OVER  # noqa: E402
from tests.serving import serve  # noqa: E402

COMPARED, LEARNED = ".ps-compare[data-state=done]", ".ps-learn[data-state=done]"
ATTACKED, FALLING = ".ps-attack[data-state=done]", "model=pocket&denoiser=learned&example=1"
HAND = ".ps-attack-hand"
STAYS = (1_500, 550, 3_000)  # of the hand: at the crop itself, on the way, at the end; milliseconds
FRAMES, PAUSE = 24, 180  # of the animated picture; milliseconds
SIZES: dict[str, tuple[int, int, Literal["light", "dark"]]] = {
    "light": (1320, 860, "light"),
    "dark": (1320, 860, "dark"),
    "phone": (390, 844, "light"),
}


@dataclass(frozen=True)
class View:
    """One view: its name in the address, what is pressed, and what is then waited for."""

    name: str
    press: str
    over: str
    settings: str = ""


VIEWS = (
    View("certify", "#ps-certify", OVER, "example=0"),
    View("compare", "#ps-compare", COMPARED, "example=6&model=pocket&denoiser=learned&noise=0.5"),
    View("attack", "#ps-attack", ATTACKED, FALLING),
    View("learn", "#ps-drawn", LEARNED, "model=pocket&denoiser=learned"),
    View("understand", "", ".ps-understand"),
    View("results", "", ".ps-results-plot .main-svg"),
)


def take(browser: Browser, url: str, view: View, size: str) -> None:
    """Open a view, let it come to its end, keep the picture."""
    width, height, scheme = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=1.5)
    page.goto(f"{url}/?view={view.name}&{view.settings}")
    if view.press:
        page.wait_for_selector(OVER, state="attached", timeout=120_000)
        page.click(view.press)
    page.wait_for_timeout(500)
    page.wait_for_selector(view.over, timeout=240_000)
    whole = view.name != "certify" or size == "phone"
    if whole:
        pass_by(page)
        tall = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size(
            {"width": width, "height": max(height, tall)}
        )  # else the button of a phone stands midway
    page.wait_for_timeout(1_000)
    page.screenshot(path=FOLDER / f"{view.name}-{size}.png", full_page=whole)
    page.close()


def pass_by(page: Page) -> None:
    """Have everything seen once, and come to rest: some pictures begin when they come into sight."""
    whole, step = page.evaluate("[document.documentElement.scrollHeight, innerHeight / 2]")
    for top in range(0, int(whole), int(step)):
        page.evaluate("top => scrollTo(0, top)", top)
        page.wait_for_timeout(300)
    page.wait_for_timeout(3_000)
    page.evaluate("scrollTo(0, 0)")


def film(browser: Browser, url: str) -> None:
    """A run of 10,000 votes as an animated picture."""
    page = browser.new_page(viewport={"width": 1320, "height": 860}, color_scheme="light")
    page.goto(f"{url}/?example=1&votes=10000")
    page.wait_for_selector(".ps-stage[data-state=selecting], .ps-stage[data-state=estimating]", timeout=120_000)
    frames = [_frame(page) for _ in range(FRAMES)]
    frames[0].save(
        FOLDER / "run.webp", save_all=True, append_images=frames[1:], duration=PAUSE, loop=0, quality=70, method=4
    )
    page.close()


def _frame(page: Page) -> Image.Image:
    page.wait_for_timeout(PAUSE)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB").resize((990, 645), Image.Resampling.LANCZOS)


def walk(browser: Browser, url: str) -> None:
    """An attack that has come to its end, and the hand that goes from crop to crop on its axis."""
    page = browser.new_page(viewport={"width": 1320, "height": 1000}, color_scheme="light")
    page.goto(f"{url}/?view=attack&{FALLING}")
    page.wait_for_selector(OVER, state="attached", timeout=120_000)
    page.click("#ps-attack")
    page.wait_for_selector(ATTACKED, timeout=240_000)
    last = int(page.get_attribute(HAND, "aria-valuemax") or 0)
    page.focus(HAND)
    page.add_style_tag(content=".ps-attack .ps-foot { display: none !important; }")
    place = page.locator(".ps-attack").bounding_box()
    frames = [_step(page, key, place) for key in ("Home", *["ArrowRight"] * last)]
    stays = [STAYS[0], *[STAYS[1]] * (last - 1), STAYS[2]]
    frames[0].save(
        FOLDER / "attack.webp", save_all=True, append_images=frames[1:], duration=stays, loop=0, quality=75, method=6
    )
    page.close()


def _step(page: Page, key: str, place: FloatRect | None) -> Image.Image:
    page.keyboard.press(key)
    page.wait_for_timeout(600)
    shown = Image.open(io.BytesIO(page.screenshot(clip=place))).convert("RGB")
    return shown.resize((990, round(990 * shown.height / shown.width)), Image.Resampling.LANCZOS)


def card(browser: Browser, url: str) -> None:
    """What a booth shows at the end of a run, in the size that is asked of pictures of links."""
    page = browser.new_page(viewport={"width": 1080, "height": 567}, color_scheme="light", device_scale_factor=10 / 9)
    page.goto(f"{url}/?kiosk=1&example=1")
    page.wait_for_selector(f".ps-alone {OVER}", timeout=120_000)
    page.add_style_tag(content=".ps-alone .ps-story { display: none !important; }")
    page.wait_for_timeout(1_000)
    page.screenshot(path=FOLDER.parent / "assets" / "card.jpg", type="jpeg", quality=85)
    page.close()


def main() -> None:
    """The pictures that are asked for, with the bundled models or with those of PSMOOTH_MODELS."""
    asked = sys.argv[1:] or ["card", "run", "walk", *(view.name for view in VIEWS)]
    server = serve(os.environ.get("PSMOOTH_MODELS", ""))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for name, picture in {"card": card, "run": film, "walk": walk}.items():
            if name in asked:
                picture(browser, server.url)
        for view in (view for view in VIEWS if view.name in asked):
            for size in SIZES:
                take(browser, server.url, view, size)
        browser.close()


if __name__ == "__main__":
    main()
