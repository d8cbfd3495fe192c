"""Attacks a pipeline that tunes its prompt anew on what arrives, inside a radius that holds for a frozen prompt.

It knows nothing about files or pages.

PromptSmooth (Hussein, Shamshad, Naseer & Nandakumar 2024, arXiv 2408.16769) lowers the entropy of the very vote that is
certified, by one step of AdamW on copies of the scan. A crop inside the radius may lead it to another prompt, about
which that radius says nothing.
"""

import math
import time
from collections.abc import Generator
from dataclasses import replace

import torch
from torch import Tensor

from psmooth.attack.smoothed import Climb, SmoothedProgress, at_radius
from psmooth.attack.target import Target
from psmooth.errors import PlanError
from psmooth.learning.tuning import RATE, entropy_of, tune
from psmooth.sampling import side_by_side

_NUDGE = 1e-3  # of the context's own norm, to differentiate a gradient by


def attack_pipeline(
    target: Target, leader: str, radius: float, *, steps: int = 20, draws: int = 16
) -> Generator[SmoothedProgress, None, None]:
    """Look for a crop within a radius for which the whole pipeline, run afresh, certifies another class.

    Two attacks: ``transfer`` attacks the vote under the start prompt; ``through_tuning`` attacks the vote under the
    prompt that is tuned on the attacked crop, with gradients through that step. Both are judged, and either counts.

    Args:
        target: from ``find_target``, of a method that tunes on the scan.
        leader: the class id that was certified for the crop with its prompt frozen.
        radius: L2 over crop values in [0, 1].
        steps: gradients of each attack, each over ``draws`` noisy copies; ``through_tuning`` tunes on as many.

    Raises:
        PlanError: the method tunes nothing on the scan, or the radius is not above 0.
    """
    start, now = time.perf_counter(), SmoothedProgress(0, 2 * steps, 0.0, radius, 1.0)
    for now in at_radius(Climb(target, leader, draws), radius, steps, start, now, "transfer", "inside"):  # noqa: B020
        yield now
    climb = ThroughTuning(target, leader, draws)
    for now in at_radius(climb, radius, steps, start, now, "through_tuning", "inside"):  # noqa: B020
        yield now
    yield replace(now, done=True)


class ThroughTuning(Climb):
    """SmoothAdv on the vote under the prompt that copies of the attacked crop lead to, fresh ones at every step.

    The first step of AdamW follows the sign of the gradient, which cannot be differentiated. Backwards it is taken for
    a plain gradient step of the same length, c − ℓ·g/‖g‖, and the derivative of g along the direction that is asked
    for is a central difference: no text tower is differentiated twice.
    """

    def __init__(self, target: Target, leader: str, draws: int) -> None:
        start = target.contender.start
        if start is None:
            raise PlanError(
                "There is no method '{method}'; it must be one of {known}.",
                method=target.contender.method,
                known="zero_shot, combined",
            )
        super().__init__(target, leader, draws)
        self._start = start.detach().clone()
        self._task = replace(target.request.task, templates=target.contender.templates)

    def descent(self) -> tuple[float, Tensor]:
        """The mean softmax of the leader under the tuned prompt, and its gradient on both ways to the pixels."""
        model, task = self.target.request.model, self._task
        tuning, voting = self.batches(), self.batches()
        seen = self._embeddings(tuning)
        context = tune(model, task, self._start, seen).requires_grad_()
        vectors = model.embed_context(context, task.templates[0], task.class_names)
        self.vectors = vectors.detach()
        (wanted,) = torch.autograd.grad(self.shares(self._embeddings(voting), vectors).sum(), context)
        moves = dict(zip(tuning, self._moves(wanted, seen).split(tuning.step), strict=True))
        direct = list(side_by_side(self.part, voting))
        tuned = side_by_side(lambda first: self.back(first, lambda one: (one * moves[first]).sum()), tuning)
        gradients = torch.stack([gradient for _, gradient in (*direct, *tuned)])
        return sum(share for share, _ in direct) / self.draws, gradients.sum(0)

    def _embeddings(self, batches: range) -> Tensor:
        def embed(first: int) -> Tensor:
            with torch.no_grad():
                return self.target.embed_noisy(self.pixels() + self.batch(first))

        return torch.cat(list(side_by_side(embed, batches)))

    def _moves(self, wanted: Tensor, seen: Tensor) -> Tensor:
        """The gradient with respect to the copies tuned on, ``(copies, dim)``, from that with respect to the context.

        Of the step c − ℓ·g/‖g‖: the part of ``wanted`` across g, times −ℓ/‖g‖, through the derivative of g.
        """
        gradient, _ = self._slopes(self._start, seen)
        size = gradient.norm().clamp_min(1e-30)
        along = gradient / size
        across = -RATE * math.sqrt(gradient.numel()) / size * (wanted - (wanted * along).sum() * along)
        length = across.norm().clamp_min(1e-30)
        nudge = _NUDGE * float(self._start.norm())
        up, down = (self._slopes(self._start + way * nudge * across / length, seen)[1] for way in (1, -1))
        return length * (up - down) / (2 * nudge)

    def _slopes(self, context: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of the entropy with respect to the context and to the embeddings of the copies."""
        context, seen = context.clone().requires_grad_(), seen.clone().requires_grad_()
        entropy = entropy_of(self.target.request.model, self._task, context, seen)
        to_context, to_copies = torch.autograd.grad(entropy, (context, seen))
        return to_context, to_copies
