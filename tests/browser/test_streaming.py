"""While votes pour in, no task holds the page for longer than 50 ms.

What a task needs of the processor is measured, not how long it took by the clock: on a computer that is busy with
other things, a task of 15 ms may take 200. What the clock said is logged beside it. The processor's own count is no
more than an upper end on a computer that is lent in slices: what another one took of a slice is counted too. A task
that the page makes long is long in every run, so the best of a few runs is held.
"""

import json
import logging
from collections import Counter
from typing import Any

from playwright.sync_api import Browser, Page

from tests.browser.conftest import OVER, start_long_run
from tests.serving import Server

log = logging.getLogger(__name__)
LONGEST = 50  # milliseconds
STEPS = 25
RUNS = 3
OBSERVE = """
    window.steps = []; window.longTasks = [];
    const keep = (name, list) => new PerformanceObserver((all) => list.push(...all.getEntries().map(e => e.duration)))
        .observe({ type: name, buffered: true });
    keep("measure", window.steps); keep("longtask", window.longTasks);
"""
CATEGORIES = ["toplevel", "devtools.timeline", "blink.user_timing", "disabled-by-default-devtools.timeline"]


def main_thread(trace: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the busiest thread that runs a page did, in spans that have an end."""
    names = (event for event in trace if event["name"] == "thread_name")
    threads = {(event["pid"], event["tid"]) for event in names if event["args"]["name"] == "CrRendererMain"}
    spans = [event for event in trace if event.get("ph") == "X" and (event["pid"], event["tid"]) in threads]
    [(busiest, _)] = Counter((event["pid"], event["tid"]) for event in spans).most_common(1)
    return [event for event in spans if (event["pid"], event["tid"]) == busiest]


def traced_run(browser: Browser, page: Page) -> list[dict[str, Any]]:
    """A run, from the first votes that were counted to its end, which is Stop once it has been drawn often enough."""
    start_long_run(page)
    browser.start_tracing(page=page, categories=CATEGORIES)
    page.evaluate("window.steps.length = window.longTasks.length = 0")  # what is counted from here on is in the trace
    page.wait_for_function(f"window.steps.length >= {STEPS}")
    page.click(".ps-stage .ps-stop")
    page.wait_for_selector(".ps-stage[data-state=stopped]")
    return main_thread(json.loads(browser.stop_tracing())["traceEvents"])


def test_no_task_is_longer_than_50_ms_after_the_first_chart(browser: Browser, server: Server) -> None:
    page = browser.new_page(viewport={"width": 1320, "height": 860})
    page.set_default_timeout(180_000)
    page.add_init_script(OBSERVE)
    page.goto(server.url)
    page.wait_for_selector(OVER)
    assert any(longest_task(browser, page) < LONGEST for _ in range(RUNS))
    page.close()


def longest_task(browser: Browser, page: Page) -> float:
    """Milliseconds that the longest task of a run needed, its steps among them."""
    spans = traced_run(browser, page)
    tasks = [needed(span) for span in spans if span["name"] == "RunTask"]
    draws = [needed(span) for span in spans if span["name"] == "TimerFire" and holds_step(span, spans)]
    by_clock, long_by_clock = page.evaluate("[window.steps, window.longTasks]")
    for name, values in (("tasks", tasks), ("draws", draws), ("draws by the clock", by_clock), ("long", long_by_clock)):
        log.info("%s: %d, the longest %s ms", name, len(values), [round(value, 1) for value in sorted(values)[-10:]])
    assert len(draws) >= STEPS, "The trace holds the steps."
    return max(*draws, *tasks)


def holds_step(span: dict[str, Any], spans: list[dict[str, Any]]) -> bool:
    """Whether the page drew a step in it: the script says so at the end of each."""
    start, end = span["ts"], span["ts"] + span["dur"]
    return any(one["name"] == "UserTiming::Measure" and start <= one["ts"] <= end for one in spans)


def needed(span: dict[str, Any]) -> float:
    """Milliseconds of the processor; the shortest spans have been timed by the clock alone, which is never less."""
    return span.get("tdur", span["dur"]) / 1000
