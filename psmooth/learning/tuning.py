"""Tunes a prompt on the noisy copies of one scan: PromptSmooth's zero-shot step.

It knows nothing about files, votes or pages. Hussein, Shamshad, Naseer & Nandakumar 2024 (arXiv 2408.16769).
"""

import torch
from torch import Tensor

from psmooth.models import MedVLM
from psmooth.tasks import Task

RATE = 5e-3


def tune(model: MedVLM, task: Task, start: Tensor, embeddings: Tensor, *, steps: int = 1, rate: float = RATE) -> Tensor:
    """PromptSmooth's per-scan step: AdamW on the entropy of the mean softmax over noisy copies of one scan.

    The prompt then depends on the scan: a certificate holds for the classifier with this prompt frozen.

    Args:
        start: context ``(tokens, width)``: the template's for ``zero_shot``, the few-shot bank's for ``combined``.
        embeddings: ``(copies, dim)`` of the tune phase.
    """
    context = start.detach().clone().requires_grad_()
    optimizer = torch.optim.AdamW([context], rate)
    seen = embeddings.clone()
    for _ in range(steps):
        entropy = entropy_of(model, task, context, seen)
        optimizer.zero_grad()
        entropy.backward()
        optimizer.step()
    return context.detach()


def entropy_of(model: MedVLM, task: Task, context: Tensor, embeddings: Tensor) -> Tensor:
    """The entropy of the mean softmax over noisy copies, in nats: what the step lowers."""
    vectors = model.embed_context(context, task.templates[0], task.class_names)
    mean = (model.logit_scale * embeddings @ vectors.T).softmax(1).mean(0)
    return -(mean * mean.clamp_min(1e-12).log()).sum()
