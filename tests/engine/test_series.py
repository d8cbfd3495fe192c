"""Folders, zips and CDs list as series, whose slices stand as they lie in the patient; no name of anything is told.

Oracles: the grey levels that slices were drawn in, one each; `pydicom`'s own reading of the CDs that it ships.
"""

import io
import json
import logging
import random
import struct
import tracemalloc
import warnings
import zipfile
from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom._dicom_dict import DicomDictionary
from pydicom.data import get_testdata_file
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

from psmooth.certificate import Plan, verify
from psmooth.errors import ScanError
from psmooth.models import MedVLM
from psmooth.scans import Contents, list_series, open_picture, open_scan
from psmooth.scans import series as listing
from psmooth.scans.apart import header_apart
from psmooth.scans.dicom_header import read_header
from psmooth.scans.notes import LEFT_OUT
from psmooth.scans.signatures import is_dicom
from psmooth.smoothing import certify, replay
from psmooth.tasks import TASKS
from tests.corpus import shipped
from tests.dicoms import dicom, file_of, item, packed, series

RAMP = np.arange(32 * 48, dtype=np.uint16).reshape(32, 48)
REPORT, STATE = "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.11.1"


def png(level: int = 90) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((20, 20), level, np.uint8)).save(file, "PNG")
    return file.getvalue()


def laid(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def named(files: list[bytes], name: str = "s/IM{}") -> dict[str, bytes]:
    return {name.format(number): content for number, content in enumerate(files)}


def told(contents: Contents) -> list[tuple[str, int]]:
    return [(one.modality, one.pictures) for one in contents.series]


def levels(contents: Contents, number: int = 1) -> list[int]:
    """The grey level of every picture of a series, in order."""
    many = contents.series[number - 1].pictures
    return [int(contents.open(number, frame).values.flat[0]) for frame in range(1, many + 1)]


def without_picture(sop_class: str, **tags: Any) -> bytes:
    dataset = dicom(RAMP, SOPClassUID=sop_class, SeriesInstanceUID="1.2.3", **tags)
    for name in ("PixelData", "Rows", "Columns"):
        delattr(dataset, name)
    return file_of(dataset)


# --- the order of slices


def test_slices_stand_along_the_normal_of_an_oblique_stack_whatever_they_are_called(tmp_path: Path) -> None:
    turned, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    across, down = turned[0], turned[1]
    normal, count = np.cross(across, down), 9
    places = [list(map(float, 2.5 * k * normal + k % 3 * across)) for k in range(count)]
    orientation = [float(one) for one in (*across, *down)]
    files = series(
        list(range(count)), ImagePositionPatient=[[f"{x:.6f}" for x in place] for place in places],
        ImageOrientationPatient=[[f"{x:.6f}" for x in orientation]] * count,
        InstanceNumber=[str(count - k) for k in range(count)],
    )  # fmt: skip
    random.Random(5).shuffle(files)
    for source in (laid(tmp_path, named(files)), packed(named(files))):
        assert levels(list_series(source)) == list(range(count))


def test_slices_of_one_place_stand_in_the_order_of_their_numbers() -> None:
    places = [["0", "0", z] for z in ("5", "5", "-5", "-5")]
    files = series(
        [3, 2, 1, 0], ImagePositionPatient=places, InstanceNumber=["8", "7", "6", "5"],
        ImageOrientationPatient=[["1", "0", "0", "0", "1", "0"]] * 4,
    )  # fmt: skip
    assert levels(list_series(packed(named(files)))) == [0, 1, 2, 3]


def test_slices_that_are_not_parallel_and_those_without_a_place_stand_by_their_numbers() -> None:
    crossed = [["1", "0", "0", "0", "1", "0"], ["0", "1", "0", "0", "0", "1"], ["1", "0", "0", "0", "0", "1"]]
    scouts = series(
        [2, 0, 1], ImageOrientationPatient=crossed, ImagePositionPatient=[["0", "0", "9"]] * 3,
        InstanceNumber=["30", "4", "5"],
    )  # fmt: skip
    plain = series([2, 0, 1], InstanceNumber=["30", "4", "5"])
    for files in (scouts, plain):
        assert levels(list_series(packed(named(files)))) == [0, 1, 2]


def test_slices_without_any_of_that_stand_by_their_names_two_before_ten() -> None:
    ten, two, one = series([10, 2, 1])
    files = {"IM10": ten, "IM2": two, "im1": one}
    assert levels(list_series(packed(files))) == [1, 2, 10]


def test_the_middle_picture_is_opened_with_its_place() -> None:
    contents = list_series(packed(named(series([5, 6, 7, 8], InstanceNumber=["1", "2", "3", "4"]))))
    scan = contents.open()
    assert (scan.frame, scan.frames, scan.series, int(scan.values[0, 0])) == (2, 4, None, 6)
    for wrong in (0, 5, -1):
        with pytest.raises(ScanError, match="this scan has 4"):
            contents.open(frame=wrong)


def test_pictures_of_a_series_come_one_after_another_and_none_where_one_cannot_be_read() -> None:
    one, two, three = series([5, 6, 7], InstanceNumber=["1", "2", "3"])
    listed = list_series(packed(named([one, two[:-500], three])))
    assert [found and int(found.values.flat[0]) for found in listed.frames(None, [1, 2, 3])] == [5, None, 7]
    cine = file_of(dicom(np.stack([RAMP, RAMP + 1, RAMP + 2]), frames=3))
    listed = list_series(packed({"a": cine}))
    assert [found and int(found.values.flat[0]) for found in listed.frames(None, [3, 1])] == [2, 0]


def test_the_list_of_a_zip_is_read_once_for_many_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """And once while series are looked for, however often a header is longer than the first bytes."""
    long = {"PixelPaddingValue": 0, "ImageComments": "x" * 10_000}
    files = series([5, 6, 7], InstanceNumber=["1", "2", "3"], **long)
    opened, first = [], zipfile.ZipFile.__init__

    def init(self: zipfile.ZipFile, *given: Any, **named: Any) -> None:
        opened.append(self)
        first(self, *given, **named)

    content = packed(named(files))
    monkeypatch.setattr(zipfile.ZipFile, "__init__", init)
    monkeypatch.setattr(listing, "_HEAD", 2_000)
    listed = list_series(content)
    assert (told(listed), len(opened)) == ([("CT", 3)], 1)
    assert [one and int(one.values.flat[0]) for one in listed.frames(None, [3, 1, 2])] == [7, 5, 6]
    assert len(opened) == 2
    assert all(one.fp is None for one in opened), "none is left open"


@pytest.mark.parametrize("above", ["./", ".\\", "../", "/", "//", "./a/./", "a//b/", "a/../b/", "C:\\"])
def test_what_a_path_says_besides_folders_hides_nothing(above: str) -> None:
    """As zips are named that were packed from a place by its path."""
    files = series([10, 2, 1])
    slash = "\\" if "\\" in above else "/"
    seen = {f"{above}IM{number}": one for number, one in zip((10, 2, 1), files, strict=True)}
    hidden = {f"{above}{name}".replace("/", slash): files[0] for name in ("._x", "__MACOSX/x", ".cache/x")}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, one in (seen | hidden | {above: b""}).items():
            entry = zipfile.ZipInfo("x")
            entry.filename = name
            archive.writestr(entry, one)
    listed = list_series(content.getvalue())
    assert told(listed) == [("CT", 3)]
    assert levels(listed) == [1, 2, 10]


# --- what belongs together


def study() -> dict[str, bytes]:
    """Two series of one modality and one of another, under names that mix them; a number each, out of order."""
    one = series([10, 11, 12], SeriesNumber="2", InstanceNumber=["1", "2", "3"])
    other = series([20, 21], SeriesNumber="11", InstanceNumber=["1", "2"])
    third = series([30, 31, 32, 33], "MR", SeriesNumber="1", InstanceNumber=["1", "2", "3", "4"])
    files = [*one, *other, *third]
    random.Random(1).shuffle(files)
    return named(files, "A/{}")


@pytest.mark.parametrize("kind", ["folder", "zip", "bytes"])
def test_series_of_one_modality_are_told_apart_and_stand_by_their_numbers(tmp_path: Path, kind: str) -> None:
    files = study()
    (tmp_path / "a.zip").write_bytes(packed(files))
    places = {"folder": laid(tmp_path / "cd", files), "zip": tmp_path / "a.zip", "bytes": packed(files)}
    contents = list_series(places[kind])
    assert told(contents) == [("MR", 4), ("CT", 3), ("CT", 2)]
    assert [levels(contents, number) for number in (1, 2, 3)] == [[30, 31, 32, 33], [10, 11, 12], [20, 21]]
    assert contents.open(3, 2).series == 3
    with pytest.raises(ScanError, match=r"3 series: 1 MR × 4; 2 CT × 3; 3 CT × 2. Choose one"):
        open_picture(places[kind])
    with pytest.raises(ScanError, match="no series 4: there are 3"):
        open_picture(places[kind], series=4)
    assert int(open_picture(places[kind], frame=1, series=2).values[0, 0]) == 10


def test_a_file_of_many_frames_is_a_series_by_itself() -> None:
    uid = generate_uid()
    cine = [np.stack([np.full((16, 16), 10 * clip + k, np.uint8) for k in range(3)]) for clip in (1, 2)]
    files = [file_of(dicom(one, frames=3, Modality="US", SeriesInstanceUID=uid, SeriesNumber="7")) for one in cine]
    still = series([99], "US", SeriesInstanceUID=uid, SeriesNumber="7")
    contents = list_series(packed(named([*files, *still])))
    assert sorted(told(contents)) == [("US", 1), ("US", 3), ("US", 3)]
    assert sorted(levels(contents, number) for number in (1, 2, 3)) == [[10, 11, 12], [20, 21, 22], [99]]


def test_other_pictures_are_one_series_after_all_others() -> None:
    files = {"b10.png": png(10), "b9.png": png(9), "report.txt": b"text", **named(series([1, 2]))}
    contents = list_series(packed(files))
    assert told(contents) == [("CT", 2), ("", 2)]
    assert levels(contents, 2) == [9, 10]
    nameless = list_series(packed({"a.png": png(9), "b": file_of(dicom(RAMP))}))
    assert told(nameless) == [("", 1), ("", 1)]
    assert [nameless.open(number).format for number in (1, 2)] == ["DICOM", "PNG"]


def test_a_zip_of_one_picture_is_that_picture() -> None:
    for content in (png(7), file_of(dicom(RAMP)), file_of(dicom(np.stack([RAMP, RAMP + 1]), frames=2))):
        alone, within = open_scan(content), open_picture(packed({"a/b": content, "._b": b"x", "Thumbs.db": b"y"}))
        assert np.array_equal(alone.values, within.values)
        assert (alone.frame, alone.frames, alone.notes) == (within.frame, within.frames, within.notes)


# --- how files are known


def big_header(modality: str) -> bytes:
    """One whose beginning, before the picture is described, is longer than what is looked at first."""
    dataset = dicom(RAMP, Modality=modality, SeriesInstanceUID="1.2.4")
    block = dataset.private_block(0x0009, "psmooth", create=True)
    block.add_new(1, "OB", bytes(200_000))
    return file_of(dataset)


def test_files_are_known_by_their_first_bytes_however_they_are_called_and_written() -> None:
    bare = io.BytesIO()
    dataset = dicom(RAMP, Modality="MR", SeriesInstanceUID="1.2.3", SpecificCharacterSet="ISO_IR 100")
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    pydicom.dcmwrite(bare, pydicom.Dataset(dataset), implicit_vr=True, little_endian=True)
    deflated = dicom(RAMP, Modality="DX", SeriesInstanceUID="1.2.5")
    deflated.file_meta.TransferSyntaxUID = UID(DeflatedExplicitVRLittleEndian)
    files = {"A.IMA": bare.getvalue(), "noending": big_header("NM"), "b.dicom": file_of(deflated), "c.jpg": png()}
    contents = list_series(packed(files))
    assert sorted(told(contents)) == [("", 1), ("DX", 1), ("MR", 1), ("NM", 1)]
    for number, one in enumerate(contents.series[:3], 1):
        scan = contents.open(number)
        assert np.array_equal(scan.values, RAMP)
        assert scan.kind.endswith(one.modality)


def test_every_file_that_opens_is_listed_with_as_many_pictures() -> None:
    """pydicom's own test files, by the first 64 kB of each."""
    seen = 0
    for name, data in shipped():
        if not is_dicom(data) or len(data) > 200_000:
            continue
        with suppress(ScanError):
            frames = open_scan(data).frames
            found = header_apart(data[: 2**16])
            assert (found.holds, found.whole, found.frames) == ("picture", True, frames), name
            seen += 1
    assert seen > 50


def test_headers_are_read_without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    look = listing.header_apart
    monkeypatch.setattr(listing, "header_apart", lambda data: seen.append(len(data)) or look(data))
    large = file_of(dicom(np.zeros((512, 512), np.uint16), Modality="CT", SeriesInstanceUID="1.2.3"))
    assert told(list_series(packed(named([large] * 3)))) == [("CT", 3)]
    assert seen == [2**16] * 3


def test_what_lies_beside_pictures_is_passed_over() -> None:
    beside = {
        "a/._IM0": b"\0\5\x16\7", "__MACOSX/a/IM0": series([1])[0], ".DS_Store": b"x", "a/Thumbs.db": b"\xd0\xcf",
        "AUTORUN.INF": b"[autorun]", "sr": without_picture(REPORT), "ps": without_picture(STATE, Modality="PR"),
        "DICOMDIR": file_of(dicom(RAMP, DirectoryRecordSequence=[item(Modality="CT")])),
    }  # fmt: skip
    listed = dicom(RAMP, DirectoryRecordSequence=[item(Modality="CT")])
    listed.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.1.3.10")
    beside["DICOMDIR"] = file_of(listed)
    contents = list_series(packed({**beside, **named(series([1, 2]))}))
    assert told(contents) == [("CT", 2)]
    assert contents.open().notes == ()
    with pytest.raises(ScanError) as refusal:
        list_series(packed({name: beside[name] for name in ("sr", "ps", "DICOMDIR", "AUTORUN.INF", "a/Thumbs.db")}))
    for words in ("reports: 1", "states: 1", "contents (DICOMDIR): 1", "files of other kinds: 2"):
        assert words in str(refusal.value)


@pytest.mark.parametrize("folder", ["@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found"])
def test_folders_that_systems_put_beside_pictures_are_passed_over(folder: str, tmp_path: Path) -> None:
    files = {"a/1.dcm": series([1])[0], f"a/{folder}/1.dcm": series([9], modality="MR")[0], f"{folder}/2.png": b"x"}
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert told(list_series(packed(files))) == told(list_series(tmp_path)) == [("CT", 1)]


def test_damaged_files_are_passed_over_and_said() -> None:
    whole = series([1, 2, 3])
    contents = list_series(packed(named([whole[0], whole[1], whole[2][:200]])))
    assert told(contents) == [("CT", 2)]
    assert LEFT_OUT in contents.open().notes
    with pytest.raises(ScanError, match="damaged DICOM files: 1"):
        list_series(packed({"a": whole[2][:200]}))


def test_an_empty_folder_and_an_empty_zip(tmp_path: Path) -> None:
    for source in (tmp_path, packed({}), packed({"a/": b""})):
        with pytest.raises(ScanError, match="is empty"):
            open_picture(source)


def cds() -> list[Path]:
    place = get_testdata_file("dicomdirtests/DICOMDIR", download=False) or get_testdata_file("DICOMDIR", download=False)
    if place is None:
        pytest.skip("pydicom ships no CD here")
    return [Path(str(place))]


def test_a_cd_by_its_list_of_contents_is_what_pydicom_says_of_its_files() -> None:
    for cd in cds():
        expected = Counter[tuple[str, str]]()
        for file in cd.parent.rglob("*"):
            if file.is_file():
                dataset = pydicom.dcmread(file, force=True, stop_before_pixels=True)
                if "Rows" in dataset:
                    expected[dataset.SeriesInstanceUID, dataset.Modality] += 1
        found = told(list_series(cd))
        assert sorted(found) == sorted((modality, count) for (_, modality), count in expected.items())
        assert found == told(list_series(cd.parent))


def test_a_frame_or_series_of_a_file_that_has_none(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    assert open_picture(tmp_path / "a.png", frame=1, series=1).frames == 1
    with pytest.raises(ScanError, match="no frame 2"):
        open_picture(tmp_path / "a.png", frame=2)
    with pytest.raises(ScanError, match="no series 2"):
        open_picture(tmp_path / "a.png", series=2)
    with pytest.raises(ScanError, match="no file at the path"):
        open_picture(tmp_path / "none")


# --- bounds


def test_files_and_seconds_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = named(series([1, 2, 3]))
    monkeypatch.setattr(listing, "MOST_FILES", 2)
    for source in (packed(files), laid(tmp_path, files)):
        with pytest.raises(ScanError, match="more than 2 files"):
            list_series(source)
    monkeypatch.setattr(listing, "MOST_FILES", 3)
    assert told(list_series(packed(files))) == [("CT", 3)]
    monkeypatch.setattr(listing, "MOST_SECONDS", 0.0)
    with pytest.raises(ScanError, match="too long"):
        list_series(packed(files))


def test_a_file_that_unpacks_to_hundreds_of_megabytes_is_listed_and_refused_in_bounds() -> None:
    bomb = packed({"a": series([1], "MR")[0] + bytes(300_000_000), **named(series([2]))})
    tracemalloc.start()
    try:
        contents = list_series(bomb)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
        [large] = [number for number, one in enumerate(contents.series, 1) if one.modality == "MR"]
        with pytest.raises(ScanError, match="larger than 64 MB"):
            contents.open(large)
        assert tracemalloc.get_traced_memory()[1] < 150_000_000
    finally:
        tracemalloc.stop()


def test_as_many_frames_as_no_file_has_take_no_memory() -> None:
    many = file_of(dicom(RAMP, frames=None, NumberOfFrames=str(2**31 - 1), Modality="US", SeriesInstanceUID="1.2"))
    contents = list_series(packed({"a": many}))
    assert told(contents) == [("US", 2**31 - 1)]
    with pytest.raises(ScanError, match="damaged"):
        contents.open()


def test_a_number_of_frames_with_hundreds_of_digits_is_damaged_and_not_listed() -> None:
    whole = file_of(dicom(RAMP, Modality="US", SeriesInstanceUID="1.2"))
    rows = whole.index(struct.pack("<HH2s", 0x28, 0x10, b"US"))
    digits = b"9" * 300
    long = whole[:rows] + struct.pack("<HH2sH", 0x28, 0x08, b"IS", len(digits)) + digits + whole[rows:]
    contents = list_series(packed({"a": long, **named(series([1]))}))
    assert told(contents) == [("CT", 1)]


def test_a_damaged_header_is_read_or_refused_and_nothing_else() -> None:
    data = series([1], ImagePositionPatient=[["1", "2", "3"]], InstanceNumber=["1"])[0]
    generator = np.random.default_rng(2)
    files = {}
    for number in range(60):
        damaged = bytearray(data)
        for place in generator.integers(132, len(data) - 700, 4):
            damaged[place] = generator.integers(256)
        files[f"{number}"] = bytes(damaged)
    contents = list_series(packed({**files, "whole": data}))
    assert sum(one.pictures for one in contents.series) >= 1


@pytest.mark.parametrize("value", ["not a number", "1e400", "nan", ""])
def test_a_place_that_is_no_number_is_none(value: str) -> None:
    dataset = dicom(RAMP, SeriesInstanceUID="1.2.3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.add_new(0x00200032, "LO", ["1", value, "3"])
        dataset.add_new(0x00200013, "LO", value)
    found = read_header(file_of(dataset))
    assert (found.holds, found.position, found.instance) == ("picture", (), None)


# --- in a certificate


def test_a_certificate_names_series_and_frame_and_holds_for_the_slice_alone(tiny_model: MedVLM, tmp_path: Path) -> None:
    rows = [RAMP, RAMP[::-1], RAMP[:, ::-1]]
    uid = generate_uid()
    one = [
        file_of(dicom(values, Modality="MR", SeriesInstanceUID=uid, SeriesNumber="2", InstanceNumber=str(number)))
        for number, values in enumerate(rows)
    ]
    data = packed({**named(one), **named(series([5], SeriesNumber="1"), "t/{}")})
    plan = Plan(max_votes=200, selection_votes=16)
    scan = open_picture(data, frame=3, series=2)
    *_, last = certify(tiny_model, scan, task=TASKS["blood_cells"], plan=plan, noise_level=0.5, batch_size=16, seed=3)
    [record] = last.results.values()
    record.save(tmp_path / "certificate.json")
    assert verify(tmp_path / "certificate.json").ok
    facts = json.loads((tmp_path / "certificate.json").read_text("utf-8"))["preprocessing"]
    assert (facts["frame"], facts["series"]) == (3, 2)
    assert replay(record, open_picture(data, facts["frame"], facts["series"])).ok
    assert replay(record, open_scan(one[2])).ok
    with pytest.raises(ScanError, match="frame 3"):
        replay(record, open_picture(data, 1, 2))


# --- what is private


PLANTED = "Qzxv"


def test_no_name_of_a_patient_file_or_folder_comes_along(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A name in every tag that holds words, and in every name of a file: none is in what is listed, said or logged."""
    texts = ("LO", "LT", "SH", "ST", "PN", "UT", "UC", "AE", "UR", "AS", "DA", "TM", "DT", "UI")
    dataset = dicom(RAMP, Modality="CT")
    for tag, (vr, multiplicity, _, _, name) in DicomDictionary.items():
        if vr in texts and name and tag >> 16 not in (0x0000, 0x0002) and multiplicity.startswith("1"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dataset.add_new(tag, vr, PLANTED)
    data = file_of(dataset)
    assert data.count(PLANTED.encode()) > 1_000
    files = {f"{PLANTED}/{PLANTED}{number}.dcm": data for number in range(2)}
    files |= {f"{PLANTED}/other": series([1])[0], f"{PLANTED}/cut": data[:9_000], f"{PLANTED}.png": png()[:45]}
    place = laid(tmp_path / PLANTED, files)
    (tmp_path / f"{PLANTED}.zip").write_bytes(packed(files))
    said = ""
    with caplog.at_level(logging.DEBUG):
        for source in (place, tmp_path / f"{PLANTED}.zip", packed(files)):
            contents = list_series(source)
            assert len(contents.series) == 3
            said += repr(contents) + repr(contents.series) + json.dumps([asdict(one) for one in contents.series])
            said += repr(contents.open(1).notes) + repr(contents.files)
            for asked in ({}, {"series": 9}, {"series": 1, "frame": 9}, {"series": 3}):
                with pytest.raises(ScanError) as refusal:
                    contents.open(**asked)
                said += str(refusal.value) + repr(refusal.value.values)
        for broken in ({f"{PLANTED}.txt": b"x"}, {f"{PLANTED}": data[:900]}):
            with pytest.raises(ScanError) as refusal:
                list_series(packed(broken))
            said += str(refusal.value)
        said += _damaged_zips()
    assert PLANTED not in said + caplog.text + "".join(capfd.readouterr())


def _damaged_zips() -> str:
    """What is said of a zip that is encrypted, of one that is damaged, and of one that is packed in another way."""
    said, data = "", packed({f"{PLANTED}.dcm": series([1])[0]})
    for place, value in ((8, 1), (10, 12), (16, 9)):  # of the list: flags, method, checksum
        broken = bytearray(data)
        broken[broken.index(b"PK\1\2") + place] ^= value
        with pytest.raises(ScanError) as refusal:
            list_series(bytes(broken)).open()
        said += str(refusal.value)
    assert "encrypted" in said
    assert "packed by" in said
    return said


def test_no_identifier_leaves_the_process_that_reads_headers() -> None:
    found = read_header(series([1])[0])
    uid = pydicom.dcmread(io.BytesIO(series([1], SeriesInstanceUID="1.2.34567")[0])).SeriesInstanceUID
    assert uid == "1.2.34567"
    assert "1.2.34567" not in repr(read_header(series([1], SeriesInstanceUID="1.2.34567")[0]))
    assert len(found.series) == 64


def test_a_file_of_a_zip_without_a_name_is_one_like_any_other() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo(""), file_of(dicom(np.arange(2304).reshape(48, 48).astype(np.uint16))))
    assert list_series(content.getvalue()).open().width == 48
