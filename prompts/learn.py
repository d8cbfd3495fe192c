"""Learns every bank that ships: ``python prompts/learn.py FOLDER [MODEL…]`` (data sets with train and val inside).

It knows nothing about test scans. For every task, way and denoiser the candidates below are learned on ``train``; the
one that certifies most of ``val`` is kept, with its score among its facts and the crops of both splits in its pool.
Label-free ways are chosen without labels as well: by the val scans on which enough noisy copies are called what the
untouched model calls the clean scan. What they certify by the labels stands among their facts, and chose nothing.
Seeds are fixed. Without a denoiser, probes of the plain model are also tried in closed form; behind one, descent does
as well (docs/tried.md).

Labels stand behind the label-free ways in one place: pools, and the val scans, are drawn evenly over the classes.
"""

import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, product
from pathlib import Path

import torch
from torch import Tensor

from psmooth.denoise import find_denoiser
from psmooth.evaluate import pictures_in, read_crops
from psmooth.learning import (
    LADDER,
    MIXED_NOISE,
    Course,
    Lesson,
    learn_bank,
    learn_from,
    lesson_of,
    noisy_lesson,
    teacher_targets,
)
from psmooth.models import MedVLM, folder_of, load_model
from psmooth.pools import pool_of
from psmooth.prompts import CONTEXT_METHODS, PROBE_METHODS, PromptBank, write_manifest
from psmooth.runtime import settle
from psmooth.tasks import TASKS, Task

HERE = Path(__file__).resolve().parent
FRONTS = (("pocket", "none"), ("pocket", "learned"), ("pocket-noisy", "none"))
POOL, VAL = 256, 64  # scans of a task, evenly over classes
CANDIDATES = tuple(product((MIXED_NOISE, (0.25, 0.5)), (1.0, 4.0, 8.0)))  # noise levels, sharpness
CLOSED_FORM_COPIES = {"linear_probe": 12, "label_free_probe": 2}
CLOSED_FORM_POOL = 512
VAL_COPIES = 64
SHARES = {0.25: 0.875, 0.5: 0.74}  # of 1,000 votes: what certifies r = .25 at that noise level


def scans(folder: Path, task: Task, most: int, model: MedVLM) -> tuple[Tensor, Tensor]:
    """Crops and class numbers of ``most`` scans, chosen at random with a fixed seed."""
    files: list[Path] = []
    labels: list[int] = []
    for number, class_id in enumerate(task.class_ids):
        found = pictures_in(folder / class_id)
        random.Random(0).shuffle(found)
        chosen = found[: -(-most // len(task.class_ids))]
        files, labels = files + chosen, labels + [number] * len(chosen)
    return read_crops(model, files), torch.tensor(labels)


def val_copies(model: MedVLM, crops: Tensor, task: Task, course: Course) -> dict[float, Tensor]:
    """Noisy embeddings ``(copies, scans, dim)`` by noise level."""
    blank = torch.zeros(len(crops), len(task.class_ids))
    found = {}
    for level in SHARES:
        options = {"copies": VAL_COPIES, "noise_levels": (level,), "seed": 1}
        lesson = noisy_lesson(model, crops, blank, course.denoiser, **options)  # type: ignore[arg-type]
        found[level] = lesson.embeddings.view(VAL_COPIES, len(crops), -1)
    return found


def scored(bank: PromptBank, model: MedVLM, noisy: dict[float, Tensor], named: Tensor, what: str) -> dict[str, float]:
    """Share of val scans, balanced over ``named`` classes, with votes enough for those at r = .25, by noise level."""
    found = {}
    for level, embeddings in noisy.items():
        vectors = bank.class_vectors(model, level)
        share = ((embeddings @ vectors.T).argmax(2) == named).float().mean(0)
        hits = (share >= SHARES[level]).float()
        balanced = torch.stack([hits[named == number].mean() for number in named.unique()]).mean()
        found[f"{what}_at_0.25_noise_{level:g}"] = round(float(balanced), 3)
    return found


def candidates(model: MedVLM, task: Task, course: Course, crops: Tensor, labels: Tensor) -> Iterator[PromptBank]:
    """A bank for every candidate; one lesson serves those of the same noise levels."""
    lessons: dict[tuple[float, ...], Lesson] = {}
    for levels, sharpness in CANDIDATES:
        one = replace(course, noise_levels=levels, sharpness=sharpness)
        if levels not in lessons:
            lessons[levels] = lesson_of(model, task, one, crops, labels)
        yield from (bank for _, bank in learn_from(model, task, one, lessons[levels]) if bank is not None)


def discriminant(model: MedVLM, task: Task, course: Course, crops: Tensor, labels: Tensor) -> PromptBank:
    """The candidate in closed form."""
    one = replace(course, noise_levels=LADDER, copies=CLOSED_FORM_COPIES[course.method], closed_form=True)
    *_, (_, bank) = learn_bank(model, task, one, crops, labels)
    assert bank is not None
    return bank


def learn_all(folder: Path, model: MedVLM, task: Task, denoiser: str) -> None:
    """The four banks of a task behind a denoiser."""
    front = find_denoiser(denoiser, folder_of(model.spec), model.revision)
    crops, labels = scans(folder / "train", task, POOL, model)
    val, truth = scans(folder / "val", task, VAL, model)
    noisy = val_copies(model, val, task, Course("few_shot", front))
    taught = teacher_targets(model, val, task).argmax(1)
    for method in (*CONTEXT_METHODS, *PROBE_METHODS):
        course, tried = Course(method, front), []  # with how good each is
        found = candidates(model, task, course, crops, labels)
        if method in PROBE_METHODS and (model.spec.id, denoiser) == FRONTS[0]:
            more = scans(folder / "train", task, CLOSED_FORM_POOL, model)
            pool = (crops, labels) if course.supervised else more
            found = chain(found, [discriminant(model, task, course, *pool)])
        for bank in found:
            right = scored(bank, model, noisy, truth, "val_certified")
            agreed = {} if course.supervised else scored(bank, model, noisy, taught, "val_agreement")
            facts = replace(bank.facts, scores={**agreed, **right, "val_scans": len(val)})
            assert bank.pool is not None
            tried.append((sum((agreed or right).values()), replace(bank, facts=facts, pool=bank.pool | pool_of(val))))
        best = max(tried, key=lambda pair: pair[0])[1]
        best.save(HERE / f"{model.spec.id}-{task.id}-{method}-{denoiser}.safetensors")
        facts = best.facts
        print(task.id, denoiser, method, facts.noise_levels, facts.sharpness, facts.scores, flush=True)


def main() -> None:
    """Every bank of every pocket task, of all models or those named, and the manifest."""
    settle()
    folder, wanted = Path(sys.argv[1]), sys.argv[2:]
    for name, denoiser in FRONTS:
        model = load_model(name)
        for task_id in model.spec.task_ids if not wanted or name in wanted else ():
            learn_all(folder / task_id, model, TASKS[task_id], denoiser)
    write_manifest(HERE)


if __name__ == "__main__":
    main()
