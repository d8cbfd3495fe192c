"""Learns every bank that ships: ``python prompts/learn.py FOLDER [MODEL…]`` (data sets with train and val inside).

It knows nothing about test scans. For every task, way and denoiser the candidates below are learned on ``train``; the
one that certifies most of ``val`` is kept, with its score among its facts and the crops of both splits in its pool.
Label-free ways are chosen without labels as well: what the untouched model calls the clean scan stands where the label
stands for the others. What they certify by the labels is among their facts, and chose nothing.
Seeds are fixed. Without a denoiser, probes of the plain model are also tried in closed form; behind one, descent does
as well (docs/tried.md).

Labels stand behind the label-free ways in one place: the scans of both splits are drawn evenly over the classes.
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
from psmooth.learning import (
    LADDER,
    MIXED_NOISE,
    TrainingConfig,
    TrainingSet,
    learn_bank,
    learn_from,
    noisy_training_set,
    teacher_targets,
    training_set_of,
)
from psmooth.models import MedVLM, folder_of, load_model
from psmooth.prompts import CONTEXT_METHODS, PROBE_METHODS, PromptBank, write_manifest
from psmooth.runtime import tune_allocator
from psmooth.scans.pool import pool_of
from psmooth.smoothing.labelled import pictures_in, read_crops
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


def val_copies(
    model: MedVLM, task: Task, config: TrainingConfig, folder: Path
) -> tuple[dict[float, Tensor], Tensor, Tensor]:
    """Noisy embeddings ``(copies, scans, dim)`` of ``val`` by noise level, its crops and their class numbers."""
    crops, labels = scans(folder, task, VAL, model)
    blank = torch.zeros(len(crops), len(task.class_ids))
    found = {}
    for level in SHARES:
        options = {"copies": VAL_COPIES, "noise_levels": (level,), "seed": 1}
        examples = noisy_training_set(model, crops, blank, config.denoiser, **options)  # type: ignore[arg-type]
        found[level] = examples.embeddings.view(VAL_COPIES, len(crops), -1)
    return found, crops, labels


def scored(bank: PromptBank, model: MedVLM, noisy: dict[float, Tensor], labels: Tensor) -> dict[str, float]:
    """Class-balanced share of val scans whose votes for their label suffice for r = .25, by noise level."""
    found = {}
    for level, embeddings in noisy.items():
        vectors = bank.class_vectors(model, level)
        right = ((embeddings @ vectors.T).argmax(2) == labels).float().mean(0)
        hits = (right >= SHARES[level]).float()
        balanced = torch.stack([hits[labels == number].mean() for number in labels.unique()]).mean()
        found[f"val_certified_at_0.25_noise_{level:g}"] = round(float(balanced), 3)
    return {**found, "val_scans": len(labels)}


def candidates(
    model: MedVLM, task: Task, config: TrainingConfig, crops: Tensor, labels: Tensor
) -> Iterator[PromptBank]:
    """A bank for every candidate; one training set serves those of the same noise levels."""
    sets: dict[tuple[float, ...], TrainingSet] = {}
    for levels, sharpness in CANDIDATES:
        one = replace(config, noise_levels=levels, sharpness=sharpness)
        if levels not in sets:
            sets[levels] = training_set_of(model, task, one, crops, labels)
        yield from (bank for _, bank in learn_from(model, task, one, sets[levels]) if bank is not None)


def discriminant(model: MedVLM, task: Task, config: TrainingConfig, crops: Tensor, labels: Tensor) -> PromptBank:
    """The candidate in closed form."""
    one = replace(config, noise_levels=LADDER, copies=CLOSED_FORM_COPIES[config.method], closed_form=True)
    *_, (_, bank) = learn_bank(model, task, one, crops, labels)
    assert bank is not None
    return bank


def learn_all(folder: Path, model: MedVLM, task: Task, denoiser: str) -> None:
    """The four banks of a task behind a denoiser."""
    found_denoiser = find_denoiser(denoiser, folder_of(model.spec), model.revision)
    crops, labels = scans(folder / "train", task, POOL, model)
    noisy, val, truth = val_copies(model, task, TrainingConfig("few_shot", found_denoiser), folder / "val")
    chosen_on, answers = pool_of(val), teacher_targets(model, val, task).argmax(1)
    for method in (*CONTEXT_METHODS, *PROBE_METHODS):
        config, tried = TrainingConfig(method, found_denoiser), []
        wanted = truth if config.supervised else answers
        found = candidates(model, task, config, crops, labels)
        if method in PROBE_METHODS and (model.spec.id, denoiser) == FRONTS[0]:
            more = scans(folder / "train", task, CLOSED_FORM_POOL, model)
            pool = (crops, labels) if config.supervised else more
            found = chain(found, [discriminant(model, task, config, *pool)])
        for bank in found:
            facts = replace(bank.facts, scores=scored(bank, model, noisy, truth))
            assert bank.pool is not None
            tried.append(replace(bank, facts=facts, pool=bank.pool | chosen_on))
        best = max(tried, key=lambda bank: sum(scored(bank, model, noisy, wanted).values()))
        best.save(HERE / f"{model.spec.id}-{task.id}-{method}-{denoiser}.safetensors")
        facts = best.facts
        print(task.id, denoiser, method, facts.noise_levels, facts.sharpness, facts.scores, flush=True)


def main() -> None:
    """Every bank of every pocket task, of all models or those named, and the manifest."""
    tune_allocator()
    folder, wanted = Path(sys.argv[1]), sys.argv[2:]
    for name, denoiser in FRONTS:
        model = load_model(name)
        for task_id in model.spec.task_ids if not wanted or name in wanted else ():
            learn_all(folder / task_id, model, TASKS[task_id], denoiser)
    write_manifest(HERE)


if __name__ == "__main__":
    main()
