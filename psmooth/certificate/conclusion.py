"""Turns the votes of a run into a certificate or an abstention.

It knows nothing about files, models, scans and noise: everything it says is arithmetic on recorded counts.

Formulas: Cohen, Rosenfeld & Kolter 2019 (arXiv 1902.02918), Theorem 1 and Algorithm 1; `psmooth.bounds`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import index

import numpy as np

from psmooth.bounds import anytime_lower, anytime_reaches, anytime_upper, certified_radius, clopper_pearson_lower
from psmooth.certificate.plan import MOST_VOTES, Plan
from psmooth.certificate.record import Abstention, Bound, Certificate, Reason, Run, State, Votes
from psmooth.errors import PlanError

_STEP = 1e-12  # a better bound is better by this: more than bisection leaves open, so that a bound never falls


@dataclass(frozen=True)
class Reading:
    """The votes read through one pair of bounds; a radius of 0 certifies nothing."""

    radius: float
    lower: float
    upper: float
    bound: Bound


def conclude(run: Run, votes: Votes) -> Certificate | Abstention:
    """What the run is entitled to say if it ends with these votes; certified if and only if the radius is above 0.

    The live plan reads the anytime bounds where each was best, and at exactly ``max_votes`` the Clopper-Pearson
    bounds too, of which the larger radius is kept; a run that ended at its target radius or settled, or was extended
    past ``max_votes``, has the anytime bounds alone. The paper's plan is read at exactly ``max_votes``, nowhere else.
    """
    _check_classes(run, len(votes.counts))
    best = best_reading(run.plan, run.noise_level, votes)
    if best.radius > 0:
        return Certificate(run, votes, best.radius, best.lower, best.upper, best.bound)
    return Abstention(run, votes, best.lower, best.upper, _reason(run.plan, votes))


def best_reading(plan: Plan, noise_level: float, votes: Votes) -> Reading:
    """The reading that `conclude` keeps of these votes."""
    unread = Reading(0.0, 0.0, 1.0, "clopper_pearson")
    found = _readings(plan, noise_level, votes)
    return max(found, key=lambda reading: (reading.radius, reading.lower), default=unread)


def advance(votes: Votes, counts: Sequence[int], invalid: int, run: Run) -> Votes:
    """The votes after ``counts`` (by class) and ``invalid`` more were cast, with the best moments brought up to date.

    The run counts as running again; whoever ends it says so with ``replace(votes, ended=...)``. Raises PlanError for
    negative numbers, for more than the paper's plan announced and for more votes than the bounds are checked for.
    """
    _check_classes(run, len(votes.counts))
    _check_classes(run, len(counts))
    if min(*counts, invalid) < 0:
        raise PlanError("A number of new votes is negative; counts only grow.")
    sums = tuple(before + index(new) for before, new in zip(votes.counts, counts, strict=True))
    after = replace(votes, counts=sums, invalid=votes.invalid + index(invalid), ended="running")
    most = run.plan.max_votes if run.plan.name == "paper" else MOST_VOTES
    if after.total > most:
        raise PlanError(
            "total would be {total:,}; this run may have at most {most:,} votes.", total=after.total, most=most
        )
    return replace(after, best=_best_states(run, after))


def is_settled(run: Run, votes: Votes) -> bool:
    """Whether a run with a ``tolerance`` has come as far as it needs to, by these votes alone.

    It has if it certifies a radius within that share of what all announced votes would certify if they went on to fall
    as these did; or if a rival is ahead beyond doubt (its anytime lower bound above the leader's upper one), where no
    further vote can be expected to certify the leader. The anytime bounds hold wherever a run ends, so the rule costs
    no failure probability.
    """
    tolerance = run.plan.tolerance
    if tolerance is None or not 0 < votes.total < run.plan.max_votes:
        return False
    radius = best_reading(run.plan, run.noise_level, votes).radius
    return radius >= (1 - tolerance) * _prospect(run, votes) if radius > 0 else _is_overtaken(run, votes)


def _prospect(run: Run, votes: Votes) -> float:
    """The radius at the announced end, if all votes up to it fell as those so far."""
    most, cast = run.plan.max_votes, votes.total
    states = tuple(
        (-(-count * most // cast) if place == votes.leader else count * most // cast, most)  # rounded for the leader
        for place, (count, _) in enumerate(states_of(votes))
    )
    return _read(run.plan, run.noise_level, votes, states, "clopper_pearson").radius


def _is_overtaken(run: Run, votes: Votes) -> bool:
    """Whether some rival has a larger share than the leader, as far as the anytime bounds tell."""
    share = _share(run.plan, votes, run.plan.anytime_failure_probability)
    states = states_of(votes)
    leader = votes.counts[votes.leader]
    rival = max(count for place, (count, _) in enumerate(states) if place != votes.leader)
    return bool(anytime_lower(rival, votes.total, share) > anytime_upper(leader, votes.total, share))


def _readings(plan: Plan, noise_level: float, votes: Votes) -> Iterator[Reading]:
    if plan.name == "live":
        yield _read(plan, noise_level, votes, votes.best, "anytime")
    if votes.total == plan.max_votes and votes.ended not in ("target_radius", "settled"):
        yield _read(plan, noise_level, votes, states_of(votes), "clopper_pearson")


def _read(plan: Plan, noise_level: float, votes: Votes, states: tuple[State, ...], bound: Bound) -> Reading:
    """Both bounds and the radius. No union over the rivals: the true runner-up is one fixed class."""
    spent = plan.anytime_failure_probability if bound == "anytime" else plan.final_failure_probability
    lowers = _lower_bounds(states, votes.leader, _share(plan, votes, spent), bound)
    lower = lowers[votes.leader]
    if _one_sided(plan, votes):
        return Reading(float(certified_radius(lower, noise_level)), lower, 1 - lower, bound)
    rivals = max(1 - other for place, other in enumerate(lowers) if place != votes.leader)
    upper = min(rivals, 1 - lower)
    return Reading(float(certified_radius(lower, noise_level, upper)), lower, upper, bound)


@lru_cache(maxsize=256)  # the best moments are asked for again with every new batch of votes
def _lower_bounds(
    states: tuple[State, ...], leader: int, failure_probability: float, bound: Bound
) -> tuple[float, ...]:
    """By class: the lower bound on the share of the leader's votes, and of all votes that are not the rival's."""
    function = anytime_lower if bound == "anytime" else clopper_pearson_lower
    return tuple(function(*_favourable(states, leader), failure_probability).tolist())


def _favourable(states: Sequence[State], leader: int) -> tuple[list[int], list[int]]:
    """By class, the votes that speak for a certificate (the leader's, or all but the rival's) and all votes cast."""
    totals = [total for _, total in states]
    return [votes if place == leader else total - votes for place, (votes, total) in enumerate(states)], totals


def _best_states(run: Run, votes: Votes) -> tuple[State, ...]:
    """By class, the moment at which the bound was best: the one recorded so far, or now."""
    now = states_of(votes)
    if run.plan.name == "paper":
        return now if votes.total == run.plan.max_votes else votes.best
    better = improves(run, votes, _STEP)
    return tuple(new if gains else old for old, new, gains in zip(votes.best, now, better, strict=True))


def improves(run: Run, votes: Votes, margin: float) -> list[bool]:
    """By class, whether the anytime bound now is better than where it was best so far, by more than ``margin``."""
    share = _share(run.plan, votes, run.plan.anytime_failure_probability)
    held = np.asarray(_lower_bounds(votes.best, votes.leader, share, "anytime"))
    favourable, totals = _favourable(states_of(votes), votes.leader)
    return anytime_reaches(np.minimum(held + margin, 1.0), favourable, totals, share).tolist()


def states_of(votes: Votes) -> tuple[State, ...]:
    """By class, (votes, total) now; an invalid vote counts for every rival and not for the leader."""
    return tuple(
        (count + (0 if place == votes.leader else votes.invalid), votes.total)
        for place, count in enumerate(votes.counts)
    )


def _one_sided(plan: Plan, votes: Votes) -> bool:
    """Two classes leave one rival, which has all other votes; the paper's plan never bounds the rivals."""
    return len(votes.counts) == 2 or plan.name == "paper"


def _share(plan: Plan, votes: Votes, failure_probability: float) -> float:
    """Half for the leader's bound and half for the rivals', where both are read."""
    return failure_probability if _one_sided(plan, votes) else failure_probability / 2


def _reason(plan: Plan, votes: Votes) -> Reason:
    if votes.total >= plan.max_votes or votes.ended == "settled":
        return "no_clear_winner"
    return "paper_plan_unfinished" if plan.name == "paper" else "too_few_votes"


def _check_classes(run: Run, counted: int) -> None:
    if counted != len(run.class_ids):
        raise PlanError(
            "There are {counts} counts for {classes} classes; give one count for every class.",
            counts=counted,
            classes=len(run.class_ids),
        )
