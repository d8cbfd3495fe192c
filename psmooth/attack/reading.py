"""Reads records of attacks, and refuses those that contradict themselves or what their run announced.

It knows nothing about models, or how a record is made. That an attempt was made at all, and found nothing, is not shown
by a record; what it says is held against the rest of what it says.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from psmooth.attack.attacking import THOROUGH
from psmooth.attack.records import effort_facts
from psmooth.attack.smoothed import JUDGE, SEARCH_JUDGE, outcome_of
from psmooth.certificate import Plan, Votes
from psmooth.errors import CertificateError
from psmooth.methods import METHODS
from psmooth.schemas import schema_problems
from psmooth.smoothing.records import disagrees, radius_at_end, read_runs, whole_records

SCHEMA = "attack"  # assets/attack.schema.json

JUDGES: Mapping[str, Plan] = {"inside": JUDGE, "smallest": SEARCH_JUDGE}
_JUDGE_VOTES = {"inside": "judge_votes", "smallest": "search_judge_votes"}  # their names in the facts of a run
_NEARLY = 1e-9  # of a number that was computed in floating point

Implied = Iterator[tuple[str, object, object]]  # names, what a record says, and what the rest of it makes of that


def whole_attacks(path: Path) -> list[dict[str, Any]]:
    """The records of a folder's file; raises CertificateError for a line that is none, or is no attack's."""
    found, runs = whole_records(path), read_runs(path.parent)
    for number, record in enumerate(found, 1):
        facts, place = runs[record["run"]], f"{path.name}:{number}"
        check_attack(record, record, facts["crop"].get("size"), place, _judges(facts, place))
        _refuse(_announced(record, facts["attack"]), place)
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
    _refuse(_implied(record, certificate, size if type(size) is int else 0, judges), place)


def _refuse(implied: Implied, place: str) -> None:
    for name, told, right in implied:
        if told != right:
            raise disagrees(place, name, told, right)


def _announced(record: Mapping[str, Any], effort: Mapping[str, Any]) -> Implied:
    """What the run's effort makes of a record: which searches were made, how often, and how far those inside went."""
    certified, share, halvings = record["predicted"] is not None, effort.get("inside"), effort.get("halvings")
    inside, smallest = record["inside"], record["smallest"]
    yield "inside", inside is not None, certified and share is not None
    yield "smallest", smallest is not None, certified and halvings is not None
    for place, attempt in enumerate(inside or ()):
        asked = (share or 0.0) * record["radius"]
        yield f"inside.{place}.asked", attempt["asked"], _nearly(attempt["asked"], asked)
    for way in () if inside is None else _ways("inside", record):
        tries = sum(one["way"] == way for one in inside or ())
        yield f"inside.{way}", tries, min(max(tries, 1), 2)  # the last crop, and the one of the smallest mean
    if smallest is not None:
        yield "smallest", len(smallest), min(max(len(smallest), 1), (halvings or 0) + 1)


def _ways(search: str, certificate: Mapping[str, Any]) -> tuple[str, ...]:
    """How a search looks, given the method of the certificate."""
    tunes = METHODS[certificate["method"]].tunes
    return ("transfer", "through_tuning") if tunes and search == "inside" else ("smoothadv",)


def _implied(
    record: Mapping[str, Any], certificate: Mapping[str, Any], size: int, judges: Mapping[str, Plan]
) -> Implied:
    """What the rest of a record makes of each of its parts."""
    if (plain := record["plain"]) is not None:
        tunes = METHODS[certificate["method"]].tunes  # ``clean`` is then of the tuned prompt, the attack on its start
        others = [name for name in certificate["counts"] if tunes or name != record["clean"]]
        yield "plain.named", plain["named"], _one_of(plain["named"], others)
        yield "plain.largest_level", plain["largest_level"], max(plain["largest_level"], 1)
        yield from _within("plain", _implied_of_change(plain, size))
    for search in ("inside", "smallest"):
        attempts = record[search] or ()
        if certificate["predicted"] is None:
            yield search, len(attempts), 0  # without a radius neither is begun
        for place, attempt in enumerate(attempts):
            name, asked = f"{search}.{place}", attempt["asked"]
            yield f"{name}.way", attempt["way"], _one_of(attempt["way"], _ways(search, certificate))
            if search == "inside":
                yield f"{name}.asked", asked, min(asked, math.nextafter(record["radius"], 0))
            yield from _within(name, _implied_of_change(attempt, size))
            yield from _within(name, _implied_of_attempt(attempt, certificate, judges[search]))


def _within(place: str, implied: Implied) -> Implied:
    return ((f"{place}.{name}", told, right) for name, told, right in implied)


def _implied_of_change(change: Mapping[str, Any], size: int) -> Implied:
    """Distance, largest change and share of values that changed, all by whole grey levels."""
    root, largest, share = change["rms_levels"], change["largest_level"], change["changed_share"]
    yield "distance", change["distance"], _nearly(change["distance"], root * math.sqrt(3) * size / 255)
    yield "largest_level", largest, max(largest, math.ceil(root * (1 - _NEARLY)))
    yield "changed_share", share, _nearly(share, min(max(share, (root / max(largest, 1)) ** 2), root**2))


def _implied_of_attempt(attempt: Mapping[str, Any], certificate: Mapping[str, Any], judge: Plan) -> Implied:
    """What was judged lies within the norm that was allowed, and its votes bear out what it was judged as."""
    classes, certified = list(certificate["counts"]), attempt["certified"]
    counts, total = attempt["judged_counts"], attempt["judged_total"]
    yield "asked", attempt["asked"], max(attempt["asked"], attempt["distance"] * (1 - _NEARLY))
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


def _nearly(told: float, right: float) -> float:
    """What is told, if it is right but for the last digits."""
    return told if math.isclose(told, right, rel_tol=_NEARLY) else right


def _one_of(told: object, known: Sequence[object]) -> object:
    return told if told in known else " / ".join(map(str, known))
