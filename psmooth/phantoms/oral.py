"""Draws the lining of the mouth, stained with haematoxylin and eosin: in its layers, or grown into nests of carcinoma.

It knows nothing about seeds, file formats or models; it paints what the parameters say.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from psmooth.phantoms.stain import Dyes, light_through
from psmooth.phantoms.tissue import clump_chromatin, lay_nuclei, lay_stroma, thin_borders
from psmooth.phantoms.tools import (
    CANVAS,
    FINE,
    Array,
    Drawing,
    Number,
    Parameter,
    PhantomPainter,
    at,
    band,
    inside,
    rough_noise,
    scattered,
    smooth_noise,
)


def _looks(**own: Parameter) -> dict[str, Parameter]:
    """The parameters that every class has, after its own."""
    common: dict[str, Parameter] = {
        "magnification": Number(0.8, 1.25),
        "haematoxylin": Number(0.85, 1.15),
        "eosin": Number(0.85, 1.2),
        "blur": Number(0.2, 0.5),
    }
    return own | common


_PARAMETERS: dict[str, dict[str, Parameter]] = {
    "normal_oral_epithelium": _looks(
        thickness=Number(0.5, 0.75), ridges=Number(0.2, 1.0), keratin=Number(0.0, 1.0), lymphocytes=Number(0.2, 0.6)
    ),
    "oral_squamous_cell_carcinoma": _looks(
        nests=Number(0.35, 0.75), pearls=Number(1, 3, whole=True), lymphocytes=Number(0.5, 1.0)
    ),
}


def paint(class_id: str, look: Mapping[str, Any], rng: np.random.Generator) -> Drawing:
    """A field of ``class_id``; masks: nuclei, slide (where no tissue lies)."""
    dyes = Dyes()
    scale = look["magnification"] * FINE
    (_layered if class_id == "normal_oral_epithelium" else _nests)(dyes, look, scale, rng)
    masks = {"nuclei": dyes.nuclei > 0.5, "slide": dyes.eosin < 0.25}
    return Drawing(light_through(dyes, class_id, look, rng), masks, blur=look["blur"], grain=1.3)


PAINTER = PhantomPainter(paint, _PARAMETERS)


def _below_surface(rng: np.random.Generator) -> tuple[Array, float]:
    """How deep each point lies below the surface, in canvas pixels, and the direction downwards, in radians."""
    turn = rng.uniform(0, 2 * np.pi)
    axis = np.arange(CANVAS, dtype=np.float32) - CANVAS / 2
    straight = axis[:, None] * np.float32(np.cos(turn)) + axis[None, :] * np.float32(np.sin(turn))
    return straight + CANVAS * np.float32(rng.uniform(0.34, 0.44)) + 9 * smooth_noise(rng, 130), turn


def _layered(dyes: Dyes, look: Mapping[str, Any], scale: float, rng: np.random.Generator) -> None:
    """From the surface down: flat pale cells, wide prickle cells, a dark basal row with ridges, connective tissue."""
    deep, turn = _below_surface(rng)
    floor = CANVAS * look["thickness"] + (6 + 22 * look["ridges"]) * smooth_noise(rng, 60)
    share = np.clip(deep / floor, 0, 2)  # 0 surface, 1 basal row
    epithelium = inside(deep - floor, 4.0)
    lay_stroma(dyes, rng, 1 - epithelium, scale, look["lymphocytes"])
    dyes.fill(0.85 + 0.35 * share + 0.12 * rough_noise(rng, 14), epithelium)
    for row in (0.0, 1.0):
        _epithelial_cells(dyes, deep, floor, turn, row, scale, rng)
    flakes = inside(deep - 9 * scale * look["keratin"] - 2 * smooth_noise(rng, 30), 5.0)
    dyes.fill(1.25 + 0.3 * smooth_noise(rng, 4), 0.8 * flakes)
    dyes.fibres = np.maximum(dyes.fibres, flakes)
    clump_chromatin(dyes, rng, 0.25)
    dyes.empty(inside(deep + 1.5 * smooth_noise(rng, 12), 3.0))


def _epithelial_cells(
    dyes: Dyes, deep: Array, floor: Array, turn: float, basal: float, scale: float, rng: np.random.Generator
) -> None:
    """Nuclei and borders of the prickle cells (``basal`` 0), or the crowded upright nuclei of the basal row (1)."""
    points = scattered(rng, (5.6 if basal else 12.5) * scale, margin=8, jitter=0.3)
    under = at(floor - deep, points) / scale
    share = at(deep / floor, points)
    if not basal:
        thin_borders(dyes, points[(under > 0) & (share > 0)], 0.5, 0.75 * scale)
    points = points[((under > 1.5) & (under < 13)) if basal else ((under > 12) & (share > 0.1))]
    share = at(deep / floor, points)
    flat = np.where(share < 0.3, 2.4, 1.25) if not basal else 1.7
    lean = turn + (np.pi / 2 if not basal else 0) + rng.normal(0, 0.25, len(points))
    size = rng.uniform(2.5, 3.2, len(points)) * scale * (1 if basal else 0.8 + 0.3 * share)
    depth = (0.7, 1.05) if basal else (0.5, 0.9)
    lay_nuclei(dyes, rng, points, size, stretch=flat, turn=lean, depth=depth, vesicular=0.2 if basal else 0.45)


def _nests(dyes: Dyes, look: Mapping[str, Any], scale: float, rng: np.random.Generator) -> None:
    """Islands of large uneven cells in an inflamed stroma; in their middle keratin lies in whorls like pearls."""
    middles = _pearl_middles(look["pearls"], rng)
    reach = np.min([_reach(middle, rng) for middle in middles], axis=0) / scale
    ground = 1.3 * rough_noise(rng, 75, 2) + 1.9 - 4.2 * look["nests"]
    edge = np.minimum(14 * ground, reach - 34)
    nests = inside(edge, 4.0)
    lay_stroma(dyes, rng, 1 - nests, scale, look["lymphocytes"])
    dyes.fill(1.05 + 0.2 * rough_noise(rng, 10), nests)
    points = scattered(rng, rng.uniform(9.5, 11) * scale, margin=8, jitter=0.4)
    points = points[(at(edge, points) < -2) & (at(reach, points) > 13)]
    thin_borders(dyes, points, 0.3, 0.8 * scale)
    size = np.exp(np.clip(rng.normal(0, 0.25, len(points)), -0.5, 0.4)) * 3.7 * scale
    shape = {"stretch": rng.uniform(1.0, 2.0, len(points)), "depth": (0.4, 1.1)}
    lay_nuclei(dyes, rng, points, size, vesicular=0.5, **shape)
    clump_chromatin(dyes, rng, 0.45)
    _pearls(dyes, reach, rng)


def _pearl_middles(count: int, rng: np.random.Generator) -> Array:
    """Places for the pearls, one of them near the middle of the field."""
    rest = rng.uniform(0.05, 0.95, (count - 1, 2)) * CANVAS
    return np.concatenate([CANVAS / 2 + rng.normal(0, 35, (1, 2)), rest])


def _reach(middle: Array, rng: np.random.Generator) -> Array:
    """Distance from a pearl's middle, in canvas pixels, dented."""
    axis = np.arange(CANVAS, dtype=np.float32)
    stretch = np.float32(rng.uniform(0.8, 1.25))
    away = np.hypot(
        (axis[:, None] - np.float32(middle[0])) * stretch, (axis[None, :] - np.float32(middle[1])) / stretch
    )
    return away * np.float32(rng.uniform(0.9, 1.3)) + 5 * smooth_noise(rng, 40)


def _pearls(dyes: Dyes, reach: Array, rng: np.random.Generator) -> None:
    """Lamellae of bright pink keratin round each middle, with slits between and few ghosts of nuclei."""
    pearl = inside(reach - 13, 3.0)
    rings = np.cos(2.4 * reach + 1.6 * smooth_noise(rng, 22))
    dyes.fill(1.35 + 0.35 * rings + 0.12 * smooth_noise(rng, 5), pearl)
    dyes.fibres = np.maximum(dyes.fibres, pearl)
    dyes.haematoxylin = dyes.haematoxylin * (1 - pearl)
    dyes.empty(0.5 * pearl * band(rings + 1, 0.3) * np.clip(smooth_noise(rng, 30), 0, 1))
    husk = band(reach - 15.5, 3.0)
    dyes.haematoxylin = dyes.haematoxylin + 0.25 * husk * np.clip(0.5 + rings, 0, 1)
