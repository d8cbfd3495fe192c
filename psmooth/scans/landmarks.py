"""Measures known changes of a crop, such as a shift by one pixel, as L2 distances: what a radius is compared with.

It knows nothing about radii, models or how a distance is shown.
"""

import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Landmark:
    """A change that people know, and its size: the L2 norm over the crop's values in [0, 1]."""

    words: str
    size: float


def landmarks(pixels: np.ndarray, noise_level: float) -> list[Landmark]:
    """Changes of this very crop on the scale of a radius, smallest first.

    Args:
        pixels: ``(3, size, size)`` uint8, the crop.
        noise_level: of the votes; the noise itself is the last landmark.
    """
    values = pixels.size
    known = [
        Landmark("1 value in 10 by ± 1 level", math.sqrt(0.1 * values) / 255),
        Landmark("every value by ± 1 level", math.sqrt(values) / 255),
        Landmark("JPEG at quality 75", _distance(pixels, as_jpeg(pixels, 75))),
        Landmark("shift by one pixel", _distance(pixels, _shifted(pixels))),
        Landmark("the noise of one copy", noise_level * math.sqrt(values)),
    ]
    return sorted(known, key=lambda landmark: landmark.size)


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.linalg.norm((first.astype(np.float64) - second) / 255))


def as_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB")).transpose(2, 0, 1)


def _shifted(pixels: np.ndarray) -> np.ndarray:
    """One pixel to the right; the left edge is repeated."""
    return np.concatenate([pixels[:, :, :1], pixels[:, :, :-1]], axis=2)
