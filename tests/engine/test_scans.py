"""Scans: what is read is read rightly, and the rest is refused in words.

Oracles: NumPy, exact fractions, Pillow's encoders, torchvision.
"""

import hashlib
import io
import logging
import os
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps

from psmooth.errors import ScanError
from psmooth.scans import MAX_FILE_BYTES, Crop, CropRule, Window, crop_scan, open_scan, scan_picture
from psmooth.scans.scan import Offer

HEIGHT, WIDTH = 24, 40


def _noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _encode(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def _ramp(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.linspace(0, 65_535, height * width).astype(np.uint16).reshape(height, width)


def _tiff(tags: dict[int, tuple[str, list[int]]], pixels: bytes, order: str = "<") -> bytes:
    """An uncompressed one-strip TIFF from its tags: the pixels follow the header, the directory follows the pixels."""
    tags = {**tags, 273: ("I", [8]), 279: ("I", [len(pixels)])}
    start, extra, entries = 8 + len(pixels), b"", b""
    after = start + 2 + 12 * len(tags) + 4
    for tag, (code, numbers) in sorted(tags.items()):
        value = struct.pack(f"{order}{len(numbers)}{code}", *numbers)
        if len(value) > 4:
            value, extra = struct.pack(f"{order}I", after + len(extra)), extra + value
        entries += struct.pack(f"{order}HHI", tag, {"H": 3, "I": 4}[code], len(numbers)) + value.ljust(4, b"\0")
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    return header + pixels + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + extra


def _grey_tiff(pixels: bytes, bits: int = 16, photometric: int = 1, order: str = "<", **more: int) -> bytes:
    tags = {256: WIDTH, 257: HEIGHT, 258: bits, 259: 1, 262: photometric, 277: 1, 278: HEIGHT}
    tags |= {int(name.removeprefix("tag_")): number for name, number in more.items()}
    return _tiff({tag: ("H", [number]) for tag, number in tags.items()}, pixels, order)


def _png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png(width: int, height: int, depth: int, colour_type: int, rows: bytes, *more: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    chunks = [_png_chunk(b"IHDR", head), *more, _png_chunk(b"IDAT", zlib.compress(rows)), _png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _outcome(data: bytes) -> np.ndarray | str:
    """The pixels, or the sentence of the refusal."""
    try:
        return open_scan(data).values
    except ScanError as error:
        return str(error)


def _refused(source: Any, *words: str) -> str:
    """The sentence of the refusal, which names what is asked for and says what to do."""
    with pytest.raises(ScanError) as caught:
        open_scan(source)
    sentence = str(caught.value)
    for word in words:
        assert word in sentence
    assert sentence.endswith(".")
    assert len(sentence.split()) > 8
    return sentence


# --- formats of 8 bits


@pytest.mark.parametrize(
    ("file_format", "name", "options"),
    [
        ("PNG", "PNG", {}),
        ("TIFF", "TIFF", {}),
        ("TIFF", "TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", "WebP", {"lossless": True}),
    ],
)
def test_lossless_rgb_comes_back_exactly(file_format: str, name: str, options: dict[str, Any]) -> None:
    pixels = _noise(HEIGHT, WIDTH, 3)
    scan = open_scan(_encode(Image.fromarray(pixels), file_format, **options))
    assert np.array_equal(scan.values, pixels)
    assert (scan.kind, scan.format, scan.window) == ("8-bit RGB", name, None)
    assert (scan.width, scan.height) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP"])
def test_lossy_rgb_is_close(file_format: str) -> None:
    across, down = np.meshgrid(np.linspace(40, 220, WIDTH), np.linspace(60, 200, HEIGHT))
    pixels = np.stack([across, down, (across + down) / 2], axis=2).astype(np.uint8)
    scan = open_scan(_encode(Image.fromarray(pixels), file_format, quality=98))
    assert np.abs(scan.values.astype(int) - pixels).max() <= 8


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "JPEG"])
def test_grey_becomes_three_equal_channels(file_format: str) -> None:
    flat = np.full((HEIGHT, WIDTH), 93, np.uint8)
    scan = open_scan(_encode(Image.fromarray(flat), file_format))
    assert scan.values.shape == (HEIGHT, WIDTH, 3)
    assert (scan.values == 93).all()
    assert scan.kind == "8-bit grey"


def test_one_bit_is_black_and_white() -> None:
    mask = _noise(HEIGHT, WIDTH) > 127
    for file_format in ("PNG", "TIFF"):
        scan = open_scan(_encode(Image.fromarray(mask), file_format))
        assert np.array_equal(scan.values, np.where(mask, 255, 0)[..., None].repeat(3, axis=2))


def _on_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None] / 255
    return colour * share + 255 * (1 - share)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP"])
def test_transparency_is_laid_on_white(file_format: str) -> None:
    pixels = _noise(HEIGHT, WIDTH, 4)
    options = {"lossless": True, "exact": True} if file_format == "WEBP" else {}
    scan = open_scan(_encode(Image.fromarray(pixels), file_format, **options))
    assert np.abs(scan.values - _on_white(pixels[..., :3], pixels[..., 3])).max() <= 1
    assert scan.kind == "8-bit RGB with transparency"


def test_opaque_alpha_changes_nothing() -> None:
    pixels = _noise(HEIGHT, WIDTH, 4)
    pixels[..., 3] = 255
    assert np.array_equal(open_scan(_encode(Image.fromarray(pixels), "PNG")).values, pixels[..., :3])


def test_grey_with_alpha_is_laid_on_white() -> None:
    grey, alpha = _noise(HEIGHT, WIDTH, seed=1), _noise(HEIGHT, WIDTH, seed=2)
    image = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
    scan = open_scan(_encode(image, "PNG"))
    assert np.abs(scan.values - _on_white(grey[..., None].repeat(3, axis=2), alpha)).max() <= 1


def test_wholly_transparent_is_refused() -> None:
    pixels = _noise(HEIGHT, WIDTH, 4)
    pixels[..., 3] = 0
    _refused(_encode(Image.fromarray(pixels), "PNG"), "transparent", "alpha")


def _palette_image() -> tuple[Image.Image, np.ndarray, np.ndarray]:
    indices, colours = _noise(HEIGHT, WIDTH) % 7, _noise(256, 3, seed=3)
    image = Image.fromarray(indices)
    image.putpalette(colours.tobytes())
    return image, indices, colours


def test_palette_gives_the_colours_it_names() -> None:
    image, indices, colours = _palette_image()
    assert np.array_equal(open_scan(_encode(image, "PNG")).values, colours[indices])


@pytest.mark.parametrize("transparency", [3, bytes([255, 0, 128, 255, 255, 10, 255])])
def test_palette_transparency_is_laid_on_white(transparency: int | bytes) -> None:
    image, indices, colours = _palette_image()
    alphas = np.full(256, 255)
    if isinstance(transparency, int):
        alphas[transparency] = 0
    else:
        alphas[: len(transparency)] = list(transparency)
    scan = open_scan(_encode(image, "PNG", transparency=transparency))
    assert np.abs(scan.values - _on_white(colours[indices], alphas[indices])).max() <= 1


def test_a_colour_key_is_transparent() -> None:
    grey = np.tile(np.arange(WIDTH, dtype=np.uint8), (HEIGHT, 1))
    scan = open_scan(_encode(Image.fromarray(grey), "PNG", transparency=7))
    assert np.array_equal(scan.values[..., 0], np.where(grey == 7, 255, grey))


@pytest.mark.parametrize("file_format", ["TIFF", "JPEG"])
def test_cmyk_is_converted_as_pillow_does(file_format: str) -> None:
    """Ink of 0 is white paper; a JPEG stores CMYK inverted, as Adobe does, and must not come out as a negative."""
    image = Image.new("CMYK", (WIDTH, HEIGHT), (0, 40, 200, 16))
    scan = open_scan(_encode(image, file_format))
    assert np.abs(scan.values.astype(int) - np.asarray(image.convert("RGB"))).max() <= 3
    assert scan.kind == "8-bit CMYK"
    white = open_scan(_encode(Image.new("CMYK", (WIDTH, HEIGHT), (0, 0, 0, 0)), file_format))
    assert white.values.min() >= 253


# --- orientation

_UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_against_numpy(orientation: int, file_format: str) -> None:
    pixels = _noise(HEIGHT, WIDTH, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if file_format == "WEBP" else {}
    data = _encode(Image.fromarray(pixels), file_format, exif=exif, **options)
    assert np.array_equal(open_scan(data).values, _UPRIGHT[orientation](pixels))
    assert np.array_equal(open_scan(Image.open(io.BytesIO(data))).values, _UPRIGHT[orientation](pixels))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_a_jpeg_and_of_16_bit_grey(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(_noise(HEIGHT, WIDTH, 3))
    plain = open_scan(_encode(picture, "JPEG", quality=90)).values
    assert np.array_equal(
        open_scan(_encode(picture, "JPEG", quality=90, exif=exif)).values, _UPRIGHT[orientation](plain)
    )
    for file_format in ("PNG", "TIFF"):
        deep = open_scan(_encode(Image.fromarray(_ramp()), file_format, exif=exif))
        assert np.array_equal(deep.values, _UPRIGHT[orientation](_ramp()))


def test_an_upright_pillow_image_is_not_turned_again() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.open(io.BytesIO(_encode(Image.fromarray(_noise(HEIGHT, WIDTH, 3)), "PNG", exif=exif)))
    upright = ImageOps.exif_transpose(image)
    assert np.array_equal(open_scan(upright).values, np.asarray(upright))


# --- 16 bits and windows


def test_a_film_of_12_bits_in_16_is_not_nearly_black() -> None:
    """Nothing states its range: from the 0.5th to the 99.5th percentile of its levels, as `numpy` has them too."""
    levels = (_ramp(128, 128).astype(np.int64) * 4_095 // 65_535).astype(np.uint16)
    scan = open_scan(_encode(Image.fromarray(levels), "PNG"))
    low, high = np.percentile(levels, (0.5, 99.5), method="nearest")
    assert scan.offers[0] == Offer("spread of the values", Window((low + high) / 2, high - low))
    assert abs(crop_scan(scan).pixels.mean() - 127.5) < 2


@pytest.mark.parametrize("tag", [{"tag_281": 4_095}, {"tag_341": 4_095}, {"tag_281": 60_000}])
def test_a_tiff_that_states_which_level_is_white(tag: dict[str, Any]) -> None:
    [top] = tag.values()
    levels = (np.arange(HEIGHT * WIDTH) % 4_000).astype("<u2")
    scan = open_scan(_grey_tiff(levels.tobytes(), **tag))
    assert scan.window == Window(top / 2, top)


def test_a_word_that_the_picture_contradicts_is_none() -> None:
    assert (
        open_scan(_grey_tiff(_ramp().astype("<u2").tobytes(), tag_281=4_095)).offers[0].name == "spread of the values"
    )


@pytest.mark.parametrize(("scaled", "top"), [(False, 4_095), (True, 65_535)])
def test_the_significant_bits_of_a_png(scaled: bool, top: int) -> None:
    """Its twelve bits are the upper ones by the standard, and the lower ones in files of many programs."""
    levels = (np.arange(HEIGHT * WIDTH) % 4_096).astype(np.uint16).reshape(HEIGHT, WIDTH)
    data = _encode(Image.fromarray(levels << 4 if scaled else levels), "PNG")
    assert open_scan(data[:33] + _png_chunk(b"sBIT", bytes([12])) + data[33:]).window == Window(top / 2, top)


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_tiff_of_either_byte_order(order: str) -> None:
    scan = open_scan(_grey_tiff(_ramp().astype(f"{order}u2").tobytes(), order=order))
    assert np.array_equal(scan.values, _ramp())
    assert scan.values.dtype == np.uint16
    assert scan.kind == "16-bit grey"
    assert scan.offers[-1] == Offer("full range", Window(32_767.5, 65_535))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate"])
def test_16_bit_compressed_tiff(compression: str) -> None:
    assert np.array_equal(open_scan(_encode(Image.fromarray(_ramp()), "TIFF", compression=compression)).values, _ramp())


def test_16_bit_png_keeps_every_level() -> None:
    levels = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    scan = open_scan(_encode(Image.fromarray(levels), "PNG"))
    assert np.array_equal(scan.values, levels)
    assert scan.format == "PNG"


def test_16_bit_picture_that_counts_down_from_white() -> None:
    """Photometric interpretation 0: a level of 0 is white, as in many digitised radiographs."""
    assert np.array_equal(
        open_scan(_grey_tiff(_ramp().astype("<u2").tobytes(), photometric=0)).values, 65_535 - _ramp()
    )


def test_12_bit_tiff_states_its_own_range() -> None:
    levels = (np.arange(HEIGHT * WIDTH) * 4 % 4_096).astype(np.uint16)
    first, second = levels[::2].astype(int), levels[1::2].astype(int)
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=1).astype(np.uint8)
    scan = open_scan(_grey_tiff(packed.tobytes(), bits=12))
    assert np.array_equal(scan.values.ravel(), levels)
    assert scan.window == Window(2_047.5, 4_095)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_transparent_level_of_few_bits_is_white(depth: int) -> None:
    levels = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 2**depth
    bits = (levels[..., None] >> np.arange(depth)[::-1] & 1).astype(np.uint8).reshape(HEIGHT, -1)
    rows = b"".join(b"\0" + row.tobytes() for row in np.packbits(bits, axis=1))
    scan = open_scan(_png(WIDTH, HEIGHT, depth, 0, rows, _png_chunk(b"tRNS", struct.pack(">H", 1))))
    assert np.array_equal(scan.values[..., 0], np.where(levels == 1, 255, levels * 255 // (2**depth - 1)))


def test_16_bit_transparent_level_is_white() -> None:
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in _ramp())
    key = int(_ramp()[3, 3])
    scan = open_scan(_png(WIDTH, HEIGHT, 16, 0, rows, _png_chunk(b"tRNS", struct.pack(">H", key))))
    assert np.array_equal(scan.values, np.where(_ramp() == key, 65_535, _ramp()))


@pytest.mark.parametrize("bits", [None, 12])
def test_a_transparent_level_does_not_darken_a_film_of_12_bits(bits: int | None) -> None:
    """What lies behind it is white, and the window is that of the picture without it."""
    film = (np.arange(1, HEIGHT * WIDTH + 1) % 4_096).astype(np.uint16).reshape(HEIGHT, WIDTH)
    film[:3] = 0
    stated = b"" if bits is None else _png_chunk(b"sBIT", bytes([bits]))
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in film)
    scan = open_scan(_png(WIDTH, HEIGHT, 16, 0, rows, stated + _png_chunk(b"tRNS", b"\0\0")))
    low, high = np.percentile(film[film > 0], (0.5, 99.5), method="nearest")
    assert scan.window == (Window((low + high) / 2, high - low) if bits is None else Window(2_047.5, 4_095))
    assert (scan_picture(scan)[:3] == 255).all()


def test_32_bit_whole_numbers_are_read_where_16_bits_hold_them() -> None:
    assert np.array_equal(open_scan(Image.fromarray(_ramp().astype(np.int32))).values, _ramp())
    _refused(Image.fromarray(_ramp().astype(np.int32) + 1), "65,536", "window")
    _refused(Image.fromarray(_ramp().astype(np.int32) - 1_024), "-1,024")


def test_signed_levels_of_8_bits_are_not_wrapped_round() -> None:
    levels = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 128 - 100
    scan = open_scan(_grey_tiff(levels.astype(np.int8).tobytes(), bits=8, tag_339=2))
    assert np.array_equal(scan.values, levels)
    assert np.array_equal(scan_picture(scan)[..., 0], levels + 128)


def test_a_known_gradient_survives_the_full_range_exactly() -> None:
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    scan = open_scan(levels)
    picture = scan_picture(scan, scan.offers[-1].window)
    assert np.array_equal(picture, np.arange(256, dtype=np.uint8).reshape(16, 16)[..., None].repeat(3, axis=2))


@pytest.mark.parametrize(
    ("center", "width"), [(32_767.5, 65_535), (1_024, 400), (40, 80), (300.25, 510), (1_000, 1), (-50, 900)]
)
def test_window_against_exact_fractions(center: float, width: float) -> None:
    levels = np.r_[0:2_048:3, 65_535, 32_768, 32_767, 1_024:1_064].astype(np.uint16)
    scan = open_scan(np.tile(levels, (32, 1)))
    low = Fraction(center) - Fraction(width) / 2
    exact = [min(max(255 * (int(level) - low) / Fraction(width), Fraction(0)), Fraction(255)) for level in levels]
    expected = [int(level + Fraction(1, 2)) for level in exact]
    assert scan_picture(scan, Window(center, width))[0, :, 0].tolist() == expected


def test_a_16_bit_ramp_is_not_turned_white() -> None:
    pixels = crop_scan(open_scan(_encode(Image.fromarray(_ramp(128, 128)), "PNG"))).pixels
    assert abs(pixels.mean() - 127.5) < 1
    assert (pixels == 255).mean() < 0.01


def test_a_window_is_recorded_and_applied() -> None:
    scan = open_scan(_ramp())
    assert crop_scan(scan).rule.window == scan.window
    crop = crop_scan(scan, CropRule(window=Window(70_000, 2)))
    assert crop.rule.window == Window(70_000, 2)
    assert (crop.pixels == 0).all()


@pytest.mark.parametrize("width", [0, -5, float("nan"), float("inf")])
def test_an_impossible_window_is_refused(width: float) -> None:
    with pytest.raises(ScanError, match="width above 0"):
        crop_scan(open_scan(_ramp()), CropRule(window=Window(100, width)))


def test_a_window_for_8_bits_is_refused() -> None:
    with pytest.raises(ScanError, match="8 bits"):
        crop_scan(open_scan(_noise(HEIGHT, WIDTH)), CropRule(window=Window(100, 50)))


@pytest.mark.parametrize("colour_type", [2, 4, 6])
def test_16_bit_colour_is_refused_by_name(colour_type: int) -> None:
    channels = {2: 3, 4: 2, 6: 4}[colour_type]
    rows = (b"\0" + bytes(2 * channels * WIDTH)) * HEIGHT
    _refused(_png(WIDTH, HEIGHT, 16, colour_type, rows), "16 bits a channel", "PNG")


def test_16_bit_colour_tiff_is_refused_by_name() -> None:
    tags = {256: WIDTH, 257: HEIGHT, 259: 1, 262: 2, 277: 3, 278: HEIGHT}
    data = _tiff({**{tag: ("H", [n]) for tag, n in tags.items()}, 258: ("H", [16, 16, 16])}, bytes(6 * WIDTH * HEIGHT))
    _refused(data, "16 bits a channel", "TIFF")


def test_floating_point_is_refused_by_name() -> None:
    floats = np.zeros((HEIGHT, WIDTH), np.float32)
    _refused(Image.fromarray(floats), "floating-point")
    _refused(floats, "float32", "window")


# --- arrays and Pillow images


def test_arrays() -> None:
    grey, colour, alpha = _noise(HEIGHT, WIDTH), _noise(HEIGHT, WIDTH, 3), _noise(HEIGHT, WIDTH, 4)
    assert np.array_equal(open_scan(grey).values, grey[..., None].repeat(3, axis=2))
    assert np.array_equal(open_scan(colour[:, ::-1]).values, colour[:, ::-1])
    assert np.abs(open_scan(alpha).values - _on_white(alpha[..., :3], alpha[..., 3])).max() <= 1
    big_endian = _ramp().astype(">u2")
    assert np.array_equal(open_scan(big_endian).values, _ramp())
    assert open_scan(big_endian).values.dtype == np.dtype(np.uint16)


def test_a_scan_is_a_copy() -> None:
    for array in (_noise(HEIGHT, WIDTH, 3), _ramp()):
        scan = open_scan(array)
        before = scan.values.copy()
        array[:] = 0
        assert np.array_equal(scan.values, before)


@pytest.mark.parametrize("shape", [(HEIGHT,), (3, HEIGHT, WIDTH), (HEIGHT, WIDTH, 2), (2, HEIGHT, WIDTH, 3)])
def test_array_shapes_are_refused_by_name(shape: tuple[int, ...]) -> None:
    _refused(np.zeros(shape, np.uint8), str(shape), "(height, width, 3)")


@pytest.mark.parametrize("kind", [np.float64, np.int64, np.bool_, np.complex64])
def test_array_kinds_are_refused_by_name(kind: type) -> None:
    _refused(np.zeros((HEIGHT, WIDTH), kind), np.dtype(kind).name, "uint8")


def test_16_bit_colour_array_is_refused() -> None:
    _refused(np.zeros((HEIGHT, WIDTH, 3), np.uint16), "uint16", "shape")


def test_something_else_is_refused() -> None:
    _refused(17, "not a scan")


# --- refusals of files

_OTHERS = {
    "a GIF": b"GIF89a" + bytes(40),
    "a BMP": b"BM" + bytes(60),
    "a PDF": b"%PDF-1.7\n" + bytes(100),
    "a zip archive": b"PK\x03\x04" + bytes(100),
    "a web page": b"\n<!DOCTYPE html><html><body>Not found</body></html>",
    "an SVG drawing": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "a JPEG 2000 image": b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(40),
    "a HEIC photograph": b"\x00\x00\x00\x18ftypheic" + bytes(40),
    "an AVIF image": b"\x00\x00\x00\x18ftypavif" + bytes(40),
    "a video": b"\x00\x00\x00\x18ftypisom" + bytes(40),
    "a gzip archive": b"\x1f\x8b\x08" + bytes(40),
    "a NumPy array file": b"\x93NUMPY" + bytes(40),
    "a JSON file": b'{"schema": "x"}',
    "a text file": b"patient,age\nSmith,44\n",
    "something other than an image": bytes(range(256)),
}


@pytest.mark.parametrize("name", _OTHERS)
def test_other_files_are_refused_by_what_they_seem_to_be(name: str) -> None:
    sentence = _refused(_OTHERS[name], name, "PNG", "JPEG", "TIFF", "WebP")
    assert "Smith" not in sentence


def test_dicom_without_a_picture_is_refused_by_name() -> None:
    _refused(bytes(128) + b"DICM" + bytes(200), "DICOM file", "no picture", "a file with pixels")
    _refused(b"II*\0".ljust(128, b"\0") + b"DICM" + bytes(200), "DICOM file", "no picture")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "scan.png").touch()
    _refused(tmp_path / "scan.png", "0 bytes")


def test_paths(tmp_path: Path) -> None:
    path = tmp_path / "Jane Doe 1970-01-01.png"
    assert "Jane" not in _refused(path, "no file")
    assert "Jane" not in _refused(str(path), "no file")
    _refused(tmp_path, "folder")
    _refused("a\0b.png", "path")
    path.write_bytes(_encode(Image.fromarray(_noise(HEIGHT, WIDTH, 3)), "PNG")[:200])
    assert "Jane" not in _refused(path, "cut short")
    path.write_bytes(_encode(Image.fromarray(_noise(HEIGHT, WIDTH, 3)), "PNG"))
    scan = open_scan(str(path))
    assert "Jane" not in repr((scan.kind, scan.format, scan.depth))


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    _refused(tmp_path / "pipe", "pipe")


def test_a_file_of_too_many_bytes(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)  # sparse: takes no room
    _refused(path, "64 MB")


def _bomb(file_format: str) -> bytes:
    side = 30_000
    if file_format == "PNG":
        return _png(side, side, 8, 0, b"\0" * 1_000)
    if file_format == "TIFF":
        return _tiff(
            {256: ("I", [side]), 257: ("I", [side]), 258: ("H", [8]), 259: ("H", [1]), 262: ("H", [1])}, b"\0" * 100
        )
    data = bytearray(_encode(Image.new("RGB", (64, 64)), file_format))
    if file_format == "JPEG":
        frame = data.index(b"\xff\xc0")
        data[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
        return bytes(data)
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (side - 1).to_bytes(3, "little") * 2 + bytes(data[12:])
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_a_decompression_bomb_is_refused_from_its_header(file_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: object) -> None:
        raise AssertionError("the pixels were decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)
    most = 16 if file_format == "WEBP" else 64
    _refused(_bomb(file_format), "30,000 × 30,000", f"At most {most} megapixels")


@pytest.mark.parametrize("lossless", [True, False])
def test_webp_sizes_are_read_from_every_kind_of_header(lossless: bool) -> None:
    for width, height in ((17, 333), (16, 16), (300, 20)):
        plain = open_scan(_encode(Image.new("RGB", (width, height)), "WEBP", lossless=lossless))
        assert (plain.width, plain.height) == (width, height)
    _refused(_encode(Image.new("RGB", (4, 9)), "WEBP", lossless=lossless), "4 × 9")
    _refused(_encode(Image.new("RGBA", (4, 9)), "WEBP", lossless=lossless, exif=b"Exif\0\0"), "4 × 9")


def test_too_small_and_too_long() -> None:
    _refused(_encode(Image.new("RGB", (1, 1)), "PNG"), "1 × 1", "16 pixels")
    _refused(_encode(Image.new("L", (15, 400)), "JPEG"), "15 × 400", "16 pixels")
    _refused(_encode(Image.new("L", (5_000, 20)), "PNG"), "5,000 × 20", "32 times")
    assert open_scan(_encode(Image.new("L", (16, 16)), "PNG")).width == 16


def test_many_frames_are_refused_with_their_number() -> None:
    frames = [Image.fromarray(_noise(HEIGHT, WIDTH, 3, seed=k)) for k in range(5)]
    for file_format in ("TIFF", "WEBP", "PNG"):
        data = _encode(frames[0], file_format, save_all=True, append_images=frames[1:])
        _refused(data, "5 frames", "export the one you mean")


def test_a_chain_of_frames_without_an_end() -> None:
    data = bytearray(_encode(Image.fromarray(_noise(HEIGHT, WIDTH)), "TIFF"))
    (start,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, start)
    struct.pack_into("<I", data, start + 2 + 12 * entries, start)  # the next directory is this one
    assert np.array_equal(open_scan(bytes(data)).values[..., 0], _noise(HEIGHT, WIDTH))


def _smooth_picture() -> Image.Image:
    across, down = np.meshgrid(np.arange(96), np.arange(80))
    return Image.fromarray(
        np.stack([across * 2, down * 3, 128 + 60 * np.sin(across * down / 300)], axis=2).astype(np.uint8)
    )


_CUT = {
    "PNG": ("PNG", {}),
    "JPEG": ("JPEG", {}),
    "progressive JPEG": ("JPEG", {"progressive": True}),
    "TIFF": ("TIFF", {}),
    "TIFF, LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "TIFF, JPEG": ("TIFF", {"compression": "jpeg"}),
    "WebP": ("WEBP", {}),
    "WebP, lossless": ("WEBP", {"lossless": True}),
}


@pytest.mark.parametrize("name", _CUT)
def test_a_file_cut_anywhere_is_refused_or_complete(name: str) -> None:
    """Never a half-grey picture: each cut is refused in words, or all pixels were there already."""
    file_format, options = _CUT[name]
    data = _encode(_smooth_picture(), file_format, **options)
    whole = open_scan(data).values
    for kept in sorted({*np.linspace(12, len(data) - 1, 60).astype(int).tolist(), *range(len(data) - 12, len(data))}):
        outcome = _outcome(data[:kept])
        if isinstance(outcome, str):
            assert "cut short" in outcome or "seems to be" in outcome
        else:
            assert np.array_equal(outcome, whole), f"{kept} of {len(data)} bytes"


@pytest.mark.parametrize("name", _CUT)
def test_altered_bytes_raise_nothing_but_a_scan_error(name: str) -> None:
    file_format, options = _CUT[name]
    data = _encode(_smooth_picture(), file_format, **options)
    generator = np.random.default_rng(5)
    for _ in range(60):
        damaged = bytearray(data)
        places = generator.integers(0, len(data) if generator.random() < 0.5 else 200, 4)
        for place in places:
            damaged[place % len(data)] = generator.integers(256)
        outcome = _outcome(bytes(damaged))
        assert not isinstance(outcome, str) or outcome.endswith(".")


def test_tags_are_neither_shown_nor_kept_and_damaged_ones_do_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "Jane Doe", 1
    pixels = _noise(HEIGHT, WIDTH, 3)
    for damage in (b"", b"\xff" * 8):
        block = exif.tobytes()
        block = block[:14] + damage + block[14 + len(damage) :]
        with warnings.catch_warnings(), caplog.at_level(logging.INFO):
            warnings.simplefilter("error")
            scan = open_scan(_encode(Image.fromarray(pixels), "PNG", exif=block))
        assert np.array_equal(scan.values, pixels)
        assert "Jane" not in repr(vars(scan)) + caplog.text


def test_a_damaged_tiff_directory_warns_nobody() -> None:
    data = bytearray(_grey_tiff(_ramp().astype("<u2").tobytes(), tag_271=5))
    place = data.index(struct.pack("<HHI", 271, 3, 1))
    struct.pack_into("<HHII", data, place, 271, 2, 90_000, 2**31)  # the maker's name lies beyond the end of the file
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcome = _outcome(bytes(data))
    assert "damaged" in outcome if isinstance(outcome, str) else np.array_equal(outcome, _ramp())


def test_huge_tiles_are_refused() -> None:
    tags = {256: WIDTH, 257: HEIGHT, 258: 8, 259: 5, 262: 1, 277: 1, 322: 60_000, 323: 60_000, 324: 8, 325: 10}
    _refused(_tiff({tag: ("I", [n]) for tag, n in tags.items()}, bytes(100)), "tiles of 3,600 megapixels")


def test_many_threads_read_the_same() -> None:
    sources = [_encode(Image.fromarray(_noise(HEIGHT, WIDTH, 3, seed=k)), "PNG") for k in range(8)]
    filters = warnings.filters[:]
    with ThreadPoolExecutor(8) as pool:
        scans = list(pool.map(open_scan, sources * 8))
    for k, scan in enumerate(scans):
        assert np.array_equal(scan.values, _noise(HEIGHT, WIDTH, 3, seed=k % 8))
    assert warnings.filters == filters
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


# --- the crop


@pytest.mark.parametrize("shape", [(300, 200), (200, 300), (129, 128), (97, 1_000), (128, 128), (40, 37), (1_001, 999)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_crop_is_that_of_torchvision(shape: tuple[int, int], interpolation: Any) -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    pixels = _noise(*shape, 3)
    mode = {"bicubic": transforms.InterpolationMode.BICUBIC, "bilinear": transforms.InterpolationMode.BILINEAR}
    both = transforms.Compose([transforms.Resize(128, mode[interpolation]), transforms.CenterCrop(128)])
    expected = np.asarray(both(Image.fromarray(pixels))).transpose(2, 0, 1)
    assert np.array_equal(crop_scan(open_scan(pixels), CropRule(interpolation=interpolation)).pixels, expected)


def test_crop_of_a_crop_sized_scan_is_the_scan() -> None:
    pixels = _noise(128, 128, 3)
    for fit in ("crop", "pad"):
        assert np.array_equal(crop_scan(open_scan(pixels), CropRule(fit=fit)).pixels, pixels.transpose(2, 0, 1))


def test_pad_keeps_the_whole_scan_between_black_bars() -> None:
    crop = crop_scan(open_scan(np.full((50, 200), 200, np.uint8)), CropRule(size=64, fit="pad"))
    assert (crop.pixels[:, 24:40] == 200).all()
    assert (crop.pixels[:, :24] == 0).all()
    assert (crop.pixels[:, 40:] == 0).all()
    upright = crop_scan(open_scan(np.full((200, 50), 200, np.uint8)), CropRule(size=64, fit="pad"))
    assert np.array_equal(upright.pixels, crop.pixels.transpose(0, 2, 1))


def test_shrinking_is_antialiased() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (512, 256))
    pixels = crop_scan(open_scan(stripes)).pixels
    assert np.abs(pixels[:, :, 8:-8].astype(int) - 128).max() <= 2


def test_crop_facts() -> None:
    scan = open_scan(_noise(60, 90, 3))
    crop = crop_scan(scan, CropRule(size=32, box=(10, 5, 60, 45)))
    assert isinstance(crop, Crop)
    assert crop.pixels.shape == (3, 32, 32)
    assert crop.pixels.dtype == np.uint8
    assert crop.pixels.flags["C_CONTIGUOUS"]
    assert crop.rule.box == (10, 5, 60, 45)
    assert crop.sha256 == hashlib.sha256(b"3x32x32:" + crop.pixels.tobytes()).hexdigest()
    assert crop_scan(scan).rule.box == (0, 0, 90, 60)
    assert crop_scan(scan, crop_scan(scan).rule).sha256 == crop_scan(scan).sha256


def test_a_box_is_a_part_of_the_scan() -> None:
    pixels = _noise(60, 90, 3)
    crop = crop_scan(open_scan(pixels), CropRule(size=32, box=(40, 20, 72, 52)))
    assert np.array_equal(crop.pixels, pixels[20:52, 40:72].transpose(2, 0, 1))


@pytest.mark.parametrize(
    "box", [(-1, 0, 40, 40), (0, 0, 91, 40), (0, 0, 40, 61), (40, 0, 40, 40), (50, 0, 20, 40), (0, 40, 40, 30)]
)
def test_a_box_outside_the_scan_is_refused(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(ScanError, match="90 × 60"):
        crop_scan(open_scan(_noise(60, 90, 3)), CropRule(box=box))


def test_a_tiny_box_is_refused() -> None:
    with pytest.raises(ScanError, match="box is 8 × 40"):
        crop_scan(open_scan(_noise(60, 90, 3)), CropRule(box=(0, 0, 8, 40)))


@pytest.mark.parametrize("wrong", [{"size": 0}, {"size": 10_000}, {"fit": "x"}, {"interpolation": "x"}])
def test_an_impossible_rule_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ScanError, match="Expected is"):
        crop_scan(open_scan(_noise(60, 90, 3)), CropRule(**wrong))


_ODD = [None, True, float("nan"), float("inf"), -1, 0, 10**400, 1.5, "8", "\ud800", [], [1], {}, (), b"x", 3j, object]


@pytest.mark.parametrize("wrong", _ODD, ids=lambda value: ascii(value)[:12])
def test_a_crop_of_anything_is_made_or_refused_in_a_sentence(wrong: Any) -> None:
    scan = open_scan(_ramp())
    parts: list[dict[str, Any]] = [
        {"size": wrong},
        {"fit": wrong},
        {"interpolation": wrong},
        {"box": wrong},
        {"box": (0, 0, wrong, 20)},
        {"window": wrong},
        {"window": Window(wrong, 5)},
        {"window": Window(5, wrong)},
    ]
    for part in parts:
        try:
            rule = crop_scan(scan, CropRule(**part)).rule
        except ScanError as error:
            str(error).encode()
        else:
            assert CropRule(**part) in (CropRule(), CropRule(window=rule.window)), "only what is a rule makes a crop"


@pytest.mark.parametrize("wrong", [*_ODD, Path("\ud800"), np.array(None), np.zeros((0, 40), np.uint8)], ids=ascii)
def test_what_is_no_scan_is_refused_in_a_sentence(wrong: Any) -> None:
    with pytest.raises(ScanError) as caught:
        open_scan(wrong)
    str(caught.value).encode()


def test_pictures_for_showing() -> None:
    pixels = _noise(HEIGHT, WIDTH, 3)
    scan = open_scan(pixels)
    picture = scan_picture(scan)
    assert np.array_equal(picture, pixels)
    picture[:] = 0
    assert np.array_equal(scan.values, pixels)
    assert scan_picture(open_scan(_ramp())).shape == (HEIGHT, WIDTH, 3)
