"""Draws the pieces that every phantom is made of: smooth noise, wobbling outlines, dots, blur and grain.

It knows nothing about cells, lungs or stains, nor about which phantom asks for them.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image
from scipy import ndimage

from psmooth.errors import TaskError

SIDE = 160  # short side of a phantom, in pixels: that of the scans it imitates
FINE = 2  # drawn this many times finer, then averaged: thin rims and filaments stay smooth
CANVAS = SIDE * FINE

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Drawing:
    """What a painter hands back: float colours (CANVAS, CANVAS, 3) in 0..255 and truth masks (CANVAS, CANVAS)."""

    colours: Array
    masks: dict[str, Array]
    blur: float = 0.5  # of the optics, in phantom pixels
    grain: float = 1.5  # of the sensor, in grey levels
    grey: bool = False  # one grain for all three channels


@dataclass(frozen=True)
class Number:
    """A parameter that is a number between two ends, both allowed."""

    low: float
    high: float
    whole: bool = False

    def draw(self, rng: np.random.Generator) -> float | int:
        """A value drawn evenly; numbers are rounded so that the recorded value is the drawn one."""
        if self.whole:
            return int(rng.integers(int(self.low), int(self.high) + 1))
        return round(float(rng.uniform(self.low, self.high)), 3)

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` may stand for this parameter."""
        if isinstance(value, bool) or not isinstance(value, int if self.whole else (int, float)):
            return False
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"a {'whole ' if self.whole else ''}number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Word:
    """A parameter that is one of a few words; words named twice are drawn twice as often."""

    options: tuple[str, ...]

    def draw(self, rng: np.random.Generator) -> str:
        """A word drawn evenly from the options."""
        return self.options[int(rng.integers(len(self.options)))]

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` may stand for this parameter."""
        return value in self.options

    def __str__(self) -> str:
        return "one of " + ", ".join(dict.fromkeys(self.options))


Parameter = Number | Word
Painter = Callable[[str, Mapping[str, Any], np.random.Generator], Drawing]


@dataclass(frozen=True)
class PhantomPainter:
    """A painter and the parameters that it reads, by class id."""

    painter: Painter
    parameters: Mapping[str, Mapping[str, Parameter]] = field(repr=False)


def stream(*key: object) -> np.random.Generator:
    """A generator fixed by ``key`` alone, the same on every machine."""
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype="<u4"))


def resolve(known: Mapping[str, Parameter], given: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Every known parameter, drawn from ``rng`` unless given; giving one leaves the others as they were.

    Raises TaskError for a parameter that is not known or a value that it cannot take.
    """
    for name, value in given.items():
        if name not in known:
            raise TaskError(
                "A phantom of this class has no parameter {name}. It knows: {known}.",
                name=repr(name),
                known=", ".join(known),
            )
        if not known[name].accepts(value):
            raise TaskError(
                "The phantom's parameter {name} cannot be {value}: give {expected}.",
                name=repr(name),
                value=repr(value),
                expected=str(known[name]),
            )
    return {name: given.get(name, drawn) for name, drawn in ((n, p.draw(rng)) for n, p in known.items())}


def smooth_noise(rng: np.random.Generator, scale: float, shape: tuple[int, int] = (CANVAS, CANVAS)) -> Array:
    """Noise of about unit variance whose bumps are about ``scale`` canvas pixels wide, (rows, columns) float32."""
    rows, cols = (int(np.ceil(side / scale)) + 3 for side in shape)
    coarse = Image.fromarray(rng.standard_normal((rows, cols)).astype(np.float32))
    left, top = rng.uniform(0, 1, 2)
    box = (1 + left, 1 + top, 1 + left + shape[1] / scale, 1 + top + shape[0] / scale)
    return 1.35 * np.asarray(coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC, box=box))


def rough_noise(rng: np.random.Generator, scale: float, octaves: int = 3) -> Array:
    """Smooth noise with ever finer and fainter noise on it, about unit variance, (CANVAS, CANVAS) float32."""
    layers = [smooth_noise(rng, max(scale / 2**k, 1.5)) * np.float32(0.6**k) for k in range(octaves)]
    return np.sum(layers, axis=0) / np.float32(np.sqrt(sum(0.36**k for k in range(octaves))))


def inside(distance: Array, softness: float = 1.5) -> Array:
    """1 where the signed distance is well below 0, 0 well above, a ramp ``softness`` wide between."""
    ramp = np.clip(0.5 - distance / np.float32(softness), 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def band(distance: Array, width: float) -> Array:
    """A bell of the given width around distance 0."""
    return np.exp(-((distance / np.float32(width)) ** 2))


def mix(base: ArrayLike, colour: ArrayLike, amount: Array) -> Array:
    """``base`` moved towards ``colour``, each (3,) or (…, 3), by ``amount`` (…) in 0..1."""
    start = np.asarray(base, np.float32)
    return start + (np.asarray(colour, np.float32) - start) * amount[..., None]


def scattered(rng: np.random.Generator, spacing: float, margin: float = 0.0, jitter: float = 0.35) -> Array:
    """Points (n, 2) as row, column: a hexagonal lattice, shaken; evenly spread, yet never in rows."""
    steps = np.arange(-margin, CANVAS + margin + spacing, spacing)
    rows, cols = np.meshgrid(steps * 0.87, steps, indexing="ij")
    cols = cols + (np.arange(len(steps)) % 2)[:, None] * spacing / 2
    points = np.stack([rows.ravel(), cols.ravel()], 1) + rng.uniform(-jitter, jitter, (rows.size, 2)) * spacing
    turn, centre = rng.uniform(0, 2 * np.pi), np.array([CANVAS / 2, CANVAS / 2])
    turned = (points - centre) @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = turned + centre
    return points[np.all((points > -margin) & (points < CANVAS + margin), axis=1)]


def at(field_: Array, points: Array) -> Array:
    """The values of a canvas field (CANVAS, CANVAS) under points (n, 2); points outside read the nearest edge."""
    rows, cols = np.clip(np.rint(points).astype(int), 0, CANVAS - 1).T
    return field_[rows, cols]


@dataclass(frozen=True)
class Outlines:
    """Wobbling ellipses, each in a tile of its own."""

    corners: Array  # (n, 2) int: row and column of the tile on the canvas
    reach: Array  # (n, tile, tile): 0 at the centre, 1 on the outline
    angle: Array  # (n, tile, tile): direction from the centre, in radians
    radius: Array  # (n, 1, 1): mean radius in canvas pixels

    @property
    def distance(self) -> Array:
        """Signed distance to the outline in canvas pixels, (n, tile, tile)."""
        return (self.reach - 1) * self.radius


def outlines(
    rng: np.random.Generator,
    centres: Array,
    radius: Array | float,
    *,
    stretch: Array | float = 1.0,
    turn: Array | float | None = None,
    wobble: float = 0.05,
) -> Outlines:
    """Outlines around ``centres`` (n, 2); ``stretch`` lengthens them along ``turn`` (radians from the row axis)."""
    count = len(centres)
    radius = np.broadcast_to(np.asarray(radius, np.float32), (count,))
    stretch = np.sqrt(np.broadcast_to(np.asarray(stretch, np.float32), (count,)))
    turn = rng.uniform(0, 2 * np.pi, count) if turn is None else np.broadcast_to(turn, (count,))
    half = int(np.ceil((radius * stretch).max(initial=1) * (1 + 2 * wobble))) + 3
    corners, down, across = _tiles(centres, half)
    cosine, sine = (f(turn).astype(np.float32)[:, None, None] for f in (np.cos, np.sin))
    mean = radius.astype(np.float32)[:, None, None]
    along = (down * cosine + across * sine) / (mean * stretch[:, None, None])
    aside = (across * cosine - down * sine) / (mean / stretch[:, None, None])
    angle = np.arctan2(aside, along)
    return Outlines(corners, np.hypot(along, aside) / _wobbling(rng, angle, wobble), angle, mean)


def _tiles(centres: Array, half: int) -> tuple[Array, Array, Array]:
    """Corners (n, 2) of square tiles round ``centres``, and how far down and across each pixel lies from them."""
    corners = np.floor(centres).astype(int) - half
    offset = np.arange(2 * half, dtype=np.float32)[None, :]
    down = (offset + (corners[:, :1] - centres[:, :1])).astype(np.float32)
    across = (offset + (corners[:, 1:] - centres[:, 1:])).astype(np.float32)
    return corners, down[:, :, None], across[:, None, :]


def _wobbling(rng: np.random.Generator, angle: Array, wobble: float) -> Array:
    """Relative radius by direction: three waves round each outline."""
    ripple = np.ones_like(angle)
    for waves in (2, 3, 5):
        height = rng.normal(0, wobble / np.sqrt(waves - 1), (len(angle), 1, 1)).astype(np.float32)
        phase = rng.uniform(0, 2 * np.pi, (len(angle), 1, 1)).astype(np.float32)
        ripple += height * np.cos(waves * angle + phase)
    return np.clip(ripple, 0.5, 1.6)


def stamp(canvas: Array, shapes: Outlines, tiles: Array, combine: Callable[..., Array] = np.maximum) -> None:
    """Combine each tile (n, tile, tile) into ``canvas`` (CANVAS, CANVAS), in place; what hangs over is cut off."""
    size = tiles.shape[1]
    for (row, col), tile in zip(shapes.corners.tolist(), tiles, strict=True):
        top, left = max(0, -row), max(0, -col)
        bottom, right = min(size, canvas.shape[0] - row), min(size, canvas.shape[1] - col)
        if top < bottom and left < right:
            part = canvas[row + top : row + bottom, col + left : col + right]
            combine(part, tile[top:bottom, left:right], out=part)


def dots(rng: np.random.Generator, count: int, size: float, shape: tuple[int, int] = (CANVAS, CANVAS)) -> Array:
    """``count`` soft dots of radius ``size`` canvas pixels strewn at random, each reaching 1, (rows, columns)."""
    strewn = np.zeros(shape, np.float32)
    strewn[rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)] = rng.uniform(0.6, 1.1, count)
    spread = ndimage.gaussian_filter(strewn, size * 0.7, truncate=3) * np.float32(2 * np.pi * (size * 0.7) ** 2)
    return np.clip(spread, 0, 1)


def develop(drawing: Drawing, rng: np.random.Generator) -> Array:
    """The finished phantom: averaged to (SIDE, SIDE, 3), blurred by the optics, grained by the sensor, uint8."""
    colours = _averaged(drawing.colours)
    if drawing.blur:
        colours = ndimage.gaussian_filter(colours, (drawing.blur, drawing.blur, 0), truncate=3)
    channels = 1 if drawing.grey else 3
    grain = rng.standard_normal((SIDE, SIDE, channels)).astype(np.float32)
    soft_grain = ndimage.gaussian_filter(grain, (0.6, 0.6, 0), truncate=2) * np.float32(1.6)
    return np.clip(np.rint(colours + drawing.grain * soft_grain), 0, 255).astype(np.uint8)


def shrink_mask(mask: Array) -> Array:
    """A truth mask (CANVAS, CANVAS) at the size of the phantom: true where most of a pixel is."""
    return _averaged(mask.astype(np.float32)) > 0.5


def _averaged(canvas: Array) -> Array:
    return canvas.reshape(SIDE, FINE, SIDE, FINE, *canvas.shape[2:]).mean(axis=(1, 3))
