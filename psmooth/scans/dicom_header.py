"""Says by its header what a DICOM file is: whether it holds a picture, of which series, and where that belongs in it.

It knows nothing about pixels, and need not see them: the beginning of a file is enough. Identifiers leave it as their
sha256 alone.
"""

import hashlib
from typing import Any, Final

from pydicom import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag

from psmooth.scans.dicom import BoundedFile, inflated, modality_of
from psmooth.scans.dicom_frames import frame_count
from psmooth.scans.scan import Header

_TAGS: Final[list[BaseTag | int]] = [
    Tag(name)
    for name in (
        "SOPClassUID", "Modality", "SeriesInstanceUID", "SeriesNumber", "InstanceNumber", "ImagePositionPatient",
        "ImageOrientationPatient", "NumberOfFrames", "Rows", "Columns",
    )
]  # fmt: skip
_LAST: Final = Tag("Columns")  # the highest of them: what follows is not read
_LIST: Final = Tag("DirectoryRecordSequence")  # of every file of a CD: nor is this
_MOST_BYTES: Final = 16_000_000  # that the beginning of a deflated file may unpack to

_NO_PICTURES: Final = (  # kinds of files by their SOP class, PS3.4 B.5
    ("1.2.840.10008.1.3.10", "directory"),
    ("1.2.840.10008.5.1.4.1.1.88.", "report"),
    ("1.2.840.10008.5.1.4.1.1.11.", "state"),
    ("1.2.840.10008.5.1.4.1.1.104.", "document"),
    ("1.2.840.10008.5.1.4.1.1.4.2", "other"),  # a spectrum, which has rows and columns too
)


def read_header(data: bytes) -> Header:
    """What the file, or the beginning of it, says before its picture.

    Raises:
        Exception: damaged, or cut off in the middle.
    """
    is_whole = False

    def is_over(tag: BaseTag, *_: Any) -> bool:
        nonlocal is_whole
        is_whole = is_whole or tag > _LAST or tag == _LIST
        return is_whole

    file = BoundedFile(inflated(data, _MOST_BYTES))
    dataset = read_partial(file, is_over, force=True, specific_tags=_TAGS)
    return Header(
        holds=_holds(dataset),
        whole=is_whole,
        modality=modality_of(dataset),
        series=_hidden(str(dataset.get("SeriesInstanceUID") or "").strip()),
        number=next(iter(_numbers(dataset, "SeriesNumber")), None),
        instance=next(iter(_numbers(dataset, "InstanceNumber")), None),
        position=_numbers(dataset, "ImagePositionPatient", 3),
        orientation=_numbers(dataset, "ImageOrientationPatient", 6),
        frames=frame_count(dataset),
    )


def _holds(dataset: Dataset) -> str:
    told = dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID") or ""
    has_rows = bool(dataset.get("Rows") and dataset.get("Columns"))
    return next(
        (kind for start, kind in _NO_PICTURES if str(told).startswith(start)), "picture" if has_rows else "other"
    )


def _hidden(identifier: str) -> str:
    return hashlib.sha256(identifier.encode(errors="replace")).hexdigest() if identifier else ""


def _numbers(dataset: Dataset, name: str, count: int = 1) -> tuple[float, ...]:
    """So many numbers that may be places, or none."""
    try:
        value = dataset.get(name)
        many = list(value) if count > 1 and hasattr(value, "__iter__") else [value]
        read = tuple(float(one) for one in many)
    except (ValueError, TypeError, OverflowError):  # what is written there is no number
        return ()
    return read if len(read) == count and all(abs(number) < 1e9 for number in read) else ()
