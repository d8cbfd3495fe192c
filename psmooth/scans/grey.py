"""Makes a `Scan` of grey levels of 16 bits and of numbers, with the windows that it is shown by.

It knows nothing about files.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from psmooth.errors import ScanError
from psmooth.scans.scan import MOST_GREY, Offer, Scan, Window
from psmooth.scans.windows import FULL, STATED, spread_window


def grey_scan(
    values: np.ndarray, file_format: str, depth: int, top: int | None, seen: np.ndarray | None = None
) -> Scan:
    """A scan of 16-bit levels: shown up to the one that its file states as white, else by the spread of those seen."""
    full = Offer(FULL, Window((2**depth - 1) / 2, 2.0**depth - 1))
    stated = () if top is None else (Offer(STATED, Window(top / 2, float(top))),)
    spread = spread_window(values if seen is None else seen)
    return Scan(values, f"{depth}-bit grey", file_format, depth, offers=(*stated, spread, full))


def scan_of_numbers(
    values: np.ndarray, kind: str, file_format: str, *own: Offer, inverted: bool = False, **about: Any
) -> Scan:
    """A scan of numbers in a unit that the file does not tell, shown by their spread unless it offers a window."""
    finite = values[np.isfinite(values)]
    if not finite.size or np.abs(finite).max() > MOST_GREY:
        raise _beyond(file_format)
    kept = values.astype(np.float32 if values.dtype.kind == "f" else np.int32)
    offers = possible((*own, spread_window(kept)), file_format)
    return Scan(kept, kind, file_format, offers=offers, inverted=inverted, **about)


def possible(offers: Iterable[Offer], file_format: str) -> tuple[Offer, ...]:
    """Those whose window a certificate can name. Raises ScanError where there is none."""
    found = tuple(one for one in offers if one.window.is_possible)
    if not found:
        raise _beyond(file_format)
    return found


def _beyond(file_format: str) -> ScanError:
    return ScanError(
        "This {file_format} file holds values beyond {most:,}, or none that is a number. Export it with the window "
        "of your choice, as a 16-bit grey TIFF or as PNG.",
        file_format=file_format,
        most=MOST_GREY,
    )


def stated_top(tags: Mapping[int, Any], bits: int | None, values: np.ndarray, depth: int) -> int | None:
    """The level that is white by the file's word: its depth, MaxSampleValue, SMaxSampleValue or significant bits.

    A PNG's significant bits are the upper ones, but many programs leave 12 bits where they were: if no level is beyond
    them, they are the lower ones. A word that levels of the picture contradict is none.
    """
    told = [value[0] if isinstance(value, tuple) else value for value in map(tags.get, (341, 281)) if value]
    told += [2**bits - 1 if values.max() < 2**bits else 2**16 - 1] if bits else []
    told += [2**depth - 1] if depth < 16 else []
    return next((int(top) for top in told if 0 < top < 2**16 and values.max() <= top), None)


def check_levels(levels: np.ndarray, file_format: str) -> None:
    if levels.min() < 0 or levels.max() > 0xFFFF:
        raise ScanError(
            "This {file_format} holds grey levels from {lowest:,} to {highest:,}. Expected is a PNG, JPEG, TIFF or "
            "WebP of 8 bits a channel, or a 16-bit grey PNG or TIFF, with levels from 0 to 65,535: export it with the "
            "window of your choice.",
            file_format=file_format,
            lowest=int(levels.min()),
            highest=int(levels.max()),
        )
