"""Writes down what an attack on a scan found: one flat object, as the file of a scan and as the line of a folder.

It knows nothing about models, how anything was found, or how a record is read.

Such a record is one of an evaluation (`psmooth.smoothing.records`) with three fields more, so that what it says of the
certificate is held against its counts whenever it is read.
"""

import io
from pathlib import Path
from typing import Any

from PIL import Image

from psmooth.attack.attacking import AttackProgress, Effort
from psmooth.attack.grid import Change
from psmooth.attack.smoothed import JUDGE, SEARCH_JUDGE, Attempt
from psmooth.files import write_whole
from psmooth.models import RUNTIMES, TORCH
from psmooth.smoothing.records import no_folder


def change_facts(change: Change) -> dict[str, Any]:
    """How large a change is, on the crops of 8 bits."""
    return {
        "distance": change.distance,
        "largest_level": change.largest,
        "rms_levels": change.root_mean_square,
        "changed_share": change.changed,
        "crop": change.crop.sha256,
    }


def attempt_facts(attempt: Attempt) -> dict[str, Any]:
    """What was tried, and what the run that judged it says, with its votes and its seed."""
    judged = attempt.judged
    return {
        "way": attempt.way,
        "asked": attempt.radius,
        **change_facts(attempt.change),
        "outcome": attempt.outcome,
        "certified": judged.predicted,
        "judged_counts": dict(zip(judged.run.class_ids, judged.votes.counts, strict=True)),
        "judged_total": judged.votes.total,
        "judge_seed": judged.run.seed,
    }


def attack_facts(progress: AttackProgress) -> dict[str, Any]:
    """The three fields of an attack: on the plain model, inside the radius, and for the smallest change."""
    plain, inside, smallest = progress.plain, progress.inside, progress.smallest
    return {
        "plain": plain and plain.found and {**change_facts(plain.found), "named": plain.named},
        "inside": None if inside is None else [attempt_facts(one) for one in inside.attempts],
        "smallest": None if smallest is None else [attempt_facts(one) for one in smallest.attempts],
    }


def attack_record(progress: AttackProgress) -> dict[str, Any]:
    """What the file of one attacked scan holds: its certificate or abstention, what was found, and the way there."""
    points = [
        {
            "distance": point.change.distance,
            "crop": point.change.crop.sha256,
            "named": point.named,
            "probabilities": list(point.probabilities),
            "counts": list(point.counts),
            "votes": point.votes,
            "share": [point.share, point.low, point.high],
        }
        for point in progress.points
    ]
    certificate = progress.result and progress.result.to_dict()
    facts = {"schema": "psmooth/attack/1", "certificate": certificate, "clean": progress.answer}
    facts |= gradient_facts(progress.result.run.precision) if progress.result else {}
    return {**facts, "radius": progress.radius, **attack_facts(progress), "points": points}


def gradient_facts(precision: str) -> dict[str, str]:
    """Where what answers lets no gradient pass, the precision of those that were followed; nothing where it does."""
    return {"gradients": TORCH} if precision in RUNTIMES else {}


def effort_facts(effort: Effort) -> dict[str, Any]:
    """What of an effort, and of the judge, decides what a record says."""
    return {
        "plain_steps": effort.plain_steps,
        "inside": effort.inside,
        "steps": effort.steps,
        "draws": effort.draws,
        "halvings": effort.halvings,
        "smallest_steps": effort.smallest_steps,
        "judge_votes": JUDGE.max_votes,
        "search_judge_votes": SEARCH_JUDGE.max_votes,
        "judge_alpha": JUDGE.failure_probability,
    }


def save_crop(change: Change, path: Path) -> None:
    """Write an attacked crop as a PNG, whole or not at all."""
    data = io.BytesIO()
    Image.fromarray(change.crop.pixels.transpose(1, 2, 0)).save(data, "PNG")
    write_whole(path, data.getvalue(), no_folder)
