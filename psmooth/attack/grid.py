"""Puts a change of a crop on the grid of 8-bit pixels, and says how large it is there.

It knows nothing about models, noise or what the change is for.

What is certified is a crop of 8 bits, so an attacked crop is one too. Rounding a small change kills it: below about one
grey level a value nearly all of it is one level on the values that count most. So it is scaled before it is rounded,
and the largest entries are kept.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from psmooth.scans import Crop, crop_sha256

_HALVINGS = 14  # of the scale: of a range of 2 to the 10th, a thousandth is left


@dataclass(frozen=True, eq=False)
class Change:
    """An attacked crop beside the crop it was made from."""

    original: Crop
    crop: Crop

    @cached_property
    def levels(self) -> np.ndarray:
        """What was added to each value, ``(3, size, size)`` int16 grey levels."""
        return self.crop.pixels.astype(np.int16) - self.original.pixels

    @cached_property
    def distance(self) -> float:
        """L2 over crop values in [0, 1], of the crops as they are in 8 bits."""
        return math.sqrt(int(np.square(self.levels, dtype=np.int64).sum())) / 255

    @property
    def largest(self) -> int:
        """The largest change of a value, in grey levels."""
        return int(np.abs(self.levels).max())

    @property
    def root_mean_square(self) -> float:
        """In grey levels, over all values."""
        return 255 * self.distance / math.sqrt(self.levels.size)

    @property
    def changed(self) -> float:
        """The share of values that are not what they were."""
        return float(np.mean(self.levels != 0))


def changed_crop(original: Crop, levels: Tensor) -> Change:
    """The change that adds these grey levels, ``(3, size, size)``, to a crop."""
    pixels = (torch.from_numpy(original.pixels.astype(np.int16)) + levels.cpu().to(torch.int16)).numpy()
    pixels = np.ascontiguousarray(pixels.clip(0, 255), np.uint8)
    return Change(original, replace(original, pixels=pixels, sha256=crop_sha256(pixels)))


def levels_of(crop: Crop, device: torch.device) -> Tensor:
    """The grey levels of a crop, ``(3, size, size)`` float32."""
    return torch.from_numpy(crop.pixels.copy()).to(device).float()


def fitted_levels(levels: Tensor, direction: Tensor, radius: float) -> Tensor:
    """The whole grey levels along a direction whose L2 norm comes closest to a radius from below.

    ``round(s · direction)`` with the scale s found by bisection, clipped so that the sum stays in 0 to 255. Where many
    values would be rounded up at one scale, as many of them are as there is room for.

    Args:
        levels: of the crop, ``(3, size, size)`` in 0 to 255.
        direction: of the same shape; its length does not matter.
        radius: L2 over values in [0, 1].
    """
    most = (255 * radius) ** 2 * (1 + 1e-12)
    peak = float(direction.abs().max())
    if peak == 0 or most < 1:
        return torch.zeros_like(levels)
    low, high = 0.49 / peak, 2 * (255 * radius + 1) / peak
    for _ in range(_HALVINGS):
        scale = math.sqrt(low * high)
        low, high = (scale, high) if _power(_rounded(levels, direction, scale)) <= most else (low, scale)
    return _filled(_rounded(levels, direction, low), _rounded(levels, direction, high), most)


def _rounded(levels: Tensor, direction: Tensor, scale: float) -> Tensor:
    return (scale * direction).round().clamp(-levels, 255 - levels)


def _power(change: Tensor) -> float:
    return float(change.square().sum(dtype=torch.float64))


def _filled(lower: Tensor, upper: Tensor, most: float) -> Tensor:
    """``lower`` with as many entries of ``upper`` as the square of the norm leaves room for."""
    cost = (upper.square() - lower.square()).flatten().double()
    taken = (cost.cumsum(0) <= most - _power(lower)).view(lower.shape)
    return torch.where(taken, upper, lower)
