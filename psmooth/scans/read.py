"""Turns a file, its bytes, a Pillow image or an array into a `Scan`.

It knows nothing about crops, models or noise, and keeps neither file names nor tags.
"""

from collections.abc import Generator, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from psmooth.errors import ScanError
from psmooth.scans.apart import read_apart, read_frames_apart
from psmooth.scans.containers import TIFF_SIGNS, check_frames, is_camera_raw, is_slide
from psmooth.scans.pillow import decoding, open_image, scan_of_array, scan_of_image
from psmooth.scans.scan import MAX_FILE_BYTES, PLANES, Scan
from psmooth.scans.signatures import is_dicom, is_nifti, is_slide_name, what_is_found

_IN_SEVERAL_FILES = (".mrxs", ".vms", ".vmu")  # slides by their names; those in DICOM are known by their first bytes


def open_scan(
    source: str | Path | bytes | Image.Image | np.ndarray,
    frame: int | None = None,
    plane: str | None = None,
    region: Sequence[float] | None = None,
) -> Scan:
    """Read a scan from a path, the bytes of a file, a Pillow image or an array.

    Arrays: uint8 of (height, width), (height, width, 3) RGB or (height, width, 4) RGBA; uint16 of (height, width).
    EXIF orientation is applied. Transparent pixels are laid on white, which is the empty slide of histology and what
    paper and most viewers show. Colour profiles are not applied; CMYK is converted as Pillow does, without one.
    Grey levels of 16 bits, and DICOM's values in their own unit, are kept as they are and meet a stated window in
    `crop_scan`. ``frame`` chooses one of a DICOM file's, or a slice of a volume, counted from 1; None is the middle
    one. ``plane`` of a NIfTI volume is one of `PLANES`. ``region`` of a whole slide is left and top, in pixels of the
    whole, and magnification; None is all of it, made smaller.

    Raises `ScanError` with a sentence for the visitor: not an image, cut short, many frames, too large, too small.
    """
    if isinstance(source, np.ndarray):
        return scan_of_array(source)
    if isinstance(source, Image.Image):
        with decoding(source.format or "Pillow image"):
            check_frames(getattr(source, "n_frames", 1), source.format or "Pillow image")
            return scan_of_image(source, source.format or "Pillow image")
    if isinstance(source, bytes | bytearray):
        return _scan_of_bytes(bytes(source), frame, plane, region)
    if isinstance(source, str | Path):
        path = Path(source)
        if is_slide_name(path) or region is not None:
            _check_no_plane(plane)
            _check_beside(_checked(path))
            return _scan_of_slide(b"", path, region)
        return _scan_of_bytes(read_file(path), frame, plane, None)
    raise ScanError(
        "What was given is not a scan. Expected is a path, the bytes of a file, a Pillow image or a NumPy array: "
        "give one of these."
    )


def open_frames(data: bytes, numbers: Iterable[int], plane: str | None = None) -> Generator[Scan | None, None, None]:
    """Frames of a file with many, counted from 1, one after another; None stands for one that cannot be read.

    Whoever wants no more of them lets ``numbers`` end, or closes this. ``plane``: of a volume, as in `open_scan`.
    """
    if is_nifti(data):
        return read_frames_apart(data, numbers, "NIfTI", plane=plane)
    return read_frames_apart(data, numbers, "DICOM")


def region_of(text: str) -> tuple[float, float, float]:
    """A region as it is written, left,top,magnification. Raises ScanError for anything else."""
    try:
        left, top, magnification = (float(part) for part in text.split(","))
    except ValueError:
        raise ScanError(
            'The region is "{given}"; it must be left,top,magnification: pixels of the whole slide, and a number such '
            "as 20.",
            given=text[:40].encode(errors="replace").decode(),
        ) from None
    return left, top, magnification


def _checked(path: Path) -> Path:
    try:
        if path.is_dir():
            raise ScanError("The path given is a folder. Expected is one image file: give the path of the scan itself.")
        if not path.exists():
            raise ScanError("There is no file at the path given. Expected is an image file: check the path.")
        if not path.is_file():
            raise ScanError("The path given is a device or a pipe. Expected is an image file: save the scan as one.")
        return path
    except (OSError, ValueError):
        raise _unopened() from None


def read_file(path: Path, most: int = MAX_FILE_BYTES + 1) -> bytes:
    """The file, or its first bytes; one byte more than is allowed tells that the limit is passed. Raises ScanError."""
    try:
        with _checked(path).open("rb") as file:
            return file.read(most)
    except OSError:
        raise _unopened() from None


def _check_beside(slide: Path) -> None:
    """Of a slide in several files; OpenSlide opens what lies there, and would wait for a pipe."""
    ending = slide.suffix.lower()
    folder = slide.with_suffix("") if ending == ".mrxs" else slide.parent
    if ending not in _IN_SEVERAL_FILES and not is_dicom(read_file(slide, 2**16)):
        return
    try:
        found = [one for one in folder.iterdir() if one.exists()] if folder.is_dir() else []
    except OSError:
        raise _unopened() from None
    if not all(one.is_file() or one.is_dir() for one in found):
        raise ScanError("A device or a pipe lies among the files of this slide. Expected are files: take it away.")


def _unopened() -> ScanError:
    return ScanError(
        "The file at the path given cannot be opened. Expected is an image file that you may read: check the path and "
        "the file's permissions."
    )


def _scan_of_bytes(data: bytes, frame: int | None, plane: str | None, region: Sequence[float] | None) -> Scan:
    if len(data) > MAX_FILE_BYTES:
        raise ScanError(
            "The file is larger than {megabytes} MB, the most that is read. Cut out the region of interest or reduce "
            "the scan, and export it as PNG or JPEG.",
            megabytes=MAX_FILE_BYTES // 10**6,
        )
    if plane not in (None, *PLANES):
        raise ScanError(
            '"{plane}" is not a plane. Expected is "axial", "coronal" or "sagittal": choose one of these.',
            plane=str(plane)[:40],
        )
    if is_nifti(data):
        check_installed("nibabel", "NIfTI", "nifti")
        return read_apart(data, "NIfTI", frame=frame, plane=plane)
    _check_no_plane(plane)
    if region is None and is_dicom(data):  # a TIFF too, some of them; OpenSlide would look for further files beside it
        return read_apart(data, "DICOM", frame=frame)
    if region is not None and is_dicom(data):
        raise ScanError("A whole slide is read from its file alone here. Give its path on the command line.")
    if region is not None or (data[:4] in TIFF_SIGNS and is_slide(data)):
        return _scan_of_slide(data, None, region)
    file_format = _recognise(data)
    with decoding(file_format):
        image = open_image(data, file_format)
        return read_apart(data, file_format) if image is None else scan_of_image(image, file_format)


def _check_no_plane(plane: str | None) -> None:
    if plane is not None:
        raise ScanError("A plane was given for a file that holds no NIfTI volume. Leave it out.")


def _scan_of_slide(data: bytes, path: Path | None, region: Sequence[float] | None) -> Scan:
    check_installed("openslide", "slide", "slides")
    return read_apart(data, "slide", path=path and str(path.absolute()), region=region and list(region))


def check_installed(module: str, file_format: str, extra: str) -> None:
    """Raises `ScanError` where the package that reads a format is not there."""
    if find_spec(module) is None:
        raise ScanError(
            "{file_format} files need a package that is not installed here. Install it by pip install "
            "'psmooth[{extra}]', or export the picture as PNG.",
            file_format=file_format,
            extra=extra,
        )


def is_picture(head: bytes) -> bool:
    """Whether the first bytes are those of a picture that is read and is no DICOM file."""
    try:
        _recognise(head)
    except ScanError:
        return False
    return True


def _recognise(data: bytes) -> str:
    """The format that the first bytes tell; anything else is refused by the name of what it seems to be."""
    if not data:
        raise ScanError(
            "The file is empty (0 bytes). Expected is a DICOM file, a PNG, JPEG, TIFF or WebP of 8 bits a channel, or "
            "a 16-bit grey PNG or TIFF: copy or export the scan again."
        )
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data[:4] in TIFF_SIGNS and not is_camera_raw(data):
        return "TIFF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    raise ScanError(
        "{found} Expected is a DICOM file, a PNG, JPEG, TIFF or WebP of 8 bits a channel, or a 16-bit grey PNG or "
        "TIFF: export the scan as one of these.",
        found=what_is_found(data),
    )
