"""Measures the engine against the bare image encoder, and a run against the clock; ``make bench`` prints the table.

It knows nothing about correctness. Ratios come from alternating rounds in one process, because clocks are noisy.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from psmooth.certificate import Plan
from psmooth.models import MedVLM, ModelSpec, load_model
from psmooth.phantoms import draw_phantom
from psmooth.runtime import best_batch_size, tune_allocator
from psmooth.sampling import batch_copies
from psmooth.scans import Crop, CropRule, crop_scan, open_scan
from psmooth.smoothing import certify

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROUNDS = 5


@dataclass(frozen=True)
class Row:
    """One line of the table: a value, and what it is held against."""

    name: str
    value: float
    unit: str
    against: str
    ratio: float


def bare_loop(model: MedVLM, batch: int, passes: int) -> float:
    """Copies a second of the image encoder alone, on one batch that lies ready."""
    import torch

    pixels = torch.rand(batch, 3, model.input_size, model.input_size).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        start = time.perf_counter()
        for _ in range(passes):
            model.encode(pixels)
        return passes * batch / (time.perf_counter() - start)


def whole_run(model: MedVLM, crop: Crop, batch: int, passes: int) -> tuple[float, float]:
    """Votes a second of ``certify`` as its last step says, and its seconds from the call to that step.

    The first counts from the first copy drawn: noise, votes, bounds, looks and the unsmoothed answer; the second adds
    the prompts, which are embedded once however long a run is.
    """
    start, speed = time.perf_counter(), 0.0
    for step in certify(
        model, crop, task="blood_cells", noise_level=0.25, plan=Plan(max_votes=passes * batch), batch_size=batch
    ):
        speed = step.votes_per_second
    return speed, time.perf_counter() - start


def against_bare(name: str, model: MedVLM, crop: Crop, batch: int, passes: int) -> Row:
    """The median over rounds of the ratio between the two loops."""
    bare_loop(model, batch, 2)
    rounds = [(bare_loop(model, batch, passes), whole_run(model, crop, batch, passes)[0]) for _ in range(ROUNDS)]
    bare, run = (median(column) for column in zip(*rounds, strict=True))
    ratio = median(run / bare for bare, run in rounds)
    return Row(name, round(run, 1), "votes/s", f"bare encoder, batch {batch}: {bare:.1f} copies/s", round(ratio, 3))


def vit_b_32() -> MedVLM:
    """ViT-B/32 with random weights, as large as PLIP and QuiltNet."""
    import open_clip
    import torch

    torch.manual_seed(0)
    network = open_clip.create_model("ViT-B-32").eval().requires_grad_(False)
    half = torch.full((1, 3, 224, 224), 2.0).contiguous(memory_format=torch.channels_last)
    return MedVLM(
        spec=ModelSpec("vit-b-32", "ViT-B/32", "local-dir:random", "random weights", "none", ()),
        revision="0" * 64,
        network=network,
        tokenizer=open_clip.SimpleTokenizer(),
        encode=network.encode_image,  # type: ignore[arg-type]
        crop_rule=CropRule(size=224),
        scale=half,
        shift=-half / 2,
        device=torch.device("cpu"),
    )


def noise_cost(crop: Crop) -> Row:
    """Core-milliseconds to draw and add the exact noise of one copy."""
    start, cpu = time.perf_counter(), time.thread_time()
    for first in range(0, 512, 32):
        batch_copies(crop, 0.25, "0" * 32, "estimate", first, 32)
    spent = (time.thread_time() - cpu) / 512 * 1000
    wall = (time.perf_counter() - start) / 512 * 1000
    return Row(
        "exact noise, one copy of 128 px", round(spent, 3), "core-ms", f"wall {wall:.3f} ms", round(spent / 0.2, 3)
    )


def seconds_of(command: list[str]) -> float:
    """Wall seconds of a fresh process."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "psmooth", *command], capture_output=True, check=False)
    assert done.returncode in (0, 3), done.stderr.decode()
    return time.perf_counter() - start


def page_rows() -> list[Row]:
    """The page in a browser, from load and from a click: first votes drawn, first radius certified, the run's end."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import ARGUMENTS, CHROMIUM
    from tests.serving import serve

    if not CHROMIUM.exists():
        return []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1320, "height": 900})
        rounds = []
        for _ in range(ROUNDS):
            load = _seconds_to(page, lambda: page.goto(serve("").url, wait_until="commit"))
            click = _seconds_to(page, lambda: page.click("#ps-certify"))
            rounds.append((*load, *click))
        browser.close()
    names = [
        f"{action} to {moment}"
        for action in ("page load", "click")
        for moment in ("first votes drawn", "first radius certified", "all 1,000 votes")
    ]
    values = [median(column) for column in zip(*rounds, strict=True)]
    goals = zip(names, values, (3, 3, 3, 1, 3, 3), strict=True)
    return [Row(name, round(value, 2), "s", f"goal {goal} s", round(value / goal, 3)) for name, value, goal in goals]


def _seconds_to(page: "Page", action: Callable[[], object]) -> tuple[float, float, float]:
    """Seconds from an action to the first votes on the page, to a first certified radius, and to the end of the run."""
    votes = "[...document.querySelectorAll('.ps-votes tbody tr')].some(r => +r.cells[1].textContent > 0)"
    from tests.browser.conftest import OVER

    running = ".ps-stage:is([data-state=selecting], [data-state=estimating])"
    start = time.perf_counter()
    action()
    page.wait_for_selector(running)
    page.wait_for_function(votes)
    first = time.perf_counter() - start
    page.wait_for_function("+document.querySelector('.ps-radius b').textContent > 0")
    certified = time.perf_counter() - start
    page.wait_for_selector(OVER)
    return first, certified, time.perf_counter() - start


def engine_rows() -> Iterator[Row]:
    """Noise, votes and whole runs without the page."""
    tune_allocator()
    scan = open_scan(draw_phantom("blood_cells", "monocyte", seed=3).pixels)
    pocket = load_model("pocket-noisy", device="cpu")
    crop, batch = crop_scan(scan, pocket.crop_rule), best_batch_size(pocket)
    yield noise_cost(crop)
    yield against_bare("pocket-noisy", pocket, crop, batch, 120)
    seconds = median(whole_run(pocket, crop, batch, -(-1_000 // batch))[1] for _ in range(ROUNDS))
    yield Row("1,000 votes of pocket-noisy", round(seconds, 2), "s", "goal 3 s", round(seconds / 3, 3))
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "cell.png")
        seconds_of(["phantom", "blood_cells", "monocyte", "--seed", "3", "--out", file])
        whole = median(seconds_of(["certify", file, "--task", "blood_cells"]) for _ in range(3))
    yield Row("process start to certificate, 1,000 votes", round(whole, 2), "s", "goal 8 s", round(whole / 8, 3))
    large = vit_b_32()
    big_crop = crop_scan(scan, replace(large.crop_rule, size=224))
    yield against_bare("ViT-B/32, random weights", large, big_crop, 4, 75)


def main() -> None:
    """Measure, print each row as it is found, write ``bench.json``."""
    rows = []
    for row in chain(engine_rows(), page_rows()):
        rows.append(row)
        print(f"{row.name:45} {row.value:>9} {row.unit:8} {row.against:42} {row.ratio}", flush=True)
    Path("bench.json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
