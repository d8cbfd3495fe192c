"""A real Chromium in front of the served page; every test here is skipped, by name, where there is none."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.serving import Server, serve

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE = 180_000  # ms: a bound for what never comes, not for how fast it comes
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("PSMOOTH_REQUIRE_BROWSER") and not CHROMIUM.exists():
        raise pytest.UsageError(f"PSMOOTH_REQUIRE_BROWSER is set, but there is no Chromium at {CHROMIUM}.")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not CHROMIUM.exists():
                item.add_marker(pytest.mark.skip(reason=f"There is no Chromium at {CHROMIUM}."))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(models_served: str) -> Server:
    return serve(models_served)


class Watched:
    """A page, and everything about it that must not happen."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.wrong: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.wrong.append(message.text)

    def _on_request(self, request: Request) -> None:
        here = (self.url, self.url.replace("127.0.0.1", "localhost"), "data:", "blob:")
        if not request.url.startswith(here):
            self.wrong.append(request.url)

    def open(self) -> Page:
        """The page itself, after the first picture, which looks the same, has given way to it."""
        self.page.goto(self.url)
        self.page.wait_for_selector("#ps-first", state="detached")
        self.page.wait_for_selector(".ps-stage")
        return self.page


@pytest.fixture
def watched(browser: Browser, server: Server) -> Iterator[Watched]:
    """A page of its own; at the end nothing wrong may have been seen."""
    page = browser.new_page(viewport={"width": 1320, "height": 900}, color_scheme="light")
    watched = Watched(page, server.url)
    yield watched
    page.close()
    assert watched.wrong == []


@pytest.fixture
def page(watched: Watched) -> Page:
    """The page after its opening run has ended."""
    page = watched.open()
    page.wait_for_selector(OVER)
    return page


def fits(page: Page, width: int, height: int = 800) -> None:
    """At that width, nothing needs sideways scrolling: from the widest to the narrowest, everything has to give way."""
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_function("width => innerWidth === width && document.documentElement.scrollWidth <= width", arg=width)


def choose_model(page: Page, name: str) -> None:
    """A model of the menu."""
    page.click("#ps-question-card input[aria-label='Med-VLM']")
    page.get_by_role("option", name=name, exact=True).click()


def settle(page: Page, task: str = "blood_cells") -> None:
    """A scan was just brought: the question what it shows is answered, where it is asked."""
    question = page.wait_for_selector(".ps-question:is([data-state=asked], [data-state=said])")
    if question and question.get_attribute("data-state") == "asked":
        page.click(f".ps-tiles button[data-task={task}]")
        expect(page.locator(".ps-question")).to_be_hidden()


@contextmanager
def next_run(page: Page) -> Iterator[None]:
    """What is done inside begins a run, and its end is waited for. A page that is busy passes over steps, all but the
    last one: so what the stage says of the run before is taken away first."""
    page.evaluate("document.querySelector('.ps-stage').dataset.state = ''")
    yield
    page.wait_for_selector(OVER)


def start_long_run(page: Page) -> None:
    """A run that does not end by itself while a test looks; it has begun to count."""
    choose_model(page, "slow")
    page.click("#ps-precision label:has-text('publication')")
    page.click("#ps-certify")
    page.wait_for_selector(COUNTING)


COUNTING = ".ps-stage[data-state=estimating]"
OVER = ".ps-stage:is([data-state=certified], [data-state=abstained])"
STILL = "document.getAnimations().every((one) => !(one instanceof CSSTransition))"  # no colour on its way to another
