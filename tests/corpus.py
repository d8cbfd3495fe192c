"""Reads a corpus of scan files and prints what each gives, held against another program where one can read it too.

``python -m tests.corpus [FOLDER …]``: the files that are installed with pydicom (and with pydicom-data), pictures of
every kind that Pillow and tifffile write, and those of the folders given. With Debian's dcmtk or with python-gdcm at
hand a DICOM file is drawn by them as well: the last column is the largest difference in grey levels of 255.
"""

import gzip
import io
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import tifffile
from PIL import Image
from pydicom.data import get_testdata_files

from psmooth.errors import ScanError
from psmooth.scans import Scan, open_scan, scan_picture
from psmooth.scans.signatures import is_dicom
from psmooth.scans.windows import CURVE

SHAPE = (40, 56)


def shipped() -> Iterator[tuple[str, bytes]]:
    """The files of pydicom's own tests that are at hand."""
    for path in sorted({Path(str(name)) for name in get_testdata_files()}):
        if path.is_file() and path.stat().st_size < 64_000_000:
            yield f"{path.parent.name}/{path.name}", path.read_bytes()


def drawn() -> Iterator[tuple[str, bytes]]:
    """A picture in each of the modes that Pillow writes, in each of its formats."""
    grey = Image.fromarray(np.arange(SHAPE[0] * SHAPE[1], dtype=np.uint16).reshape(SHAPE) * 29)
    colour = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), np.uint8))
    for mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"):
        image = grey if mode == "I;16" else (grey if mode in "IF" else colour).convert(mode)
        for name in ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP", "JPEG2000", "ICO", "PPM"):
            out = io.BytesIO()
            try:
                image.save(out, name)
            except (OSError, ValueError, KeyError, SystemError):
                continue
            yield f"Pillow {mode} {name}", out.getvalue()


def written() -> Iterator[tuple[str, bytes]]:
    """TIFF files of rarer kinds, as tifffile writes them."""
    draw = np.random.default_rng(0)
    kinds = ("u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8", "c8", "bool")
    for kind in kinds:
        values = draw.integers(0, 100, SHAPE).astype(kind)
        ways: tuple[dict[str, Any], ...] = (
            {}, {"byteorder": ">"}, {"bigtiff": True}, {"compression": "zlib"}, {"tile": (16, 16)},
        )  # fmt: skip
        for options in ways:
            out = io.BytesIO()
            try:
                tifffile.imwrite(out, values, **options)
            except (ValueError, TypeError):
                continue
            yield f"tifffile {kind} {' '.join(f'{k}={v}' for k, v in options.items())}".strip(), out.getvalue()
    for planes, meaning in ((3, "rgb"), (4, "minisblack")):
        for kind in ("u1", "u2"):
            out = io.BytesIO()
            tifffile.imwrite(out, draw.integers(0, 200, (planes, *SHAPE)).astype(kind), photometric=meaning)
            yield f"tifffile {kind} of {planes} planes, {meaning}", out.getvalue()


def packed() -> Iterator[tuple[str, bytes]]:
    """TIFF files of every packing and meaning of pixels that tifffile writes, stacks and pyramids."""
    colours = np.random.default_rng(1).integers(0, 256, (*SHAPE, 3), np.uint8)
    grey = colours[..., 0].copy()
    entries = colours[:16].reshape(-1, 3)[:256].T.astype(np.uint16)
    ways: list[tuple[np.ndarray, dict[str, Any]]] = [
        (values, {"compression": name, **meaning})
        for name in ("lzw", "packbits", "lzma", "zstd", "webp", "jpeg", "jpegxl", "jpeg2000", "lerc", "png", "jpegxr")
        for values, meaning in ((colours, {"photometric": "rgb"}), (grey, {}), (grey.astype(np.float32), {}))
    ]
    ways += [(colours.astype(kind), {"photometric": "rgb"}) for kind in ("u2", "f4", "i1")]
    ways += [(colours, {"photometric": meaning}) for meaning in ("ycbcr", "cielab")]
    ways += [(grey.astype(kind), {"photometric": "miniswhite"}) for kind in ("u1", "u2", "i2", "f4")]
    ways += [(grey, {"photometric": "palette", "colormap": table}) for table in (entries, entries * 257)]
    ways += [(np.stack([grey] * 20), {"photometric": "minisblack", **how}) for how in _STACKS]
    ways += [(np.stack([grey] * count, axis=2), {"planarconfig": "contig"}) for count in (2, 5)]
    for values, options in ways:
        out = io.BytesIO()
        try:
            tifffile.imwrite(out, values, **options)
        except (ValueError, TypeError, RuntimeError):  # a packing that does not hold such values
            continue
        told = " ".join(f"{name}={value}" for name, value in options.items() if name != "colormap")
        yield f"tifffile {values.dtype} {told}", out.getvalue()


_STACKS: tuple[dict[str, Any], ...] = ({}, {"truncate": True}, {"volumetric": True}, {"imagej": True}, {"ome": True})


def volumes() -> Iterator[tuple[str, bytes]]:
    """NIfTI volumes of every kind of values, packed and not."""
    try:
        import nibabel  # pyright: ignore[reportMissingImports]
    except ImportError:
        return
    values = np.random.default_rng(2).integers(0, 100, (24, 28, 32))
    for kind in ("u1", "i2", "u2", "i4", "f4", "f8", "c8"):
        for turned in (np.eye(4), np.diag([-1.0, -1.0, 2.5, 1.0])):
            data = nibabel.Nifti1Image(values.astype(kind), turned).to_bytes()
            yield f"nibabel {kind} {np.diag(turned)[:3]}", data
            yield f"nibabel {kind} {np.diag(turned)[:3]} packed", gzip.compress(data)


def slides() -> Iterator[tuple[str, bytes]]:
    """A pyramid as Aperio's scanners write it."""
    draw, down = np.random.default_rng(3), np.arange(320)[:, None, None]
    values = (draw.integers(0, 60, (320, 400, 3)) + down // 2).astype(np.uint8)
    words = "Aperio Image Library v1.0\n400x320 JPEG/RGB Q=60|AppMag = 20|MPP = 0.5"
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as file:
        for step in (1, 2, 4):
            file.write(
                values[::step, ::step], description=words, photometric="rgb", tile=(80, 80), compression="jpeg",
                compressionargs={"level": 60}, metadata=None,
            )  # fmt: skip
    yield "Aperio", out.getvalue()


def brought(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The files of a folder."""
    for path in sorted(folder.iterdir()):
        if path.is_file():
            yield path.name, path.read_bytes()


def reference(data: bytes, scan: Scan) -> np.ndarray | None:
    """The same frame through the same window, as dcmtk draws it; None where it cannot."""
    if shutil.which("dcmj2pnm") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.dcm"), Path(folder, "out.bmp")
        source.write_bytes(data)
        asked = [
            "dcmj2pnm",
            "+ob",
            "+F",
            str(scan.frame),
            "-S",
            "--no-overlays",
            *_window(scan),
            str(source),
            str(target),
        ]
        subprocess.run(asked, capture_output=True, timeout=60, check=False)
        if not target.exists():
            return None
        return np.asarray(Image.open(target).convert("RGB"))


def _window(scan: Scan) -> list[str]:
    if scan.window is None:
        return []
    if scan.offers[0].name == CURVE:
        return ["+Wl", "1"]
    exact = scan.window.function == "linear_exact"  # dcmtk's windows are linear
    return ["+Ww", str(scan.window.center + 0.5 * exact), str(scan.window.width + exact)]


def told(data: bytes) -> tuple[str, str, float]:
    """What a file gives, the largest difference from another program, seconds."""
    begun = time.perf_counter()
    try:
        scan = open_scan(data)
    except ScanError as error:
        return f"refused: {error}", "", time.perf_counter() - begun
    picture, seconds = scan_picture(scan), time.perf_counter() - begun
    window = f", {scan.offers[0].name}" if scan.offers else ""
    frames = f", frame {scan.frame} of {scan.frames}" if scan.frames > 1 else ""
    other = reference(data, scan) if is_dicom(data) else None
    apart = "" if other is None else _difference(picture, other)
    return f"{scan.format} {scan.kind}, {scan.width} × {scan.height}{frames}{window}", apart, seconds


def _difference(one: np.ndarray, other: np.ndarray) -> str:
    if one.shape != other.shape:
        return f"{other.shape[1]} × {other.shape[0]}"
    return str(int(np.abs(one.astype(int) - other).max()))


def main() -> None:
    """Print the table."""
    sources = [
        shipped(),
        drawn(),
        written(),
        packed(),
        volumes(),
        slides(),
        *(brought(Path(name)) for name in sys.argv[1:]),
    ]
    seen: Counter[str] = Counter()
    print("| file | gives | other program | seconds |\n|---|---|---|---|")
    for source in sources:
        for name, data in source:
            outcome, apart, seconds = told(data)
            seen["refused" if outcome.startswith("refused") else "shown"] += 1
            seen["held against another program"] += bool(apart)
            seen["within one grey level"] += apart in ("0", "1")
            print(f"| {name} | {outcome} | {apart} | {seconds:.2f} |")
    print("\n" + ", ".join(f"{count} {what}" for what, count in seen.items()) + f" (pydicom {pydicom.__version__})")


if __name__ == "__main__":
    main()
