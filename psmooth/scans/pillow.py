"""Turns a PNG, JPEG, TIFF or WebP that Pillow decodes, a Pillow image or an array into a `Scan`.

It knows nothing about paths and about files that Pillow does not read.
"""

import io
import math
import os
import re
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Final

import numpy as np
from PIL import Image, ImagePalette, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from psmooth.errors import ScanError
from psmooth.scans.containers import (
    TIFF_COMPRESSIONS,
    CostlyFileError,
    bounded,
    check_frames,
    check_strips,
    exif_is_bounded,
    png_significant_bits,
    webp_size,
)
from psmooth.scans.grey import check_levels, grey_scan, stated_top
from psmooth.scans.scan import MAX_PIXELS, Scan, check_sides

_MAX_WEBP_PIXELS: Final = 16_000_000  # its decoder runs under Python's global lock: 64 million stop all for seconds

ORIENTATION: Final = 0x0112

METAMORPH, DEPTH = 33629, 32997  # tags of a stack: a value for each plane, the number of planes

_BAND: Final = 2_000_000  # pixels that are converted at a time

_PLUGINS: Final = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
}

_KINDS: Final = {
    "1": "1-bit black and white",
    "L": "8-bit grey",
    "LA": "8-bit grey with transparency",
    "P": "8-bit palette",
    "PA": "8-bit palette with transparency",
    "RGB": "8-bit RGB",
    "RGBA": "8-bit RGB with transparency",
    "RGBX": "8-bit RGB",
    "RGBa": "8-bit RGB with transparency",
    "La": "8-bit grey with transparency",
    "CMYK": "8-bit CMYK",
    "YCbCr": "8-bit YCbCr",
}

_TRANSPOSE: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Pillow reports damaged tags as warnings, and the filters for these belong to the whole process: the first of those
# that read at the same time quietens them, the last one lets them speak again.
_quiet_lock = threading.Lock()

_quiet = ExitStack()

_readers = 0

_large_scans = threading.Semaphore(2)  # those that take a gigabyte to decode wait for each other, small ones do not

_LARGE: Final = 8_000_000  # pixels


def _renew_lock() -> None:
    """A worker that was forked while another thread read a scan would wait for that thread without end."""
    global _quiet_lock, _large_scans
    _quiet_lock, _large_scans = threading.Lock(), threading.Semaphore(2)


if hasattr(os, "register_at_fork"):  # Windows has none, and does not fork
    os.register_at_fork(after_in_child=_renew_lock)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without a warning of Pillow's, whoever else reads a scan meanwhile."""
    global _readers
    with _quiet_lock:
        if _readers == 0:
            _quiet.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", module=r"PIL\.")
        _readers += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _readers -= 1
            if _readers == 0:
                _quiet.close()


@contextmanager
def decoding(file_format: str) -> Iterator[None]:
    """No warning of Pillow's leaves this block, and no error but a `ScanError`."""
    try:
        with _quietly():
            yield
    except ScanError:
        raise
    except Exception:  # a damaged file may raise anything, and the words may quote a tag: they are not passed on
        raise ScanError(
            "This {file_format} is cut short, damaged or of a rare kind. Expected is a PNG, JPEG, TIFF or WebP of 8 "
            "bits a channel, or a 16-bit grey PNG or TIFF, complete: copy it again, or open it in a viewer and export "
            "it as PNG.",
            file_format=file_format,
        ) from None


def open_image(data: bytes, file_format: str) -> Image.Image | None:
    """The header read, the pixels not yet; only the decoder that the first bytes call for is tried.

    None for a TIFF that is not Pillow's: it does not know its packing or its kind, or would lose something of it.
    """
    if file_format == "WebP":  # its decoder lays out the whole canvas before a size can be asked for
        check_sides(*webp_size(data), _MAX_WEBP_PIXELS)
    if file_format == "PNG":
        _check_png_depth(data)
    if file_format == "TIFF":
        return _open_tiff(bounded(data, file_format))
    image = _PLUGINS[file_format](io.BytesIO(bounded(data, file_format)))
    check_frames(getattr(image, "n_frames", 1), file_format)
    key = image.info.get("transparency")
    if file_format == "PNG" and image.mode == "L" and isinstance(key, int):
        image.info["transparency"] = key * 255 // (2 ** data[24] - 1)  # Pillow spreads the levels, but not this one
    if file_format == "PNG" and data[24] == 16:
        image.info["significant"] = png_significant_bits(data)
    return image


def _open_tiff(data: bytes) -> Image.Image | None:
    try:
        image = TiffImagePlugin.TiffImageFile(io.BytesIO(data))
    except SyntaxError:
        return None
    tags = image.tag_v2
    packing = tags.get(TiffImagePlugin.COMPRESSION, 1)
    signed = 2 in tags.get(TiffImagePlugin.SAMPLEFORMAT, ())
    plain_ycbcr = packing == 1 and tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 6
    if packing not in TIFF_COMPRESSIONS or image.mode in ("I", "F") or signed or plain_ycbcr:
        check_sides(*image.size)
        _check_tiff(image)
        return None
    check_strips(data, tags)
    colours = tags.get(TiffImagePlugin.COLORMAP, ())
    if image.mode in ("P", "PA") and max(colours) <= 255:  # some programs write the entries as they are shown
        image.palette = ImagePalette.raw("RGB;L", bytes(colours))
    return image


def _check_png_depth(data: bytes) -> None:
    depth, colour_type = struct.unpack_from("BB", data, 24)
    if depth == 16 and colour_type != 0:  # Pillow would keep the upper byte and say nothing
        raise _deep_colour("PNG")


def _deep_colour(file_format: str) -> ScanError:
    return ScanError(
        "This {file_format} holds colour or transparency at 16 bits a channel. Expected is a PNG, JPEG, TIFF or WebP "
        "of 8 bits a channel, or a 16-bit grey PNG or TIFF: export it with 8 bits a channel, or as 16-bit grey.",
        file_format=file_format,
    )


def scan_of_image(image: Image.Image, file_format: str) -> Scan:
    """Decode the pixels once size and frames are found acceptable."""
    check_sides(*image.size)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        _check_tiff(image)
    with _large_scans if image.width * image.height > _LARGE else nullcontext():
        image.load()
        orientation = _orientation(image)  # asked after loading, for Pillow turns a TIFF by itself while it loads
        if image.mode.startswith("I"):
            return _grey_scan(image, orientation, file_format)
        if image.mode not in _KINDS:
            raise _unknown_kind(file_format, image.mode)
        return Scan(_on_white(_turn(image, orientation)), _KINDS[image.mode], file_format)


def _unknown_kind(file_format: str, mode: str) -> ScanError:
    if mode == "F":
        return ScanError(
            "This {file_format} holds floating-point values. Expected is a PNG, JPEG, TIFF or WebP of 8 bits a "
            "channel, or a 16-bit grey PNG or TIFF: export it as one of these, with the window of your choice.",
            file_format=file_format,
        )
    return ScanError(
        "This {file_format} holds pixels of the kind {mode}. Expected is a PNG, JPEG, TIFF or WebP of 8 bits a "
        "channel, or a 16-bit grey PNG or TIFF: export it as one of these, with the window of your choice.",
        file_format=file_format,
        mode=mode,
    )


def _check_tiff(image: TiffImagePlugin.TiffImageFile) -> None:
    tags = image.tag_v2
    planes, told = tags.get(METAMORPH), str(tags.get(TiffImagePlugin.IMAGEDESCRIPTION))
    pixels = image.width * image.height * tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)
    frames = frames_in_one_directory(
        told, pixels, int(tags.get(DEPTH, 1)), len(planes) if isinstance(planes, tuple) else 1
    )
    check_frames(frames, "TIFF")
    if max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))) > 8 and len(image.getbands()) > 1:
        raise _deep_colour("TIFF")
    across, down = tags.get(TiffImagePlugin.TILEWIDTH, 1), tags.get(TiffImagePlugin.TILELENGTH, 1)
    tile = across * down
    if tile > MAX_PIXELS:
        raise ScanError(
            "The TIFF is made of tiles of {megapixels:,} megapixels. At most {most} are read: export it as PNG.",
            megapixels=tile // 10**6,
            most=MAX_PIXELS // 10**6,
        )
    if -(-image.width // across) * -(-image.height // down) * tile > 2 * MAX_PIXELS:  # the tiles reach beyond it
        raise CostlyFileError("tiles")


def frames_in_one_directory(told: str, pixels: int, depth: int, planes: int) -> int:
    """Of a stack that is kept behind the first picture's directory.

    Args:
        told: the description, where ImageJ and tifffile leave their numbers.
        pixels: of one picture, times its channels.
        depth: as the tag ImageDepth says.
        planes: of MetaMorph's stacks.
    """
    if slices := re.match(r"ImageJ=.*?^images=(\d{1,9})$", told, re.M | re.S):
        return int(slices[1])
    if shape := re.match(r'\{"shape": \[([\d, ]{1,99})\].*"truncated": true', told):
        return math.prod(map(int, shape[1].split(","))) // max(1, pixels)
    return max(depth, planes)


def _grey_scan(image: Image.Image, orientation: int, file_format: str) -> Scan:
    """Modes "I;16" of either byte order, and "I", which holds 16-bit levels in some files and 32-bit ones in others."""
    depth, white_is_zero = _tiff_depth(image)
    levels = np.asarray(_turn(image, orientation))
    check_levels(levels, file_format)
    values = levels.astype(np.uint16)
    if white_is_zero:
        values = (2**depth - 1 - values.astype(np.int32)).clip(0).astype(np.uint16)
    transparent = values == image.info.get("transparency", -1)
    seen = values if transparent.all() else values[~transparent]
    top = stated_top(getattr(image, "tag_v2", {}), image.info.get("significant"), seen, depth)
    scan = grey_scan(values, file_format, depth, top, seen)
    values[transparent] = 2**depth - 1  # white through any window of theirs
    return scan


def _tiff_depth(image: Image.Image) -> tuple[int, bool]:
    """(bits a grey level, whether 0 stands for white, which Pillow heeds for 8 bits but not for 16)."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0]
    return min(bits, 16), image.mode != "I" and tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, 1) == 0


def _on_white(image: Image.Image) -> np.ndarray:
    """(height, width, 3) RGB, with transparent pixels laid on white; in bands, so that no second picture is held."""
    values = np.empty((image.height, image.width, 3), np.uint8)
    opaque, seen = not image.has_transparency_data, False
    rows = max(1, _BAND // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        band = image.crop((0, top, image.width, bottom))
        if not opaque:
            band = band.convert("RGBA")
            seen = seen or band.getchannel("A").getextrema() != (0, 0)
            band = Image.alpha_composite(Image.new("RGBA", band.size, "white"), band)
        values[top:bottom] = np.asarray(band.convert("RGB"))
    if not (opaque or seen):
        raise ScanError(
            "Every pixel of this scan is transparent, so there is nothing to see. "
            "Expected is a picture that covers something: export it without an alpha channel."
        )
    return values


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; damaged tags are passed over, as viewers do, for the pixels are unharmed."""
    try:
        block = image.info.get("exif")
        return 1 if block and not exif_is_bounded(block) else int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # the parser of a damaged tag may raise anything
        return 1


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    transpose = _TRANSPOSE.get(orientation)
    return image if transpose is None else image.transpose(transpose)


def upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """An array turned as EXIF says."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values[::-1] if orientation in (3, 4, 7, 8) else values


def scan_of_array(array: np.ndarray) -> Scan:
    shape, kind = array.shape, array.dtype.newbyteorder("=")
    if kind not in (np.uint8, np.uint16):
        raise ScanError(
            "The array holds {kind} values, and what is black and white in them is not known. Expected is uint8 of "
            "(height, width), (height, width, 3) or (height, width, 4), or uint16 of (height, width): convert it with "
            "the window of your choice.",
            kind=str(kind),
        )
    colour = kind == np.uint8 and len(shape) == 3 and shape[2] in (3, 4)
    if len(shape) != 2 and not colour:
        raise ScanError(
            "The {kind} array has the shape {shape}. Expected is uint8 of (height, width), (height, width, 3) or "
            "(height, width, 4), or uint16 of (height, width): convert it with the window of your choice.",
            kind=str(kind),
            shape=str(shape),
        )
    check_sides(shape[1], shape[0])
    if kind == np.uint16:
        return grey_scan(np.array(array, dtype=np.uint16, order="C"), "array", 16, None)
    image = Image.fromarray(np.ascontiguousarray(array))
    return Scan(_on_white(image), _KINDS[image.mode], "array")
