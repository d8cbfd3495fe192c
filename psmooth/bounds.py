"""Turns counted votes into bounds on a class's share of all votes, and bounds into a certified radius.

It knows nothing about scans, models, prompts or plans: numbers go in, float64 numbers come out.

All functions broadcast like NumPy's own. Sources: Clopper & Pearson 1934; Cohen, Rosenfeld & Kolter 2019
(arXiv 1902.02918); for the anytime bounds Ville's inequality with a beta mixture (Robbins 1970; Howard, Ramdas,
McAuliffe & Sekhon 2021) that is truncated to one side.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincc, betaincinv, betaln, ndtri, xlog1py, xlogy

from psmooth.errors import PlanError

FloatArray = NDArray[np.float64]

_PRIOR = 0.5  # Jeffreys' prior, the arcsine law: both parameters of the beta mixture
_SLACK = 1e-8  # asked of ln M on top: more than its rounding error up to a million votes
_HALVINGS = 44  # of (0, votes / total): the bound is found to 6e-14


def clopper_pearson_lower(votes: ArrayLike, total: ArrayLike, failure_probability: ArrayLike) -> FloatArray:
    """The share of votes that is too high with probability at most ``failure_probability``; 0 for no votes.

    One-sided, exact, and valid only for a total fixed before the first vote: read again while votes come in, it fails
    far more often. Raises PlanError for counts or probabilities out of range.
    """
    votes, total, alpha = _counts_and_alpha(votes, total, failure_probability)
    none = votes == 0
    lower = betaincinv(np.where(none, 1, votes), total - votes + 1, alpha)
    return np.where(none, 0.0, lower)[()]


def clopper_pearson_upper(votes: ArrayLike, total: ArrayLike, failure_probability: ArrayLike) -> FloatArray:
    """The share of votes that is too low with probability at most ``failure_probability``; 1 if all votes agree.

    Valid as `clopper_pearson_lower` is: the bound on the share of all other votes, seen from this side.
    """
    votes, total, alpha = _counts_and_alpha(votes, total, failure_probability)
    return 1 - clopper_pearson_lower(total - votes, total, alpha)


def anytime_lower(votes: ArrayLike, total: ArrayLike, failure_probability: ArrayLike) -> FloatArray:
    """A lower bound on the share of votes that may be read after every vote; 0 for no votes.

    With probability at least 1 - ``failure_probability`` it lies below the true share at all totals at once, so at
    every moment a viewer may choose to stop, and so does its running maximum. It is the p0 in (0, votes / total) at
    which the one-sided mixture martingale M(p0) reaches 1 / ``failure_probability``, from below. Checked up to a
    million votes. Raises PlanError for counts or probabilities out of range.
    """
    votes, total, alpha = np.broadcast_arrays(*_counts_and_alpha(votes, total, failure_probability))
    none = votes == 0
    hits, misses = np.where(none, 1.0, votes), np.where(none, 0.0, total - votes)
    needed = _needed_evidence(hits, misses, alpha)
    low, width = np.zeros_like(hits), hits / (hits + misses)
    for _ in range(_HALVINGS):
        width = width / 2
        low = np.where(_log_evidence(low + width, hits, misses) >= needed, low + width, low)
    return np.where(none, 0.0, low)[()]


def anytime_reaches(
    share: ArrayLike, votes: ArrayLike, total: ArrayLike, failure_probability: ArrayLike
) -> NDArray[np.bool_]:
    """Whether `anytime_lower` is at least ``share``, at a fortieth of its cost: one look at M(share)."""
    votes, total, alpha = _counts_and_alpha(votes, total, failure_probability)
    share = _shares("share", share)
    hits, misses, inside = votes, total - votes, share * total < votes
    evidence = _log_evidence(np.where(inside, share, 0.0), hits, misses)
    return ((share == 0) | inside & (evidence >= _needed_evidence(hits, misses, alpha)))[()]


def anytime_upper(votes: ArrayLike, total: ArrayLike, failure_probability: ArrayLike) -> FloatArray:
    """An upper bound on the share of votes that may be read after every vote; 1 where no vote is against it.

    Valid as `anytime_lower` is, running minimum included.
    """
    votes, total, alpha = _counts_and_alpha(votes, total, failure_probability)
    return 1 - anytime_lower(total - votes, total, alpha)


def certified_radius(
    lower_bound: ArrayLike, noise_level: ArrayLike, rival_upper_bound: ArrayLike | None = None
) -> FloatArray:
    """The L2 radius (crop values in [0, 1]) within which the smoothed answer cannot change; 0 if none is certified.

    R = sigma / 2 * (inverse-normal(lower) - inverse-normal(upper)), Theorem 1 of Cohen et al.; without a bound on
    the rivals, and where it is no help, upper = 1 - lower. Raises PlanError for noise_level <= 0 and for bounds
    outside [0, 1].
    """
    sigma, lower = _noise_levels(noise_level), _shares("lower_bound", lower_bound)
    leader = ndtri(np.where(lower > 0, lower, 0.5))
    rival = -leader
    if rival_upper_bound is not None:
        upper = _shares("rival_upper_bound", rival_upper_bound)
        rival = np.minimum(rival, ndtri(upper))
    return np.where(lower > 0, np.maximum(sigma / 2 * (leader - rival), 0.0), 0.0)[()]


def _needed_evidence(hits: FloatArray, misses: FloatArray, alpha: FloatArray) -> FloatArray:
    """What `_log_evidence` must reach for ln M to reach ln(1 / alpha)."""
    return _SLACK - np.log(alpha) + betaln(_PRIOR, _PRIOR) - betaln(_PRIOR + hits, _PRIOR + misses)


def _log_evidence(share: FloatArray, hits: FloatArray, misses: FloatArray) -> FloatArray:
    """ln M(share) without the terms that do not depend on ``share``; it falls as ``share`` climbs to hits / total."""
    likelihood = xlogy(hits, share) + xlog1py(misses, -share)
    prior_beyond = 2 / np.pi * np.arcsin(np.sqrt(1 - share))  # betaincc(1/2, 1/2, share): the arcsine law
    return np.log(betaincc(_PRIOR + hits, _PRIOR + misses, share) / prior_beyond) - likelihood


def _counts_and_alpha(
    votes: ArrayLike, total: ArrayLike, failure_probability: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The three as float64 arrays, or a PlanError naming the one that is out of range."""
    votes, total = _counts("votes", votes), _counts("total", total)
    alpha = _failure_probabilities(failure_probability)
    if np.any(votes > total):
        raise PlanError("votes is larger than total: a class cannot have more votes than were cast. Check the counts.")
    return votes, total, alpha


def _counts(name: str, values: ArrayLike) -> FloatArray:
    counts = np.asarray(values, dtype=np.float64)
    wrong = counts[~(np.isfinite(counts) & (counts >= 0) & (counts == np.floor(counts)))]
    if wrong.size:
        raise PlanError("{name} is {value}; it must be a whole number, 0 or more.", name=name, value=f"{wrong[0]:g}")
    return counts


def _shares(name: str, values: ArrayLike) -> FloatArray:
    shares = np.asarray(values, dtype=np.float64)
    wrong = shares[~((shares >= 0) & (shares <= 1))]
    if wrong.size:
        raise PlanError("{name} is {value}; it must be a share from 0 to 1.", name=name, value=f"{wrong[0]:g}")
    return shares


def _failure_probabilities(values: ArrayLike) -> FloatArray:
    alpha = np.asarray(values, dtype=np.float64)
    wrong = alpha[~((alpha > 0) & (alpha < 1))]
    if wrong.size:
        raise PlanError("failure_probability is {value}; it must be above 0 and below 1.", value=f"{wrong[0]:g}")
    return alpha


def _noise_levels(values: ArrayLike) -> FloatArray:
    sigma = np.asarray(values, dtype=np.float64)
    wrong = sigma[~((sigma > 0) & np.isfinite(sigma))]
    if wrong.size:
        raise PlanError("noise_level is {value}; it must be a finite number above 0.", value=f"{wrong[0]:g}")
    return sigma
