"""Turns a TIFF that Pillow does not read into a `Scan`: numbers of 32 bits, with signs or fractions, and rare packings.

It knows nothing about crops or models, and passes on none of the file's own words.
"""

import io
from dataclasses import replace
from typing import Any, Final

import numpy as np
from PIL import Image
from tifffile import COMPRESSION, TIFF, TiffFile, TiffPage

from psmooth.errors import ScanError
from psmooth.scans.containers import check_frames
from psmooth.scans.grey import grey_scan, scan_of_numbers, stated_top
from psmooth.scans.pillow import DEPTH, METAMORPH, frames_in_one_directory, scan_of_array, upright
from psmooth.scans.scan import MAX_PIXELS, Offer, Scan, Window, check_sides
from psmooth.scans.windows import ALL

_JPEG: Final = 7
_UNREAD: Final = {6: "JPEG in its old form", 33003: "JPEG 2000 in YCbCr", 34676: "LogLuv", 34677: "LogLuv"}
_MEANINGS: Final = {
    0: "grey", 1: "grey", 2: "RGB", 3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr", 8: "CIELAB", 9: "ICCLAB",
    10: "ITULAB", 32844: "LogL", 32845: "LogLuv",
}  # fmt: skip
_GREY, _PALETTE = (0, 1), 3
_RGB, _YCBCR = 2, 6
_ALPHA: Final = ((0,), (1,), (2,))  # what a fourth channel may be
_SORTS: Final = {"u": "unsigned", "i": "signed", "f": "floating-point"}


def read_tiff(data: bytes) -> Scan:
    """The first picture of a TIFF.

    Returns:
        Whole numbers and floats as they stand, shown by the spread of the values; grey of up to 16 bits and RGB as
        `open_scan` has them.

    Raises:
        ScanError: of a kind, or packed in a way, that is not read.
        Exception: damaged.
    """
    with TiffFile(io.BytesIO(data)) as file:
        page: Any = file.pages.first
        check_sides(page.imagewidth, page.imagelength)
        _check_stack(page)
        _check(page)
        values = page.asarray(maxworkers=1)
        if page.planarconfig == 2 and values.ndim == 3:
            values = values.transpose(1, 2, 0)
        values = upright(values, int(page.tags.valueof(274, default=1)))
        if values.shape[:2] not in ((page.imagelength, page.imagewidth), (page.imagewidth, page.imagelength)):
            raise ValueError("shape")
        return _grey(values, page) if values.ndim == 2 and page.photometric in _GREY else _colour(values, page)


def _check_stack(page: TiffPage) -> None:
    pixels = page.imagewidth * page.imagelength * page.samplesperpixel
    planes = page.tags[METAMORPH].count if METAMORPH in page.tags else 1
    depth = int(page.tags.valueof(DEPTH, default=1))
    check_frames(frames_in_one_directory(page.description, pixels, depth, planes), "TIFF")


def _check(page: TiffPage) -> None:
    packing = int(page.compression)
    if packing in _UNREAD or packing not in TIFF.DECOMPRESSORS:
        known = next((one.name for one in COMPRESSION if one == packing), str(packing))
        raise ScanError(
            "This TIFF is packed by {packing}, which is not read. Open it in the program that wrote it and export it "
            "without compression, or as PNG.",
            packing=_UNREAD.get(packing, known),
        )
    if page.tile and page.tilewidth * page.tilelength > MAX_PIXELS:
        raise ValueError("tiles")
    if not _is_read(page):
        raise ScanError(
            "This TIFF holds {channels} channels of {kind} as {meaning}. Read are grey of any depth, palettes, and RGB "
            "of 8 bits a channel: export it as one of these.",
            channels=page.samplesperpixel,
            kind=str(page.dtype),
            meaning=_MEANINGS.get(int(page.photometric), str(int(page.photometric))),
        )


def _is_read(page: TiffPage) -> bool:
    kind, samples = page.dtype, page.samplesperpixel
    if kind is None or kind.kind not in "buif":
        return False
    if page.photometric in (*_GREY, _PALETTE):
        return samples == 1
    if page.photometric == _YCBCR and page.compression != _JPEG:
        return kind == np.uint8 and samples == 3 and page.subsampling == (1, 1)
    return (
        page.photometric in (_RGB, _YCBCR)
        and kind == np.uint8
        and (samples == 3 or (samples == 4 and page.extrasamples in _ALPHA))
    )


def _colour(values: np.ndarray, page: TiffPage) -> Scan:
    if page.photometric == _PALETTE:
        table = np.asarray(page.colormap)  # (3, colours) of 16 bits; some programs write them as they are shown
        colours = (table >> 8 if table.max() > 255 else table).astype(np.uint8)
        return replace(scan_of_array(colours.T[values]), kind="8-bit palette", format="TIFF")
    if page.extrasamples == (0,):  # a fourth channel of which nothing is said is no opacity
        values = values[..., :3]
    elif page.extrasamples == (1,):  # colours that were multiplied by their opacity already
        seen = values.astype(np.int32)
        values = (seen[..., :3] + 255 - seen[..., 3:]).clip(0, 255).astype(np.uint8)
    if page.photometric == _YCBCR and page.compression != _JPEG:
        values = np.asarray(Image.fromarray(values, "YCbCr").convert("RGB"))
    return replace(scan_of_array(values), format="TIFF")


def _grey(values: np.ndarray, page: TiffPage) -> Scan:
    """Levels of up to 16 bits that begin with 0 as they are read from any other file; other numbers as they stand."""
    bits, counts_down = int(page.bitspersample), page.photometric == 0
    if values.dtype.kind == "b":
        values, bits = values.astype(np.uint8), 1
    if values.dtype == np.uint8:
        levels = (values.astype(np.uint16) * 255 // (2**bits - 1)).astype(np.uint8)
        return replace(scan_of_array(255 - levels if counts_down else levels), format="TIFF", kind=f"{bits}-bit grey")
    if values.dtype == np.uint16:
        levels = 2**bits - 1 - values if counts_down else values
        return grey_scan(levels, "TIFF", bits, stated_top(_tags(page), None, levels, bits))
    whole = (Offer(ALL, Window(-0.5, 255)),) if values.dtype == np.int8 else ()
    return scan_of_numbers(values, f"{bits}-bit {_SORTS[values.dtype.kind]} grey", "TIFF", *whole, inverted=counts_down)


def _tags(page: TiffPage) -> dict[int, Any]:
    return {code: page.tags.valueof(code) for code in (281, 341)}
