"""Says what a scan and a crop are, how one is cut from the other, and how large either may be.

It knows nothing about files, models or noise, and keeps neither file names nor tags.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final, Literal

import numpy as np

from psmooth.errors import ScanError

MAX_FILE_BYTES: Final = 64_000_000

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".dcm")  # how the names of scans end

BESIDE: Final = ("__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found")
"""Folders that systems put beside a visitor's own, some with copies of the pictures in them."""

PLANES: Final = ("axial", "coronal", "sagittal")  # of a volume, the first being shown first

MAX_PIXELS: Final = 64_000_000

MIN_SIDE: Final = 16

MAX_SIDE_RATIO: Final = 32

MAX_CROP_SIZE: Final = 1_024

MOST_GREY: Final = 1_000_000  # of a window's width, and of its centre with either sign, as a certificate takes them


@dataclass(frozen=True)
class Window:
    """The grey levels of a scan that are spread over black to white: ``center`` ± ``width`` / 2, in the scan's unit.

    ``function``: a level v becomes 255·clip((v − (center − width/2)) / width, 0, 1), rounded half up, if
    "linear_exact"; DICOM's "linear" and "sigmoid" are those of PS3.3 C.11.2.1.2.1 and C.11.2.1.3.1.
    """

    center: float
    width: float
    function: Literal["linear_exact", "linear", "sigmoid"] = "linear_exact"

    @property
    def is_possible(self) -> bool:
        """Whether anything can be seen through it, and a certificate can name it."""
        return -MOST_GREY <= self.center <= MOST_GREY and 0 < self.width <= MOST_GREY


@dataclass(frozen=True)
class Offer:
    """A window by its name, e.g. "lung"."""

    name: str
    window: Window


@dataclass(frozen=True)
class CropRule:
    """How a scan becomes the crop that is certified; recorded in the certificate.

    Order: window, box, resize, centre crop or pad.

    ``size``: side of the crop in pixels.
    ``fit``: "crop" resizes the shorter side to ``size``, keeps the centre; "pad" resizes the longer side, adds black.
    ``interpolation``: Pillow's antialiased filter.
    ``box``: left, top, right, bottom in scan pixels; None is the whole scan.
    ``window``: of a grey scan that offers windows; None is `Scan.window`.
    ``frame``: of a file or series with many, counted from 1; None is the one that the scan is.
    ``series``: of a folder or zip with many, counted from 1; None is that of the scan.
    ``plane`` of a volume and ``region`` of a slide likewise.
    """

    size: int = 128
    fit: Literal["crop", "pad"] = "crop"
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    box: tuple[int, int, int, int] | None = None
    window: Window | None = None
    frame: int | None = None
    series: int | None = None
    plane: str | None = None
    region: tuple[float, float, float] | None = None


@dataclass(frozen=True, eq=False)
class Scan:
    """What a visitor brought, upright and without transparency, name or tags.

    ``values``: (height, width, 3) uint8 RGB, or (height, width) grey: uint16 levels, or numbers in ``unit``.
    ``kind``: what the file held, e.g. "8-bit RGB"; ``format``: e.g. "PNG".
    ``depth``: bits of a grey level, as its file states.
    ``unit``: of grey values, e.g. "HU"; "" is that of the file.
    ``offers``: windows to choose from, the one that is shown first; a scan in colour has none.
    ``inverted``: whether low values are shown white.
    ``frame`` of ``frames``: which picture of the file or series this is, counted from 1.
    ``series``: which one of a folder or zip with several, counted from 1; else None.
    ``plane``: one of `PLANES` if the file is a volume, else "".
    ``region``: left, top and magnification of a part of a slide; None is the whole of whatever it is.
    ``notes``: sentences on what was done to it, or what to heed.
    """

    values: np.ndarray
    kind: str
    format: str
    depth: int = 16
    unit: str = ""
    offers: tuple[Offer, ...] = ()
    inverted: bool = False
    frame: int = 1
    frames: int = 1
    plane: str = ""
    region: tuple[float, float, float] | None = None
    notes: tuple[str, ...] = ()
    series: int | None = None

    @property
    def width(self) -> int:
        """In pixels."""
        return self.values.shape[1]

    @property
    def height(self) -> int:
        """In pixels."""
        return self.values.shape[0]

    @property
    def window(self) -> Window | None:
        """The first that is offered; None for colour."""
        return self.offers[0].window if self.offers else None

    def window_of(self, center: float, width: float) -> Window:
        """The window of that centre and width: as it is offered, else with the function of the one that is shown."""
        known = (one.window for one in self.offers if (one.window.center, one.window.width) == (center, width))
        usual = self.window or Window(center, width)
        return next(known, Window(center, width, usual.function))


@dataclass(frozen=True)
class Header:
    """What a DICOM file says of itself before its picture, in numbers and words of a list alone.

    ``holds``: "picture", or what it is instead: "report", "state", "directory", "document" or "other".
    ``whole``: whether all of this was found; where only the beginning of the file was looked at, more may follow.
    ``modality``: e.g. "CT", or "".
    ``series``: the sha256 of the identifier of its series, or "".
    ``number``: of the series in its study; ``instance``: of the picture in its series.
    ``position``, ``orientation``: of a slice in the patient, three and six numbers, or none.
    """

    holds: str = "other"
    whole: bool = True
    modality: str = ""
    series: str = ""
    number: float | None = None
    instance: float | None = None
    position: tuple[float, ...] = ()
    orientation: tuple[float, ...] = ()
    frames: int = 1


@dataclass(frozen=True, eq=False)
class Crop:
    """What the model sees and the certificate is about.

    ``pixels``: (3, size, size) uint8 RGB, contiguous.
    ``rule``: the rule that made it, with box and window resolved.
    ``sha256``: `crop_sha256` of the pixels.
    """

    pixels: np.ndarray
    rule: CropRule
    sha256: str


def is_scan_name(path: PurePath) -> bool:
    """Whether a name in a folder or a zip is that of a scan; what systems and programs hide beside them is none."""
    return path.suffix.lower() in PICTURES and not is_hidden(path.parts)


def is_hidden(parts: Iterable[str]) -> bool:
    """Whether a file of these folders and this name is one that systems and programs leave beside a visitor's own."""
    return any(part.startswith(".") or part in BESIDE for part in parts)


def check_sides(width: int, height: int, most: int = MAX_PIXELS) -> None:
    """Raises `ScanError` for a scan that is too large, too small or too long."""
    if width * height > most:
        raise ScanError(
            "The scan is {width:,} × {height:,} pixels. At most {most} megapixels are read: cut out the region of "
            "interest or reduce it.",
            width=width,
            height=height,
            most=most // 10**6,
        )
    if min(width, height) < MIN_SIDE:
        raise ScanError(
            "The scan is {width:,} × {height:,} pixels. At least {least} pixels a side are needed: choose a larger "
            "one.",
            width=width,
            height=height,
            least=MIN_SIDE,
        )
    if max(width, height) > MAX_SIDE_RATIO * min(width, height):
        raise ScanError(
            "The scan is {width:,} × {height:,} pixels. One side may be at most {most} times the other: cut out the "
            "region of interest.",
            width=width,
            height=height,
            most=MAX_SIDE_RATIO,
        )
