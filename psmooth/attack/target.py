"""Says what is attacked: a model, its class vectors, its denoiser and its noise, as one function with gradients.

It knows nothing about how a change of the crop is looked for.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from psmooth.certificate import Plan
from psmooth.models import MedVLM
from psmooth.noise import Phase
from psmooth.prompts import PromptBank
from psmooth.sampling import Result, batch_noise, noisy_copies, side_by_side
from psmooth.scans import Crop, CropRule, Scan
from psmooth.smoothing.certification import clean_answers, resolve
from psmooth.smoothing.contender import Contender, answers_of
from psmooth.smoothing.request import Request
from psmooth.tasks import Task


@dataclass(frozen=True, eq=False)
class Target:
    """A crop and all that answers about it: a request of ``certify`` with one contender."""

    request: Request

    @property
    def contender(self) -> Contender:
        """The method that is attacked; of one that tunes on the scan, with the vectors of its start prompt."""
        return next(iter(self.request.contenders.values()))

    @property
    def crop(self) -> Crop:
        """The crop before any attack."""
        return self.request.crop

    @property
    def classes(self) -> tuple[str, ...]:
        """Class ids, in the order of the scores."""
        return self.request.task.class_ids

    def plain_vectors(self) -> Tensor:
        """Those that answer about the scan without noise, ``(classes, dim)``."""
        found = self.contender
        return (found.vectors if found.clean is None else found.clean).clone()

    def plain_scores(self, pixels: Tensor) -> Tensor:
        """Cosines with the class vectors, without noise and denoiser: ``(n, 3, size, size)`` → ``(n, classes)``."""
        return self.request.model.embed_images_with_gradients(pixels) @ self.plain_vectors().T

    def answered_scores(self, pixels: Tensor) -> Tensor:
        """The same as the model answers, in its own precision, through which no gradients flow."""
        return self.request.model.embed_images(pixels) @ self.plain_vectors().T

    def embed_noisy(self, copies: Tensor) -> Tensor:
        """What votes, of noisy copies: through the denoiser and, where the run does so, their mirror images too."""
        denoiser = self.request.denoiser

        def look(shown: Tensor) -> Tensor:
            return self.request.model.embed_images_with_gradients(denoiser.apply(shown, self.request.noise_level))

        return look(copies).lerp(look(copies.flip(3)), 0.5) if denoiser.mirrored else look(copies)

    def noise(self, phase: Phase, first: int, count: int) -> Tensor:
        """The noise of copies of a phase from number ``first`` on, ``(count, 3, size, size)`` in units of 1."""
        asked = self.request
        drawn = batch_noise(self.crop, asked.noise_level, asked.seed, phase, first, count, asked.noise)
        return torch.from_numpy(drawn.copy()).to(asked.model.device).permute(0, 3, 1, 2).float() / 255

    def answer(self, crop: Crop) -> str:
        """The class id that the model names for a crop without any noise, as ``certify`` says it."""
        return next(iter(clean_answers(replace(self.request, crop=crop)).values()))

    def looks(self, crops: Sequence[Crop]) -> list[tuple[str, tuple[float, ...]]]:
        """The class id that the model names for each crop without any noise, and its probabilities by class.

        They are the softmax at the model's own scale. Crops share batches of the shape in which ``answer`` looks at
        one; the empty id is that of an answer which is no number.
        """
        size, rows = self.request.batch_size, list[Tensor]()
        for first in range(0, len(crops), size):
            seen = torch.cat([noisy_copies(crop, _silence(crop)) for crop in crops[first : first + size]])
            filled = pad(seen, (0, 0) * 3 + (0, size - len(seen)))
            rows.append(self.request.model.embed_images(filled)[: len(seen)])
        vectors, names = self.plain_vectors(), (*self.classes, "")
        embeddings = torch.cat(rows)
        answers = torch.cat([answers_of(part, vectors, size) for part in embeddings.split(size)])
        shares = (self.request.model.logit_scale * (embeddings @ vectors.T).double()).softmax(1)
        return [(names[int(one)], tuple(row.tolist())) for one, row in zip(answers, shares, strict=True)]

    def judging(self, crop: Crop, place: str) -> Request:
        """A request of its own for an attacked crop: fresh noise in all phases, and a prompt tuned anew."""
        return replace(self.request, crop=crop, seed=judge_seed(self.request.seed, place), finding=None, gallery=None)


def find_target(
    model: MedVLM,
    scan: Scan | Crop,
    *,
    task: str | Task,
    method: str = "template",
    noise_level: float = 0.25,
    denoiser: str = "none",
    banks: Sequence[PromptBank] = (),
    plan: Plan | None = None,
    seed: str | int | None = None,
    batch_size: int | None = None,
    crop_rule: CropRule | None = None,
) -> Target:
    """What is attacked, from what ``certify`` is asked; raises as it does."""
    return Target(
        resolve(
            model, scan, task=task, methods=(method,), noise_level=noise_level, denoiser=denoiser, banks=banks,
            plan=plan, seed=seed, batch_size=batch_size, crop_rule=crop_rule,
        )
    )  # fmt: skip


def _silence(crop: Crop) -> np.ndarray:
    return np.zeros((1, *crop.pixels.shape[1:], 3), np.int16)


def judge_seed(seed: str, place: str) -> str:
    """The seed of the run that judges the attempt of that search and number: no other judge of the scan has it."""
    return hashlib.sha256(f"{seed}:judge:{place}".encode()).hexdigest()[:32]


def margin(scores: Tensor, answer: int) -> Tensor:
    """How far the best other class is ahead of an answer, ``(n, classes)`` → ``(n,)``; above 0 it is named no more."""
    others = scores.index_fill(1, torch.tensor([answer], device=scores.device), -torch.inf)
    return others.max(1).values - scores[:, answer]


@contextmanager
def without_denormals() -> Iterator[None]:
    """Gradients far below what float32 holds count as nothing: on some processors each takes a hundred times as long.

    Votes are never cast within: what is certified is the same whether or not something was attacked before.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def on_a_share(work: Callable[[], Result]) -> Result:
    """What becomes of a piece of work on as many cores as one of the workers has that cast votes.

    One image, or one change of it, is too little for more: cores that wait for each other cost more than they do.
    """
    (result,) = side_by_side(lambda _: work(), [0])
    return result
