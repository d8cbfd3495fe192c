"""Certifies a folder of labelled scans with many methods from one stream of noise, and adds up what came of it.

It knows nothing about the page. One line of ``records.jsonl`` is written a scan, method, denoiser and noise level, as
it goes; a run that was killed goes on where it stood, because seeds are given and every line is whole or dropped.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from psmooth.certificate import Plan
from psmooth.certify import Progress, certify
from psmooth.errors import ScanError
from psmooth.models import MedVLM
from psmooth.prompts import PromptBank
from psmooth.scans import PICTURES, Crop, crop_scan, open_scan
from psmooth.tasks import Task

RADII = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
_RESAMPLES = 1_000

Record = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """What is to be evaluated, fixed before the first scan; one ``seed`` serves all: their noise still differs."""

    task: Task
    methods: tuple[str, ...]
    denoisers: tuple[str, ...]
    noise_levels: tuple[float, ...]
    plan: Plan
    seed: int = 0


def labelled_files(folder: Path, task: Task, most: int | None = None) -> list[tuple[Path, str]]:
    """Scans in sub-folders named as the class ids, with their class; ``most`` in all, spread evenly over classes.

    Raises:
        ScanError: the folder lacks a class.
    """
    each = -(-most // len(task.class_ids)) if most else None
    found = {class_id: pictures_in(folder / class_id)[:each] for class_id in task.class_ids}
    if empty := [class_id for class_id, files in found.items() if not files]:
        raise ScanError(
            "{folder} needs a sub-folder of scans for every class; without scans: {empty}.",
            folder=folder.name,
            empty=", ".join(empty),
        )
    return [(file, class_id) for class_id, files in found.items() for file in files]


def pictures_in(folder: Path) -> list[Path]:
    """The scans under a folder, in order of their names."""
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in PICTURES)


def read_crops(model: MedVLM, files: Sequence[Path]) -> Tensor:
    """The crops of files as the model sees them, ``(n, 3, size, size)`` uint8."""
    return torch.stack([torch.from_numpy(_crop(model, file).pixels.copy()) for file in files])


def _crop(model: MedVLM, file: Path) -> Crop:
    return crop_scan(open_scan(file), model.crop_rule)


def evaluate(
    model: MedVLM,
    files: Sequence[tuple[Path, str]],
    study: Study,
    out: Path,
    banks: Sequence[PromptBank] = (),
) -> Iterator[tuple[int, int]]:
    """Certify every scan by every method; all methods of a denoiser share one stream of noise.

    Yields:
        Runs done and planned; a run is one scan at one noise level behind one denoiser.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / "records.jsonl"
    known = {_key(record) for record in whole_records(path)}
    fronts = list(product(study.denoisers, study.noise_levels))
    planned = len(files) * len(fronts)
    with path.open("a", encoding="utf-8") as lines:
        for place, (file, label) in enumerate(files):
            crop = _crop(model, file)
            for step, (denoiser, level) in enumerate(fronts):
                yield place * len(fronts) + step, planned
                missing = [m for m in study.methods if (crop.sha256, m, denoiser, level) not in known]
                if not missing:
                    continue
                records = _certified(model, crop, label, study, missing, denoiser, level, banks)
                lines.writelines(json.dumps(record) + "\n" for record in records)
                lines.flush()
                known.update(map(_key, records))
    yield planned, planned


def _certified(
    model: MedVLM,
    crop: Crop,
    label: str,
    study: Study,
    methods: Sequence[str],
    denoiser: str,
    level: float,
    banks: Sequence[PromptBank],
) -> list[Record]:
    *_, progress = certify(
        model, crop, task=study.task, methods=methods, noise_level=level, denoiser=denoiser, banks=banks,
        plan=study.plan, seed=study.seed,
    )  # fmt: skip
    return [_record(progress, method, crop, label, denoiser, level) for method in methods]


def _record(progress: Progress, method: str, crop: Crop, label: str, denoiser: str, level: float) -> Record:
    facts = progress.results[method].to_dict()
    counted = {name: facts[name] for name in ("predicted", "guarantee", "counts", "total")}
    return {
        "scan": crop.sha256,
        "label": label,
        "method": method,
        "denoiser": denoiser,
        "noise_level": level,
        "clean": progress.clean[method],
        "radius": facts["radius"] or 0.0,
        **counted,
    }


def whole_records(path: Path) -> list[Record]:
    """The records of a file; a last line that a kill cut short is removed from it."""
    if not path.is_file():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        path.write_bytes(whole)
    return [json.loads(line) for line in whole.splitlines()]


def _key(record: Record) -> tuple[str, str, str, float]:
    return record["scan"], record["method"], record["denoiser"], record["noise_level"]


def summarise(records: Sequence[Record], seed: int = 0) -> list[dict[str, Any]]:
    """One row a method, denoiser and noise level, in the order of first appearance.

    ``certified`` holds class-balanced certified accuracy by radius with its 95 % bootstrap interval over scans;
    ``largest_share`` is the share of the class predicted most often (1 for a constant predictor).
    """
    groups: dict[tuple[str, str, float], list[Record]] = {}
    for record in records:
        groups.setdefault((record["method"], record["denoiser"], record["noise_level"]), []).append(record)
    return [_row(key, rows, seed) for key, rows in groups.items()]


def _row(key: tuple[str, str, float], rows: list[Record], seed: int) -> dict[str, Any]:
    labels = np.array([row["label"] for row in rows])
    predicted = [row["predicted"] for row in rows if row["predicted"] is not None]
    right = np.array([row["predicted"] == row["label"] for row in rows])
    radius = np.array([row["radius"] for row in rows])
    clean = np.array([row["clean"] == row["label"] for row in rows])
    return {
        "method": key[0],
        "denoiser": key[1],
        "noise_level": key[2],
        "guarantee": rows[0]["guarantee"],
        "scans": len(rows),
        "clean": _balanced(clean, labels),
        "abstained": 1 - len(predicted) / len(rows),
        "largest_share": max((predicted.count(name) for name in set(predicted)), default=0) / max(1, len(predicted)),
        "certified": {f"{r:g}": _with_interval(right & (radius > r), labels, seed) for r in RADII},
    }


def _balanced(hits: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean([hits[labels == name].mean() for name in np.unique(labels)]))


def _with_interval(hits: np.ndarray, labels: np.ndarray, seed: int) -> list[float]:
    """The balanced mean, and its 2.5 and 97.5 % points when the scans of every class are drawn again."""
    generator = np.random.default_rng(seed)
    means = np.zeros(_RESAMPLES)
    names = np.unique(labels)
    for name in names:
        own = hits[labels == name]
        means += own[generator.integers(len(own), size=(_RESAMPLES, len(own)))].mean(1) / len(names)
    return [round(value, 4) for value in (_balanced(hits, labels), *np.quantile(means, (0.025, 0.975)))]


def certified_curve(records: Sequence[Record]) -> tuple[list[float], list[float]]:
    """Radii at which class-balanced certified accuracy falls, from 0 up, and the accuracy from each of them on."""
    labels = np.array([record["label"] for record in records])
    right = np.array([record["predicted"] == record["label"] for record in records])
    radius = np.array([record["radius"] for record in records])
    steps = [0.0, *sorted(set(radius[right & (radius > 0)].tolist()))]
    return steps, [_balanced(right & (radius > step), labels) for step in steps]


def write_summary(out: Path) -> list[dict[str, Any]]:
    """Add up the records of a folder into its ``summary.json``."""
    rows = summarise(whole_records(out / "records.jsonl"))
    (out / "summary.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return rows
