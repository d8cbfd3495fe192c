"""Draws stained blood smears: one nucleated cell or platelet in the middle, red cells around it.

It knows nothing about seeds, file formats or models; it paints what the parameters say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

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
    band,
    dots,
    inside,
    mix,
    outlines,
    rough_noise,
    scattered,
    smooth_noise,
    stamp,
)

# Colours measured as means over May-Grünwald-Giemsa smears, RGB.
_SLIDE = {"cream": (254, 229, 205), "blue": (224, 217, 236)}
_RED_CELL = {"cream": (203, 164, 163), "blue": (190, 165, 190)}
_NUCLEUS_DARK = (68, 28, 118)
_NUCLEUS_LIGHT = (152, 96, 174)
_CYTOPLASM = {
    "pale_pink": (226, 190, 198),
    "orange_red": (220, 166, 172),
    "lilac": (200, 164, 202),
    "mauve": (174, 132, 182),
    "grey_blue": (174, 160, 196),
    "blue": (140, 132, 190),
    "grey": (172, 158, 180),
}
_GRANULE = {
    "fine": (150, 92, 150),
    "red": (186, 96, 112),
    "violet": (72, 26, 108),
    "azure": (118, 58, 140),
}


def _looks(**own: Parameter) -> dict[str, Parameter]:
    """The parameters that every class has, after its own."""
    common: dict[str, Parameter] = {
        "red_cells": Number(0.15, 0.85),
        "pallor": Number(0.25, 0.9),
        "slide": Word(("cream",) * 19 + ("blue",)),
        "blur": Number(0.15, 0.5),
    }
    return own | common


@dataclass(frozen=True)
class _Build:
    """What sets a class apart beyond its parameters."""

    wobble: float = 0.03  # of the outline
    fray: float = 0.5  # of the outline, in canvas pixels
    share: float = 0.0  # radius of an undivided nucleus over the cell's
    lobe_area: float = 0.36  # of all lobes together over the cell's
    chromatin: float = 0.3  # lightness of the nucleus
    mottle: float = 0.05  # unevenness of the cytoplasm
    granules: tuple[float, float, float] = (0.0, 0.0, 1.0)  # fewest, most in 100 square canvas pixels; radius in them


_BUILDS = {
    "basophil": _Build(lobe_area=0.5),
    "eosinophil": _Build(granules=(7.5, 7.5, 2.3)),
    "erythroblast": _Build(wobble=0.06, share=0.66, chromatin=0.2),
    "immature_granulocyte": _Build(wobble=0.06, share=0.76, chromatin=0.42, granules=(1.5, 6.5, 1.6)),
    "lymphocyte": _Build(fray=0.9, share=0.85, chromatin=0.27),
    "monocyte": _Build(wobble=0.09, fray=1.5, share=0.74, chromatin=0.52, mottle=0.075),
    "neutrophil": _Build(granules=(1.8, 4.5, 1.5)),
    "platelet": _Build(wobble=0.08, fray=1.6, mottle=0.12, granules=(4.5, 4.5, 2.2)),
}

_PARAMETERS: dict[str, dict[str, Parameter]] = {
    "basophil": _looks(
        radius=Number(25, 31), lobes=Number(2, 3, whole=True), cytoplasm=Word(("lilac",)), granules=Word(("violet",))
    ),
    "eosinophil": _looks(
        radius=Number(27, 34), lobes=Number(2, 3, whole=True), cytoplasm=Word(("orange_red",)), granules=Word(("red",))
    ),
    "erythroblast": _looks(
        radius=Number(16, 25), nucleus=Word(("round",)), cytoplasm=Word(("blue", "grey_blue", "grey"))
    ),
    "immature_granulocyte": _looks(
        radius=Number(27, 36),
        nucleus=Word(("round", "kidney", "kidney", "folded")),
        cytoplasm=Word(("lilac", "pale_pink")),
        granules=Word(("azure",)),
    ),
    "lymphocyte": _looks(
        radius=Number(20, 26), nucleus=Word(("round", "round", "kidney")), cytoplasm=Word(("blue", "grey_blue"))
    ),
    "monocyte": _looks(
        radius=Number(31, 40),
        nucleus=Word(("kidney", "folded", "horseshoe")),
        cytoplasm=Word(("grey_blue",)),
        vacuoles=Number(0, 8, whole=True),
    ),
    "neutrophil": _looks(
        radius=Number(25, 32), lobes=Number(2, 5, whole=True), cytoplasm=Word(("pale_pink",)), granules=Word(("fine",))
    ),
    "platelet": _looks(radius=Number(7, 17), cytoplasm=Word(("mauve",)), granules=Word(("violet", "azure"))),
}


@dataclass(frozen=True)
class _Lobe:
    """One ellipse of a nucleus, in canvas pixels from the cell's centre."""

    row: float
    col: float
    radius: float
    stretch: float
    turn: float

    def distance(self, down: Array, across: Array) -> Array:
        """Signed distance to the outline, nearly."""
        cosine, sine = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
        down, across = down - np.float32(self.row), across - np.float32(self.col)
        long, short = np.float32(self.radius * self.stretch**0.5), np.float32(self.radius / self.stretch**0.5)
        along, aside = (down * cosine + across * sine) / long, (across * cosine - down * sine) / short
        return (np.hypot(along, aside) - 1) * np.float32(self.radius)


def paint(class_id: str, look: Mapping[str, Any], rng: np.random.Generator) -> Drawing:
    """A smear with a cell of ``class_id`` in its middle; masks: cell, nucleus, lobes."""
    cell = _cell_outline(class_id, look, rng)
    colours = _smear(look, rng)
    colours, nucleus, lobes = _white_cell(class_id, look, rng, colours, cell)
    masks = {"cell": cell < 0, "nucleus": nucleus < 0, "lobes": lobes}
    return Drawing(colours, masks, blur=look["blur"], grain=1.2)


PAINTER = PhantomPainter(paint, _PARAMETERS)


def _smear(look: Mapping[str, Any], rng: np.random.Generator) -> Array:
    """Slide, red cells that spare the middle, and a few platelets, (CANVAS, CANVAS, 3)."""
    slide = np.array(_SLIDE[look["slide"]], np.float32) + rng.normal(0, 1.5, 3).astype(np.float32)
    red = np.array(_RED_CELL[look["slide"]], np.float32) + rng.normal(0, 4) + rng.normal(0, 3, 3)
    thickness = _red_cells(look, rng) * (1 + 0.05 * smooth_noise(rng, 7) + 0.06 * smooth_noise(rng, 25))
    density = np.log(slide / red).astype(np.float32)
    colours = slide * np.exp(-thickness[..., None] * density)
    return _stray_platelets(rng, colours, look["radius"] * FINE)


def _red_cells(look: Mapping[str, Any], rng: np.random.Generator) -> Array:
    """How much red cell the light passes, 1 for one cell's rim, (CANVAS, CANVAS)."""
    size = rng.uniform(13.5, 16.5) * FINE
    points = scattered(rng, size * 2.05, margin=size, jitter=0.36)
    clear = np.hypot(*(points - CANVAS / 2).T) > look["radius"] * FINE + size * rng.uniform(0.75, 1.05)
    crowd = smooth_noise(rng, 90)
    rows, cols = np.clip(points, 0, CANVAS - 1).astype(int).T
    wanted = crowd[rows, cols] + rng.normal(0, 0.5, len(points)) < 3.4 * look["red_cells"] - 1.4
    points = points[clear & wanted]
    thickness = np.zeros((CANVAS, CANVAS), np.float32)
    if len(points):
        radius = size * rng.normal(1, 0.06, len(points))
        shapes = outlines(rng, points, radius, stretch=rng.uniform(1, 1.25, len(points)), wobble=0.04)
        stamp(thickness, shapes, _disc_thickness(shapes, look["pallor"], rng), _overlap)
    return thickness


def _disc_thickness(shapes: Outlines, pallor: float, rng: np.random.Generator) -> Array:
    """A biconcave disc seen from above: thick ring, pale middle, thin dark edge, (n, tile, tile)."""
    own = np.clip(pallor + rng.normal(0, 0.16, (len(shapes.corners), 1, 1)), 0, 0.9).astype(np.float32)
    width = rng.uniform(0.36, 0.56, own.shape).astype(np.float32)
    hollow = 1 - own * inside(shapes.reach - width, 0.4)
    edge = 0.1 * band(shapes.reach - 0.9, 0.12)
    return (hollow + edge) * inside(shapes.distance, 2.5)


def _overlap(below: Array, above: Array, out: Array) -> Array:
    """Two discs on top of each other: darker than one, lighter than their sum."""
    np.add(np.maximum(below, above), 0.22 * np.minimum(below, above), out=out)
    return out


def _stray_platelets(rng: np.random.Generator, colours: Array, clearance: float) -> Array:
    """A few small violet platelets away from the middle."""
    points = rng.uniform(0, CANVAS, (rng.poisson(1.2), 2))
    points = points[np.hypot(*(points - CANVAS / 2).T) > clearance + 12]
    if not len(points):
        return colours
    shapes = outlines(rng, points, rng.uniform(4, 7.5, len(points)), wobble=0.12)
    amount = np.zeros((CANVAS, CANVAS), np.float32)
    stamp(amount, shapes, inside(shapes.distance, 2.5))
    texture = np.clip(0.55 + 0.3 * smooth_noise(rng, 3.5), 0, 1)
    body = mix(_CYTOPLASM["lilac"], _NUCLEUS_DARK, texture)
    return mix(colours, body, amount)


def _offsets() -> tuple[Array, Array]:
    """Rows and columns from the middle of the canvas."""
    axis = np.arange(CANVAS, dtype=np.float32) - CANVAS / 2
    return axis[:, None], axis[None, :]


def _cell_outline(class_id: str, look: Mapping[str, Any], rng: np.random.Generator) -> Array:
    """Signed distance to the cell's edge, (CANVAS, CANVAS); monocytes spread, platelets fray."""
    build = _BUILDS[class_id]
    middle = np.array([[CANVAS / 2, CANVAS / 2]]) + rng.normal(0, 3, (1, 2))
    shape = outlines(rng, middle, look["radius"] * FINE, stretch=rng.uniform(1, 1.25), wobble=build.wobble)
    distance = np.full((CANVAS, CANVAS), 99, np.float32)
    stamp(distance, shape, shape.distance, np.minimum)
    return distance + build.fray * (smooth_noise(rng, 7) + 0.5 * smooth_noise(rng, 20))


def _white_cell(
    class_id: str, look: Mapping[str, Any], rng: np.random.Generator, colours: Array, cell: Array
) -> tuple[Array, Array, Array]:
    """The smear with the cell painted over it, the nucleus' signed distance, and the lobes' truth mask."""
    lobes = [] if class_id == "platelet" else _lobes(class_id, look, rng)
    nucleus, truth = _nucleus(lobes, look.get("nucleus"), rng, cell)
    body = _cytoplasm(class_id, look, rng, cell)
    body = _vacuoles(look.get("vacuoles", 0), rng, body)
    body = mix(body, _chromatin(class_id, rng, nucleus), inside(nucleus, 2.0))
    if class_id == "basophil":
        body = _coarse_granules(rng, body)
    return mix(colours, body, inside(cell, 2.5)), nucleus, truth


def _lobes(class_id: str, look: Mapping[str, Any], rng: np.random.Generator) -> list[_Lobe]:
    """The ellipses a nucleus is made of."""
    radius, turn = look["radius"] * FINE, rng.uniform(0, 2 * np.pi)
    if "lobes" in look:
        return _segments(class_id, look["lobes"], radius, turn, rng)
    share = _BUILDS[class_id].share * rng.uniform(0.93, 1.05)
    if look["nucleus"] == "horseshoe":
        return _arc(6, radius * 0.36, radius * 0.52, rng.uniform(3.4, 4.4), turn, 1.0, rng)
    shift = rng.uniform(0, 1 - share) * radius * 0.8
    row, col = shift * np.cos(turn), shift * np.sin(turn)
    return [_Lobe(row, col, radius * share, rng.uniform(1.0, 1.25), rng.uniform(0, np.pi))]


def _segments(class_id: str, count: int, radius: float, turn: float, rng: np.random.Generator) -> list[_Lobe]:
    """Separate lobes on an arc, as large as the class' nucleus allows."""
    size = radius * np.sqrt(_BUILDS[class_id].lobe_area / count) * 1.1
    spread = {2: 2.5, 3: 3.9, 4: 4.6, 5: 5.0}[count] * rng.uniform(0.85, 1.1)
    return _arc(count, size, radius * rng.uniform(0.4, 0.5), spread, turn, rng.uniform(1.2, 1.75), rng)


def _arc(
    count: int, size: float, orbit: float, spread: float, turn: float, stretch: float, rng: np.random.Generator
) -> list[_Lobe]:
    """``count`` ellipses of about radius ``size`` spread over an arc around the centre, none quite in its place."""
    angles = turn + np.linspace(-spread / 2, spread / 2, count) + rng.normal(0, 0.08, count)
    orbits, sizes = orbit * rng.uniform(0.88, 1.15, count), size * rng.uniform(0.88, 1.1, count)
    leans = angles + np.pi / 2 + rng.normal(0, 0.35, count)
    middles = zip(orbits * np.cos(angles), orbits * np.sin(angles), sizes, leans, strict=True)
    return [_Lobe(row, col, radius, stretch, lean) for row, col, radius, lean in middles]


def _nucleus(lobes: list[_Lobe], shape: str | None, rng: np.random.Generator, cell: Array) -> tuple[Array, Array]:
    """Signed distance to the nucleus, and a mask with one separate patch per lobe."""
    if not lobes:
        return np.full_like(cell, 99), np.zeros_like(cell, bool)
    down, across = _offsets()
    down, across = down + 1.6 * smooth_noise(rng, 14), across + 1.6 * smooth_noise(rng, 14)
    each = np.stack([lobe.distance(down, across) for lobe in lobes])
    whole = each.min(axis=0)
    truth = np.any((each < -2.5) & (np.sort(each, axis=0)[min(1, len(lobes) - 1)] >= each.min(0) + 5), axis=0)
    if shape in ("kidney", "folded"):
        whole = _dented(whole, lobes[0], 1 if shape == "kidney" else 2, rng, down, across)
    if shape is None:
        whole = np.minimum(whole, _filaments(lobes, down, across))
    return np.maximum(whole, cell + 2.5), truth if len(lobes) > 1 else whole < -2.5


def _dented(whole: Array, lobe: _Lobe, dents: int, rng: np.random.Generator, down: Array, across: Array) -> Array:
    """The nucleus with notches pressed into its side."""
    for angle in rng.uniform(0, 2 * np.pi) + np.arange(dents) * 2.4:
        size = lobe.radius * rng.uniform(0.45, 0.85)
        reach = lobe.radius * rng.uniform(0.72, 0.9) + size * 0.85
        row, col = lobe.row + reach * np.cos(angle), lobe.col + reach * np.sin(angle)
        notch = -_Lobe(row, col, size, rng.uniform(1.0, 1.5), angle).distance(down, across)
        whole = np.logaddexp(whole / 3, notch / 3) * 3
    return whole


def _filaments(lobes: list[_Lobe], down: Array, across: Array) -> Array:
    """Signed distance to the thin threads from lobe to lobe."""
    nearest = np.full((CANVAS, CANVAS), 99, np.float32)
    for one, two in pairwise(lobes):
        step = np.array([two.row - one.row, two.col - one.col], np.float32)
        share = np.clip(((down - one.row) * step[0] + (across - one.col) * step[1]) / (step @ step), 0, 1)
        thread = np.hypot(down - one.row - share * step[0], across - one.col - share * step[1])
        nearest = np.minimum(nearest, thread - np.float32(2.2))
    return nearest


def _chromatin(class_id: str, rng: np.random.Generator, nucleus: Array) -> Array:
    """Clumped violet, darker along the nuclear membrane, (CANVAS, CANVAS, 3)."""
    lightness = _BUILDS[class_id].chromatin + rng.normal(0, 0.05)
    veins = band(smooth_noise(rng, 6), 0.33) * np.clip(0.6 + 0.6 * smooth_noise(rng, 8), 0, 1.6)
    clumps = lightness - 0.22 + 0.68 * veins + 0.17 * smooth_noise(rng, 3)
    clumps = clumps - 0.3 * band(nucleus + 2, 2.5)
    return mix(_NUCLEUS_DARK + rng.normal(0, 4, 3), _NUCLEUS_LIGHT, np.clip(clumps, 0, 1))


def _cytoplasm(class_id: str, look: Mapping[str, Any], rng: np.random.Generator, cell: Array) -> Array:
    """The cell's body with its granules, (CANVAS, CANVAS, 3)."""
    build = _BUILDS[class_id]
    colour = (_CYTOPLASM[look["cytoplasm"]] + rng.normal(0, 5, 3)).astype(np.float32)
    light = 1 + build.mottle * smooth_noise(rng, 2.6) + 0.05 * smooth_noise(rng, 14) - 0.1 * band(cell, 4)
    body = colour * light[..., None]
    if "granules" not in look or class_id == "basophil":
        return body
    fewest, most, size = build.granules
    granules = dots(rng, int(rng.uniform(fewest, most) * CANVAS**2 / 100), size)
    return mix(body, _GRANULE[look["granules"]], 0.82 * granules)


def _coarse_granules(rng: np.random.Generator, body: Array) -> Array:
    """The basophil's dark granules, which lie over the nucleus too."""
    crowd = np.clip(0.85 + 0.3 * rough_noise(rng, 24, 2), 0, 1)
    granules = dots(rng, int(CANVAS**2 / 15), 1.9) * crowd
    body = mix(body, _GRANULE["azure"], 0.4 * dots(rng, int(CANVAS**2 / 40), 1.8))
    return mix(body, _GRANULE["violet"], 0.92 * granules)


def _vacuoles(count: int, rng: np.random.Generator, body: Array) -> Array:
    """Round empty bubbles in the cytoplasm."""
    if not count:
        return body
    points = CANVAS / 2 + rng.normal(0, 34, (count, 2))
    shapes = outlines(rng, points, rng.uniform(2.5, 5.5, count), wobble=0.04)
    holes = np.zeros((CANVAS, CANVAS), np.float32)
    stamp(holes, shapes, inside(shapes.distance, 2.0))
    return mix(body, (236, 214, 214), 0.85 * holes)
