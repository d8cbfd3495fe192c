"""Turns one crop into a stream of embeddings of its noisy copies.

It knows nothing about prompts, classes or statistics.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from psmooth.noise import BLOCK, SCHEME, Phase, Scheme, noise_block, noise_blocks_on, sent
from psmooth.scans import Crop

Result = TypeVar("Result")

_MOST_WORKERS = 4
_DRAW_NOISE = ("cuda",)  # kinds of devices that do so themselves


class ImageEncoder(Protocol):
    """What sampling needs of a model."""

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        ...

    def embed_images(self, pixels: Tensor) -> Tensor:
        """``(batch, 3, size, size)`` pixels → ``(batch, dim)`` unit vectors."""
        ...


def noisy_copies(crop: Crop, noise: np.ndarray) -> Tensor:
    """The copies that a model looks at, ``(copies, 3, size, size)`` float32 in units of 1, not clipped.

    Pixel and noise are added as integers and converted once: a float of either alone would carry bits of the crop.
    """
    copies = (noise + _levels(crop)).astype(np.float32)
    copies /= np.float32(255)
    return torch.from_numpy(copies).permute(0, 3, 1, 2)


def _levels(crop: Crop) -> np.ndarray:
    """``(size, size, 3)`` int16."""
    return np.ascontiguousarray(crop.pixels.transpose(1, 2, 0), np.int16)


def batch_copies(
    crop: Crop, noise_level: float, seed: str, phase: Phase, first: int, batch_size: int, scheme: Scheme = SCHEME
) -> Tensor:
    """Copies ``first`` to ``first + batch_size − 1`` of a phase, ``(batch_size, 3, size, size)``."""
    return noisy_copies(crop, batch_noise(crop, noise_level, seed, phase, first, batch_size, scheme))


def batch_noise(
    crop: Crop, noise_level: float, seed: str, phase: Phase, first: int, batch_size: int, scheme: Scheme = SCHEME
) -> np.ndarray:
    """The noise of those copies, ``(batch_size, size, size, 3)`` int16 grey levels, not to be written to."""
    blocks, start = _blocks(first, batch_size)
    drawn = [noise_block(noise_level, seed, crop, phase, block, scheme) for block in blocks]
    noise = drawn[0] if len(drawn) == 1 else np.concatenate(drawn)
    return noise[start : start + batch_size]


def batch_copies_on(
    device: torch.device, crop: Crop, noise_level: float, seed: str, phase: Phase, first: int, batch_size: int
) -> Tensor:
    """The same copies as ``batch_copies``, bit for bit, with noise that the device draws itself."""
    blocks, start = _blocks(first, batch_size)
    noise = noise_blocks_on(device, noise_level, seed, crop, phase, blocks)[start : start + batch_size]
    copies = (noise + sent(torch.from_numpy(_levels(crop)), device)).float()
    copies /= torch.full((), 255.0, device=device)  # a number of the host's would become a product with its inverse
    return copies.permute(0, 3, 1, 2)


def _blocks(first: int, batch_size: int) -> tuple[range, int]:
    """The blocks of noise that a batch needs, and where in the first of them it begins."""
    blocks = range(first // BLOCK, (first + batch_size - 1) // BLOCK + 1)
    return blocks, first - blocks[0] * BLOCK


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
    scheme: Scheme = SCHEME,
) -> Iterator[Tensor]:
    """Embeddings of copies 0 to ``count − 1`` of a phase, in order, a batch at a time.

    On the CPU a few workers draw and encode whole batches side by side, each on its share of the cores: no core waits
    for another, so exact noise costs next to nothing. An NVIDIA card draws its noise itself, and nothing here waits for
    it; for any other device, or another scheme, the workers draw the coming batches while it works.
    Every batch has the same shape, because an encoder's last bits may depend on it; of the last one, the copies past
    ``count`` are thrown away. ``mirrored`` embeds each copy and its mirror image: their mean is a function of the copy.

    Yields:
        ``(copies, dim)`` unit vectors, or means of two, on the model's device; ``copies`` = ``batch_size`` but for the
        last.
    """

    def draw(first: int) -> Tensor:
        return batch_copies(crop, noise_level, seed, phase, first, batch_size, scheme)

    def draw_there(first: int) -> Tensor:
        return batch_copies_on(model.device, crop, noise_level, seed, phase, first, batch_size)

    def look(copies: Tensor) -> Tensor:
        return model.embed_images(denoise(copies, noise_level) if denoise else copies)

    def embed(copies: Tensor) -> Tensor:
        return look(copies).lerp(look(copies.flip(3)), 0.5) if mirrored else look(copies)

    starts = range(0, count, batch_size)
    if model.device.type in _DRAW_NOISE and scheme == SCHEME:
        parts = (embed(draw_there(first)) for first in starts)
    elif model.device.type == "cpu":
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
