"""TIFF files of rarer kinds, and those that a camera wrote: read rightly, or refused by the name of what they are.

Oracles: the arrays that tifffile wrote, and Pillow's colours.
"""

import io
import struct
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from psmooth.errors import ScanError
from psmooth.scans import Scan, Window, open_scan, scan_picture

SHAPE = (40, 56)
COLOURS = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), np.uint8)
GREY = COLOURS[..., 0].copy()


def written(values: np.ndarray, **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, values, **options)
    return out.getvalue()


def refused(data: bytes, *words: str) -> None:
    with pytest.raises(ScanError) as caught:
        open_scan(data)
    assert [word for word in words if word not in str(caught.value)] == []


def shown_by_spread(scan: Scan, values: np.ndarray) -> bool:
    """Whether a scan holds these values and is shown from their 0.5th to their 99.5th percentile."""
    low, high = np.percentile(values, (0.5, 99.5), method="nearest")
    return np.array_equal(scan.values, values) and scan.offers[-1].window == Window((low + high) / 2, high - low)


@pytest.mark.parametrize("kind", ["u4", "u8", "i2", "i4", "i8", "f2", "f4", "f8"])
@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"compression": "zlib"}, {"tile": (16, 16)}], ids=str)
def test_numbers_stay_what_they_are(kind: str, options: dict[str, Any]) -> None:
    values = (np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE) * (1 if kind.startswith("u") else -1)).astype(kind)
    scan = open_scan(written(values, **options))
    assert shown_by_spread(scan, values)
    assert scan.format == "TIFF"
    assert scan.kind.startswith(f"{8 * values.dtype.itemsize}-bit")


def test_signed_levels_of_8_bits_are_black_at_the_lowest() -> None:
    levels = (np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE) % 256 - 128).astype(np.int8)
    assert np.array_equal(scan_picture(open_scan(written(levels)))[..., 0], levels.astype(int) + 128)


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "f4"])
def test_what_counts_down_from_white(kind: str) -> None:
    values = np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE).astype(kind)
    plain, turned = (scan_picture(open_scan(written(values, photometric=way))) for way in ("minisblack", "miniswhite"))
    assert np.abs(255 - turned.astype(int) - plain).max() <= 1


def test_a_part_that_is_no_number_moves_no_window() -> None:
    values = np.linspace(0, 1, SHAPE[0] * SHAPE[1], dtype=np.float32).reshape(SHAPE)
    holed = values.copy()
    holed[:2] = np.nan
    assert open_scan(written(holed)).window == open_scan(written(values[2:])).window


@pytest.mark.parametrize("value", [np.nan, 2e6, -3e9])
def test_values_that_no_window_holds_are_refused(value: float) -> None:
    refused(written(np.full(SHAPE, value, np.float32)), "TIFF", "beyond 1,000,000", "window")


def test_values_on_both_sides_whose_spread_no_certificate_could_name_are_refused() -> None:
    """Each of them is within the limit of 1,000,000, and the window from the one to the other is twice as wide."""
    values = np.full(SHAPE, -900_000, np.int32)
    values[::2] = 900_000
    refused(written(values), "TIFF", "beyond 1,000,000", "window")


@pytest.mark.parametrize("packing", ["lzma", "zstd", "webp", "jpegxl", "jpeg2000", "lerc", "png"])
def test_packings_that_lose_nothing(packing: str) -> None:
    options = {"compressionargs": {"lossless": True}} if packing in ("webp", "jpegxl") else {}
    assert np.array_equal(
        open_scan(written(COLOURS, photometric="rgb", compression=packing, **options)).values, COLOURS
    )
    if packing != "webp":
        deep = GREY.astype(np.uint16) * 200
        assert np.array_equal(open_scan(written(deep, **options)).values, deep)


def test_levels_of_12_bits_in_a_jpeg() -> None:
    levels = np.linspace(0, 4_095, SHAPE[0] * SHAPE[1]).astype(np.uint16).reshape(SHAPE)
    scan = open_scan(written(levels, compression="jpeg", compressionargs={"bitspersample": 12, "level": 100}))
    assert scan.window == Window(2_047.5, 4_095)
    assert np.abs(scan.values.astype(int) - levels).max() <= 2


@pytest.mark.parametrize("packing", [None, "zlib", "lzma"])
def test_brightness_and_colour(packing: str | None) -> None:
    expected = np.asarray(Image.fromarray(COLOURS, "YCbCr").convert("RGB")).astype(int)
    scan = open_scan(written(COLOURS, photometric="ycbcr", compression=packing))
    assert np.abs(scan.values - expected).max() <= 1


@pytest.mark.parametrize("options", [{}, {"compression": "lzma"}], ids=str)
@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_of_8_bit_entries_is_as_bright_as_one_of_16(bits: int, options: dict[str, Any]) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (3, 256)).astype(np.uint16)
    table = colours if bits == 8 else colours * 257
    data = written(GREY, photometric="palette", colormap=table, **options)
    assert np.array_equal(open_scan(data).values, colours.T[GREY])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rare_kinds_are_turned_as_common_ones(orientation: int) -> None:
    turned = [(274, "H", 1, orientation, True)]
    common = open_scan(written(GREY.astype(np.uint16), extratags=turned)).values
    assert np.array_equal(open_scan(written(GREY.astype(np.float32), extratags=turned)).values, common)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_colour_by_plane_is_turned_as_colour_by_pixel(orientation: int) -> None:
    how: dict[str, Any] = {"photometric": "rgb", "extratags": [(274, "H", 1, orientation, True)]}
    common = open_scan(written(COLOURS, **how)).values
    data = written(COLOURS.transpose(2, 0, 1), planarconfig="separate", compression="lzma", **how)
    assert np.array_equal(open_scan(data).values, common)


@pytest.mark.parametrize("packing", [None, "zlib", "lzma", "zstd"])
@pytest.mark.parametrize("alone", [False, True])
def test_a_fourth_channel_of_which_nothing_is_said_is_no_transparency(packing: str | None, alone: bool) -> None:
    fourth = np.full((*SHAPE, 1), 0 if alone else 40, np.uint8)
    how: dict[str, Any] = {"photometric": "rgb", "extrasamples": ["unspecified"], "compression": packing}
    assert np.array_equal(open_scan(written(np.concatenate([COLOURS, fourth], axis=2), **how)).values, COLOURS)


@pytest.mark.parametrize("alpha", ["assocalpha", "unassalpha"])
def test_transparency_of_a_rare_packing_is_laid_on_white(alpha: str) -> None:
    opacity = np.random.default_rng(2).integers(0, 256, (*SHAPE, 1), np.uint8)
    seen = COLOURS * (opacity / 255)
    stored = (seen if alpha == "assocalpha" else COLOURS).astype(np.uint8)
    data = written(
        np.concatenate([stored, opacity], axis=2), photometric="rgb", extrasamples=[alpha], compression="lzma"
    )
    assert np.abs(open_scan(data).values - (seen + 255 - opacity)).max() <= 2


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        (GREY.astype(np.complex64), {}, ("complex64", "grey")),
        (COLOURS.astype(np.float32), {"photometric": "rgb"}, ("3 channels", "float32", "RGB")),
        (COLOURS.astype(np.uint16), {"photometric": "cielab"}, ("uint16", "CIELAB")),
        (COLOURS, {"photometric": "cielab"}, ("LAB",)),
        (np.zeros((*SHAPE, 5), np.uint8), {"photometric": "minisblack", "planarconfig": "contig"}, ("5 channels",)),
        (np.zeros((*SHAPE, 4), np.uint16), {"photometric": "separated"}, ("16 bits a channel",)),
        (COLOURS.astype(np.uint16), {"photometric": "rgb", "compression": "lzma"}, ("16 bits a channel",)),
    ],
    ids=["complex", "float colour", "LAB 16", "LAB", "channels", "CMYK 16", "RGB 16"],
)
def test_other_kinds_are_refused_by_name(values: np.ndarray, options: dict[str, Any], words: tuple[str, ...]) -> None:
    refused(written(values, **options), "TIFF", *words)


@pytest.mark.parametrize(
    ("number", "name"),
    [(6, "JPEG in its old form"), (34677, "LogLuv"), (32809, "THUNDERSCAN"), (34661, "JBIG"), (54321, "54321")],
)
def test_packings_that_nothing_here_undoes_are_refused_by_name(number: int, name: str) -> None:
    data = bytearray(written(GREY))
    entry = data.index(struct.pack("<HHI", 259, 3, 1))
    struct.pack_into("<H", data, entry + 8, number)
    refused(bytes(data), "TIFF", f"packed by {name},")


@pytest.mark.parametrize("kind", ["u1", "f8"])
@pytest.mark.parametrize("options", [{"truncate": True}, {"volumetric": True}, {"ome": True}], ids=str)
def test_stacks_are_refused_with_their_number(kind: str, options: dict[str, Any]) -> None:
    refused(written(np.zeros((32, *SHAPE), kind), photometric="minisblack", **options), "32 frames")


def test_a_stack_of_metamorph_is_refused_with_its_number() -> None:
    planes = [(33629, 5, 3, (1, 1) * 3, True)]
    refused(written(GREY, extratags=planes), "3 frames")


def _many(*pictures: tuple[np.ndarray, dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as file:
        for values, options in pictures:
            file.write(values, **options)
    return out.getvalue()


def test_a_smaller_copy_beside_the_picture_is_none_of_its_own() -> None:
    rgb: dict[str, Any] = {"photometric": "rgb"}
    small = (COLOURS[::2, ::2].copy(), {**rgb, "subfiletype": 1})
    assert np.array_equal(open_scan(_many((COLOURS, rgb), small)).values, COLOURS)
    refused(_many((COLOURS, rgb), (COLOURS[::2, ::2].copy(), rgb)), "2 frames")
    refused(_many(small, (COLOURS, rgb)), "2 frames")


@pytest.mark.parametrize(
    "data",
    [
        _many((COLOURS, {"photometric": "rgb", "subifds": 1, "subfiletype": 1}), (GREY, {"photometric": 32803})),
        _many((COLOURS, {"photometric": "rgb", "extratags": [(50706, "B", 4, (1, 4, 0, 0), True)]})),
        written(COLOURS.astype(np.uint16), photometric=34892),
        b"II*\0\x10\0\0\0CR\x02\0" + bytes(60),
        b"FUJIFILMCCD-RAW 0201" + bytes(60),
        b"\0\0\0\x18ftypcrx " + bytes(60),
        b"IIRO\x08\0\0\0" + bytes(60),
    ],
    ids=["filters behind a preview", "DNG", "linear", "CR2", "RAF", "CR3", "ORF"],
)
def test_a_cameras_raw_file_is_not_read_by_its_preview(data: bytes) -> None:
    refused(data, "a camera's raw file")
