"""Lists the series of a folder or a zip, by modality and number of pictures, and opens one of their pictures.

It knows nothing about how a picture is decoded. Of a file's name it knows the place in the order of names, and whether
it is hidden; no name, date or identifier is told or shown.
"""

import io
import re
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import islice
from pathlib import Path
from typing import Final, Protocol
from zipfile import ZipFile

import numpy as np

from psmooth.errors import ScanError
from psmooth.scans.apart import header_apart
from psmooth.scans.archive import name_of, opened, pieces, unpacked
from psmooth.scans.notes import LEFT_OUT
from psmooth.scans.read import is_picture, open_frames, open_scan, read_file
from psmooth.scans.scan import Header, Scan, is_hidden
from psmooth.scans.signatures import is_dicom

MOST_FILES: Final = 10_000  # that are looked at
MOST_SECONDS: Final = 60.0  # that looking may take
_HEAD: Final = 2**16  # bytes of a file's beginning, where its header mostly ends
_MOST_LISTED: Final = 30  # series that a sentence names
_SAME_PLANE: Final = 1e-3

_FOUND: Final = {  # in the place of pictures
    "report": "structured reports: {count}",
    "state": "presentation states: {count}",
    "directory": "lists of contents (DICOMDIR): {count}",
    "document": "documents: {count}",
    "other": "other DICOM files: {count}",
    "damaged": "damaged DICOM files: {count}",
    "strange": "files of other kinds: {count}",
}

Whole = Callable[[], bytes]  # reads a file
Key = tuple[str, str, int]  # series, modality and, for a file of many frames, which one: it is a series by itself
_OF_MANY: Final = -1  # in the place of that one
_PICTURES: Final[Key] = ("", "", -2)  # whatever is no DICOM file


@dataclass(frozen=True)
class Series:
    """Pictures that belong together.

    ``modality``: of DICOM, e.g. "CT"; "" for other pictures, and where no known one is told.
    ``pictures``: how many.
    """

    modality: str
    pictures: int


class Files(Protocol):
    """Files that are read one by one, each by its number."""

    @property
    def weight(self) -> int:
        """Bytes that they take in memory."""
        ...

    def heads(self) -> Iterator[tuple[int, bytes, Whole]]:
        """Every file that is not hidden, in the order of their names: number, first bytes, and what reads all of it."""
        ...

    def reading(self) -> AbstractContextManager[Callable[[int], bytes]]:
        """What reads whole files by their numbers, as long as it is open."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class Contents:
    """The series of a folder or zip. Its pictures are read when they are asked for.

    ``files``, ``places``: what is read, and the files of each series, in the order of its pictures.
    ``notes``: sentences that every picture of it comes with.
    """

    series: tuple[Series, ...]
    files: Files
    places: tuple[tuple[int, ...], ...]
    notes: tuple[str, ...] = ()

    def open(self, series: int | None = None, frame: int | None = None) -> Scan:
        """A picture of a series, both counted from 1; None is the one series, and the middle picture.

        Raises:
            ScanError: there are several series, or no such one, or it has no such picture, or that cannot be read.
        """
        with self.files.reading() as read:
            return self._opened(read, self._number(series), frame)

    def frames(self, series: int | None, numbers: Iterable[int]) -> Generator[Scan | None, None, None]:
        """Pictures of a series, one after another; None for one that cannot be read. Raises ScanError as `open`."""
        number = self._number(series)
        places = self.places[number - 1]
        if len(places) == 1:
            with self.files.reading() as read:
                return open_frames(read(places[0]), numbers)
        return self._slices(number, numbers)

    def _slices(self, series: int, numbers: Iterable[int]) -> Generator[Scan | None, None, None]:
        with self.files.reading() as read:
            for frame in numbers:
                try:
                    scan = self._opened(read, series, frame)
                except ScanError:
                    scan = None
                yield scan

    def _opened(self, read: Callable[[int], bytes], series: int, frame: int | None) -> Scan:
        places = self.places[series - 1]
        alone = len(places) == 1
        scan = _checked(open_scan(read(places[0]), frame), frame) if alone else _slice(read, places, frame)
        among = series if len(self.series) > 1 else None
        return replace(scan, series=among, notes=(*scan.notes, *self.notes))

    def _number(self, series: int | None) -> int:
        if series is None and len(self.series) > 1:
            raise ScanError(
                "There are {count:,} series: {listed}. Choose one of them by its number.",
                count=len(self.series),
                listed=_listed(self.series),
            )
        number = 1 if series is None else series
        if not 1 <= number <= len(self.series):
            raise _no_series(number, len(self.series))
        return number


def _slice(read: Callable[[int], bytes], places: tuple[int, ...], frame: int | None) -> Scan:
    number, many = (len(places) + 1) // 2 if frame is None else frame, len(places)
    if not 1 <= number <= many:
        raise _no_frame(number, many)
    return replace(open_scan(read(places[number - 1])), frame=number, frames=many)


def open_picture(
    source: str | Path | bytes,
    frame: int | None = None,
    series: int | None = None,
    plane: str | None = None,
    region: Sequence[float] | None = None,
) -> Scan:
    """A picture of a file, a folder or a zip.

    Args:
        source: where it lies, or the bytes of a file.
        frame: of a file or series with many, counted from 1; None is the middle one.
        series: of a folder or zip with many, counted from 1.
        plane, region: of a volume and of a whole slide, as in `open_scan`.

    Raises:
        ScanError: as `open_scan`, `list_series` and `Contents.open`.
    """
    if plane is None and region is None and holds_many(source):
        return list_series(source).open(series, frame)
    if series is not None and series != 1:
        raise _no_series(series, 1)
    return _checked(open_scan(source, frame, plane, region), frame)


def holds_many(source: str | Path | bytes) -> bool:
    """Whether it is a folder, a zip or the list of contents of a CD, rather than a picture."""
    if isinstance(source, bytes):
        return source[:4] in (b"PK\x03\x04", b"PK\x05\x06")
    path = Path(source)
    if path.is_dir() or path.name.upper() == "DICOMDIR":
        return True
    with suppress(OSError, ValueError):  # which `open_scan` puts into words
        return path.is_file() and holds_many(read_file(path, 4))
    return False


def list_series(source: str | Path | bytes) -> Contents:
    """The series of a folder, of a zip or its bytes, or of the CD whose list of contents (DICOMDIR) is named.

    Files are known by their first bytes, whatever they are called. Slices stand in the order of their places in the
    patient; where the files do not tell these, by their numbers, else by their names. Other pictures are one series,
    the last, by their names. What has no picture is passed over.

    Raises:
        ScanError: there is no picture, or there are too many files, or a zip is damaged or encrypted.
    """
    files, begun = _files(source), time.monotonic()
    found: dict[Key, list[tuple[Header, int]]] = {}
    left_out = Counter[str]()
    for number, head, whole in files.heads():
        if time.monotonic() - begun > MOST_SECONDS:
            raise ScanError("The files take too long to look through. Choose those of one study or series alone.")
        header = _look(head, whole)
        if header.holds == "picture":
            found.setdefault(_key(header, number), []).append((header, number))
        elif header.holds == "strange" and is_picture(head):
            found.setdefault(_PICTURES, []).append((header, number))
        else:
            left_out[header.holds] += 1
    if not found:
        raise _nothing(left_out)
    keys = sorted(found, key=lambda key: _rank(key, found[key]))
    series = tuple(Series(key[1], max(len(found[key]), found[key][0][0].frames)) for key in keys)
    notes = (LEFT_OUT,) if left_out["damaged"] else ()
    return Contents(series, files, tuple(_in_order(found[key]) for key in keys), notes)


def _look(head: bytes, whole: Whole) -> Header:
    """What a file is, by its beginning or, where its header is longer than that, by all of it."""
    if not is_dicom(head):
        return Header("strange")
    with suppress(ScanError):  # cut off in the middle of something
        if (header := header_apart(head)).whole:
            return header
    with suppress(ScanError):
        if len(head) == _HEAD and (header := header_apart(whole())).whole:
            return header
    return Header("damaged")


def _key(header: Header, number: int) -> Key:
    return header.series, header.modality, number if header.frames > 1 else _OF_MANY


def _rank(key: Key, slices: list[tuple[Header, int]]) -> tuple[bool, float, Key]:
    """Series stand in the order of their numbers; names of files do not move them."""
    numbers = [header.number for header, _ in slices if header.number is not None]
    return key == _PICTURES, min(numbers, default=float("inf")), key


def _in_order(slices: list[tuple[Header, int]]) -> tuple[int, ...]:
    """The files of a series in the order of its pictures; those of one rank stay as they come, by name."""
    ranks = _ranks([header for header, _ in slices])
    ranked = sorted(zip(ranks, slices, strict=True), key=lambda pair: pair[0])
    return tuple(number for _, (_, number) in ranked)


def _ranks(headers: list[Header]) -> list[tuple[float, ...]]:
    """Places along the normal of slices that are parallel, and among those of one place their numbers; else these."""
    told = [header.instance for header in headers]
    numbers = [0.0 if number is None or None in told else number for number in told]
    plane = headers[0].orientation
    if not plane or not all(_lies_in(header, plane) for header in headers):
        return [(number,) for number in numbers]
    normal = np.cross(plane[:3], plane[3:])
    places = [round(float(np.dot(normal, header.position)), 3) for header in headers]
    return list(zip(places, numbers, strict=True))


def _lies_in(header: Header, plane: tuple[float, ...]) -> bool:
    parallel = len(header.orientation) == 6 and np.allclose(header.orientation, plane, atol=_SAME_PLANE)
    return bool(parallel and header.position)


# --- what is said


def _listed(series: tuple[Series, ...]) -> str:
    """Number, modality and pictures of each, in no language."""
    told = [f"{number} {one.modality or '–'} × {one.pictures}" for number, one in enumerate(series, 1)]
    return "; ".join(told[:_MOST_LISTED] + ["…"] * (len(told) > _MOST_LISTED))


def _nothing(left_out: Counter[str]) -> ScanError:
    if not left_out:
        return ScanError("The folder or zip is empty. Expected are pictures: choose another one.")
    found = [ScanError(_FOUND[kind], count=count) for kind, count in left_out.most_common()]
    joined = reduce(lambda one, other: ScanError("{one}, {other}", one=one, other=other), found)
    return ScanError("There is no picture in the folder or zip, but {found}. Choose another one.", found=joined)


def _no_series(number: int, count: int) -> ScanError:
    return ScanError(
        "There is no series {number:,}: there are {count:,}. Choose one of these, counted from 1.",
        number=number,
        count=count,
    )


def _no_frame(number: int, count: int) -> ScanError:
    return ScanError(
        "There is no frame {frame:,}: this scan has {frames:,}. Choose one of these, counted from 1.",
        frame=number,
        frames=count,
    )


def _checked(scan: Scan, frame: int | None) -> Scan:
    """A scan of one picture is read whatever frame is asked for."""
    if frame is not None and frame != scan.frame:
        raise _no_frame(frame, scan.frames)
    return scan


# --- where files lie


def _files(source: str | Path | bytes) -> Files:
    if isinstance(source, bytes):
        return _Zip(source)
    path = Path(source)
    if path.is_dir() or path.name.upper() == "DICOMDIR":
        return _Folder.of(path if path.is_dir() else path.parent)
    return _Zip(path)


@dataclass(frozen=True, eq=False, repr=False)
class _Folder:
    paths: tuple[Path, ...]
    weight: int = 0

    @classmethod
    def of(cls, folder: Path) -> "_Folder":
        found = {one.relative_to(folder).as_posix(): one for one in folder.rglob("*") if one.is_file()}
        return cls(tuple(found[name] for name in _seen(found)))

    def heads(self) -> Iterator[tuple[int, bytes, Whole]]:
        for number, path in enumerate(self.paths):
            yield number, read_file(path, _HEAD), partial(read_file, path)

    def reading(self) -> AbstractContextManager[Callable[[int], bytes]]:
        return nullcontext(lambda number: read_file(self.paths[number]))


@dataclass(frozen=True, eq=False, repr=False)
class _Zip:
    """Nothing of it is unpacked before it is asked for, and nothing of that is kept."""

    source: Path | bytes

    @property
    def weight(self) -> int:
        return len(self.source) if isinstance(self.source, bytes) else 0

    def heads(self) -> Iterator[tuple[int, bytes, Whole]]:
        with self._opened() as archive:
            entries = archive.infolist()
            named = ((name_of(one), place) for place, one in enumerate(entries))
            names = {name: place for name, place in named if not name.endswith("/")}
            for name in _seen(names):
                place = names[name]
                head = next(pieces(archive, entries[place], f"#{place + 1}", _HEAD), b"")
                yield place, head, partial(_unpacked, archive, place)

    @contextmanager
    def reading(self) -> Iterator[Callable[[int], bytes]]:
        with self._opened() as archive:  # whose list is read once for all of them
            yield partial(_unpacked, archive)

    def _opened(self) -> AbstractContextManager[ZipFile]:
        return opened(io.BytesIO(self.source) if isinstance(self.source, bytes) else self.source)


def _unpacked(archive: ZipFile, place: int) -> bytes:
    return unpacked(archive, archive.infolist()[place], f"#{place + 1}")


def _seen(names: Iterable[str]) -> list[str]:
    """Those that are not hidden, in their order: 2 before 10."""
    seen = list(islice((name for name in names if not is_hidden(name.split("/"))), MOST_FILES + 1))
    if len(seen) > MOST_FILES:
        raise ScanError(
            "There are more than {most:,} files. Choose those of one study or series alone.", most=MOST_FILES
        )
    return sorted(seen, key=_spelled)


def _spelled(name: str) -> list[tuple[int, str]]:
    """Pieces of a name, numbers by their size."""
    parts = (part.lstrip("0") if part.isdigit() else part.lower() for part in re.split("([0-9]+)", name))
    return [(len(part) if place % 2 else 0, part) for place, part in enumerate(parts)]
