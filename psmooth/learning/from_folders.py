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
from psmooth.learning.config import LADDER, MIXED_NOISE, TrainingConfig
from psmooth.learning.examples import encode_training_set
from psmooth.learning.held_out import HeldOut, Scores, Shortage, different_pictures, held_out_rows
from psmooth.methods import SUPERVISED_METHODS
from psmooth.models import MedVLM, folder_of
from psmooth.phantoms import PHANTOMS, draw_phantom
from psmooth.prompts import PromptBank, load_bank
from psmooth.scans import Scan, crop_scan, open_scan
from psmooth.tasks import Task, own_task

Labelled = Iterable[tuple[str, Scan]]


@dataclass(frozen=True)
class TrainingProgress:
    """A config as of now: what is being done, how far it is, the losses so far, and at the end the bank and its file.

    ``scores`` are of the scans that were held out; a ``shortage`` says why there are none.
    """

    phase: Literal["reading", "encoding", "learning", "scoring", "done"]
    done: int
    planned: int
    losses: tuple[float, ...] = ()
    bank: PromptBank | None = None
    file: bytes = b""
    scores: Scores | None = None
    shortage: Shortage | None = None


@dataclass(frozen=True, eq=False)
class Gathered:
    """The scans that were read: the folder of each, its crop, ``(n, 3, size, size)`` uint8, and the crop's sha256."""

    folders: tuple[str, ...]
    crops: Tensor
    pictures: tuple[str, ...]
    phase: Literal["gathered"] = "gathered"


def gather(model: MedVLM, scans: Labelled) -> Iterator[TrainingProgress | Gathered]:
    """Read scans and cut them as the model sees them, which asks nothing of the device; the last step has them all.

    Raises:
        ScanError: as whatever reads the scans.
    """
    folders: list[str] = []
    crops: list[Tensor] = []
    pictures: list[str] = []
    for folder, scan in scans:
        crop = crop_scan(scan, model.crop_rule)
        folders.append(folder)
        crops.append(torch.from_numpy(crop.pixels.copy()))
        pictures.append(crop.sha256)
        yield TrainingProgress("reading", len(crops), 0)
    yield Gathered(tuple(folders), torch.stack(crops), tuple(pictures))


def hold_out(gathered: Gathered, task: Task | None, method: str, seed: int = 0) -> tuple[Gathered, HeldOut | Shortage]:
    """The scans to learn from, and those that are kept from it where their classes are known and there are enough.

    Raises:
        TaskError: as ``classes_of``.
    """
    found, labels = classes_of(gathered.folders, task, method)
    labels = _named(gathered.folders, found) if labels is None else labels
    if labels is None:
        return gathered, Shortage()
    numbers, classes = labels.tolist(), len(found.class_ids)
    rows = held_out_rows(gathered.pictures, numbers, classes, seed)
    if not rows:
        counts = list(map(len, different_pictures(gathered.pictures, numbers, classes)))
        return gathered, Shortage(found.class_names[counts.index(min(counts))], min(counts))
    seen = {gathered.pictures[row] for row in rows}
    left = [row for row, picture in enumerate(gathered.pictures) if picture not in seen]
    folders, pictures = ([values[row] for row in left] for values in (gathered.folders, gathered.pictures))
    held = HeldOut(gathered.crops[rows], tuple(numbers[row] for row in rows))
    return Gathered(tuple(folders), gathered.crops[left], tuple(pictures)), held


def learn_from_scans(
    model: MedVLM,
    gathered: Gathered,
    task: Task | None,
    method: str,
    denoiser: str,
    shots: int = 16,
    seed: int = 0,
    closed_form: bool = False,
) -> Iterator[TrainingProgress]:
    """Learn a bank from scans and the names of their folders.

    Args:
        task: None takes the folder names as the class names.
        closed_form: fit a probe as a discriminant, in no steps.

    Raises:
        TaskError: the folders are not the classes of the task.
        PsmoothError: as ``learn_bank`` and ``find_denoiser``.
    """
    found_denoiser = find_denoiser(denoiser, folder_of(model.spec), model.revision)
    levels = LADDER if closed_form else MIXED_NOISE
    options = {"shots": shots, "sharpness": 4.0, "seed": seed, "closed_form": closed_form}
    config = TrainingConfig(method, found_denoiser, levels, **options)  # type: ignore[arg-type]
    found, labels = classes_of(gathered.folders, task, method)
    yield from _learn(model, found, config, gathered.crops, labels)


def _learn(
    model: MedVLM, task: Task, config: TrainingConfig, crops: Tensor, labels: Tensor | None
) -> Iterator[TrainingProgress]:
    chosen, targets = training_targets(model, task, config, crops, labels)
    encoding = encode_training_set(
        model, chosen, targets, config.denoiser, config.copies, config.noise_levels, config.seed
    )
    while True:
        try:
            done, planned = next(encoding)
            yield TrainingProgress("encoding", done, planned)
        except StopIteration as end:
            examples = end.value
            break
    losses: list[float] = []
    for step, bank in learn_from(model, task, config, examples, model.spec.licence):
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


def classes_of(folders: Sequence[str], task: Task | None, method: str) -> tuple[Task, Tensor | None]:
    """The question that the folders of scans belong to, and the class number of each where the method needs labels.

    A folder may be named by a class id or by the words of a class. Without a task the names of the folders are those of
    the classes, as they are written. It can be asked before a scan is read.

    Raises:
        TaskError: the folders are not the classes of the task, or there are none where they are needed.
    """
    found = task
    if found is None:
        if not all(folders):
            raise TaskError(
                "The scans in the zip lie in no folder, so nothing names the classes. Put them into one folder for "
                "each class, named as the class, or write the class names first."
            )
        found = own_task(sorted({_words(folder): folder for folder in reversed(folders)}.values(), key=_words))
    return found, _labels(folders, found) if method in SUPERVISED_METHODS else None


def _labels(folders: Sequence[str], task: Task) -> Tensor:
    known, wanted = _numbers(task), ", ".join(task.class_names)
    if not all(folders):
        raise TaskError(
            "Scans in the zip lie in no folder, and this way to learn needs labels. Put every scan into the folder of "
            "its class: {wanted}.",
            wanted=wanted,
        )
    if strange := sorted({folder for folder in folders if _words(folder) not in known}):
        raise TaskError(
            "The folder '{folder}' is no class of this task. Name the folders: {wanted}.",
            folder=strange[0][:40],
            wanted=wanted,
        )
    labels = torch.tensor([known[_words(folder)] for folder in folders])
    if missing := [name for number, name in enumerate(task.class_names) if not (labels == number).any()]:
        raise TaskError(
            "There are no scans of {missing}. Expected is a folder a class: {wanted}.",
            missing=", ".join(missing),
            wanted=wanted,
        )
    return labels


def _named(folders: Sequence[str], task: Task) -> Tensor | None:
    """Class numbers where every folder happens to name a class, and every class has one."""
    known = _numbers(task)
    numbers = [known.get(_words(folder), -1) for folder in folders]
    return torch.tensor(numbers) if {*numbers} == {*range(len(task.class_ids))} else None


def _numbers(task: Task) -> dict[str, int]:
    return {_words(name): number for names in (task.class_names, task.class_ids) for number, name in enumerate(names)}


def _words(folder: str) -> str:
    """What a name is known by, however it is written."""
    return " ".join(re.sub(r"[_\-]+", " ", folder).split()).casefold()


def drawn_scans(task_id: str, each: int = 20) -> Iterator[tuple[str, Scan]]:
    """Phantoms of every class of a task, for trying out; their seeds are far from those of the gallery.

    Raises:
        TaskError: none can be drawn for this task.
    """
    if task_id not in PHANTOMS:
        raise TaskError("No scan can be drawn for this task. Choose one of: {known}.", known=", ".join(PHANTOMS))
    for class_id in PHANTOMS[task_id].class_ids:
        for seed in range(1_000, 1_000 + each):
            yield class_id, open_scan(draw_phantom(task_id, class_id, seed).pixels)
