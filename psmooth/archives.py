"""Reads scans from a zip file, each with the name of the folder it lies in; nothing is unpacked to the disk.

It knows nothing about models or tasks.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from psmooth.errors import ScanError
from psmooth.scans import MAX_FILE_BYTES, PICTURES, Scan, open_scan

MOST_SCANS = 2_000
MOST_BYTES = 512 * 2**20


def read_archive(path: Path | IO[bytes]) -> Iterator[tuple[str, Scan]]:
    """Folder name and scan of every picture of a zip, in the order of their names; the folder is "" at the top.

    Raises:
        ScanError: no zip, an encrypted or damaged one, no picture in it, too many or too large ones, or a picture that
            cannot be read. No file name is told.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for number, entry in enumerate(_pictures(archive)):
                yield PurePosixPath(entry.filename).parent.name, _read(archive, entry, number)
    except zipfile.BadZipFile as error:
        raise ScanError("The file is not a zip archive, or it is damaged. Pack the folder of scans again.") from error


def _pictures(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = [entry for entry in archive.infolist() if _is_picture(entry)]
    if not entries:
        raise ScanError("There is no scan in the zip. Expected are PNG, JPEG, TIFF or WebP files, a folder a class.")
    if len(entries) > MOST_SCANS:
        raise ScanError(
            "There are {count:,} scans in the zip; at most {most:,} are read.", count=len(entries), most=MOST_SCANS
        )
    if sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise ScanError(
            "The scans in the zip are larger than {megabytes} MB together. Take fewer of them.",
            megabytes=MOST_BYTES // 2**20,
        )
    return sorted(entries, key=lambda entry: entry.filename)


def _is_picture(entry: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(entry.filename)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not entry.is_dir() and not hidden and path.suffix.lower() in PICTURES


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, number: int) -> Scan:
    if entry.flag_bits & 1:
        raise ScanError("The zip is encrypted. Pack the scans without a password.")
    if entry.file_size > MAX_FILE_BYTES:
        raise ScanError(
            "Scan {number} of the zip is larger than {megabytes} MB.",
            number=number + 1,
            megabytes=MAX_FILE_BYTES // 2**20,
        )
    try:
        return open_scan(archive.read(entry))
    except ScanError as error:
        raise ScanError("Scan {number} of the zip: {reason}", number=number + 1, reason=error) from error
