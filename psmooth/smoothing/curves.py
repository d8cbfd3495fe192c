"""Adds up the records of an evaluation into rows that can be drawn: certified accuracy from each radius on.

It knows nothing about models, scans, pages, or who made the records.
"""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any, Final, TypedDict

import numpy as np

from psmooth.smoothing.intervals import effective_size
from psmooth.smoothing.records import Record, Runs
from psmooth.smoothing.summary import by_run, certified_curve, class_weights, summarise, with_interval

MILLION: Final = 10**6  # radii are whole millionths, floored
MYRIAD: Final = 10**4  # shares are whole ten-thousandths; the ends of an interval are rounded outwards
MOST_STEPS: Final = 1_000  # of a curve: more than a picture has pixels across


Curve = tuple[list[float], list[float]]  # radii, and the share from each of them on

Part = tuple[dict[str, Any], list[Record]]  # a row of a summary, and its records

_ALIKE: Final = (
    "model",
    "method",
    "denoiser",
    "noise_level",
    "guarantee",
    "max_votes",
    "failure_probability",
    "precision",
)


class Row(TypedDict):
    """One run and kind of guarantee; ``model`` and ``task`` are None where the records do not say.

    ``shares`` is class-balanced certified accuracy from each of ``radii`` on, up to the next, or less where a curve has
    more than `MOST_STEPS` steps, and ``lows`` and ``highs`` its 95 % interval; ``average`` is the certified radius of
    a scan, 0 where its answer is wrong, mean over classes. ``largest`` is the share of the class predicted most often
    among the scans with a radius. Of a mean over tasks ``scans`` are those of all, and the tasks weigh the same.
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
    return [_row([part], part[0].get("task")) for part in _parts(records, runs)]


def mean_rows(tasks: Sequence[tuple[Sequence[Record], Runs]], name: str) -> list[Row]:
    """Rows of the mean over tasks, which weigh the same: one for whatever the records of all of them have.

    Args:
        tasks: the records and runs of each.
        name: what stands for the task.
    """
    groups: dict[tuple[Any, ...], list[Part]] = {}
    for part in (part for records, runs in tasks for part in _parts(records, runs)):
        groups.setdefault(tuple(part[0].get(fact) for fact in _ALIKE), []).append(part)
    return [_row(parts, name) for parts in groups.values() if len({part[0]["task"] for part in parts}) == len(tasks)]


def _parts(records: Sequence[Record], runs: Runs) -> list[Part]:
    return list(zip(summarise(records, runs), by_run(records).values(), strict=True))


def _row(parts: Sequence[Part], task: str | None) -> Row:
    """The row of one part, or of the mean of several that are alike but for their task."""
    summary, size = parts[0][0], effective_size([summary["effective_scans"] for summary, _ in parts])
    radii, shares = _mean_curve([certified_curve(records) for _, records in parts])
    firsts, lasts = _steps(len(radii))
    cells = [with_interval(shares[last], size) for last in lasts]
    tops = [with_interval(shares[first], size) for first in firsts]

    def mean_of(fact: str) -> int:
        return round(MYRIAD * fmean(summary[fact] for summary, _ in parts))

    return {
        "model": summary.get("model"),
        "task": task,
        "method": summary["method"],
        "denoiser": summary["denoiser"],
        "noise": summary["noise_level"],
        "guarantee": summary["guarantee"],
        "votes": parts[0][1][0]["total"],
        "scans": sum(summary["scans"] for summary, _ in parts),
        "clean": mean_of("clean"),
        "abstained": mean_of("abstained"),
        "largest": mean_of("largest_share"),
        "average": math.floor(MILLION * fmean(_average_radius(records) for _, records in parts)),
        "radii": [math.floor(MILLION * radii[first]) for first in firsts],
        "shares": [round(MYRIAD * share) for share, _, _ in cells],
        "lows": [round(MYRIAD * low) for _, low, _ in cells],
        "highs": [round(MYRIAD * high) for _, _, high in tops],
    }


def _mean_curve(curves: Sequence[Curve]) -> Curve:
    """The mean of step functions, at every radius at which one of them falls."""
    radii = np.unique(np.concatenate([steps for steps, _ in curves]))
    shares = [np.asarray(shares)[np.searchsorted(steps, radii, "right") - 1] for steps, shares in curves]
    return radii.tolist(), np.mean(shares, axis=0).round(12).tolist()


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
