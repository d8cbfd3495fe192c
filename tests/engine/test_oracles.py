"""What certificates rest on, held against three outside judges: a known classifier, long arithmetic, shipped records.

The first runs whole certifications of a half-space, whose true radius is known, under five ways of stopping; the second
solves the anytime bound's own equation in sixty digits; the third concludes anew from the counts of every record that
the evaluation ships.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from scipy.stats import binom, norm

from psmooth.bounds import anytime_lower, certified_radius, clopper_pearson_lower
from psmooth.certificate import Certificate, Plan
from psmooth.scans import Crop, CropRule, crop_sha256
from psmooth.smoothing import certification as engine
from psmooth.smoothing.records import whole_records
from tests.engine.test_certify import TWO, Oracle

EVALUATION = Path(__file__).resolve().parents[2] / "docs" / "evaluation"

# --- a half-space at a known distance, through the whole run

NOISE_LEVEL, DISTANCE, ALPHA, RUNS, VOTES, LOOK = 0.25, 0.2, 0.1, 250, 192, 8


@pytest.fixture(scope="module")
def radii() -> list[list[float]]:
    """The radius at every look of every run; votes are drawn with the half-space's own share."""
    share = float(norm.cdf(DISTANCE / NOISE_LEVEL))
    generator = np.random.default_rng(7)

    def votes(*_: Any, count: int, batch_size: int, **__: Any) -> Iterator[torch.Tensor]:
        outside = torch.from_numpy((generator.random(count) >= share).astype(np.int64))
        yield from torch.eye(2)[outside].split(batch_size)

    pixels = np.full((3, 8, 8), 128, np.uint8)
    crop = Crop(pixels, CropRule(size=8, box=(0, 0, 8, 8)), crop_sha256(pixels))
    plan = Plan(max_votes=VOTES, failure_probability=ALPHA, selection_votes=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "noisy_embeddings", votes)
        patch.setattr(engine, "_SECONDS_BETWEEN_LOOKS", 0.0)
        return [_looks(crop, plan) for _ in range(RUNS)]


def _looks(crop: Crop, plan: Plan) -> list[float]:
    model: Any = Oracle((0.0,))
    steps = engine.certify(model, crop, task=TWO, noise_level=NOISE_LEVEL, plan=plan, batch_size=LOOK)
    results = [step.results["template"] for step in steps if step.phase != "selection"]
    # A run whose selection votes named the wrong class is false as soon as it certifies anything.
    return [
        0.0 if not isinstance(one, Certificate) else one.radius if one.predicted == "inside" else np.inf
        for one in results
    ]


RULES: dict[str, Callable[[list[float], np.random.Generator], float]] = {
    "at the announced end": lambda looks, _: looks[-1],
    "at the first certificate": lambda looks, _: next((radius for radius in looks if radius > 0), 0.0),
    "as soon as a radius is reached": lambda looks, _: next((radius for radius in looks if radius >= 0.15), looks[-1]),
    "at the largest radius ever shown": lambda looks, _: max(looks),
    "at a moment drawn beforehand": lambda looks, generator: looks[generator.integers(len(looks))],
}


@pytest.mark.parametrize("rule", RULES)
def test_at_most_alpha_of_runs_are_false_at_every_stopping_rule(rule: str, radii: list[list[float]]) -> None:
    generator = np.random.default_rng(3)
    shown = [RULES[rule](looks, generator) for looks in radii]
    assert sum(radius > DISTANCE for radius in shown) <= binom.ppf(0.9999, RUNS, ALPHA)
    assert sum(radius > 0 for radius in shown) > RUNS / 4, "the rule does certify"


def test_this_judge_would_notice_a_bound_that_is_not_made_for_looking(radii: list[list[float]]) -> None:
    """Clopper and Pearson read again at every look, at the same α: false far more often than promised."""
    generator = np.random.default_rng(5)
    share, totals = float(norm.cdf(DISTANCE / NOISE_LEVEL)), np.arange(LOOK, VOTES + 1, LOOK)
    votes = (generator.random((len(radii), VOTES)) < share).cumsum(1)[:, totals - 1]
    lower = clopper_pearson_lower(votes, totals, ALPHA)
    false = (certified_radius(lower, NOISE_LEVEL) > DISTANCE).any(1).sum()
    assert false > binom.ppf(0.9999, RUNS, ALPHA)


# --- sixty digits


def log_martingale(share: Any, votes: int, total: int) -> Any:
    """ln M of the mixture of binomials over shares above ``share``, with Jeffreys' prior cut off below it."""
    half, misses = mpmath.mpf(1) / 2, total - votes
    beyond = mpmath.betainc(half + votes, half + misses, share, 1)
    prior = mpmath.betainc(half, half, share, 1)
    return mpmath.log(beyond / prior) - votes * mpmath.log(share) - misses * mpmath.log(1 - share)


@pytest.mark.parametrize("alpha", [1e-4, 5e-5, 0.05])
@pytest.mark.parametrize(
    ("votes", "total"),
    [(1, 1), (16, 16), (12, 20), (99, 100), (70, 100), (640, 1_000), (999, 1_000), (505, 1_000), (9_990, 10_000)],
)
def test_anytime_bound_solves_its_equation_in_sixty_digits(votes: int, total: int, alpha: float) -> None:
    found = float(anytime_lower(votes, total, alpha))
    with mpmath.workdps(60):
        needed = mpmath.log(1 / mpmath.mpf(alpha))
        if found > 0:
            assert log_martingale(mpmath.mpf(found), votes, total) >= needed, "never above the root"
        beyond = mpmath.mpf(found) + mpmath.mpf(10) ** -8
        assert log_martingale(beyond, votes, total) < needed + mpmath.mpf(10) ** -6, "and close to it"


# --- the shipped records


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in EVALUATION.glob("*/records.jsonl")))
def test_every_shipped_record_agrees_with_its_counts(folder: str) -> None:
    """At the announced end the fixed bound is owed; a larger radius is an earlier moment's, which is bounded too."""
    records = [one for one in whole_records(EVALUATION / folder / "records.jsonl") if one["predicted"] is not None]
    classes = list(records[0]["counts"])
    counts = np.array([[one["counts"][name] for name in classes] for one in records])
    leader = np.array([classes.index(one["predicted"]) for one in records])
    total, level = (np.array([one[name] for one in records]) for name in ("total", "noise_level"))
    radius, share = np.array([one["radius"] for one in records]), 1 if len(classes) == 2 else 2
    owed = _radius(clopper_pearson_lower, 9e-4 / share, counts, leader, total, level)
    most = _radius(_luckiest, 1e-4 / share, counts, leader, total, level)
    assert set(total) == {1_000}
    assert (radius >= owed - 1e-9).all()
    assert (radius <= np.maximum(owed, most) + 1e-9).all()
    assert Counter(np.isclose(radius, owed, rtol=0, atol=1e-9))[True] > 0.99 * len(records)


def _luckiest(favourable: np.ndarray, _total: np.ndarray, alpha: float) -> np.ndarray:
    """The anytime bound had all favourable votes come first."""
    return np.asarray(anytime_lower(favourable, favourable, alpha))


def _radius(
    bound: Callable[..., Any], alpha: float, counts: np.ndarray, leader: np.ndarray, total: np.ndarray, level: Any
) -> np.ndarray:
    """σ/2 · (Φ⁻¹(lower) − Φ⁻¹(upper)) of each row; two classes have one rival, which has all other votes."""
    rows = np.arange(len(counts))
    lower = np.asarray(bound(counts[rows, leader], total, alpha))
    if counts.shape[1] == 2:
        return np.asarray(certified_radius(lower, level))
    against = np.asarray(bound(total[:, None] - counts, total[:, None], alpha))
    against[rows, leader] = 1.0
    return np.asarray(certified_radius(lower, level, np.minimum(1 - against.min(1), 1 - lower)))
