"""Draws slices of brain MRI: scalp, skull, folded cortex, ventricles, and what grows there.

It knows nothing about seeds, file formats or models; it paints what the parameters say.
Tumours are shown with contrast agent, T1-weighted, at the sella from the side; a head without one as T2 or FLAIR.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

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


@dataclass(frozen=True)
class _Weighting:
    """Grey of each tissue under one pulse sequence, 0..1."""

    fluid: float
    grey: float
    white: float
    scalp: float
    vessel: float


_WEIGHTINGS = {
    "t1_contrast": _Weighting(fluid=0.1, grey=0.215, white=0.26, scalp=0.62, vessel=0.7),
    "t2": _Weighting(fluid=0.92, grey=0.47, white=0.31, scalp=0.62, vessel=0.05),
    "flair": _Weighting(fluid=0.07, grey=0.5, white=0.42, scalp=0.72, vessel=0.1),
}


def _looks(*weightings: str, zoom: Number, **own: Parameter) -> dict[str, Parameter]:
    """The parameters that every class has, after its own."""
    common: dict[str, Parameter] = {
        "weighting": Word(weightings),
        "zoom": zoom,
        "tilt": Number(-6, 6),
        "ventricles": Number(0.7, 1.3),
        "contrast": Number(0.9, 1.1),
        "blur": Number(0.3, 0.6),
    }
    return own | common


_SULCI = 44  # furrows round one slice
_SIDE = Word(("right", "left"))
_PARAMETERS: dict[str, dict[str, Parameter]] = {
    "glioma": _looks(
        "t1_contrast", zoom=Number(0.74, 0.86), side=_SIDE, size=Number(0.24, 0.36), necrosis=Number(0.6, 0.95)
    ),
    "meningioma": _looks("t1_contrast", zoom=Number(0.74, 0.86), side=_SIDE, size=Number(0.16, 0.26)),
    "no_tumour": _looks("t2", "t2", "flair", zoom=Number(0.84, 0.96)),
    "pituitary_tumour": _looks("t1_contrast", zoom=Number(0.8, 0.95), size=Number(0.07, 0.11)),
}


@dataclass(frozen=True)
class _Head:
    """Where each point lies in the head, (CANVAS, CANVAS) each."""

    down: Array  # -1 forehead, 1 back of the head
    across: Array  # -1 to 1: the patient's right lies on the negative side
    depth: Array  # below the brain's surface, negative outside


def paint(class_id: str, look: Mapping[str, Any], rng: np.random.Generator) -> Drawing:
    """A slice of ``class_id``; mask: tumour."""
    tissue = _WEIGHTINGS[look["weighting"]]
    head = _head(look, rng)
    sideways = class_id == "pituitary_tumour"
    if sideways:
        head = _side_on(head, rng)
    edge = _tumour_edge(class_id, head, look, rng)
    if sideways:
        image = _wrapped(_midline(head, tissue, look, rng), head, tissue, sideways, rng)
        image = _tumour(class_id, _face(image, head, rng), head, edge, look, rng)
    else:
        image = _tumour(class_id, _hemispheres(head, edge, tissue, look, rng), head, edge, look, rng)
        image = _wrapped(image, head, tissue, sideways, rng)
    coil = 1 + 0.12 * smooth_noise(rng, 170)
    grey = 255 * np.clip(image * look["contrast"] * coil, 0.008, 1)
    return Drawing(np.repeat(grey[..., None], 3, axis=2), {"tumour": edge < 0}, blur=look["blur"], grain=1.6, grey=True)


PAINTER = PhantomPainter(paint, _PARAMETERS)


def _head(look: Mapping[str, Any], rng: np.random.Generator) -> _Head:
    """This head in the place, size and tilt of this slice."""
    axis = np.linspace(-1, 1, CANVAS, dtype=np.float32)
    down, across = axis[:, None] - rng.normal(0, 0.02), axis[None, :] - rng.normal(0, 0.02)
    turn, zoom = np.deg2rad(look["tilt"]), look["zoom"]
    down, across = (
        (down * np.cos(turn) - across * np.sin(turn)) / zoom,
        (across * np.cos(turn) + down * np.sin(turn)) / zoom,
    )
    down, across = down.astype(np.float32), across.astype(np.float32) / np.float32(rng.uniform(0.76, 0.84))
    narrow = 1 + 0.09 * down  # the forehead is narrower than the back
    reach = np.hypot(np.abs(across / narrow) ** 1.12, np.abs(down) ** 1.12) ** (1 / 1.12)
    return _Head(down, across, 0.86 - reach + 0.006 * smooth_noise(rng, 60))


def _side_on(head: _Head, rng: np.random.Generator) -> _Head:
    """The same head cut between its halves, looking left: long, with a step in its floor behind the sella."""
    across = head.across * np.float32(0.8)
    dome = 0.6 - np.hypot((head.down + 0.2) * 1.02, (across - 0.06) * 0.78)
    floor = 0.1 + 0.4 * inside(0.02 - across, 0.24) - head.down + 0.05 * np.clip(across + 0.2, None, 0)
    depth = -np.logaddexp(-dome * 30, -floor * 30) / 30
    return _Head(head.down, across, (depth + 0.006 * smooth_noise(rng, 60)).astype(np.float32))


def _wrapped(image: Array, head: _Head, tissue: _Weighting, sideways: bool, rng: np.random.Generator) -> Array:
    """The brain inside fluid, dark bone with a bright marrow line, and scalp; air round it."""
    above = (
        inside(head.down - 0.1 - 0.3 * head.across, 0.2) if sideways else np.float32(1)
    )  # where the head is not yet a neck
    out = -head.depth + 0.006 * smooth_noise(rng, 50)
    thick = 0.085 + 0.008 * smooth_noise(rng, 110)
    image = image + (tissue.fluid - image) * inside(-out - 0.006, 0.02) * inside(out - 0.012, 0.02)
    image = image * (1 - above * inside(0.02 - out, 0.015))
    marrow = 0.22 * tissue.scalp * band(out - 0.03 - thick / 3, 0.014)
    scalp = (tissue.scalp + 0.07 * smooth_noise(rng, 22)) * inside(np.abs(out - 0.035 - thick) - 0.034, 0.02)
    return image + above * (marrow + scalp * (0.75 + 0.25 * np.abs(head.down)) + 0.12 * band(out - 0.02, 0.008))


def _sulci(head: _Head, rng: np.random.Generator) -> Array:
    """Distance to the nearest furrow of the cortex, the brain's surface among them."""
    angle = np.arctan2(head.down, head.across) + 0.1 * smooth_noise(rng, 22) + 0.14 * smooth_noise(rng, 50)
    gaps = np.tile(rng.uniform(0.5, 1.5, _SULCI), 3)  # three times round, so that no seam is met
    turns = np.cumsum(gaps) * (6 * np.pi / gaps.sum()) - 3 * np.pi
    place = np.interp(angle, turns, np.arange(3.0 * _SULCI)).astype(np.float32)
    nearest = np.rint(place)
    radius = np.hypot(head.down, head.across)
    aside = np.abs(place - nearest) * radius * np.float32(2 * np.pi / _SULCI)
    floor = rng.uniform(0.03, 0.24, _SULCI).astype(np.float32)[nearest.astype(int) % _SULCI]
    return np.minimum(np.hypot(aside, np.clip(head.depth - floor, 0, None)), np.abs(head.depth))


def _hemispheres(
    head: _Head, edge: Array, tissue: _Weighting, look: Mapping[str, Any], rng: np.random.Generator
) -> Array:
    """Folded grey cortex on white matter, deep nuclei, ventricles, and the fissure between the halves."""
    furrow = _sulci(head, rng)
    aside = np.abs(head.across)
    wave = 0.02 * smooth_noise(rng, 24)
    insula = np.hypot((aside - 0.5 - 0.6 * (head.down + 0.02) ** 2 + wave) / 0.014, (head.down + 0.02) / 0.17) - 1
    cleft = np.hypot((aside - 0.6) / 0.1, (head.down + 0.1 + 0.2 * (aside - 0.6) + wave) / 0.014) - 1
    furrow = np.minimum(furrow, np.clip(0.014 * np.minimum(insula, cleft), 0, None))
    fissure = np.abs(head.across + 0.012 * smooth_noise(rng, 50)) + 0.5 * inside(0.36 - np.abs(head.down), 0.1)
    furrow = np.minimum(furrow, fissure)
    ribbon = inside(furrow - 0.055 - 0.012 * smooth_noise(rng, 22), 0.03)
    nuclei = inside(np.hypot((aside - 0.3) / 0.12, (head.down - 0.02) / 0.24) - 1, 0.3)
    nuclei = np.maximum(nuclei, inside(np.hypot((aside - 0.13) / 0.09, (head.down - 0.18) / 0.14) - 1, 0.3))
    image = tissue.white + (tissue.grey - tissue.white) * np.maximum(ribbon, 0.8 * nuclei)
    image = image + 0.012 * smooth_noise(rng, 6) + 0.01 * smooth_noise(rng, 30)
    image = image + (tissue.fluid - image) * inside(furrow - 0.011, 0.02) * (0.75 + 0.2 * smooth_noise(rng, 30)).clip(
        0, 1
    )
    wet = inside(_ventricles(head, look["ventricles"], edge), 0.025)
    image = image + (tissue.fluid - image) * wet
    falx = band(head.across + 0.004 * smooth_noise(rng, 40), 0.009) * inside(0.4 - np.abs(head.down), 0.06)
    return image + (tissue.vessel - image) * 0.6 * falx


def _ventricles(head: _Head, size: float, edge: Array) -> Array:
    """Signed distance to the ventricles, which a tumour flattens."""
    aside = np.abs(head.across)
    front = (
        np.hypot((aside - 0.07 - 0.3 * np.clip(-head.down - 0.12, 0, 1)) / (0.05 * size), (head.down + 0.22) / 0.17) - 1
    )
    back = (
        np.hypot((aside - 0.13 - 0.42 * np.clip(head.down - 0.2, 0, 1)) / (0.055 * size), (head.down - 0.36) / 0.2) - 1
    )
    third = np.hypot(aside / (0.017 * size), (head.down - 0.06) / 0.13) - 1
    return np.minimum(np.minimum(front, back) * 0.05, third * 0.02) + 0.06 * inside(edge - 0.1, 0.2)


def _tumour_edge(class_id: str, head: _Head, look: Mapping[str, Any], rng: np.random.Generator) -> Array:
    """Signed distance to the tumour; far outside everywhere where there is none."""
    if class_id == "no_tumour":
        return np.full((CANVAS, CANVAS), 9, np.float32)
    sign = -1 if look.get("side") == "right" else 1
    size = np.float32(look["size"])
    if class_id == "glioma":
        away = np.hypot(head.down - rng.uniform(-0.4, 0.35), head.across - sign * rng.uniform(0.36, 0.46))
        return away - size + 0.075 * rough_noise(rng, 60)
    if class_id == "meningioma":
        where = rng.uniform(-1.1, 1.1)
        out = 0.86 - 0.72 * size
        away = np.hypot(head.down - out * np.sin(where), head.across - sign * out * np.cos(where))
        return np.maximum(away - size + 0.012 * smooth_noise(rng, 45), -head.depth - 0.005)
    gland = np.hypot(head.down - 0.13, head.across + 0.13) - size
    lobes = np.minimum(gland, np.hypot(head.down - 0.13 + 0.9 * size, head.across + 0.13 - 0.2 * size) - 0.7 * size)
    return lobes + 0.01 * smooth_noise(rng, 35)


def _tumour(
    class_id: str, image: Array, head: _Head, edge: Array, look: Mapping[str, Any], rng: np.random.Generator
) -> Array:
    """A glioma's torn ring round dead tissue in a dark swelling, or an even bright mass with a tail along the dura."""
    if class_id == "no_tumour":
        return image
    if class_id == "glioma":
        swelling = inside(edge - 0.13 - 0.07 * rough_noise(rng, 60), 0.16) * inside(0.03 - head.depth, 0.05)
        image = image + (0.2 - image) * 0.8 * swelling
        ring = edge + look["size"] * (1 - look["necrosis"]) * (0.5 + 0.4 * smooth_noise(rng, 35))
        bright = 0.5 + 0.12 * rough_noise(rng, 24)
        image = image + (bright - image) * inside(edge, 0.02) * np.clip(0.7 + 0.4 * smooth_noise(rng, 50), 0.15, 1)
        return image + (0.15 + 0.03 * smooth_noise(rng, 14) - image) * inside(ring + 0.035, 0.035)
    image = image + (0.14 - image) * 0.7 * band(edge - 0.014, 0.016)
    image = image + (0.58 + 0.04 * rough_noise(rng, 20) - image) * inside(edge, 0.02)
    if class_id == "meningioma":
        image = image + 0.35 * band(head.depth - 0.006, 0.014) * inside(edge - 0.16, 0.12)
    return image


def _oval(head: _Head, down: float, across: float, high: float, wide: float) -> Array:
    """0 on an upright ellipse's outline, -1 in its middle, (CANVAS, CANVAS)."""
    return (
        np.hypot(
            (head.down - np.float32(down)) / np.float32(high), (head.across - np.float32(across)) / np.float32(wide)
        )
        - 1
    )


def _midline(head: _Head, tissue: _Weighting, look: Mapping[str, Any], rng: np.random.Generator) -> Array:
    """Gyri over the bow of the corpus callosum, thalamus, brain stem, and the cerebellum with its leaves."""
    furrow = _sulci(_Head(head.down + 0.05, head.across - 0.06, head.depth), rng)
    bow = _oval(head, 0.0, 0.03, 0.2, 0.34) + 0.03 * smooth_noise(rng, 50)
    furrow = np.minimum(furrow, np.abs(bow - 0.55) * 0.2)
    image = tissue.white + (tissue.grey - tissue.white) * inside(furrow - 0.05, 0.04) + 0.01 * smooth_noise(rng, 6)
    image = image + (tissue.fluid - image) * 0.8 * inside(furrow - 0.008, 0.016)
    image = image + (tissue.grey - image) * inside(bow, 0.1)
    upper = inside(head.down - 0.03, 0.05)
    image = image + (tissue.fluid - image) * upper * inside(np.abs(bow + 0.32) - 0.12 * look["ventricles"], 0.1)
    image = image + (tissue.white + 0.08 - image) * upper * inside(np.abs(bow + 0.08) - 0.1, 0.08)
    hind = inside(0.13 - head.down - 0.2 * head.across, 0.03)  # below the tentorium
    image = image + (tissue.fluid + 0.05 - image) * hind
    turn = np.arctan2(head.down - 0.26, head.across - 0.2)
    leaves = np.cos(22 * turn + 1.2 * smooth_noise(rng, 26)) * inside(
        0.06 - np.hypot(head.down - 0.26, head.across - 0.2), 0.1
    )
    cerebellum = tissue.grey + 0.03 + 0.05 * leaves
    image = (
        image
        + (cerebellum - image) * inside(_oval(head, 0.26, 0.42, 0.22, 0.28) + 0.04 * smooth_noise(rng, 30), 0.1) * hind
    )
    pons, stem = _oval(head, 0.23, 0.07, 0.11, 0.085), np.abs(head.across - 0.1 - 0.08 * head.down) - 0.045
    stem = np.maximum(stem / 0.06, -(head.down - 0.05) / 0.06)
    return image + (tissue.white + 0.02 - image) * inside(np.minimum(pons, stem), 0.2)


def _face(image: Array, head: _Head, rng: np.random.Generator) -> Array:
    """What lies below the skull: nose, palate, tongue and throat in front, the spine, the muscles of the neck."""
    down, across = head.down, head.across
    profile = np.interp(
        down, (-0.2, 0.05, 0.2, 0.38, 0.46, 0.6, 0.7, 0.82, 1.3), (0.72, 0.74, 0.76, 0.9, 0.8, 0.82, 0.76, 0.78, 0.6)
    )
    nape = 0.86 - 0.55 * np.clip(down - 0.1, 0, 0.55)
    outline = np.maximum(-across - profile, across - nape).astype(np.float32) + 0.006 * smooth_noise(rng, 40)
    meat = 0.24 + 0.05 * rough_noise(rng, 14) + 0.14 * band(rough_noise(rng, 30, 2) + 0.5 * across, 0.14)
    for place, grey in (
        (_oval(head, 0.3, -0.52, 0.14, 0.24), 0.08 + 0.22 * band(np.sin(30 * down + 2 * smooth_noise(rng, 40)), 0.4)),
        (_oval(head, 0.26, -0.26, 0.1, 0.09), np.float32(0.03)),  # the sphenoid sinus
        (_oval(head, 0.05, -0.66, 0.09, 0.05), np.float32(0.03)),  # the frontal sinus
        (_oval(head, 0.64, -0.46, 0.15, 0.27), 0.3 + 0.04 * rough_noise(rng, 10)),  # the tongue
        (_oval(head, 0.62, -0.12, 0.3, 0.045), np.float32(0.03)),  # the throat
        (
            np.abs(across + 0.04 - 0.25 * (0.42 - down)) / 0.06 - 1 + 9 * np.clip(np.abs(down - 0.3) - 0.12, 0, 1),
            0.45,
        ),  # the clivus
        (np.abs(across - 0.02) / 0.06 - 1 + 9 * np.clip(0.5 - down, 0, 1), 0.34 - 0.24 * band(np.sin(16 * down), 0.3)),
        (np.abs(across - 0.15) / 0.06 - 1 + 9 * np.clip(0.42 - down, 0, 1), 0.08 + 0.18 * band(across - 0.15, 0.03)),
    ):
        meat = meat + (grey - meat) * inside(place + 0.08 * smooth_noise(rng, 30), 0.2)
    fat = 0.55 + 0.08 * smooth_noise(rng, 24)
    meat = meat + (fat - meat) * inside(np.abs(outline + 0.035) - 0.03, 0.03)
    below = inside(head.depth + 0.03, 0.03) * inside(0.12 + 0.2 * across - down, 0.08)
    shown = image + (meat - image) * below
    scalp = inside(-0.17 - head.depth, 0.02) * inside(down - 0.1 - 0.3 * across, 0.2)
    return shown * (1 - inside(-outline, 0.02) * (1 - scalp))
