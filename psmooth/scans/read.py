"""Turns a file, its bytes, a Pillow image or an array into a `Scan`.

It knows nothing about crops, models or noise, and keeps neither file names nor tags.
"""

import io
import os
import re
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from psmooth.errors import ScanError
from psmooth.scans.apart import read_apart
from psmooth.scans.containers import (
    CostlyFileError,
    bounded,
    check_frames,
    check_strips,
    exif_is_bounded,
    png_significant_bits,
    webp_size,
)
from psmooth.scans.scan import MAX_FILE_BYTES, MAX_PIXELS, Offer, Scan, Window, check_sides
from psmooth.scans.signatures import is_dicom, what_is_found
from psmooth.scans.windows import FULL, STATED, spread_window

_MAX_WEBP_PIXELS: Final = 16_000_000  # its decoder runs under Python's global lock: 64 million stop all for seconds

ORIENTATION: Final = 0x0112

_BAND: Final = 2_000_000  # pixels that are converted at a time

_PLUGINS: Final = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
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


def open_scan(source: str | Path | bytes | Image.Image | np.ndarray, frame: int | None = None) -> Scan:
    """Read a scan from a path, the bytes of a file, a Pillow image or an array.

    Arrays: uint8 of (height, width), (height, width, 3) RGB or (height, width, 4) RGBA; uint16 of (height, width).
    EXIF orientation is applied. Transparent pixels are laid on white, which is the empty slide of histology and what
    paper and most viewers show. Colour profiles are not applied; CMYK is converted as Pillow does, without one.
    Grey levels of 16 bits, and DICOM's values in their own unit, are kept as they are and meet a stated window in
    `crop_scan`. ``frame`` chooses one of a DICOM file's, counted from 1; None is the middle one.

    Raises `ScanError` with a sentence for the visitor: not an image, cut short, many frames, too large, too small.
    """
    if isinstance(source, np.ndarray):
        return _scan_of_array(source)
    if isinstance(source, Image.Image):
        with _decoding(source.format or "Pillow image"):
            return _scan_of_image(source, source.format or "Pillow image")
    if isinstance(source, bytes | bytearray):
        return _scan_of_bytes(bytes(source), frame)
    if isinstance(source, str | Path):
        return _scan_of_bytes(_read_file(Path(source)), frame)
    raise ScanError(
        "What was given is not a scan. Expected is a path, the bytes of a file, a Pillow image or a NumPy array: "
        "give one of these."
    )


def _read_file(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise ScanError("The path given is a folder. Expected is one image file: give the path of the scan itself.")
        if not path.exists():
            raise ScanError("There is no file at the path given. Expected is an image file: check the path.")
        if not path.is_file():
            raise ScanError("The path given is a device or a pipe. Expected is an image file: save the scan as one.")
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)  # one byte more than allowed tells that the limit is passed
    except (OSError, ValueError):
        raise ScanError(
            "The file at the path given cannot be opened. Expected is an image file that you may read: "
            "check the path and the file's permissions."
        ) from None


def _scan_of_bytes(data: bytes, frame: int | None) -> Scan:
    if len(data) > MAX_FILE_BYTES:
        raise ScanError(
            "The file is larger than {megabytes} MB, the most that is read. Cut out the region of interest or reduce "
            "the scan, and export it as PNG or JPEG.",
            megabytes=MAX_FILE_BYTES // 10**6,
        )
    if is_dicom(data):
        return read_apart(data, frame)
    file_format = _recognise(data)
    with _decoding(file_format):
        return _scan_of_image(_open_image(data, file_format), file_format)


def _recognise(data: bytes) -> str:
    """The key of `_PLUGINS` that fits the first bytes; anything else is refused by the name of what it seems to be."""
    if not data:
        raise ScanError(
            "The file is empty (0 bytes). Expected is a PNG, JPEG, TIFF or WebP of 8 bits a channel, or a 16-bit grey "
            "PNG or TIFF: copy or export the scan again."
        )
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    raise ScanError(
        "{found} Expected is a PNG, JPEG, TIFF or WebP of 8 bits a channel, or a 16-bit grey PNG or TIFF: export the "
        "scan as one of these.",
        found=what_is_found(data),
    )


@contextmanager
def _decoding(file_format: str) -> Iterator[None]:
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


def _open_image(data: bytes, file_format: str) -> Image.Image:
    """The header read, the pixels not yet. Only the decoder that the first bytes call for is tried."""
    if file_format == "WebP":  # its decoder lays out the whole canvas before a size can be asked for
        check_sides(*webp_size(data), _MAX_WEBP_PIXELS)
    if file_format == "PNG":
        _check_png_depth(data)
    image = _PLUGINS[file_format](io.BytesIO(bounded(data, file_format)))
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        check_strips(data, image.tag_v2)
    key = image.info.get("transparency")
    if file_format == "PNG" and image.mode == "L" and isinstance(key, int):
        image.info["transparency"] = key * 255 // (2 ** data[24] - 1)  # Pillow spreads the levels, but not this one
    if file_format == "PNG" and data[24] == 16:
        image.info["significant"] = png_significant_bits(data)
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


def _scan_of_image(image: Image.Image, file_format: str) -> Scan:
    """Decode the pixels once size and frames are found acceptable."""
    check_sides(*image.size)
    check_frames(getattr(image, "n_frames", 1), file_format)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        _check_tiff(image)
    with _large_scans if image.width * image.height > _LARGE else nullcontext():
        image.load()
        orientation = _orientation(image)  # asked after loading, for Pillow turns a TIFF by itself while it loads
        if image.mode.startswith("I"):
            return _grey_scan(image, orientation, file_format)
        if image.mode not in _KINDS:
            raise _unknown_kind(file_format, image.mode)
        if _is_signed(image):
            _check_levels(np.asarray(image).view(np.int8), file_format)
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
    slices = re.match(r"ImageJ=.*?^images=(\d{1,9})$", str(tags.get(TiffImagePlugin.IMAGEDESCRIPTION)), re.M | re.S)
    check_frames(int(slices[1]) if slices else 1, "TIFF")
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


def _grey_scan(image: Image.Image, orientation: int, file_format: str) -> Scan:
    """Modes "I;16" of either byte order, and "I", which holds 16-bit levels in some files and 32-bit ones in others."""
    depth, white_is_zero = _tiff_depth(image)
    levels = np.asarray(_turn(image, orientation))
    _check_levels(levels, file_format)
    values = levels.astype(np.uint16)
    if white_is_zero:
        values = (2**depth - 1 - values.astype(np.int32)).clip(0).astype(np.uint16)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        values[values == transparent] = 2**depth - 1
    return _grey(values, file_format, depth, _stated_top(image, values, depth))


def _grey(values: np.ndarray, file_format: str, depth: int, top: int | None) -> Scan:
    """A scan of 16-bit levels: shown up to the level that its file states as white, else by their spread."""
    full = Offer(FULL, Window((2**depth - 1) / 2, 2.0**depth - 1))
    stated = () if top is None else (Offer(STATED, Window(top / 2, float(top))),)
    return Scan(values, f"{depth}-bit grey", file_format, depth, offers=(*stated, spread_window(values), full))


def _stated_top(image: Image.Image, values: np.ndarray, depth: int) -> int | None:
    """The level that is white by the file's word: its depth, MaxSampleValue, SMaxSampleValue or significant bits.

    A PNG's significant bits are the upper ones, but many programs leave 12 bits where they were: if no level is beyond
    them, they are the lower ones. A word that levels of the picture contradict is none.
    """
    tags = getattr(image, "tag_v2", {})
    told = [value[0] if isinstance(value, tuple) else value for value in map(tags.get, (341, 281)) if value]
    bits = image.info.get("significant")
    told += [2**bits - 1 if values.max() < 2**bits else 2**16 - 1] if bits else []
    told += [2**depth - 1] if depth < 16 else []
    return next((int(top) for top in told if 0 < top < 2**16 and values.max() <= top), None)


def _check_levels(levels: np.ndarray, file_format: str) -> None:
    if levels.min() < 0 or levels.max() > 0xFFFF:
        raise ScanError(
            "This {file_format} holds grey levels from {lowest:,} to {highest:,}. Expected is a PNG, JPEG, TIFF or "
            "WebP of 8 bits a channel, or a 16-bit grey PNG or TIFF, with levels from 0 to 65,535: export it with the "
            "window of your choice.",
            file_format=file_format,
            lowest=int(levels.min()),
            highest=int(levels.max()),
        )


def _is_signed(image: Image.Image) -> bool:
    """Whether a TIFF of 8 bits counts from −128, which Pillow would wrap round."""
    kinds = getattr(image, "tag_v2", {}).get(TiffImagePlugin.SAMPLEFORMAT, (1,))
    return image.mode in ("L", "LA", "RGB", "RGBA") and 2 in kinds


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


def _scan_of_array(array: np.ndarray) -> Scan:
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
        return _grey(np.array(array, dtype=np.uint16, order="C"), "array", 16, None)
    image = Image.fromarray(np.ascontiguousarray(array))
    return Scan(_on_white(image), _KINDS[image.mode], "array")
