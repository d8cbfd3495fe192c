"""Asks a model about pictures whose class is known, and tells chance from knowledge.

It knows nothing about where the pictures come from.

Weights that load without an error can still be wrong: a tower of another model, the wrong GELU. Such a model names
pictures no better than with its class names shuffled, or better with the other GELU.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from scipy.stats import binomtest
from torch import Tensor

from psmooth.errors import ModelError
from psmooth.model_check.gelu import other_gelu
from psmooth.models import MedVLM

_BATCH = 16
_DRAWS = 1_999  # shuffles of the class names
_SEED = 0
_FEWEST_SHUFFLES = 20  # with fewer ways to shuffle the names, none of them can be rare


@dataclass(frozen=True, eq=False)
class Question:
    """Pictures and what they are to be called.

    Attributes:
        name: as it stands in the table.
        prompts: by class, the sentences that name it.
        labels: ``(n,)`` the true class of each picture; no class is without one.
        pictures: ``(n,)`` places in the tensor of all pictures.
    """

    name: str
    prompts: tuple[tuple[str, ...], ...]
    labels: Tensor
    pictures: Tensor


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model answered to a question, as it is loaded and with the other GELU."""

    question: Question
    loaded: Tensor
    other: Tensor | None

    @property
    def share(self) -> float:
        """The share right, a mean over the classes."""
        return _table(self.loaded, self.question).diagonal().mean().item()

    @property
    def share_of_other(self) -> float | None:
        """The same with the other GELU."""
        return None if self.other is None else _table(self.other, self.question).diagonal().mean().item()

    @property
    def classes(self) -> int:
        return len(self.question.prompts)


@dataclass(frozen=True, eq=False)
class Pictures:
    """Crops ``(n, 3, size, size)`` uint8 as the model sees them, and the questions about them."""

    crops: Tensor
    questions: tuple[Question, ...]


def ask(model: MedVLM, pictures: Pictures) -> list[Answers]:
    """Every question, with the model as it is loaded and, where its towers have a GELU, with the other one.

    A question with a prompt that is longer than the text tower reads is left out.
    """
    questions = [question for question in pictures.questions if _can_be_read(model, question)]
    loaded = list(_answered(model, pictures.crops, questions))
    with other_gelu(model.network) as name:
        other = list(_answered(model, pictures.crops, questions)) if name else [None] * len(loaded)
    return [Answers(*one) for one in zip(questions, loaded, other, strict=True)]


def _can_be_read(model: MedVLM, question: Question) -> bool:
    with suppress(ModelError):
        model.embed_texts([sentence for prompts in question.prompts for sentence in prompts])
        return True
    return False


def _answered(model: MedVLM, crops: Tensor, questions: Sequence[Question]) -> Iterator[Tensor]:
    vectors = torch.cat([model.embed_images(part.float() / 255).cpu() for part in crops.split(_BATCH)])
    for question in questions:
        names = torch.cat([model.embed_prompts(prompts, [""]).cpu() for prompts in question.prompts])
        yield (vectors[question.pictures] @ names.T).argmax(1)


def _table(answers: Tensor, question: Question) -> Tensor:
    """By true class and answer, the share of the pictures, ``(classes, classes)`` with rows that sum to 1."""
    classes = len(question.prompts)
    counts = torch.bincount(question.labels * classes + answers, minlength=classes**2).view(classes, classes)
    return counts / counts.sum(1, keepdim=True)


def shuffled(answers: Sequence[Answers]) -> tuple[float, float | None]:
    """The mean share right with the names shuffled among the classes, and how often a shuffle is as good as the truth.

    The second is a permutation test over all questions together; None where the names can be shuffled in so few ways
    that it says nothing.
    """
    generator = torch.Generator().manual_seed(_SEED)
    shares = torch.stack([_with_shuffled_names(one, generator) for one in answers]).mean(0)
    truth = sum(one.share for one in answers) / len(answers)
    as_good = (1 + int((shares >= truth - 1e-6).sum())) / (1 + _DRAWS)
    ways = math.prod(math.factorial(one.classes) for one in answers)
    return shares.mean().item(), None if ways < _FEWEST_SHUFFLES else as_good


def _with_shuffled_names(answers: Answers, generator: torch.Generator) -> Tensor:
    """The share right of each of the shuffles, ``(draws,)``."""
    names = torch.rand(_DRAWS, answers.classes, generator=generator).argsort(1)
    return _table(answers.loaded, answers.question)[torch.arange(answers.classes), names].mean(1)


def chance_of_other_gelu(answers: Sequence[Answers]) -> float | None:
    """How likely chance alone makes the other GELU right as often as it is, where the two disagree: a sign test.

    None where the towers have no GELU that could be another.
    """
    better, worse = 0, 0
    for one in answers:
        if one.other is None:
            return None
        right, other = one.loaded == one.question.labels, one.other == one.question.labels
        better, worse = better + int((other & ~right).sum()), worse + int((right & ~other).sum())
    return 1.0 if better + worse == 0 else float(binomtest(better, better + worse, alternative="greater").pvalue)
