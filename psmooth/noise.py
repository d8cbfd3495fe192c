"""Draws Gaussian noise on the grid of 8-bit pixels, from a seed: the same bits on the processor and on a device.

It knows nothing about models or votes.

The noise is a Gaussian rounded to that grid: P(k) = Φ((k + ½)/(255σ)) − Φ((k − ½)/(255σ)), added to the crop in
integers. Rounded noise on an 8-bit crop is the rounding of the exact sum, so smoothing with it is smoothing in real
arithmetic of a classifier that rounds first; noise drawn in floats is not (Voráček & Hein 2023, arXiv 2207.09209).
Bin edges come from SciPy's float64 ``ndtr``, taken in the lower tail on both sides. What the law of the draws differs
by from the exact one grows with σ: for all values of a 224 × 224 crop together the total variation is below 4e-9 up to
σ = 1 and below 4e-8 up to σ = 10; at 448 pixels it is four times that. Nothing is clipped.

A scheme says how random bits are made; a certificate names it. With ``philox4x64-10`` every bit has a place that is
known beforehand, so that a device draws all of them side by side. ``sfc64`` is that of older certificates.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from math import ceil, sqrt
from typing import Literal

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor
from torch.nn.functional import pad

from psmooth.errors import PlanError
from psmooth.philox import philox_words
from psmooth.scans import Crop

Phase = Literal["tune", "select", "estimate", "attack", "judge"]

Scheme = Literal["philox4x64-10", "sfc64"]

SCHEME: Scheme = "philox4x64-10"  # of every new run
UNNAMED: Scheme = "sfc64"  # in certificates and records of before there was a choice
SCHEMES = (SCHEME, UNNAMED)

BLOCK = 32  # copies drawn with one key
SMALLEST_NOISE_LEVEL, LARGEST_NOISE_LEVEL = 0.001, 10.0  # below, hardly a pixel moves by one level

_UNDECIDED = -32768  # marks a 16-bit prefix that a bin edge runs through
_TAILS = 1  # the stream of further bits; prefixes are stream 0
_IN_CACHE = 1 << 15  # draws looked up at a time: NumPy widens their indices fourfold
_ORDER = -(1 << 63)  # what a word is XORed with, so that int64 sorts as the unsigned numbers do
_DEVIATIONS = 40  # of the number of undecided draws, for which a device has room: more never come


class GridNoise:
    """Gaussian noise rounded to the grid of 1/255, drawn exactly from random integers.

    The first 16 bits of a draw decide nearly always, through a table; where a bin edge runs through that prefix
    (0.7 % at σ = .25), 48 more bits decide: the first undecided draw takes the first word of another stream.
    """

    def __init__(self, noise_level: float) -> None:
        if not SMALLEST_NOISE_LEVEL <= noise_level <= LARGEST_NOISE_LEVEL:
            raise PlanError(
                "noise_level is {noise_level}; it must lie from {least} to {most}.",
                noise_level=noise_level,
                least=f"{SMALLEST_NOISE_LEVEL:g}",
                most=f"{LARGEST_NOISE_LEVEL:g}",
            )
        self.noise_level = noise_level
        self.values, self.edges = _bins(noise_level)
        starts = np.arange(1 << 16, dtype=np.uint64) << np.uint64(48)
        first = self._look_up(starts)
        last = self._look_up(starts + np.uint64((1 << 48) - 1))
        self.table = np.where(first == last, first, np.int16(_UNDECIDED))

    def draw(self, prefixes: np.random.BitGenerator, tails: np.random.BitGenerator, count: int) -> np.ndarray:
        """``count`` integers (a multiple of 4), int16, in grey levels; four prefixes a word, the lowest bits first."""
        first = prefixes.random_raw(count // 4).view(np.uint16)
        noise = np.empty(count, np.int16)
        for start in range(0, count, _IN_CACHE):
            part = slice(start, start + _IN_CACHE)
            self.table.take(first[part], mode="clip", out=noise[part])
        rows = np.flatnonzero(noise == _UNDECIDED)
        rest = tails.random_raw(len(rows)) >> np.uint64(16)
        noise[rows] = self._look_up((first[rows].astype(np.uint64) << np.uint64(48)) | rest)
        return noise

    def most_undecided(self, count: int) -> int:
        """More of ``count`` draws than these are undecided with a chance below e^-59, by Bernstein's bound: never."""
        share = float((self.table == _UNDECIDED).mean())
        return min(count, ceil(count * share + _DEVIATIONS * sqrt(count * share) + _DEVIATIONS))

    def _look_up(self, uniforms: np.ndarray) -> np.ndarray:
        return self.values[np.searchsorted(self.edges, uniforms, side="right")]


def _bins(noise_level: float) -> tuple[np.ndarray, np.ndarray]:
    """The grey levels that 64 bits can reach, and the edges between their bins as 64-bit integers."""
    reach = int(np.ceil(9.3 * 255 * noise_level)) + 1
    lower = [int(float(share) * 2**64) for share in ndtr((np.arange(-reach, 0) + 0.5) / (255 * noise_level))]
    edges = lower + [2**64 - edge for edge in reversed(lower)]  # Φ(x) = 1 − Φ(−x): both tails equally sharp
    inside = [0 < edge < 2**64 for edge in edges]
    outer = inside.index(True)
    values = np.arange(-reach + outer, reach - outer + 1, dtype=np.int16)
    return values, np.array([edge for edge, kept in zip(edges, inside, strict=True) if kept], np.uint64)


@lru_cache(maxsize=8)
def grid_noise(noise_level: float) -> GridNoise:
    """The noise of that level; its table is kept."""
    return GridNoise(noise_level)


def noise_block(
    noise_level: float, seed: str, crop: Crop, phase: Phase, block: int, scheme: Scheme = SCHEME
) -> np.ndarray:
    """The noise of votes ``32 · block`` to ``32 · block + 31`` of a phase: ``(32, size, size, 3)`` int16 grey levels.

    A function of the arguments alone, whatever the batch size or the number of workers. One seed for many crops
    never repeats noise, because the crop's sha256 is part of the key; phases and blocks never share any either. Two
    keys are the same only where the first 128 bits of two sha256 are. The noise level is no part of it: one seed
    rounds the same draws at several levels.
    """
    return _drawn(noise_level, _key(seed, crop, phase, block), crop.pixels.shape[-1], scheme)


def _key(seed: str, crop: Crop, phase: Phase, block: int) -> bytes:
    return hashlib.sha256(f"{seed}:{crop.sha256}:{phase}:{block}".encode()).digest()


@lru_cache(maxsize=2)  # batches smaller than a block share it
def _drawn(noise_level: float, key: bytes, size: int, scheme: Scheme) -> np.ndarray:
    noise = grid_noise(noise_level).draw(*_generators(key, scheme), BLOCK * size * size * 3)
    noise = noise.reshape(BLOCK, size, size, 3)
    noise.flags.writeable = False
    return noise


def _generators(key: bytes, scheme: Scheme) -> tuple[np.random.BitGenerator, np.random.BitGenerator]:
    """Where prefixes come from, and where further bits do: of the older scheme, from what follows the prefixes."""
    if scheme == UNNAMED:
        generator = np.random.SFC64(np.random.SeedSequence(int.from_bytes(key, "big")))
        return generator, generator
    number = int.from_bytes(key[:16], "little")
    return np.random.Philox(key=number), np.random.Philox(key=number, counter=_TAILS << 64)


# --- on a device


def noise_blocks_on(
    device: torch.device, noise_level: float, seed: str, crop: Crop, phase: Phase, blocks: Sequence[int]
) -> Tensor:
    """What ``noise_block`` gives for each block by ``philox4x64-10``, bit for bit, drawn on the device.

    The host never waits for the device meanwhile.

    Returns:
        ``(32 · blocks, size, size, 3)`` int16, not to be written to.
    """
    keys = tuple(_key(seed, crop, phase, block) for block in blocks)
    return _drawn_on(device, noise_level, keys, crop.pixels.shape[-1])


@lru_cache(maxsize=2)  # batches smaller than a block share it
def _drawn_on(device: torch.device, noise_level: float, keys: tuple[bytes, ...], size: int) -> Tensor:
    words = torch.frombuffer(bytearray(b"".join(key[:16] for key in keys)), dtype=torch.int64)
    count = BLOCK * size * size * 3
    noise = _grid_on(device, noise_level).draw(sent(words.view(-1, 2), device), count)
    return noise.reshape(-1, size, size, 3)


def sent(values: Tensor, device: torch.device) -> Tensor:
    """A copy on the device, which the host does not wait for: without pinned memory torch waits for all work there."""
    return (values.pin_memory() if device.type == "cuda" else values).to(device, non_blocking=True)


@lru_cache(maxsize=8)
def _grid_on(device: torch.device, noise_level: float) -> "_GridOn":
    return _GridOn(device, noise_level)


class _GridOn:
    """The table and the edges of ``GridNoise`` on a device."""

    def __init__(self, device: torch.device, noise_level: float) -> None:
        grid = grid_noise(noise_level)
        self._most_undecided = grid.most_undecided
        self._table, self._values = (torch.from_numpy(part).to(device) for part in (grid.table, grid.values))
        self._edges = torch.from_numpy(grid.edges.view(np.int64)).to(device) ^ _ORDER

    def draw(self, keys: Tensor, count: int) -> Tensor:
        """``(blocks, count)`` int16 for keys ``(blocks, 2)``."""
        prefixes = philox_words(keys, count // 4).contiguous().view(torch.int16).int() & 0xFFFF
        noise = pad(self._table[prefixes], (0, 1))  # one place more, for what is not needed
        places = _places(noise == _UNDECIDED, self._most_undecided(count))
        tails = (philox_words(keys, places.shape[1], _TAILS) >> 16) & ((1 << 48) - 1)
        uniforms = (prefixes.gather(1, places.clamp(max=count - 1)).long() << 48) | tails
        decided = self._values[torch.searchsorted(self._edges, uniforms ^ _ORDER, right=True)]
        return noise.scatter_(1, places, decided)[:, :count]


def _places(marked: Tensor, most: int) -> Tensor:
    """Where the first, second, … mark of each row stands, or its last place: no count of them is waited for."""
    seen = marked.cumsum(1, dtype=torch.int32)
    wanted = torch.arange(1, most + 1, dtype=torch.int32, device=marked.device).expand(len(marked), -1)
    return torch.searchsorted(seen, wanted.contiguous()).clamp(max=marked.shape[1] - 1)
