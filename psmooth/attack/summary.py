"""Adds up the records of attacked scans: what held inside the radius, when the plain model fell, how tight both are.

It knows nothing about models, scans or how a record was made.
"""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from psmooth.attack.reading import whole_attacks
from psmooth.files import write_whole
from psmooth.smoothing.intervals import interval
from psmooth.smoothing.records import RECORDS, SUMMARY, Facts, Record, Runs, no_folder, read_runs

Attempts = list[dict[str, Any]]  # of one scan

# Of a run, what a row shows; a precision where another was asked for.
_NAMED = ("task", "model", "method", "denoiser", "noise_level", "max_votes", "precision")


def summarise_attacks(records: Sequence[Record], runs: Runs) -> dict[str, list[Facts]]:
    """The tables of an attacked folder; a row is of one run, so that each of its scans counts once.

    ``inside``: unconditional radii: on how many scans an attack strictly inside was judged, on how many of them a fresh
    run certified another class for any attempt, and the median of the smallest change found that turned the vote,
    divided by the radius, among ``smallest_found`` of ``smallest_tried`` scans.
    ``plain``: how often the plain model was made to name another class, the median distance, how many of the scans with
    a radius fell inside it, and the grey levels.
    ``frozen``: radii that hold for a frozen prompt: the scans for which the whole pipeline, run afresh on a crop
    inside, certified another class by either attack, and those where it abstained on one of them.

    Shares have the 95 % interval of Clopper and Pearson: [share, low, high].
    """
    fixed = [one for one in records if one["guarantee"] == "unconditional"]
    tuned = [one for one in records if one["guarantee"] == "frozen_prompt"]
    return {
        "inside": [_inside(facts, rows) for facts, rows in _by_run(fixed, runs)],
        "plain": [_plain(facts, rows) for facts, rows in _by_run(records, runs)],
        "frozen": [_frozen(facts, rows) for facts, rows in _by_run(tuned, runs)],
    }


def write_attack_summary(out: Path) -> dict[str, list[Facts]]:
    """Add up the records of a folder into its ``summary.json``."""
    tables = summarise_attacks(whole_attacks(out / RECORDS), read_runs(out))
    write_whole(out / SUMMARY, (json.dumps(tables, indent=1) + "\n").encode(), no_folder)
    return tables


def _by_run(records: Sequence[Record], runs: Runs) -> Iterator[tuple[Facts, list[Record]]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record["run"], []).append(record)
    for run, rows in found.items():
        yield {"run": run, **{name: runs[run][name] for name in _NAMED if name in runs[run]}}, rows


def _inside(facts: Facts, records: Sequence[Record]) -> Facts:
    ratios = [
        min(one["distance"] for one in turned) / record["radius"]
        for record in records
        if (turned := [one for one in record["smallest"] or () if one["outcome"] == "turned"])
    ]
    return {
        **facts,
        **_outcomes(_attacked(records), len(records)),
        "smallest_tried": sum(record["smallest"] is not None for record in records),
        "smallest_found": len(ratios),
        "median_ratio": median(ratios) if ratios else None,
    }


def _plain(facts: Facts, records: Sequence[Record]) -> Facts:
    fallen = [record["plain"] for record in records if record["plain"] is not None]
    inside = [
        record["plain"] is not None and record["plain"]["distance"] < record["radius"]
        for record in records
        if record["radius"] > 0
    ]
    return {
        **facts,
        "scans": len(records),
        "fallen": _share([record["plain"] is not None for record in records]),
        "median_distance": median(one["distance"] for one in fallen) if fallen else None,
        "inside_radius": _share(inside),
        "median_largest_level": median(one["largest_level"] for one in fallen) if fallen else None,
        "largest_level": max((one["largest_level"] for one in fallen), default=None),
    }


def _frozen(facts: Facts, records: Sequence[Record]) -> Facts:
    attacked = _attacked(records)
    return {
        **facts,
        **_outcomes(attacked, len(records)),
        **{
            way: sum(any(one["way"] == way and one["outcome"] == "turned" for one in attempts) for attempts in attacked)
            for way in ("transfer", "through_tuning")
        },
    }


def _outcomes(attacked: Sequence[Attempts], scans: int) -> Facts:
    """How many of the attacked scans had any attempt of that outcome: attempts share a certificate, scans do not."""
    return {
        "scans": scans,
        "attacked": len(attacked),
        **{
            outcome: _share([any(one["outcome"] == outcome for one in attempts) for attempts in attacked])
            for outcome in ("turned", "abstained")
        },
    }


def _attacked(records: Sequence[Record]) -> list[Attempts]:
    """The attempts strictly inside the radius of each scan that has any."""
    return [attempts for record in records if (attempts := strictly_inside(record))]


def strictly_inside(record: Record) -> Attempts:
    """The judged crops that lie closer than the radius."""
    return [one for one in record["inside"] or () if one["distance"] < record["radius"]]


def _share(hits: Sequence[bool]) -> list[float] | None:
    """The share and its interval, whose ends are rounded outwards at four digits; None of nothing."""
    if not hits:
        return None
    share = sum(hits) / len(hits)
    low, high = interval(share, len(hits))
    return [round(share, 4), math.floor(1e4 * low) / 1e4, math.ceil(1e4 * high) / 1e4]
