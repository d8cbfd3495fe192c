"""Repeats the discriminants and mirrored views of docs/tried.md: ``python docs/trials.py FOLDER`` (the data sets).

It knows nothing about test scans: class vectors come from ``train``, figures from ``val``. Without a denoiser, or
behind the one named after the folder.
"""

import random
import sys
from pathlib import Path

import torch
from torch import Tensor

from psmooth.denoise import find_denoiser
from psmooth.learning import fit_discriminants, noisy_training_set, teacher_targets
from psmooth.models import MedVLM, folder_of, load_model
from psmooth.runtime import tune_allocator
from psmooth.smoothing.labelled import pictures_in, read_crops
from psmooth.tasks import TASKS, Task

FOUR = ("blood_cells", "chest_xray", "lung_colon_histology", "brain_mri")
SHARES = {0.25: 0.875, 0.5: 0.74}  # of 1,000 votes: what certifies r = .25 at that noise level
POOL, VAL, SHOTS = 512, 64, 16


def read(folder: Path, task: Task, most: int, model: MedVLM) -> tuple[Tensor, Tensor]:
    """Crops and class numbers of ``most`` scans, evenly over classes, chosen as in ``prompts/learn.py``."""
    found = [pictures_in(folder / class_id) for class_id in task.class_ids]
    for files in found:
        random.Random(0).shuffle(files)
    found = [files[: -(-most // len(found))] for files in found]
    labels = [number for number, files in enumerate(found) for _ in files]
    return read_crops(model, [file for files in found for file in files]), torch.tensor(labels)


def embed(model: MedVLM, front: str, crops: Tensor, level: float, copies: int, seed: int) -> Tensor:
    """``(2, copies, scans, dim)``: noisy copies, and the same copies mirrored."""
    denoiser = find_denoiser(front, folder_of(model.spec), model.revision)
    generator = torch.Generator().manual_seed(seed)
    views: list[Tensor] = []
    for _ in range(copies):
        noisy = crops.float() / 255 + level * torch.randn(crops.shape, generator=generator)
        for view in (noisy, noisy.flip(3)):
            views.append(torch.cat([model.embed_images(denoiser(part, level)) for part in view.split(32)]))
    return torch.stack(views).unflatten(0, (copies, 2)).transpose(0, 1).clone()


def certified(votes: Tensor, labels: Tensor, level: float) -> float:
    """Class-balanced share of scans whose right votes ``(copies, scans)`` suffice for r = .25."""
    hits = ((votes == labels).float().mean(0) >= SHARES[level]).float()
    return float(torch.stack([hits[labels == number].mean() for number in labels.unique()]).mean())


def rows(model: MedVLM, folder: Path, task: Task, front: str, level: float) -> dict[str, float]:
    """Every row of the table for one task and noise level."""
    crops, labels = read(folder / "val", task, VAL, model)
    single, mirrored = embed(model, front, crops, level, 48, seed=1)
    pool, answers = read(folder / "train", task, POOL, model)
    eye = torch.eye(len(task.class_ids))
    few = torch.cat([(answers == number).nonzero()[:SHOTS, 0] for number in answers.unique()])
    kinds = {
        "label-free discriminant": (pool, teacher_targets(model, pool, task), 2),
        "discriminant, 16 labels a class": (pool[few], eye[answers[few]], 24),
    }
    learned = {"hand-written": model.embed_prompts(task.templates, task.class_names)}
    for name, (taught, targets, copies) in kinds.items():
        denoiser = find_denoiser(front, folder_of(model.spec), model.revision)
        examples = noisy_training_set(model, taught, targets, denoiser, copies=copies, noise_levels=(level,), seed=2)
        learned[name] = fit_discriminants(examples, 1)[0][0]
    views = {"": single, ", mean with the mirrored copy": (single + mirrored) / 2}
    return {
        name + view: certified((embeddings @ vectors.T).argmax(2), labels, level)
        for name, vectors in learned.items()
        for view, embeddings in views.items()
    }


def main() -> None:
    """The table, as Markdown: means over the four tasks."""
    tune_allocator()
    folder, front = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "none"
    model = load_model("pocket")
    tables = {level: [rows(model, folder / task, TASKS[task], front, level) for task in FOUR] for level in SHARES}
    print("| what | σ = .25 | σ = .5 |\n|---|---|---|")
    for name in tables[0.25][0]:
        means = (sum(row[name] for row in table) / len(FOUR) for table in tables.values())
        print(f"| {name} | " + " | ".join(f"{mean:.2f}" for mean in means) + " |")


if __name__ == "__main__":
    main()
