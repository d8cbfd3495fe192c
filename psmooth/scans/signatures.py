"""Says by its first bytes whether a file is a DICOM file, and what it is if it holds no scan.

It knows nothing about what follows them.
"""

import struct
import zlib
from contextlib import suppress
from pathlib import PurePath
from typing import Final

from psmooth.errors import ScanError

_SIGNATURES: Final = (  # first bytes of files that people do drop here, and what is said of them
    (b"GIF8", ScanError("This seems to be a GIF, not a scan that can be read.")),
    (b"BM", ScanError("This seems to be a BMP, not a scan that can be read.")),
    (b"%PDF", ScanError("This seems to be a PDF, not a scan that can be read.")),
    (b"PK\x03\x04", ScanError("This seems to be a zip archive or an office document, not a scan that can be read.")),
    (b"\x1f\x8b", ScanError("This seems to be a gzip archive, not a scan that can be read.")),
    (b"\x93NUMPY", ScanError("This seems to be a NumPy array file, not a scan that can be read.")),
    (b"\x89HDF", ScanError("This seems to be an HDF5 file, not a scan that can be read.")),
    (b"8BPS", ScanError("This seems to be a Photoshop file, not a scan that can be read.")),
    (b"\x00\x00\x00\x0cjP  ", ScanError("This seems to be a JPEG 2000 image, not a scan that can be read.")),
    (b"\xff\x4f\xff\x51", ScanError("This seems to be a JPEG 2000 image, not a scan that can be read.")),
    (b"\x00\x00\x00\x0cJXL ", ScanError("This seems to be a JPEG XL image, not a scan that can be read.")),
    (b"\xff\x0a", ScanError("This seems to be a JPEG XL image, not a scan that can be read.")),
    (b"\x00\x00\x01\x00", ScanError("This seems to be an icon file, not a scan that can be read.")),
    (b"7z\xbc\xaf", ScanError("This seems to be a 7z or RAR archive, not a scan that can be read.")),
    (b"Rar!", ScanError("This seems to be a 7z or RAR archive, not a scan that can be read.")),
    (b"NRRD", ScanError("This seems to be an NRRD volume, not a scan that can be read.")),
    (b"{", ScanError("This seems to be a JSON file, not a scan that can be read.")),
)

_MARKUP: Final = (
    (b"<!doctype html", ScanError("This seems to be a web page, not a scan that can be read.")),
    (b"<html", ScanError("This seems to be a web page, not a scan that can be read.")),
    (b"<svg", ScanError("This seems to be an SVG drawing, not a scan that can be read.")),
    (b"<?xml", ScanError("This seems to be an XML file, not a scan that can be read.")),
)

_RAW: Final = ScanError("This seems to be a camera's raw file, not a scan that can be read.")

_RAW_SIGNS: Final = (
    b"II*\0", b"MM\0*", b"II+\0", b"IIRO", b"IIRS", b"IIU\0", b"MMOR", b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM",
)  # fmt: skip

_PICTURE_BRANDS: Final = {
    b"heic": ScanError("This seems to be a HEIC photograph, not a scan that can be read."),
    b"heix": ScanError("This seems to be a HEIC photograph, not a scan that can be read."),
    b"mif1": ScanError("This seems to be a HEIC photograph, not a scan that can be read."),
    b"crx ": _RAW,
    b"avif": ScanError("This seems to be an AVIF image, not a scan that can be read."),
}

_VIDEO: Final = ScanError("This seems to be a video, not a scan that can be read.")

_TEXT: Final = ScanError("This seems to be a text file, not a scan that can be read.")

_NO_IMAGE: Final = ScanError("This seems to be something other than an image, not a scan that can be read.")


_SLIDES: Final = (".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide")

# First elements of files that were written without the letters "DICM" at byte 128: length or encoding of what follows.
_FIRST_ELEMENTS: Final = ((0x0002, 0x0000), (0x0008, 0x0000), (0x0008, 0x0005), (0x0008, 0x0008), (0x0008, 0x0016))


def is_dicom(data: bytes) -> bool:
    """Whether the first bytes are those of a DICOM file, in either order of bytes."""
    if data[128:132] == b"DICM":  # a DICOM file may carry a TIFF header before these letters
        return True
    return len(data) > 8 and any(struct.unpack_from(f"{order}HH", data) in _FIRST_ELEMENTS for order in "<>")


def is_nifti(data: bytes) -> bool:
    """Whether the first bytes are those of a NIfTI volume, packed or not."""
    head = data[:352]
    if data.startswith(b"\x1f\x8b"):
        with suppress(zlib.error):
            head = zlib.decompressobj(zlib.MAX_WBITS + 16).decompress(data[:65_536], 352)
    return head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] in (b"n+2\0", b"ni2\0")


def is_slide_name(path: PurePath) -> bool:
    """Whether a file is called as whole slides are, which are too large to be read as a whole."""
    return path.suffix.lower() in _SLIDES


def what_is_found(data: bytes) -> ScanError:
    """The sentence that says what the file seems to be."""
    if data[4:8] == b"ftyp":
        return _PICTURE_BRANDS.get(data[8:12], _VIDEO)
    if data.startswith(_RAW_SIGNS):  # a TIFF comes here only if it is one
        return _RAW
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    markup = next((found for sign, found in _MARKUP if start.startswith(sign)), None)
    known = next((found for sign, found in _SIGNATURES if data.startswith(sign)), None)
    is_text = data[:512].isascii() and b"\0" not in data[:512]
    return markup or known or (_TEXT if is_text else _NO_IMAGE)
