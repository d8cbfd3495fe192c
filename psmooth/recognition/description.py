"""Describes a crop by 70 plain numbers: its grey levels, colours, spectra, edges, and rings about its centre.

It knows nothing about models. No number changes when the crop is turned or mirrored.
"""

from functools import cache
from typing import Final

import numpy as np

NUMBERS: Final = 70
LEVELS: Final = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
_EDGE_LEVELS: Final = (0.25, 0.5, 0.75, 0.95, 0.99)
_RINGS: Final = (0.31, 0.56, 0.78, 1.0, 1.25)  # in half sides from the centre
_BANDS: Final = 9
_COLOUR_BANDS: Final = 6  # above these a file that keeps colours more coarsely, as JPEG does, has less power


def describe(pixels: np.ndarray) -> np.ndarray:
    """``(3, size, size)`` uint8 → ``(NUMBERS,)`` float64."""
    red, green, blue = pixels.astype(np.float64) / 255
    grey, colours = (red + green + blue) / 3, (red - green, (red + green) / 2 - blue)
    planes = np.stack((grey, *colours))
    levels = np.quantile(planes.reshape(3, -1), LEVELS, axis=1)
    moments = [moment for plane in planes for moment in (plane.mean(), plane.std())]
    together = [((grey - grey.mean()) * colour).mean() for colour in colours]
    return np.concatenate([levels.T.ravel(), moments, together, _spectra(planes), _ring_moments(grey), _edges(grey)])


def _spectra(planes: np.ndarray) -> list[float]:
    """The logarithm of each plane's power in bands of frequency, each about 1.7 times as high as the one before."""
    size = planes.shape[-1]
    window = np.hanning(size)[:, None] * np.hanning(size)
    powers = np.abs(np.fft.fft2((planes - planes.mean((1, 2), keepdims=True)) * window)) ** 2
    bands = _bands(size)
    inside = [bands == band for band in range(1, _BANDS + 1)]
    counts = (_BANDS, _COLOUR_BANDS, _COLOUR_BANDS)
    chosen = [power[band] for power, count in zip(powers, counts, strict=True) for band in inside[:count]]
    return [float(np.log(values.mean() + 1e-3)) for values in chosen]


@cache
def _bands(size: int) -> np.ndarray:
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size))
    return np.digitize(frequency, np.geomspace(1 / size, 0.5, _BANDS))


def _ring_moments(grey: np.ndarray) -> list[float]:
    rings = _rings(len(grey))
    return [
        float(moment) for ring in range(6) for part in (grey[rings == ring],) for moment in (part.mean(), part.std())
    ]


@cache
def _rings(size: int) -> np.ndarray:
    side = (np.arange(size) + 0.5) / size * 2 - 1
    return np.digitize(np.hypot(side[:, None], side), _RINGS)


def _edges(grey: np.ndarray) -> np.ndarray:
    """How steep the steps between neighbours are, and the shares of no step at all, of black and of white."""
    steps = np.abs(np.concatenate([np.diff(grey, axis=0).ravel(), np.diff(grey, axis=1).ravel()]))
    steep = np.log(np.quantile(steps, _EDGE_LEVELS) + 1 / 512)
    return np.append(steep, [(steps == 0).mean(), (grey <= 2 / 255).mean(), (grey >= 253 / 255).mean()])
