"""Turns a DICOM file into a `Scan`: one frame, in the scan's own unit, with the windows that the file offers.

It knows nothing about crops or models. No name or identifier is read, dates and a patient's weight for SUV alone, and
none of the file's own words is passed on: what is told of a scan are numbers, and words of a list that stands here.
"""

import io
import logging
import re
import struct
import zlib
from collections.abc import Iterator
from itertools import chain, islice, repeat
from typing import Any, Final

import numpy as np
from pydicom import Dataset, config, dcmread
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import UID

from psmooth.errors import ScanError
from psmooth.scans import suv
from psmooth.scans.containers import CostlyFileError
from psmooth.scans.dicom_frames import frame_count, stored_values
from psmooth.scans.grey import possible
from psmooth.scans.notes import TILE, WRITTEN
from psmooth.scans.scan import Offer, Scan, Window, check_sides
from psmooth.scans.squares import squared
from psmooth.scans.windows import ALL, CT_WINDOWS, CURVE, NAMES, OWN, SUV_UNIT, SUV_WINDOW, spread_window

config.settings.reading_validation_mode = config.IGNORE  # what is not pictured may be written as it likes
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)  # its warnings quote what a file says

_MOST_BYTES: Final = 512_000_000  # that a deflated file may unpack to
_MOST_READS: Final = 400_000  # pieces of a file, two an element; a CT of 2,000 slices in one file has 100,000 elements
_MOST_WINDOWS: Final = 32  # that a menu offers

_SHAPE: Final = ("PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_DISPENSABLE: Final = (*_SHAPE, "WindowCenter", "WindowWidth")  # where they cannot be read: squares, another window

_MODALITIES: Final = (
    "CR", "CT", "DX", "ES", "GM", "IO", "IVOCT", "IVUS", "MG", "MR", "NM", "OCT", "OP", "OPT", "OT", "PT", "PX", "RF",
    "RG", "RTDOSE", "RTIMAGE", "SC", "SEG", "SM", "US", "XA", "XC",
)  # fmt: skip
_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"  # a copy of a screen, or of a film, with the modality of what was seen
_WRITTEN_INTO: Final = ("US", "SC", "ES", "XC")  # devices that write names into the picture itself
_UNITS: Final = {"HU": "HU", "OD": "OD", "GY": "Gy", "BQML": "Bq/ml", "CNTS": "counts"}
_TAGS: Final = [
    "TransferSyntaxUID", "SOPClassUID", "Modality", "BurnedInAnnotation", "DirectoryRecordSequence",
    "EncryptedAttributesSequence", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation",
    "PlanarConfiguration", "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing",
    "NominalScannedPixelSpacing", "RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence", "Units",
    "DoseGridScaling", "DoseUnits", "WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction",
    "VOILUTSequence", "PresentationLUTShape", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    *(f"{colour}PaletteColorLookupTableDescriptor" for colour in ("Red", "Green", "Blue")),
    *(f"{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
    "PixelData", "FloatPixelData", "DoubleFloatPixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
    *suv.TAGS,
]  # fmt: skip


def read_dicom(data: bytes, frame: int | None = None) -> Scan:
    """One frame of a DICOM file as a radiologist's viewer shows it.

    Args:
        data: the file.
        frame: counted from 1; None is the middle one, where something is to be seen.

    Returns:
        Grey values after modality table or rescaling, in the scan's own unit, with the windows that the file offers,
        the first one being shown; or RGB. Pixels that are no squares are resampled to squares.

    Raises:
        ScanError: no picture in it, not one that can be read, or no such frame.
        Exception: damaged.
    """
    return read_frame(parse_dicom(data), frame)


def parse_dicom(data: bytes) -> Dataset:
    """What of a DICOM file is needed to show its frames; raises as `read_dicom`."""
    dataset = dcmread(BoundedFile(inflated(data)), force=True, specific_tags=[*_TAGS])
    _check_picture(dataset)
    return dataset


def read_frame(dataset: Dataset, frame: int | None = None) -> Scan:
    """As `read_dicom`, of a file that was parsed."""
    frames = frame_count(dataset)
    number = (frames + 1) // 2 if frame is None else frame
    if not 1 <= number <= frames:
        raise ScanError(
            "There is no frame {frame:,}: this DICOM file has {frames:,}. Choose one of these, counted from 1.",
            frame=number,
            frames=frames,
        )
    values, space = stored_values(dataset, _syntax(dataset), number - 1)
    facts = _Facts(dataset, number - 1)
    make = _colour_scan if space in ("PALETTE COLOR", "RGB", "YBR_FULL") else _grey_scan
    return make(values, space, facts, frame=number, frames=frames)


class BoundedFile(io.BytesIO):
    """A file that is read in no more pieces than one with a picture has."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > _MOST_READS:
            raise CostlyFileError("elements")
        return super().read(size)


def inflated(data: bytes, most: int = _MOST_BYTES) -> bytes:
    """A deflated file as if it had never been, up to so many bytes; any other as it is."""
    deflated, plain = b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.1\0\0\0"
    if data[128:132] != b"DICM" or deflated not in data[132:2_000]:
        return data
    end = 144 + struct.unpack_from("<I", data, 140)[0]
    unpacked = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[end:], most)
    return data[:end].replace(deflated, plain) + unpacked


def _syntax(dataset: Dataset) -> UID:
    """How the file is written; one that does not say is taken as it was found to be."""
    told = getattr(dataset, "file_meta", Dataset()).get("TransferSyntaxUID")
    if told is None:
        implicit, little = dataset.original_encoding
        told = "1.2.840.10008.1.2" if implicit else "1.2.840.10008.1.2.1" if little else "1.2.840.10008.1.2.2"
        dataset.file_meta.TransferSyntaxUID = UID(told)
    return UID(told)


def _check_picture(dataset: Dataset) -> None:
    if "DirectoryRecordSequence" in dataset:
        raise ScanError(
            "This is the list of contents of a CD (DICOMDIR), and holds no picture. Expected is one of the files that "
            "it lists: choose one of those."
        )
    has_pixels = any(name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))
    if not has_pixels and "EncryptedAttributesSequence" in dataset:
        raise ScanError(
            "This DICOM file is encrypted, and its picture cannot be read. Export the scan without encryption."
        )
    if not has_pixels:
        raise ScanError(
            "This DICOM file holds no picture: it may be a report, a plan, a curve or a list. Expected is a file with "
            "pixels: choose another one of the study."
        )
    samples = int(dataset.get("SamplesPerPixel") or 1)
    if samples not in (1, 3) or not 1 <= int(dataset.BitsAllocated) <= 64:
        raise ScanError(
            "This DICOM file has {samples} values a pixel of {bits} bits. Expected are 1 or 3: export it as PNG.",
            samples=samples,
            bits=int(dataset.BitsAllocated),
        )
    if not 1 <= int(dataset.get("BitsStored") or 0) <= int(dataset.BitsAllocated):
        raise CostlyFileError("bits")
    check_sides(int(dataset.Columns), int(dataset.Rows))


class _Facts:
    """What the file says of one frame: in itself, or in the groups of an enhanced file, the frame's own before those
    that all share."""

    def __init__(self, dataset: Dataset, index: int) -> None:
        self.dataset = dataset
        own = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])[index : index + 1]
        shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])[:1]
        self.places = [*(item for group in (*own, *shared) for item in _macros(group)), dataset]

    def get(self, name: str) -> Any:
        """The first value of that name, or None."""
        return next((place.get(name) for place in self.places if place.get(name) not in (None, "")), None)

    def numbers(self, name: str) -> list[float]:
        """All numbers of that name.

        Raises:
            Exception: they cannot be read, and what is shown would be wrong without them.
        """
        try:
            value = self.get(name)
            many = value if isinstance(value, list | tuple) or hasattr(value, "append") else [value]
            return [_finite(one) for one in many if one is not None]
        except (ValueError, TypeError, OverflowError):
            if name not in _DISPENSABLE:
                raise
            return []

    def number(self, name: str, default: float) -> float:
        return next(iter(self.numbers(name)), default)

    @property
    def modality(self) -> str:
        return modality_of(self.dataset)

    @property
    def is_capture(self) -> bool:
        """Whether the picture was copied from another one, whose values it does not have."""
        return str(self.dataset.get("SOPClassUID") or "").startswith(_CAPTURE)


def modality_of(dataset: Dataset) -> str:
    """The modality of a file if it is one that is known, for anything might be written there."""
    told = str(dataset.get("Modality") or "").strip().upper()
    return told if told in _MODALITIES else ""


def _macros(group: Dataset) -> Iterator[Dataset]:
    for name in ("PixelValueTransformationSequence", "FrameVOILUTSequence", "PixelMeasuresSequence"):
        yield from list(group.get(name) or [])[:1]


def _finite(value: Any) -> float:
    number = float(value)
    if not np.isfinite(number):
        raise ValueError
    return number


# --- colour


def _colour_scan(values: np.ndarray, space: str, facts: _Facts, frame: int, frames: int) -> Scan:
    dataset = facts.dataset
    if space == "PALETTE COLOR":
        rgb, kind = _painted(values, dataset), "palette"
    else:
        above = max(0, min(int(dataset.BitsStored), 8 * values.dtype.itemsize) - 8)  # a JPEG's own bits may be fewer
        plain = values.dtype == np.uint8  # as nearly all are
        rgb = values if plain else (values >> above).clip(0, 255).astype(np.uint8)
        kind = f"{8 + above}-bit RGB"
        if space == "YBR_FULL":
            rgb, kind = convert_color_space(rgb, "YBR_FULL", "RGB"), f"{8 + above}-bit YCbCr"
    rgb, notes = _squared(np.ascontiguousarray(rgb), facts)
    return Scan(rgb, _kind(kind, facts), "DICOM", frame=frame, frames=frames, notes=(*notes, *_warnings(facts)))


def _painted(values: np.ndarray, dataset: Dataset) -> np.ndarray:
    """(rows, columns, 3) of a picture that is painted by numbers; a number beyond the palette has its nearest end."""
    entries, first, bits = (int(one) for one in dataset.RedPaletteColorLookupTableDescriptor)
    count = entries or 2**16
    place = (values.astype(np.int64) - _as_signed(first, dataset)).clip(0, count - 1)
    tables = [_palette(dataset, colour, count) for colour in ("Red", "Green", "Blue")]
    if bits > 8:
        tables = [table if table.dtype == np.uint8 else table >> 8 for table in tables]
    return np.stack([table.astype(np.uint8)[place] for table in tables], axis=-1)


def _as_signed(first: int, dataset: Dataset) -> int:
    return first - 2**16 if dataset.get("PixelRepresentation") == 1 and first >= 2**15 else first


def _palette(dataset: Dataset, colour: str, count: int) -> np.ndarray:
    """The levels of one colour, in as many bits as they stand there."""
    order = "<" if dataset.original_encoding[1] else ">"
    plain = dataset.get(f"{colour}PaletteColorLookupTableData")
    if plain is None:
        words = np.frombuffer(dataset[f"Segmented{colour}PaletteColorLookupTableData"].value[: 2**18], f"{order}u2")
        return _unfolded(words.astype(np.int64), count)
    return _entries(plain, count, order)


def _entries(data: bytes, count: int, order: str) -> np.ndarray:
    """A table's entries: words of 16 bits, or of 8 where the file has no more, two in a word, the lower one first."""
    words = np.frombuffer(data[: len(data) // 2 * 2], f"{order}u2")
    return words[:count] if len(data) >= 2 * count else words.astype("<u2").view(np.uint8)[:count]


def _unfolded(words: np.ndarray, count: int) -> np.ndarray:
    """A segmented palette of ``count`` entries, PS3.3 C.7.9.2.

    Its segments are pieces as they stand, straight lines from the entry before, and pieces that stood before.
    """
    table: list[int] = []
    for code, body in _segments(words, 0, len(words), True):
        if code == 0:
            table.extend(body.tolist())
        else:
            last, (length, end) = table[-1] if table else 0, body.tolist()
            table.extend(np.rint(np.linspace(last, end, length + 1)[1:]).astype(np.int64).tolist())
        if len(table) >= count:
            break
    whole = np.array(table[:count] or [0], np.int64)
    return np.pad(whole, (0, count - len(whole)), mode="edge")


def _segments(words: np.ndarray, place: int, most: int, may_repeat: bool) -> Iterator[tuple[int, np.ndarray]]:
    """(0, entries) or (1, (length, last entry)), one after another; a piece that is repeated repeats none."""
    for _ in range(most):
        if place + 2 >= len(words):
            return
        code, length, place = int(words[place]), int(words[place + 1]), place + 2
        if code == 0:
            yield 0, words[place : place + length]
            place += length
        elif code == 1:
            yield 1, np.array([length, words[place]])
            place += 1
        elif code == 2 and may_repeat:
            at = int(words[place]) + (int(words[place + 1]) << 16)
            yield from _segments(words, at // 2, length, False)
            place += 2
        else:
            raise CostlyFileError("segments")


# --- grey


def _grey_scan(values: np.ndarray, space: str, facts: _Facts, frame: int, frames: int) -> Scan:
    levels, unit = _in_unit(values, facts)
    padding = _padding(values, facts)
    inverted = space == "MONOCHROME1" or str(facts.get("PresentationLUTShape") or "").strip().upper() == "INVERSE"
    levels, offered = _offers(levels, unit, padding, facts)
    offers = possible(offered, "DICOM")
    if padding is not None and padding.any() and not padding.all():  # as dark as the darkest of the picture
        kept = levels[~padding]
        levels[padding] = kept.max() if inverted else kept.min()
    bits = int(facts.dataset.BitsStored)
    levels, notes = _squared(levels, facts)
    return Scan(
        levels, _kind(f"{bits}-bit grey", facts), "DICOM", bits,
        unit=unit, offers=offers, inverted=inverted, frame=frame, frames=frames, notes=(*notes, *_warnings(facts)),
    )  # fmt: skip


def _in_unit(values: np.ndarray, facts: _Facts) -> tuple[np.ndarray, str]:
    """Stored values through the modality's table, or its slope and intercept, PS3.3 C.11.1; and their unit."""
    tables = facts.get("ModalityLUTSequence")
    if tables:
        return _through(values, tables[0], facts.dataset, False), _unit(tables[0].get("ModalityLUTType"))
    if (dose := facts.number("DoseGridScaling", 0.0)) > 0:
        return (values * dose).astype(np.float32), _unit(facts.get("DoseUnits"))
    slope, intercept = facts.number("RescaleSlope", 1.0), facts.number("RescaleIntercept", 0.0)
    if slope == 0 and values.min() < values.max():  # nothing would be left of the picture
        raise CostlyFileError("slope")
    if facts.modality == "PT" and (factor := suv.suv_factor(facts.dataset)) is not None:
        return ((values * slope + intercept) * factor).astype(np.float32), SUV_UNIT
    is_ct = facts.modality == "CT" and not facts.is_capture and facts.get("RescaleIntercept") is not None
    unit = _unit(facts.get("RescaleType") or ("HU" if is_ct else facts.get("Units")))
    scaled = values.astype(np.float64) * slope + intercept
    if values.dtype.kind != "f" and slope.is_integer() and intercept.is_integer() and np.abs(scaled).max() < 2**31:
        return scaled.astype(np.int32), unit
    return scaled.astype(np.float32), unit


def _unit(told: Any) -> str:
    """A unit that is known; anything else that is told may be a stranger's words."""
    return _UNITS.get(str(told or "").strip().upper(), "")


def _through(values: np.ndarray, item: Dataset, dataset: Dataset, rescaled: bool) -> np.ndarray:
    """Values through a table of the file, PS3.3 C.11.1.1.1; a value beyond it has its nearest end."""
    entries, first, bits = (int(one) for one in item.LUTDescriptor)
    count = entries or 2**16
    data = item["LUTData"].value
    order = "<" if dataset.original_encoding[1] else ">"
    table = _entries(data, count, order) if isinstance(data, bytes) else np.asarray(data)
    table = table[:count].astype(np.int32) & (2**16 - 1)
    below = rescaled and first >= 2**15 and values.min() < 0  # below 0 by its slope, though stored without a sign
    first = first - 2**16 if below else _as_signed(first, dataset)
    place = (np.rint(values).astype(np.int64) - first).clip(0, len(table) - 1)
    return table[place] if bits > 0 else values


def _padding(values: np.ndarray, facts: _Facts) -> np.ndarray | None:
    """Where the picture has no pixels, but values that fill its rectangle."""
    one = facts.dataset.get("PixelPaddingValue")
    if one is None or values.dtype.kind == "f":
        return None
    other = facts.dataset.get("PixelPaddingRangeLimit")
    ends = sorted(_wrapped(int(end), facts.dataset) for end in (one, one if other is None else other))
    return (values >= ends[0]) & (values <= ends[1])


def _wrapped(value: int, dataset: Dataset) -> int:
    """A value that was written without its sign, or with one that it has not."""
    if dataset.get("PixelRepresentation") == 1:
        return value - 2**16 if value >= 2**15 else value
    return value + 2**16 if value < 0 else value


def _offers(
    levels: np.ndarray, unit: str, padding: np.ndarray | None, facts: _Facts
) -> tuple[np.ndarray, tuple[Offer, ...]]:
    """The windows that the file offers, then those that are known for its unit, then one taken from its values."""
    told, tables = _told_windows(facts), facts.get("VOILUTSequence")
    if tables and not told:  # the file's own curve: what it makes of the values is what is shown
        item = tables[0]
        bits = int(item.LUTDescriptor[2]) or 16
        levels, top = _through(levels, item, facts.dataset, True), 2 ** min(bits, 16) - 1
        return levels, (Offer(CURVE, Window(top / 2, float(top))),)
    known = CT_WINDOWS if unit == "HU" and facts.modality == "CT" else ()
    if unit == SUV_UNIT:
        return levels, (SUV_WINDOW, spread_window(levels))  # the file's own windows are in its own unit
    seen = levels if padding is None or padding.all() else levels[~padding]
    bits = int(facts.dataset.BitsStored)
    if not known and bits <= 8 and not told and levels.dtype.kind == "i" and seen.min() >= 0 and seen.max() < 2**bits:
        return levels, (Offer(ALL, Window((2**bits - 1) / 2, 2.0**bits - 1)),)
    return levels, (*told, *known, spread_window(seen))


def _told_windows(facts: _Facts) -> tuple[Offer, ...]:
    centers, widths = facts.numbers("WindowCenter"), facts.numbers("WindowWidth")
    told = str(facts.get("VOILUTFunction") or "LINEAR").strip().upper()
    function: Any = {"LINEAR_EXACT": "linear_exact", "SIGMOID": "sigmoid"}.get(told, "linear")
    least = 1.0 if function == "linear" else 1e-6
    names = facts.get("WindowCenterWidthExplanation") or []
    named = [names] if isinstance(names, str) else list(names)
    labels = chain((_known_name(str(name)) for name in named), repeat(""))
    told_ones = islice(zip(centers, widths, labels, strict=False), _MOST_WINDOWS)
    return tuple(
        Offer(label or OWN, Window(center, width, function))
        for center, width, label in told_ones
        if width >= least and Window(center, width).is_possible
    )


def _known_name(told: str) -> str:
    """A window's name if it is one of those that are known, for anything might be written there."""
    plain = re.sub(r"[^a-z]+", " ", told.lower()).strip()
    return plain if plain in NAMES else ""


# --- what all have


def _squared(values: np.ndarray, facts: _Facts) -> tuple[np.ndarray, tuple[str, ...]]:
    """Pixels that are wider than high, or higher than wide, become squares; no row or column is lost."""
    told = (facts.numbers(name) for name in _SHAPE)
    sides = next((pair for pair in told if len(pair) == 2 and min(pair) > 0), [1.0, 1.0])
    return squared(values, sides[0] / sides[1])


def _warnings(facts: _Facts) -> tuple[str, ...]:
    if facts.modality == "SM" and frame_count(facts.dataset) > 1:
        return (TILE,)
    burned = str(facts.dataset.get("BurnedInAnnotation") or "").strip().upper() == "YES"
    if burned or facts.is_capture or facts.modality in _WRITTEN_INTO:
        return (WRITTEN,)
    return ()


def _kind(kind: str, facts: _Facts) -> str:
    return f"{kind}, {facts.modality}" if facts.modality else kind
