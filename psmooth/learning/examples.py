"""Gathers what prompts and class vectors are learned from: embeddings of noisy copies, and their targets.

It knows nothing about how anything is learned from them.

The image encoder runs once per noisy copy, never per step. A learner's noise is drawn in floats: nothing it sees is
certified.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from psmooth.denoise import Denoiser
from psmooth.learning.config import MIXED_NOISE
from psmooth.models import MedVLM
from psmooth.scans.pool import pool_of
from psmooth.tasks import Task


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """What is learned from: noisy embeddings ``(n, dim)`` and for each a distribution over classes ``(n, classes)``.

    ``pool``: the sha256 of the crops that were encoded; None if nobody knows.
    """

    embeddings: Tensor
    targets: Tensor
    pool: frozenset[str] | None = None


def noisy_training_set(
    model: MedVLM,
    crops: Tensor,
    targets: Tensor,
    denoiser: Denoiser,
    *,
    copies: int = 4,
    noise_levels: Sequence[float] = MIXED_NOISE,
    seed: int = 0,
) -> TrainingSet:
    """Encode ``copies`` noisy copies of every crop at every noise level, once.

    Args:
        crops: ``(n, 3, size, size)`` uint8.
        targets: ``(n, classes)``, a distribution for each crop.
    """
    encoding = encode_training_set(model, crops, targets, denoiser, copies, noise_levels, seed)
    while True:
        try:
            next(encoding)
        except StopIteration as end:
            return end.value


def encode_training_set(
    model: MedVLM,
    crops: Tensor,
    targets: Tensor,
    denoiser: Denoiser,
    copies: int,
    noise_levels: Sequence[float],
    seed: int,
) -> Generator[tuple[int, int], None, TrainingSet]:
    """As ``noisy_training_set``, a batch at a time: yields copies encoded and planned, and returns the training set."""
    generator = torch.Generator().manual_seed(seed)
    found: list[Tensor] = []
    planned = len(noise_levels) * copies * len(crops)
    for level, _, part in product(noise_levels, range(copies), crops.split(32)):
        clean = part.float() / 255
        noisy = clean + level * torch.randn(clean.shape, generator=generator)
        found.append(model.embed_images(denoiser(noisy.contiguous(memory_format=torch.channels_last), level)))
        yield min(planned, 32 * len(found)), planned
    repeated = targets.to(model.device).repeat(len(noise_levels) * copies, 1)
    return TrainingSet(torch.cat(found).clone(), repeated, pool_of(crops))


def teacher_targets(model: MedVLM, crops: Tensor, task: Task) -> Tensor:
    """What the untouched model says of clean crops under hand-written prompts, ``(n, classes)``: no label is used."""
    vectors = model.embed_prompts(task.templates, task.class_names)
    clean = torch.cat([model.embed_images(part.float() / 255) for part in crops.split(32)])
    return (model.logit_scale * clean @ vectors.T).softmax(1).clone()
