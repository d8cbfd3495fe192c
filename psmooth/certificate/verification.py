"""Recomputes a certificate file from its counts, and says what no longer follows from them.

It knows nothing about models, scans and noise.

It sees every number that no longer follows from the others; it cannot see a
record whose counts were invented consistently, nor one in which a fact that enters no formula (a seed, a device, the
name of a model, the noise level of an abstention) was replaced by another well-formed one. Drawing the votes again,
from the recorded seed and with the scan at hand (`psmooth.replay`, ``psmooth verify --scan``), ties everything to the
run that decides a vote or follows from the votes. What even that does not show is `NOT_SHOWN`.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from psmooth.certificate.conclusion import conclude, improves, is_settled, states_of
from psmooth.certificate.file import Source, format_problems, read_record, told_apart
from psmooth.certificate.record import Abstention, Certificate, class_list_problems, run_and_votes
from psmooth.errors import CertificateError
from psmooth.schemas import Problem, in_words

TOLERANCE = 1e-9  # between a stored radius or bound and the recomputed one


@dataclass(frozen=True)
class Verification:
    """What `verify` found; ``certificate`` is None unless all is well."""

    ok: bool
    problems: tuple[Problem, ...] = ()
    certificate: Certificate | Abstention | None = None


def read_certificate(source: Source) -> Certificate | Abstention:
    """The record in a certificate file, given as a path, JSON text, bytes or a dictionary.

    Raises CertificateError naming the first field that `verify` finds wrong.
    """
    verification = verify(source)
    if verification.certificate is None:
        raise CertificateError("The certificate is refused. {problem}", problem=verification.problems[0][1])
    return verification.certificate


def verify(source: Source) -> Verification:
    """Checks a certificate file against its schema and recomputes every bound and the radius from the counts.

    Every problem is a field of the file and a sentence; a file that cannot be read at all is reported under the field
    ``file``. What arithmetic cannot see is told at the top of this module.
    """
    try:
        record = read_record(source)
        problems = tuple(format_problems(record)) or tuple(_class_problems(record))
    except CertificateError as error:
        return Verification(False, (("file", str(error)),))
    if problems:
        return Verification(False, problems)
    result = conclude(*run_and_votes(record))
    problems = tuple(_arithmetic_problems(record, result))
    return Verification(not problems, problems, None if problems else result)


def _class_problems(record: Mapping[str, Any]) -> Iterator[Problem]:
    """Where lists and tables do not have one entry for every class, or a state has more votes than were cast."""
    yield from class_list_problems(record)
    for name in ("counts", "best", "selection"):
        if set(record[name]) != set(record["class_ids"]):
            yield name, f"{name} must have one entry for every one of class_ids, and no other."
    if any(state["votes"] > state["total"] for state in record["best"].values()):
        yield "best", "best has an entry with more votes than its total; the total counts all votes cast until then."


def _arithmetic_problems(record: Mapping[str, Any], result: Certificate | Abstention) -> Iterator[Problem]:
    """Where the record does not follow from its own counts, or its counts could not have come about."""
    yield from _recomputed_problems(record, result)
    yield from _selection_problems(result)
    yield from _ending_problems(result)
    yield from _best_problems(result)


def _recomputed_problems(record: Mapping[str, Any], result: Certificate | Abstention) -> Iterator[Problem]:
    right = result.to_dict()
    for name in ("verdict", "leader", "predicted", "total", "bound", "reason", "caveats"):
        if record[name] != right[name]:
            yield name, f"{name} is {in_words(record[name])}, but the rest of the file gives {in_words(right[name])}."
    for name in ("radius", "lower_bound", "rival_upper_bound"):
        if not _agree(record[name], right[name], absolute=TOLERANCE):
            stated, found = told_apart(record[name], right[name])
            yield name, f"{name} is {stated}, but the votes give {found}."
    for name in ("anytime_failure_probability", "final_failure_probability"):
        if not _agree(record[name], right[name], absolute=0.0):
            stated, found = told_apart(record[name], right[name])
            yield name, f"{name} is {stated}, but the plan splits off {found}."


def _selection_problems(result: Certificate | Abstention) -> Iterator[Problem]:
    cast, planned = result.votes.selected, result.run.plan.selection_votes or 0
    if cast > planned or (result.votes.total and cast < planned):
        yield "selection", f"selection has {cast:,} votes in all, but selection_votes announces {planned:,}."


def _ending_problems(result: Certificate | Abstention) -> Iterator[Problem]:
    plan, votes = result.run.plan, result.votes
    if votes.ended == "complete" and votes.total < plan.max_votes:
        yield "ended", f"ended is complete, but total is {votes.total:,} of max_votes {plan.max_votes:,}."
    if plan.name == "paper" and votes.total > plan.max_votes:
        yield "total", f"total is {votes.total:,}, but the paper's plan stops at max_votes {plan.max_votes:,}."
    if votes.ended == "target_radius" and not _target_reached(result):
        yield "ended", "ended is target_radius, but the votes do not reach the target_radius of the file."
    if votes.ended == "settled" and not is_settled(result.run, votes):
        yield "ended", "ended is settled, but the votes settle nothing within the tolerance of the file."


def _target_reached(result: Certificate | Abstention) -> bool:
    target = result.run.plan.target_radius
    return target is not None and isinstance(result, Certificate) and result.radius >= target - TOLERANCE


def _best_problems(result: Certificate | Abstention) -> Iterator[Problem]:
    """The best moments must lie on a way to the final counts, and be no worse than the final one."""
    run, votes, now = result.run, result.votes, states_of(result.votes)
    for name, (count, total), (final, cast) in zip(run.class_ids, votes.best, now, strict=True):
        if count > final or total - count > cast - final:
            way = f"{count:,} of {total:,} votes for {name}, which cannot lead to {final:,} of {cast:,}"
            yield "best", f"best has {way}."
    if run.plan.name == "paper":
        once = now if votes.total == run.plan.max_votes else ((0, 0),) * len(now)
        if votes.best != once:
            yield "best", "best is not the one look that the paper's plan takes at its end."
    elif any(improves(run, votes, TOLERANCE)):
        yield "best", "best is not where the bounds were best: the final counts give better ones."


def _agree(stored: float | None, right: float | None, absolute: float) -> bool:
    if stored is None or right is None:
        return stored is right
    return math.isclose(stored, right, rel_tol=1e-12, abs_tol=absolute)
