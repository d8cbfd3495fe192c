"""Turns a whole slide into a `Scan`: all of it, made smaller, or a part of it at a magnification.

It knows nothing about crops or models, and reads neither label nor any of the file's own words. It needs `openslide`.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import numpy as np
from openslide import (  # pyright: ignore[reportMissingImports]
    PROPERTY_NAME_MPP_X,
    PROPERTY_NAME_OBJECTIVE_POWER,
    OpenSlide,
    OpenSlideError,
    OpenSlideUnsupportedFormatError,
)
from PIL import Image

from psmooth.errors import ScanError
from psmooth.scans.containers import TIFF_SIGNS
from psmooth.scans.notes import WHOLE_SLIDE
from psmooth.scans.pillow import scan_of_array
from psmooth.scans.scan import Scan

SIDE: Final = 1_024  # pixels of a region
_LONGEST: Final = 2_048  # pixels of the whole, made smaller
_MOST_READ: Final = 16_000_000  # pixels at once, of four bytes
_MICRONS_AT_1: Final = 10.0  # of a pixel, at a magnification of 1, as it is customary


def read_slide(data: bytes, path: str | None = None, region: Sequence[float] | None = None) -> Scan:
    """A slide, or a part of it.

    Args:
        data: the file; slides of several files need ``path``.
        path: where it lies, instead of ``data``.
        region: left and top of a square of `SIDE` pixels, in pixels of the whole slide, and its magnification; it ends
            where the slide ends. None is all of the slide.

    Returns:
        8-bit RGB; where nothing was scanned it is white.

    Raises:
        ScanError: no slide, no such region, or too large a part to be read.
        Exception: damaged.
    """
    try:
        with _opened(data, path) as slide:
            picture = _whole(slide) if region is None else _part(slide, *region)
    except OpenSlideUnsupportedFormatError:
        raise ScanError(
            "This is no whole slide that can be read. Expected is one of Aperio, Hamamatsu, Leica, MIRAX, Philips, "
            "Sakura, Trestle, Ventana or DICOM, with all of its files: check the file, or leave the region out."
        ) from None
    except OpenSlideError:
        raise ScanError(
            "This slide is cut short, damaged, or not all of its files are here. Copy it again, with the folder beside "
            "it."
        ) from None
    scan = scan_of_array(np.asarray(picture))
    where = None if region is None else (float(region[0]), float(region[1]), float(region[2]))
    return replace(scan, kind="8-bit RGB", format="slide", region=where, notes=() if where else (WHOLE_SLIDE,))


@contextmanager
def _opened(data: bytes, path: str | None) -> Iterator[OpenSlide]:
    """From its place, or from a file in memory that has no name and no place on the disk.

    Of the latter TIFF alone: a text, as Hamamatsu's VMS, names further files, which would be opened wherever they lie.
    """
    if path is not None:
        with OpenSlide(path) as slide:
            yield slide
        return
    if data[:4] not in TIFF_SIGNS:
        raise OpenSlideUnsupportedFormatError
    if not hasattr(os, "memfd_create"):
        raise ScanError("A whole slide is read from its file alone here. Give its path on the command line.")
    held = os.memfd_create("slide")
    try:
        with os.fdopen(os.dup(held), "wb") as file:
            file.write(data)
        with OpenSlide(f"/proc/self/fd/{held}") as slide:
            yield slide
    finally:
        os.close(held)


def _whole(slide: OpenSlide) -> Image.Image:
    width, height = slide.dimensions
    return _read(slide, 0, 0, width, height, max(1.0, max(width, height) / _LONGEST))


def _part(slide: OpenSlide, left: float, top: float, magnification: float) -> Image.Image:
    power = _power(slide)
    if not 0 < magnification <= power:
        raise ScanError(
            "The slide has no magnification of {wanted}. Expected is one above 0 and up to {power}, as it was scanned.",
            wanted=f"{magnification:g}",
            power=f"{power:g}",
        )
    width, height = slide.dimensions
    if not (0 <= left < width and 0 <= top < height):
        raise ScanError(
            "The region begins at {left}, {top}, and the slide has {width:,} × {height:,} pixels. Choose a corner "
            "inside of it.",
            left=f"{left:g}",
            top=f"{top:g}",
            width=width,
            height=height,
        )
    step = power / magnification
    left, top, side = round(left), round(top), round(SIDE * step)
    return _read(slide, left, top, min(side, width - left), min(side, height - top), step)


def _power(slide: OpenSlide) -> float:
    """The magnification that the slide was scanned at, by its own word or by the size of its pixels."""
    told = slide.properties.get(PROPERTY_NAME_OBJECTIVE_POWER)
    microns = slide.properties.get(PROPERTY_NAME_MPP_X)
    power = float(told) if told else _MICRONS_AT_1 / float(microns) if microns else 0.0
    if power <= 0:
        raise ScanError(
            "The slide does not say at which magnification it was scanned, so none can be chosen. Leave the region out."
        )
    return power


def _read(slide: OpenSlide, left: int, top: int, width: int, height: int, step: float) -> Image.Image:
    """A part of the slide from the level that is next finer, one pixel for ``step`` of the whole."""
    level = slide.get_best_level_for_downsample(step + 1e-3)
    finer = slide.level_downsamples[level]
    held = max(1, round(width / finer)), max(1, round(height / finer))
    if held[0] * held[1] > _MOST_READ:
        raise ScanError(
            "The slide holds this part in {megapixels:,} megapixels and not smaller; at most {most} are read. Choose a "
            "region of it at a higher magnification.",
            megapixels=held[0] * held[1] // 10**6,
            most=_MOST_READ // 10**6,
        )
    size = max(1, round(width / step)), max(1, round(height / step))
    picture = slide.read_region((left, top), level, held)
    return picture if picture.size == size else picture.resize(size, Image.Resampling.BOX)
