"""Says what a contender is, one way to turn embeddings into votes, and finds those that are asked for.

It knows nothing about noise, looks or pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn.functional import pad

from psmooth.denoise import Denoiser
from psmooth.errors import BankError, PlanError
from psmooth.methods import METHODS
from psmooth.models import MedVLM
from psmooth.prompts import PromptBank, shipped_bank
from psmooth.scans import Crop
from psmooth.tasks import Task


@dataclass(frozen=True, eq=False)
class Contender:
    """One way to turn embeddings into votes: class vectors ``(classes, dim)`` and what they are called.

    ``templates`` are those that the vectors were made from, ``bank`` is what a certificate records of theirs.
    ``start`` is the context from which a prompt is tuned on the scan; its vectors are filled in after the tune phase.
    ``clean`` are the vectors for the scan without noise where they are others than those that vote.
    """

    method: str
    vectors: Tensor
    templates: tuple[str, ...]
    bank: dict[str, Any] | None = None
    start: Tensor | None = None
    clean: Tensor | None = None


def answers_of(embeddings: Tensor, vectors: Tensor, batch_size: int) -> Tensor:
    """Class numbers ``(copies,)``, one more for what is not a number; the lowest number wins a tie.

    A last batch that is smaller is filled up: the last bits of a product may depend on its shape.
    """
    copies = len(embeddings)
    logits = pad(embeddings, (0, 0, 0, batch_size - copies)) @ vectors.T
    return logits.argmax(1).masked_fill(~logits.isfinite().all(1), len(vectors))[:copies]


def find_contenders(
    model: MedVLM,
    crop: Crop,
    task: Task,
    methods: Sequence[str],
    denoiser: Denoiser,
    noise_level: float,
    banks: Sequence[PromptBank],
) -> dict[str, Contender]:
    """A contender for each method, with the bank that it needs; raises as ``certify`` does."""
    if not methods:
        raise PlanError("No method was given; name at least one, such as 'template'.")
    for method in methods:
        if method not in METHODS:
            raise PlanError(
                "There is no method '{method}'; it must be one of {known}.", method=method, known=", ".join(METHODS)
            )
    return {method: _contender(model, crop, task, method, denoiser, noise_level, banks) for method in methods}


def _contender(
    model: MedVLM,
    crop: Crop,
    task: Task,
    method: str,
    denoiser: Denoiser,
    noise_level: float,
    banks: Sequence[PromptBank],
) -> Contender:
    source, tunes = METHODS[method].bank, METHODS[method].tunes
    if source is None:
        templates = task.templates[:1] if tunes else task.templates
        start = model.context_of(templates[0]) if tunes else None
        return Contender(method, model.embed_prompts(templates, task.class_names), templates, start=start)
    bank = _find_bank(model, task, source, denoiser, banks)
    origin = {**bank.origin, "learned_on_scan": bank.learned_on(crop.sha256)}
    vectors = bank.class_vectors(model, noise_level)
    start = bank.vectors.to(model.device) if tunes else None
    clean = bank.class_vectors(model, 0) if bank.vectors.ndim == 3 else None
    return Contender(method, vectors, (bank.facts.template,), origin, start, clean)


def _find_bank(model: MedVLM, task: Task, method: str, denoiser: Denoiser, banks: Sequence[PromptBank]) -> PromptBank:
    bank = next((one for one in banks if one.facts.method == method), None)
    bank = bank or shipped_bank(model, task, method, denoiser.id)
    bank.check(model, task, denoiser.id)
    if bank.facts.denoiser_sha256 != denoiser.sha256:
        raise BankError(
            "The bank '{bank}' was learned behind another '{denoiser}' denoiser than this one.",
            bank=bank.name,
            denoiser=denoiser.id,
        )
    return bank
