"""Gathers pictures whose class is known: drawn ones, and a folder of labelled scans.

It knows nothing about what a model answers.
"""

from pathlib import Path

import torch
from torch import Tensor

from psmooth.errors import ScanError
from psmooth.model_check.answers import Pictures, Question
from psmooth.models import MedVLM
from psmooth.phantoms import PHANTOMS, draw_phantom
from psmooth.recognition import KINDS
from psmooth.scans import crop_scan, open_scan
from psmooth.smoothing.labelled import labelled_files, look_over, read_crops
from psmooth.tasks import TASKS, Task

_EACH = 4  # phantoms of a class, for a task that the model suits; one for any other, which shows a kind of picture


def phantom_crop(model: MedVLM, task: str, class_id: str, seed: int) -> Tensor:
    """A phantom as the model sees it, ``(3, size, size)`` uint8."""
    scan = open_scan(draw_phantom(task, class_id, seed).pixels)
    return torch.from_numpy(crop_scan(scan, model.crop_rule).pixels.copy())


def phantom_tasks(model: MedVLM) -> list[str]:
    """The tasks with phantoms that the model suits; all of them where nobody says which."""
    return [task for task in PHANTOMS if task in model.spec.task_ids] or list(PHANTOMS)


def drawn(model: MedVLM) -> Pictures:
    """Phantoms of every task, with the questions of those that the model suits, and which kind of picture each is."""
    asked, crops, truth = phantom_tasks(model), [], []
    for task, kind in PHANTOMS.items():
        for class_id in kind.class_ids:
            for seed in range(_EACH if task in asked else 1):
                crops.append(phantom_crop(model, task, class_id, seed))
                truth.append((task, class_id))
    return Pictures(torch.stack(crops), (_kinds(truth), *(_question(TASKS[task], truth) for task in asked)))


def _kinds(truth: list[tuple[str, str]]) -> Question:
    kinds = {kind.modality: kind.prompts for kind in KINDS.values() if kind.modality}
    labels = [list(kinds).index(TASKS[task].modality) for task, _ in truth]
    return Question("kind of picture", tuple(kinds.values()), torch.tensor(labels), torch.arange(len(labels)))


def _question(task: Task, truth: list[tuple[str, str]]) -> Question:
    """The question of a task, about those of the pictures that are its own."""
    places = [place for place, (own, _) in enumerate(truth) if own == task.id]
    labels = [task.class_ids.index(truth[place][1]) for place in places]
    return Question(task.id, _prompts(task), torch.tensor(labels), torch.tensor(places))


def _prompts(task: Task) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(text.replace("{}", name) for text in task.templates) for name in task.class_names)


def tasks_of_folder(folder: Path) -> dict[str, Path]:
    """By task id, the folder that has a sub-folder of scans for each of its classes: this one, or those in it.

    Raises:
        ScanError: it is no folder, or holds neither the classes of one task nor folders named as tasks.
    """
    names = {place.name for place in folder.iterdir() if place.is_dir()} if folder.is_dir() else set()
    if inside := names & TASKS.keys():
        return {task: folder / task for task in sorted(inside)}
    if alone := [task.id for task in TASKS.values() if set(task.class_ids) == names]:
        return {alone[0]: folder}
    raise ScanError(
        "--scans needs a folder with a sub-folder for each class of one task, named as its class ids, or with such "
        "folders named as tasks. Tasks: {tasks}.",
        tasks=", ".join(TASKS),
    )


def labelled(model: MedVLM, tasks: dict[str, Path], most: int) -> Pictures:
    """The scans of these tasks, at most so many of each; what cannot be read is passed over.

    Raises:
        ScanError: a class without scans, or the same picture under two classes.
    """
    crops, truth = [], []
    for task, folder in tasks.items():
        found = look_over(model, folder, labelled_files(folder, TASKS[task], most, seed=0))
        crops.append(read_crops(model, [file for file, _ in found.files]))
        truth += [(task, label) for _, label in found.files]
    return Pictures(torch.cat(crops), tuple(_question(TASKS[task], truth) for task in tasks))
