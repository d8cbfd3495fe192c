"""Says what a model answers on the way from a crop to an attacked one, with and without noise.

It knows nothing about how the attacked crop was found, and nothing about pages.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from psmooth.attack.grid import Change, changed_crop, fitted_levels, levels_of
from psmooth.attack.target import Target
from psmooth.sampling import noisy_embeddings
from psmooth.scans import Crop
from psmooth.smoothing.contender import answers_of
from psmooth.smoothing.intervals import interval

PLAIN_PART = 0.5  # of the points, those up to the plain model's fall


@dataclass(frozen=True, eq=False)
class Point:
    """One crop on the way.

    Attributes:
        change: the crop, of 8 bits, and its distance.
        probabilities: by class, the plain model's: the softmax at its own scale, without noise and denoiser.
        named: the class id that the plain model names.
        counts: by class, the votes of noisy copies of their own, which no certificate counts.
        votes: how many were cast; those that are no number are in no count.
        vote: the class id with the most votes.
        share: of the class that was certified or leads at the crop itself, among the votes.
        low, high: the 95 % interval of Clopper and Pearson around ``share``.
    """

    change: Change
    probabilities: tuple[float, ...]
    named: str
    counts: tuple[int, ...]
    votes: int
    vote: str
    share: float
    low: float
    high: float


def points_between(
    target: Target, leader: str, plain: Change | None, turned: Change | None, *, count: int = 11, votes: int = 200
) -> Iterator[Point]:
    """Points from the crop over the plain model's fall to the change that turned the vote, in order of distance.

    Up to the fall along its own change; from there the direction turns into that of the other change while the norm
    grows evenly. Where one of them is None, or the vote turned before the plain answer did, the line is straight.

    Args:
        target: from ``find_target``.
        leader: the class id whose share is told.
        plain, turned: attacked crops; with neither there is the crop alone.
        count: of points, the crop itself included.
        votes: cast at each point, of fresh noise each.
    """
    changes = list(_changes(target, plain, turned, count))
    looks = target.looks([change.crop for change in changes])
    for change, (named, probabilities) in zip(changes, looks, strict=True):
        counts = _votes(target, change.crop, votes)
        share, vote = counts[target.classes.index(leader)] / votes, target.classes[int(np.argmax(counts))]
        yield Point(change, probabilities, named, counts, votes, vote, share, *interval(share, votes))


def _changes(target: Target, plain: Change | None, turned: Change | None, count: int) -> Iterator[Change]:
    crop = levels_of(target.crop, torch.device("cpu"))
    ends = [one for one in (plain, turned) if one is not None]
    if plain is not None and turned is not None and turned.distance <= plain.distance:
        ends = [plain]
    first = ends[0] if ends else None
    yield changed_crop(target.crop, torch.zeros_like(crop))
    if first is None:
        return
    steps = count - 1 if len(ends) == 1 else max(1, int((count - 1) * PLAIN_PART))
    for step in range(1, steps):
        yield _scaled(target.crop, crop, _direction(first), first.distance * step / steps)
    yield first
    if len(ends) == 1:
        return
    rest = count - 1 - steps
    for step in range(1, rest):
        part = step / rest
        direction = torch.lerp(_direction(first), _direction(ends[1]), part)
        yield _scaled(target.crop, crop, direction, first.distance + part * (ends[1].distance - first.distance))
    yield ends[1]


def _direction(change: Change) -> Tensor:
    levels = torch.from_numpy(change.levels.astype(np.float32))
    return levels / levels.norm().clamp_min(1e-30)


def _scaled(original: Crop, levels: Tensor, direction: Tensor, distance: float) -> Change:
    return changed_crop(original, fitted_levels(levels, direction, distance))


def _votes(target: Target, crop: Crop, votes: int) -> tuple[int, ...]:
    request, counts = target.request, torch.zeros(len(target.classes) + 1, dtype=torch.long)
    embeddings = noisy_embeddings(
        request.model, crop, request.noise_level, seed=request.seed, phase="judge", count=votes,
        batch_size=request.batch_size, denoise=request.denoiser, mirrored=request.denoiser.mirrored,
        scheme=request.noise,
    )  # fmt: skip
    for part in embeddings:
        answers = answers_of(part, target.contender.vectors, request.batch_size)
        counts += torch.bincount(answers, minlength=len(counts)).cpu()
    return tuple(counts[:-1].tolist())
