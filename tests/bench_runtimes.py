"""Measures the image encoder on each runtime: ``python -m tests.bench_runtimes`` prints the table of docs/speed.md.

It knows nothing about votes. Batches are encoded side by side, as a run does it, and the precisions take turns in one
process. Beside the wall clock stands the time of the cores, which other programs on the machine hardly change.
"""

import sys
import time
from collections.abc import Iterator
from statistics import median

import torch

from psmooth.models import PRECISIONS, MedVLM, load_model, on_runtime
from psmooth.runtime import tune_allocator
from psmooth.sampling import side_by_side
from tests.bench import vit_b_32

ROUNDS = 7
Spent = tuple[float, float]  # copies a second; core-milliseconds a copy


def spent(model: MedVLM, batch: int, batches: int) -> Spent:
    """The wall's and the cores' time for so many batches of noise."""
    pixels = torch.rand(batch, 3, model.input_size, model.input_size)
    wall, cores = time.perf_counter(), time.process_time()
    for _ in side_by_side(lambda _: model.embed_images(pixels), range(batches)):
        pass
    copies = batch * batches
    return copies / (time.perf_counter() - wall), 1000 * (time.process_time() - cores) / copies


def rows(name: str, plain: MedVLM, batch: int, batches: int) -> Iterator[str]:
    """A row a precision; ratios are medians over rounds of what torch and it needed in the same round."""
    models = [on_runtime(plain, precision) for precision in PRECISIONS]
    for model in models:
        spent(model, batch, 2)
    rounds = [[spent(model, batch, batches) for model in models] for _ in range(ROUNDS)]
    for place, precision in enumerate(PRECISIONS):
        speed, cost = (median(found[place][which] for found in rounds) for which in range(2))
        faster = median(found[place][0] / found[0][0] for found in rounds)
        cheaper = median(found[0][1] / found[place][1] for found in rounds)
        yield f"| {name}, batches of {batch} | {precision} | {speed:.1f} | {cost:.2f} | {faster:.2f} | {cheaper:.2f} |"


def main(batches: float) -> None:
    """Print the table; ``batches`` stretches or shortens every round."""
    tune_allocator()
    print("| encoder | precision | copies a second | core-ms a copy | ratio by the wall | ratio by the cores |")
    print("|---|---|---|---|---|---|", flush=True)
    for row in rows("`pocket-noisy`, 128 px", load_model("pocket-noisy", "cpu"), 32, round(16 * batches)):
        print(row, flush=True)
    for row in rows("ViT-B/32, random weights, 224 px", vit_b_32(), 8, round(4 * batches)):
        print(row, flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
