"""Draws chest radiographs of children, from the front: ribs, lungs, heart, spine, and what lies in the lungs.

It knows nothing about seeds, file formats or models; it paints what the parameters say.
Everything adds to one map of attenuation, as along an X-ray's way; only the film makes it grey.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
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


def _looks(contrast: Number, heart: Number, **own: Parameter) -> dict[str, Parameter]:
    """The parameters that every class has, after its own."""
    common: dict[str, Parameter] = {
        "heart_size": heart,
        "zoom": Number(0.9, 1.12),
        "tilt": Number(-4, 4),
        "turn": Number(-0.06, 0.06),
        "exposure": Number(0.88, 1.12),
        "contrast": contrast,
        "arms": Word(("raised", "down", "cropped")),
        "marker": Word(("R", "R", "R", "none")),
        "borders": Word(("none", "none", "none", "sides")),
        "blur": Number(0.2, 0.6),
    }
    return own | common


_PARAMETERS: dict[str, dict[str, Parameter]] = {
    "normal": _looks(Number(0.95, 1.15), Number(0.85, 1.1)),
    "bacterial_pneumonia": _looks(
        Number(0.75, 1.05),
        Number(0.9, 1.2),
        opacity_side=Word(("right", "left")),
        opacity_lobe=Word(("upper", "middle", "lower", "lower")),
        opacity_size=Number(0.7, 1.5),
        opacity_strength=Number(0.5, 1.0),
    ),
    "viral_pneumonia": _looks(
        Number(0.8, 1.1), Number(0.9, 1.15), interstitial_strength=Number(0.5, 1.0), haze=Number(0.05, 0.25)
    ),
}

# Half-widths from the middle line (1 is half a film) by height (0 top, 1 bottom), drawn after real proportions.
_HEIGHTS = (-0.2, 0.0, 0.06, 0.12, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.2)
_BODY = (0.34, 0.36, 0.6, 0.84, 0.9, 0.88, 0.86, 0.87, 0.89, 0.91, 0.92, 0.92, 0.9)
_RIB_CAGE = (0.0, 0.0, 0.3, 0.47, 0.55, 0.62, 0.69, 0.745, 0.785, 0.815, 0.83, 0.83, 0.82)
_RIGHT_BORDER = (0.1, 0.1, 0.11, 0.12, 0.13, 0.145, 0.17, 0.225, 0.26, 0.25, 0.2, 0.2, 0.2)
_LEFT_BORDER = (0.1, 0.1, 0.11, 0.12, 0.17, 0.18, 0.22, 0.36, 0.46, 0.5, 0.48, 0.44, 0.44)


@dataclass(frozen=True)
class _Film:
    """Where each point of the canvas lies in the child, and the shape of this child."""

    height: Array  # (CANVAS, CANVAS): 0 at the top of a usual film, 1 at its bottom
    across: Array  # (CANVAS, CANVAS): -1 to 1; the child's right lung lies on the negative side
    aside: Array  # |across|
    lungs: tuple[Array, Array]  # (CANVAS, CANVAS) in 0..1: the child's right, left
    cage: Array  # signed distance beyond the rib cage's side wall
    dome: Array  # signed distance below the diaphragm
    heart: Array  # signed distance beyond heart and mediastinum


def paint(class_id: str, look: Mapping[str, Any], rng: np.random.Generator) -> Drawing:
    """A film of ``class_id``; masks: right_lung, left_lung (the child's, so right is drawn left), opacity."""
    film = _child(look, rng)
    attenuation = _soft_tissue(film, look, rng) + _bones(film, rng)
    attenuation += _vessels(film, look.get("interstitial_strength", 0.0), rng)
    opacity = _opacity(class_id, film, look, rng)
    grey = _develop(attenuation + opacity, look, rng)
    right, left = (lung > 0.5 for lung in film.lungs)
    masks = {"right_lung": right, "left_lung": left, "opacity": (opacity > 0.12) & (right | left)}
    return Drawing(np.repeat(grey[..., None], 3, axis=2), masks, blur=look["blur"], grain=1.6, grey=True)


PAINTER = PhantomPainter(paint, _PARAMETERS)


def _profile(knots: tuple[float, ...], height: Array) -> Array:
    """Half-widths along the height, smooth between the knots, the shape of ``height``."""
    fine = np.linspace(_HEIGHTS[0], _HEIGHTS[-1], 512)
    smooth = ndimage.gaussian_filter1d(np.interp(fine, _HEIGHTS, knots), 11, mode="nearest")
    place = (height - _HEIGHTS[0]) * (511 / (_HEIGHTS[-1] - _HEIGHTS[0]))
    return smooth.astype(np.float32)[np.clip(place, 0, 511).astype(np.int16)]


def _child(look: Mapping[str, Any], rng: np.random.Generator) -> _Film:
    """This child's outlines in the place, size and tilt of this film."""
    axis = ((np.arange(CANVAS) + 0.5) / CANVAS).astype(np.float32)
    down, side = axis[:, None] - np.float32(0.5), axis[None, :] - np.float32(0.5)
    angle, zoom = np.deg2rad(look["tilt"]), look["zoom"]
    sway = 0.006 * smooth_noise(rng, 110)
    upright, level = down * np.cos(angle) - side * np.sin(angle), side * np.cos(angle) + down * np.sin(angle)
    height = (upright / zoom + rng.uniform(0.42, 0.49) + sway).astype(np.float32)
    across = (level * 1.9 / zoom + rng.uniform(-0.06, 0.06) + sway).astype(np.float32)
    aside = np.abs(across)
    cage = aside - _profile(_RIB_CAGE, height) * np.float32(rng.uniform(0.94, 1.06))
    dome = _dome(height, across, rng)
    right, left = (_profile(edge, height) * look["heart_size"] for edge in (_RIGHT_BORDER, _LEFT_BORDER))
    heart = np.where(across < look["turn"], -across - right + look["turn"], across - left - look["turn"])
    apex = 0.08 + 0.85 * (aside - 0.26) ** 2 - height
    lung = inside(cage, 0.03) * inside(dome, 0.02) * inside(apex, 0.03)
    return _Film(height, across, aside, (lung * (across < 0), lung * (across >= 0)), cage, dome, heart)


def _dome(height: Array, across: Array, rng: np.random.Generator) -> Array:
    """Signed distance below the two domes of the diaphragm; the right one stands higher."""
    top, gap = rng.uniform(0.66, 0.76), rng.uniform(0.0, 0.045)
    flat = rng.uniform(0.35, 0.6)
    outward = np.clip(np.abs(across) - 0.36, 0, None) ** 2 * (1.2 * flat + 0.35)
    inward = 0.25 * flat * np.clip(0.3 - np.abs(across), 0, None) ** 1.5
    right = top + outward + inward
    left = right + gap
    share = inside(across, 0.3)
    return (height - share * right - (1 - share) * left).astype(np.float32)


def _soft_tissue(film: _Film, look: Mapping[str, Any], rng: np.random.Generator) -> Array:
    """Attenuation of all that is neither bone nor air."""
    lung = film.lungs[0] + film.lungs[1]
    edge = film.aside - _profile(_BODY, film.height)
    shoulder = 0.32 * inside(film.height - 0.2, 0.25)
    body = (0.66 + shoulder) * inside(edge, 0.06) * (0.5 + 0.5 * np.clip(-edge * 4, 0, 1))
    body = body * (1 + 0.1 * smooth_noise(rng, 60) + 0.06 * smooth_noise(rng, 18))
    if look["arms"] != "cropped":
        body = np.maximum(body, _arms(film, look["arms"], rng))
    chin = np.hypot(film.across / rng.uniform(0.3, 0.45), (film.height + rng.uniform(0.12, 0.32)) / 0.17) - 1
    body = np.maximum(body, (1.15 + 0.15 * smooth_noise(rng, 30)) * inside(chin, 0.15) + 0.2 * band(chin, 0.05))
    trunk = film.height * inside(edge, 0.1)
    tissue = body - lung * (0.36 + 0.06 * smooth_noise(rng, 130) + shoulder)
    belly = rng.uniform(0.36, 0.62) * (1 + 0.12 * smooth_noise(rng, 90))
    tissue = tissue + belly * inside(-film.dome, 0.025) * inside(edge, 0.25)
    tissue = tissue + rng.uniform(0.42, 0.6) * inside(film.heart, 0.05) * inside(film.dome - 0.05, 0.12)
    tissue = tissue - _gas(film, rng) - 0.22 * band(film.across, 0.05) * inside(film.height - 0.3, 0.08) * (trunk > 0)
    return np.clip(tissue, 0.0, None)


def _arms(film: _Film, pose: str, rng: np.random.Generator) -> Array:
    """Upper arms: a soft sleeve round a bone with a hard rim."""
    reach = rng.uniform(-0.12, 0.02) if pose == "raised" else rng.uniform(0.5, 0.75)
    start, end = np.array([0.11, 0.66]), np.array([reach, 1.15])
    bow = 0.012 * np.sin(np.clip(film.aside - start[1], 0, 0.5) * 6)
    down, out = (film.height - start[0] + bow) * 2, film.aside - start[1]
    step = np.array([(end[0] - start[0]) * 2, end[1] - start[1]])
    along = np.clip((down * step[0] + out * step[1]) / (step @ step), 0, 1)
    away = np.hypot(down - along * step[0], out - along * step[1]).astype(np.float32)
    bone = (0.26 * inside(away - 0.05, 0.03) + 0.14 * band(away - 0.042, 0.014)) * (1 + 0.2 * smooth_noise(rng, 25))
    return (0.55 * inside(away - 0.19, 0.16) + bone * inside(0.05 - along, 0.05)).astype(np.float32)


def _gas(film: _Film, rng: np.random.Generator) -> Array:
    """The bubble in the stomach, under the left dome, in half the films."""
    size = rng.uniform(0.05, 0.11) * (rng.uniform() < 0.5) + 1e-3
    bubble = np.hypot(film.across - rng.uniform(0.3, 0.5), 2 * (film.height - rng.uniform(0.84, 0.92)))
    return rng.uniform(0.2, 0.5) * inside(bubble - size + 0.02 * smooth_noise(rng, 30), 0.06)


def _bones(film: _Film, rng: np.random.Generator) -> Array:
    """Attenuation of ribs, collar bones and spine."""
    chest = inside(film.cage - 0.03, 0.04) * inside(0.1 - film.height, 0.04) * inside(film.height - 0.93, 0.2)
    pitch = rng.uniform(0.076, 0.09)
    start = rng.uniform(0, pitch)
    share = np.clip(film.aside / (film.aside - film.cage + 1e-3), 0, 1.3)
    sweep = rng.uniform(0.07, 0.12) * share**2 + rng.uniform(0.03, 0.06) * share**6
    posterior = _rungs(film.height - sweep - start, pitch, 0.2) * inside(0.09 - film.aside, 0.05)
    fall = rng.uniform(0.25, 0.4) * (0.7 - film.aside)
    anterior = _rungs(film.height - fall - start, pitch * 1.12, 0.17) * inside(0.34 - film.aside, 0.2)
    wall = 0.13 * band(film.cage - 0.02, 0.022) * inside(0.12 - film.height, 0.06)
    rim = 1 + 1.3 * band(film.cage - 0.005, 0.035)
    ribs = (0.19 * posterior * rim + 0.07 * anterior) * (1 + 0.25 * smooth_noise(rng, 35)) * chest
    ribs = ribs * (1 - 0.5 * inside(film.heart, 0.1)) * (1 - 0.4 * inside(-film.dome, 0.05))
    return ribs + wall + _collar_bones(film, rng) + _spine(film, rng)


def _rungs(height: Array, pitch: float, half: float) -> Array:
    """Evenly spaced bars with bright edges, as far apart as ``pitch``."""
    phase = height / np.float32(pitch)
    phase = np.abs(phase - np.rint(phase))
    return 0.7 * inside(phase - half, 0.14) + 0.6 * band(phase - half + 0.03, 0.045)


def _collar_bones(film: _Film, rng: np.random.Generator) -> Array:
    """Two flat S curves from the breastbone to the shoulders, and the shoulder blades' edges."""
    rise = rng.uniform(0.0, 0.065)
    outward = film.aside - 0.08
    line = 0.135 - rise * outward / 0.5 + 0.016 * np.sin(outward * 11 - 0.6)
    reach = inside(-outward, 0.03) * inside(outward - 0.56, 0.06)
    bar = np.abs(film.height - line)
    bones = 0.24 * inside(bar - 0.014, 0.012) + 0.2 * band(bar - 0.012, 0.005)
    blade = band(film.aside - 0.62 - 0.35 * (film.height - 0.2), 0.012) * inside(np.abs(film.height - 0.22) - 0.1, 0.05)
    return (bones * reach + 0.1 * blade).astype(np.float32)


def _spine(film: _Film, rng: np.random.Generator) -> Array:
    """A column of vertebrae with darker discs and bright pedicles."""
    column = inside(film.aside - 0.085, 0.035)
    phase = film.height / np.float32(rng.uniform(0.06, 0.072))
    phase = np.abs(phase - np.rint(phase))
    discs = 0.13 * inside(0.36 - phase, 0.1) * (1 + 0.4 * smooth_noise(rng, 20))
    pedicles = 0.1 * band(film.aside - 0.055, 0.018) * band(phase, 0.22)
    return column * (rng.uniform(0.2, 0.4) - discs + pedicles + 0.05 * band(film.aside - 0.08, 0.02))


def _vessels(film: _Film, interstitial: float, rng: np.random.Generator) -> Array:
    """Branches that leave the hila, and, where the interstitium is inflamed, many more that reach further."""
    lung = (film.lungs[0] + film.lungs[1]) * (1 - 0.75 * inside(film.heart, 0.06))
    down, out = (film.height - 0.46) * 2, film.aside - 0.17
    reach = np.hypot(down, out)
    turn = np.arctan2(down, out)
    pattern = rng.standard_normal((96, 96)).astype(np.float32)
    side = np.where(film.across < 0, 0, 48).astype(np.float32)
    where = np.stack([side + 20 + turn * (6 + 3 * interstitial), 8 + 22 * np.sqrt(reach)])
    streaks = ndimage.map_coordinates(pattern, where, order=1, mode="wrap")
    lines = band(streaks, 0.35)
    normal = 0.24 * lines * np.exp(-reach / 0.35) + 0.16 * band(reach, 0.16) + 0.03 * rough_noise(rng, 9, 2)
    if not interstitial:
        return lung * normal
    net = band(rough_noise(rng, 16, 2), 0.35)
    return lung * (normal + interstitial * np.exp(-reach / 0.55) * (0.26 * lines + 0.14 * net + 0.06))


def _opacity(class_id: str, film: _Film, look: Mapping[str, Any], rng: np.random.Generator) -> Array:
    """Attenuation of consolidated lung (focal) or of haze on both sides (interstitial); 0 where normal."""
    if class_id == "normal":
        return np.zeros((CANVAS, CANVAS), np.float32)
    lung = film.lungs[0] + film.lungs[1]
    if class_id == "viral_pneumonia":
        return look["haze"] * lung * np.clip(0.5 + 0.25 * rough_noise(rng, 60), 0, 1)
    return _consolidation(film, look, rng)


def _consolidation(film: _Film, look: Mapping[str, Any], rng: np.random.Generator) -> Array:
    """One lobe filled: an uneven cloud, crossed by air-filled bronchi."""
    sign, lung = (-1, film.lungs[0]) if look["opacity_side"] == "right" else (1, film.lungs[1])
    height = {"upper": 0.27, "middle": 0.46, "lower": 0.61}[look["opacity_lobe"]] + rng.uniform(-0.03, 0.03)
    out = {"upper": 0.3, "middle": 0.36, "lower": 0.42}[look["opacity_lobe"]] + rng.uniform(-0.06, 0.06)
    size = look["opacity_size"]
    reach = np.hypot((film.across - sign * out) / (0.24 * size), (film.height - height) / (0.13 * size)) - 1
    cloud = inside(reach + 0.28 * rough_noise(rng, 55), 0.9)
    bronchi = 0.18 * band(rough_noise(rng, 30, 2), 0.2)
    lung = lung * (1 - 0.6 * inside(film.heart, 0.08))
    return lung * cloud * look["opacity_strength"] * (0.75 + 0.1 * rough_noise(rng, 24, 2) - bronchi)


def _develop(attenuation: Array, look: Mapping[str, Any], rng: np.random.Generator) -> Array:
    """Grey levels of the film (CANVAS, CANVAS): scatter, exposure, contrast, borders, marker."""
    scatter = 0.03 + 0.1 * (1.1 - look["contrast"])
    grey = 262 * (1 - np.exp(-np.float32(look["exposure"]) * (attenuation + scatter)))
    grey = 135 + (grey - 135) * look["contrast"] + rng.normal(0, 5)
    grey = np.clip(grey, 0, 240)
    if look["borders"] == "sides":
        margin = rng.integers(6, 26, 2)
        grey[:, : margin[0]], grey[:, CANVAS - margin[1] :] = 2, 2
    return _marked(grey, rng) if look["marker"] == "R" else grey


def _marked(grey: Array, rng: np.random.Generator) -> Array:
    """The film with the letter R in lead on the child's right side."""
    size, (left, top) = rng.uniform(8, 20), rng.uniform((6, 10), (30, 150))
    strokes = [(0, 1), (0, 0), (0.5, 0), (0.62, 0.12), (0.62, 0.38), (0.5, 0.5), (0, 0.5), (0.3, 0.5), (0.65, 1)]
    picture = Image.new("L", (CANVAS, CANVAS))
    path = [(left + x * size, top + y * size) for x, y in strokes]
    ImageDraw.Draw(picture).line(path, fill=255, width=max(2, round(size / 7)), joint="curve")
    letter = np.asarray(picture, np.float32) / 255
    return grey + (rng.uniform(200, 245) - grey) * letter
