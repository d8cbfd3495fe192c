"""Learns context and class vectors by gradient, on cached embeddings.

It knows nothing about scans, files or pages.

PromptSmooth: Hussein, Shamshad, Naseer & Nandakumar 2024 (arXiv 2408.16769).
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from psmooth.learning.config import Step
from psmooth.learning.examples import TrainingSet
from psmooth.models import MedVLM
from psmooth.tasks import Task

_RATE, _BATCH = 5e-3, 256  # of prompts and class vectors


def learn_context(
    model: MedVLM, task: Task, examples: TrainingSet, *, steps: int = 300, sharpness: float = 1.0, seed: int = 0
) -> Iterator[tuple[Step, Tensor]]:
    """Context vectors, from the words of the task's first template on: few-shot or label-free by its targets.

    Yields:
        The step and the context ``(tokens, width)`` so far; the last one is the result.
    """
    template = task.templates[0]
    context = model.context_of(template).requires_grad_()

    def vectors() -> Tensor:
        return model.embed_context(context, template, task.class_names)

    yield from _descend(context, vectors, examples, sharpness * model.logit_scale, steps, seed)


def learn_class_vectors(
    model: MedVLM, task: Task, examples: TrainingSet, *, steps: int = 300, sharpness: float = 1.0, seed: int = 0
) -> Iterator[tuple[Step, Tensor]]:
    """Class vectors, from the text embeddings on (a text-informed linear probe, Shakeri et al. 2024, 2409.03868)."""
    weights = model.embed_prompts(task.templates, task.class_names).clone().requires_grad_()
    scale = sharpness * model.logit_scale
    yield from _descend(weights, lambda: normalize(weights, dim=-1), examples, scale, steps, seed)


def _descend(
    learned: Tensor,
    vectors: Callable[[], Tensor],
    examples: TrainingSet,
    scale: float,
    steps: int,
    seed: int,
) -> Iterator[tuple[Step, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam([learned], _RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    running = 0.0
    for step in range(steps):
        rows = torch.randint(len(examples.embeddings), (_BATCH,), generator=generator).to(learned.device)
        loss = cross_entropy(scale * examples.embeddings[rows] @ vectors().T, examples.targets[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        running = float(loss.detach()) if step == 0 else 0.95 * running + 0.05 * float(loss.detach())
        yield Step(step + 1, steps, running), learned.detach().clone()
