"""A run that began again for lack of memory says so on the page, from then to its end, in every language.

The server's engine runs out of memory once in each run, after a radius could have been shown.
"""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from psmooth import views
from psmooth.interface.assets import imported
from psmooth.views.locale import Locale, using_locale
from tests.browser.conftest import OVER, Watched
from tests.browser.test_compare_and_learn import go_to
from tests.serving import ROOT, Server, serve

# Python itself runs this before the page's own code.
SHORT_OF_MEMORY = """
from psmooth.smoothing import certification as engine

whole = engine._run

def one_that_fails(request):
    for look in whole(request):
        yield look
        if request.restarted is None and look.phase == "estimation" and look.votes > 100:
            raise MemoryError

engine._run = one_that_fails
engine._SECONDS_BETWEEN_LOOKS = 0.0  # else a fast run has no look before its end
"""


@pytest.fixture(scope="module")
def short_of_memory(models_served: str, tmp_path_factory: pytest.TempPathFactory) -> Server:
    folder = tmp_path_factory.mktemp("short-of-memory")
    (folder / "sitecustomize.py").write_text(SHORT_OF_MEMORY, "utf-8")
    return serve(models_served, ("PYTHONPATH", os.pathsep.join([str(folder), str(ROOT)])))


@pytest.fixture
def page(browser: Browser, short_of_memory: Server) -> Iterator[Page]:
    watched = Watched(browser.new_page(viewport={"width": 1320, "height": 900}), short_of_memory.url)
    page = watched.open()
    page.wait_for_selector(OVER)
    yield page
    page.close()
    assert watched.wrong == []


def notice_in(language: str) -> str:
    """The sentence without its number of copies, which depends on the machine."""
    with using_locale(Locale(language)):
        return views.restart_notice(16, False).split("16")[0].rsplit(",", 1)[0]


def test_the_notice_of_a_run_that_began_again_reaches_the_page(page: Page) -> None:
    notice = page.locator(".ps-stage .ps-restart")
    expect(notice).to_be_visible()
    expect(notice).to_contain_text(notice_in("en"))
    expect(page.locator(".ps-stage [role=status]")).to_contain_text(notice_in("en"))
    totals = page.evaluate(f"async () => (await {imported('page/tape')}).tape.map((step) => step.chart.total)")
    assert totals[0] == 0, "what is replayed of it begins at its first vote"
    assert totals == sorted(totals), "and holds no vote that no longer counts"
    page.select_option(".ps-language", "de")
    expect(notice).to_contain_text(notice_in("de"))
    page.emulate_media(media="print")
    expect(notice).to_be_visible()
    page.emulate_media(media="screen")
    page.click("#ps-clear")
    expect(notice).to_be_hidden()


@pytest.mark.parametrize("view", ["compare", "attack"])
def test_it_reaches_the_other_views_as_well(page: Page, view: str) -> None:
    go_to(page, view)
    notice = page.locator(f".ps-{view} .ps-restart")
    expect(notice).to_be_hidden()
    page.click(f"#ps-{view}")
    expect(notice).to_contain_text(notice_in("en"))
    page.wait_for_selector(f".ps-{view}[data-state=done]")
    expect(notice).to_be_visible()
