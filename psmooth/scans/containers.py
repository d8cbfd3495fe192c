"""Bounds what an image file costs before a decoder sees it: its segments, scans, chunks, frames, directories and tiles.

It knows nothing about pixels. Of a PNG, JPEG or WebP only those parts are handed on that the pixels and their
orientation need, so a colour profile or a comment may be of any size. A TIFF is handed on as it is, once its
directories are found acceptable: each of its tags may point anywhere, and 65,000 of them at the same megabyte.
"""

import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from psmooth.errors import ScanError

MOST_JPEG_SCANS: Final = 32  # libjpeg's own progressive files have 10, of CMYK 18; each costs a pass over all pixels
MOST_PARTS: Final = 100_000  # segments, chunks or frames; a picture of 64 MB in chunks of 8 kB has 8,000
_LONGEST_HEAD: Final = 1_000_000  # bytes of what stands before the first scan of a JPEG and is handed on
_MOST_TAGS: Final = 1_000  # of one directory; cameras write some 100
_LONGEST_TEXT: Final = 200_000  # characters of a tag in hexadecimal digits, of which 64 kB are the most that EXIF has

_PNG_PARTS: Final = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf", b"acTL", b"fcTL")
_PNG_TEXTS: Final = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")  # where programs leave an orientation
_JPEG_LEFT_OUT: Final = {*range(0xE1, 0xEE), 0xEF, 0xFE}  # application data and comments, but not JFIF's and Adobe's
_JPEG_KEPT: Final = (b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0")
_WEBP_PARTS: Final = (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"EXIF", b"XMP ")
_RARE_JPEGS: Final = {
    0xC3: "lossless JPEG", **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "hierarchical JPEG"),
    0xCB: "lossless JPEG", 0xF7: "JPEG-LS",
}  # fmt: skip
_JPEG_FRAMES: Final = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA, *_RARE_JPEGS)
_MARKER: Final = re.compile(rb"\xff+([^\x00\xff])")  # fill bytes may stand before it

_TAG_BYTES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_INNER: Final = (34665, 34853, 40965)  # directories that a tag points at: of the camera, the place, the interchange
_SUBFILE, _SUB, _DNG, _NDPI = 254, 330, 50706, 65420
_SMALLER, _MASK = 1, 4  # bits of the kind of a subfile
_OF_PIXELS: Final = (258, 273, 279, 320, 324, 325, 339)  # tags without which a picture is read as another kind
_LISTS: Final = (273, 279, 324, 325)  # places and sizes of strips and tiles
_JPEG: Final = 7
TIFF_COMPRESSIONS: Final = (1, 2, 3, 4, 5, _JPEG, 8, 32773, 32946)  # those that every Pillow reads in bounds
TIFF_SIGNS: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_RAW_PIXELS: Final = (32803, 34892)  # photometric interpretations: of the sensor's filters, and linear ones
_MOST_INNER: Final = 16  # directories within the first that are looked through


class CostlyFileError(ValueError):
    """A file that costs more than any picture of its kind has reason to."""


def bounded(data: bytes, file_format: str) -> bytes:
    """The file as a decoder may have it.

    Raises:
        ScanError: many frames, or a JPEG of very many scans.
        CostlyFileError, struct.error, IndexError: built to be expensive, or cut short.
    """
    match file_format:
        case "PNG":
            return data[:8] + b"".join(_png_parts(data))
        case "JPEG":
            return b"".join(_jpeg_parts(data))
        case "WebP":
            parts = b"".join(_webp_parts(data))
            return b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WEBP" + parts
        case _:
            check_frames(_count_directories(data), file_format)
            return data


def check_frames(frames: int, file_format: str) -> None:
    """Raises `ScanError` for more than one."""
    if frames > 1:
        raise ScanError(
            "This {file_format} holds {frames:,} frames, and one certificate is about one picture. Expected is a "
            "single frame: export the one you mean as PNG or TIFF.",
            file_format=file_format,
            frames=frames,
        )


def exif_is_bounded(block: bytes) -> bool:
    """Whether the tags of an EXIF block fit into it, so that reading them takes no more room than it has."""
    try:
        _Directories.of(block.removeprefix(b"Exif\0\0")).read_first()
    except (CostlyFileError, struct.error):
        return False
    return True


# --- PNG


def _png_parts(data: bytes) -> Iterator[bytes]:
    """Whole chunks, as they stand with their checksums; what is cut off is left to the decoder to refuse."""
    place = 8
    for _ in range(MOST_PARTS):
        if place >= len(data):
            return
        length, name = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if name in _PNG_PARTS or name in (b"tEXt", b"zTXt", b"iTXt"):
            body = memoryview(data)[place + 8 : end - 4]
            if name in _PNG_PARTS[:5] or _is_wanted(name, body):
                yield data[place:end]
        if name == b"IEND":
            return
        place = end
    raise CostlyFileError("chunks")


def png_significant_bits(data: bytes) -> int | None:
    """Bits of a grey level that were measured, as the chunk sBIT says; None where a file does not."""
    place = 8
    for _ in range(MOST_PARTS):
        length, name = struct.unpack_from(">I4s", data, place)
        if name == b"sBIT" and length == 1:
            return data[place + 8] if 0 < data[place + 8] <= 16 else None
        if name in (b"IDAT", b"IEND"):
            return None
        place += 12 + length
    return None


def _is_wanted(name: bytes, body: memoryview) -> bool:
    """Whether a chunk beside the pixels may tell their orientation, or that there are many frames."""
    if name == b"eXIf":
        return exif_is_bounded(bytes(body))
    if name in (b"acTL", b"fcTL"):
        return True
    keyword = next((word for word in _PNG_TEXTS if body[: len(word)] == word), None)
    if keyword is None or len(body) > _LONGEST_TEXT:
        return False
    if name == b"zTXt":
        stream = zlib.decompressobj()
        return len(stream.decompress(body[len(keyword) + 1 :], _LONGEST_TEXT)) < _LONGEST_TEXT
    return True


# --- JPEG


def _jpeg_parts(data: bytes) -> Iterator[bytes]:
    """Every segment before the first scan that matters, then all scans up to the end of the picture."""
    yield data[:2]
    place, kept, head = 2, set[bytes](), 0
    for _ in range(MOST_PARTS):
        marker = _MARKER.search(data, place)
        if marker is None:
            return
        code, place = marker[1][0], marker.end()
        if code == 0xDA:
            end = data.find(b"\xff\xd9", place)  # within the picture's data this is nothing but its end
            scans = data[marker.start() : end + 2 if end >= 0 else len(data)]
            _check_scans(scans.count(b"\xff\xda"))
            yield scans
            return
        if code in (0x01, *range(0xD0, 0xDA)):  # markers that stand alone
            continue
        length = int.from_bytes(data[place : place + 2], "big")
        body = data[place + 2 : place + length]
        place += length
        if code in _JPEG_FRAMES:
            _check_frame(code, body[0])
        known = next((sign for sign in _JPEG_KEPT if body.startswith(sign)), None) if code == 0xE1 else None
        fresh = known is not None and known not in kept and (known != _JPEG_KEPT[0] or exif_is_bounded(body))
        if code not in _JPEG_LEFT_OUT or fresh:
            kept |= {known} if known else set()
            head += length
            if head > _LONGEST_HEAD:
                break
            yield bytes([0xFF, code]) + length.to_bytes(2, "big") + body
    raise CostlyFileError("segments")


def _check_frame(code: int, bits: int) -> None:
    if code in _RARE_JPEGS or bits != 8:
        raise ScanError(
            "This JPEG is one of {bits} bits a channel, packed in the form {form}, which is not read. Open it in a "
            "viewer and export it as PNG.",
            bits=bits,
            form=_RARE_JPEGS.get(code, "JPEG"),
        )


def _check_scans(scans: int) -> None:
    if scans > MOST_JPEG_SCANS:
        raise ScanError(
            "This JPEG draws its picture in {scans:,} passes, and at most {most} are read. Open it in a viewer and "
            "export it as PNG.",
            scans=scans,
            most=MOST_JPEG_SCANS,
        )


# --- WebP


def _webp_parts(data: bytes) -> Iterator[bytes]:
    place, frames = 12, 0
    for _ in range(MOST_PARTS):
        if place + 8 > len(data):
            check_frames(frames, "WebP")
            return
        name, length = struct.unpack_from("<4sI", data, place)
        end = place + 8 + length + length % 2
        frames += name == b"ANMF"
        if name in _WEBP_PARTS and (name != b"EXIF" or exif_is_bounded(data[place + 8 : place + 8 + length])):
            yield data[place:end]
        place = end
    raise CostlyFileError("chunks")


def webp_size(data: bytes) -> tuple[int, int]:
    """(width, height) from the header of WebP's container format, RFC 9649."""
    if data[12:16] == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if data[12:16] == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


# --- TIFF and EXIF


@dataclass(frozen=True)
class _Directories:
    """The directories of a TIFF or of an EXIF block, which is built as one; ``order`` is that of `struct`."""

    data: bytes
    order: str
    big: bool

    @classmethod
    def of(cls, data: bytes) -> "_Directories":
        return cls(data, "<" if data[:2] == b"II" else ">", b"+" in data[2:4])

    @property
    def first(self) -> int:
        return struct.unpack_from(self.order + ("Q" if self.big else "I"), self.data, 8 if self.big else 4)[0]

    def read_first(self) -> None:
        """Hold the first directory, and those within it, against the bounds. Raises `CostlyFileError`."""
        waiting, seen = [self.first], set[int]()
        while waiting:
            place = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            needed = 0
            for tag, kind, count, value in self.entries(place):
                size = _TAG_BYTES.get(kind, 0)
                needed += count * size
                if needed > len(self.data) or ((size > 1 or tag in _LISTS) and count > 2 * MOST_PARTS):
                    raise CostlyFileError("tags")
                if tag in _INNER and len(seen) <= len(_INNER):
                    waiting.append(struct.unpack(self.order + "I", value[:4])[0])

    def is_whole(self, place: int) -> bool:
        """Whether a directory, and those of its values that the pixels need, lie within the file."""
        (count,) = struct.unpack_from(self.order + ("Q" if self.big else "H"), self.data, place)
        found = list(self.entries(place))
        ends = [
            struct.unpack_from(self.order + ("Q" if self.big else "I"), value)[0] + size * _TAG_BYTES.get(kind, 0)
            for tag, kind, size, value in found
            if tag in _OF_PIXELS and size * _TAG_BYTES.get(kind, 0) > len(value)
        ]
        return len(found) == count and max(ends, default=0) <= len(self.data)

    def text(self, place: int, wanted: int) -> bytes:
        """The first bytes of a tag that holds text; none where it is not there."""
        for tag, _, count, value in self.entries(place):
            if tag == wanted:
                at = struct.unpack_from(self.order + ("Q" if self.big else "I"), value)[0]
                return value if count <= len(value) else self.data[at : at + 64]
        return b""

    def number(self, place: int, wanted: int) -> int:
        """The value of a tag that holds one whole number; 0 where it is not there."""
        for tag, kind, _, value in self.entries(place):
            if tag == wanted:
                return struct.unpack_from(self.order + ("H" if kind == 3 else "I"), value)[0]
        return 0

    def inner(self, place: int) -> list[int]:
        """Where the directories stand that the tag SubIFDs points at."""
        for tag, kind, count, value in self.entries(place):
            if tag == _SUB and count * _TAG_BYTES.get(kind, 0) <= len(self.data):
                code = "Q" if kind in (16, 18) else "I"
                at = struct.unpack_from(self.order + ("Q" if self.big else "I"), value)[0]
                held = count * struct.calcsize(code) <= len(value)
                return [
                    *struct.unpack_from(f"{self.order}{count}{code}", value if held else self.data, 0 if held else at)
                ]
        return []

    def entries(self, place: int) -> Iterator[tuple[int, int, int, bytes]]:
        """(tag, type, number of values, the value or its place) of a directory; nothing where none is."""
        head, entry = ("Q", "HHQ8s") if self.big else ("H", "HHI4s")
        start = place + struct.calcsize(self.order + head)
        if start > len(self.data):
            return
        (count,) = struct.unpack_from(self.order + head, self.data, place)
        if count > _MOST_TAGS:
            raise CostlyFileError("tags")
        size = struct.calcsize(self.order + entry)
        block = self.data[start : start + count * size]
        yield from struct.iter_unpack(self.order + entry, block[: len(block) - len(block) % size])

    def places(self) -> Iterator[int]:
        """Where each directory of the chain stands, once, however often the chain comes back to it."""
        head, link, size = ("Q", "Q", 20) if self.big else ("H", "I", 12)
        head, link = self.order + head, self.order + link
        place, seen = self.first, set[int]()
        while place and place not in seen and place + struct.calcsize(head) <= len(self.data):
            yield place
            seen.add(place)
            (count,) = struct.unpack_from(head, self.data, place)
            after = place + struct.calcsize(head) + count * size
            if after + struct.calcsize(link) > len(self.data):
                return
            (place,) = struct.unpack_from(link, self.data, after)


def _count_directories(data: bytes) -> int:
    """How many pictures there are; a smaller copy or a mask of the first one is none of its own."""
    directories = _Directories.of(data)
    directories.read_first()
    if not directories.is_whole(directories.first):
        raise CostlyFileError("directory")
    places = list(islice(directories.places(), MOST_PARTS + 1))
    if len(places) > MOST_PARTS:
        raise CostlyFileError("directories")
    beside = sum(directories.number(place, _SUBFILE) & (_SMALLER | _MASK) != 0 for place in places[1:])
    return len(places) - beside if places and not directories.number(places[0], _SUBFILE) else len(places)


def is_camera_raw(data: bytes) -> bool:
    """Whether a TIFF is a camera's raw file, whose first picture is no more than a preview."""
    directories = _Directories.of(data)
    try:
        tags = {tag for tag, *_ in directories.entries(directories.first)}
        inner = [directories.first, *directories.inner(directories.first)[:_MOST_INNER]]
        kinds = [directories.number(place, 262) for place in inner]
    except (CostlyFileError, struct.error):
        return False
    return data[8:10] == b"CR" or _DNG in tags or any(kind in _RAW_PIXELS for kind in kinds)


def is_slide(data: bytes) -> bool:
    """Whether a TIFF is a whole slide by its own word: Aperio's description, or a tag of Hamamatsu's."""
    directories = _Directories.of(data)
    try:
        place = directories.first
        return directories.text(place, 270).startswith(b"Aperio") or directories.number(place, _NDPI) > 0
    except (CostlyFileError, struct.error):
        return False


def check_strips(data: bytes, tags: Mapping[int, Any]) -> None:
    """Hold the strips or tiles of a TIFF against what its compression may cost. Raises `CostlyFileError`."""
    if tags.get(259, 1) == _JPEG:
        offsets, sizes = (tags.get(324, tags.get(273, ())), tags.get(325, tags.get(279, ())))
        if sum(sizes) > 4 * len(data):
            raise CostlyFileError("strips")
        scans = sum(data.count(b"\xff\xda", start, start + size) for start, size in zip(offsets, sizes, strict=False))
        if scans > 4 * len(offsets):  # a scan for every channel; the strips share their pixels, but not their scans
            raise CostlyFileError("scans")
