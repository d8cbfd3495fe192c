"""Turns the grey values of a scan into what a browser spreads over black to white by itself, while a hand moves.

It knows nothing about the page.
"""

import base64
import zlib
from typing import TYPE_CHECKING, Any, Final, TypedDict

import numpy as np
from PIL import Image

from psmooth.views.locale import translate
from psmooth.views.strip import window_choices, window_text

if TYPE_CHECKING:
    from psmooth.scans import Scan

LONGEST: Final = 768  # pixels of the longer side: for looking; what is certified is cut from the scan itself
MOST: Final = 2**16 - 1


class Levels(TypedDict):
    """Grey values as numbers from 0 to 65,535: one of them, n, stands for ``low`` + n × ``step``.

    ``codes``: base64 of zlib of 16-bit words, the lower byte first, row by row.
    ``columns``, ``rows``: of the reduced picture.
    ``whole``: whether values are whole numbers.
    ``offers``: label, centre, width and function of each window.
    ``own``: what a window that is none of these is called.
    """

    codes: str
    columns: int
    rows: int
    low: float
    step: float
    whole: bool
    unit: str
    inverted: bool
    offers: list[list[Any]]
    own: str


class Look(TypedDict):
    """The answer to request ``asked``: a scan in colour has no levels."""

    asked: int
    levels: Levels | None


def levels(scan: "Scan") -> Levels:
    """Of a grey scan; one that is larger than is shown is reduced."""
    values, whole = _reduced(scan.values), scan.values.dtype.kind in "iu"
    low, high = float(values.min()), float(values.max())
    step = 1.0 if whole and high - low <= MOST else (high - low) / MOST or 1.0
    codes = np.rint((values - low) / step).astype("<u2")
    offers = [(offer.window.center, offer.window.width, offer.window.function) for offer in scan.offers]
    return {
        "codes": base64.b64encode(zlib.compress(codes.tobytes(), 1)).decode("ascii"),
        "columns": codes.shape[1],
        "rows": codes.shape[0],
        "low": low,
        "step": step,
        "whole": whole,
        "unit": scan.unit,
        "inverted": scan.inverted,
        "offers": [[label, *window] for label, window in zip(window_choices(scan), offers, strict=True)],
        "own": translate("your own"),
    }


def own_window(center: float, width: float, unit: str) -> str:
    """A window of the visitor's, as the menu names it."""
    return f"{translate('your own')} · {window_text(center, width, unit)}"


def _reduced(values: np.ndarray) -> np.ndarray:
    """At most `LONGEST` a side, as float64; what is no number is as low as the lowest."""
    skip = max(1, max(values.shape) // (4 * LONGEST))  # of a very large one, some of the pixels
    part = values[::skip, ::skip].astype(np.float64)
    if not np.isfinite(part).all():
        finite = part[np.isfinite(part)]
        part = np.nan_to_num(part, nan=finite.min(), posinf=finite.max(), neginf=finite.min())
    share = LONGEST / max(part.shape)
    if share >= 1:
        return part
    size = (max(1, round(part.shape[1] * share)), max(1, round(part.shape[0] * share)))
    smaller = np.asarray(Image.fromarray(part.astype(np.float32)).resize(size, Image.Resampling.BILINEAR), np.float64)
    return np.rint(smaller) if values.dtype.kind in "iu" else smaller
