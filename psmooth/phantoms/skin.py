"""Draws dermoscopy pictures: a pigmented lesion on skin, seen through a dermatoscope.

It knows nothing about seeds, file formats or models; it paints what the parameters say.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

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
    mix,
    outlines,
    rough_noise,
    scattered,
    smooth_noise,
    stamp,
)

_SKIN = {"pink": (226, 178, 184), "peach": (228, 180, 152), "grey": (192, 172, 180)}
_TAN, _BROWN, _DARK = (176, 120, 84), (122, 72, 46), (54, 32, 30)
_VEIL, _SCAR, _RED = (104, 104, 128), (222, 188, 190), (178, 86, 88)


def _looks(size: Number, **own: Parameter) -> dict[str, Parameter]:
    """The parameters that every class has, after its own."""
    common: dict[str, Parameter] = {
        "size": size,
        "skin": Word(("pink", "peach", "grey")),
        "hairs": Number(0, 6, whole=True),
        "vignette": Word(("none", "none", "corners")),
        "blur": Number(0.3, 0.7),
    }
    return own | common


_PARAMETERS: dict[str, dict[str, Parameter]] = {
    "melanoma": _looks(
        Number(0.5, 0.72), raggedness=Number(0.5, 1.0), blue_veil=Number(0.4, 1.0), regression=Number(0.0, 0.9)
    ),
    "nevus": _looks(Number(0.34, 0.56), network=Number(0.5, 1.0), globules=Number(0.0, 1.0)),
}


def paint(class_id: str, look: Mapping[str, Any], rng: np.random.Generator) -> Drawing:
    """A lesion of ``class_id`` in the middle; mask: lesion."""
    colours = _bare_skin(look, rng)
    colours, edge = (_melanoma if class_id == "melanoma" else _nevus)(colours, look, rng)
    colours = _hairs(colours, look["hairs"], rng)
    if look["vignette"] == "corners":
        reach = _polar(np.zeros(2))[0]
        colours = colours * inside(reach - rng.uniform(1.08, 1.2), 0.16)[..., None]
    return Drawing(colours, {"lesion": edge < 0}, blur=look["blur"], grain=1.2)


PAINTER = PhantomPainter(paint, _PARAMETERS)


def _polar(middle: Array, stretch: float = 1.0, turn: float = 0.0) -> tuple[Array, Array]:
    """Distance from ``middle`` (1 is half the picture) and direction, (CANVAS, CANVAS) each."""
    axis = np.linspace(-1, 1, CANVAS, dtype=np.float32)
    down, across = axis[:, None] - np.float32(middle[0]), axis[None, :] - np.float32(middle[1])
    cosine, sine, long = np.float32(np.cos(turn)), np.float32(np.sin(turn)), np.float32(stretch**0.5)
    along, aside = (down * cosine + across * sine) / long, (across * cosine - down * sine) * long
    return np.hypot(along, aside), np.arctan2(aside, along)


def _bare_skin(look: Mapping[str, Any], rng: np.random.Generator) -> Array:
    """Skin lit from the middle, with redness, freckled tone and fine furrows, (CANVAS, CANVAS, 3)."""
    base = np.array(_SKIN[look["skin"]], np.float32) + rng.normal(0, 5) + rng.normal(0, 3, 3).astype(np.float32)
    light = 1.04 - 0.1 * _polar(rng.uniform(-0.3, 0.3, 2))[0] ** 2 + 0.012 * smooth_noise(rng, 60)
    colours = mix(base * light[..., None], _RED, np.clip(0.07 + 0.05 * rough_noise(rng, 26), 0, 0.3))
    furrows = band(rough_noise(rng, 15, 2), 0.16) + band(rough_noise(rng, 12, 2), 0.16)
    return mix(colours, _TAN, np.clip(0.07 * furrows + 0.04 * smooth_noise(rng, 5), 0, 0.3))


def _net(rng: np.random.Generator, spacing: float) -> Array:
    """A honeycomb of pigment: 1 on its lines, near 0 in its holes, (CANVAS, CANVAS)."""
    holes = outlines(rng, scattered(rng, spacing, margin=spacing, jitter=0.2), spacing * 0.52, wobble=0.12)
    net = np.ones((CANVAS, CANVAS), np.float32)
    stamp(net, holes, 1 - inside(holes.distance, spacing * 0.45), np.minimum)
    return net


def _clods(rng: np.random.Generator, where: Array, spacing: float, size: float) -> Array:
    """Round clods of pigment strewn under ``where`` in 0..1, (CANVAS, CANVAS)."""
    points = scattered(rng, spacing, jitter=0.42)
    rows, cols = np.clip(points, 0, CANVAS - 1).astype(int).T
    points = points[where[rows, cols] > rng.uniform(0.2, 1.0, len(points))]
    clods = np.zeros((CANVAS, CANVAS), np.float32)
    if len(points):
        shapes = outlines(rng, points, size * rng.uniform(0.6, 1.3, len(points)), stretch=1.2, wobble=0.1)
        stamp(clods, shapes, inside(shapes.distance, 2.5))
    return clods


def _nevus(skin: Array, look: Mapping[str, Any], rng: np.random.Generator) -> tuple[Array, Array]:
    """An even oval in two browns: a regular network that fades at the edge, clods of one size round its rim."""
    reach, _ = _polar(rng.normal(0, 0.05, 2), rng.uniform(1.0, 1.35), rng.uniform(0, np.pi))
    edge = reach - look["size"] + 0.012 * rough_noise(rng, 50) + 0.005 * smooth_noise(rng, 9)
    body = inside(edge + 0.03, 0.14)
    colours = mix(skin, _TAN, 0.8 * body)
    core = inside(edge + 0.55 * look["size"], 0.9 * look["size"])
    colours = mix(colours, _BROWN, (0.15 + 0.4 * core + 0.1 * rough_noise(rng, 24)).clip(0, 1) * body)
    colours = mix(colours, _BROWN, 0.75 * look["network"] * _net(rng, rng.uniform(9, 12)) * body)
    rim = band(edge + 0.05, 0.05)
    clods = _clods(rng, rim * look["globules"], 8.5, 3.2) + 0.6 * _clods(rng, 0.3 * body, 9, 2.4)
    return mix(colours, _DARK, 0.5 * np.clip(clods, 0, 1)), edge


def _melanoma(skin: Array, look: Mapping[str, Any], rng: np.random.Generator) -> tuple[Array, Array]:
    """A large ragged patch, unlike in its halves: many browns, black, red, a blue-white veil, a pale scar."""
    reach, angle = _polar(rng.normal(0, 0.07, 2), rng.uniform(1.1, 1.5), rng.uniform(0, 2 * np.pi))
    lobes = 0.07 * np.cos(2 * angle + rng.uniform(0, 6)) + 0.06 * np.cos(3 * angle + rng.uniform(0, 6))
    ragged = 0.085 * rough_noise(rng, 60, 2) + 0.035 * rough_noise(rng, 14, 2)
    edge = reach - look["size"] * (1 + lobes) + look["raggedness"] * ragged
    slope = 0.5 + 0.5 * np.cos(angle + rng.uniform(0, 6))  # 0 where the edge is abrupt, 1 where it fades
    body = inside(edge + 0.06 * slope, 0.07 + 0.2 * slope.mean()) * (1 - slope) + inside(edge + 0.06, 0.26) * slope
    tone = 0.55 + 0.3 * rough_noise(rng, 70) + 0.1 * rough_noise(rng, 9, 2)
    colours = mix(skin, _TAN, 0.85 * body)
    colours = mix(colours, _RED, 0.3 * body * inside(0.6 - smooth_noise(rng, 70), 1.6))
    colours = mix(colours, _BROWN, body * np.clip(tone, 0, 0.95))
    net = _net(rng, rng.uniform(9, 12)) * np.clip(0.4 + 0.5 * smooth_noise(rng, 60), 0, 1)
    colours = mix(colours, _DARK, 0.5 * net * body)
    side = reach * np.cos(angle - rng.uniform(0, 6)) / np.float32(look["size"])
    blotch = inside(0.25 - side - 0.4 * rough_noise(rng, 40), 1.1)
    colours = mix(colours, _DARK, 0.88 * blotch * body)
    scar = look["regression"] * inside(0.5 + side - 0.35 * rough_noise(rng, 45), 0.9)
    colours = mix(colours, _SCAR, 0.6 * scar * body)
    veil = look["blue_veil"] * inside(0.25 - rough_noise(rng, 70), 1.5) * inside(edge + 0.1, 0.2)
    colours = mix(colours, _VEIL, np.clip(0.7 + 0.1 * smooth_noise(rng, 14), 0, 1) * veil)
    return mix(colours, _DARK, 0.6 * _clods(rng, body * slope**2, 11, 3.0)), edge


def _hairs(colours: Array, count: int, rng: np.random.Generator) -> Array:
    """A few dark curved hairs over everything."""
    picture = Image.new("L", (CANVAS, CANVAS))
    pencil = ImageDraw.Draw(picture)
    for _ in range(count):
        start, turn, bend = rng.uniform(0, CANVAS, 2), rng.uniform(0, 2 * np.pi), rng.normal(0, 0.006)
        along = np.arange(0, rng.uniform(60, 260), 4)
        steps = np.stack([np.cos(turn + bend * along), np.sin(turn + bend * along)], 1)
        path = start + 4 * np.cumsum(steps, axis=0)
        pencil.line([(float(x), float(y)) for x, y in path], fill=int(rng.integers(110, 220)), width=2)
    return mix(colours, (58, 40, 34), np.asarray(picture, np.float32) / 255)
