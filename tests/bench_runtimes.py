"""Measures encoder and denoiser on each runtime: ``python -m tests.bench_runtimes`` prints the tables of docs/speed.md.

It knows nothing about votes. Batches are encoded side by side, as a run does it, and the precisions take turns in one
process. Beside the wall clock stands the time of the cores, which other programs on the machine hardly change.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from statistics import median

import torch
from torch import Tensor

from psmooth.models import FAST, ON_OPENVINO, TORCH, MedVLM, denoiser_of, load_model, on_runtime
from psmooth.models.runtimes import denoiser_on
from psmooth.runtime import tune_allocator
from psmooth.sampling import side_by_side
from tests.bench import vit_b_32

ROUNDS = 7
LEVEL = 0.25
Spent = tuple[float, float]  # copies a second; core-milliseconds a copy
Look = Callable[[Tensor], Tensor]


def spent(look: Look, copies: Tensor, batches: int) -> Spent:
    """The wall's and the cores' time for so many batches of copies."""
    wall, cores = time.perf_counter(), time.process_time()
    for _ in side_by_side(lambda _: look(copies), range(batches)):
        pass
    count = len(copies) * batches
    return count / (time.perf_counter() - wall), 1000 * (time.process_time() - cores) / count


def rows(name: str, looks: Mapping[str, Look], copies: Tensor, batches: int) -> Iterator[str]:
    """A row for each way to look; ratios are medians over rounds of what the first and it needed in the same round."""
    for look in looks.values():
        spent(look, copies, 2)
    rounds = [[spent(look, copies, batches) for look in looks.values()] for _ in range(ROUNDS)]
    for place, way in enumerate(looks):
        speed, cost = (median(found[place][which] for found in rounds) for which in range(2))
        faster = median(found[place][0] / found[0][0] for found in rounds)
        cheaper = median(found[0][1] / found[place][1] for found in rounds)
        yield f"| {name}, batches of {len(copies)} | {way} | {speed:.1f} | {cost:.2f} | {faster:.2f} | {cheaper:.2f} |"


def encoders(plain: MedVLM) -> dict[str, Look]:
    """A model in each precision."""
    return {precision: on_runtime(plain, precision).embed_images for precision in (TORCH, *ON_OPENVINO)}


def denoisers(plain: MedVLM) -> dict[str, Look]:
    """A model in bfloat16 behind its learned denoiser: on torch, and on OpenVINO in each format."""
    fast, found = on_runtime(plain, FAST), denoiser_of(plain, "learned")
    assert found.network is not None
    ways = {"float32": found}
    for precision in ON_OPENVINO:
        ways[precision] = replace(found, runs=denoiser_on(precision, found.network, plain.input_size))
    return {way: lambda copies, one=one: fast.embed_images(one(copies, LEVEL)) for way, one in ways.items()}


def main(batches: float) -> None:
    """Print the tables; ``batches`` stretches or shortens every round."""
    tune_allocator()
    pocket, vit = load_model("pocket-noisy", "cpu"), vit_b_32()
    small, large = torch.rand(32, 3, 128, 128), torch.rand(8, 3, 224, 224)
    print("| encoder | precision | copies a second | core-ms a copy | ratio by the wall | ratio by the cores |")
    print("|---|---|---|---|---|---|", flush=True)
    for row in rows("`pocket-noisy`, 128 px", encoders(pocket), small, round(16 * batches)):
        print(row, flush=True)
    for row in rows("ViT-B/32, random weights, 224 px", encoders(vit), large, round(4 * batches)):
        print(row, flush=True)
    behind = denoisers(load_model("pocket", "cpu"))
    for row in rows(f"`pocket` in {FAST} behind its learned denoiser", behind, small, round(16 * batches)):
        print(row, flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
