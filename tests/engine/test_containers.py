"""Files built to be expensive: refused or read at the price of a picture, and large but honest ones are read.

Oracles: the same picture without what was added; what `tracemalloc` has seen; the number of frames and scans written.
"""

import io
import struct
import threading
import tracemalloc
import warnings
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin

from psmooth.errors import ScanError
from psmooth.scans import open_scan
from psmooth.scans.containers import MOST_JPEG_SCANS, MOST_PARTS

SIDE = 64
PIXELS = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
Tags = dict[int, tuple[int, int, bytes]]  # number: (type, number of values, the values)


def _encode(file_format: str, pixels: np.ndarray = PIXELS, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, file_format, **options)
    return buffer.getvalue()


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png_with(*chunks: bytes) -> bytes:
    plain = _encode("PNG")
    return plain[:33] + b"".join(chunks) + plain[33:]


def _jpeg_with(*segments: bytes) -> bytes:
    plain = _encode("JPEG", quality=95)
    return plain[:2] + b"".join(segments) + plain[2:]


def _segment(code: int, body: bytes) -> bytes:
    return bytes([0xFF, code]) + struct.pack(">H", len(body) + 2) + body


def _webp_with(name: bytes, body: bytes) -> bytes:
    plain = _encode("WEBP", lossless=True)
    head = b"VP8X" + struct.pack("<I", 10) + bytes([8, 0, 0, 0]) + (SIDE - 1).to_bytes(3, "little") * 2
    rest = head + plain[12:] + name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(rest)) + b"WEBP" + rest


def _short(*numbers: int) -> tuple[int, int, bytes]:
    return 3, len(numbers), struct.pack(f"<{len(numbers)}H", *numbers)


def _long(*numbers: int) -> tuple[int, int, bytes]:
    return 4, len(numbers), struct.pack(f"<{len(numbers)}I", *numbers)


def _directory(tags: Tags, place: int, following: int = 0) -> bytes:
    """A directory that will stand at ``place``, with the values that do not fit into it behind it."""
    after, entries, values = place + 6 + 12 * len(tags), b"", b""
    for tag, (kind, count, value) in sorted(tags.items()):
        if len(value) > 4:
            value, values = struct.pack("<I", after + len(values)), values + value
        entries += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", following) + values


def _tiff(tags: Tags, body: bytes = bytes(SIDE * SIDE), following: int = 0) -> bytes:
    """Grey, in one strip unless the tags say otherwise."""
    plain = {256: _long(SIDE), 257: _long(SIDE), 258: _short(8), 259: _short(1), 262: _short(1), 277: _short(1)}
    strip = {} if 322 in tags else {273: _long(8), 278: _long(SIDE), 279: _long(len(body))}
    directory = _directory({**plain, **strip, **tags}, 8 + len(body), following)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory


def _exif_bomb(tags: int, size: int) -> bytes:
    """An EXIF block whose every tag is the same ``size`` bytes: read one by one, they take tags × size."""
    entries = b"".join(struct.pack("<HHII", 1_000 + tag, 1, size, 14 + 12 * tags) for tag in range(tags))
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", tags) + entries + bytes(4 + size)


def _refused(data: bytes, words: str) -> None:
    with pytest.raises(ScanError, match=words):
        open_scan(data)


def _memory(action: Callable[[], object]) -> int:
    """The most bytes that Python held for it."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- JPEG


def _drawn_in(scans_of_it: int) -> bytes:
    """A progressive JPEG whose last scan, a refinement, is drawn again and again."""
    data = _encode("JPEG", progressive=True, quality=50)
    end, last = data.rindex(b"\xff\xd9"), data.rindex(b"\xff\xda")
    return data[:end] + data[last:end] * (scans_of_it - data.count(b"\xff\xda")) + data[end:]


def test_a_jpeg_of_very_many_scans_is_refused_before_it_is_decoded() -> None:
    _refused(_drawn_in(5_000), f"in 5,000 passes, and at most {MOST_JPEG_SCANS} are read")
    assert open_scan(_encode("JPEG", progressive=True)).width == SIDE
    assert open_scan(_drawn_in(MOST_JPEG_SCANS)).width == SIDE


def test_scans_are_counted_to_the_end_of_the_picture_alone() -> None:
    """Behind it cameras put films and further pictures, which no decoder looks at."""
    plain = _encode("JPEG", quality=95)
    assert np.array_equal(open_scan(plain + b"\xff\xda" * 99).values, open_scan(plain).values)


def test_scans_hidden_behind_an_early_end_are_not_decoded() -> None:
    data = _drawn_in(200)
    place = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    _refused(data[:place] + _segment(0xFE, b"\xff\xd9") + data[place:], "cut short, damaged or of a rare kind")


@pytest.mark.parametrize(
    "added",
    [
        [_segment(0xE2, b"ICC_PROFILE\0" + bytes([n, 30]) + bytes(65_000)) for n in range(1, 31)],
        [_segment(0xFE, b"x" * 60_000)] * 30,
        [_segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(60_000))] * 30,
        [b"\xff" * 500_000],
        [_segment(0xFE, b""), bytes(500_000)],
        [_segment(0xE1, b"Exif\0\0" + _exif_bomb(2_000, 30_000))],
    ],
    ids=["profile", "comments", "extended XMP", "fill bytes", "junk", "tags"],
)
def test_whatever_stands_before_a_jpegs_picture_leaves_the_picture(added: list[bytes]) -> None:
    plain, data = open_scan(_jpeg_with()).values, _jpeg_with(*added)
    assert np.array_equal(open_scan(data).values, plain)
    assert _memory(lambda: open_scan(data)) < 8_000_000


def test_a_jpeg_of_very_many_segments_is_refused() -> None:
    _refused(_jpeg_with(_segment(0xFE, b"") * (MOST_PARTS + 1)), "rare kind")
    _refused(_jpeg_with(_segment(0xDB, bytes(65 * 900)) * 20), "rare kind")


@pytest.mark.parametrize("kind", ["XMP", "EXIF behind a profile"])
def test_a_jpeg_is_still_turned(kind: str) -> None:
    packet = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="3"/>'
    exif = Image.Exif()
    exif[0x0112] = 3
    segments = [_segment(0xE2, bytes(60_000)), _segment(0xE1, packet if kind == "XMP" else exif.tobytes())]
    turned = open_scan(_jpeg_with(*segments)).values
    assert np.array_equal(turned, open_scan(_jpeg_with()).values[::-1, ::-1])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (imagecodecs.jpeg8_encode(PIXELS, lossless=True), "8 bits a channel, packed in the form lossless JPEG"),
        (imagecodecs.jpeg8_encode(PIXELS[..., 0].astype("u2") * 16, bitspersample=12), "12 bits a channel, .* JPEG,"),
        (imagecodecs.jpegls_encode(PIXELS // 64), "JPEG-LS"),
    ],
    ids=["lossless", "12 bits", "JPEG-LS"],
)
def test_a_jpeg_of_a_rare_form_is_refused_by_its_name(data: bytes, words: str) -> None:
    _refused(data, words)


# --- PNG


def _text(name: bytes, keyword: bytes, text: bytes) -> bytes:
    return _chunk(name, keyword + b"\0" + (b"\0" + zlib.compress(text) if name == b"zTXt" else text))


@pytest.mark.parametrize(
    "added",
    [
        _chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(40_000_000))),
        _text(b"zTXt", b"Comment", bytes(40_000_000)),
        _text(b"zTXt", b"Raw profile type exif", bytes(40_000_000)),
        _text(b"tEXt", b"Comment", b"x" * 2_000_000),
        _chunk(b"iTXt", b"c\0\1\0\0\0" + zlib.compress(bytes(40_000_000))),
        _chunk(b"eXIf", _exif_bomb(2_000, 30_000)),
        _chunk(b"prVt", bytes(2_000_000)),
    ],
    ids=["profile", "text", "profile as text", "long text", "international text", "tags", "private"],
)
def test_whatever_stands_beside_a_pngs_picture_leaves_the_picture(added: bytes) -> None:
    data = _png_with(added)
    assert np.array_equal(open_scan(data).values, PIXELS)
    assert _memory(lambda: open_scan(data)) < len(data) * 3 + 2_000_000


def test_a_png_of_very_many_chunks_is_refused() -> None:
    _refused(_png_with(_chunk(b"IDAT", b"") * (MOST_PARTS + 1)), "rare kind")


@pytest.mark.parametrize("kind", ["XMP", "text of ImageMagick"])
def test_a_png_is_still_turned(kind: str) -> None:
    texts, exif = PngImagePlugin.PngInfo(), Image.Exif()
    exif[0x0112] = 3
    if kind == "XMP":
        texts.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="3"/>')
    else:
        block = exif.tobytes()
        texts.add_text("Raw profile type exif", f"\nexif\n{len(block)}\n{block.hex()}\n", zip=True)
    assert np.array_equal(open_scan(_encode("PNG", pnginfo=texts)).values, PIXELS[::-1, ::-1])


# --- WebP


@pytest.mark.parametrize(
    ("name", "body"), [(b"EXIF", _exif_bomb(2_000, 30_000)), (b"ICCP", bytes(2_000_000)), (b"abcd", bytes(99))]
)
def test_whatever_stands_beside_a_webps_picture_leaves_the_picture(name: bytes, body: bytes) -> None:
    data = _webp_with(name, body)
    assert np.array_equal(open_scan(data).values, PIXELS)
    assert _memory(lambda: open_scan(data)) < len(data) * 3 + 2_000_000


def test_a_webp_of_very_many_frames_or_chunks_is_refused() -> None:
    frame = b"ANMF" + struct.pack("<I", 16) + bytes(16)
    _refused(_webp_with(b"abcd", b"") + frame * 3_000, "3,000 frames")
    _refused(_webp_with(b"abcd", b"") + b"abcd\0\0\0\0" * (MOST_PARTS + 1), "rare kind")


# --- TIFF


def _chained(count: int, last: int = 0) -> bytes:
    """Further directories of one tag each behind the picture's; the last one leads to ``last``."""
    start = len(_tiff({}))
    links = [start + 18 * n for n in range(1, count)] + [last]
    return _tiff({}, following=start) + b"".join(
        struct.pack("<HHHIII", 1, 256, 4, 1, SIDE, following) for following in links
    )


def test_directories_are_counted_without_being_read() -> None:
    _refused(_chained(2_200), "2,201 frames")
    _refused(_chained(1, last=8 + SIDE * SIDE), "2 frames")
    _refused(_chained(MOST_PARTS + 1), "rare kind")


def test_a_stack_that_imagej_keeps_in_one_directory_is_refused() -> None:
    told = b"ImageJ=1.53t\nimages=3\nslices=3\n\0"
    _refused(_tiff({270: (2, len(told), told)}, bytes(3 * SIDE * SIDE)), "3 frames")
    alone = b"ImageJ=1.53t\nunit=inch\n\0"
    assert open_scan(_tiff({270: (2, len(alone), alone)})).width == SIDE


def _pointing(tag: int) -> bytes:
    """A picture with a directory of the camera, the place or the interchange that is a bomb."""
    plain = _tiff({tag: _long(0)})
    bomb = struct.pack("<H", 900) + struct.pack("<HHII", 1, 1, 4_000, 8) * 900 + bytes(4)
    return _tiff({tag: _long(len(plain))}) + bomb


@pytest.mark.parametrize(
    "data",
    [
        _tiff({1_000 + n: (1, 4_000, bytes(4_000)) for n in range(1_001)}),
        _tiff({1_000 + n: (1, 4_000, b"\x08\0\0\0") for n in range(900)}),
        _tiff({1_000: (3, 0x7FFFFFFF, b"\x08\0\0\0")}),
        _tiff({273: _long(*[8] * (2 * MOST_PARTS + 1))}),
        _tiff({273: (1, 2 * MOST_PARTS + 1, bytes(2 * MOST_PARTS + 1))}),
        _tiff({322: _long(100_000), 323: _long(SIDE), 324: _long(8), 325: _long(9), 257: _long(2_000)}),
        _tiff({259: _short(34_925)}),
        _pointing(34_665),
        _pointing(34_853),
        b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, 2**60) + bytes(4_000),
    ],
    ids=["tags", "shared", "long", "strips", "bytes", "tiles", "LZMA", "camera", "place", "BigTIFF"],
)
def test_a_tiff_that_would_cost_more_than_its_picture_is_refused(data: bytes) -> None:
    assert _memory(lambda: _refused(data, "rare kind")) < len(data) * 4 + 2_000_000


def test_a_tiff_of_jpegs_is_held_against_their_scans() -> None:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS[..., 0]).save(buffer, "JPEG", progressive=True, quality=50)
    once = buffer.getvalue()
    end, last = once.rindex(b"\xff\xd9"), once.rindex(b"\xff\xda")
    often = once[:end] + once[last:end] * 90 + once[end:]
    tiles: Tags = {256: _long(8 * SIDE), 257: _long(8 * SIDE), 259: _short(7), 322: _long(SIDE), 323: _long(SIDE)}
    shared = {324: _long(*[8] * 64), 325: _long(*[len(often)] * 64)}
    _refused(_tiff({**tiles, **shared}, often), "rare kind")
    buffer = io.BytesIO()
    Image.fromarray(PIXELS[..., 0]).save(buffer, "TIFF", compression="jpeg")
    assert open_scan(buffer.getvalue()).width == SIDE


# --- nobody waits


@contextmanager
def being_read(monkeypatch: pytest.MonkeyPatch, scans: int, side: int) -> Iterator[None]:
    """While the block runs, other threads are in the middle of that many scans."""
    load, go, inside = ImageFile.ImageFile.load, threading.Event(), threading.Semaphore(0)

    def slowly(image: ImageFile.ImageFile) -> Any:
        if threading.current_thread().name.startswith("slow"):
            inside.release()
            go.wait(30)
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", slowly)
    data = _encode("PNG", np.zeros((side, side), np.uint8))
    with ThreadPoolExecutor(scans, "slow") as readers:
        read = [readers.submit(open_scan, data) for _ in range(scans)]
        assert all(inside.acquire(timeout=30) for _ in read)
        yield
        go.set()
    assert all(one.result().width == side for one in read)


def test_a_scan_is_read_while_others_are_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with being_read(monkeypatch, 3, side=20), ThreadPoolExecutor(1) as other:
        assert np.array_equal(other.submit(open_scan, _encode("PNG")).result(30).values, PIXELS)


def test_a_small_scan_does_not_wait_for_large_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    with being_read(monkeypatch, 2, side=3_000), ThreadPoolExecutor(1) as other:
        assert np.array_equal(other.submit(open_scan, _encode("PNG")).result(30).values, PIXELS)


def test_warnings_speak_again_after_the_last_of_those_that_read(monkeypatch: pytest.MonkeyPatch) -> None:
    before = warnings.filters[:]
    with being_read(monkeypatch, 1, side=20):
        open_scan(_encode("PNG"))
        assert warnings.filters != before, "the other one still reads"
    assert warnings.filters == before
