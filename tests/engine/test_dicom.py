"""DICOM files show as the standard says, in their own unit, or say why not; nothing of a patient's comes along.

The oracles are the formulas of PS3.3, written out here, and pydicom's own tables and colours.
"""

import io
import logging
import subprocess
import sys
import warnings
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
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, RLELossless

from psmooth.certificate import Plan, verify
from psmooth.errors import ScanError
from psmooth.models import MedVLM
from psmooth.scans import Scan, Window, apart, crop_scan, open_scan, scan_picture
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


def test_whoever_takes_too_long_is_ended_and_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    apart._end_all()
    silent = [sys.executable, "-c", "import sys, time; sys.stdout.write('.'); sys.stdout.flush(); time.sleep(600)"]
    monkeypatch.setattr(apart, "_PATIENCE", 0.1)
    monkeypatch.setattr(apart, "COMMAND", silent)
    with pytest.raises(ScanError, match="too long"):
        open_scan(file_of(dicom(RAMP)))
    monkeypatch.undo()
    assert open_scan(file_of(dicom(RAMP))).width == 48


@pytest.mark.parametrize("command", [[sys.executable, "-c", "raise SystemExit(3)"], ["/no/such/program"]])
def test_a_process_that_does_not_start_is_said(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    apart._end_all()
    monkeypatch.setattr(apart, "COMMAND", command)
    with pytest.raises(ScanError, match="does not start"):
        open_scan(file_of(dicom(RAMP)))


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
    def exhausted(*_: object) -> Scan:
        raise MemoryError

    monkeypatch.setattr(apart, "_bound_time", lambda: None)
    asked = io.BytesIO(apart._HEAD.pack(1, 0) + b"x")
    with pytest.raises(MemoryError):
        apart.serve(asked, io.BytesIO(), exhausted)


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
