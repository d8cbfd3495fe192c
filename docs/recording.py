"""Writes the recordings of the page: a run for those who wait in the queue, a comparison for those who have made none.

Both are real runs on the first drawn example.

It knows nothing about the page. Run it as ``python docs/recording.py`` from the repository; the seed is given, so the
same versions write the same votes.
"""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from psmooth import views  # noqa: E402
from psmooth.certificate import Plan  # noqa: E402
from psmooth.interface.gallery import PHANTOMS  # noqa: E402
from psmooth.models import load_model  # noqa: E402
from psmooth.scans import crop_scan  # noqa: E402
from psmooth.smoothing import Progress, certify, compare  # noqa: E402
from psmooth.tasks import TASKS  # noqa: E402
from psmooth.views import compare as views_compare  # noqa: E402

FILE = ROOT / "assets" / "recording.json"
COMPARISON = ROOT / "assets" / "comparison.json"
MODEL, METHOD, NOISE_LEVEL, SEED = "pocket-noisy", "template", 0.25, 1
COMPARED_MODEL, COMPARED_DENOISER = "pocket", "learned"  # which have a bank for every method
STEPS = 20
COMPARED = ("groups", "furthest", "curve")  # of the view Compare: no certificate either
KEPT = ("state", "radius", "chart")  # of the stage: never a certificate, so there is nothing to take for a result


def record() -> dict[str, Any]:
    """The picture that was certified, and what the stage showed at about ``STEPS`` moments of the run."""
    example = PHANTOMS.items[0]
    model = load_model(MODEL, device="cpu")
    crop = crop_scan(example.open(), model.crop_rule)
    options: dict[str, Any] = {"task": TASKS[example.task], "noise_level": NOISE_LEVEL, "seed": SEED, "batch_size": 32}
    run = list(certify(model, crop, plan=Plan(max_votes=1_000), methods=(METHOD,), **options))
    steps = [_kept(step, crop.rule.size) for step in _spread(run)]
    picture = views.thumbnail(crop.pixels.transpose(1, 2, 0))
    return {"picture": picture, "sigma": NOISE_LEVEL, "steps": steps}


def _spread(run: list[Progress]) -> list[Progress]:
    """The first step, the last one, and others evenly between."""
    return [run[round(place * (len(run) - 1) / (STEPS - 1))] for place in range(STEPS)]


def _kept(step: Progress, crop_size: int) -> dict[str, Any]:
    stage = views.stage(step, METHOD, crop_size, ())
    return {name: stage[name] for name in KEPT}


def record_comparison() -> dict[str, Any]:
    """What Compare showed at the end, of every method."""
    example = PHANTOMS.items[0]
    model = load_model(COMPARED_MODEL, device="cpu")
    crop, task = crop_scan(example.open(), model.crop_rule), TASKS[example.task]
    options: dict[str, Any] = {"noise_level": NOISE_LEVEL, "denoiser": COMPARED_DENOISER, "seed": SEED}
    *_, end = compare(model, crop, task, plan=Plan(max_votes=1_000), **options)
    shown = views_compare.comparison(end)
    return {name: shown[name] for name in COMPARED}


def main() -> None:
    """The recordings, where the page looks for them."""
    for file, recorded in ((FILE, record()), (COMPARISON, record_comparison())):
        file.write_text(json.dumps(recorded, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
