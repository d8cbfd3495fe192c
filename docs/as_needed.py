"""Runs that end as they are settled, on real scans: ``python docs/as_needed.py FOLDER`` adds to as_needed.jsonl.

It knows nothing about how a run decides that it is settled. FOLDER holds the data sets, each with ``test`` inside; of
seven tasks 200 scans are taken in turn, shuffled by the seed, as many of each class. Of every tenth scan, and of every
one whose run was settled without a certificate, all announced votes are cast as well, with the same seed: what such a
run would have certified is what was given up. What is there already is kept, and a run that was cut short goes on.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from statistics import mean, median
from typing import Any

from psmooth.certificate import Certificate, Plan
from psmooth.models import MedVLM, load_model
from psmooth.runtime import tune_allocator
from psmooth.scans import Crop
from psmooth.smoothing import certify
from psmooth.smoothing.labelled import labelled_files, named_crop
from psmooth.tasks import TASKS

HERE = Path(__file__).resolve().parent
RECORDS = HERE / "as_needed.jsonl"
SCANS, SEED, NOISE_LEVEL, ANNOUNCED, TOLERANCE, EVERY = 200, 0, 0.25, 10_000, 0.2, 10


def files_in_turn(folder: Path, task_ids: Sequence[str]) -> list[tuple[str, Path]]:
    """(task, file): the first scan of every task, then the second of every one."""
    found = [
        [(task, file) for file, _ in labelled_files(folder / task / "test", TASKS[task], SCANS, SEED)]
        for task in task_ids
    ]
    return [one for turn in zip_longest(*found) for one in turn if one is not None][:SCANS]


def run(model: MedVLM, crop: Crop, task: str, tolerance: float | None) -> dict[str, Any]:
    """What came of a run: votes, how it ended, the class and the radius, 0 where it abstained."""
    plan = Plan(max_votes=ANNOUNCED, tolerance=tolerance)
    *_, last = certify(
        model, crop, task=task, noise_level=NOISE_LEVEL, denoiser="learned", plan=plan, seed=SEED
    )  # fmt: skip
    result = last.results["template"]
    radius = result.radius if isinstance(result, Certificate) else 0.0
    return {"votes": result.votes.total, "ended": result.votes.ended, "leader": result.leader, "radius": radius}


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """A line a scan that is not yet there."""
    model = load_model("pocket")
    kept = {json.loads(line)["scan"] for line in RECORDS.read_text("utf-8").splitlines()} if RECORDS.exists() else set()
    for place, (task, file) in enumerate(files_in_turn(folder, model.spec.task_ids)):
        crop = named_crop(model, file)
        if crop.sha256 in kept:
            continue
        needed = run(model, crop, task, TOLERANCE)
        lost = needed["radius"] == 0 and needed["votes"] < ANNOUNCED
        whole = run(model, crop, task, None) if lost or place % EVERY == 0 else None
        yield {"task": task, "scan": crop.sha256, "as_needed": needed, "whole": whole}


def summary() -> str:
    """The sentences of speed.md, from the records."""
    found = [json.loads(line) for line in RECORDS.read_text("utf-8").splitlines()]
    votes = [one["as_needed"]["votes"] for one in found]
    early = [one for one in found if one["as_needed"]["votes"] < ANNOUNCED]
    certified = [one for one in found if one["as_needed"]["radius"]]
    lost = [one for one in early if not one["as_needed"]["radius"] and one["whole"]["radius"]]
    both = [one for one in found if one["whole"] and one["as_needed"]["radius"]]
    ratios = [one["as_needed"]["radius"] / one["whole"]["radius"] for one in both]
    return (
        f"{len(found)} scans, {len(certified)} certified; {median(votes):,.0f} votes (median), {mean(votes):,.0f} "
        f"(mean); {len(early)} ended early, {len(lost)} of which had been certified by all {ANNOUNCED:,}. Of "
        f"{len(both)} scans whose {ANNOUNCED:,} were cast too, the radius was {median(ratios):.3f} of the whole run's "
        f"(median; {min(ratios):.3f} to {max(ratios):.3f})."
    )


def main() -> None:
    """Add what is missing, and print the summary."""
    tune_allocator()
    with RECORDS.open("a", encoding="utf-8") as lines:
        for record in records(Path(sys.argv[1])):
            lines.write(json.dumps(record) + "\n")
            lines.flush()
    print(summary())


if __name__ == "__main__":
    main()
