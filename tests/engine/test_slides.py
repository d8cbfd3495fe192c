"""Whole slides: all of one, made smaller, and a part of it at a magnification.

Oracles: the array that was written as a pyramid, and Pillow's mean over squares.
"""

import io
import os
import re
import struct
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from pydicom.uid import UID, VLWholeSlideMicroscopyImageStorage, generate_uid

from psmooth.errors import ScanError
from psmooth.scans import CropRule, containers, crop_scan, open_scan
from psmooth.scans import read as scans
from tests.dicoms import dicom, file_of

pytest.importorskip("openslide")

HEIGHT, WIDTH = 2_400, 3_200
PLANTED = "Qzxv"


def _tissue() -> np.ndarray:
    """Smooth, so that JPEG and the way of making it smaller change little."""
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    bands = [across * 255 / WIDTH, down * 255 / HEIGHT, 128 + 100 * np.sin(across / 90) * np.cos(down / 70)]
    return np.stack(bands, axis=2).astype(np.uint8)


TISSUE = _tissue()


def _smaller(times: int) -> np.ndarray:
    return np.asarray(Image.fromarray(TISSUE).reduce(times))


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As Aperio's scanners write them, at a magnification of 20, with a label that names a patient."""
    path = tmp_path_factory.mktemp("slides") / "slide.svs"
    words = f"Aperio Image Library v1.0\n{WIDTH}x{HEIGHT} JPEG/RGB Q=95|AppMag = 20|MPP = 0.5|Patient = {PLANTED}"
    tiled: dict[str, Any] = {
        "photometric": "rgb", "tile": (240, 240), "compression": "jpeg", "compressionargs": {"level": 95},
        "metadata": None,
    }  # fmt: skip
    striped = {"photometric": "rgb", "rowsperstrip": 16, "compression": "jpeg", "metadata": None}
    with tifffile.TiffWriter(path) as file:
        file.write(TISSUE, description=words, **tiled)
        file.write(_smaller(8), description="Aperio thumbnail\n", **striped)
        for times in (4, 16):
            file.write(_smaller(times), description=words, **tiled)
        file.write(np.zeros((64, 64, 3), np.uint8), description=f"Aperio\nlabel {PLANTED}", subfiletype=1, **striped)
    return path


def _close(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.abs(one.astype(int) - other).mean() < 2


def test_the_whole_slide_is_made_smaller(slide: Path) -> None:
    scan = open_scan(slide)
    expected = np.asarray(Image.fromarray(TISSUE).resize((2_048, 1_536), Image.Resampling.BOX))
    assert _close(scan.values, expected)
    assert (scan.format, scan.kind, scan.region) == ("slide", "8-bit RGB", None)
    assert scan.notes == ("This is the whole slide, made smaller.",)


@pytest.mark.parametrize(("magnification", "step"), [(20, 1), (10, 2), (5, 4), (2.5, 8)])
def test_a_region_at_a_magnification(slide: Path, magnification: float, step: int) -> None:
    left, top = 160, 80
    scan = open_scan(slide, region=(left, top, magnification))
    part = TISSUE[top : top + 1_024 * step, left : left + 1_024 * step]
    whole = part[: len(part) // step * step, : part.shape[1] // step * step]
    assert _close(scan.values, np.asarray(Image.fromarray(whole).reduce(step)))
    assert (scan.region, scan.notes) == ((left, top, magnification), ())


def test_the_bytes_of_a_slide_are_read_as_its_file_is(slide: Path) -> None:
    if not hasattr(os, "memfd_create"):
        pytest.skip("there are no files in memory here")
    for region in (None, (160, 80, 10)):
        assert np.array_equal(
            open_scan(slide.read_bytes(), region=region).values, open_scan(slide, region=region).values
        )


@pytest.mark.parametrize(
    ("region", "words"),
    [
        ((0, 0, 40), "no magnification of 40"),
        ((0, 0, 0), "no magnification of 0"),
        ((0, 0, float("nan")), "no magnification of nan"),
        ((WIDTH, 0, 20), "3,200 × 2,400"),
        ((-1, 0, 20), "begins at -1"),
        ((WIDTH - 5, 0, 20), "5 × 1,024 pixels"),
    ],
)
def test_a_region_that_is_none_is_refused(slide: Path, region: tuple[float, float, float], words: str) -> None:
    with pytest.raises(ScanError, match=words):
        open_scan(slide, region=region)


def test_a_part_that_is_held_in_one_size_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flat.svs"
    words = "Aperio Image Library v1.0\nx|AppMag = 20"
    tifffile.imwrite(
        path, np.zeros((5_000, 5_000, 3), np.uint8), photometric="rgb", tile=(240, 240), description=words,
        compression="zlib", metadata=None,
    )  # fmt: skip
    with pytest.raises(ScanError, match="25 megapixels"):
        open_scan(path)


def test_a_slide_that_does_not_say_its_magnification(tmp_path: Path) -> None:
    path = tmp_path / "tiled.tif"
    tifffile.imwrite(path, TISSUE, photometric="rgb", tile=(240, 240), compression="jpeg", metadata=None)
    with pytest.raises(ScanError, match="does not say at which magnification"):
        open_scan(path, region=(0, 0, 10))
    assert open_scan(path).format == "TIFF", "it is a picture that can be read as a whole"


@pytest.mark.parametrize("content", [b"", b"no slide at all", b"II*\0" + bytes(200)])
@pytest.mark.parametrize("name", ["a.svs", "a.mrxs", "a.ndpi", "a.png"])
def test_what_is_no_slide_is_refused_in_words(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ScanError, match="slide"):
        open_scan(tmp_path / name, region=(0, 0, 10))


def test_a_slide_cut_anywhere_is_refused_in_words_or_read(slide: Path, tmp_path: Path) -> None:
    data = slide.read_bytes()
    for kept in np.linspace(200, len(data) - 1, 6).astype(int):
        (tmp_path / "cut.svs").write_bytes(data[:kept])
        for region in (None, (0, 0, 20)):
            try:
                seen = open_scan(tmp_path / "cut.svs", region=region).values
            except ScanError as error:
                seen = str(error)
            assert isinstance(seen, np.ndarray) or re.search(r"slide.*\.$", seen)


def test_nothing_of_its_words_and_no_path_is_kept(slide: Path) -> None:
    for region in (None, (0, 0, 20)):
        kept = repr(vars(open_scan(slide, region=region)))
        assert PLANTED not in kept
        assert "svs" not in kept


def test_the_crop_knows_the_region(slide: Path) -> None:
    scan = open_scan(slide, region=(160, 80, 10))
    rule = crop_scan(scan).rule
    assert rule.region == (160, 80, 10)
    assert crop_scan(scan, rule).rule == rule
    with pytest.raises(ScanError, match="region"):
        crop_scan(open_scan(slide), CropRule(region=(160, 80, 10)))


def test_without_the_extra_a_sentence_says_which_one(slide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scans, "find_spec", lambda name: None if name == "openslide" else find_spec(name))
    for source in (slide, slide.read_bytes()):
        with pytest.raises(ScanError, match=r"psmooth\[slides\]"):
            open_scan(source)


def _tiles(side: int = 256) -> tuple[list[bytes], int, int]:
    rows, columns = -(-HEIGHT // side), -(-WIDTH // side)
    padded = np.zeros((rows * side, columns * side, 3), np.uint8)
    padded[:HEIGHT, :WIDTH] = TISSUE
    tiles = []
    for row in range(rows):
        for column in range(columns):
            out = io.BytesIO()
            tile = padded[row * side : (row + 1) * side, column * side : (column + 1) * side]
            Image.fromarray(tile).save(out, "JPEG", quality=95, subsampling=0)
            tiles.append(out.getvalue())
    return tiles, rows, columns


def dicom_slide() -> bytes:
    """One level of a slide, tiled in full, as PS3.3 A.32.8 has it."""
    from pydicom.encaps import encapsulate
    from pydicom.sequence import Sequence

    from tests.dicoms import item

    tiles, _, _ = _tiles()
    dataset = dicom(
        np.zeros((256, 256, 3), np.uint8), "1.2.840.10008.1.2.4.50", Modality="SM", NumberOfFrames=len(tiles),
        PhotometricInterpretation="YBR_FULL_422", PixelData=encapsulate(tiles), TotalPixelMatrixColumns=WIDTH,
        TotalPixelMatrixRows=HEIGHT, ImageType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
        DimensionOrganizationType="TILED_FULL", SeriesInstanceUID=generate_uid(), LossyImageCompression="01",
        SOPClassUID=VLWholeSlideMicroscopyImageStorage, SOPInstanceUID=generate_uid(), PatientName=PLANTED,
        FrameOfReferenceUID=generate_uid(), ImagedVolumeWidth=1.6, ImagedVolumeHeight=1.2,
        SharedFunctionalGroupsSequence=Sequence(
            [item(PixelMeasuresSequence=Sequence([item(PixelSpacing=[0.0005, 0.0005], SliceThickness=0.001)]))]
        ),
        OpticalPathSequence=Sequence([item(OpticalPathIdentifier="1", ObjectiveLensPower=20)]),
        TotalPixelMatrixFocalPlanes=1, NumberOfOpticalPaths=1,
    )  # fmt: skip
    dataset.file_meta.MediaStorageSOPClassUID = UID(VLWholeSlideMicroscopyImageStorage)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return file_of(dataset)


def test_a_slide_in_dicom(tmp_path: Path) -> None:
    path = tmp_path / "slide.dcm"
    path.write_bytes(dicom_slide())
    scan = open_scan(path, region=(160, 80, 10))
    assert _close(scan.values, np.asarray(Image.fromarray(TISSUE[80 : 80 + 2_048, 160 : 160 + 2_048]).reduce(2)))
    tile = open_scan(path, frame=1)
    assert _close(tile.values, TISSUE[:256, :256])
    assert tile.notes == ("This is one tile of a whole slide.",)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize(
    ("name", "pipe"), [("a.mrxs", "a/Slidedat.ini"), ("a.mrxs", "a/x"), ("a.vms", "b.jpg"), ("a.vmu", "x"), ("a", "x")]
)
@pytest.mark.parametrize("by_link", [False, True])
def test_a_pipe_among_the_files_of_a_slide_is_not_waited_for(
    tmp_path: Path, name: str, pipe: str, by_link: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, elsewhere = tmp_path / "slides", tmp_path / "elsewhere"
    (folder / pipe).parent.mkdir(parents=True)
    (folder / name).write_bytes(b"" if "." in name else dicom_slide())
    os.mkfifo(elsewhere if by_link else folder / pipe)
    if by_link:
        (folder / pipe).symlink_to(elsewhere)
    monkeypatch.setattr(scans, "read_apart", lambda *_, **__: pytest.fail("OpenSlide was asked"))
    with pytest.raises(ScanError, match="device or a pipe"):
        open_scan(folder / name, region=(0, 0, 10))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_what_lies_beside_a_slide_of_one_file_is_none_of_its_files(slide: Path, tmp_path: Path) -> None:
    (tmp_path / "a.svs").write_bytes(slide.read_bytes())
    os.mkfifo(tmp_path / "pipe")
    assert open_scan(tmp_path / "a.svs", region=(0, 0, 10)).region == (0, 0, 10)


def test_a_region_of_a_slide_in_dicom_is_read_from_its_place_alone() -> None:
    """Of its bytes alone OpenSlide would look among the files of the process."""
    with pytest.raises(ScanError, match="path on the command line"):
        open_scan(dicom_slide(), region=(0, 0, 10))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize("kind", ["vms", "vmu"])
def test_a_text_that_names_further_files_opens_none_of_them(tmp_path: Path, kind: str) -> None:
    """From a file in memory ``../../..`` leads to the root, and thus to any file of the computer."""
    os.mkfifo(tmp_path / "pipe")
    named = f"../../..{tmp_path / 'pipe'}"
    size = "SourceLens=20\nPhysicalWidth=1000\nPhysicalHeight=1000\n"
    texts = {
        "vms": f"[Virtual Microscope Specimen]\nNoLayers=1\nNoJpegColumns=1\nNoJpegRows=1\nImageFile={named}\n"
        f"MapFile={named}\n{size}",
        "vmu": f"[Uncompressed Virtual Microscope Specimen]\nNoLayers=1\nImageFile={named}\nMapFile={named}\n"
        f"BitsPerPixel=36\nPixelOrder=RGB\n{size}",
    }
    with pytest.raises(ScanError, match="no whole slide"):  # opened, the pipe would be waited for
        open_scan(texts[kind].encode(), region=(0, 0, 20))


def test_a_file_that_is_tiff_and_dicom_is_read_without_looking_for_others_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """OpenSlide opens whatever lies beside a slide in DICOM, and beside a file in memory lie those of the process."""
    data = dicom_slide()
    directory = struct.pack("<HHHIII", 1, 270, 2, 7, len(data) + 18, 0) + b"Aperio\0"
    both = b"II*\0" + struct.pack("<I", len(data)) + data[8:] + directory
    assert containers.is_slide(both)
    monkeypatch.setattr(scans, "find_spec", lambda _: None)  # no OpenSlide at all
    scan = open_scan(both, frame=1)
    assert _close(scan.values, TISSUE[:256, :256])
