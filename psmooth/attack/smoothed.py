"""Looks for a change that turns the vote of noisy copies: at a given radius, or the smallest that does.

It knows nothing about files or pages.

SmoothAdv (Salman, Yang, Li, Zhang, Zhang, Razenshteyn & Bubeck 2019, arXiv 1906.04584, equation 6): projected gradient
descent on the mean softmax over noisy copies, fresh copies at every step. At the model's own scale that softmax is 0 or
1 nearly everywhere, so it is tempered to the size of the copies' margins.
"""

import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from psmooth.attack.grid import Change, changed_crop, fitted_levels, levels_of
from psmooth.attack.target import Target, margin, on_a_share, without_denormals
from psmooth.certificate import Abstention, Certificate, Plan
from psmooth.sampling import side_by_side
from psmooth.smoothing.certification import Results, certify_request

JUDGE = Plan(max_votes=1_000, target_radius=1e-6)  # ends as soon as any class is certified
SEARCH_JUDGE = Plan(max_votes=300, target_radius=1e-6)  # of each of many radii
_LARGEST = 8.0  # times σ: beyond, no radius of this many votes reaches
_CLOSE = 1.01  # of two radii between which no third is looked for

Outcome = Literal["turned", "abstained", "held"]

Way = Literal["smoothadv", "transfer", "through_tuning"]

Search = Literal["inside", "smallest"]


@dataclass(frozen=True, eq=False)
class Attempt:
    """An attacked crop, and what a fresh run of ``certify`` says of it.

    Attributes:
        way: how the change was found: ``smoothadv``; of a method that tunes on the scan, ``transfer`` against its start
            prompt, or ``through_tuning``.
        radius: the norm that was allowed; ``change.distance`` is the one in 8 bits, never larger.
        judged: the certificate or abstention, of fresh noise in every phase and, if the method tunes, of a prompt tuned
            anew.
        outcome: ``turned`` if another class is certified, ``held`` if the same one is, else ``abstained``.
    """

    way: Way
    radius: float
    change: Change
    judged: Certificate | Abstention
    outcome: Outcome


@dataclass(frozen=True, eq=False)
class SmoothedProgress:
    """The attack on the vote as of now.

    Attributes:
        step, planned: gradients taken, and how many it may take.
        seconds: since it began.
        radius: the norm that is allowed at this step.
        share: the mean tempered softmax of the certified class over the copies of this step.
        attempts: the crops that were judged, in the order of time.
        done: whether the search is over.
    """

    step: int
    planned: int
    seconds: float
    radius: float
    share: float
    attempts: tuple[Attempt, ...] = ()
    done: bool = False

    @property
    def smallest(self) -> Attempt | None:
        """The smallest change found that turned the vote; an upper bound of the smallest there is."""
        turned = [one for one in self.attempts if one.outcome == "turned"]
        return min(turned, key=lambda one: one.change.distance, default=None)


def attack_smoothed(
    target: Target, leader: str, radius: float, *, steps: int = 20, draws: int = 16
) -> Generator[SmoothedProgress, None, None]:
    """Look for a crop within a radius for which a fresh run of ``certify`` certifies another class.

    Both the last crop and the one of the smallest mean softmax are judged. That none is found proves nothing.

    Args:
        target: from ``find_target``; its class vectors are attacked as they stand there.
        leader: the class id that was certified for the crop.
        radius: L2 over crop values in [0, 1].
        steps: gradients, each over ``draws`` noisy copies.
    """
    start, climb = time.perf_counter(), Climb(target, leader, draws)
    yield from at_radius(
        climb, radius, steps, start, SmoothedProgress(0, steps, 0.0, radius, 1.0), "smoothadv", "inside"
    )


def attack_smallest(
    target: Target,
    leader: str,
    certified: float,
    *,
    steps: int = 12,
    draws: int = 16,
    halvings: int = 6,
    judge: Plan = SEARCH_JUDGE,
) -> Generator[SmoothedProgress, None, None]:
    """Look for the smallest change after which a fresh run of ``certify`` certifies another class.

    Bisection between the certified radius and 8σ, each attack from where the last one ended. What is found is an upper
    bound of the true distance; the certificate is a lower one.

    Args:
        target, leader, draws: as for ``attack_smoothed``.
        certified: the certified radius, from which on a change is looked for; 0 if nothing was certified.
        steps: gradients at each radius; the first one, which starts from nothing, takes twice as many.
        halvings: radii after the first one, at most; fewer once the last two are a hundredth apart.
        judge: of each radius; more votes see a smaller lead.
    """
    start, climb = time.perf_counter(), Climb(target, leader, draws)
    low, high = max(certified, 1 / 255), _LARGEST * target.request.noise_level
    last = SmoothedProgress(0, (halvings + 2) * steps, 0.0, high, 1.0)
    radius, found = min(4 * low, high), False
    for place in range(halvings + 1):
        taken = 2 * steps if place == 0 else steps
        for last in at_radius(climb, radius, taken, start, last, "smoothadv", "smallest", judge):  # noqa: B020
            yield last
        if last.attempts[-1].outcome == "turned":
            high, found = last.attempts[-1].change.distance, True
        else:
            low = radius
        if low * _CLOSE >= high:
            break
        radius = math.sqrt(low * high) if found else min(2 * radius, high)
    yield replace(last, seconds=time.perf_counter() - start, done=True)


def at_radius(
    climb: "Climb",
    radius: float,
    steps: int,
    start: float,
    last: SmoothedProgress,
    way: Way,
    search: Search,
    judge: Plan = JUDGE,
) -> Iterator[SmoothedProgress]:
    """One attack at a radius, a step at a time, and its judgement, a look at a time.

    The search ``inside`` has the crop of the smallest mean softmax judged beside the last one.
    """
    best, least = None, math.inf
    for step in range(steps):
        share = climb.step(radius, 2 * radius / steps)
        if step > 0 and share < least:  # the first one was taken where the search began
            best, least = climb.at, share
        last = replace(last, step=last.step + 1, seconds=time.perf_counter() - start, radius=radius, share=share)
        yield last
    changes = [climb.end(radius)]
    if search == "inside" and best is not None:
        changes.append(changed_crop(climb.target.crop, best))
    for change in changes:
        request = replace(climb.target.judging(change.crop, f"{search}:{len(last.attempts)}"), plan=judge)
        results: Results = {}
        with closing(certify_request(request)) as looks:
            for look in looks:
                results = look.results
                yield (last := replace(last, seconds=time.perf_counter() - start))
        attempt = _attempt(climb.leader, change, radius, way, next(iter(results.values())))
        last = replace(last, seconds=time.perf_counter() - start, attempts=(*last.attempts, attempt))
        yield last


def _attempt(leader: str, change: Change, radius: float, way: Way, judged: Certificate | Abstention) -> Attempt:
    return Attempt(way, radius, change, judged, outcome_of(leader, judged.predicted))


def outcome_of(leader: str, certified: str | None) -> Outcome:
    """What it means that a fresh run certifies this class, or none, where another run certified ``leader``."""
    return "abstained" if certified is None else "held" if certified == leader else "turned"


class Climb:
    """SmoothAdv, a step at a time: ``at`` are the grey levels that the last gradient was taken at."""

    def __init__(self, target: Target, leader: str, draws: int) -> None:
        self.target, self.leader = target, leader
        self._answer, self.draws = target.classes.index(leader), draws
        self._crop = levels_of(target.crop, target.request.model.device)
        self._change = torch.zeros_like(self._crop)
        self.vectors = target.contender.vectors.clone()
        self._ends = [0]  # of the copies of each step
        self.at = torch.zeros_like(self._crop)
        self._scale = self._one_over_spread()

    def step(self, radius: float, length: float) -> float:
        """A step of that length down the mean softmax of the leader, within the radius; gives that mean before it."""
        self._change = self._change * min(1.0, radius / max(float(self._change.norm()), 1e-30))
        self.at = self._fitted(radius)
        share, gradient = self.descent()
        change = self._change - length * gradient / gradient.norm().clamp_min(1e-30)
        change = change.clamp(-self._crop / 255, 1 - self._crop / 255)
        self._change = change * min(1.0, radius / float(change.norm().clamp_min(1e-30)))
        return share

    def pixels(self) -> Tensor:
        """The crop that the next gradient is taken at, ``(3, size, size)`` in [0, 1]."""
        return (self._crop + self.at) / 255

    def batch(self, first: int) -> Tensor:
        """The noise of a batch of this step, on the model's device."""
        ahead = next(end for end in self._ends if end > first)
        return self.target.noise("attack", first, min(self._batch_size(), ahead - first))

    def shares(self, embeddings: Tensor, vectors: Tensor) -> Tensor:
        """The tempered softmax of the leader, ``(copies, dim)`` → ``(copies,)``."""
        return (self._scale * embeddings @ vectors.T).softmax(1)[:, self._answer]

    def end(self, radius: float) -> Change:
        """The crop of 8 bits where the steps have led."""
        return changed_crop(self.target.crop, self._fitted(radius))

    def _fitted(self, radius: float) -> Tensor:
        return on_a_share(lambda: fitted_levels(self._crop, self._change, radius))

    def descent(self) -> tuple[float, Tensor]:
        """The mean softmax of the leader over fresh copies, and its gradient; a batch of copies at a time."""
        parts = list(side_by_side(self.part, self.batches()))
        return sum(share for share, _ in parts) / self.draws, torch.stack([one for _, one in parts]).sum(0)

    def batches(self) -> range:
        """Numbers of the first copies of each batch of a new step; no copy is drawn twice."""
        first = self._ends[-1]
        self._ends.append(first + self.draws)
        return range(first, first + self.draws, self._batch_size())

    def _batch_size(self) -> int:
        return max(1, min(self.target.request.batch_size, self.draws // 2))

    def _one_over_spread(self) -> float:
        """One over how far the leader's margin lies from 0 and spreads, as the first copies show it."""
        with torch.no_grad():
            copies = [self.target.embed_noisy(self.pixels() + self.batch(first)) for first in self.batches()]
            margins = margin(torch.cat(copies) @ self.vectors.T, self._answer)
        return 1 / max(float(margins.square().mean().sqrt()), 1e-6)

    def part(self, first: int) -> tuple[float, Tensor]:
        """The sum of shares over a batch of copies, and its gradient."""
        return self.back(first, lambda embeddings: self.shares(embeddings, self.vectors).sum())

    def back(self, first: int, score: Callable[[Tensor], Tensor]) -> tuple[float, Tensor]:
        """A number made of the embeddings of a batch of copies, and its gradient, ``(3, size, size)``."""
        with without_denormals(), torch.enable_grad():
            pixels = self.pixels().requires_grad_()
            value = score(self.target.embed_noisy(pixels + self.batch(first)))
            (gradient,) = torch.autograd.grad(value, pixels)
        return float(value.detach()), gradient
