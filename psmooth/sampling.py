"""Turns one crop into a stream of embeddings of its noisy copies.

It knows nothing about prompts, classes or statistics.

The noise is a Gaussian rounded to the grid of 8-bit pixels: P(k) = Φ((k + ½)/(255σ)) − Φ((k − ½)/(255σ)), added to the
crop in integers. Rounded noise on an 8-bit crop is the rounding of the exact sum, so smoothing with it is smoothing in
real arithmetic of a classifier that rounds first; noise drawn in floats is not (Voráček & Hein 2023, arXiv 2207.09209).
Bin edges come from SciPy's float64 ``ndtr``, taken in the lower tail on both sides. What the law of the draws differs
by from the exact one grows with σ: for all values of a 224 × 224 crop together the total variation is below 4e-9 up to
σ = 1 and below 4e-8 up to σ = 10; at 448 pixels it is four times that. Nothing is clipped.
"""

import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Literal, Protocol, TypeVar

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor

from psmooth.errors import PlanError
from psmooth.scans import Crop

Result = TypeVar("Result")

Phase = Literal["tune", "select", "estimate", "attack", "judge"]

BLOCK = 32  # copies drawn from one generator
SMALLEST_NOISE_LEVEL, LARGEST_NOISE_LEVEL = 0.001, 10.0  # below, hardly a pixel moves by one level
_UNDECIDED = np.int16(-32768)  # marks a 16-bit prefix that a bin edge runs through
_IN_CACHE = 1 << 15  # draws looked up at a time: NumPy widens their indices fourfold
_MOST_WORKERS = 4


class ImageEncoder(Protocol):
    """What sampling needs of a model."""

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        ...

    def embed_images(self, pixels: Tensor) -> Tensor:
        """``(batch, 3, size, size)`` pixels → ``(batch, dim)`` unit vectors."""
        ...


class GridNoise:
    """Gaussian noise rounded to the grid of 1/255, drawn exactly from random integers.

    The first 16 bits of a draw decide nearly always, through a table; where a bin edge runs through that prefix
    (0.7 % at σ = .25), 48 more bits decide.
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
        self._table = np.where(first == last, first, _UNDECIDED)

    def draw(self, generator: np.random.SFC64, count: int) -> np.ndarray:
        """``count`` integers (a multiple of 4), int16, in grey levels."""
        prefixes = generator.random_raw(count // 4).view(np.uint16)
        noise = np.empty(count, np.int16)
        for start in range(0, count, _IN_CACHE):
            part = slice(start, start + _IN_CACHE)
            self._table.take(prefixes[part], mode="clip", out=noise[part])
        rows = np.flatnonzero(noise == _UNDECIDED)
        tails = generator.random_raw(len(rows)) >> np.uint64(16)
        noise[rows] = self._look_up((prefixes[rows].astype(np.uint64) << np.uint64(48)) | tails)
        return noise

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


def noise_block(noise_level: float, seed: str, crop: Crop, phase: Phase, block: int) -> np.ndarray:
    """The noise of votes ``32 · block`` to ``32 · block + 31`` of a phase: ``(32, size, size, 3)`` int16 grey levels.

    A function of the arguments alone, whatever the batch size or the number of workers. One seed for many crops
    never repeats noise, because the crop's sha256 is part of the key; phases and blocks never share any either.
    """
    key = hashlib.sha256(f"{seed}:{crop.sha256}:{phase}:{block}".encode()).digest()
    return _drawn(noise_level, key, crop.pixels.shape[-1])


@lru_cache(maxsize=2)  # batches smaller than a block share it
def _drawn(noise_level: float, key: bytes, size: int) -> np.ndarray:
    generator = np.random.SFC64(np.random.SeedSequence(int.from_bytes(key, "big")))
    noise = grid_noise(noise_level).draw(generator, BLOCK * size * size * 3).reshape(BLOCK, size, size, 3)
    noise.flags.writeable = False
    return noise


def noisy_copies(crop: Crop, noise: np.ndarray) -> Tensor:
    """The copies that a model looks at, ``(copies, 3, size, size)`` float32 in units of 1, not clipped.

    Pixel and noise are added as integers and converted once: a float of either alone would carry bits of the crop.
    """
    levels = np.ascontiguousarray(crop.pixels.transpose(1, 2, 0), np.int16)
    copies = (noise + levels).astype(np.float32)
    copies /= np.float32(255)
    return torch.from_numpy(copies).permute(0, 3, 1, 2)


def batch_copies(crop: Crop, noise_level: float, seed: str, phase: Phase, first: int, batch_size: int) -> Tensor:
    """Copies ``first`` to ``first + batch_size − 1`` of a phase, ``(batch_size, 3, size, size)``."""
    blocks = range(first // BLOCK, (first + batch_size - 1) // BLOCK + 1)
    drawn = [noise_block(noise_level, seed, crop, phase, block) for block in blocks]
    start = first - blocks[0] * BLOCK
    noise = drawn[0] if len(drawn) == 1 else np.concatenate(drawn)
    return noisy_copies(crop, noise[start : start + batch_size])


def noisy_embeddings(
    model: ImageEncoder,
    crop: Crop,
    noise_level: float,
    *,
    seed: str,
    phase: Phase,
    count: int,
    batch_size: int,
    denoise: Callable[[Tensor, float], Tensor] | None = None,
    mirrored: bool = False,
) -> Iterator[Tensor]:
    """Embeddings of copies 0 to ``count − 1`` of a phase, in order, a batch at a time.

    On the CPU a few workers draw and encode whole batches side by side, each on its share of the cores: no core waits
    for another, so exact noise costs next to nothing. Elsewhere they draw the coming batches while the device works.
    Every batch has the same shape, because an encoder's last bits may depend on it; of the last one, the copies past
    ``count`` are thrown away. ``mirrored`` embeds each copy and its mirror image: their mean is a function of the copy.

    Yields:
        ``(copies, dim)`` unit vectors, or means of two, on the model's device; ``copies`` = ``batch_size`` but for the
        last.
    """

    def draw(first: int) -> Tensor:
        return batch_copies(crop, noise_level, seed, phase, first, batch_size)

    def look(copies: Tensor) -> Tensor:
        return model.embed_images(denoise(copies, noise_level) if denoise else copies)

    def embed(copies: Tensor) -> Tensor:
        return look(copies).lerp(look(copies.flip(3)), 0.5) if mirrored else look(copies)

    starts = range(0, count, batch_size)
    if model.device.type == "cpu":
        parts = side_by_side(lambda first: embed(draw(first)), starts)
    else:
        parts = (embed(copies) for copies in side_by_side(draw, starts))
    for first, part in zip(starts, parts, strict=True):
        yield part[: count - first]


def side_by_side(work: Callable[[int], Result], starts: Sequence[int]) -> Generator[Result, None, None]:
    """What becomes of each batch, in order, by a few threads that share the cores."""
    cores = torch.get_num_threads()
    workers = most_workers(cores)
    with ThreadPoolExecutor(workers, initializer=_take, initargs=(cores // workers,)) as pool:
        ahead = [pool.submit(work, first) for first in starts[: workers + 1]]
        try:
            for number in range(len(starts)):
                yield ahead.pop(0).result()
                if number == 0:
                    torch.set_num_threads(cores)  # the workers' share was also made the default of new threads
                ahead += [pool.submit(work, first) for first in starts[number + workers + 1 : number + workers + 2]]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            torch.set_num_threads(cores)


def most_workers(cores: int) -> int:
    """How many batches are on their way at once, on so many cores."""
    return min(_MOST_WORKERS, cores)


def _take(cores: int) -> None:
    """This thread's share of them; asking for it at once keeps it: torch takes the default of that moment for good."""
    torch.set_num_threads(cores)
    torch.get_num_threads()
