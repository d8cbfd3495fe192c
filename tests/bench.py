"""Measures the engine against the bare image encoder, and a run against the clock; ``make bench`` prints the table.

It knows nothing about correctness. Ratios come from alternating rounds in one process, because clocks are noisy.
"""

import json
import secrets
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
from psmooth.errors import ModelError
from psmooth.models import HALF, ON_OPENVINO, TORCH, MedVLM, ModelSpec, load_model, on_runtime
from psmooth.phantoms import draw_phantom
from psmooth.runtime import best_batch_size, tune_allocator
from psmooth.sampling import batch_copies, batch_copies_on
from psmooth.scans import Crop, CropRule, Scan, crop_scan, open_scan
from psmooth.smoothing import certify
from psmooth.smoothing.provenance import use_whole_float32
from tests.bench_peers import five_methods, peer_figures

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

    pixels = torch.rand(batch, 3, model.input_size, model.input_size, device=model.device)
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        start = time.perf_counter()
        for _ in range(passes):
            model.encode(pixels)
        if model.device.type == "cuda":
            torch.cuda.synchronize()
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


def vit_b_32(device: str = "cpu") -> MedVLM:
    """ViT-B/32 with random weights, as large as PLIP and QuiltNet."""
    import open_clip
    import torch

    torch.manual_seed(0)
    network = open_clip.create_model("ViT-B-32", device=device).eval().requires_grad_(False)
    half = torch.full((1, 3, 224, 224), 2.0, device=device).contiguous(memory_format=torch.channels_last)
    return MedVLM(
        spec=ModelSpec("vit-b-32", "ViT-B/32", "local-dir:random", "random weights", "none", ()),
        revision="0" * 64,
        network=network,
        tokenizer=open_clip.SimpleTokenizer(),
        encode=network.encode_image,  # type: ignore[arg-type]
        crop_rule=CropRule(size=224),
        scale=half,
        shift=-half / 2,
        device=torch.device(device),
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


def drawn_scan() -> Scan:
    """The phantom that all rows share."""
    return open_scan(draw_phantom("blood_cells", "monocyte", seed=3).pixels)


def engine_rows() -> Iterator[Row]:
    """Noise, votes and whole runs without the page."""
    tune_allocator()
    scan, pocket = drawn_scan(), load_model("pocket-noisy", device="cpu")
    crop, batch = crop_scan(scan, pocket.crop_rule), best_batch_size(pocket)
    yield noise_cost(crop)
    yield against_bare("pocket-noisy", pocket, crop, batch, 120)
    seconds = median(whole_run(pocket, crop, batch, -(-1_000 // batch))[1] for _ in range(ROUNDS))
    yield Row("1,000 votes of pocket-noisy", round(seconds, 2), "s", "goal 3 s", round(seconds / 3, 3))
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "cell.png")
        seconds_of(["phantom", "blood_cells", "monocyte", "--seed", "3", "--out", file])
        command = ["certify", file, "--task", "blood_cells"]
        whole = median(seconds_of(command) for _ in range(3))
        first = median(seconds_of([*command, "--target-radius", "0.01"]) for _ in range(3))
    yield Row("process start to the first certificate", round(first, 2), "s", "goal 5 s", round(first / 5, 3))
    yield Row("process start to certificate, 1,000 votes", round(whole, 2), "s", "goal 8 s", round(whole / 8, 3))
    large = vit_b_32()
    big_crop = crop_scan(scan, replace(large.crop_rule, size=224))
    yield against_bare("ViT-B/32, random weights", large, big_crop, 4, 75)


def peer_rows() -> Iterator[Row]:
    """``certify`` against the loops of others, and against itself on another runtime."""
    pocket, scan = load_model("pocket", device="cpu"), drawn_scan()
    crop, batch = crop_scan(scan, pocket.crop_rule), best_batch_size(pocket)
    large = vit_b_32()
    big_crop = crop_scan(scan, replace(large.crop_rule, size=224))
    figures = chain(
        peer_figures("pocket", pocket, crop, batch, 30 * batch),
        peer_figures("ViT-B/32", large, big_crop, 8, 160),
        [five_methods("pocket", pocket, crop, 1_000)],
    )
    for what, here, other, there, ratio in figures:
        goal = 5 if "five methods" in what else 1.3
        yield Row(what, round(here, 2), "s", f"{other}: {there:.2f} s; goal {goal}", round(ratio, 2))
    yield from patience_rows("ViT-B/32", large, big_crop)
    yield from runtime_rows("pocket", pocket, crop, batch, 60)
    yield from runtime_rows("ViT-B/32", large, big_crop, 4, 30)


def runtime_rows(name: str, model: MedVLM, crop: Crop, batch: int, passes: int) -> Iterator[Row]:
    """Votes a second in each precision, against float32 by torch in the same rounds; ratios are medians over them."""
    models = {TORCH: model}
    for precision in ON_OPENVINO:
        try:
            models[precision] = on_runtime(model, precision)
        except ModelError as error:
            print(error)
    rounds = [[whole_run(one, crop, batch, passes)[0] for one in models.values()] for _ in range(ROUNDS)]
    for place, precision in enumerate(list(models)[1:], 1):
        speed, plain = (median(found[which] for found in rounds) for which in (place, 0))
        ratio = median(found[place] / found[0] for found in rounds)
        yield Row(f"{name} in {precision}", round(speed, 1), "votes/s", f"float32: {plain:.1f}", round(ratio, 2))


def patience_rows(name: str, model: MedVLM, crop: Crop) -> Iterator[Row]:
    """Seconds from the call to the first votes, and from Stop to the end, at the usual batch size."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        stream = certify(model, crop, task="blood_cells", noise_level=0.25, plan=Plan(max_votes=10_000))
        next(step for step in stream if step.votes)
        first, start = time.perf_counter() - start, time.perf_counter()
        stream.close()
        rounds.append((first, time.perf_counter() - start))
    for what, found, goal in zip(("first votes", "Stop"), zip(*rounds, strict=True), (1.5, 1.0), strict=True):
        seconds = median(found)
        yield Row(f"{what} of {name}", round(seconds, 2), "s", f"goal {goal} s", round(seconds / goal, 3))


def card_rows() -> Iterator[Row]:
    """On an NVIDIA card: its noise alone, votes against the bare encoder, and the first certificate."""
    import torch

    if not torch.cuda.is_available():
        print("There is no NVIDIA card here: its rows are left out.")
        return
    for name, size in (("pocket", 128), ("ViT-B/32", 224)):
        model = load_model("pocket", device="cuda") if name == "pocket" else vit_b_32("cuda")
        use_whole_float32(model.device)
        crop, batch = crop_scan(drawn_scan(), replace(model.crop_rule, size=size)), best_batch_size(model)
        first = whole_run(model, crop, batch, 4)[1]
        yield card_noise(model, crop, batch)
        yield against_bare(f"{name} on the card", model, crop, batch, 200)
        half = on_runtime(model, HALF)
        yield against_bare(f"{name} on the card in {HALF}", half, crop, batch, 200)
        yield Row(f"first certificate of {name} on the card", round(first, 2), "s", f"{4 * batch:,} votes", 1.0)


def card_noise(model: MedVLM, crop: Crop, batch: int) -> Row:
    """Copies a second that the card draws and adds up alone."""
    import torch

    rounds = []
    for _ in range(ROUNDS):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for first in range(0, 50 * batch, batch):
            batch_copies_on(model.device, crop, 0.25, secrets.token_hex(16), "estimate", first, batch)
        torch.cuda.synchronize()
        rounds.append(50 * batch / (time.perf_counter() - start))
    size = crop.pixels.shape[-1]
    return Row(f"exact noise of {size} px on the card", round(median(rounds)), "copies/s", f"batch {batch}", 1.0)


def main() -> None:
    """Measure, print each row as it is found, write ``bench.json``."""
    rows = []
    for row in chain(engine_rows(), peer_rows(), card_rows(), page_rows()):
        rows.append(row)
        print(f"{row.name:45} {row.value:>9} {row.unit:8} {row.against:42} {row.ratio}", flush=True)
    Path("bench.json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
