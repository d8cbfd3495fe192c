"""Adds up the records of an evaluation: certified accuracy by radius, with its interval.

It knows nothing about models, scans or how a record was made.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from psmooth.files import write_whole
from psmooth.smoothing.intervals import effective_size, interval
from psmooth.smoothing.records import RECORDS, SUMMARY, Facts, Record, Runs, no_folder, read_runs, whole_records

RADII = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)


def by_run(records: Sequence[Record]) -> dict[tuple[str, str], list[Record]]:
    """Records by run and kind of guarantee, in the order of first appearance: what may be added up."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record["run"], record["guarantee"]), []).append(record)
    return groups


def summarise(records: Sequence[Record], runs: Runs) -> list[dict[str, Any]]:
    """One row a run and kind of guarantee, with the facts of the run.

    ``certified`` holds class-balanced certified accuracy by radius with its 95 % interval, whose sample is of
    ``effective_scans``; ``largest_share`` is the share of the class predicted most often among the scans with a radius
    (1 for a constant predictor).
    """
    return [_row(runs[run], run, rows) for (run, _), rows in by_run(records).items()]


def _row(facts: Facts, run: str, rows: list[Record]) -> dict[str, Any]:
    labels = np.array([row["label"] for row in rows])
    predicted = [row["predicted"] for row in rows if row["predicted"] is not None]
    right = np.array([row["predicted"] == row["label"] for row in rows])
    radius = np.array([row["radius"] for row in rows])
    clean = np.array([row["clean"] == row["label"] for row in rows])
    size = effective_size(np.unique(labels, return_counts=True)[1].tolist())
    return {
        "method": facts["method"],
        "denoiser": facts["denoiser"],
        "noise_level": facts["noise_level"],
        "guarantee": rows[0]["guarantee"],
        "scans": len(rows),
        "classes": len(np.unique(labels)),
        "effective_scans": size,
        "clean": _balanced(clean, labels),
        "abstained": 1 - len(predicted) / len(rows),
        "largest_share": max((predicted.count(name) for name in set(predicted)), default=0) / max(1, len(predicted)),
        "certified": {f"{r:g}": with_interval(_balanced(right & (radius > r), labels), size) for r in RADII},
        "run": run,
        **facts,
    }


def _balanced(hits: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean([hits[labels == name].mean() for name in np.unique(labels)]))


def with_interval(share: float, size: float) -> list[float]:
    """The share and the ends of its interval, at four digits; the ends are rounded outwards."""
    low, high = interval(share, size)
    return [round(share, 4), math.floor(1e4 * low) / 1e4, math.ceil(1e4 * high) / 1e4]


def certified_curve(records: Sequence[Record]) -> tuple[list[float], list[float]]:
    """Radii at which class-balanced certified accuracy falls, from 0 up, and the accuracy from each of them on."""
    weights = class_weights([record["label"] for record in records])
    right = np.array([record["predicted"] == record["label"] for record in records])
    radius = np.where(right, [record["radius"] for record in records], 0.0)
    steps = np.unique(np.append(radius, 0.0))
    lost = np.bincount(np.searchsorted(steps, radius), weights, len(steps))
    return steps.tolist(), (1 - np.cumsum(lost)).round(12).tolist()  # a half stays one, whatever was added up


def class_weights(labels: Sequence[str]) -> np.ndarray:
    """What each scan counts in a mean over classes; together they are 1."""
    _, places, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return 1 / (len(sizes) * sizes[places])


def write_summary(out: Path) -> list[dict[str, Any]]:
    """Add up the records of a folder into its ``summary.json``."""
    rows = summarise(whole_records(out / RECORDS), read_runs(out))
    write_whole(out / SUMMARY, (json.dumps(rows, indent=1) + "\n").encode(), no_folder)
    return rows
