"""Draws small fields of lung and colon tissue stained with haematoxylin and eosin.

It knows nothing about seeds, file formats or models; it paints what the parameters say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.spatial import KDTree

from psmooth.phantoms.stain import Dyes, light_through
from psmooth.phantoms.tools import (
    CANVAS,
    FINE,
    Array,
    Drawing,
    Number,
    Outlines,
    Parameter,
    PhantomPainter,
    Word,
    at,
    band,
    inside,
    outlines,
    rough_noise,
    scattered,
    smooth_noise,
    stamp,
)


def _looks(magnification: Number, **own: Parameter) -> dict[str, Parameter]:
    """The parameters that every class has, after its own."""
    common: dict[str, Parameter] = {
        "magnification": magnification,
        "haematoxylin": Number(0.8, 1.15),
        "eosin": Number(0.8, 1.2),
    }
    return own | common


_PARAMETERS: dict[str, dict[str, Parameter]] = {
    "benign_colonic_tissue": _looks(
        Number(0.7, 1.5), goblet_cells=Number(0.5, 1.0), lymphocytes=Number(0.4, 1.0), blur=Number(0.0, 0.3)
    ),
    "colon_adenocarcinoma": _looks(
        Number(0.7, 1.4), lumens=Number(2, 8, whole=True), stroma=Number(0.05, 0.5), blur=Number(0.0, 0.3)
    ),
    "benign_lung_tissue": _looks(
        Number(0.75, 1.3),
        slide=Word(("grey", "grey", "pink", "rose", "rose", "yellow")),
        red_cells=Number(0.1, 1.0),
        wall=Number(0.7, 1.6),
        blur=Number(0.4, 0.75),
    ),
    "lung_adenocarcinoma": _looks(
        Number(0.75, 1.3),
        lumens=Number(1, 5, whole=True),
        gaps=Number(0.0, 1.0),
        red_cells=Number(0.0, 0.5),
        blur=Number(0.4, 0.8),
    ),
    "lung_squamous_cell_carcinoma": _looks(
        Number(0.75, 1.5), keratin=Number(0.0, 1.0), vesicular=Number(0.2, 0.9), blur=Number(0.4, 0.9)
    ),
}


def paint(class_id: str, look: Mapping[str, Any], rng: np.random.Generator) -> Drawing:
    """A field of ``class_id``; masks: nuclei, slide (where no tissue lies)."""
    dyes = Dyes()
    scale = look["magnification"] * FINE
    painters = {
        "benign_colonic_tissue": _crypts,
        "colon_adenocarcinoma": _crowded_glands,
        "benign_lung_tissue": _alveoli,
        "lung_adenocarcinoma": _lung_glands,
        "lung_squamous_cell_carcinoma": _squamous_sheet,
    }
    painters[class_id](dyes, look, scale, rng)
    masks = {"nuclei": dyes.nuclei > 0.5, "slide": dyes.eosin < 0.25}
    return Drawing(light_through(dyes, class_id, look, rng), masks, blur=look["blur"], grain=1.3)


PAINTER = PhantomPainter(paint, _PARAMETERS)


def lay_nuclei(
    dyes: Dyes,
    rng: np.random.Generator,
    points: Array,
    radius: Array | float,
    *,
    stretch: Array | float = 1.3,
    turn: Array | float | None = None,
    depth: tuple[float, float] = (0.7, 1.1),
    vesicular: float = 0.0,
) -> None:
    """Nuclei at ``points``; vesicular ones are pale inside a dark membrane and show a nucleolus."""
    if not len(points):
        return
    count = len(points)
    shapes = outlines(rng, points, radius, stretch=stretch, turn=turn, wobble=0.07)
    strength = rng.uniform(*depth, (count, 1, 1)).astype(np.float32)
    pale = (vesicular * rng.uniform(0.6, 1.2, (count, 1, 1))).astype(np.float32)
    body = inside(shapes.distance, 2.2)
    inner = 1 - pale * (1 - np.maximum(0.9 * band(shapes.reach - 0.85, 0.2), _nucleoli(shapes, rng)))
    stamp(dyes.haematoxylin, shapes, strength * body * inner)
    stamp(dyes.nuclei, shapes, body)


def _nucleoli(shapes: Outlines, rng: np.random.Generator) -> Array:
    """One dark dot in each nucleus, somewhere along its length, (n, tile, tile)."""
    where = rng.uniform(-0.4, 0.4, (len(shapes.corners), 1, 1)).astype(np.float32)
    along, aside = shapes.reach * np.cos(shapes.angle), shapes.reach * np.sin(shapes.angle)
    return band(along - where, 0.2) * band(aside, 0.2)


def clump_chromatin(dyes: Dyes, rng: np.random.Generator, amount: float) -> None:
    """Clump the dye of the nuclei."""
    texture = 0.6 * smooth_noise(rng, 3.2) + 0.5 * smooth_noise(rng, 7)
    dyes.haematoxylin = np.clip(dyes.haematoxylin * (1 + amount * texture * (dyes.nuclei > 0.2)), 0, 1.6)


def strands_of_fibre(rng: np.random.Generator, scale: float) -> Array:
    """Wavy strands, about unit variance."""
    turn = rng.uniform(0, np.pi)
    axis = np.arange(CANVAS, dtype=np.float32)
    down = (axis[:, None] * np.cos(turn) - axis[None, :] * np.sin(turn) + 16 * smooth_noise(rng, 60)) / (1.7 * scale)
    along = (axis[None, :] * np.cos(turn) + axis[:, None] * np.sin(turn)) / (11 * scale)
    pattern = rng.standard_normal((128, 128)).astype(np.float32)
    return 1.3 * ndimage.map_coordinates(pattern, np.stack([down, along]), order=1, mode="wrap")


def lay_stroma(dyes: Dyes, rng: np.random.Generator, where: Array, scale: float, lymphocytes: float) -> None:
    """Loose pink strands with small dark round cells, some spindle cells and slits between."""
    fibres = strands_of_fibre(rng, scale)
    loose = np.clip(0.5 + 0.3 * fibres + 0.35 * smooth_noise(rng, 9), 0, 1.5)
    dyes.fill(loose, where)
    dyes.fibres = np.maximum(dyes.fibres, where)
    points = scattered(rng, 7.6 * scale, jitter=0.45)
    crowd = at(smooth_noise(rng, 60), points) * 0.35 + rng.uniform(0, 1, len(points)) < lymphocytes * 0.85
    points = points[crowd & (at(where, points) > 0.6)]
    stretch = np.where(rng.uniform(size=len(points)) < 0.3, rng.uniform(2, 3.6, len(points)), 1.2)
    halo = outlines(rng, points, 4.4 * scale, stretch=1.2)
    if len(points):
        bodies = np.zeros((CANVAS, CANVAS), np.float32)
        stamp(bodies, halo, inside(halo.distance, 4.0))
        dyes.fill(0.95, 0.6 * bodies * where)
    lay_nuclei(dyes, rng, points, rng.uniform(1.7, 2.7, len(points)) * scale, stretch=stretch, depth=(0.5, 1.15))


def _red_cells(dyes: Dyes, rng: np.random.Generator, points: Array, scale: float) -> None:
    """Red blood cells lying at ``points``."""
    if len(points):
        size = rng.uniform(2.6, 3.6, len(points)) * scale
        shapes = outlines(rng, points, size, stretch=rng.uniform(1, 1.8, len(points)), wobble=0.06)
        stamp(dyes.blood, shapes, inside(shapes.distance, 2.5) * (1 - 0.2 * inside(shapes.reach - 0.5, 0.5)))
        dyes.eosin *= 1 - 0.75 * np.clip(dyes.blood, 0, 1)


@dataclass(frozen=True)
class _Gland:
    """A ring of epithelium: middle (row, col), radii along and across, direction."""

    row: float
    col: float
    radius: float
    stretch: float
    turn: float

    def reach(self, ripple: Array) -> Array:
        """0 in the middle, 1 on the outline, (CANVAS, CANVAS)."""
        axis = np.arange(CANVAS, dtype=np.float32)
        down, across = axis[:, None] - np.float32(self.row), axis[None, :] - np.float32(self.col)
        cosine, sine = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
        long, short = np.float32(self.radius * self.stretch**0.5), np.float32(self.radius / self.stretch**0.5)
        along, aside = (down * cosine + across * sine) / long, (across * cosine - down * sine) / short
        return np.hypot(along, aside) + ripple

    def place(self, reach: Array | float, angle: Array) -> tuple[Array, Array]:
        """Canvas points (n, 2) at a reach and direction, and the radial direction there."""
        along = reach * np.cos(angle) * self.radius * self.stretch**0.5
        aside = reach * np.sin(angle) * self.radius / self.stretch**0.5
        cosine, sine = np.cos(self.turn), np.sin(self.turn)
        down, across = along * cosine - aside * sine, along * sine + aside * cosine
        return np.stack([self.row + down, self.col + across], axis=-1), np.arctan2(across, down)


def _pitched(rng: np.random.Generator, radius: float, spacing: float, stretch: tuple[float, float]) -> list[_Gland]:
    """Glands packed over the canvas and beyond its edges."""
    points = scattered(rng, spacing, margin=radius * 0.9, jitter=0.1)
    return [
        _Gland(r, c, radius * rng.uniform(0.85, 1.08), rng.uniform(*stretch), rng.uniform(0, np.pi)) for r, c in points
    ]


def _crypts(dyes: Dyes, look: Mapping[str, Any], scale: float, rng: np.random.Generator) -> None:
    """Round crypts of goblet cells in a stroma full of lymphocytes."""
    radius = 33 * scale
    glands = _pitched(rng, radius, radius * rng.uniform(2.2, 2.6), (1.0, 1.6))
    reach = _reach(glands, rng)
    lay_stroma(dyes, rng, inside(1 - reach, 0.03), scale, look["lymphocytes"])
    capillary = scattered(rng, 6 * scale, jitter=0.3)
    _red_cells(dyes, rng, capillary[(at(smooth_noise(rng, 40), capillary) > 1.7) & (at(reach, capillary) > 1.1)], scale)
    dyes.empty(0.8 * band(reach - 1.05, 0.035) * np.clip(smooth_noise(rng, 70), 0, 1))
    dyes.fill(1.05 + 0.2 * rough_noise(rng, 5) + 0.5 * inside(0.75 - reach, 0.2), inside(reach - 1, 0.03))
    for gland in glands:
        _goblet_cells(dyes, gland, look["goblet_cells"], scale, rng)
        _basal_nuclei(dyes, gland, scale, rng)
    clump_chromatin(dyes, rng, 0.22)


def _reach(glands: list[_Gland], rng: np.random.Generator) -> Array:
    """How far each point lies from the nearest gland's middle, 1 on its outline, (CANVAS, CANVAS)."""
    reach = np.full((CANVAS, CANVAS), 2, np.float32)
    for gland in glands:
        middle = np.array([[gland.row, gland.col]])
        shape = outlines(rng, middle, gland.radius * 1.3, stretch=gland.stretch, turn=gland.turn, wobble=0.02)
        stamp(reach, shape, 1.3 * shape.reach, np.minimum)
    return reach + 0.03 * smooth_noise(rng, 30)


def _goblet_cells(dyes: Dyes, gland: _Gland, share: float, scale: float, rng: np.random.Generator) -> None:
    """Pale drops of mucus pointing at a small lumen."""
    drops = []
    for ring, size in ((0.6, 5.6), (0.32, 4.2)):
        count = max(5, int(2 * np.pi * ring * gland.radius / (2.05 * size * scale)))
        angle = (np.arange(count) + rng.uniform(-0.25, 0.25, count)) * 2 * np.pi / count + rng.uniform(0, 6)
        points, turn = gland.place(ring + rng.normal(0, 0.035, count), angle)
        keep = rng.uniform(size=count) < share
        drops.append((points[keep], turn[keep], np.full(keep.sum(), size * scale) * rng.uniform(0.7, 1.12, keep.sum())))
    points, turn, size = (np.concatenate(part) for part in zip(*drops, strict=True))
    shapes = outlines(rng, points, size, stretch=rng.uniform(1.0, 1.7, len(points)), turn=turn, wobble=0.06)
    pale = np.zeros((CANVAS, CANVAS), np.float32)
    stamp(pale, shapes, inside(shapes.distance, 3.0))
    lumen = outlines(rng, np.array([[gland.row, gland.col]]), gland.radius * rng.uniform(0.1, 0.24), stretch=1.6)
    stamp(pale, lumen, 1.2 * inside(lumen.distance, 4.0))
    dyes.fill(0.2 + 0.14 * smooth_noise(rng, 6), np.clip(pale, 0, 1))


def _basal_nuclei(dyes: Dyes, gland: _Gland, scale: float, rng: np.random.Generator) -> None:
    """One neat ring of nuclei along the crypt's outer edge."""
    count = int(2 * np.pi * gland.radius * 0.88 / (4.4 * scale))
    angle = (np.arange(count) + rng.uniform(-0.3, 0.3, count)) * 2 * np.pi / count
    points, turn = gland.place(0.87 + rng.normal(0, 0.05, count), angle)
    size = rng.uniform(2.1, 3.2, count) * scale
    lay_nuclei(dyes, rng, points, size, stretch=rng.uniform(1.2, 2.2, count), turn=turn, depth=(0.3, 0.75))


def _crowded_glands(dyes: Dyes, look: Mapping[str, Any], scale: float, rng: np.random.Generator) -> None:
    """Back-to-back glands with piled-up long nuclei, ragged lumens, debris and little stroma."""
    ground = rough_noise(rng, 90, 2)
    strands = inside(np.abs(ground) - look["stroma"] * 0.75, 0.15)
    dyes.fill(np.clip(0.92 + 0.25 * rough_noise(rng, 9) + 0.15 * ground, 0, 2), np.ones_like(ground))
    if look["stroma"] > 0.1:
        lay_stroma(dyes, rng, strands, scale, 0.45)
    lumens = _lumens(look["lumens"], (6, 17), scale, rng)
    points = scattered(rng, rng.uniform(7.4, 9.4) * scale, margin=8, jitter=0.42)
    clear = at(lumens, points) > rng.uniform(3, 8) * scale
    points = points[(at(strands, points) < 0.4) & clear & (rng.uniform(size=len(points)) < 0.93)]
    slope_down, slope_across = np.gradient(15 * ground + np.clip(lumens, 0, 30 * scale))
    turn = np.arctan2(at(slope_across, points), at(slope_down, points)) + rng.normal(0, 0.3, len(points))
    size = rng.uniform(2.8, 4.2, len(points)) * scale
    stretch = rng.uniform(1.2, 2.8, len(points))
    thin_borders(dyes, points, 0.35, scale)
    lay_nuclei(dyes, rng, points, size, stretch=stretch, turn=turn, depth=(0.25, 0.75), vesicular=rng.uniform(0.3, 0.8))
    clump_chromatin(dyes, rng, 0.3)
    _hollow(dyes, lumens, scale, rng)


def _lumens(count: int, size: tuple[float, float], scale: float, rng: np.random.Generator) -> Array:
    """Signed distance to ragged lumens in canvas pixels: below 0 inside, (CANVAS, CANVAS)."""
    ripple = 0.3 * rough_noise(rng, 30, 2)
    nearest = np.full((CANVAS, CANVAS), 999, np.float32)
    for _ in range(count):
        row, col = rng.uniform(0, CANVAS, 2)
        gland = _Gland(row, col, rng.uniform(*size) * scale, rng.uniform(1, 6), rng.uniform(0, np.pi))
        short = gland.radius / gland.stretch**0.5
        nearest = np.minimum(nearest, (gland.reach(ripple) - 1) * np.float32(short))
    return nearest


def _hollow(dyes: Dyes, lumens: Array, scale: float, rng: np.random.Generator) -> None:
    """Empty the lumens but for strewn debris."""
    debris = scattered(rng, 9 * scale, jitter=0.45)
    debris = debris[(at(lumens, debris) < -3) & (rng.uniform(size=len(debris)) < 0.25)]
    dyes.empty(inside(lumens, 3.0) * np.clip(0.93 + 0.06 * rough_noise(rng, 12), 0, 1))
    lay_nuclei(dyes, rng, debris, rng.uniform(1.2, 2.4, len(debris)) * scale, depth=(0.6, 1.2))


def thin_borders(dyes: Dyes, points: Array, strength: float, scale: float) -> None:
    """Thin the pink dye midway between neighbouring cells at ``points``."""
    axis = np.arange(0, CANVAS, FINE) + FINE / 2
    where = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    away = KDTree(points).query(where, k=2)[0].astype(np.float32)
    gap = Image.fromarray((away[:, 1] - away[:, 0]).reshape(len(axis), len(axis)))
    line = band(np.asarray(gap.resize((CANVAS, CANVAS), Image.Resampling.BILINEAR)), 1.6 * scale)
    dyes.eosin *= 1 - strength * line


def _alveoli(dyes: Dyes, look: Mapping[str, Any], scale: float, rng: np.random.Generator) -> None:
    """Thin walls round wide empty air spaces, with red cells in them and beside them."""
    count = max(3, round(9 * (2 / scale) ** 2 * rng.uniform(0.6, 1.3)))
    walls = _walls(rng, count) - 5.0 * scale * look["wall"] * (1 + 0.45 * smooth_noise(rng, 50))
    patch = inside(-rough_noise(rng, 90, 2) + 1.7, 0.1)
    tissue = np.maximum(inside(walls, 3.5), patch)
    dyes.fill(np.clip(0.85 + 0.2 * strands_of_fibre(rng, scale) + 0.28 * smooth_noise(rng, 9), 0.1, 2), tissue)
    dyes.fibres = inside(smooth_noise(rng, 40), 2.0)
    points = scattered(rng, 8.2 * scale, jitter=0.45)
    hit = (at(tissue, points) > 0.5) & (rng.uniform(size=len(points)) < 0.4)
    size = rng.uniform(2.6, 3.9, hit.sum()) * scale
    lay_nuclei(dyes, rng, points[hit], size, stretch=rng.uniform(1.1, 2.2, hit.sum()), depth=(0.55, 1.05))
    clump_chromatin(dyes, rng, 0.2)
    blood = scattered(rng, 6.5 * scale, jitter=0.4)
    pools = at(smooth_noise(rng, 70), blood) + 0.5 * at(tissue, blood) + 0.7 * rng.normal(size=len(blood))
    _red_cells(dyes, rng, blood[pools > 2.9 - 1.9 * look["red_cells"]], scale)
    dyes.blood *= 1 - 0.85 * np.clip(dyes.nuclei, 0, 1)


def _walls(rng: np.random.Generator, count: int) -> Array:
    """Distance to the walls between ``count`` bubbles, in canvas pixels; some walls are broken."""
    seeds = rng.uniform(-40, CANVAS + 40, (count, 2)).astype(np.float32)
    axis = np.arange(CANVAS, dtype=np.float32)
    warp = 16 * rough_noise(rng, 70), 16 * rough_noise(rng, 70)
    down, across = axis[:, None] + warp[0], axis[None, :] + warp[1]
    away = np.stack([np.hypot(down - r, across - c) for r, c in seeds])
    nearest = np.partition(away, 1, axis=0)[:2]
    broken = 14 * np.clip(smooth_noise(rng, 75) - 0.7, 0, None)
    return (nearest[1] - nearest[0]) / 2 + broken


def _lung_glands(dyes: Dyes, look: Mapping[str, Any], scale: float, rng: np.random.Generator) -> None:
    """Large dark uneven nuclei in glands and clusters, between blue-white lumens and gaps."""
    ground = rough_noise(rng, 70, 2)
    dyes.fill(np.clip(1.0 + 0.3 * rough_noise(rng, 12) + 0.16 * ground, 0, 2), np.ones_like(ground))
    dyes.fill(0.9 + 0.3 * strands_of_fibre(rng, scale), 0.7 * inside(0.3 + ground, 0.5))
    lumens = _lumens(look["lumens"], (6, 18), scale, rng)
    gaps = 2.4 - 1.9 * look["gaps"] - ground - 0.25 * rough_noise(rng, 18, 2)
    lumens = np.minimum(lumens, gaps * 30)
    dyes.fibres = inside(rough_noise(rng, 60, 2), 2.5)
    size = (3.3, 5.2)
    _tumour_nuclei(dyes, rng, lumens, scale, spacing=rng.uniform(10, 13), size=size, vesicular=rng.uniform(0.2, 0.8))
    clump_chromatin(dyes, rng, 0.35)
    _hollow(dyes, lumens, scale, rng)
    blood = scattered(rng, 6.5 * scale, jitter=0.4)
    _red_cells(dyes, rng, blood[at(smooth_noise(rng, 50), blood) > 2.5 - 2 * look["red_cells"]], scale)
    dyes.blood *= 1 - 0.8 * np.clip(dyes.nuclei, 0, 1)


def _tumour_nuclei(
    dyes: Dyes,
    rng: np.random.Generator,
    lumens: Array,
    scale: float,
    *,
    spacing: float,
    size: tuple[float, float],
    vesicular: float,
) -> None:
    """Nuclei of very uneven size and darkness, everywhere but in the lumens."""
    points = scattered(rng, spacing * scale, margin=8, jitter=0.34)
    crowd = at(smooth_noise(rng, 80), points) * 0.3 + rng.uniform(0, 1, len(points)) < 0.85
    points = points[crowd & (at(lumens, points) > 3 * scale)]
    radius = np.exp(rng.normal(0, 0.2, len(points))) * rng.uniform(*size) * scale
    thin_borders(dyes, points, 0.6, 0.8 * scale)
    turn = _leanings(points, lumens, scale, rng)
    stretch = rng.uniform(1.0, 2.1, len(points))
    paler = rng.uniform(size=len(points)) < vesicular
    for group, pale in ((paler, 0.7), (~paler, 0.15)):
        look = {"stretch": stretch[group], "turn": turn[group], "vesicular": pale, "depth": (0.35, 0.95)}
        lay_nuclei(dyes, rng, points[group], radius[group], **look)


def _leanings(points: Array, lumens: Array, scale: float, rng: np.random.Generator) -> Array:
    """Directions of nuclei at ``points``: towards a lumen that is near, else with a common drift, (n,) radians."""
    drift = at(smooth_noise(rng, 120), points) * 0.7 + rng.normal(0, 0.4, len(points)) + rng.uniform(0, np.pi)
    slope_down, slope_across = np.gradient(np.clip(lumens, 0, 40))
    facing = np.arctan2(at(slope_across, points), at(slope_down, points))
    return np.where(at(lumens, points) < 14 * scale, facing, drift)


def _squamous_sheet(dyes: Dyes, look: Mapping[str, Any], scale: float, rng: np.random.Generator) -> None:
    """A solid sheet of large polygonal cells with paler borders, and swirls of keratin."""
    ground = rough_noise(rng, 100, 2)
    dyes.fill(np.clip(0.98 + 0.26 * rough_noise(rng, 12) + 0.12 * ground, 0.2, 2), np.ones_like(ground))
    dyes.fibres = inside(rough_noise(rng, 80, 2) - look["keratin"] + 0.4, 2.0)
    swirl = inside(1.4 - ground - 0.9 * look["keratin"], 0.4)
    dyes.fill(1.0 + 0.25 * strands_of_fibre(rng, scale), swirl)
    far = np.full_like(ground, 999)
    spacing, size = rng.uniform(11, 15), (3.6, 5.4)
    _tumour_nuclei(dyes, rng, far, scale, spacing=spacing, size=size, vesicular=look["vesicular"])
    clump_chromatin(dyes, rng, 0.42)
