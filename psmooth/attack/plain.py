"""Looks for the smallest change that makes the plain model name another class.

It knows nothing about noise, votes or files.

DDN (Rony, Hafemann, Oliveira, Ben Ayed, Sabourin & Granger 2019, arXiv 1811.09600, Algorithm 1): the direction follows
the gradient, and the norm shrinks by a factor 1 − γ where the change is adversarial and grows by 1 + γ where it is not.
Here every step is taken at a crop of 8 bits, the first norm is searched for along the first gradient, and at the end
values are put back for as long as the answer stays another one.
"""

import math
import time
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from psmooth.attack.grid import Change, changed_crop, fitted_levels, levels_of
from psmooth.attack.target import Target, margin, on_a_share, without_denormals

_CLEAR = 1e-5  # of cosines: a lead that no other shape of a batch turns round
_FIRST_RADII = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.2, 1.6, 2.4, 3.2, 4.8, 6.4)
_SHARES = 8  # of the values to be put back, looked at together
_ROUNDS = 4  # of putting back


@dataclass(frozen=True, eq=False)
class PlainProgress:
    """The attack on the plain model as of now.

    Attributes:
        step, planned: of the search; the last step, which is ``planned``, has put values back.
        seconds: since it began.
        answer: the class id that the model names for the crop.
        found: the smallest change so far for which it names another one; None if none was found.
        named: the class id that it names then.
    """

    step: int
    planned: int
    seconds: float
    answer: str
    found: Change | None = None
    named: str | None = None

    @property
    def done(self) -> bool:
        """Whether the search is over."""
        return self.step == self.planned


def attack_plain(target: Target, *, steps: int = 40, shrinking: float = 0.1) -> Generator[PlainProgress, None, None]:
    """Look for the smallest L2 change after which the model, without noise and denoiser, names another class.

    A change that is found is an upper bound of the smallest one. Ending it is to close the iterator.

    Args:
        target: from ``find_target``. Of a method that tunes on the scan, its start prompt is attacked.
        steps: gradients taken.
        shrinking: γ of the first step; it falls to a hundredth.

    Yields:
        ``PlainProgress``, at once and then at every step.
    """
    start, answer = time.perf_counter(), target.answer(target.crop)
    yield PlainProgress(0, steps + 1, time.perf_counter() - start, answer)
    if answer not in target.classes:  # the model names none: there is nothing to turn
        yield PlainProgress(steps + 1, steps + 1, time.perf_counter() - start, answer)
        return
    search = _Search(target, target.classes.index(answer))
    for step in range(steps):
        rate = 0.01 + 0.99 * (1 + math.cos(math.pi * step / steps)) / 2
        on_a_share(partial(search.step, rate, shrinking))
        yield PlainProgress(step + 1, steps + 1, time.perf_counter() - start, answer, *search.found())
    on_a_share(search.put_back)
    found, named = search.found()
    if found is not None and target.answer(found.crop) == answer:  # what ``certify`` shows has the last word
        found, named = None, None
    yield PlainProgress(steps + 1, steps + 1, time.perf_counter() - start, answer, found, named)


class _Search:
    """DDN, a step at a time; ``best`` is the smallest adversarial change so far, in grey levels."""

    def __init__(self, target: Target, answer: int) -> None:
        self._target, self._answer = target, answer
        self._crop = levels_of(target.crop, target.request.model.device)
        self._direction = torch.zeros_like(self._crop)
        self._levels = torch.zeros_like(self._crop)
        self._radius = 0.0
        self.best: Tensor | None = None
        self._named = answer

    def found(self) -> tuple[Change, str] | tuple[None, None]:
        """The smallest change so far and what is named then."""
        if self.best is None:
            return None, None
        return changed_crop(self._target.crop, self.best), self._target.classes[self._named]

    def step(self, rate: float, shrinking: float) -> None:
        """One step: a gradient, a new norm, a new crop."""
        ahead, gradient = self._gradient(self._levels)
        if self._radius == 0:
            self._direction = gradient
            self._radius = self._first_radius()
        else:
            self._radius *= 1 - rate * shrinking if ahead > _CLEAR else 1 + rate * shrinking
            self._direction = _unit(self._direction + rate * gradient)
        self._levels = fitted_levels(self._crop, self._direction, self._radius)
        self._keep([self._levels])

    def put_back(self) -> None:
        """Make the best change smaller: the values that turn the answer least for what they cost go back first.

        Each by one grey level a round; how many is found by trying eight numbers side by side, and again between two.
        """
        for _ in range(_ROUNDS):
            if (before := self.best) is None:
                return
            changed = before != 0
            worth = self._gradient(before)[1] * before.sign() / (2 * before.abs() - 1)
            order = worth[changed].sort().values
            low, high = 0, len(order)
            while high - low > 1:
                counts = sorted(
                    {low + max(1, (high - low) * share // (_SHARES + 1)) for share in range(1, _SHARES + 1)}
                )
                tried = [before - before.sign() * (changed & (worth <= order[count - 1])) for count in counts]
                good = [count for count, one in zip(counts, self._keep(tried), strict=True) if one]
                low = max(good, default=low)
                high = min((count for count in counts if count > low), default=high)
            if self.best is before:
                return

    def _first_radius(self) -> float:
        """The smallest of a few norms along the first gradient at which the answer is another one."""
        tried = [fitted_levels(self._crop, self._direction, radius) for radius in _FIRST_RADII]
        good = self._keep(tried)
        return next((radius for radius, one in zip(_FIRST_RADII, good, strict=True) if one), 1.0)

    def _keep(self, tried: list[Tensor]) -> list[bool]:
        """Which of these changes are adversarial; the smallest that was ever is kept."""
        with torch.no_grad(), without_denormals():
            scores = self._target.answered_scores((self._crop + torch.stack(tried)) / 255)
        good = (margin(scores, self._answer) > _CLEAR).tolist()
        for levels, row, adversarial in zip(tried, scores, good, strict=True):
            if adversarial and (self.best is None or levels.norm() < self.best.norm()):
                self.best, self._named = levels, int(row.argmax())
        return good

    def _gradient(self, levels: Tensor) -> tuple[float, Tensor]:
        """How far another class is ahead of the answer, and the direction in which it gets further."""
        pixels = ((self._crop + levels) / 255).requires_grad_()
        with without_denormals():
            ahead = margin(self._target.plain_scores(pixels[None]), self._answer)[0]
            (gradient,) = torch.autograd.grad(ahead, pixels)
        return float(ahead.detach()), _unit(gradient)


def _unit(vector: Tensor) -> Tensor:
    return vector / vector.norm().clamp_min(1e-30)
