"""Intervals of class-balanced means and of means over tasks: how often they cover, by enumeration and simulation."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from psmooth.smoothing.intervals import effective_size, interval

LEAST = 0.93
Sizes = Sequence[Sequence[int]]  # scans of every class, by task

SHARES = (0.02, 0.05, 0.2, 0.5, 0.8, 0.95, 0.97)
TASKS: dict[str, Sizes] = {
    "one task, 2 × 12": [[12] * 2],
    "one task, 8 × 3": [[3] * 8],
    "one task, 3 × 17": [[17] * 3],
    "one task, 8 × 7": [[7] * 8],
    "one task, 2 × 50": [[50] * 2],
    "one task, 5 × 20": [[20] * 5],
    "one task, 67 and 33": [[67, 33]],
    "one task, 13 and 25": [[13, 25]],
    "one task, 25, 5, 5, 5": [[25, 5, 5, 5]],
    "one task, 12 to 44 in three": [[44, 21, 12]],
    "four tasks": [[7] * 8, [17] * 3, [10] * 5, [13] * 4],
    "three tasks": [[25, 25], [17, 17, 12], [13, 25]],
    "four small tasks": [[3] * 8, [8] * 3, [5] * 5, [6] * 4],
}


def difficulties(share: float, classes: int) -> Iterator[np.ndarray]:
    """Chances of a hit by class whose mean is ``share``: equal, alternating mildly and wildly, all in few classes."""
    yield np.full(classes, share)
    swing = min(share, 1 - share) * np.where(np.arange(classes) % 2, -1.0, 1.0)
    swing[-1] *= classes % 2 == 0  # an odd one stays in the middle
    for step in (swing / 2, -swing / 2, swing, -swing):
        yield share + step
    filled = np.clip(share * classes - np.arange(classes), 0, 1)
    yield filled
    yield filled[::-1]


def coverage(task_sizes: Sizes, chances: Sequence[np.ndarray], generator: np.random.Generator) -> float:
    """How often the interval holds the mean over tasks of the mean over classes, in 2,000 draws."""
    pairs = list(zip(task_sizes, chances, strict=True))
    draws = [(generator.binomial(sizes, chance, (2_000, len(sizes))) / sizes).mean(1) for sizes, chance in pairs]
    size = effective_size([effective_size(sizes) for sizes in task_sizes])
    true = np.mean([chance.mean() for chance in chances])
    values: list[float] = np.sort(np.mean(draws, axis=0)).tolist()
    first = bisect_left(values, True, key=lambda value: interval(value, size)[1] >= true)  # both ends rise with value
    last = bisect_left(values, True, key=lambda value: interval(value, size)[0] > true)
    return (last - first) / len(values)


@pytest.mark.parametrize("name", TASKS)
def test_the_interval_covers_whatever_the_difficulty_of_classes_and_tasks(name: str) -> None:
    sizes, generator = TASKS[name], np.random.default_rng(0)
    for share in SHARES:
        for chances in zip(*(difficulties(share, len(task)) for task in sizes), strict=True):
            assert np.mean([chance.mean() for chance in chances]) == pytest.approx(share)
            assert coverage(sizes, chances, generator) >= LEAST, (share, chances)


@pytest.mark.parametrize("share", SHARES)
def test_tasks_of_different_difficulty_are_covered_too(share: float) -> None:
    generator = np.random.default_rng(1)
    for sizes in (task for name, task in TASKS.items() if "tasks" in name):
        for levels in difficulties(share, len(sizes)):
            chances = [np.full(len(task), level) for task, level in zip(sizes, levels, strict=True)]
            assert coverage(sizes, chances, generator) >= LEAST, (sizes, levels)


def exact_coverage(chances: np.ndarray, scans: int, ends: Callable[[int, int], tuple[float, float]]) -> float:
    """By enumeration, for classes of equal size: hits add up, so their number has a convolution for a distribution."""
    weights = np.ones(1)
    for chance in chances:
        weights = np.convolve(weights, binom.pmf(np.arange(scans + 1), scans, chance))
    total = scans * len(chances)
    held = (low <= chances.mean() <= high for low, high in (ends(hits, total) for hits in range(total + 1)))
    return float(sum(weight for weight, inside in zip(weights, held, strict=True) if inside))


@pytest.mark.parametrize(("classes", "scans"), [(2, 12), (8, 3), (4, 13), (5, 10), (2, 25), (8, 7), (5, 20), (2, 50)])
def test_for_classes_of_one_size_enumeration_finds_no_difficulty_below_95_percent(classes: int, scans: int) -> None:
    size = effective_size([scans] * classes)
    for share in SHARES:
        for chances in difficulties(share, classes):
            found = exact_coverage(chances, scans, lambda hits, total: interval(hits / total, size))
            assert found >= 0.95, (share, chances)


def test_it_is_the_interval_of_clopper_and_pearson_and_has_a_width_everywhere() -> None:
    for hits in range(25):
        theirs = binomtest(hits, 24).proportion_ci(0.95, "exact")
        assert interval(hits / 24, effective_size([12, 12])) == pytest.approx((theirs.low, theirs.high))
        assert theirs.low < hits / 24 or hits == 0
    assert interval(0.0, 24)[1] == pytest.approx(1 - 0.025 ** (1 / 24))
    assert interval(1.0, 24)[0] == pytest.approx(0.025 ** (1 / 24))


def test_resampling_which_it_replaces_covers_far_less() -> None:
    """What the enumeration above would say of percentiles of resampled scans; it sees a bad interval."""

    def percentiles(hits: int, total: int) -> tuple[float, float]:
        low, high = binom.ppf((0.025, 0.975), total, hits / total) / total
        return float(low), float(high)

    found = [exact_coverage(np.full(5, share), 10, percentiles) for share in (0.02, 0.97)]
    assert all(coverage < 0.85 for coverage in found)
