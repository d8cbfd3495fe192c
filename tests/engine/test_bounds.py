"""Bounds and radius against SciPy, exact computation, simulation of a classifier of known radius, and other tables."""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom, binomtest

from psmooth.bounds import (
    anytime_lower,
    anytime_reaches,
    anytime_upper,
    certified_radius,
    clopper_pearson_lower,
    clopper_pearson_upper,
)
from psmooth.errors import PlanError, PsmoothError

BOUNDS = [clopper_pearson_lower, clopper_pearson_upper, anytime_lower, anytime_upper]
LOWER_BOUNDS = [clopper_pearson_lower, anytime_lower]


def quantile(share: float) -> float:
    return NormalDist().inv_cdf(share)


# Clopper-Pearson


@pytest.mark.parametrize("total", [1, 2, 13, 100, 1_000, 10_000])
@pytest.mark.parametrize("alpha", [1e-4, 1e-3, 0.05, 0.5])
def test_clopper_pearson_is_scipys_exact_interval(total: int, alpha: float):
    for votes in sorted({0, 1, total // 3, total // 2, total - 1, total}):
        lower = binomtest(votes, total, alternative="greater").proportion_ci(1 - alpha, method="exact").low
        upper = binomtest(votes, total, alternative="less").proportion_ci(1 - alpha, method="exact").high
        assert clopper_pearson_lower(votes, total, alpha) == pytest.approx(lower, abs=1e-11)
        assert clopper_pearson_upper(votes, total, alpha) == pytest.approx(upper, abs=1e-11)


@pytest.mark.parametrize(("votes", "total"), [(1, 1), (7, 9), (66, 100), (999, 1_000), (500_321, 10**6)])
def test_clopper_pearson_solves_its_own_definition(votes: int, total: int):
    lower = clopper_pearson_lower(votes, total, 1e-3)
    assert binom.sf(votes - 1, total, lower) == pytest.approx(1e-3, rel=1e-6)


@pytest.mark.parametrize("total", [20, 100, 1_000])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.99])
def test_clopper_pearson_looked_at_once_fails_at_most_alpha(total: int, share: float):
    votes = np.arange(total + 1)
    wrong = clopper_pearson_lower(votes, total, 1e-3) > share
    assert binom.pmf(votes[wrong], total, share).sum() <= 1e-3


# The anytime bound


def log_evidence_by_integration(share: float, votes: int, total: int) -> float:
    """ln M(share) from its definition: the likelihood ratio averaged over Jeffreys' prior beyond ``share``."""

    def log_ratio(angle: float) -> float:
        hit, miss = 2 * math.log(math.sin(angle)), 2 * math.log(math.cos(angle))  # Jeffreys: uniform in this angle
        return votes * (hit - math.log(share)) + (total - votes) * (miss - math.log(1 - share))

    start, end = math.asin(math.sqrt(share)), math.pi / 2 - 1e-12
    peak = max(log_ratio(angle) for angle in np.linspace(start, end, 2_000))
    width = end - start
    points = [math.asin(math.sqrt(votes / total))] if votes < total else None
    mean = quad(lambda a: math.exp(log_ratio(a) - peak), start, end, points=points, limit=400, epsabs=0)[0] / width
    return peak + math.log(mean)


@pytest.mark.parametrize(("votes", "total"), [(12, 12), (3, 50), (30, 50), (66, 100), (640, 1_000), (1_000, 1_000)])
@pytest.mark.parametrize("alpha", [1e-4, 1e-3, 0.05])
def test_anytime_bound_is_where_the_integrated_martingale_reaches_its_level(votes: int, total: int, alpha: float):
    lower = float(anytime_lower(votes, total, alpha))
    assert log_evidence_by_integration(lower, votes, total) == pytest.approx(-math.log(alpha), abs=1e-6)
    assert log_evidence_by_integration(lower * 0.99, votes, total) > -math.log(alpha)


def ever_false(reaches: Callable[..., np.ndarray], share: float, looks: np.ndarray, alpha: float) -> float:
    """The exact probability that ``reaches`` holds at any of the looks, by dynamic programming over the votes."""
    firsts = first_false_votes(reaches, share, looks, alpha)
    alive, false, last = np.array([1.0]), 0.0, 0
    for look, first in zip(looks, firsts, strict=True):
        steps = look - last
        alive = np.convolve(alive, binom.pmf(np.arange(steps + 1), steps, share))
        false += alive[first:].sum()
        alive[first:] = 0
        last = look
    return false


def first_false_votes(reaches: Callable[..., np.ndarray], share: float, looks: np.ndarray, alpha: float) -> np.ndarray:
    """By look, the fewest votes at which the bound lies above the true share; one more than all if there are none."""
    low, high = np.zeros_like(looks), looks + 1
    while np.any(low < high):
        middle = (low + high) // 2
        false = reaches(share, np.minimum(middle, looks), looks, alpha) | (middle > looks)
        low, high = np.where(false | (low == high), low, middle + 1), np.where(false, middle, high)
    return high


def clopper_pearson_reaches(share: float, votes: np.ndarray, total: np.ndarray, alpha: float) -> np.ndarray:
    return clopper_pearson_lower(votes, total, alpha) > share


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 2 / 3, 0.9, 0.977])
@pytest.mark.parametrize("alpha", [1e-4, 1e-3, 0.05])
def test_anytime_bound_is_ever_false_with_probability_alpha_at_most(share: float, alpha: float):
    looks = np.arange(1, 1_201)
    assert 0.05 * alpha < ever_false(anytime_reaches, share, looks, alpha) <= alpha


@pytest.mark.parametrize(("share", "probability"), [(0.5, 0.00078), (0.9, 0.00087)])
def test_anytime_bound_over_four_thousand_looks_agrees_with_an_independent_computation(
    share: float, probability: float
):
    assert ever_false(anytime_reaches, share, np.arange(1, 4_001), 1e-3) == pytest.approx(probability, abs=6e-6)


@pytest.mark.parametrize(
    ("every", "total", "share", "probability"),
    [(32, 1_000, 0.5, 0.0074), (32, 10_000, 0.5, 0.0162), (100, 10_000, 0.5, 0.0123), (32, 10_000, 0.9, 0.0149)],
)
def test_clopper_pearson_read_again_and_again_fails_the_same_check(
    every: int, total: int, share: float, probability: float
):
    looks = np.arange(every, total + 1, every)
    assert ever_false(clopper_pearson_reaches, share, looks, 1e-3) == pytest.approx(probability, abs=6e-5)


def test_anytime_reaches_says_what_the_bisected_bound_says():
    total = np.array([1, 12, 50, 300, 1_000, 10_000, 1_000_000])[:, None]
    votes = np.floor(total * np.array([0, 0.1, 0.5, 0.9, 0.999, 1.0]))
    lower = anytime_lower(votes, total, 1e-3)
    assert np.all(anytime_reaches(lower, votes, total, 1e-3))
    assert not np.any(anytime_reaches(np.minimum(lower + 1e-12, 1), votes, total, 1e-3))
    assert not np.any(anytime_reaches([0.5, 0.7, 1.0], [50, 50, 100], 100, 1e-3))
    assert np.all(anytime_reaches(0, [0, 0, 3], [0, 5, 5], 1e-3))


# A half-space classifier, of known radius


def looks_of_half_space(distance: float, noise_level: float, runs: int, total: int, every: int) -> np.ndarray:
    """Votes (runs, looks) for the side a point lies on, ``distance`` from the plane: only noise across it matters."""
    noise = np.random.default_rng(11).standard_normal((runs, total // every, every)) * noise_level
    return np.cumsum(np.sum(noise < distance, axis=2), axis=1)


def table_of(bound: Callable[..., np.ndarray], votes: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """The radius at every run and look; each pair of votes and total is computed once."""
    pairs, places = np.unique(votes + 10_000 * totals, return_inverse=True)
    radii = certified_radius(bound(pairs % 10_000, pairs // 10_000, ALPHA), NOISE)
    return radii[places].reshape(votes.shape)


def first_where(radii: np.ndarray, reached: np.ndarray) -> np.ndarray:
    """By run, the radius at the first look where ``reached`` holds, or at the last look."""
    place = np.where(reached.any(axis=1), reached.argmax(axis=1), radii.shape[1] - 1)
    return radii[np.arange(len(radii)), place]


def at_moments_drawn_beforehand(radii: np.ndarray) -> np.ndarray:
    moments = np.random.default_rng(5).integers(radii.shape[1], size=len(radii))
    return radii[np.arange(len(radii)), moments]


RUNS, ALPHA, NOISE = 2_000, 0.05, 0.25
MOST_FALSE = RUNS * ALPHA + 3 * math.sqrt(RUNS * ALPHA * (1 - ALPHA))
STOPPING_RULES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "at the end": lambda radii: radii[:, -1],
    "at the first certificate": lambda radii: first_where(radii, radii > 0),
    "at a target radius": lambda radii: first_where(radii, radii >= 0.02),
    "at a moment drawn beforehand": at_moments_drawn_beforehand,
    "at the running maximum": lambda radii: radii.max(axis=1),
}


@pytest.fixture(scope="module", params=[0.02, 0.2])
def half_space(request: pytest.FixtureRequest) -> tuple[float, np.ndarray, np.ndarray]:
    """The true radius, and those certified at every run and look by the anytime and the fixed bound."""
    votes = looks_of_half_space(request.param, NOISE, RUNS, total=800, every=8)
    totals = np.arange(8, 801, 8)
    return request.param, table_of(anytime_lower, votes, totals), table_of(clopper_pearson_lower, votes, totals)


@pytest.mark.parametrize("rule", STOPPING_RULES)
def test_radius_of_a_half_space_is_not_overstated_at_any_stopping_rule(half_space, rule: str):
    truth, radii, _ = half_space
    assert np.sum(STOPPING_RULES[rule](radii) > truth) <= MOST_FALSE


def test_radius_of_a_half_space_is_close_to_the_truth_in_the_end(half_space):
    truth, radii, _ = half_space
    assert np.median(radii[:, -1]) > truth - 0.2 * NOISE


def test_clopper_pearson_is_overstated_where_it_is_read_at_its_running_maximum(half_space):
    truth, _, radii = half_space
    assert np.sum(STOPPING_RULES["at the end"](radii) > truth) <= MOST_FALSE
    assert np.sum(STOPPING_RULES["at the running maximum"](radii) > truth) > 2 * MOST_FALSE


# Figures computed elsewhere: R / sigma at alpha = .001, from share * total votes


@pytest.mark.parametrize(
    ("share", "total", "fixed", "anytime"),
    [
        (0.75, 200, 0.373, 0.275),
        (0.75, 1_000, 0.541, 0.487),
        (0.75, 10_000, 0.632, 0.612),
        (0.9, 100, 0.757, 0.632),
        (0.9, 1_000, 1.114, 1.056),
        (0.9, 10_000, 1.229, 1.205),
        (0.99, 100, 1.349, 1.238),
        (0.99, 1_000, 1.978, 1.899),
        (0.99, 10_000, 2.212, 2.173),
        (1.0, 100, 1.500, 1.422),
        (1.0, 1_000, 2.463, 2.407),
        (1.0, 10_000, 3.199, 3.153),
    ],
)
def test_radii_agree_with_an_independent_table(share: float, total: int, fixed: float, anytime: float):
    votes = round(share * total)
    assert certified_radius(clopper_pearson_lower(votes, total, 1e-3), 1.0) == pytest.approx(fixed, abs=6e-4)
    assert certified_radius(anytime_lower(votes, total, 1e-3), 1.0) == pytest.approx(anytime, abs=6e-4)


@pytest.mark.parametrize(("total", "alpha", "radius"), [(100, 1e-4, 1.28), (1_000, 1e-4, 2.31), (100, 1e-3, 1.42)])
def test_live_radius_where_all_votes_agree(total: int, alpha: float, radius: float):
    assert certified_radius(anytime_lower(total, total, alpha), 1.0) == pytest.approx(radius, abs=5e-3)


@pytest.mark.parametrize(
    ("bound", "alpha", "first"),
    [(anytime_lower, 1e-3, 12), (anytime_lower, 1e-4, 16), (clopper_pearson_lower, 1e-3, 10)],
)
def test_first_certificate_where_all_votes_agree(bound: Callable[..., np.ndarray], alpha: float, first: int):
    totals = np.arange(1, 40)
    certified = certified_radius(bound(totals, totals, alpha), 1.0) > 0
    assert totals[certified][0] == first
    assert np.all(certified[first - 1 :])


@pytest.mark.parametrize("total", [100, 1_000, 10_000, 100_000])
def test_ceiling_of_clopper_pearson_has_a_closed_form(total: int):
    lower = clopper_pearson_lower(total, total, 1e-3)
    assert certified_radius(lower, 0.25) == pytest.approx(0.25 * quantile(1e-3 ** (1 / total)), rel=1e-9)


# Shape of the bounds


@pytest.mark.parametrize("bound", LOWER_BOUNDS)
@pytest.mark.parametrize("total", [7, 60, 500])
def test_lower_bounds_climb_with_votes_and_alpha_and_stay_below_the_share_seen(bound, total: int):
    votes = np.arange(total + 1)
    alphas = np.array([1e-6, 1e-3, 0.05, 0.3])[:, None]
    lower = bound(votes, total, alphas)
    assert lower.shape == (4, total + 1)
    assert np.all(np.diff(lower, axis=1) > 0)
    assert np.all(np.diff(lower[:, 1:], axis=0) > 0)
    assert np.all(lower <= votes / total)


@pytest.mark.parametrize("bound", LOWER_BOUNDS)
def test_more_votes_against_lower_the_bound_and_more_of_the_same_raise_it(bound):
    assert np.all(np.diff(bound(30, np.arange(30, 200), 1e-3)) < 0)
    sizes = np.array([10, 100, 1_000, 10_000, 100_000])
    assert np.all(np.diff(bound(0.8 * sizes, sizes, 1e-3)) > 0)
    assert bound(800_000, 10**6, 1e-3) == pytest.approx(0.8, abs=3e-3)


@pytest.mark.parametrize("votes", [0, 1, 40, 99, 100])
def test_upper_bounds_are_the_lower_bounds_of_the_other_votes(votes: int):
    assert anytime_upper(votes, 100, 1e-3) == 1 - anytime_lower(100 - votes, 100, 1e-3)
    assert clopper_pearson_upper(votes, 100, 1e-3) == 1 - clopper_pearson_lower(100 - votes, 100, 1e-3)


@pytest.mark.parametrize("total", [1, 3, 100, 1_000_000])
def test_edge_counts(total: int):
    for lower, upper in ((anytime_lower, anytime_upper), (clopper_pearson_lower, clopper_pearson_upper)):
        assert lower(0, total, 1e-3) == 0
        assert upper(total, total, 1e-3) == 1
        assert 0 < lower(total, total, 1e-3) < 1
        assert 0 < upper(0, total, 1e-3) < 1


def test_nothing_is_known_before_the_first_vote():
    assert clopper_pearson_lower(0, 0, 1e-3) == anytime_lower(0, 0, 1e-3) == 0
    assert clopper_pearson_upper(0, 0, 1e-3) == anytime_upper(0, 0, 1e-3) == 1


@pytest.mark.parametrize("votes", [1, 1_000, 500_000, 999_000, 999_999, 1_000_000])
def test_anytime_bound_of_a_million_votes_is_a_little_below_the_fixed_one(votes: int):
    lower, fixed = anytime_lower(votes, 10**6, 1e-3), clopper_pearson_lower(votes, 10**6, 1e-3)
    assert 0 <= lower < fixed
    spread = math.sqrt(max(votes, 30) * max(10**6 - votes, 30) / 10**6) / 10**6
    assert fixed - lower < 6 * spread


def test_extreme_failure_probabilities_stay_finite():
    lower = anytime_lower([1, 50, 100], 100, [[1e-100], [1e-15], [0.999]])
    assert np.all(np.isfinite(lower))
    assert np.all((lower >= 0) & (lower < 1))


@pytest.mark.parametrize("bound", BOUNDS)
def test_bounds_broadcast(bound):
    grid = bound(np.array([[1], [5], [10]]), np.array([10, 40]), 0.01)
    assert grid.shape == (3, 2)
    assert grid.dtype == np.float64
    assert np.ndim(bound(5, 10, 0.01)) == 0
    assert grid[1, 1] == bound(5, 40, 0.01)


# The radius


@pytest.mark.parametrize("lower", [0.501, 0.7, 0.977, 1 - 1e-6])
def test_one_sided_radius_is_the_textbook_formula(lower: float):
    assert certified_radius(lower, 0.5) == pytest.approx(0.5 * quantile(lower), rel=1e-9)
    assert certified_radius(lower, 0.5, 1 - lower) == pytest.approx(0.5 * quantile(lower), rel=1e-9)


@pytest.mark.parametrize(("lower", "upper"), [(0.7, 0.2), (0.45, 0.3), (0.99, 1e-4)])
def test_two_sided_radius_is_the_textbook_formula(lower: float, upper: float):
    expected = 0.25 / 2 * (quantile(lower) - quantile(upper))
    assert certified_radius(lower, 0.25, upper) == pytest.approx(expected, rel=1e-9)


def test_radius_is_zero_where_nothing_is_certified_and_never_below_the_one_sided():
    assert certified_radius([0, 0.2, 0.5], 0.25).tolist() == [0, 0, 0]
    assert certified_radius([0, 0, 0.3], 0.25, [0, 1, 0.4]).tolist() == [0, 0, 0]
    lower = np.linspace(0.5, 0.999, 30)[:, None]
    rival = np.linspace(0, 1, 31)
    assert np.all(certified_radius(lower, 0.25, rival) >= certified_radius(lower, 0.25) - 1e-15)


# Refusals


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize(
    ("votes", "total", "alpha", "name"),
    [
        (-1, 10, 0.1, "votes"),
        (1.5, 10, 0.1, "votes"),
        (math.nan, 10, 0.1, "votes"),
        (11, 10, 0.1, "votes"),
        (0, -1, 0.1, "total"),
        (0, math.inf, 0.1, "total"),
        ([1, 11], 10, 0.1, "votes"),
        (1, 10, 0, "failure_probability"),
        (1, 10, 1, "failure_probability"),
        (1, 10, -0.1, "failure_probability"),
        (1, 10, math.nan, "failure_probability"),
    ],
)
def test_counts_and_probabilities_out_of_range_are_refused_by_name(bound, votes, total, alpha, name: str):
    with pytest.raises(PlanError, match=f"^{name} "):
        bound(votes, total, alpha)


@pytest.mark.parametrize(
    ("lower", "noise_level", "upper", "name"),
    [
        (0.9, 0, None, "noise_level"),
        (0.9, -0.25, None, "noise_level"),
        (0.9, math.inf, None, "noise_level"),
        (0.9, math.nan, None, "noise_level"),
        (1.1, 0.25, None, "lower_bound"),
        (math.nan, 0.25, None, "lower_bound"),
        (0.9, 0.25, -0.1, "rival_upper_bound"),
    ],
)
def test_radius_refuses_by_name(lower, noise_level, upper, name: str):
    with pytest.raises(PsmoothError, match=f"^{name} is .*; it must be "):
        certified_radius(lower, noise_level, upper)
