"""DICOM files show as the standard says, in their own unit, or say why not; nothing of a patient's comes along.

The oracles are the formulas of PS3.3, written out here, and pydicom's own tables and colours.
"""

import io
import logging
import re
import subprocess
import sys
import threading
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom._dicom_dict import DicomDictionary
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, RLELossless, SecondaryCaptureImageStorage

from psmooth.certificate import Plan, verify
from psmooth.errors import ScanError
from psmooth.models import MedVLM
from psmooth.scans import Scan, Window, apart, crop_scan, open_frames, open_scan, scan_picture
from psmooth.scans.dicom import read_dicom
from psmooth.scans.notes import STRETCHED, WRITTEN
from psmooth.scans.scan import CropRule
from psmooth.scans.windows import CT_WINDOWS, CURVE, OWN
from psmooth.smoothing import certify, replay
from psmooth.tasks import TASKS
from tests.dicoms import dicom, file_of, item

TASK = TASKS["blood_cells"]
RAMP = np.arange(32 * 48, dtype=np.uint16).reshape(32, 48)
COLOURS = np.random.default_rng(1).integers(0, 256, (32, 48, 3), np.uint8)


def read(values: np.ndarray, frame: int | None = None, **tags: Any) -> Scan:
    return read_dicom(file_of(dicom(values, **tags)), frame)


def picture(scan: Scan) -> np.ndarray:
    return scan_picture(scan)[..., 0]


def linear(x: np.ndarray, center: float, width: float) -> np.ndarray:
    """PS3.3 C.11.2.1.2.1 as it is written there, with an output from 0 to 255."""
    y = ((x - (center - 0.5)) / (width - 1) + 0.5) * 255
    y = np.where(x <= center - 0.5 - (width - 1) / 2, 0, y)
    y = np.where(x > center - 0.5 + (width - 1) / 2, 255, y)
    return np.floor(y + 0.5).astype(np.uint8)


# --- the scan's own unit


def test_a_slice_of_a_ct_is_in_hounsfield_units() -> None:
    scan = read(RAMP, Modality="CT", RescaleSlope="2", RescaleIntercept="-1024", WindowCenter="40", WindowWidth="400")
    assert scan.unit == "HU"
    assert np.array_equal(scan.values, RAMP.astype(int) * 2 - 1024)
    assert scan.offers[0].window == Window(40, 400, "linear")
    assert np.array_equal(picture(scan), linear(RAMP * 2.0 - 1024, 40, 400))


def test_a_captured_screen_of_a_ct_is_shown_as_it_was_and_may_bear_names() -> None:
    """A secondary capture has the modality of what was on the screen, and levels of a screen."""
    screen = np.arange(256, dtype=np.uint8).reshape(16, 16)
    rescaled: dict[str, Any] = {"RescaleSlope": "1", "RescaleIntercept": "0"}
    for tags in ({}, rescaled):
        scan = read(screen, Modality="CT", SOPClassUID=SecondaryCaptureImageStorage, **tags)
        assert (scan.unit, WRITTEN in scan.notes) == ("", True)
        assert np.array_equal(picture(scan), screen)
    assert read(RAMP, Modality="CT", SOPClassUID=SecondaryCaptureImageStorage, RescaleType="HU").unit == "HU"


def test_a_ct_without_an_intercept_has_values_of_its_own() -> None:
    scan = read(RAMP, Modality="CT")
    assert (scan.unit, [offer.name for offer in scan.offers]) == ("", ["spread of the values"])


def test_a_slope_that_is_no_whole_number_is_kept() -> None:
    scan = read(RAMP, Modality="PT", Units="BQML", RescaleSlope="0.37", RescaleIntercept="0")
    assert scan.unit == "Bq/ml"
    assert np.allclose(scan.values, RAMP * 0.37, rtol=1e-6)


def test_a_modality_table() -> None:
    table = (np.arange(2_000)[::-1] * 3).astype(np.uint16)
    lut = item(LUTDescriptor=[2_000, 100, 16], ModalityLUTType="OD", LUTData=table.tobytes())
    scan = read(RAMP, ModalityLUTSequence=[lut])
    assert scan.unit == "OD"
    assert np.array_equal(scan.values, table[(RAMP.astype(int) - 100).clip(0, 1_999)])


@pytest.mark.parametrize("signed", [False, True])
def test_twelve_bits_in_sixteen_with_rubbish_above(signed: bool) -> None:
    values = (RAMP % 4_096) | 0xA000
    scan = read(values, BitsStored=12, HighBit=11, PixelRepresentation=int(signed))
    expected = RAMP.astype(int) % 4_096
    assert np.array_equal(scan.values, np.where(expected >= 2_048, expected - 4_096, expected) if signed else expected)


def test_bits_that_are_stored_high() -> None:
    assert np.array_equal(read(RAMP << 4, BitsStored=12, HighBit=15).values, RAMP)


# --- windows


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_the_three_functions_of_a_window(function: str) -> None:
    center, width = 700.5, 300.0
    shown = picture(read(RAMP, WindowCenter=str(center), WindowWidth=str(width), VOILUTFunction=function))
    x = RAMP.astype(float)
    exact = np.floor((((x - center) / width + 0.5) * 255).clip(0, 255) + 0.5)
    sigmoid = np.floor(255 / (1 + np.exp(-4 * (x - center) / width)) + 0.5)
    expected = {"LINEAR": linear(x, center, width), "LINEAR_EXACT": exact, "SIGMOID": sigmoid}[function]
    assert np.array_equal(shown, expected)


def test_a_linear_window_of_width_one_is_a_threshold() -> None:
    shown = picture(read(RAMP, WindowCenter="700", WindowWidth="1"))
    assert np.array_equal(shown, np.where(RAMP <= 699.5, 0, 255))


def test_several_windows_are_offered_by_their_known_names() -> None:
    scan = read(
        RAMP, WindowCenter=["500", "600", "700"], WindowWidth=["10", "20", "30"],
        WindowCenterWidthExplanation=["LUNG", "DOE^JANE", "Soft_Tissue"],
    )  # fmt: skip
    assert [offer.name for offer in scan.offers[:3]] == ["lung", OWN, "soft tissue"]
    assert [offer.window.center for offer in scan.offers[:3]] == [500, 600, 700]


def test_a_ct_offers_the_customary_windows_and_any_scan_the_spread_of_its_values() -> None:
    ct = read(RAMP, Modality="CT", RescaleSlope="1", RescaleIntercept="-1024")
    assert ct.offers[: len(CT_WINDOWS)] == CT_WINDOWS
    [spread] = read(RAMP, Modality="MR").offers
    low, high = spread.window.center - spread.window.width / 2, spread.window.center + spread.window.width / 2
    assert 0.004 < np.mean(low > RAMP) < 0.006
    assert 0.004 < np.mean(high < RAMP) < 0.006


def test_a_curve_of_the_file() -> None:
    curve = np.rint(65_535 * np.linspace(0, 1, 1_536) ** 2).astype(np.uint16)
    lut = item(LUTDescriptor=[1_536, 0, 16], LUTData=curve.tobytes())
    scan = read(RAMP, VOILUTSequence=[lut])
    assert scan.offers[0].name == CURVE
    assert np.abs(picture(scan).astype(int) - curve[RAMP] / 257).max() <= 1


@pytest.mark.parametrize("tags", [{"PhotometricInterpretation": "MONOCHROME1"}, {"PresentationLUTShape": "INVERSE"}])
def test_what_is_white_at_zero(tags: dict[str, str]) -> None:
    window: dict[str, Any] = {"WindowCenter": "700", "WindowWidth": "900"}
    assert np.array_equal(picture(read(RAMP, **tags, **window)), 255 - picture(read(RAMP, **window)))


def test_both_words_for_white_at_zero_turn_it_once() -> None:
    both = read(RAMP, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE")
    assert np.array_equal(picture(both), picture(read(RAMP, PhotometricInterpretation="MONOCHROME1")))


def test_padding_is_dark_and_moves_no_window() -> None:
    padded = RAMP.copy()
    padded[:, :10] = 60_000
    scan = read(padded, PixelPaddingValue=60_000)
    assert scan.offers[0].window.center < 2_000
    assert picture(scan)[:, :10].max() == 0
    inverted = read(padded, PixelPaddingValue=60_000, PhotometricInterpretation="MONOCHROME1")
    assert picture(inverted)[:, :10].max() == 0


def test_a_range_of_padding_values_with_signs() -> None:
    values = RAMP.astype(np.int16) - 700
    scan = read(values, PixelPaddingValue=-700, PixelPaddingRangeLimit=-600)
    assert scan.values.min() == -599


def test_the_window_is_part_of_the_crop_rule() -> None:
    scan = read(RAMP, WindowCenter="700", WindowWidth="900")
    assert crop_scan(scan).rule.window == Window(700, 900, "linear")
    narrow = crop_scan(scan, CropRule(window=Window(700, 2, "sigmoid")))
    assert narrow.rule.window == Window(700, 2, "sigmoid")
    assert narrow.sha256 != crop_scan(scan).sha256


def test_a_window_that_cannot_be_used_leaves_the_others_their_names() -> None:
    scan = read(
        RAMP, WindowCenter=["5", "600"], WindowWidth=["0", "20"], WindowCenterWidthExplanation=["LUNG", "BONE"],
    )  # fmt: skip
    assert [(offer.name, offer.window.center) for offer in scan.offers[:-1]] == [("bone", 600)]


def test_values_beyond_what_a_certificate_names_need_a_window_of_the_file() -> None:
    """A spread of them would be a window that no certificate takes."""
    far = read(RAMP, RescaleSlope="1000", RescaleIntercept="0", WindowCenter="500000", WindowWidth="900000")
    assert [(offer.name, offer.window.width) for offer in far.offers] == [("the file's own", 900_000)]
    for slope, intercept in (("10000", "0"), ("1", "1500000")):
        with pytest.raises(ScanError, match="beyond 1,000,000"):
            read(RAMP, RescaleSlope=slope, RescaleIntercept=intercept, WindowCenter="2000000", WindowWidth="90")


def test_no_menu_of_thousands_of_windows() -> None:
    assert len(read(RAMP, WindowCenter=["5"] * 9_000, WindowWidth=["7"] * 9_000).offers) < 100


def test_a_curve_that_begins_below_zero_for_values_stored_without_a_sign() -> None:
    curve = np.arange(1_536, dtype=np.uint16) * 40
    lut = item(LUTDescriptor=[1_536, 2**16 - 1_000, 16], LUTData=curve.tobytes())
    scan = read(RAMP, Modality="CT", RescaleSlope="1", RescaleIntercept="-1000", VOILUTSequence=[lut])
    assert np.array_equal(scan.values, curve[RAMP])


# --- colour


def test_rgb_by_pixel_and_by_plane() -> None:
    assert np.array_equal(read(COLOURS).values, COLOURS)
    planes = dicom(COLOURS, PlanarConfiguration=1, PixelData=COLOURS.transpose(2, 0, 1).tobytes())
    assert np.array_equal(read_dicom(file_of(planes)).values, COLOURS)


def test_colours_of_sixteen_bits_keep_their_upper_eight() -> None:
    assert np.array_equal(read(COLOURS.astype(np.uint16) * 256 + 9).values, COLOURS)


def test_luminance_and_colour_differences() -> None:
    y, b, r = (COLOURS[..., one].astype(float) for one in range(3))
    b, r = b - 128, r - 128  # PS3.3 C.7.6.3.1.2, turned round
    rgb = np.stack([y + 1.402 * r, y - 0.344136 * b - 0.714136 * r, y + 1.772 * b], axis=-1)
    shown = read(COLOURS, PhotometricInterpretation="YBR_FULL").values
    assert np.abs(shown - rgb.clip(0, 255)).max() <= 0.51


@pytest.mark.parametrize("segmented", [False, True])
def test_a_palette_plain_and_in_segments(segmented: bool) -> None:
    indices = (RAMP % 256).astype(np.uint8)
    tables = [np.linspace(0, top, 256).round().astype(np.uint16) * 256 for top in (255, 100, 31)]
    tags: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        name, words = f"{colour}PaletteColorLookupTableData", table
        if segmented:
            name, words = f"Segmented{name}", np.array([0, 1, table[0], 1, 255, table[-1]], np.uint16)
        tags[name] = words.tobytes()
    dataset = dicom(indices, **tags)
    expected = apply_color_lut(indices, dataset) >> 8
    assert np.array_equal(read_dicom(file_of(dataset)).values, expected)


def test_a_colour_of_a_palette_that_is_nearly_black_stays_so() -> None:
    indices = (RAMP % 256).astype(np.uint8)
    tags: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour, top in (("Red", 65_535), ("Green", 65_535), ("Blue", 200)):
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        tags[f"{colour}PaletteColorLookupTableData"] = np.linspace(0, top, 256).astype(np.uint16).tobytes()
    dataset = dicom(indices, **tags)
    assert np.array_equal(read_dicom(file_of(dataset)).values, apply_color_lut(indices, dataset) >> 8)


def test_a_palette_of_sixteen_bits_that_is_all_but_black_is_shown_so() -> None:
    indices = (RAMP % 256).astype(np.uint8)
    tags: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        tags[f"{colour}PaletteColorLookupTableData"] = np.arange(256, dtype=np.uint16).tobytes()
    dataset = dicom(indices, **tags)
    assert np.array_equal(read_dicom(file_of(dataset)).values, apply_color_lut(indices, dataset) >> 8)


def test_luminance_and_colour_differences_in_part_of_their_range() -> None:
    """PS3.3 C.7.6.3.1.2, YBR_PARTIAL_422: two pixels share their differences of colour."""
    colours = np.repeat(COLOURS[:, ::2], 2, axis=1).astype(float)
    matrix = np.array([[0.2568, 0.5041, 0.0979], [-0.1482, -0.2910, 0.4392], [0.4392, -0.3678, -0.0714]])
    stored = np.rint(colours @ matrix.T + [16, 128, 128]).astype(np.uint8)
    words = np.stack([stored[:, ::2, 0], stored[:, 1::2, 0], stored[:, ::2, 1], stored[:, ::2, 2]], axis=-1)
    scan = read(COLOURS, PhotometricInterpretation="YBR_PARTIAL_422", PixelData=words.tobytes())
    expected = ((stored - [16.0, 128, 128]) @ np.linalg.inv(matrix).T).clip(0, 255)
    assert np.abs(scan.values - expected).max() <= 2
    assert "YCbCr" in scan.kind


def test_a_jpeg_of_eight_bits_in_a_file_that_says_sixteen() -> None:
    dataset = dicom(COLOURS.astype(np.uint16), PixelData=imagecodecs.jpeg8_encode(COLOURS, level=95))
    packed_by(dataset, "1.2.840.10008.1.2.4.50")
    assert read_dicom(file_of(dataset)).values.max() > 200


# --- shape


def test_pixels_that_are_no_squares_become_squares() -> None:
    scan = read(RAMP, PixelAspectRatio=["2", "1"])
    assert (scan.width, scan.height) == (48, 64)
    assert STRETCHED in scan.notes
    wide = read(RAMP, PixelSpacing=["0.5", "1"])
    assert (wide.width, wide.height) == (96, 32)
    assert read(RAMP, PixelSpacing=["0.5", "0.5"]).notes == ()


@pytest.mark.parametrize("name", ["PixelAspectRatio", "PixelSpacing", "WindowCenter"])
def test_what_cannot_be_read_of_shape_or_window_is_left_out(name: str) -> None:
    tags = {"WindowCenter": "700", "WindowWidth": "900", name: ["11", "23"]}
    scan = read_dicom(file_of(dicom(RAMP, **tags)).replace(b"11\\23", b"1A\\2B"))
    assert (scan.width, scan.height, scan.notes) == (48, 32, ())


def test_a_slope_that_cannot_be_read_is_no_picture() -> None:
    with pytest.raises(ScanError, match="damaged"):
        open_scan(file_of(dicom(RAMP, RescaleSlope="1.123", RescaleIntercept="0")).replace(b"1.123", b"1.1Z3"))


def test_a_slope_of_zero_is_no_picture_unless_that_is_flat() -> None:
    with pytest.raises(ScanError, match="damaged"):
        open_scan(file_of(dicom(RAMP, Modality="PT", RescaleSlope="0", RescaleIntercept="0")))
    flat = read(np.full((16, 20), 7, np.uint16), Modality="PT", RescaleSlope="0", RescaleIntercept="0")
    assert (flat.values == 0).all()


def test_a_picture_without_a_number_is_said() -> None:
    dataset = dicom(RAMP.astype(np.uint32))
    del dataset.PixelData
    dataset.FloatPixelData = np.full(RAMP.shape, np.nan, np.float32).tobytes()
    with pytest.raises(ScanError, match="none of its values is a number"):
        open_scan(file_of(dataset))


def test_a_frame_is_chosen_and_the_middle_one_is_shown() -> None:
    stack = np.stack([RAMP + 100 * frame for frame in range(5)])
    data = file_of(dicom(stack, frames=5))
    for frame in range(1, 6):
        scan = read_dicom(data, frame)
        assert (scan.frame, scan.frames) == (frame, 5)
        assert np.array_equal(scan.values, stack[frame - 1])
    assert read_dicom(data).frame == 3
    for wrong in (0, 6, -1):
        with pytest.raises(ScanError, match="has 5"):
            read_dicom(data, wrong)


def test_an_enhanced_file_has_a_window_and_a_rescaling_for_each_frame() -> None:
    stack = np.stack([RAMP, RAMP])
    own = [
        item(
            PixelValueTransformationSequence=[
                item(RescaleSlope="1", RescaleIntercept=str(-1000 * n), RescaleType="HU")
            ],
            FrameVOILUTSequence=[item(WindowCenter=str(50 * n), WindowWidth="400")],
        )
        for n in (1, 2)
    ]
    shared = item(PixelMeasuresSequence=[item(PixelSpacing=["1", "0.5"])])
    dataset = dicom(
        stack, frames=2, Modality="CT", PerFrameFunctionalGroupsSequence=own, SharedFunctionalGroupsSequence=[shared]
    )
    for frame in (1, 2):
        scan = read_dicom(file_of(dataset), frame)
        assert scan.values.min() == -1000 * frame
        assert scan.offers[0].window == Window(50 * frame, 400, "linear")
        assert (scan.width, scan.height) == (48, 64)


# --- how it is packed


@pytest.mark.parametrize("syntax", [RLELossless, DeflatedExplicitVRLittleEndian])
def test_packed_as_written_here(syntax: str) -> None:
    dataset = dicom(RAMP)
    if syntax == RLELossless:
        dataset.compress(RLELossless)
    else:
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
    assert np.array_equal(read_dicom(file_of(dataset)).values, RAMP)


LOSSLESS = {
    "MR_small.dcm": [
        "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_expb.dcm", "MR_small_implicit.dcm",
        "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_padded.dcm",
    ],
    "emri_small.dcm": ["emri_small_RLE.dcm", "emri_small_big_endian.dcm", "emri_small_jpeg_2k_lossless.dcm",
                       "emri_small_jpeg_ls_lossless.dcm"],
    "SC_rgb.dcm": ["SC_rgb_rle.dcm", "SC_rgb_expb.dcm", "SC_rgb_gdcm_KY.dcm", "SC_rgb_jpeg_gdcm.dcm"],
}  # fmt: skip


@pytest.mark.parametrize(("plain", "packed"), [(one, other) for one, many in LOSSLESS.items() for other in many])
def test_the_same_picture_however_it_is_packed(plain: str, packed: str) -> None:
    one, other = (open_scan(_shipped(name), 1) for name in (plain, packed))
    assert np.array_equal(one.values, other.values)
    assert one.offers == other.offers


def _shipped(name: str) -> bytes:
    """A file that is installed with pydicom."""
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"pydicom ships no {name} here")
    return Path(str(path)).read_bytes()


# --- what is no picture


def packed_by(dataset: pydicom.FileDataset, syntax: str) -> None:
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.PixelData = encapsulate([dataset.PixelData])
    dataset["PixelData"].is_undefined_length = True


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda one: delattr(one, "PixelData"), "holds no picture"),
        (lambda one: setattr(one, "Rows", 10), "At least 16"),
        (lambda one: setattr(one, "SamplesPerPixel", 4), "4 values a pixel"),
        (lambda one: packed_by(one, "1.2.840.10008.1.2.4.100"), "MPEG2"),
        (lambda one: packed_by(one, "1.2.840.99"), "unknown syntax"),
        (lambda one: setattr(one, "DirectoryRecordSequence", [item(Modality="CT")]), "DICOMDIR"),
    ],
)
def test_what_cannot_be_shown_is_said(change: Any, words: str) -> None:
    dataset = dicom(RAMP)
    change(dataset)
    with pytest.raises(ScanError, match=words):
        open_scan(file_of(dataset))


@pytest.mark.parametrize(
    "tags", [{"PhotometricInterpretation": "MONOCHROME2"}, {"PhotometricInterpretation": "HSV"}, {"BitsStored": 9}]
)
def test_channels_and_bits_that_contradict_each_other_are_no_picture(tags: dict[str, Any]) -> None:
    dataset = dicom(COLOURS, PixelData=imagecodecs.jpeg2k_encode(COLOURS, level=0, codecformat="j2k"), **tags)
    packed_by(dataset, "1.2.840.10008.1.2.4.90")
    with pytest.raises(ScanError, match="damaged"):
        open_scan(file_of(dataset))


def test_a_highest_bit_beyond_the_value_moves_nothing() -> None:
    assert np.array_equal(read(RAMP, BitsStored=12, HighBit=200).values, RAMP)


def test_a_file_that_is_cut_short_is_never_half_a_picture() -> None:
    data = file_of(dicom(RAMP))
    for length in range(140, len(data), 97):
        with pytest.raises(ScanError):
            open_scan(data[:length])


def test_a_frame_that_says_another_size_is_refused_before_it_is_decoded() -> None:
    dataset = pydicom.dcmread(io.BytesIO(_shipped("MR_small_jp2klossless.dcm")))
    dataset.Rows = 65
    with pytest.raises(ScanError, match="damaged"):
        open_scan(file_of(dataset))


# --- in a certificate


@pytest.mark.parametrize("window", [Window(-1e6, 1e6), Window(1e6, 1e-9)])
def test_a_window_at_the_limit_stands_in_a_certificate(tiny_model: MedVLM, tmp_path: Path, window: Window) -> None:
    crop = crop_scan(read(RAMP), replace(tiny_model.crop_rule, window=window))
    plan = Plan(selection_votes=16, max_votes=32)
    *_, last = certify(tiny_model, crop, task=TASK, plan=plan, noise_level=0.5, batch_size=16, seed=3)
    [record] = last.results.values()
    record.save(tmp_path / "certificate.json")
    found = verify(tmp_path / "certificate.json")
    assert found.ok, found.problems
    recorded = found.certificate and found.certificate.run.preprocessing["window"]
    assert recorded == {"center": window.center, "width": window.width}


@pytest.mark.parametrize(
    "window", [Window(0, 1.1e6), Window(-1.1e6, 5), Window(1.1e6, 5), Window(0, -1), Window(float("nan"), 5)]
)
def test_a_window_that_no_certificate_could_name_is_refused(window: Window) -> None:
    for see in (scan_picture, lambda scan, window: crop_scan(scan, CropRule(window=window))):
        with pytest.raises(ScanError, match="at most 1,000,000"):
            see(read(RAMP), window)


def test_a_certificate_names_frame_and_window_and_is_replayed_with_them(tiny_model: MedVLM, tmp_path: Path) -> None:
    stack = np.stack([RAMP, RAMP[::-1], RAMP.T.reshape(RAMP.shape)])
    data = file_of(dicom(stack, frames=3, WindowCenter="700", WindowWidth="900", VOILUTFunction="SIGMOID"))
    plan = Plan(max_votes=200, selection_votes=16)
    *_, last = certify(tiny_model, open_scan(data, 2), task=TASK, plan=plan, noise_level=0.5, batch_size=16, seed=3)
    [record] = last.results.values()
    record.save(tmp_path / "certificate.json")
    found = verify(tmp_path / "certificate.json")
    assert found.ok
    told = record.run.preprocessing
    assert told["frame"] == 2
    assert told["window"] == {"center": 700, "width": 900, "function": "sigmoid"}
    assert replay(record, open_scan(data, told["frame"])).ok
    with pytest.raises(ScanError, match="frame 2"):
        replay(record, open_scan(data, 1))


# --- in a process of its own


def test_read_apart_as_in_place() -> None:
    data = file_of(dicom(RAMP, Modality="CT", WindowCenter="40", WindowWidth="400"))
    one, other = read_dicom(data), open_scan(data)
    assert np.array_equal(one.values, other.values)
    assert one.values.dtype == other.values.dtype
    told = [
        (scan.kind, scan.unit, scan.offers, scan.notes, scan.frame, scan.frames, scan.depth) for scan in (one, other)
    ]
    assert told[0] == told[1]


def test_frames_one_after_another_of_a_file_that_is_handed_over_once() -> None:
    stack = np.stack([RAMP + 100 * frame for frame in range(6)])
    data = file_of(dicom(stack, frames=6))
    scans = list(open_frames(data, [2, 5, 9, 6]))
    assert [scan and scan.frame for scan in scans] == [2, 5, None, 6]
    assert all(scan is None or np.array_equal(scan.values, stack[scan.frame - 1]) for scan in scans)


@pytest.mark.parametrize("read", [open_scan, lambda data: list(open_frames(data, [1]))])
def test_a_process_forgets_the_file_that_it_has_read(read: Any) -> None:
    apart._end_all()
    read(file_of(dicom(np.stack([RAMP] * 2), frames=2)))
    [process] = apart._idle
    head, _ = apart._asked(process, "", b"", {"frame": 1})  # of the file before, if there were one
    assert "refused" in head
    apart._end_all()


def test_a_process_that_waits_for_the_next_file_holds_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[np.ndarray]] = []
    held: list[list[bool]] = []

    def picture(**_: object) -> Scan:
        values = np.zeros((16, 16), np.uint8)
        made.append(weakref.ref(values))
        return Scan(values, "8-bit grey", "DICOM")

    class Incoming(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            held.append([one() is not None for one in made])
            return super().read(size)

    monkeypatch.setattr(apart, "_bound_time", lambda: None)
    asked = b'["DICOM", {}]'
    first = apart._HEAD.pack(len(asked), 1) + asked + b"x"
    apart.serve(Incoming(first + apart._HEAD.pack(0, 0)), io.BytesIO(), lambda *_: picture)
    assert held[-1] == [False]


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what a process may leave")
def test_a_decoder_that_crashes_leaves_no_image_of_its_memory() -> None:
    apart._end_all()
    apart.start_ahead()
    [process] = apart._idle
    apart._await(process)
    limits = Path(f"/proc/{process.pid}/limits").read_text("utf-8")
    assert re.search(r"^Max core file size +0 +0 ", limits, re.M)
    apart._end_all()


def test_where_a_frame_takes_too_long_the_next_file_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    apart._end_all()
    silent = [sys.executable, "-c", "import sys, time; sys.stdout.write('.'); sys.stdout.flush(); time.sleep(600)"]
    monkeypatch.setattr(apart, "_PATIENCE", 0.1)
    monkeypatch.setattr(apart, "COMMAND", silent)
    assert list(open_frames(file_of(dicom(RAMP)), [1, 1])) == [None, None]
    monkeypatch.undo()
    assert open_scan(file_of(dicom(RAMP))).width == 48


def test_whoever_takes_too_long_is_ended_and_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    apart._end_all()
    silent = [sys.executable, "-c", "import sys, time; sys.stdout.write('.'); sys.stdout.flush(); time.sleep(600)"]
    monkeypatch.setattr(apart, "_PATIENCE", 0.1)
    monkeypatch.setattr(apart, "COMMAND", silent)
    with pytest.raises(ScanError, match="too long"):
        open_scan(file_of(dicom(RAMP)))
    monkeypatch.undo()
    assert open_scan(file_of(dicom(RAMP))).width == 48


def test_no_address_has_all_processes_and_another_one_reads_at_once() -> None:
    """However slow the files of one visitor are: here they are never done."""
    cine, begun, go_on = file_of(dicom(np.stack([RAMP, RAMP]), frames=2)), threading.Event(), threading.Event()

    def held(address: str) -> str:
        with apart.reading_for(address), closing(open_frames(cine, [1, 2])) as frames:
            assert next(frames)
            begun.set()
            assert address == "quick" or go_on.wait(60)
        return address

    with ThreadPoolExecutor(3) as pool:
        slow = [pool.submit(held, "slow") for _ in range(apart._AT_ONCE)]
        try:
            assert begun.wait(60)
            assert pool.submit(held, "quick").result(30) == "quick"
        finally:
            go_on.set()
        assert [one.result(60) for one in slow] == ["slow"] * apart._AT_ONCE
    assert not apart._own_turns


@pytest.mark.parametrize("command", [[sys.executable, "-c", "raise SystemExit(3)"], ["/no/such/program"]])
def test_a_process_that_does_not_start_is_said(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    apart._end_all()
    monkeypatch.setattr(apart, "COMMAND", command)
    with pytest.raises(ScanError, match="does not start"):
        open_scan(file_of(dicom(RAMP)))


def test_whoever_does_not_begin_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    apart._end_all()
    monkeypatch.setattr(apart, "_START", 0.1)
    monkeypatch.setattr(apart, "COMMAND", [sys.executable, "-c", "import time; time.sleep(600)"])
    with pytest.raises(ScanError, match="does not start"):
        open_scan(file_of(dicom(RAMP)))


def test_a_process_that_was_started_ahead_reads_the_first_file() -> None:
    apart._end_all()
    apart.start_ahead()
    [process] = apart._idle
    assert open_scan(file_of(dicom(RAMP))).width == 48
    assert apart._idle == [process]


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what a process was given")
def test_the_process_is_told_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    apart._end_all()
    monkeypatch.setenv("HF_TOKEN", "hf_" + PLANTED)
    apart.start_ahead()
    given = Path(f"/proc/{apart._idle[0].pid}/environ").read_bytes()
    names = {entry.partition(b"=")[0].decode() for entry in given.split(b"\0") if entry}
    assert PLANTED.encode() not in given
    assert names <= {*apart._INHERITED, "PYTHONPATH", "OPENBLAS_NUM_THREADS"}
    apart._end_all()


def test_no_warning_and_no_odd_path_keeps_the_process_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    apart._end_all()
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setattr(sys, "path", [*sys.path, Path("/no/such/folder")])
    assert open_scan(file_of(dicom(RAMP))).width == 48


def test_what_a_library_prints_is_no_part_of_an_answer() -> None:
    script = (
        "import os; from psmooth.scans.apart import _own_output; out = _own_output();"
        "os.write(1, b'a warning'); out.write(b'the answer')"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert (ended.stdout, ended.stderr) == (b"the answer", b"a warning")


def test_a_process_that_ran_out_of_memory_reads_no_other_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> apart.Read:
        raise MemoryError

    monkeypatch.setattr(apart, "_bound_time", lambda: None)
    asked = b'["DICOM", {}]'
    with pytest.raises(MemoryError):
        apart.serve(io.BytesIO(apart._HEAD.pack(len(asked), 1) + asked + b"x"), io.BytesIO(), exhausted)


# --- what is private


PLANTED = "Qzxv"


def test_nothing_of_a_patients_comes_along(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """A name in every tag that holds words: none is in a scan, an error, a log or on the screen."""
    dataset = dicom(RAMP, Modality="US")
    texts = ("LO", "LT", "SH", "ST", "PN", "UT", "UC", "CS", "AE", "UR", "AS", "DA", "TM", "DT")
    kept = {"Modality", "PhotometricInterpretation", "SpecificCharacterSet"}
    for tag, (vr, multiplicity, _, _, name) in DicomDictionary.items():
        if (
            vr in texts
            and name
            and name not in kept
            and tag >> 16 not in (0x0000, 0x0002)
            and multiplicity.startswith("1")
        ):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dataset.add_new(tag, vr, PLANTED)
    data = file_of(dataset)
    assert data.count(PLANTED.encode()) > 1_000
    with caplog.at_level(logging.DEBUG):
        scan = open_scan(data)
        told = repr([getattr(scan, name) for name in ("kind", "format", "unit", "offers", "notes")])
        dataset.PhotometricInterpretation = PLANTED
        for broken in (data[: len(data) // 2], file_of(dataset)):
            try:
                told += repr(open_scan(broken).kind)
            except ScanError as error:
                told += str(error)
    assert WRITTEN in scan.notes
    assert PLANTED not in told + caplog.text + "".join(capfd.readouterr())
