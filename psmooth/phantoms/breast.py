"""Draws breast ultrasound: skin, fat, glandular tissue and muscle in layers of speckle, with or without a lesion.

It knows nothing about seeds, file formats or models; it paints what the parameters say.
Everything multiplies one map of echo; the machine takes its logarithm.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import ndimage

from psmooth.phantoms.tools import (
    CANVAS,
    Array,
    Drawing,
    Number,
    Parameter,
    PhantomPainter,
    Word,
    band,
    inside,
    rough_noise,
    smooth_noise,
)


def _looks(**own: Parameter) -> dict[str, Parameter]:
    """The parameters that every class has, after its own."""
    common: dict[str, Parameter] = {
        "fat": Number(0.16, 0.3),
        "gland": Number(0.25, 0.45),
        "gain": Number(0.85, 1.15),
        "attenuation": Number(0.5, 1.1),
        "blur": Number(0.1, 0.4),
    }
    return own | common


_PARAMETERS: dict[str, dict[str, Parameter]] = {
    "benign": _looks(
        size=Number(0.13, 0.24), oblong=Number(1.3, 1.9), kind=Word(("fibroadenoma", "fibroadenoma", "cyst"))
    ),
    "malignant": _looks(
        size=Number(0.15, 0.25), upright=Number(1.1, 1.5), spikes=Number(0.4, 1.0), shadow=Number(0.5, 1.0)
    ),
    "normal": _looks(),
}


def paint(class_id: str, look: Mapping[str, Any], rng: np.random.Generator) -> Drawing:
    """A picture of ``class_id``; mask: lesion."""
    depth, across = _grid()
    echo = _layers(depth, look, rng)
    edge = np.full_like(echo, 9)
    if class_id != "normal":
        edge = (_round_edge if class_id == "benign" else _spiked_edge)(depth, across, look, rng)
        echo = (_benign if class_id == "benign" else _malignant)(echo, edge, depth, look, rng)
    echo = echo - 0.75 * look["attenuation"] * np.clip(depth - 0.3, 0, 1)
    grey = 255 * np.clip(look["gain"] * (0.5 + 0.34 * (echo + _speckle(rng, depth))), 0.02, 1) ** 1.15
    return Drawing(np.repeat(grey[..., None], 3, axis=2), {"lesion": edge < 0}, blur=look["blur"], grain=1.5, grey=True)


PAINTER = PhantomPainter(paint, _PARAMETERS)


def _grid() -> tuple[Array, Array]:
    """Depth below the probe and place across, each 0 to 1."""
    axis = ((np.arange(CANVAS) + 0.5) / CANVAS).astype(np.float32)
    return np.repeat(axis[:, None], CANVAS, axis=1), np.repeat(axis[None, :], CANVAS, axis=0)


def _speckle(rng: np.random.Generator, depth: Array) -> Array:
    """Log of the sum of many small echoes: finer along the beam than across, coarser with depth."""
    fine, coarse = (_grains(rng, long) for long in (2.0, 4.0))
    return 0.4 * (fine + (coarse - fine) * depth)


def _grains(rng: np.random.Generator, long: float) -> Array:
    """Log amplitude of echoes that interfere, ``long`` canvas pixels across, (CANVAS, CANVAS)."""
    waves = rng.standard_normal((2, CANVAS, CANVAS)).astype(np.float32)
    real, imaginary = ndimage.gaussian_filter(waves, (0, 1.3, long), truncate=2)
    amplitude = np.hypot(real, imaginary)
    return np.log(amplitude / np.sqrt(np.mean(amplitude**2)) + 0.12)


def _streaks(rng: np.random.Generator, long: float, thin: float, tilt: Array) -> Array:
    """Noise drawn out across the beam, along the lines of equal ``tilt``, about unit variance."""
    pattern = rng.standard_normal((96, 96)).astype(np.float32)
    axis = np.arange(CANVAS, dtype=np.float32)
    rows = (axis[:, None] + tilt) / thin
    cols = (np.broadcast_to(axis[None, :], tilt.shape) + 10 * smooth_noise(rng, 50)) / long
    return 1.4 * ndimage.map_coordinates(pattern, np.stack([rows, cols]), order=1, mode="wrap")


def _layers(depth: Array, look: Mapping[str, Any], rng: np.random.Generator) -> Array:
    """Log echo of skin, fat lobules between bright septa, glandular tissue, muscle and its fascia."""
    sway = 0.022 * smooth_noise(rng, 130) + 0.01 * smooth_noise(rng, 40)
    skin, fat = 0.035, 0.035 + look["fat"]
    muscle = fat + look["gland"]
    place = depth + sway
    tilt = 9 * smooth_noise(rng, 100) + 3 * smooth_noise(rng, 45)
    fine, coarse = _streaks(rng, 24, 3.5, tilt), _streaks(rng, 70, 9, tilt)
    lobules = rough_noise(rng, 42, 2)
    in_fat = -0.3 + 0.12 * lobules + 0.12 * fine + 0.6 * band(coarse - 0.3, 0.25) * inside(-lobules, 1.5)
    in_gland = 0.3 + 0.32 * fine + 0.35 * coarse + 0.25 * lobules - 0.6 * inside(0.9 - _streaks(rng, 34, 16, tilt), 0.9)
    in_muscle = -0.6 + 0.3 * fine + 0.5 * band(coarse, 0.25)
    to_gland = inside(fat - place + 0.03 * lobules, 0.05)
    to_muscle = inside(muscle - place + 0.02 * lobules, 0.05)
    echo = in_fat + (in_gland - in_fat) * to_gland
    echo = echo + (in_muscle - echo) * to_muscle
    fascia = np.clip(0.6 + 0.5 * smooth_noise(rng, 60), 0, 1)
    echo = echo + fascia * (0.8 * band(place - muscle, 0.009) + 0.6 * band(place - muscle - 0.13, 0.008))
    echo = np.maximum(echo, 1.3 * inside(depth - 0.02, 0.02) + 0.6 * band(depth - skin, 0.008) - 0.5)
    return echo - 0.45 * inside(1.1 - smooth_noise(rng, 50)[:1], 0.9) * inside(0.15 - depth, 0.25)


def _offsets(depth: Array, across: Array, row: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """How far each point lies below and beside a lesion's middle."""
    return depth - np.float32(row), across - np.float32(rng.uniform(0.4, 0.6))


def _round_edge(depth: Array, across: Array, look: Mapping[str, Any], rng: np.random.Generator) -> Array:
    """Signed distance to an oval that lies along the skin, wider than tall."""
    down, side = _offsets(depth, across, 0.1 + look["fat"] + look["size"] * 0.5, rng)
    lean = rng.uniform(-0.2, 0.2)
    down, side = down + lean * side, side - lean * down
    radius, oblong = np.float32(look["size"]), np.float32(look["oblong"] ** 0.5)
    return radius * (np.hypot(down * oblong, side / oblong) / radius - 1) + 0.006 * smooth_noise(rng, 45)


def _spiked_edge(depth: Array, across: Array, look: Mapping[str, Any], rng: np.random.Generator) -> Array:
    """Signed distance to a ragged patch that stands upright, with spikes into what lies around."""
    down, side = _offsets(depth, across, 0.12 + look["fat"] + look["size"] * 0.6, rng)
    upright = np.float32(look["upright"] ** 0.5)
    down, side = down / upright, side * upright
    angle = np.arctan2(down, side) + 0.2 * smooth_noise(rng, 40)
    spikes = 0.12 * np.cos(3 * angle + rng.uniform(0, 6)) + 0.1 * np.abs(np.cos(5.5 * angle + rng.uniform(0, 6)))
    radius = np.float32(0.78 * look["size"]) * (1 + look["spikes"] * spikes)
    return np.hypot(down, side) - radius + 0.035 * look["spikes"] * rough_noise(rng, 34, 4)


def _below(edge: Array, depth: Array) -> Array:
    """How far each point lies in a lesion's lee, 0..1: seen from the probe the lesion comes first."""
    cover = ndimage.gaussian_filter1d(inside(edge.min(axis=0), 0.05), 7)
    bottom = np.where(edge < 0, depth, 0).max(axis=0)
    bottom = ndimage.gaussian_filter1d(np.maximum(bottom, 0.85 * bottom.max()), 12)
    return cover * inside(bottom - depth - 0.04, 0.12)


def _benign(echo: Array, edge: Array, depth: Array, look: Mapping[str, Any], rng: np.random.Generator) -> Array:
    """Even and dark inside a thin bright capsule, brighter behind; a cyst holds no echo at all."""
    cyst = look["kind"] == "cyst"
    core = (-2.3 if cyst else -0.8) + (0.1 if cyst else 0.18) * rough_noise(rng, 30)
    echo = echo + (0.9 if cyst else 0.5) * _below(edge, depth) * inside(depth - 0.9, 0.4)
    echo = echo + (core - echo) * inside(edge, 0.028)
    return echo + np.clip(0.45 + 0.3 * smooth_noise(rng, 50), 0, 1) * band(edge - 0.008, 0.009)


def _malignant(echo: Array, edge: Array, depth: Array, look: Mapping[str, Any], rng: np.random.Generator) -> Array:
    """Dark and uneven inside an ill-defined bright rim, grains of lime, a shadow behind."""
    echo = echo - 1.3 * look["shadow"] * _below(edge, depth) * (1 + 0.3 * smooth_noise(rng, 25))
    echo = echo + 0.45 * band(edge - 0.05, 0.04) * np.clip(0.6 + 0.5 * smooth_noise(rng, 40), 0, 1)
    core = -1.15 + 0.25 * rough_noise(rng, 30) + 0.5 * (echo - echo.mean())
    echo = echo + (core - echo) * inside(edge, 0.09)
    lime = inside(2.1 - smooth_noise(rng, 4), 0.3) * inside(edge + 0.05, 0.03)
    return echo + 1.3 * lime
