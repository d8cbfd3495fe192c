"""Turns a file, its bytes or an array into a `Scan`, and a `Scan` with a `CropRule` into the `Crop` that a model sees.

It knows nothing about models, noise or certificates, and keeps neither file names nor tags.
"""

import hashlib
import io
import math
import os
import re
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Final, Literal

import numpy as np
from PIL import Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from psmooth.containers import CostlyFileError, bounded, check_frames, check_strips, exif_is_bounded, webp_size
from psmooth.errors import ScanError

MAX_FILE_BYTES: Final = 64_000_000
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")  # how the names of scans end
MAX_PIXELS: Final = 64_000_000
_MAX_WEBP_PIXELS: Final = 16_000_000  # its decoder runs under Python's global lock: 64 million stop all for seconds
MIN_SIDE: Final = 16
MAX_SIDE_RATIO: Final = 32
MAX_CROP_SIZE: Final = 1_024
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
_FILTERS: Final = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
_SIGNATURES: Final = (  # first bytes of files that people do drop here, and what is said of them
    (b"GIF8", ScanError("This seems to be a GIF, not a scan that can be read.")),
    (b"BM", ScanError("This seems to be a BMP, not a scan that can be read.")),
    (b"%PDF", ScanError("This seems to be a PDF, not a scan that can be read.")),
    (b"PK\x03\x04", ScanError("This seems to be a zip archive or an office document, not a scan that can be read.")),
    (b"\x1f\x8b", ScanError("This seems to be a gzip archive, as .nii.gz files are, not a scan that can be read.")),
    (b"\x93NUMPY", ScanError("This seems to be a NumPy array file, not a scan that can be read.")),
    (b"\x89HDF", ScanError("This seems to be an HDF5 file, not a scan that can be read.")),
    (b"8BPS", ScanError("This seems to be a Photoshop file, not a scan that can be read.")),
    (b"\x00\x00\x00\x0cjP  ", ScanError("This seems to be a JPEG 2000 image, not a scan that can be read.")),
    (b"\xff\x4f\xff\x51", ScanError("This seems to be a JPEG 2000 image, not a scan that can be read.")),
    (b"\x00\x00\x00\x0cJXL ", ScanError("This seems to be a JPEG XL image, not a scan that can be read.")),
    (b"\xff\x0a", ScanError("This seems to be a JPEG XL image, not a scan that can be read.")),
    (b"\x00\x00\x01\x00", ScanError("This seems to be an icon file, not a scan that can be read.")),
    (b"{", ScanError("This seems to be a JSON file, not a scan that can be read.")),
)
_MARKUP: Final = (
    (b"<!doctype html", ScanError("This seems to be a web page, not a scan that can be read.")),
    (b"<html", ScanError("This seems to be a web page, not a scan that can be read.")),
    (b"<svg", ScanError("This seems to be an SVG drawing, not a scan that can be read.")),
    (b"<?xml", ScanError("This seems to be an XML file, not a scan that can be read.")),
)
_PICTURE_BRANDS: Final = {
    b"heic": ScanError("This seems to be a HEIC photograph, not a scan that can be read."),
    b"heix": ScanError("This seems to be a HEIC photograph, not a scan that can be read."),
    b"mif1": ScanError("This seems to be a HEIC photograph, not a scan that can be read."),
    b"avif": ScanError("This seems to be an AVIF image, not a scan that can be read."),
}
_VIDEO: Final = ScanError("This seems to be a video, not a scan that can be read.")
_VOLUME: Final = ScanError("This seems to be a NIfTI volume, not a scan that can be read.")
_TEXT: Final = ScanError("This seems to be a text file, not a scan that can be read.")
_NO_IMAGE: Final = ScanError("This seems to be something other than an image, not a scan that can be read.")

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


@dataclass(frozen=True)
class Window:
    """The grey levels of a 16-bit scan that are spread over black to white: ``center`` ± ``width`` / 2.

    A level v becomes 255·clip((v − (center − width/2)) / width, 0, 1), rounded half up.
    """

    center: float
    width: float


@dataclass(frozen=True)
class CropRule:
    """How a scan becomes the crop that is certified; recorded in the certificate.

    Order: window, box, resize, centre crop or pad.

    ``size``: side of the crop in pixels.
    ``fit``: "crop" resizes the shorter side to ``size``, keeps the centre; "pad" resizes the longer side, adds black.
    ``interpolation``: Pillow's antialiased filter.
    ``box``: left, top, right, bottom in scan pixels; None is the whole scan.
    ``window``: of a 16-bit scan; None is `Scan.window`.
    """

    size: int = 128
    fit: Literal["crop", "pad"] = "crop"
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    box: tuple[int, int, int, int] | None = None
    window: Window | None = None


@dataclass(frozen=True, eq=False)
class Scan:
    """What a visitor brought, upright and without transparency, name or tags.

    ``values``: (height, width, 3) uint8 RGB, or (height, width) uint16 grey.
    ``kind``: what the file held, e.g. "8-bit RGB"; ``format``: e.g. "PNG".
    ``depth``: bits of a grey level of a uint16 scan, as its file states.
    """

    values: np.ndarray
    kind: str
    format: str
    depth: int = 16

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
        """The full range that the file's depth states, never this scan's own minimum and maximum; None for 8 bits."""
        if self.values.dtype == np.uint8:
            return None
        top = 2**self.depth - 1
        return Window(center=top / 2, width=float(top))


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


def open_scan(source: str | Path | bytes | Image.Image | np.ndarray) -> Scan:
    """Read a scan from a path, the bytes of a file, a Pillow image or an array.

    Arrays: uint8 of (height, width), (height, width, 3) RGB or (height, width, 4) RGBA; uint16 of (height, width).
    EXIF orientation is applied. Transparent pixels are laid on white, which is the empty slide of histology and what
    paper and most viewers show. Colour profiles are not applied; CMYK is converted as Pillow does, without one.
    Grey levels of 16 bits are kept as they are and meet a stated window in `crop_scan`.

    Raises `ScanError` with a sentence for the visitor: not an image, cut short, many frames, too large, too small.
    """
    if isinstance(source, np.ndarray):
        return _scan_of_array(source)
    if isinstance(source, Image.Image):
        with _decoding(source.format or "Pillow image"):
            return _scan_of_image(source, source.format or "Pillow image")
    if isinstance(source, bytes | bytearray):
        return _scan_of_bytes(bytes(source))
    if isinstance(source, str | Path):
        return _scan_of_bytes(_read_file(Path(source)))
    raise ScanError(
        "What was given is not a scan. Expected is a path, the bytes of a file, a Pillow image or a NumPy array: "
        "give one of these."
    )


def crop_scan(scan: Scan, rule: CropRule = CropRule()) -> Crop:
    """Apply window, box, antialiased resize and centre crop (or padding) to a scan.

    The arithmetic of size and offsets is that of torchvision's Resize and CenterCrop, so that a model sees what it was
    trained on. Raises `ScanError` for a box outside the scan, an impossible window or crop size.
    """
    _check_rule(rule)
    window = _resolve_window(scan, rule.window)
    box = _resolve_box(scan, rule.box)
    left, top, right, bottom = box
    part = Image.fromarray(_to_8_bits(scan.values[top:bottom, left:right], window))
    fitted = np.asarray((_centre_crop if rule.fit == "crop" else _pad)(part, rule).convert("RGB"))
    pixels = np.ascontiguousarray(fitted.transpose(2, 0, 1))  # (3, size, size)
    return Crop(pixels, replace(rule, box=box, window=window), crop_sha256(pixels))


def scan_picture(scan: Scan, window: Window | None = None) -> np.ndarray:
    """The whole scan for showing, (height, width, 3) uint8; ``window`` as in `CropRule`. Raises `ScanError`."""
    grey_or_rgb = _to_8_bits(scan.values, _resolve_window(scan, window))
    return np.array(grey_or_rgb) if grey_or_rgb.ndim == 3 else np.repeat(grey_or_rgb[..., None], 3, axis=2)


def crop_sha256(pixels: np.ndarray) -> str:
    """Hex sha256 of the shape as text ("3x128x128:") followed by the uint8 values in C order."""
    shape = "x".join(map(str, pixels.shape)) + ":"
    return hashlib.sha256(shape.encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()


# --- from bytes to pixels


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


def _scan_of_bytes(data: bytes) -> Scan:
    if len(data) > MAX_FILE_BYTES:
        raise ScanError(
            "The file is larger than {megabytes} MB, the most that is read. Cut out the region of interest or reduce "
            "the scan, and export it as PNG or JPEG.",
            megabytes=MAX_FILE_BYTES // 10**6,
        )
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
    if data[128:132] == b"DICM":  # first, for a DICOM file may carry a TIFF header before these letters
        raise ScanError(
            "This is a DICOM file, and DICOM is not read yet. Expected is a PNG, JPEG, TIFF or WebP of 8 bits a "
            "channel, or a 16-bit grey PNG or TIFF: export the image as PNG or TIFF in your viewer."
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
        found=_what_is_found(data),
    )


def _what_is_found(data: bytes) -> ScanError:
    """The sentence that says what the file seems to be."""
    if data[4:8] == b"ftyp":
        return _PICTURE_BRANDS.get(data[8:12], _VIDEO)
    if data[344:348] in (b"n+1\0", b"ni1\0"):
        return _VOLUME
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    markup = next((found for sign, found in _MARKUP if start.startswith(sign)), None)
    known = next((found for sign, found in _SIGNATURES if data.startswith(sign)), None)
    is_text = data[:512].isascii() and b"\0" not in data[:512]
    return markup or known or (_TEXT if is_text else _NO_IMAGE)


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
        _check_sides(*webp_size(data), _MAX_WEBP_PIXELS)
    if file_format == "PNG":
        _check_png_depth(data)
    image = _PLUGINS[file_format](io.BytesIO(bounded(data, file_format)))
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        check_strips(data, image.tag_v2)
    key = image.info.get("transparency")
    if file_format == "PNG" and image.mode == "L" and isinstance(key, int):
        image.info["transparency"] = key * 255 // (2 ** data[24] - 1)  # Pillow spreads the levels, but not this one
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
    _check_sides(*image.size)
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


def _check_sides(width: int, height: int, most: int = MAX_PIXELS) -> None:
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


def _check_box_sides(width: int, height: int) -> None:
    """A box lies within a scan, so it cannot have too many pixels."""
    if min(width, height) < MIN_SIDE:
        raise ScanError(
            "The box is {width:,} × {height:,} pixels. At least {least} pixels a side are needed: choose a larger one.",
            width=width,
            height=height,
            least=MIN_SIDE,
        )
    if max(width, height) > MAX_SIDE_RATIO * min(width, height):
        raise ScanError(
            "The box is {width:,} × {height:,} pixels. One side may be at most {most} times the other: cut out the "
            "region of interest.",
            width=width,
            height=height,
            most=MAX_SIDE_RATIO,
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
    return Scan(values, f"{depth}-bit grey", file_format, depth)


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
    _check_sides(shape[1], shape[0])
    if kind == np.uint16:
        return Scan(np.array(array, dtype=np.uint16, order="C"), "16-bit grey", "array")
    image = Image.fromarray(np.ascontiguousarray(array))
    return Scan(_on_white(image), _KINDS[image.mode], "array")


# --- from pixels to the crop


def _check_rule(rule: CropRule) -> None:
    _check_numbers(rule)
    if not 1 <= rule.size <= MAX_CROP_SIZE:
        raise ScanError(
            "A crop of {size:,} pixels a side is not possible. Expected is 1 to {most:,}: choose the size that the "
            "model was made for.",
            size=rule.size,
            most=MAX_CROP_SIZE,
        )
    if rule.fit not in ("crop", "pad"):
        raise ScanError(
            '"{fit}" is not a way to fit a scan. Expected is "crop" or "pad": choose one of these.',
            fit=_shown(rule.fit),
        )
    if rule.interpolation not in tuple(_FILTERS):  # which, unlike the table itself, may be asked for a list
        raise ScanError(
            '"{interpolation}" is not an interpolation. Expected is "bicubic" or "bilinear": choose one of these.',
            interpolation=_shown(rule.interpolation),
        )


def _check_numbers(rule: CropRule) -> None:
    """Annotations bind nobody who calls from a notebook or over the network."""
    box = rule.box if isinstance(rule.box, tuple | list) else () if rule.box is None else (rule.box,)
    window = () if rule.window is None else (getattr(rule.window, name, None) for name in ("center", "width"))
    wrong = [value for value in (rule.size, *box) if not isinstance(value, Integral) or isinstance(value, bool)]
    wrong += [value for value in window if not isinstance(value, Real) or isinstance(value, bool) or _is_huge(value)]
    if wrong or (rule.box is not None and len(box) != 4):
        raise ScanError(
            "A crop cannot be made with {given}. Expected are whole pixels for its size and for the four sides of a "
            "box, and numbers for a window: give such.",
            given=ascii(wrong[0] if wrong else rule.box)[:40],
        )


def _shown(value: object) -> str:
    """A value as a short piece of a sentence that can be written anywhere."""
    return str(value)[:40].encode(errors="replace").decode()


def _is_huge(number: Real) -> bool:
    """Whether it is a whole number that no float can hold."""
    return isinstance(number, Integral) and abs(int(number)) > 2**53


def _resolve_window(scan: Scan, window: Window | None) -> Window | None:
    if window is None:
        return scan.window
    if scan.window is None:
        raise ScanError("A window was given for a scan of 8 bits. Only 16-bit grey scans take one: leave it out.")
    if not (math.isfinite(window.center) and math.isfinite(window.width) and window.width > 0):
        raise ScanError(
            "The window with centre {center} and width {width} is not possible. Expected are a finite centre and a "
            "width above 0, in grey levels: choose such a window.",
            center=f"{window.center:g}",
            width=f"{window.width:g}",
        )
    return window


def _resolve_box(scan: Scan, box: tuple[int, int, int, int] | None) -> tuple[int, int, int, int]:
    if box is None:
        return 0, 0, scan.width, scan.height
    left, top, right, bottom = box
    if not (0 <= left < right <= scan.width and 0 <= top < bottom <= scan.height):
        raise ScanError(
            "The box {left}, {top}, {right}, {bottom} does not lie in the scan of {width:,} × {height:,} pixels. "
            "Expected is left, top, right, bottom, with left below right and top below bottom: choose a box inside "
            "the scan.",
            left=left,
            top=top,
            right=right,
            bottom=bottom,
            width=scan.width,
            height=scan.height,
        )
    _check_box_sides(right - left, bottom - top)
    return left, top, right, bottom


def _to_8_bits(values: np.ndarray, window: Window | None) -> np.ndarray:
    """uint8 as it is; uint16 grey through the window, by a table of all 65,536 levels."""
    if window is None:
        return np.ascontiguousarray(values)
    levels = np.arange(2**16, dtype=np.float64)
    spread = 255 * (levels - (window.center - window.width / 2)) / window.width  # one division: halves stay halves
    table = np.floor(spread.clip(0, 255) + 0.5).astype(np.uint8)
    return table[values]


def _centre_crop(image: Image.Image, rule: CropRule) -> Image.Image:
    """Shorter side to ``size``, then the centre; the rounding is torchvision's."""
    width, height = (int(rule.size * side / min(image.size)) for side in image.size)
    fitted = image.resize((width, height), _FILTERS[rule.interpolation])
    left, top = round((width - rule.size) / 2), round((height - rule.size) / 2)
    return fitted.crop((left, top, left + rule.size, top + rule.size))


def _pad(image: Image.Image, rule: CropRule) -> Image.Image:
    """Longer side to ``size``, black beside the shorter one."""
    longer = max(image.size)
    width, height = (max(1, round(rule.size * side / longer)) for side in image.size)
    canvas = Image.new(image.mode, (rule.size, rule.size))
    fitted = image.resize((width, height), _FILTERS[rule.interpolation])
    canvas.paste(fitted, ((rule.size - width) // 2, (rule.size - height) // 2))
    return canvas
