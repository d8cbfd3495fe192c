"""Turns a handful of scans with folder names into a prompt bank, a step at a time.

It knows nothing about pages, zips or how a step is shown.
"""

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from psmooth.denoise import find_denoiser
from psmooth.errors import TaskError
from psmooth.learning.bank import learn_from, training_targets
from psmooth.learning.config import TrainingConfig
from psmooth.learning.examples import encode_training_set
from psmooth.models import MedVLM, folder_of
from psmooth.phantoms import PHANTOMS, draw_phantom
from psmooth.prompts import PromptBank, load_bank
from psmooth.scans import Scan, crop_scan, open_scan
from psmooth.tasks import Task, own_task

Labelled = Iterable[tuple[str, Scan]]


@dataclass(frozen=True)
class TrainingProgress:
    """A course as of now: what is being done, how far it is, the losses so far, and at the end the bank's file."""

    phase: Literal["reading", "encoding", "learning", "done"]
    done: int
    planned: int
    losses: tuple[float, ...] = ()
    bank: PromptBank | None = None
    file: bytes = b""


@dataclass(frozen=True, eq=False)
class Gathered:
    """The scans to learn from: the folder of each, and its crop, ``(n, 3, size, size)`` uint8."""

    folders: tuple[str, ...]
    crops: Tensor
    phase: Literal["gathered"] = "gathered"


def gather(model: MedVLM, scans: Labelled) -> Iterator[TrainingProgress | Gathered]:
    """Read scans and cut them as the model sees them, which asks nothing of the device; the last step has them all.

    Raises:
        ScanError: as whatever reads the scans.
    """
    folders: list[str] = []
    crops: list[Tensor] = []
    for folder, scan in scans:
        folders.append(folder)
        crops.append(torch.from_numpy(crop_scan(scan, model.crop_rule).pixels.copy()))
        yield TrainingProgress("reading", len(crops), 0)
    yield Gathered(tuple(folders), torch.stack(crops))


def learn_from_scans(
    model: MedVLM, gathered: Gathered, task: Task | None, method: str, denoiser: str, shots: int = 16, seed: int = 0
) -> Iterator[TrainingProgress]:
    """Learn a bank from scans and the names of their folders.

    Args:
        task: None takes the folder names as the class names.

    Raises:
        TaskError: the folders are not the classes of the task.
        PsmoothError: as ``learn_bank`` and ``find_denoiser``.
    """
    found_denoiser = find_denoiser(denoiser, folder_of(model.spec), model.revision)
    course = TrainingConfig(method, found_denoiser, shots=shots, sharpness=4.0, seed=seed)
    found = task or own_task(sorted({_words(folder) for folder in gathered.folders}))
    labels = _labels(gathered.folders, found) if course.supervised else None
    yield from _learn(model, found, course, gathered.crops, labels)


def _learn(
    model: MedVLM, task: Task, course: TrainingConfig, crops: Tensor, labels: Tensor | None
) -> Iterator[TrainingProgress]:
    chosen, targets = training_targets(model, task, course, crops, labels)
    encoding = encode_training_set(
        model, chosen, targets, course.denoiser, course.copies, course.noise_levels, course.seed
    )
    while True:
        try:
            done, planned = next(encoding)
            yield TrainingProgress("encoding", done, planned)
        except StopIteration as end:
            lesson = end.value
            break
    losses: list[float] = []
    for step, bank in learn_from(model, task, course, lesson, model.spec.licence):
        losses.append(step.loss)
        if bank is None:
            yield TrainingProgress("learning", step.done, step.planned, tuple(losses))
        else:
            named, file = _as_file(bank)
            yield TrainingProgress("done", step.done, step.planned, tuple(losses), named, file)


def _as_file(bank: PromptBank) -> tuple[PromptBank, bytes]:
    """The bank as its file would be loaded, and the file; the folder it is written to is gone afterwards."""
    facts = bank.facts
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{facts.method}-{facts.task}-{facts.pool}-scans.safetensors"
        replace(bank).save(path)
        return load_bank(path), path.read_bytes()


def _labels(folders: Sequence[str], task: Task) -> Tensor:
    """Class numbers; a folder may be named by a class id or by the words of a class."""
    known = {_words(name): number for names in (task.class_names, task.class_ids) for number, name in enumerate(names)}
    wanted = ", ".join(task.class_ids)
    if strange := sorted({folder for folder in folders if _words(folder) not in known}):
        raise TaskError(
            "The folder '{folder}' is no class of this task. Name the folders: {wanted}.",
            folder=strange[0][:40],
            wanted=wanted,
        )
    labels = torch.tensor([known[_words(folder)] for folder in folders])
    if missing := [name for number, name in enumerate(task.class_ids) if not (labels == number).any()]:
        raise TaskError(
            "There are no scans of {missing}. Expected is a folder a class: {wanted}.",
            missing=", ".join(missing),
            wanted=wanted,
        )
    return labels


def _words(folder: str) -> str:
    return " ".join(re.sub(r"[_\-]+", " ", folder).split()).casefold()


def drawn_scans(task_id: str, each: int = 16) -> Iterator[tuple[str, Scan]]:
    """Phantoms of every class of a task, for trying out; their seeds are far from those of the gallery.

    Raises:
        TaskError: none can be drawn for this task.
    """
    if task_id not in PHANTOMS:
        raise TaskError("No scan can be drawn for this task. Choose one of: {known}.", known=", ".join(PHANTOMS))
    for class_id in PHANTOMS[task_id].class_ids:
        for seed in range(1_000, 1_000 + each):
            yield class_id, open_scan(draw_phantom(task_id, class_id, seed).pixels)
