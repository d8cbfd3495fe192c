"""Turns a share of hits that is a mean of means, over classes or tasks, into its 95 % interval.

It knows nothing about scans, records or what a hit is.

An interval of Clopper and Pearson (1934) for a sample whose share varies at least as much as the mean of means does.
Trials of unequal chances, as many of every group, vary less than as many of one chance (Hoeffding 1956, Theorem 3),
and a mean over more trials varies less than one over fewer; so each group counts with the size of the smallest. The
tests show the coverage by enumeration and simulation. At 0 and 1, where resampling gives no width, it has one.
"""

from collections.abc import Sequence

from scipy.special import betaincinv

_ALMOST = 1e-9  # of a hit: what is left of a whole number of them after dividing and multiplying


def effective_size(sizes: Sequence[float]) -> float:
    """The size of one sample that varies at least as much as the plain mean of means over samples of these sizes."""
    return len(sizes) * min(sizes)


def interval(share: float, size: float, confidence: float = 0.95) -> tuple[float, float]:
    """Lower and upper end for a share of hits among ``size`` independent trials; hits need not be whole."""
    hits, misses, tail = share * size, (1 - share) * size, (1 - confidence) / 2
    low = 0.0 if hits < _ALMOST else float(betaincinv(hits, misses + 1, tail))
    high = 1.0 if misses < _ALMOST else float(betaincinv(hits + 1, misses, 1 - tail))
    return low, high
