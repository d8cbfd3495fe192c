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
from psmooth.scans.notes import WRITTEN
from psmooth.views.locale import translate
from psmooth.views.numbers import count_text, number_text, radius_text, size_text
from psmooth.views.words import PAGE_WORDS

if TYPE_CHECKING:
    from psmooth.scans import Crop, CropRule, Scan, Series

_RULER_LOW, _RULER_HIGH = 0.05, 200.0

KINDS = (
    "{bits}-bit grey", "{bits}-bit grey with transparency", "{bits}-bit signed grey", "{bits}-bit unsigned grey",
    "{bits}-bit floating-point grey", "{bits}-bit RGB", "{bits}-bit RGB with transparency", "{bits}-bit palette",
    "{bits}-bit palette with transparency", "{bits}-bit CMYK", "{bits}-bit YCbCr", "{bits}-bit black and white",
    "palette",
)  # fmt: skip


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
    """Pictures as data addresses; sizes are in pixels, the ``frame`` of the crop in shares of the scan's sides.

    ``number``: which frame of its file the scan is.
    ``window``: centre and width of what is shown of a grey scan.
    ``written``: whether names may stand in the picture.
    """

    id: str
    scan: str
    about: str
    width: int
    height: int
    frame: list[float]
    crop: str
    jpeg: str
    size: int
    number: int
    window: list[float] | None
    written: bool


def ruler(known: Sequence[Landmark], radius: float | None, guarantee: str = "unconditional") -> Ruler:
    """The landmarks on a logarithmic axis from .05 to 200, each with the words covered or not covered."""
    inside = [radius is not None and mark.size < radius for mark in known]
    return {
        "covered": _covered(guarantee),
        "ticks": [[number_text(tick), _place(tick)] for tick in (0.1, 1, 10, 100)],
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


def thumbnail(pixels: np.ndarray, longest: int = 128) -> str:
    """The small picture of an example or a frame, as a JPEG data address."""
    image = Image.fromarray(pixels)
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
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


def scan_facts(scan: "Scan") -> str:
    """What is told of a scan on the page: its size, and `scan_words`."""
    return f"{scan.width} × {scan.height}, {scan_words(scan)}"


def scan_words(scan: "Scan") -> str:
    """What is told of a scan beside its size: its kind, which frame it is, and what to heed."""
    frame = translate("frame {frame} of {frames}", frame=scan.frame, frames=scan.frames) if scan.frames > 1 else ""
    plane = next((name for name, value in plane_choices() if value == scan.plane), "")
    return " · ".join(filter(None, [kind_words(scan.kind), plane, frame, *map(translate, scan.notes)]))


def kind_words(kind: str) -> str:
    """What a file held, e.g. "16-bit grey, CT": the modality, and a kind that is in no catalogue, stay as they are."""
    held, comma, modality = kind.partition(", ")
    bits, dash, what = held.rpartition("-bit ")
    template = "{bits}" + dash + what if dash else held
    return (translate(template, bits=bits) if template in KINDS else held) + comma + modality


def plane_choices() -> list[tuple[str, str]]:
    """The planes of a volume, each with its name."""
    return [(translate("axial"), "axial"), (translate("coronal"), "coronal"), (translate("sagittal"), "sagittal")]


def series_words(series: "Series", number: int) -> str:
    """A series in a list, the number first: modality and number of pictures."""
    many = series.pictures > 1
    pictures = translate("{count} pictures", count=count_text(series.pictures)) if many else translate("1 picture")
    return " · ".join(filter(None, [str(number), series.modality, pictures]))


def window_choices(scan: "Scan") -> list[str]:
    """The windows that a scan offers: name, centre and width in its unit."""
    windows = [(translate(offer.name), offer.window) for offer in scan.offers]
    return [f"{name} · {window_text(window.center, window.width, scan.unit)}" for name, window in windows]


def window_text(center: float, width: float, unit: str) -> str:
    """Centre and width, e.g. 40 / 400 HU."""
    return f"{number_text(center)} / {number_text(width)} {unit}".strip().replace("-", "−")


def strip(whole: np.ndarray, scan: "Scan", crop: "Crop") -> Strip:
    """The pictures of the strip: the ``whole`` scan through its window with the frame of the crop, and the crop."""
    height, width = whole.shape[:2]
    window = crop.rule.window
    return {
        "id": crop.sha256,
        "scan": picture(whole, longest=768),
        "about": scan_facts(scan),
        "width": width,
        "height": height,
        "frame": crop_frame(width, height, crop.rule),
        "crop": picture(crop.pixels.transpose(1, 2, 0)),
        "jpeg": picture(as_jpeg(crop.pixels, 75).transpose(1, 2, 0)),
        "size": crop.rule.size,
        "number": scan.frame,
        "window": [window.center, window.width] if window else None,
        "written": WRITTEN in scan.notes,
    }
