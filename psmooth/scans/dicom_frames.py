"""Decodes one frame of a DICOM file into the values that were stored, whatever they are packed by.

It knows nothing about what the values stand for. What a frame says of its own size is held against the file's before a
decoder sees it, so that none lays out more than was allowed.
"""

import struct
from collections.abc import Callable
from typing import Any, Final

import imagecodecs
import numpy as np
from pydicom import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from psmooth.errors import ScanError
from psmooth.scans.containers import CostlyFileError

_NATIVE: Final = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")

_AS_THEY_STAND: Final[Any] = {"correct_unused_bits": False}
_FRAME_MARKERS: Final = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0), 0xF7)
_COLOURS: Final = ("RGB", "YBR_FULL")
_MOST_FRAMES: Final = 2**31 - 1  # of an Integer String, PS3.5 6.2; a list of series would say hundreds of digits
_RGB_IDS: Final = (b"RGB", b"rgb")


def stored_values(dataset: Dataset, syntax: UID, index: int) -> tuple[np.ndarray, str]:
    """One frame, counted from 0, and the colour space that its values are in.

    Returns:
        (rows, columns) or (rows, columns, 3), whole numbers or floats as they were stored, signs restored; and
        "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB" or "YBR_FULL".

    Raises:
        ScanError: packed in a way that is not read.
        Exception: damaged.
    """
    values, space = (_native if syntax in _NATIVE else _packed)(dataset, syntax, index)
    if values.ndim == 3 and space not in _COLOURS:
        raise CostlyFileError("channels")
    return values, space


def frame_count(dataset: Dataset) -> int:
    """How many frames a file has by its own word; one where it has none."""
    count = max(1, int(dataset.get("NumberOfFrames") or 1))
    if count > _MOST_FRAMES:
        raise CostlyFileError("frames")
    return count


def _packed(dataset: Dataset, syntax: UID, index: int) -> tuple[np.ndarray, str]:
    if syntax not in _DECODERS:
        raise ScanError(
            "This DICOM file is packed by {packing}, which is not read. Expected is an uncompressed file, or one "
            "packed by RLE, JPEG, JPEG-LS or JPEG 2000: export it as one of these.",
            packing=_name_of(syntax),
        )
    frame = get_frame(
        dataset.PixelData,
        index,
        number_of_frames=frame_count(dataset),
        extended_offsets=_extended_offsets(dataset),
    )
    values, space = _DECODERS[syntax](frame, dataset)
    return _signed(_shaped(values, dataset), dataset), space


def _name_of(syntax: UID) -> str:
    """A registered syntax by its name; anything else may be words of a stranger's."""
    return syntax.name if syntax.name != str(syntax) else "an unknown syntax"


def _extended_offsets(dataset: Dataset) -> Any:
    if "ExtendedOffsetTable" not in dataset:
        return None
    return dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths


# --- one way to pack a frame each


def _native(dataset: Dataset, syntax: UID, index: int) -> tuple[np.ndarray, str]:
    if _told_space(dataset) == "YBR_PARTIAL_422":  # a retired form, stored as the full range is
        as_full: Any = {"photometric_interpretation": "YBR_FULL_422"}
        values, _ = get_decoder(syntax).as_array(dataset, index=index, raw=True, **_AS_THEY_STAND, **as_full)
        return _in_full_range(values), "YBR_FULL"
    values, _ = get_decoder(syntax).as_array(dataset, index=index, raw=True, **_AS_THEY_STAND)
    allocated, high = _number(dataset, "BitsAllocated", 8), _number(dataset, "HighBit", 0)
    shift = high + 1 - _number(dataset, "BitsStored", 0)
    if shift > 0 and values.dtype.kind in "iu" and high < allocated > 8:
        values = values >> shift
    return (values if values.dtype.kind == "f" else _signed(values, dataset)), _space(dataset)


def _in_full_range(values: np.ndarray) -> np.ndarray:
    """Luminance from 16 to 235, differences of colour from 16 to 240: spread over 0 to 255, PS3.3 C.7.6.3.1.2."""
    spread = (values - np.array([16, 128, 128])) * np.array([255 / 219, 255 / 224, 255 / 224]) + np.array([0, 128, 128])
    return np.rint(spread.clip(0, 255)).astype(np.uint8)


def _jpeg(frame: bytes, dataset: Dataset) -> tuple[np.ndarray, str]:
    """Colour as the frame itself tells it by its markers, else as the file does."""
    head = _JpegHead.of(frame)
    head.check(dataset)
    if head.components == 1:
        return imagecodecs.jpeg8_decode(frame), _space(dataset)
    values = imagecodecs.jpeg8_decode(frame, colorspace="YCBCR", outcolorspace="YCBCR")  # as they stand
    return values, head.colours(_space(dataset))


def _jpeg_ls(frame: bytes, dataset: Dataset) -> tuple[np.ndarray, str]:
    _JpegHead.of(frame).check(dataset)
    return imagecodecs.jpegls_decode(frame), _space(dataset)


def _jpeg_2000(frame: bytes, dataset: Dataset) -> tuple[np.ndarray, str]:
    """The decoder undoes the frame's own colour transform."""
    start = frame.find(b"\xff\x4f\xff\x51")
    _, width, height, left, top = struct.unpack_from(">HIIII", frame, start + 6)
    tile_width, tile_height = struct.unpack_from(">II", frame, start + 24)
    (components,) = struct.unpack_from(">H", frame, start + 40)
    _check_size(dataset, width - left, height - top, components)
    tiles = -(-width // max(1, tile_width)) * -(-height // max(1, tile_height))
    if start < 0 or tiles > 2**16:
        raise CostlyFileError("tiles")
    space = _space(dataset)
    return imagecodecs.jpeg2k_decode(frame), "RGB" if space in ("YBR_ICT", "YBR_RCT") else space


def _rle(frame: bytes, dataset: Dataset) -> tuple[np.ndarray, str]:
    rows, columns, samples = dataset.Rows, dataset.Columns, dataset.get("SamplesPerPixel", 1)
    kind = np.dtype(f"<u{_number(dataset, 'BitsAllocated', 8) // 8}")
    room = bytearray(rows * columns * samples * kind.itemsize)
    planes = np.frombuffer(imagecodecs.dicomrle_decode(frame, kind, out=room), kind)
    return planes.reshape(samples, rows, columns).transpose(1, 2, 0), _space(dataset)


_DECODERS: Final[dict[str, Callable[[bytes, Dataset], tuple[np.ndarray, str]]]] = {
    "1.2.840.10008.1.2.4.50": _jpeg,  # baseline
    "1.2.840.10008.1.2.4.51": _jpeg,  # extended
    "1.2.840.10008.1.2.4.57": _jpeg,  # lossless
    "1.2.840.10008.1.2.4.70": _jpeg,
    "1.2.840.10008.1.2.4.80": _jpeg_ls,
    "1.2.840.10008.1.2.4.81": _jpeg_ls,
    "1.2.840.10008.1.2.4.90": _jpeg_2000,
    "1.2.840.10008.1.2.4.91": _jpeg_2000,
    "1.2.840.10008.1.2.4.201": _jpeg_2000,  # high-throughput
    "1.2.840.10008.1.2.4.202": _jpeg_2000,
    "1.2.840.10008.1.2.4.203": _jpeg_2000,
    "1.2.840.10008.1.2.5": _rle,
}


# --- what a frame says of itself


class _JpegHead:
    """Size, channels and colour of a JPEG or JPEG-LS frame, by its markers."""

    def __init__(self) -> None:
        self.width = self.height = self.components = 0
        self.ids = b""
        self.adobe: int | None = None
        self.has_jfif = False

    @classmethod
    def of(cls, frame: bytes) -> "_JpegHead":
        head, place = cls(), 2
        while place + 4 <= len(frame):
            if frame[place] != 0xFF or frame[place + 1] in (0xFF, 0x00):
                place += 1
                continue
            code = frame[place + 1]
            length = int.from_bytes(frame[place + 2 : place + 4], "big")
            body = frame[place + 4 : place + 2 + length]
            if code == 0xDA:
                break
            head._take(code, body)
            place += 2 + length
        return head

    def _take(self, code: int, body: bytes) -> None:
        if code in _FRAME_MARKERS:
            if self.components:
                raise CostlyFileError("frames")
            _, self.height, self.width, self.components = struct.unpack_from(">BHHB", body)
            self.ids = body[6 : 6 + 3 * self.components : 3]
        elif code == 0xE0 and body.startswith(b"JFIF\0"):
            self.has_jfif = True
        elif code == 0xEE and body.startswith(b"Adobe") and len(body) > 11:
            self.adobe = body[11]

    def check(self, dataset: Dataset) -> None:
        _check_size(dataset, self.width, self.height, self.components)

    def colours(self, stated: str) -> str:
        """Where markers and file contradict each other, the markers are of whoever packed it."""
        if self.ids in _RGB_IDS:
            return "RGB"
        if self.adobe is not None:
            return "YBR_FULL" if self.adobe else "RGB"
        return "YBR_FULL" if self.has_jfif or stated.startswith("YBR") else "RGB"


def _check_size(dataset: Dataset, width: int, height: int, components: int) -> None:
    if (width, height, components) != (dataset.Columns, dataset.Rows, dataset.get("SamplesPerPixel", 1)):
        raise CostlyFileError("size")


def _told_space(dataset: Dataset) -> str:
    return str(dataset.get("PhotometricInterpretation", "MONOCHROME2")).strip().upper()


def _space(dataset: Dataset) -> str:
    space = _told_space(dataset)
    return "YBR_FULL" if space.startswith(("YBR_FULL", "YBR_PARTIAL")) else space


def _shaped(values: np.ndarray, dataset: Dataset) -> np.ndarray:
    samples = dataset.get("SamplesPerPixel", 1)
    if values.shape[:2] != (dataset.Rows, dataset.Columns):
        raise CostlyFileError("size")
    return values.reshape(dataset.Rows, dataset.Columns, *([samples] if samples > 1 else []))


def _signed(values: np.ndarray, dataset: Dataset) -> np.ndarray:
    """The bits that were stored as numbers: those above them mean nothing, and the highest may be a sign."""
    bits, signed = _number(dataset, "BitsStored", 8), _number(dataset, "PixelRepresentation", 0) == 1
    if bits >= 8 * values.dtype.itemsize and (values.dtype.kind == "i") == signed:
        return values
    wide = values.astype(np.int64) & (2**bits - 1)
    if signed:
        sign = 1 << (bits - 1)
        wide = (wide ^ sign) - sign
    return wide.astype(np.int32 if bits < 32 else np.int64)


def _number(dataset: Dataset, name: str, default: int) -> int:
    value = dataset.get(name)
    return default if value is None else int(value)
