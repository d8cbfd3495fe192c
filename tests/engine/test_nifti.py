"""NIfTI volumes: a slice of each plane lies as a radiologist's viewer shows it, in the volume's own values.

Oracles: nibabel's canonical orientation of the whole volume, and marks whose place in the body is known.
"""

import gzip
import io
from contextlib import suppress
from importlib.util import find_spec
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from psmooth.certificate import Plan, verify
from psmooth.errors import ScanError
from psmooth.models import MedVLM
from psmooth.scans import CropRule, Scan, Window, crop_scan, open_scan, scan_picture
from psmooth.scans import read as scans
from psmooth.smoothing import certify, replay
from psmooth.tasks import TASKS

nib: Any = pytest.importorskip("nibabel")

SHAPE = (20, 24, 28)  # left to right, back to front, feet to head
TASK = TASKS["chest_xray"]
UPRIGHT = np.eye(4)
VALUES = np.random.default_rng(0).integers(-900, 900, SHAPE).astype(np.int16)


def volume(values: np.ndarray = VALUES, affine: Any = UPRIGHT, kind: Any = None, **head: Any) -> bytes:
    image = (kind or nib.Nifti1Image)(values, affine)
    for name, value in head.items():
        image.header[name] = value
    return image.to_bytes()


def expected(body: np.ndarray, plane: str, number: int) -> np.ndarray:
    """A slice of a volume in order of the body: head or front up, right or front at the left of the picture."""
    if plane == "axial":
        return body[::-1, ::-1, number - 1].T
    if plane == "coronal":
        return body[::-1, number - 1, ::-1].T
    return body[number - 1, ::-1, ::-1].T


@pytest.mark.parametrize("order", [*permutations(range(3))])
@pytest.mark.parametrize("ways", [*product((1, -1), repeat=3)])
@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_a_slice_lies_as_in_the_body_however_the_file_holds_it(
    order: tuple[int, ...], ways: tuple[int, ...], plane: str
) -> None:
    held = VALUES.transpose(order)[tuple(slice(None, None, way) for way in ways)]
    affine = np.zeros((4, 4))
    for place, (axis, way) in enumerate(zip(order, ways, strict=True)):
        affine[axis, place] = way
    affine[:, 3] = (5, 6, 7, 1)
    data = volume(np.ascontiguousarray(held), affine)
    body = np.asarray(nib.as_closest_canonical(nib.Nifti1Image.from_bytes(data)).dataobj)
    assert np.array_equal(body, VALUES), "nibabel agrees on what the file says"
    scan = open_scan(data, 3, plane)
    assert np.array_equal(scan.values, expected(VALUES, plane, 3))
    assert (scan.plane, scan.frame, scan.notes) == (plane, 3, ())


def test_a_mark_on_the_right_in_front_below() -> None:
    values = np.zeros(SHAPE, np.int16)
    values[-2:, -2:, :2] = 100  # in the body's order
    where = {plane: np.argwhere(open_scan(volume(values), number, plane).values) for plane, number in (
        ("axial", 1), ("coronal", SHAPE[1]), ("sagittal", SHAPE[0])
    )}  # fmt: skip
    assert where["axial"].max(axis=0).tolist() == [1, 1], "front up, right at the left"
    assert where["coronal"].min(axis=0).tolist() == [SHAPE[2] - 2, 0], "feet down, right at the left"
    assert where["sagittal"].min(axis=0).tolist() == [SHAPE[2] - 2, 0], "feet down, front at the left"


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal", None])
def test_frames_are_the_slices_of_the_plane_and_the_middle_one_is_first(plane: str | None) -> None:
    scan = open_scan(volume(), plane=plane)
    depth = SHAPE[("sagittal", "coronal", "axial").index(plane or "axial")]
    assert (scan.frame, scan.frames) == (depth // 2, depth)
    for wrong in (0, -1, depth + 1):
        with pytest.raises(ScanError, match=f"this plane has {depth}"):
            open_scan(volume(), wrong, plane)


def test_later_volumes_follow_the_first() -> None:
    series = np.stack([VALUES, VALUES + 1], axis=3)
    scan = open_scan(volume(series), SHAPE[2] + 3)
    assert scan.frames == 2 * SHAPE[2]
    assert np.array_equal(scan.values, expected(VALUES + 1, "axial", 3))
    assert open_scan(volume(series)).frame == SHAPE[2] // 2


def _whole(scan: Scan) -> tuple[Any, ...]:
    return scan.values.tobytes(), scan.kind, scan.offers, scan.notes


def test_packed_and_in_either_form_and_order_of_bytes() -> None:
    plain = _whole(open_scan(volume()))
    assert _whole(open_scan(gzip.compress(volume()))) == plain
    assert _whole(open_scan(volume(kind=nib.Nifti2Image))) == plain
    head = nib.Nifti1Header(endianness=">")
    head.set_data_dtype(VALUES.dtype)
    swapped = nib.Nifti1Image(VALUES, UPRIGHT, header=head)
    assert swapped.header.endianness == ">"
    assert _whole(open_scan(swapped.to_bytes())) == plain


def test_values_are_scaled_as_the_file_says() -> None:
    data = volume(scl_slope=2.0, scl_inter=-1024.0)
    written = np.asarray(nib.Nifti1Image.from_bytes(data).dataobj)
    scan = open_scan(data, 3)
    assert np.allclose(scan.values, expected(written, "axial", 3), atol=1e-3)
    low, high = np.percentile(scan.values, (0.5, 99.5), method="nearest")
    assert scan.window == Window((low + high) / 2, high - low)


def test_the_window_of_the_file_comes_first() -> None:
    scan = open_scan(volume(cal_min=-100.0, cal_max=300.0))
    assert (scan.offers[0].name, scan.window) == ("the file's own", Window(100, 400))
    assert len(scan.offers) == 2


def test_voxels_become_squares() -> None:
    scan = open_scan(volume(affine=np.diag([1.0, 1.0, 3.0, 1.0])), plane="coronal")
    assert (scan.width, scan.height) == (SHAPE[0], 3 * SHAPE[2])
    assert scan.notes == ("The pixels are no squares; the picture was stretched to its true shape.",)
    assert open_scan(volume(affine=np.diag([2.0, 2.0, 3.0, 1.0]))).notes == ()


def test_thin_stacks_are_read_across_where_their_true_shape_is_large_enough() -> None:
    thin = np.zeros((20, 24, 4), np.int16)
    assert open_scan(volume(thin, np.diag([1.0, 1.0, 5.0, 1.0])), plane="coronal").height == 20
    with pytest.raises(ScanError, match="20 × 4 pixels"):
        open_scan(volume(thin), plane="coronal")


def test_a_file_that_does_not_say_how_the_body_lies_says_so() -> None:
    assert open_scan(volume()).notes == ()
    unsaid = bytearray(volume())
    unsaid[252:256] = bytes(4)  # qform_code, sform_code
    assert any("left and right may be exchanged" in note for note in open_scan(bytes(unsaid)).notes)


@pytest.mark.parametrize(("degrees", "said"), [(2, False), (20, True)])
def test_a_volume_at_an_angle_says_so(degrees: float, said: bool) -> None:
    turn = np.radians(degrees)
    affine = np.eye(4)
    affine[1:3, 1:3] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    scan = open_scan(volume(affine=affine), 3)
    assert np.array_equal(scan.values, expected(VALUES, "axial", 3))
    assert any("at an angle" in note for note in scan.notes) is said


def test_colour() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (*SHAPE, 3), np.uint8)
    held = np.ascontiguousarray(rgb).view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    scan = open_scan(volume(held), 3)
    assert np.array_equal(scan.values, rgb[::-1, ::-1, 2].swapaxes(0, 1))
    assert (scan.format, scan.offers) == ("NIfTI", ())


def test_holes_move_no_window() -> None:
    holed = VALUES.astype(np.float32)
    holed[:5] = np.nan
    scan = open_scan(volume(holed), 3)
    low, high = np.nanpercentile(scan.values, (0.5, 99.5), method="nearest")
    assert scan.window == Window((low + high) / 2, high - low)
    assert scan_picture(scan)[:, -5:].max() == 0, "what is no number is black"
    with pytest.raises(ScanError, match="none that is a number"):
        open_scan(volume(np.full(SHAPE, np.nan, np.float32)))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (VALUES.astype(np.complex64), "3 dimensions of complex64"),
        (np.zeros((*SHAPE, 1, 3), np.float32), "5 dimensions of float32"),
        (np.zeros((20, 20), np.float32), "2 dimensions"),
    ],
)
def test_what_is_no_volume_of_numbers_is_refused_by_name(values: np.ndarray, words: str) -> None:
    with pytest.raises(ScanError, match=words):
        open_scan(volume(values))


def test_half_of_a_volume_in_two_files() -> None:
    head = io.BytesIO()
    nib.Nifti1Pair(VALUES, np.eye(4)).header.write_to(head)
    with pytest.raises(ScanError, match=r"\.hdr and \.img"):
        open_scan(head.getvalue())


def test_a_bomb_is_read_in_bounds() -> None:
    bomb = gzip.compress(volume() + bytes(600_000_000), 9)
    with pytest.raises(ScanError, match="512 MB"):
        open_scan(bomb)


@pytest.mark.parametrize("packed", [False, True])
def test_a_volume_cut_or_altered_anywhere_is_refused_in_words_or_read(packed: bool) -> None:
    data = gzip.compress(volume()) if packed else volume()
    generator = np.random.default_rng(3)
    for _ in range(60):
        damaged = bytearray(data)
        for place in generator.integers(0, 400, 3):
            damaged[place] = generator.integers(256)
        with suppress(ScanError):
            assert open_scan(bytes(damaged[: generator.integers(100, len(data) + 1)])).frames >= 1


def test_the_crop_knows_plane_and_slice() -> None:
    scan = open_scan(volume(), 3, "coronal")
    rule = crop_scan(scan).rule
    assert (rule.plane, rule.frame) == ("coronal", 3)
    with pytest.raises(ScanError, match="another plane"):
        crop_scan(scan, CropRule(plane="axial", frame=3))
    assert crop_scan(scan, rule).rule == rule


def test_a_certificate_names_plane_and_slice_and_is_replayed_with_them(tiny_model: MedVLM, tmp_path: Path) -> None:
    data, plan = volume(), Plan(max_votes=200, selection_votes=16)
    scan = open_scan(data, 3, "sagittal")
    *_, last = certify(tiny_model, scan, task=TASK, plan=plan, noise_level=0.5, batch_size=16, seed=3)
    [record] = last.results.values()
    record.save(tmp_path / "certificate.json")
    assert verify(tmp_path / "certificate.json").ok
    seen = record.run.preprocessing
    assert (seen["frame"], seen["plane"], "region" in seen) == (3, "sagittal", False)
    assert replay(record, open_scan(data, seen["frame"], seen["plane"])).ok
    with pytest.raises(ScanError, match="another plane"):
        replay(record, open_scan(data, 3, "coronal"))


def test_without_the_extra_a_sentence_says_which_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scans, "find_spec", lambda name: None if name == "nibabel" else find_spec(name))
    for data in (volume(), gzip.compress(volume())):
        with pytest.raises(ScanError, match=r"psmooth\[nifti\]"):
            open_scan(data)


@pytest.mark.parametrize("wrong", ["", "oblique", "Axial"])
def test_a_plane_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ScanError, match="is not a plane"):
        open_scan(volume(), plane=wrong)


def test_a_plane_of_another_file_is_refused() -> None:
    out = io.BytesIO()
    Image.new("L", (20, 20)).save(out, "PNG")
    with pytest.raises(ScanError, match="no NIfTI volume"):
        open_scan(out.getvalue(), plane="axial")
