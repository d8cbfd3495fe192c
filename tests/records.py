"""Makes runs, results and steps of runs without a model: what the tests of certificates, views and commands look at.

It knows nothing about models, pages or files; every fact of a run can be given.
"""

from dataclasses import replace
from typing import Any

from psmooth.certificate import Abstention, Certificate, Plan, Run, Votes, advance, conclude
from psmooth.smoothing import Progress


def a_run(names: tuple[str, ...] = ("monocyte", "lymphocyte", "platelet"), **changes: Any) -> Run:
    facts: dict[str, Any] = {
        "method": "template", "guarantee": "unconditional", "denoiser": "none",
        "denoiser_sha256": None, "noise_level": 0.25, "plan": Plan(),
        "task": "own", "class_ids": tuple(f"class_{i}" for i in range(len(names))), "class_names": names,
        "templates": ("an image of {}.",), "seed": "0" * 32, "seed_origin": "fresh", "crop_sha256": "0" * 64,
        "preprocessing": {"size": 128, "fit": "crop", "interpolation": "bicubic", "box": [0, 0, 9, 9], "window": None},
        "batch_size": 32, "model": {"id": "m", "weights": "local-dir:/m", "revision": "0" * 64, "licence": "x"},
        "bank": None, "device": "cpu", "precision": "float32", "versions": {"psmooth": "0"},
        "time": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    return Run(**(facts | changes))


def a_result(
    counts: tuple[int, ...], ended: Any = "running", run: Run | None = None, selection: tuple[int, ...] | None = None
) -> Certificate | Abstention:
    run = run or a_run()
    chose = selection or (60, 3, 1, *[0] * (len(counts) - 3))[: len(counts)]
    votes = advance(Votes(chose, (0,) * len(counts)), counts, 0, run)
    return conclude(run, replace(votes, ended=ended))


def a_progress(result: Certificate | Abstention, phase: Any = "estimation", **changes: Any) -> Progress:
    facts: dict[str, Any] = {
        "votes": result.votes.total, "planned": 1_000, "seconds": 1.77, "votes_per_second": 362.4, "seconds_left": 0.9,
        "results": {"template": result}, "clean": {"template": result.run.class_ids[1]}, "restarted": None,
        "lost": frozenset(),
    }  # fmt: skip
    return Progress(phase, **(facts | changes))
