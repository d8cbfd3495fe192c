"""Reads scans from a zip file, each with the name of the folder it lies in; nothing is unpacked to the disk.

It knows nothing about models or tasks.
"""

import struct
import time
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import IO, Any

from psmooth.errors import ScanError
from psmooth.scans.read import open_scan
from psmooth.scans.scan import MAX_FILE_BYTES, Scan, is_scan_name

MOST_SCANS = 2_000
MOST_BYTES = 512 * 2**20  # of all scans together as they come out of the zip, whatever its list says
MOST_PIXELS = 4_000_000_000  # of all scans together: a thousand of 2,000 × 2,000
MOST_SECONDS = 120.0  # that reading all scans may take
_MOST_ENTRIES = 20_000  # of any kind; folders and other files are passed over
_LONGEST_LIST = 4 * 2**20  # bytes of the list of entries, which is read at once
_AT_ONCE = 2**20  # bytes: a few of them may unpack to gigabytes
_METHODS = {
    1: "Shrink",
    6: "Implode",
    9: "Deflate64",
    12: "bzip2",
    14: "LZMA",
    20: "Zstandard",
    93: "Zstandard",
    95: "XZ",
    98: "PPMd",
}
_ENCRYPTED, _AES = 0x41, 99  # bits of the flags, and a method
_UNIX = (3, 19)  # systems that a zip was made on: Unix and macOS
_IN_UTF8, _UNICODE_PATH = 0x800, 0x7075  # a bit of the flags, and Info-ZIP's extra field


class _Bounded:
    """A file of which never more is read at once than the list of entries may take."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._file.read(_LONGEST_LIST + 1 if size is None or not 0 <= size <= _LONGEST_LIST else size) or b""
        if len(data) > _LONGEST_LIST:
            raise ScanError(
                "The list of files in the zip is longer than {megabytes} MB, or damaged. Pack the scans alone, in "
                "fewer files.",
                megabytes=_LONGEST_LIST // 2**20,
            )
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def read_archive(path: Path | IO[bytes]) -> Iterator[tuple[str, Scan]]:
    """Folder name and scan of every picture of a zip, in the order of their names; the folder is "" at the top.

    Raises:
        ScanError: no zip, an encrypted or damaged one, no picture in it, too many or too large ones, or a picture that
            cannot be read. This one is called by its name in the zip: a sentence for its owner, not for a log.
    """
    left, pixels, seconds = MOST_BYTES, 0, 0.0
    with opened(path) as archive:
        for name, entry in _pictures(archive):
            begun = time.monotonic()
            data = unpacked(archive, entry, name, left)
            scan = _scan(data, name)
            left, pixels, seconds = left - len(data), pixels + scan.values.size, seconds + time.monotonic() - begun
            if pixels > 3 * MOST_PIXELS or seconds > MOST_SECONDS:
                raise ScanError("The scans in the zip take too long to read. Take fewer or smaller ones.")
            yield PurePosixPath(name).parent.name, scan


def archive_folders(path: Path | IO[bytes]) -> list[str]:
    """The folder name of every picture of a zip, in the order of `read_archive`; none is read. Raises as that does."""
    with opened(path) as archive:
        return [PurePosixPath(name).parent.name for name, _ in _pictures(archive)]


@contextmanager
def opened(path: Path | IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """A zip whose list of entries is read within bounds.

    Raises:
        ScanError: it is none, or damaged.
    """
    with ExitStack() as held:
        try:
            file: Any = _Bounded(held.enter_context(path.open("rb")) if isinstance(path, Path) else path)
            archive = held.enter_context(zipfile.ZipFile(file))
        except ScanError:
            raise
        except Exception as error:  # a damaged list may raise anything
            raise ScanError(
                "The file is not a zip archive, or it is damaged. Pack the folder of scans again."
            ) from error
        yield archive


def _pictures(archive: zipfile.ZipFile) -> list[tuple[str, zipfile.ZipInfo]]:
    """Names with slashes, in their order."""
    if len(archive.infolist()) > _MOST_ENTRIES:
        raise ScanError(
            "There are {count:,} files in the zip; at most {most:,} are looked through. Pack the scans alone.",
            count=len(archive.infolist()),
            most=_MOST_ENTRIES,
        )
    named = [(name_of(entry), entry) for entry in archive.infolist()]
    entries = [(name, entry) for name, entry in named if not name.endswith("/") and is_scan_name(PurePosixPath(name))]
    if not entries:
        raise ScanError(
            "There is no scan in the zip. Expected are DICOM, PNG, JPEG, TIFF or WebP files, a folder a class."
        )
    if len(entries) > MOST_SCANS:
        raise ScanError(
            "There are {count:,} scans in the zip; at most {most:,} are read.", count=len(entries), most=MOST_SCANS
        )
    if sum(entry.file_size for _, entry in entries) > MOST_BYTES:
        raise _too_large()
    for name, entry in entries:
        if _told_name(entry) is None and not PurePosixPath(name).parent.name.isascii():
            raise ScanError(
                "The zip does not say in which code page the names of its folders are written, and they are the "
                "classes. Pack the folders again with a program that writes names in UTF-8, or name them in plain "
                "letters."
            )
    return sorted(entries, key=lambda named: named[0])


def name_of(entry: zipfile.ZipInfo) -> str:
    """With slashes, which some programs on Windows write as backslashes, and with letters and accents in one piece.

    What a path of it says besides folders (``./``, ``../``, a slash before it) is left out; a folder ends in a slash.
    """
    name = unicodedata.normalize("NFC", _told_name(entry) or entry.filename)
    path = name if "/" in name else name.replace("\\", "/")
    return normpath(f"/{path}").lstrip("/") + "/" * path.endswith("/")


def _told_name(entry: zipfile.ZipInfo) -> str | None:
    """The name as it was meant: by its flag or Info-ZIP's field, or as UTF-8 where it is that and comes from Unix.

    None of any other with letters beyond ASCII: in which code page the program thought that wrote it, nothing tells.
    """
    if entry.flag_bits & _IN_UTF8:
        return entry.filename
    written = entry.orig_filename.partition("\0")[0].encode("cp437")  # as which `zipfile` reads what has no flag
    for kind, field in _extra_fields(entry.extra):
        if kind == _UNICODE_PATH and field[:5] == b"\1" + zlib.crc32(written).to_bytes(4, "little"):
            return field[5:].decode(errors="replace")
    if entry.create_system not in _UNIX and not written.isascii():
        return None  # two letters of another code page may well be UTF-8 too
    try:
        return written.decode()
    except UnicodeDecodeError:
        return None


def _extra_fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        kind, length = struct.unpack_from("<HH", data)
        yield kind, data[4 : 4 + length]
        data = data[4 + length :]


def _too_large() -> ScanError:
    return ScanError(
        "The scans in the zip are larger than {megabytes} MB together. Take fewer of them.",
        megabytes=MOST_BYTES // 2**20,
    )


def pieces(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, size: int = _AT_ONCE) -> Iterator[bytes]:
    """A file of the zip, a piece at a time: its list may promise less than comes out.

    Raises:
        ScanError: encrypted, packed in a way that is not read, or damaged; the file is called ``name``.
    """
    if entry.flag_bits & _ENCRYPTED or entry.compress_type == _AES:
        raise ScanError("The zip is encrypted. Pack the scans without a password.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ScanError(
            "'{name}' in the zip is packed by {method}. Pack the scans again, stored or deflated as zips mostly are.",
            name=_shown(name),
            method=_METHODS.get(entry.compress_type, str(entry.compress_type)),
        )
    try:
        with archive.open(entry) as file:
            while piece := file.read(size):
                yield piece
    except Exception as error:  # as above
        raise ScanError("'{name}' in the zip is damaged. Pack the scans again.", name=_shown(name)) from error


def unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, left: int = MAX_FILE_BYTES) -> bytes:
    """A whole file of the zip, of which at most ``left`` bytes may come out. Raises ScanError, as `pieces`."""
    came, length = [], 0
    for piece in pieces(archive, entry, name):
        came.append(piece)
        length += len(piece)
        if length > min(MAX_FILE_BYTES, left):
            break
    if length > MAX_FILE_BYTES:
        raise ScanError(
            "'{name}' in the zip is larger than {megabytes} MB. Leave it out, or cut out the region of interest.",
            name=_shown(name),
            megabytes=MAX_FILE_BYTES // 10**6,
        )
    if length > left:
        raise _too_large()
    return b"".join(came)


def _scan(data: bytes, name: str) -> Scan:
    try:
        return open_scan(data)
    except ScanError as error:
        raise ScanError("'{name}' in the zip: {reason}", name=_shown(name), reason=error) from error


def _shown(name: str) -> str:
    """The end of a name, which tells the file, as a short piece of a sentence."""
    printed = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
    return printed if len(printed) <= 60 else "…" + printed[-59:]
