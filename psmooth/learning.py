"""Learns prompts, class vectors and denoisers for a frozen model: from labels, from a teacher, or from nothing.

It knows nothing about files, pages or certificates.

The image encoder runs once per noisy copy, never per step: prompts and class vectors are learned on cached embeddings.
PromptSmooth: Hussein, Shamshad, Naseer & Nandakumar 2024 (arXiv 2408.16769). The learned denoiser follows Denoised
Smoothing (Salman et al. 2020, arXiv 2003.01908). A learner's noise is drawn in floats: nothing it sees is certified.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss, normalize

from psmooth.denoise import Denoiser, LearnedDenoiser, spectrum_of, without_mirror
from psmooth.errors import BankError
from psmooth.models import MedVLM
from psmooth.pools import pool_of
from psmooth.prompts import CONTEXT_METHODS, PROBE_METHODS, BankFacts, PromptBank
from psmooth.tasks import Task

MIXED_NOISE = (0.1, 0.25, 0.5, 0.75, 1.0)
LADDER = (0.1, 0.125, 0.16, 0.2, 0.25, 0.315, 0.4, 0.5, 0.63, 0.8, 1.0)  # so close that what lies between can be mixed
_PIXEL_WEIGHT = 10.0  # of the squared error beside the distance of embeddings
_DENOISER_BATCH = 48
_RATE, _BATCH = 5e-3, 256  # of prompts and class vectors
_SHRINKAGE = 0.05  # of a covariance, towards a multiple of the identity


@dataclass(frozen=True)
class Step:
    """How far a learner is: steps done and planned, and the loss (a running mean)."""

    done: int
    planned: int
    loss: float


def learn_denoiser(
    model: MedVLM, crops: Tensor, *, steps: int = 4_000, rate: float = 2e-3, seed: int = 0
) -> Iterator[tuple[Step, LearnedDenoiser]]:
    """Train a denoiser through the frozen model, without labels, one network for every noise level.

    The loss is ten times the squared error plus the distance of the embeddings of denoised and clean crop,
    1 − cosine; σ is uniform over (.05, 1).

    Args:
        crops: ``(n, 3, size, size)`` uint8, of the model's size.

    Yields:
        The step and the network, which is being trained; the last one is the result.
    """
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    network = LearnedDenoiser().to(model.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.1)
    running = 0.0
    for step in range(steps):
        clean = _augmented(crops, generator).to(model.device, memory_format=torch.channels_last)
        levels = (0.05 + 0.95 * torch.rand(len(clean), generator=generator)).to(model.device)
        noise = torch.randn(clean.shape, generator=generator).to(model.device)
        loss = _denoiser_loss(model, network, clean, clean + levels.view(-1, 1, 1, 1) * noise, levels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        value = float(loss.detach())
        running = value if step == 0 else 0.98 * running + 0.02 * value
        yield Step(step + 1, steps, running), network


def _denoiser_loss(model: MedVLM, network: LearnedDenoiser, clean: Tensor, noisy: Tensor, levels: Tensor) -> Tensor:
    with torch.no_grad():
        wanted = model.embed_images(clean)
    denoised = network(noisy, levels)
    found = normalize(model.encode(torch.addcmul(model.shift, denoised, model.scale)).float(), dim=-1)
    return _PIXEL_WEIGHT * mse_loss(denoised, clean) + (1 - (found * wanted.clone()).sum(1)).mean()


def _augmented(crops: Tensor, generator: torch.Generator) -> Tensor:
    """A batch of crops in [0, 1], each flipped at random and a little brighter or darker."""
    rows = torch.randint(len(crops), (_DENOISER_BATCH,), generator=generator)
    batch = crops[rows].float() / 255
    flips = torch.rand(len(batch), 3, generator=generator)
    for axis in (0, 1):
        turned = flips[:, axis] < 0.5
        batch[turned] = batch[turned].flip(2 + axis)
    return (batch * (0.85 + 0.3 * flips[:, 2]).view(-1, 1, 1, 1)).clamp(0, 1)


def wiener_spectrum(crops: Tensor, most: int = 2_000) -> Tensor:
    """The power spectrum that the Wiener filter needs, from up to ``most`` unlabelled uint8 crops."""
    chosen = crops[:: max(1, len(crops) // most)]
    return spectrum_of(chosen.float() / 255)


# --- prompts and class vectors, on cached embeddings


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is learned from: noisy embeddings ``(n, dim)`` and for each a distribution over classes ``(n, classes)``.

    ``pool``: the sha256 of the crops that were encoded; None if nobody knows.
    """

    embeddings: Tensor
    targets: Tensor
    pool: frozenset[str] | None = None


def noisy_lesson(
    model: MedVLM,
    crops: Tensor,
    targets: Tensor,
    denoiser: Denoiser,
    *,
    copies: int = 4,
    noise_levels: Sequence[float] = MIXED_NOISE,
    seed: int = 0,
) -> Lesson:
    """Encode ``copies`` noisy copies of every crop at every noise level, once.

    Args:
        crops: ``(n, 3, size, size)`` uint8.
        targets: ``(n, classes)``, a distribution for each crop.
    """
    encoding = encode_lesson(model, crops, targets, denoiser, copies, noise_levels, seed)
    while True:
        try:
            next(encoding)
        except StopIteration as end:
            return end.value


def encode_lesson(
    model: MedVLM,
    crops: Tensor,
    targets: Tensor,
    denoiser: Denoiser,
    copies: int,
    noise_levels: Sequence[float],
    seed: int,
) -> Generator[tuple[int, int], None, Lesson]:
    """As ``noisy_lesson``, a batch at a time: yields copies encoded and planned, and returns the lesson."""
    generator = torch.Generator().manual_seed(seed)
    found: list[Tensor] = []
    planned = len(noise_levels) * copies * len(crops)
    for level, _, part in product(noise_levels, range(copies), crops.split(32)):
        clean = part.float() / 255
        noisy = clean + level * torch.randn(clean.shape, generator=generator)
        found.append(model.embed_images(denoiser(noisy.contiguous(memory_format=torch.channels_last), level)))
        yield min(planned, 32 * len(found)), planned
    repeated = targets.to(model.device).repeat(len(noise_levels) * copies, 1)
    return Lesson(torch.cat(found).clone(), repeated, pool_of(crops))


def teacher_targets(model: MedVLM, crops: Tensor, task: Task) -> Tensor:
    """What the untouched model says of clean crops under hand-written prompts, ``(n, classes)``: no label is used."""
    vectors = model.embed_prompts(task.templates, task.class_names)
    clean = torch.cat([model.embed_images(part.float() / 255) for part in crops.split(32)])
    return (model.logit_scale * clean @ vectors.T).softmax(1).clone()


def learn_context(
    model: MedVLM, task: Task, lesson: Lesson, *, steps: int = 300, sharpness: float = 1.0, seed: int = 0
) -> Iterator[tuple[Step, Tensor]]:
    """Context vectors, from the words of the task's first template on: few-shot or label-free by its targets.

    Yields:
        The step and the context ``(tokens, width)`` so far; the last one is the result.
    """
    template = task.templates[0]
    context = model.context_of(template).requires_grad_()

    def vectors() -> Tensor:
        return model.embed_context(context, template, task.class_names)

    yield from _descend(context, vectors, lesson, sharpness * model.logit_scale, steps, seed)


def learn_class_vectors(
    model: MedVLM, task: Task, lesson: Lesson, *, steps: int = 300, sharpness: float = 1.0, seed: int = 0
) -> Iterator[tuple[Step, Tensor]]:
    """Class vectors, from the text embeddings on (a text-informed linear probe, Shakeri et al. 2024, 2409.03868)."""
    weights = model.embed_prompts(task.templates, task.class_names).clone().requires_grad_()
    scale = sharpness * model.logit_scale
    yield from _descend(weights, lambda: normalize(weights, dim=-1), lesson, scale, steps, seed)


def fit_discriminants(lesson: Lesson, levels: int) -> tuple[Tensor, float]:
    """Class vectors in closed form, one set for each noise level of a lesson.

    Fisher's linear discriminant (Hastie, Tibshirani & Friedman 2009, §4.3): one Gaussian a class, one covariance for
    all, shrunk by 5 %, classes equally likely; targets may be soft.

    Returns:
        ``(levels, classes, dim)`` in the lesson's order, of mean length 1 a level, and the cross-entropy on the lesson.
    """
    parts = zip(lesson.embeddings.chunk(levels), lesson.targets.chunk(levels), strict=True)
    found = [_discriminant(embeddings.double().cpu(), targets.double().cpu()) for embeddings, targets in parts]
    vectors = torch.stack([vectors / vectors.norm(dim=1).mean() for vectors, _ in found])
    return vectors.float(), sum(loss for _, loss in found) / levels


def _discriminant(embeddings: Tensor, targets: Tensor) -> tuple[Tensor, float]:
    weights = targets.sum(0)[:, None]
    means, center = targets.T @ embeddings / weights, embeddings.mean(0)
    covariance = (embeddings.T @ embeddings - (weights * means).T @ means) / len(embeddings)
    ridge = covariance.diagonal().mean() * torch.eye(len(covariance), dtype=covariance.dtype)
    solved = torch.linalg.solve(torch.lerp(covariance, ridge, _SHRINKAGE), torch.cat([means, center[None]]).T).T
    vectors, one = solved[:-1], solved[-1] / (solved[-1] @ center)  # along `one`, every embedding is 1 or nearly so:
    biases = (vectors * means).sum(1, keepdim=True) / -2  # a bias a class becomes a part of its vector
    vectors = vectors + biases * one
    vectors = vectors - vectors.mean(0)  # no vote changes, and no digits are lost
    return vectors, float(cross_entropy(embeddings @ vectors.T, targets))


def _descend(
    learned: Tensor,
    vectors: Callable[[], Tensor],
    lesson: Lesson,
    scale: float,
    steps: int,
    seed: int,
) -> Iterator[tuple[Step, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam([learned], _RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    running = 0.0
    for step in range(steps):
        rows = torch.randint(len(lesson.embeddings), (_BATCH,), generator=generator).to(learned.device)
        loss = cross_entropy(scale * lesson.embeddings[rows] @ vectors().T, lesson.targets[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        running = float(loss.detach()) if step == 0 else 0.95 * running + 0.05 * float(loss.detach())
        yield Step(step + 1, steps, running), learned.detach().clone()


def tune(model: MedVLM, task: Task, start: Tensor, embeddings: Tensor, *, steps: int = 1, rate: float = 5e-3) -> Tensor:
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
        vectors = model.embed_context(context, task.templates[0], task.class_names)
        mean = (model.logit_scale * seen @ vectors.T).softmax(1).mean(0)
        entropy = -(mean * mean.clamp_min(1e-12).log()).sum()
        optimizer.zero_grad()
        entropy.backward()
        optimizer.step()
    return context.detach()


# --- banks


@dataclass(frozen=True)
class Course:
    """How a bank is learned: the way, behind which denoiser, and with how much of everything.

    ``shots`` labelled scans a class are used by ``few_shot`` and ``linear_probe``; the label-free ways use the whole
    pool without looking at its labels. ``sharpness`` multiplies the model's logit scale while learning: a vote counts
    the leader alone, so what is learned need not be calibrated. ``closed_form`` fits class vectors as discriminants,
    one set a noise level (of ``LADDER``, say), and takes no steps.
    """

    method: str
    denoiser: Denoiser
    noise_levels: tuple[float, ...] = MIXED_NOISE
    shots: int = 16
    copies: int = 4
    steps: int = 300
    sharpness: float = 1.0
    seed: int = 0
    closed_form: bool = False

    @property
    def supervised(self) -> bool:
        """Whether labels are needed."""
        return self.method in ("few_shot", "linear_probe")


def learn_bank(
    model: MedVLM, task: Task, course: Course, crops: Tensor, labels: Tensor | None, licence: str = "Apache-2.0"
) -> Iterator[tuple[Step, PromptBank | None]]:
    """Learn a prompt bank; the last step carries it.

    Args:
        crops: ``(n, 3, size, size)`` uint8.
        labels: ``(n,)`` class numbers, needed by ``few_shot`` and ``linear_probe``, unused by the others.

    Raises:
        BankError: labels are missing, the method learns nothing, or a closed form lacks examples of a class.
    """
    yield from learn_from(model, task, course, lesson_of(model, task, course, crops, labels), licence)


def lesson_of(model: MedVLM, task: Task, course: Course, crops: Tensor, labels: Tensor | None) -> Lesson:
    """What a course is learned from; courses that differ in method or descent alone can share one lesson."""
    chosen, targets = lesson_targets(model, task, course, crops, labels)
    options = {"copies": course.copies, "noise_levels": course.noise_levels, "seed": course.seed}
    return noisy_lesson(model, chosen, targets, course.denoiser, **options)  # type: ignore[arg-type]


def lesson_targets(
    model: MedVLM, task: Task, course: Course, crops: Tensor, labels: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The crops that a course uses, and what each shall be called ``(n, classes)``; raises as ``learn_bank``."""
    if course.method not in (*CONTEXT_METHODS, *PROBE_METHODS):
        raise BankError(
            "'{method}' learns no bank; it must be one of few_shot, label_free, or their probes.", method=course.method
        )
    if course.closed_form and course.method not in PROBE_METHODS:
        raise BankError("'{method}' is learned by steps; only probes have a closed form.", method=course.method)
    if course.supervised and labels is None:
        raise BankError("'{method}' needs labels: one sub-folder of scans for every class.", method=course.method)
    crops, targets = _taught(model, task, course, crops, labels)
    if course.closed_form and not targets.sum(0).min() > 0:
        raise BankError(
            "A closed form needs examples of every class, and a class has none; add scans of it, or learn by steps."
        )
    return crops, targets


def _taught(model: MedVLM, task: Task, course: Course, crops: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
    if labels is None or not course.supervised:
        return crops, teacher_targets(model, crops, task)
    chosen = _few(labels, course)
    return crops[chosen], torch.eye(len(task.class_ids))[labels[chosen]]


def learn_from(
    model: MedVLM, task: Task, course: Course, lesson: Lesson, licence: str = "Apache-2.0"
) -> Iterator[tuple[Step, PromptBank | None]]:
    """Learn a bank from a lesson that is already encoded; the last step carries it."""
    if course.closed_form:
        vectors, loss = fit_discriminants(lesson, len(course.noise_levels))
        yield Step(1, 1, loss), _bank(model, task, course, Step(0, 0, loss), vectors, lesson, licence)
        return
    learn = learn_context if course.method in CONTEXT_METHODS else learn_class_vectors
    for step, vectors in learn(model, task, lesson, steps=course.steps, sharpness=course.sharpness, seed=course.seed):
        done = step.done == step.planned
        yield step, _bank(model, task, course, step, vectors, lesson, licence) if done else None


def _few(labels: Tensor, course: Course) -> Tensor:
    """The rows of ``shots`` scans of every class, drawn by the seed."""
    generator = torch.Generator().manual_seed(course.seed)
    rows = [(labels == number).nonzero()[:, 0] for number in labels.unique()]
    return torch.cat([row[torch.randperm(len(row), generator=generator)[: course.shots]] for row in rows])


def _bank(
    model: MedVLM, task: Task, course: Course, step: Step, vectors: Tensor, lesson: Lesson, licence: str
) -> PromptBank:
    facts = BankFacts(
        method=course.method,
        model=model.spec.id,
        model_revision=model.revision,
        task=task.id,
        class_ids=task.class_ids,
        class_names=task.class_names,
        template=task.templates[0],
        denoiser=without_mirror(course.denoiser.id),
        denoiser_sha256=course.denoiser.sha256,
        noise_levels=course.noise_levels,
        shots=course.shots if course.supervised else None,
        pool=len(lesson.embeddings) // (course.copies * len(course.noise_levels)),
        seed=course.seed,
        steps=step.planned,
        sharpness=course.sharpness,
        final_loss=round(step.loss, 5),
        scores={},
        licence=licence,
        created=datetime.now(UTC).date().isoformat(),
    )
    return PromptBank(facts, vectors, pool=lesson.pool)
