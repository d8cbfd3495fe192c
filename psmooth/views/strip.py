"""Turns a scan into pictures for the page: the whole of it, its frame, and the ruler of known changes.

It knows nothing about votes.
"""

import base64
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from PIL import Image

from psmooth.scans.landmarks import Landmark, as_jpeg
from psmooth.views.locale import translate
from psmooth.views.numbers import radius_text, size_text
from psmooth.views.words import PAGE_WORDS

if TYPE_CHECKING:
    from psmooth.scans import Crop, CropRule, Scan

_RULER_LOW, _RULER_HIGH = 0.05, 200.0


class Ruler(TypedDict):
    """Known changes on an axis; places are shares of its length.

    A tick is its text and place; a row the change in words, its size as text, its place, and whether it is covered.
    """

    covered: str
    ticks: list[list[Any]]
    radius: str | None
    place: float | None
    rows: list[list[Any]]


class Strip(TypedDict):
    """Pictures as data addresses; sizes are in pixels, the ``frame`` of the crop in shares of the scan's sides."""

    id: str
    scan: str
    about: str
    width: int
    height: int
    frame: list[float]
    crop: str
    jpeg: str
    size: int


def ruler(known: Sequence[Landmark], radius: float | None, guarantee: str = "unconditional") -> Ruler:
    """The landmarks on a logarithmic axis from .05 to 200, each with the words covered or not covered."""
    inside = [radius is not None and mark.size < radius for mark in known]
    return {
        "covered": _covered(guarantee),
        "ticks": [[f"{tick:g}", _place(tick)] for tick in (0.1, 1, 10, 100)],
        "radius": None if radius is None else radius_text(radius),
        "place": None if radius is None else _place(radius),
        "rows": [
            [translate(mark.words), size_text(mark.size, covered), _place(mark.size), covered]
            for mark, covered in zip(known, inside, strict=True)
        ],
    }  # fmt: skip


def _covered(guarantee: str) -> str:
    if guarantee == "frozen_prompt":
        return translate("covered with this prompt frozen")
    return translate(PAGE_WORDS["covered"])


def _place(size: float) -> float:
    span = math.log(_RULER_HIGH / _RULER_LOW)
    return min(1.0, max(0.0, math.log(max(size, 1e-9) / _RULER_LOW) / span))


def picture(pixels: np.ndarray, longest: int | None = None) -> str:
    """A ``(height, width, 3)`` uint8 picture as a PNG data address; one longer than ``longest`` is made smaller."""
    image = Image.fromarray(pixels)
    if longest is not None:
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return _address(image, "PNG")


def thumbnail(pixels: np.ndarray) -> str:
    """The small picture of an example, as a JPEG data address."""
    image = Image.fromarray(pixels)
    image.thumbnail((128, 128), Image.Resampling.LANCZOS)
    return _address(image, "JPEG")


def _address(image: Image.Image, kind: str) -> str:
    file = io.BytesIO()
    image.save(file, kind, quality=88)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def crop_frame(width: int, height: int, rule: "CropRule") -> list[float]:
    """Left, top, width and height of what the model sees, as shares of the scan's sides."""
    left, top, right, bottom = rule.box or (0, 0, width, height)
    if rule.fit == "crop":
        side = min(right - left, bottom - top)
        left, top = left + (right - left - side) / 2, top + (bottom - top - side) / 2
        right, bottom = left + side, top + side
    return [left / width, top / height, (right - left) / width, (bottom - top) / height]


def scan_words(scan: "Scan") -> str:
    """What is told of a scan beside its size: its kind, which frame it is, and what to heed."""
    frame = translate("frame {frame} of {frames}", frame=scan.frame, frames=scan.frames) if scan.frames > 1 else ""
    return " · ".join(filter(None, [scan.kind, frame, *map(translate, scan.notes)]))


def window_choices(scan: "Scan") -> list[str]:
    """The windows that a scan offers: name, centre and width in its unit."""
    unit = f" {scan.unit}" if scan.unit else ""
    return [
        f"{translate(offer.name)} · {offer.window.center:g} / {offer.window.width:g}{unit}" for offer in scan.offers
    ]


def strip(whole: np.ndarray, about: str, crop: "Crop") -> Strip:
    """The pictures of the strip: the scan with the frame of the crop, and the exact crop; ``about`` beside its size."""
    height, width = whole.shape[:2]
    return {
        "id": crop.sha256,
        "scan": picture(whole, longest=768),
        "about": f"{width} × {height}, {about}",
        "width": width,
        "height": height,
        "frame": crop_frame(width, height, crop.rule),
        "crop": picture(crop.pixels.transpose(1, 2, 0)),
        "jpeg": picture(as_jpeg(crop.pixels, 75).transpose(1, 2, 0)),
        "size": crop.rule.size,
    }
