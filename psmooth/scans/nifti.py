"""Turns a NIfTI volume into a `Scan`: one slice of one plane, lying as a radiologist's viewer shows it.

It knows nothing about crops or models, and passes on none of the file's own words. It needs `nibabel`.
"""

import gzip
import io
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
from nibabel.affines import obliquity, voxel_sizes  # pyright: ignore[reportMissingImports]
from nibabel.nifti1 import Nifti1Image  # pyright: ignore[reportMissingImports]
from nibabel.nifti2 import Nifti2Image  # pyright: ignore[reportMissingImports]
from nibabel.orientations import io_orientation  # pyright: ignore[reportMissingImports]

from psmooth.errors import ScanError
from psmooth.scans.grey import scan_of_numbers
from psmooth.scans.notes import OBLIQUE, UNKNOWN_SIDES
from psmooth.scans.pillow import scan_of_array
from psmooth.scans.scan import PLANES, Offer, Scan, Window, check_sides
from psmooth.scans.squares import squared
from psmooth.scans.windows import OWN

_MOST_BYTES: Final = 512_000_000  # that a packed file may unpack to
_STRAIGHT: Final = np.radians(5)  # from which on a volume is said to stand at an angle
_LEFT_RIGHT, _BACK_FRONT, _FEET_HEAD = range(3)  # axes of the body, each counted towards its second end
_SHOWN: Final = {
    "axial": (_BACK_FRONT, _LEFT_RIGHT, _FEET_HEAD),
    "coronal": (_FEET_HEAD, _LEFT_RIGHT, _BACK_FRONT),
    "sagittal": (_FEET_HEAD, _BACK_FRONT, _LEFT_RIGHT),
}  # what goes down the picture, across it, and into it


class _Axis(NamedTuple):
    """An axis of the body in the file: which of its axes, and whether it is counted from the second end."""

    place: int
    turned: bool
    spacing: float


def read_nifti(data: bytes, frame: int | None = None, plane: str | None = None) -> Scan:
    """One slice of a volume.

    The front of the body or its head is up, and its right or its front is at the left of the picture.

    Args:
        data: the file, packed or not.
        frame: the slice, counted from 1 from feet, back or left; with several volumes on through those. None is the
            middle one of the first.
        plane: "axial", "coronal" or "sagittal"; None is axial.

    Raises:
        ScanError: no such slice, or not numbers of three or four dimensions.
        Exception: damaged.
    """
    image = _opened(_unpacked(data))
    shape = image.shape
    held: Any = image.get_data_dtype()
    colour = held.fields is not None
    if len(shape) not in (3, 4) or not (colour or held.kind in "iuf"):
        raise ScanError(
            "This NIfTI file holds {dimensions} dimensions of {kind}. Read are volumes of numbers or of RGB, in 3 "
            "dimensions, or 4 with the time.",
            dimensions=len(shape),
            kind="RGB" if colour else held.name,
        )
    plane = plane or PLANES[0]
    axes, notes = _axes(image)
    down, across, into = (axes[number] for number in _SHOWN[plane])
    slices, volumes = shape[into.place], shape[3] if len(shape) == 4 else 1
    number = (slices + 1) // 2 if frame is None else frame
    if not 1 <= number <= slices * volumes:
        raise ScanError(
            "There is no slice {frame:,}: this plane has {frames:,}. Choose one of these, counted from 1.",
            frame=number,
            frames=slices * volumes,
        )
    volume, index = divmod(number - 1, slices)
    values = _slice(image, into, slices - 1 - index if into.turned else index, volume)
    picture, stretched = squared(_laid(values, down, across), down.spacing / across.spacing)
    check_sides(picture.shape[1], picture.shape[0])
    about = {"plane": plane, "frame": number, "frames": slices * volumes, "notes": (*notes, *stretched)}
    return _scan(picture, image, about)


def _unpacked(data: bytes) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data
    with gzip.open(io.BytesIO(data)) as file:
        unpacked = file.read(_MOST_BYTES + 1)
    if len(unpacked) > _MOST_BYTES:
        raise ScanError(
            "The volume is larger than {megabytes} MB when it is unpacked. Cut out the part of interest.",
            megabytes=_MOST_BYTES // 10**6,
        )
    return unpacked


def _opened(data: bytes) -> Nifti1Image:
    if data[344:348] == b"ni1\0" or data[4:8] == b"ni2\0":
        raise ScanError(
            "This is the head of a NIfTI volume in two files, .hdr and .img. Save the volume as one file, .nii or "
            ".nii.gz."
        )
    kind = Nifti2Image if data[4:8] == b"n+2\0" else Nifti1Image
    return kind.from_bytes(data)


def _axes(image: Nifti1Image) -> tuple[dict[int, _Axis], tuple[str, ...]]:
    """Each axis of the body in the file, nearest to it, and what is to be said of that."""
    affine, header = image.affine, image.header
    sizes = voxel_sizes(affine)
    ends = io_orientation(affine)
    axes = {int(body): _Axis(place, bool(way < 0), float(sizes[place])) for place, (body, way) in enumerate(ends)}
    if not header["sform_code"] and not header["qform_code"]:
        return axes, (UNKNOWN_SIDES,)
    return axes, (OBLIQUE,) if obliquity(affine).max() > _STRAIGHT else ()


def _slice(image: Nifti1Image, into: _Axis, index: int, volume: int) -> np.ndarray:
    """Two of the first three axes, in their order in the file, scaled as the file says."""
    cut: list[Any] = [slice(None)] * 3
    cut[into.place] = index
    if len(image.shape) == 4:
        cut.append(volume)
    values = np.asarray(image.dataobj[tuple(cut)])
    if values.dtype.fields is None:
        return values
    return np.stack([values[name] for name in ("R", "G", "B")], axis=-1)


def _laid(values: np.ndarray, down: _Axis, across: _Axis) -> np.ndarray:
    """Rows and columns as they are shown: both begin at the second end, head, front or right."""
    laid = values if down.place < across.place else values.swapaxes(0, 1)
    laid = laid if down.turned else laid[::-1]
    return np.ascontiguousarray(laid if across.turned else laid[:, ::-1])


def _scan(values: np.ndarray, image: Nifti1Image, about: dict[str, Any]) -> Scan:
    if values.ndim == 3:
        return replace(scan_of_array(values), format="NIfTI", **about)
    low, high = float(image.header["cal_min"]), float(image.header["cal_max"])
    own = (Offer(OWN, Window((low + high) / 2, high - low)),) if low < high else ()
    return scan_of_numbers(values, f"{image.header['bitpix']}-bit grey", "NIfTI", *own, **about)
