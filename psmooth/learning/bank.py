"""Turns crops, and labels where they are needed, into a prompt bank, step by step.

It knows nothing about files, pages or certificates.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import torch
from torch import Tensor

from psmooth.denoise import without_mirror
from psmooth.errors import BankError
from psmooth.learning.config import Step, TrainingConfig
from psmooth.learning.descent import learn_class_vectors, learn_context
from psmooth.learning.discriminant import fit_discriminants
from psmooth.learning.examples import TrainingSet, noisy_training_set, teacher_targets
from psmooth.methods import CONTEXT_METHODS, PROBE_METHODS
from psmooth.models import MedVLM
from psmooth.prompts import BankFacts, PromptBank
from psmooth.tasks import Task


def learn_bank(
    model: MedVLM, task: Task, config: TrainingConfig, crops: Tensor, labels: Tensor | None, licence: str = "Apache-2.0"
) -> Iterator[tuple[Step, PromptBank | None]]:
    """Learn a prompt bank; the last step carries it.

    Args:
        crops: ``(n, 3, size, size)`` uint8.
        labels: ``(n,)`` class numbers, needed by ``few_shot`` and ``linear_probe``, unused by the others.

    Raises:
        BankError: labels are missing, the method learns nothing, or a closed form lacks examples of a class.
    """
    yield from learn_from(model, task, config, training_set_of(model, task, config, crops, labels), licence)


def training_set_of(
    model: MedVLM, task: Task, config: TrainingConfig, crops: Tensor, labels: Tensor | None
) -> TrainingSet:
    """The examples of a configuration; those that differ in method or descent alone can share one training set."""
    chosen, targets = training_targets(model, task, config, crops, labels)
    options = {"copies": config.copies, "noise_levels": config.noise_levels, "seed": config.seed}
    return noisy_training_set(model, chosen, targets, config.denoiser, **options)  # type: ignore[arg-type]


def training_targets(
    model: MedVLM, task: Task, config: TrainingConfig, crops: Tensor, labels: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The crops that a configuration uses, and what each shall be called ``(n, classes)``; raises as ``learn_bank``."""
    if config.method not in (*CONTEXT_METHODS, *PROBE_METHODS):
        raise BankError(
            "'{method}' learns no bank; it must be one of few_shot, label_free, or their probes.", method=config.method
        )
    if config.closed_form and config.method not in PROBE_METHODS:
        raise BankError("'{method}' is learned by steps; only probes have a closed form.", method=config.method)
    if config.supervised and labels is None:
        raise BankError("'{method}' needs labels: one sub-folder of scans for every class.", method=config.method)
    crops, targets = _taught(model, task, config, crops, labels)
    if config.closed_form and not targets.sum(0).min() > 0:
        raise BankError(
            "A closed form needs examples of every class, and a class has none; add scans of it, or learn by steps."
        )
    return crops, targets


def _taught(
    model: MedVLM, task: Task, config: TrainingConfig, crops: Tensor, labels: Tensor | None
) -> tuple[Tensor, Tensor]:
    if labels is None or not config.supervised:
        return crops, teacher_targets(model, crops, task)
    chosen = _few(labels, config)
    return crops[chosen], torch.eye(len(task.class_ids))[labels[chosen]]


def learn_from(
    model: MedVLM, task: Task, config: TrainingConfig, examples: TrainingSet, licence: str = "Apache-2.0"
) -> Iterator[tuple[Step, PromptBank | None]]:
    """Learn a bank from a training set that is already encoded; the last step carries it."""
    if config.closed_form:
        vectors, loss = fit_discriminants(examples, len(config.noise_levels))
        yield Step(1, 1, loss), _bank(model, task, config, Step(0, 0, loss), vectors, examples, licence)
        return
    learn = learn_context if config.method in CONTEXT_METHODS else learn_class_vectors
    for step, vectors in learn(model, task, examples, steps=config.steps, sharpness=config.sharpness, seed=config.seed):
        done = step.done == step.planned
        yield step, _bank(model, task, config, step, vectors, examples, licence) if done else None


def _few(labels: Tensor, config: TrainingConfig) -> Tensor:
    """The rows of ``shots`` scans of every class, drawn by the seed."""
    generator = torch.Generator().manual_seed(config.seed)
    rows = [(labels == number).nonzero()[:, 0] for number in labels.unique()]
    return torch.cat([row[torch.randperm(len(row), generator=generator)[: config.shots]] for row in rows])


def _bank(
    model: MedVLM, task: Task, config: TrainingConfig, step: Step, vectors: Tensor, examples: TrainingSet, licence: str
) -> PromptBank:
    facts = BankFacts(
        method=config.method,
        model=model.spec.id,
        model_revision=model.revision,
        task=task.id,
        class_ids=task.class_ids,
        class_names=task.class_names,
        template=task.templates[0],
        denoiser=without_mirror(config.denoiser.id),
        denoiser_sha256=config.denoiser.sha256,
        noise_levels=config.noise_levels,
        shots=config.shots if config.supervised else None,
        pool=len(examples.embeddings) // (config.copies * len(config.noise_levels)),
        seed=config.seed,
        steps=step.planned,
        sharpness=config.sharpness,
        final_loss=round(step.loss, 5),
        scores={},
        licence=licence,
        created=datetime.now(UTC).date().isoformat(),
    )
    return PromptBank(facts, vectors, pool=examples.pool)
