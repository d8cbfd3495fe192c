"""Adds up the records of an evaluation into rows that can be drawn: certified accuracy from each radius on.

It knows nothing about models, scans, pages, or who made the records.
"""

import math
from collections.abc import Sequence
from typing import Any, Final, TypedDict

import numpy as np

from psmooth.smoothing.records import Record, Runs
from psmooth.smoothing.summary import by_run, certified_curve, class_weights, summarise, with_interval

MILLION: Final = 10**6  # radii are whole millionths, floored
MYRIAD: Final = 10**4  # shares are whole ten-thousandths; the ends of an interval are rounded outwards
MOST_STEPS: Final = 1_000  # of a curve: more than a picture has pixels across


class Row(TypedDict):
    """One run and kind of guarantee; ``model`` and ``task`` are None where the records do not say.

    ``shares`` is class-balanced certified accuracy from each of ``radii`` on, up to the next, or less where a curve has
    more than `MOST_STEPS` steps, and ``lows`` and ``highs`` its 95 % interval; ``average`` is the certified radius of
    a scan, 0 where its answer is wrong, mean over classes. ``largest`` is the share of the class predicted most often
    among the scans with a radius.
    """

    model: str | None
    task: str | None
    method: str
    denoiser: str
    noise: float
    guarantee: str
    votes: int
    scans: int
    clean: int
    abstained: int
    largest: int
    average: int
    radii: list[int]
    shares: list[int]
    lows: list[int]
    highs: list[int]


def rows_of(records: Sequence[Record], runs: Runs) -> list[Row]:
    """A row for each row of the summary of these records, in its order."""
    groups = by_run(records).values()
    return [_row(*pair) for pair in zip(summarise(records, runs), groups, strict=True)]


def _row(summary: dict[str, Any], records: list[Record]) -> Row:
    radii, shares = certified_curve(records)
    firsts, lasts = _steps(len(radii))
    cells = [with_interval(shares[last], summary["effective_scans"]) for last in lasts]
    tops = [with_interval(shares[first], summary["effective_scans"]) for first in firsts]
    return {
        "model": summary.get("model"),
        "task": summary.get("task"),
        "method": summary["method"],
        "denoiser": summary["denoiser"],
        "noise": summary["noise_level"],
        "guarantee": summary["guarantee"],
        "votes": records[0]["total"],
        "scans": summary["scans"],
        "clean": round(MYRIAD * summary["clean"]),
        "abstained": round(MYRIAD * summary["abstained"]),
        "largest": round(MYRIAD * summary["largest_share"]),
        "average": math.floor(MILLION * _average_radius(records)),
        "radii": [math.floor(MILLION * radii[first]) for first in firsts],
        "shares": [round(MYRIAD * share) for share, _, _ in cells],
        "lows": [round(MYRIAD * low) for _, low, _ in cells],
        "highs": [round(MYRIAD * high) for _, _, high in tops],
    }


def _steps(count: int) -> tuple[list[int], list[int]]:
    """First and last of the steps that are drawn as one; all but the first are as many, so that `MOST_STEPS` are left.

    Drawn from the first on with the share of the last, a curve is never above what it was; only at 0 it is kept.
    """
    every = max(1, math.ceil((count - 1) / (MOST_STEPS - 1)))
    firsts = [0, *range(1, count, every)]
    return firsts, [*(first - 1 for first in firsts[1:]), count - 1]


def _average_radius(records: Sequence[Record]) -> float:
    """What Zhai et al. (2020) call average certified radius, with classes that weigh the same."""
    counted = [record["radius"] if record["predicted"] == record["label"] else 0.0 for record in records]
    return float(np.dot(class_weights([record["label"] for record in records]), counted))
