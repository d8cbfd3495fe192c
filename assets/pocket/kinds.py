"""The recipe of the statistics by which a pocket model's scans are recognised: ``train`` and ``val`` → a small file.

It knows nothing about certificates. FOLDER holds ``task/split/class/scan.jpg``:

    python assets/pocket/kinds.py FOLDER            # pocket.kinds.safetensors and pocket-noisy.kinds.safetensors

How well they do on ``test``, and on pictures that are no scans: ``python -m tests.recognition FOLDER WHEELS``.
"""

import argparse
import json
import math
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from psmooth.models import MedVLM, load_model
from psmooth.recognition.description import describe
from psmooth.recognition.statistics import ENDING, MATRICES, Statistics
from psmooth.scans import CropRule, crop_scan, open_scan

HERE = Path(__file__).resolve().parent
MOST = 400  # scans of a task and split that are used, drawn at random
LEVEL = 0.0125  # the share of scans like those of ``val`` that may raise an alarm
SHRINKAGE = 0.03  # of the covariance of embeddings, towards a sphere
POOLED = 0.1  # of the covariance of a task's descriptions, towards the mean over the tasks


@dataclass(frozen=True, eq=False)
class Scans:
    """Crops in both forms, with the task of each and the task and class of each."""

    embeddings: np.ndarray
    descriptions: np.ndarray
    tasks: np.ndarray
    labels: np.ndarray

    def __getitem__(self, chosen: np.ndarray) -> "Scans":
        return Scans(self.embeddings[chosen], self.descriptions[chosen], self.tasks[chosen], self.labels[chosen])


def read_crops(folder: Path, split: str, rule: CropRule, most: int | None = None) -> tuple[np.ndarray, list[str]]:
    """``(scans, 3, size, size)`` uint8 and ``task/class`` of each; at most so many of a task, drawn at random."""
    chosen: list[Path] = []
    draw = np.random.default_rng(0)
    for task in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted((task / split).glob("*/*"))
        order = range(len(files)) if most is None else draw.permutation(len(files))[:most]
        chosen += [files[place] for place in order]
    labels = [f"{path.parts[-4]}/{path.parts[-2]}" for path in chosen]
    return np.stack([crop_scan(open_scan(path), rule).pixels for path in chosen]), labels


def look_at(model: MedVLM, crops: np.ndarray, labels: list[str]) -> Scans:
    """The clean embedding and the description of every crop."""
    batches = (torch.from_numpy(crops[start : start + 64]).float() / 255 for start in range(0, len(crops), 64))
    embeddings = np.concatenate([model.embed_images(batch).cpu().numpy() for batch in batches]).astype(np.float64)
    tasks = np.array([label.split("/")[0] for label in labels])
    return Scans(embeddings, np.stack([describe(crop) for crop in crops]), tasks, np.array(labels))


def fit(train: Scans, val: Scans) -> Statistics:
    """Means and covariances of ``train``, units that are 99th percentiles on ``val``, and the threshold."""
    tasks, labels = np.unique(train.tasks), np.unique(train.labels)
    class_tasks = np.array([list(tasks).index(label.split("/")[0]) for label in labels])
    class_means = np.stack([train.embeddings[train.labels == label].mean(0) for label in labels])
    scatter = [_covariance(train.embeddings[train.labels == label]) for label in labels]
    shared = np.mean(scatter, axis=0)
    sphere = np.trace(shared) / len(shared) * np.eye(len(shared))
    by_task = [train.descriptions[train.tasks == task] for task in tasks]
    floor = np.diag(0.01 * np.var(train.descriptions, axis=0) + 1e-12)
    spreads = [_covariance(rows) for rows in by_task]
    pooled = np.mean(spreads, axis=0)
    raw = Statistics(
        tuple(tasks),
        class_tasks,
        class_means,
        _whitening((1 - SHRINKAGE) * shared + SHRINKAGE * sphere),
        np.stack([rows.mean(0) for rows in by_task]),
        np.stack([_whitening((1 - POOLED) * spread + POOLED * pooled + floor) for spread in spreads]),
        np.ones((2, 1)),
        1.0,
    )
    return _calibrated(_rounded(_in_usual_units(raw, val)), val)


def _covariance(rows: np.ndarray) -> np.ndarray:
    return np.cov(rows.T, bias=True)


def _whitening(covariance: np.ndarray) -> np.ndarray:
    """W with W·covariance·Wᵀ = 1."""
    return np.linalg.inv(np.linalg.cholesky(covariance))


def _in_usual_units(raw: Statistics, val: Scans) -> Statistics:
    """Both halves of the distance divided by what 99 in 100 scans stay below: of all, and of the task."""
    embedded = replace(raw, units=np.array([[1.0], [np.inf]]))  # one half without the other
    described = replace(raw, units=np.array([[np.inf], [1.0]])).distances(val.embeddings, val.descriptions)
    of_all = np.quantile(_nearest(embedded, val), 0.99)
    of_tasks = [np.quantile(described[val.tasks == task, place], 0.99) for place, task in enumerate(raw.tasks)]
    return replace(raw, units=np.stack([np.full(len(of_tasks), of_all), of_tasks]))


def _rounded(exact: Statistics) -> Statistics:
    """As the file has them, so that the threshold is that of what is read from it."""
    rounded = {name: getattr(exact, name).astype(KEPT_AS[name]).astype(np.float64) for name in MATRICES}
    return replace(exact, **rounded)


KEPT_AS = {name: np.float32 if name in ("task_means", "units") else np.float16 for name in MATRICES}


def _nearest(statistics: Statistics, scans: Scans) -> np.ndarray:
    return statistics.distances(scans.embeddings, scans.descriptions).min(1)


def _calibrated(statistics: Statistics, val: Scans) -> Statistics:
    """With the split-conformal threshold: a new scan like those of ``val`` is beyond it with at most `LEVEL`."""
    found = np.sort(_nearest(statistics, val))
    return replace(statistics, threshold=float(found[math.ceil((len(found) + 1) * (1 - LEVEL)) - 1]))


def write(statistics: Statistics, revision: str, path: Path) -> None:
    """Write the file that `psmooth.recognition` reads."""
    tensors = {name: getattr(statistics, name).astype(KEPT_AS[name]) for name in MATRICES}
    tensors["class_tasks"] = statistics.class_tasks.astype(np.uint8)
    facts = {"revision": revision, "tasks": statistics.tasks, "threshold": statistics.threshold}
    save_file(tensors, path, {"facts": json.dumps(facts)})  # one entry: several would be written in any order


def make(name: str, folder: Path) -> None:
    """The file of one model."""
    model = load_model(name, "cpu")
    train, val = (look_at(model, *read_crops(folder, split, model.crop_rule, MOST)) for split in ("train", "val"))
    write(fit(train, val), model.revision, HERE / (name + ENDING))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    with ProcessPoolExecutor(2) as at_once:
        list(at_once.map(make, ("pocket", "pocket-noisy"), [parser.parse_args().folder] * 2))


if __name__ == "__main__":
    main()
