"""Statistics of the scans that a model was trained on: how far a crop lies from those of each task.

It knows nothing about votes. `assets/pocket/kinds.py` makes the files.

The distance from a task is the sum of two squared Mahalanobis distances (Lee et al. 2018, arXiv 1807.03888): of the
clean embedding from the nearest class of the task, with one covariance for all classes, and of the crop's
`description` from the task, with a covariance of its own; each in units of what is usual in it.
"""

import json
import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from psmooth.errors import ModelError
from psmooth.models import MedVLM, folder_of
from psmooth.recognition.description import NUMBERS, describe

ENDING = ".kinds.safetensors"
MATRICES = ("class_means", "class_whitening", "task_means", "task_whitening", "units")


@dataclass(frozen=True, eq=False)
class Statistics:
    """What is known of the scans that a model was trained on.

    A whitening matrix W makes a difference d into W·d, whose squared length is its Mahalanobis distance.

    Attributes:
        tasks: their ids; ``class_tasks`` says of each class to which of them it belongs.
        class_means, class_whitening: of embeddings, ``(classes, dim)`` and ``(dim, dim)``.
        task_means, task_whitening: of descriptions, ``(tasks, NUMBERS)`` and ``(tasks, NUMBERS, NUMBERS)``.
        units: of either distance, ``(2, tasks)``.
        threshold: the largest distance that is no alarm.
    """

    tasks: tuple[str, ...]
    class_tasks: np.ndarray
    class_means: np.ndarray
    class_whitening: np.ndarray
    task_means: np.ndarray
    task_whitening: np.ndarray
    units: np.ndarray
    threshold: float

    @cached_property
    def whitened_means(self) -> np.ndarray:
        """The class means where distances are plain ones, ``(classes, dim)``."""
        return self.class_means @ self.class_whitening.T

    def distances(self, embeddings: np.ndarray, descriptions: np.ndarray) -> np.ndarray:
        """``(crops, dim)`` and ``(crops, NUMBERS)`` → ``(crops, tasks)``, in units of the threshold."""
        seen = embeddings @ self.class_whitening.T
        by_class = np.stack([np.square(seen - mean).sum(1) for mean in self.whitened_means], axis=1)
        nearest = np.stack([by_class[:, self.class_tasks == place].min(1) for place in range(len(self.tasks))], axis=1)
        pairs = zip(self.task_means, self.task_whitening, strict=True)
        described = [np.square((descriptions - mean) @ whitening.T).sum(1) for mean, whitening in pairs]
        return (nearest / self.units[0] + np.stack(described, axis=1) / self.units[1]) / self.threshold

    def distances_of(self, embedding: np.ndarray, pixels: np.ndarray) -> dict[str, float]:
        """The distance of one crop from each task; above 1 is an alarm."""
        found = self.distances(embedding[None], describe(pixels)[None])[0]
        return dict(zip(self.tasks, found.tolist(), strict=True))


def statistics_of(model: MedVLM) -> Statistics | None:
    """Those that lie beside the weights of a model; None where there are none.

    Raises:
        ModelError: the file belongs to other weights, or is damaged.
    """
    folder, names = folder_of(model.spec), model.spec.weight_files
    path = folder / (Path(names[0]).stem + ENDING) if folder is not None and names else None
    return read_statistics(path, model.revision) if path is not None and path.is_file() else None


@lru_cache(maxsize=8)
def read_statistics(path: Path, revision: str) -> Statistics:
    """The statistics in a file, for weights of that revision; raises `ModelError` for any other file."""
    try:
        revision_there, found = _read(path)
    except (OSError, SafetensorError, LookupError, ValueError, TypeError) as error:
        raise ModelError(
            "The statistics of scans beside the model are damaged. Make them again with assets/pocket/kinds.py, or "
            "take them away."
        ) from error
    if revision_there != revision:
        raise ModelError(
            "The statistics of scans beside the model belong to other weights. Make them again with "
            "assets/pocket/kinds.py, or take them away."
        )
    return found


def _read(path: Path) -> tuple[str, Statistics]:
    with safe_open(path, framework="np") as file:
        facts, names = json.loads((file.metadata() or {})["facts"]), file.keys()
        tensors = {name: file.get_tensor(name) for name in names}
    found = Statistics(
        tuple(facts["tasks"]),
        tensors["class_tasks"],
        *(tensors[name].astype(np.float64) for name in MATRICES),
        threshold=float(facts["threshold"]),
    )
    if not (all(np.isfinite(tensor).all() for tensor in tensors.values()) and 0 < found.threshold < math.inf):
        raise ValueError
    found.distances(found.class_means[:1], np.zeros((1, NUMBERS)))  # raises where sizes do not match
    return facts["revision"], found
