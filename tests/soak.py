"""Leaves the booth to itself for a while and watches its memory: ``python -m tests.soak [MINUTES] [FILE]``.

It knows nothing about what is on the page. A row a minute goes into a CSV file: certificates issued since the start,
megabytes of the server and of the browser (anonymous memory, from /proc, so on Linux), and of the page's scripts. It
ends with an error where one of them has grown over the second half: the medians of its quarters are compared.
"""

import csv
import sys
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.serving import serve

COLUMNS = ("minute", "certified", "abstained", "server_mb", "browser_mb", "scripts_mb")
TOLERATED = 1.05  # a quarter's median over that of the quarter before
COUNT = """
  window.soak = JSON.parse(sessionStorage.getItem("soak")) || { certified: 0, abstained: 0 };
  new MutationObserver(([{ target }]) => {
    if (!target.matches(".ps-stage") || !(target.dataset.state in window.soak)) return;
    window.soak[target.dataset.state] += 1;
    sessionStorage.setItem("soak", JSON.stringify(window.soak));
  }).observe(document, { attributes: true, attributeFilter: ["data-state"], subtree: true });
"""  # in every page that the booth loads


def megabytes(process: int) -> float:
    """What a process and all below it have written to memory; mapped files, which may be shared, do not count."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text("ascii").splitlines()
    own = next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1024
    return own + sum(megabytes(child) for child in children(process))


def children(process: int) -> list[int]:
    """The processes that a process has started, by any of its threads."""
    lists = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for each in lists for child in each.read_text("ascii").split()]


def named(word: str) -> int:
    """The one process below this one whose command line holds a word and whose parent's does not."""
    waiting = children(int(Path("/proc/self").resolve().name))
    while waiting:
        process = waiting.pop(0)
        if word in Path(f"/proc/{process}/cmdline").read_text("utf-8", "replace"):
            return process
        waiting += children(process)
    raise SystemExit(f"There is no process of '{word}'.")


def sample(page: Page, minute: int) -> dict[str, float]:
    """One row."""
    counts = page.evaluate("window.soak")
    heap = page.context.new_cdp_session(page)
    heap.send("HeapProfiler.collectGarbage")
    used = heap.send("Runtime.getHeapUsage")["usedSize"] / 2**20
    heap.detach()
    memory = {"server_mb": megabytes(named("app.launch")), "browser_mb": megabytes(named("chrom")), "scripts_mb": used}
    return {"minute": minute, **counts, **{name: round(value, 1) for name, value in memory.items()}}


def grown(rows: list[dict[str, float]]) -> list[str]:
    """The columns whose last quarter stands above the third one."""
    quarter = max(1, len(rows) // 4)
    third, last = rows[-2 * quarter : -quarter], rows[-quarter:]
    return [
        name
        for name in COLUMNS[3:]
        if median(row[name] for row in last) > TOLERATED * median(row[name] for row in third)
    ]


def main() -> None:
    """Open the booth, sample it, judge it."""
    minutes = max(4, int(sys.argv[1]) if len(sys.argv) > 1 else 120)
    file = Path(sys.argv[2] if len(sys.argv) > 2 else "soak.csv")
    server, rows = serve(""), []
    with sync_playwright() as playwright, file.open("w", newline="", encoding="ascii") as out:
        page = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS).new_page()
        page.add_init_script(COUNT)
        page.goto(f"{server.url}/?kiosk=1")
        page.wait_for_selector(".ps-stage")
        writer = csv.DictWriter(out, COLUMNS)
        writer.writeheader()
        start = time.monotonic()
        for minute in range(1, minutes + 1):
            page.wait_for_timeout(max(0.0, 1000 * (start + 60 * minute - time.monotonic())))
            rows.append(sample(page, minute))
            writer.writerow(rows[-1])
            out.flush()
    print(f"{minutes} minutes: {rows[-1]}")
    if found := grown(rows):
        raise SystemExit(f"Memory has grown: {', '.join(found)}.")


if __name__ == "__main__":
    main()
