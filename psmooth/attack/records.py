"""Writes down what an attack on a scan found: one flat object, as the file of a scan and as the line of a folder.

It knows nothing about models or how anything was found.

Such a record is one of an evaluation (`psmooth.smoothing.records`) with three fields more, so that what it says of the
certificate is held against its counts whenever it is read.
"""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from psmooth.attack.attacking import THOROUGH, AttackProgress, Effort
from psmooth.attack.grid import Change
from psmooth.attack.smoothed import JUDGE, SEARCH_JUDGE, Attempt, outcome_of
from psmooth.certificate import Plan, Votes
from psmooth.errors import CertificateError
from psmooth.files import write_whole
from psmooth.schemas import schema_problems
from psmooth.smoothing.records import disagrees, no_folder, radius_at_end, read_runs, whole_records

SCHEMA = "attack"  # assets/attack.schema.json

JUDGES: Mapping[str, Plan] = {"inside": JUDGE, "smallest": SEARCH_JUDGE}
_JUDGE_VOTES = {"inside": "judge_votes", "smallest": "search_judge_votes"}  # their names in the facts of a run


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
    return {**facts, "radius": progress.radius, **attack_facts(progress), "points": points}


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


def whole_attacks(path: Path) -> list[dict[str, Any]]:
    """The records of a folder's file; raises CertificateError for a line that is none, or is no attack's."""
    found, runs = whole_records(path), read_runs(path.parent)
    for number, record in enumerate(found, 1):
        facts, place = runs[record["run"]], f"{path.name}:{number}"
        check_attack(record, record, facts["crop"].get("size"), place, _judges(facts, place))
    return found


def _judges(facts: Mapping[str, Any], place: str) -> Mapping[str, Plan]:
    """Those of a run, by search, from what stands beside its records."""
    told: Any = facts.get("attack")
    try:
        alpha = told["judge_alpha"]
        return {search: Plan(told[name], alpha) for search, name in _JUDGE_VOTES.items()}
    except (KeyError, TypeError, ValueError):  # a PlanError is a ValueError
        raise disagrees(place, "attack", told, effort_facts(THOROUGH)) from None


def check_attack(
    record: Mapping[str, Any],
    certificate: Mapping[str, Any],
    size: object,
    place: str,
    judges: Mapping[str, Plan] = JUDGES,
) -> None:
    """Raises CertificateError where a record departs from the schema or contradicts itself.

    ``certificate`` has the class that was certified and its counts; ``size`` is that of the crop, in pixels; ``judges``
    are the plans of those that judged, by search.
    """
    for _, problem in schema_problems(SCHEMA, dict(record)):
        raise CertificateError("{file}: {reason}", file=place, reason=problem)
    for name, told, right in _implied(record, certificate, size if type(size) is int else 0, judges):
        if told != right:
            raise disagrees(place, name, told, right)


def _implied(
    record: Mapping[str, Any], certificate: Mapping[str, Any], size: int, judges: Mapping[str, Plan]
) -> Iterator[tuple[str, object, object]]:
    """Names, what a record says, and what the rest of it makes of that."""
    if (plain := record["plain"]) is not None:
        yield "plain.distance", plain["distance"], _distance(plain, size)
        others = [name for name in certificate["counts"] if name != record["clean"]]
        yield "plain.named", plain["named"], _one_of(plain["named"], others)
    for search in ("inside", "smallest"):
        attempts = record[search] or ()
        if certificate["predicted"] is None:
            yield search, len(attempts), 0  # without a radius neither is begun
        for place, attempt in enumerate(attempts):
            for name, told, right in _implied_of(attempt, certificate, size, judges[search]):
                yield f"{search}.{place}.{name}", told, right


def _implied_of(
    attempt: Mapping[str, Any], certificate: Mapping[str, Any], size: int, judge: Plan
) -> Iterator[tuple[str, object, object]]:
    classes, certified = list(certificate["counts"]), attempt["certified"]
    counts, total = attempt["judged_counts"], attempt["judged_total"]
    yield "distance", attempt["distance"], _distance(attempt, size)
    yield "certified", certified, _one_of(certified, [None, *classes])
    yield "outcome", attempt["outcome"], outcome_of(certificate["predicted"], certified)
    yield "judged_counts", sorted(counts), sorted(classes)
    yield "judged_total", total, min(max(total, sum(counts.values()), 1), judge.max_votes)
    if certified is None:
        yield "judged_total", total, judge.max_votes  # whoever certifies nothing has cast all votes
    else:
        yield "certified", certified, certified if _certifies(counts, total, certified, judge) else None


def _certifies(counts: Mapping[str, int], total: int, certified: str, judge: Plan) -> bool:
    """Whether these votes entitle a judge to name this class: it has the most, and a bound clears its rivals'.

    Where a judge ended is known, where its anytime bounds were best before is not; so its last counts are read through
    the narrower bounds of its announced end. None of them is given up: those of the last look lie within them.
    """
    chose = tuple(int(name == certified) for name in counts)
    votes = Votes(chose, tuple(counts.values()), total - sum(counts.values()))
    most = counts[certified] == max(counts.values())
    return most and radius_at_end(replace(judge, max_votes=total, target_radius=None), 1.0, votes) > 0


def _distance(change: Mapping[str, Any], size: int) -> float:
    """The distance, if it is that of its root mean square over all values of a crop; else the one that would be."""
    right = change["rms_levels"] * math.sqrt(3) * size / 255
    return change["distance"] if math.isclose(change["distance"], right, rel_tol=1e-9) else right


def _one_of(told: object, known: Sequence[object]) -> object:
    return told if told in known else " / ".join(map(str, known))


def save_crop(change: Change, path: Path) -> None:
    """Write an attacked crop as a PNG, whole or not at all."""
    data = io.BytesIO()
    Image.fromarray(change.crop.pixels.transpose(1, 2, 0)).save(data, "PNG")
    write_whole(path, data.getvalue(), no_folder)
