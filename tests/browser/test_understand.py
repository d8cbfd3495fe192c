"""The view Understand as a visitor has it: its numbers against SciPy and psmooth.bounds, its pictures by hand and key.

It is served alone, with the page's own look and header, so that no model is needed.
"""

import math
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from scipy.special import expit, ndtri
from scipy.stats import binom

from psmooth.bounds import anytime_lower, certified_radius, clopper_pearson_lower
from psmooth.interface.assets import imported
from tests.browser.conftest import Watched

ROOT = Path(__file__).resolve().parents[2]
ALONE = """
import gradio as gr
from psmooth.interface import assets, components, serve
from psmooth.interface.uploads import Uploads

with gr.Blocks(title="understand", analytics_enabled=False, fill_width=True) as demo:
    components.Header()
    with gr.Column(elem_id="ps-understand-column"):
        components.Understanding()
demo.launch(
    theme=assets.theme(), head=assets.head(), css_paths=assets.style_sheets(), ssr_mode=False, quiet=True,
    run_history=False, enable_monitoring=False, footer_links=["api"], app_kwargs=serve.guarded(Uploads()),
)
"""
CARDS = ("votes", "plane", "looks", "tuned")
PLACES = {
    "normalQuantile": "understand/mathematics", "clopperPearsonLower": "understand/mathematics",
    "anytimeLower": "understand/mathematics", "shareAt": "understand/boundary", "tuned": "understand/tuning",
}  # fmt: skip


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    written = tmp_path_factory.mktemp("understand") / "output.txt"
    with written.open("wb") as output:
        environment = os.environ | {"GRADIO_SERVER_PORT": str(port)}
        process = subprocess.Popen(
            [sys.executable, "-c", ALONE], cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url, process, written)
        yield url
    finally:
        process.kill()
        process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes], written: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"The page did not start:\n{written.read_text('utf-8')}")


@pytest.fixture(scope="module")
def opened(browser: Browser, address: str) -> Iterator[Watched]:
    """The view without motion; at the end nothing wrong may have been seen."""
    page = browser.new_page(viewport={"width": 1320, "height": 900}, color_scheme="light", reduced_motion="reduce")
    watched = Watched(page, address)
    page.goto(f"{address}/?view=understand")
    page.wait_for_selector("#understand-votes[data-state=certified]")
    yield watched
    page.close()
    assert watched.wrong == []


@pytest.fixture
def page(opened: Watched) -> Page:
    opened.page.set_viewport_size({"width": 1320, "height": 900})
    return opened.page


def compute(page: Page, name: str, arguments: list[Any]) -> Any:
    code = f"([name, all]) => {imported(PLACES[name])}.then(module => all.map(one => module[name](...one)))"
    return page.evaluate(code, [name, arguments])


def put(page: Page, card: str, **values: float) -> None:
    """Move sliders as a visitor does, and wait for the picture."""
    for name, value in values.items():
        page.locator(f"#understand-{card}-{name}").fill(str(value))
    tune_allocator(page)


def tune_allocator(page: Page) -> None:
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def facts(page: Page, card: str) -> dict[str, str]:
    return page.evaluate(f"({{...document.querySelector('#understand-{card}').dataset}})")


def show(page: Page, card: str) -> None:
    page.locator(f"#understand-{card}").scroll_into_view_if_needed()
    tune_allocator(page)


# --- the numbers


def test_the_inverse_of_the_bell_curve_is_scipys(page: Page) -> None:
    shares = np.concatenate([np.logspace(-12, -1, 60), np.linspace(0.1, 0.9, 81), 1 - np.logspace(-9, -1, 60)])
    got = compute(page, "normalQuantile", [[share] for share in shares.tolist()])
    np.testing.assert_allclose(got, ndtri(shares), rtol=1e-10, atol=1e-12)


def test_both_bounds_are_those_of_the_engine(page: Page) -> None:
    totals = [1, 2, 12, 100, 1_000, 31_416, 100_000]
    shares = [0.0, 0.01, 0.5, 0.566, 0.9, 0.9999, 1.0]
    cases = [[round(s * t), t, alpha] for t in totals for s in shares for alpha in (0.05, 0.001, 1e-6)]
    votes, total, alpha = np.array(cases).T
    exact = clopper_pearson_lower(votes, total, alpha)
    np.testing.assert_allclose(compute(page, "clopperPearsonLower", cases), exact, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(compute(page, "anytimeLower", cases), anytime_lower(votes, total, alpha), atol=1e-9)


# --- 1 · votes, share, bound, radius


@pytest.mark.parametrize(
    ("p", "n", "alpha", "step", "sigma"),
    [(0.9, 3, 0.001, 5, 0.5), (0.977, 4, 1e-6, 14, 1.0), (1.0, 5, 0.05, 0, 0.05), (0.56, 2, 0.01, 2, 0.25)],
)
def test_the_radius_moves_as_the_formula_says(
    page: Page, p: float, n: float, alpha: float, step: int, sigma: float
) -> None:
    put(page, "votes", p=p, n=n, alpha=step, sigma=sigma)
    shown = facts(page, "votes")
    lower = clopper_pearson_lower(int(shown["votes"]), 10**n, alpha)
    radius = float(certified_radius(lower, sigma))
    number = page.inner_text("#understand-votes [data-show=radius]")
    assert shown["state"] == ("certified" if lower > 0.5 else "none")
    assert number == ("none" if lower <= 0.5 else f"{math.floor(radius * 1000) / 1000:.3f}")
    assert abs(int(shown["votes"]) / 10**n - p) < 4 * math.sqrt(p * (1 - p) / 10**n) + 1e-9


def test_one_half_or_less_never_gives_a_radius(page: Page) -> None:
    for p in (0.25, 0.4, 0.5):
        put(page, "votes", p=p, n=5, alpha=0, sigma=1)
        assert facts(page, "votes")["state"] == "none"
        assert page.locator("#understand-votes .ps-u-reach").count() == 0
        assert "no radius" in page.inner_text("#understand-votes p.ps-u-said:not(.ps-ghost)")


def test_the_knob_on_the_axis_can_be_dragged(page: Page) -> None:
    put(page, "votes", p=0.9, n=3, alpha=5, sigma=0.5)
    page.locator("#understand-votes").evaluate("node => node.scrollIntoView()")
    box = page.locator("#understand-votes .ps-u-knob").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 22, box["y"] + 22)
    page.mouse.down()
    page.mouse.move(box["x"] + 22, box["y"] + 82)
    page.mouse.up()
    assert 0.6 < float(page.input_value("#understand-votes-p")) < 0.87


def test_no_card_changes_its_height(page: Page) -> None:
    heights = f"{list(CARDS)}.map(c => document.getElementById('understand-' + c).offsetHeight)"
    put(page, "votes", p=0.9, n=3)
    before = page.evaluate(heights)
    put(page, "votes", p=0.3, n=5, alpha=14)
    put(page, "looks", batch=0, alpha=5)
    put(page, "plane", sigma=0.3)
    put(page, "tuned", altered=0.9, steps=10)
    assert page.evaluate(heights) == before


# --- 2 · the plane


def test_the_ball_never_reaches_the_smoothed_boundary(page: Page) -> None:
    show(page, "plane")
    knob = page.locator("#understand-plane .ps-u-knob")
    for sigma in (0.02, 0.1, 0.3):
        put(page, "plane", sigma=sigma)
        for key in ("ArrowUp", "ArrowRight", "ArrowUp", "Shift+ArrowRight", "Shift+ArrowDown", "ArrowLeft"):
            knob.press(key)
            tune_allocator(page)
            shown = {name: float(value) for name, value in facts(page, "plane").items()}
            assert shown["radius"] <= shown["distance"] + 1e-4
            at_rim = ball(shown["x"], shown["y"], 0.999 * shown["radius"], sigma)
            sides = {share > 0.5 for (share,) in zip(compute(page, "shareAt", at_rim), strict=True)}
            assert len(sides) == 1


def ball(x: float, y: float, radius: float, sigma: float) -> list[list[float]]:
    angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    return [[x, y, sigma], *([x + radius * math.cos(a), y + radius * math.sin(a), sigma] for a in angles)]


def test_the_point_moves_by_key_and_by_pointer(page: Page) -> None:
    show(page, "plane")
    before = facts(page, "plane")
    page.locator("#understand-plane .ps-u-knob").press("ArrowLeft")
    tune_allocator(page)
    assert float(facts(page, "plane")["x"]) == pytest.approx(float(before["x"]) - 0.02)
    page.locator("#understand-plane .ps-u-picture > svg").click(position={"x": 30, "y": 40})
    tune_allocator(page)
    assert float(facts(page, "plane")["x"]) < 0.1
    said = page.inner_text("#understand-plane p.ps-u-said:not(.ps-ghost)")
    assert "say B" in said
    expect(page.locator("#understand-plane [role=status]")).to_have_text(said)


# --- 3 · looking while votes come in


def ever_false(batch: int, alpha: float) -> float:
    """The exact chance that Clopper–Pearson, re-read after every batch of 2,000 tosses, once lies above one half."""
    state, wrong = np.ones(1), 0.0
    for total in range(batch, 2_001, batch):
        state = np.convolve(state, binom.pmf(np.arange(batch + 1), batch, 0.5))
        false = clopper_pearson_lower(np.arange(total + 1), total, alpha) > 0.5
        wrong += float(state[false].sum())
        state[false] = 0
    return wrong


def test_the_re_read_bound_breaks_its_promise_and_the_anytime_bound_keeps_it(page: Page) -> None:
    show(page, "looks")
    put(page, "looks", batch=6, alpha=0)
    first = facts(page, "looks")
    assert float(first["expectedNaive"]) == pytest.approx(ever_false(20, 0.05), rel=1e-9)
    assert float(first["expectedAnytime"]) <= 0.05
    naive, anytime = [int(first["naive"])], [int(first["anytime"])]
    for seed in range(2, 5):
        page.click("#understand-looks .ps-u-again")
        tune_allocator(page)
        assert page.inner_text("#understand-looks [data-show=seed]") == f"seed {seed}"
        naive.append(int(facts(page, "looks")["naive"]))
        anytime.append(int(facts(page, "looks")["anytime"]))
    assert min(naive) > 5 >= max(anytime)
    assert len(set(naive)) > 1
    assert page.locator("#understand-looks .ps-u-wrong .ps-u-cross").count() == naive[-1]


def test_looking_once_keeps_the_promise(page: Page) -> None:
    show(page, "looks")
    put(page, "looks", batch=0, alpha=0)
    assert float(facts(page, "looks")["expectedNaive"]) == pytest.approx(ever_false(2_000, 0.05), rel=1e-9)
    assert float(facts(page, "looks")["expectedNaive"]) <= 0.05
    assert page.inner_text("#understand-looks [data-show=batch]") == "once, at 2,000"


def test_a_strip_can_be_chosen(page: Page) -> None:
    show(page, "looks")
    page.locator("#understand-looks .ps-u-strips").click(position={"x": 5, "y": 70})
    assert page.input_value("#understand-looks-run") == "21"
    page.locator("#understand-looks-run").press("ArrowRight")
    tune_allocator(page)
    assert page.inner_text("#understand-looks [data-show=run]") == "Run 22 of 100"


# --- 4 · a prompt tuned to one scan


def tune(x: float, steps: int) -> float:
    """Adam on the entropy of the mean answer of noisy copies, its slope by finite differences."""
    copies = 0.25 * ndtri((np.arange(200) + 0.5) / 200)

    def entropy(b: float) -> float:
        share = expit(20 * (x + b + copies)).mean()
        return float(-share * np.log(share) - (1 - share) * np.log(1 - share))

    b = first = second = 0.0
    for step in range(1, steps + 1):
        slope = (entropy(b + 1e-5) - entropy(b - 1e-5)) / 2e-5
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        b -= 0.1 * (first / (1 - 0.9**step)) / (math.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return b


def test_the_tuner_is_adam_on_the_entropy(page: Page) -> None:
    cases = [[x, steps] for x in (-0.3, -0.05, 0.05, 0.4) for steps in (0, 1, 3, 10)]
    expected = [tune(x, int(steps)) for x, steps in cases]
    np.testing.assert_allclose(compute(page, "tuned", cases), expected, rtol=1e-4, atol=1e-6)


def test_tuning_again_flips_the_answer_inside_the_claimed_radius(page: Page) -> None:
    show(page, "tuned")
    outcome = "[...document.querySelectorAll('#understand-tuned .ps-u-line')].map(line => line.dataset.outcome)"
    put(page, "tuned", scan=0.05, altered=-0.05, steps=1)
    assert float(facts(page, "tuned")["radius"]) == pytest.approx(0.15, abs=1e-6)
    assert page.evaluate(outcome) == ["outside", "holds", "broken"]
    put(page, "tuned", altered=0.02)
    assert page.evaluate(outcome) == ["holds", "holds", "holds"]
    put(page, "tuned", altered=-0.05, steps=0)
    assert page.evaluate(outcome) == ["outside", "outside", "outside"]


# --- keyboard, motion, light, dark, wide, narrow


def test_every_control_is_reached_by_keyboard_and_has_a_name(page: Page) -> None:
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    seen = set()
    for _ in range(45):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
    wanted = page.evaluate("[...document.querySelectorAll('.ps-understand input')].map(input => input.id)")
    assert len(wanted) == 11
    assert set(wanted) <= seen
    assert any("ps-u-knob" in name for name in seen)
    assert page.locator(".ps-understand input:not([aria-valuetext])").count() <= 1
    page.focus("#understand-votes-sigma")
    before = page.input_value("#understand-votes-sigma")
    page.keyboard.press("ArrowLeft")
    assert page.input_value("#understand-votes-sigma") != before


def test_it_is_alive_on_load_and_asks_the_server_nothing(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1320, "height": 900})
    page.goto(f"{address}/?view=understand")
    page.wait_for_selector("#understand-votes[data-state=pouring]")
    page.wait_for_selector("#understand-votes[data-state=certified]")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    put(page, "votes", p=0.8, sigma=0.3)
    show(page, "plane")
    show(page, "looks")
    page.click("#understand-looks .ps-u-again")
    show(page, "tuned")
    assert [url for url in asked if "heartbeat" not in url] == []
    page.close()


def test_the_contents_lead_to_their_cards_and_keep_the_view(page: Page) -> None:
    page.click(".ps-u-contents a:nth-child(4)")
    expect(page.locator("#understand-tuned h2")).to_be_in_viewport()
    assert urlsplit(page.url).fragment == "understand-tuned"
    assert query(page)["view"] == "understand"
    assert page.get_attribute("body", "data-view") == "understand"


def test_a_script_that_comes_late_finds_the_view(browser: Browser, address: str) -> None:
    page = browser.new_page(reduced_motion="reduce")
    watched = Watched(page, address)
    page.route("**/understand/understand.js", lambda route: (page.wait_for_timeout(1500), route.continue_()))
    page.goto(f"{address}/?view=understand")
    page.wait_for_selector("#understand-votes[data-state=certified]")
    page.close()
    assert watched.wrong == []


def violations(page: Page) -> list[Any]:
    return [(one["id"], [node["target"] for node in one["nodes"]]) for one in Axe().run(page).response["violations"]]


def test_axe_finds_nothing_in_light_and_dark(page: Page) -> None:
    for card in CARDS:
        show(page, card)
    assert violations(page) == []
    page.click(".ps-theme")
    assert page.evaluate("getComputedStyle(document.querySelector('.ps-card')).backgroundColor") != "rgb(255, 255, 255)"
    assert violations(page) == []
    page.click(".ps-theme")


@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
def test_no_width_needs_sideways_scrolling(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for card in CARDS:
        show(page, card)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    beyond = f"""[...document.querySelectorAll('.ps-understand .ps-u-picture text')].filter(text => {{
        const [box, frame] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
        return box.left < frame.left - 1 || box.right > frame.right + 1 || box.right > {width};
    }}).map(text => text.textContent)"""
    assert page.evaluate(beyond) == []


# --- the address


def query(page: Page) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(page.url).query).items()}


def pictures(page: Page) -> list[str]:
    """What every card has drawn."""
    for card in CARDS:
        show(page, card)
    return page.evaluate("[...document.querySelectorAll('.ps-u-picture svg')].map(svg => svg.innerHTML)")


def opened_at(browser: Browser, url: str) -> Page:
    page = browser.new_page(viewport={"width": 1320, "height": 900}, color_scheme="light", reduced_motion="reduce")
    page.set_default_timeout(180_000)
    page.goto(url)
    page.wait_for_selector("#understand-votes[data-state]")
    return page


def test_a_link_restores_every_control_and_the_very_same_picture(browser: Browser, address: str) -> None:
    first = opened_at(browser, f"{address}/?view=understand")
    plain = pictures(first)
    first.wait_for_timeout(500)
    assert query(first) == {"view": "understand"}
    put(first, "votes", p=0.61, n=4.35, alpha=13, sigma=0.72)
    first.click("#understand-votes .ps-u-again")
    put(first, "plane", sigma=0.155)
    show(first, "plane")
    first.locator("#understand-plane .ps-u-picture > svg").click(position={"x": 301, "y": 77})
    show(first, "looks")
    for _ in range(2):
        first.click("#understand-looks .ps-u-again")
    put(first, "looks", batch=3, alpha=2, run=58)
    put(first, "tuned", altered=-0.31, scan=0.2, steps=7)
    first.wait_for_function("location.search.includes('tuned-steps') && location.search.includes('looks-run')")
    written = query(first)
    assert set(written) == {
        "view", "votes-p", "votes-n", "votes-alpha", "votes-sigma", "votes-seed", "plane-sigma", "plane-x", "plane-y",
        "looks-batch", "looks-alpha", "looks-run", "looks-seed", "tuned-altered", "tuned-scan", "tuned-steps",
    }  # fmt: skip
    assert (written["votes-n"], written["votes-alpha"]) == ("22000", "0.000002")
    assert (written["looks-batch"], written["looks-seed"], written["votes-seed"]) == ("200", "3", "2")
    second = opened_at(browser, first.url)
    assert pictures(second) == pictures(first) != plain
    second.wait_for_timeout(500)
    assert query(second) == written
    first.close()
    second.close()


def test_what_is_as_the_view_opens_leaves_the_address_again(browser: Browser, address: str) -> None:
    page = opened_at(browser, f"{address}/?view=understand&votes-p=0.8&tuned-steps=9&noise=0.5")
    assert page.input_value("#understand-votes-p") == "0.8"
    put(page, "votes", p=0.9)
    put(page, "tuned", steps=3)
    page.wait_for_function("!location.search.includes('votes-p') && !location.search.includes('tuned-steps')")
    assert query(page) == {"view": "understand", "noise": "0.5"}
    page.close()


def test_nonsense_in_the_address_is_moved_within_its_ends_or_passed_over(browser: Browser, address: str) -> None:
    wrong = "votes-p=7&votes-n=-5&votes-alpha=%3Cscript%3E&votes-sigma=NaN&votes-seed=1e99&plane-x=-3&plane-y=Infinity"
    more = "looks-batch=0&looks-run=4000&looks-seed=&tuned-scan=-1&tuned-steps=2.4"
    page = opened_at(browser, f"{address}/?view=understand&{wrong}&{more}")
    read = {card: page.evaluate(VALUES, card) for card in CARDS}
    assert read["votes"] == {"p": "1", "n": "2", "alpha": "5", "sigma": "0.5"}
    assert read["tuned"] == {"altered": "-0.05", "scan": "0.01", "steps": "2"}
    show(page, "plane")
    assert (float(facts(page, "plane")["x"]), float(facts(page, "plane")["y"])) == (0, 0.3)
    show(page, "looks")
    assert page.inner_text("#understand-looks [data-show=seed]") == "seed 1"
    assert page.evaluate(VALUES, "looks") == {"batch": "7", "alpha": "0", "run": "100"}
    page.close()


VALUES = """card => Object.fromEntries(
    [...document.querySelectorAll(`#understand-${card} input`)].map(input => [input.name, input.value]))"""


def test_every_step_of_a_slider_comes_back_from_the_address(page: Page) -> None:
    """The votes drawn are written as a number of votes, which has fewer digits than the step it stands for."""
    steps = [round(2 + 0.05 * step, 2) for step in range(61)]
    counts = [float(f"{10**step:.2g}") for step in steps]
    slider = "document.querySelector('#understand-votes-n')"
    for step, count in zip(steps, counts, strict=True):
        read = page.evaluate(f"count => {{ {slider}.value = Math.log10(count); return {slider}.value }}", count)
        assert float(read) == pytest.approx(step)
    put(page, "votes", n=3)
