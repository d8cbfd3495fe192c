"""Cuts the crop that a model sees from a scan: window, box, resize, centre crop or padding.

It knows nothing about files, models or noise.
"""

import hashlib
from dataclasses import replace
from numbers import Integral, Real
from typing import Final

import numpy as np
from PIL import Image

from psmooth.errors import ScanError
from psmooth.scans.scan import MAX_CROP_SIZE, MAX_SIDE_RATIO, MIN_SIDE, MOST_GREY, Crop, CropRule, Scan, Window
from psmooth.scans.windows import shown

_BAND: Final = 2_000_000  # pixels that are computed at a time

_FILTERS: Final = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


def crop_scan(scan: Scan, rule: CropRule = CropRule()) -> Crop:
    """Apply window, box, antialiased resize and centre crop (or padding) to a scan.

    The arithmetic of size and offsets is that of torchvision's Resize and CenterCrop, so that a model sees what it was
    trained on. Raises `ScanError` for a box outside the scan, an impossible window or crop size.
    """
    _check_rule(rule)
    plane, region = _resolve_view(scan, rule)
    frame = _resolve_frame(scan, rule.frame)
    window = resolve_window(scan, rule.window)
    box = _resolve_box(scan, rule.box)
    left, top, right, bottom = box
    part = Image.fromarray(_to_8_bits(scan.values[top:bottom, left:right], window, scan.inverted))
    fitted = np.asarray((_centre_crop if rule.fit == "crop" else _pad)(part, rule).convert("RGB"))
    pixels = np.ascontiguousarray(fitted.transpose(2, 0, 1))  # (3, size, size)
    used = replace(rule, box=box, window=window, frame=frame, series=scan.series, plane=plane, region=region)
    return Crop(pixels, used, crop_sha256(pixels))


def scan_picture(scan: Scan, window: Window | None = None) -> np.ndarray:
    """The whole scan for showing, (height, width, 3) uint8; ``window`` as in `CropRule`. Raises `ScanError`."""
    grey_or_rgb = _to_8_bits(scan.values, resolve_window(scan, window), scan.inverted)
    return np.array(grey_or_rgb) if grey_or_rgb.ndim == 3 else np.repeat(grey_or_rgb[..., None], 3, axis=2)


def crop_sha256(pixels: np.ndarray) -> str:
    """Hex sha256 of the shape as text ("3x128x128:") followed by the uint8 values in C order."""
    shape = "x".join(map(str, pixels.shape)) + ":"
    return hashlib.sha256(shape.encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()


def _check_box_sides(width: int, height: int) -> None:
    """A box lies within a scan, so it cannot have too many pixels."""
    if min(width, height) < MIN_SIDE:
        raise ScanError(
            "The box is {width:,} × {height:,} pixels. At least {least} pixels a side are needed: choose a larger one.",
            width=width,
            height=height,
            least=MIN_SIDE,
        )
    if max(width, height) > MAX_SIDE_RATIO * min(width, height):
        raise ScanError(
            "The box is {width:,} × {height:,} pixels. One side may be at most {most} times the other: cut out the "
            "region of interest.",
            width=width,
            height=height,
            most=MAX_SIDE_RATIO,
        )


def _check_rule(rule: CropRule) -> None:
    _check_numbers(rule)
    if not 1 <= rule.size <= MAX_CROP_SIZE:
        raise ScanError(
            "A crop of {size:,} pixels a side is not possible. Expected is 1 to {most:,}: choose the size that the "
            "model was made for.",
            size=rule.size,
            most=MAX_CROP_SIZE,
        )
    if rule.fit not in ("crop", "pad"):
        raise ScanError(
            '"{fit}" is not a way to fit a scan. Expected is "crop" or "pad": choose one of these.',
            fit=_shown(rule.fit),
        )
    if rule.interpolation not in tuple(_FILTERS):  # which, unlike the table itself, may be asked for a list
        raise ScanError(
            '"{interpolation}" is not an interpolation. Expected is "bicubic" or "bilinear": choose one of these.',
            interpolation=_shown(rule.interpolation),
        )


def _check_numbers(rule: CropRule) -> None:
    """Annotations bind nobody who calls from a notebook or over the network."""
    box = rule.box if isinstance(rule.box, tuple | list) else () if rule.box is None else (rule.box,)
    window = () if rule.window is None else (getattr(rule.window, name, None) for name in ("center", "width"))
    wrong = [value for value in (rule.size, *box) if not isinstance(value, Integral) or isinstance(value, bool)]
    wrong += [value for value in window if not isinstance(value, Real) or isinstance(value, bool) or _is_huge(value)]
    if wrong or (rule.box is not None and len(box) != 4):
        raise ScanError(
            "A crop cannot be made with {given}. Expected are whole pixels for its size and for the four sides of a "
            "box, and numbers for a window: give such.",
            given=ascii(wrong[0] if wrong else rule.box)[:40],
        )


def _shown(value: object) -> str:
    """A value as a short piece of a sentence that can be written anywhere."""
    return str(value)[:40].encode(errors="replace").decode()


def _is_huge(number: Real) -> bool:
    """Whether it is a whole number that no float can hold."""
    return isinstance(number, Integral) and abs(int(number)) > 2**53


def resolve_window(scan: Scan, window: Window | None) -> Window | None:
    """The window that a scan is seen through: this one, or the one that it offers first.

    Raises:
        ScanError: it is no window, or the scan takes none.
    """
    if window is None:
        return scan.window
    if scan.window is None:
        raise ScanError(
            "A window was given for a scan in colour or of 8 bits. Only deeper grey scans take one: leave it out."
        )
    if not window.is_possible:
        raise ScanError(
            "The window with centre {center} and width {width} is not possible. Expected are a centre of at most "
            "{most:,}, with either sign, and a width above 0 and of at most {most:,}, in grey levels: choose such a "
            "window.",
            center=f"{window.center:g}",
            width=f"{window.width:g}",
            most=MOST_GREY,
        )
    return window


def _resolve_frame(scan: Scan, frame: int | None) -> int | None:
    if frame not in (None, scan.frame):
        raise ScanError(
            "The crop is one of frame {wanted}, and the scan is frame {frame} of {frames}. Open the scan at frame "
            "{wanted}.",
            wanted=frame,
            frame=scan.frame,
            frames=scan.frames,
        )
    return scan.frame if scan.frames > 1 else None


def _resolve_view(scan: Scan, rule: CropRule) -> tuple[str | None, tuple[float, float, float] | None]:
    """The plane of a volume and the region of a slide that the scan is of."""
    if rule.plane not in (None, scan.plane) or rule.region not in (None, scan.region):
        raise ScanError(
            "The crop is one of another plane or region than the scan. Open the scan with the plane or region of the "
            "crop."
        )
    return scan.plane or None, scan.region


def _resolve_box(scan: Scan, box: tuple[int, int, int, int] | None) -> tuple[int, int, int, int]:
    if box is None:
        return 0, 0, scan.width, scan.height
    left, top, right, bottom = box
    if not (0 <= left < right <= scan.width and 0 <= top < bottom <= scan.height):
        raise ScanError(
            "The box {left}, {top}, {right}, {bottom} does not lie in the scan of {width:,} × {height:,} pixels. "
            "Expected is left, top, right, bottom, with left below right and top below bottom: choose a box inside "
            "the scan.",
            left=left,
            top=top,
            right=right,
            bottom=bottom,
            width=scan.width,
            height=scan.height,
        )
    _check_box_sides(right - left, bottom - top)
    return left, top, right, bottom


def _to_8_bits(values: np.ndarray, window: Window | None, inverted: bool) -> np.ndarray:
    """Colour as it is; grey through the window, 16-bit levels by a table of all 65,536, others in bands."""
    if window is None:
        return np.ascontiguousarray(values)
    if values.dtype == np.uint16:
        return shown(np.arange(2**16), window, inverted)[values]
    rows = max(1, _BAND // values.shape[1])
    bands = [shown(values[top : top + rows], window, inverted) for top in range(0, len(values), rows)]
    return np.concatenate(bands)


def _centre_crop(image: Image.Image, rule: CropRule) -> Image.Image:
    """Shorter side to ``size``, then the centre; the rounding is torchvision's."""
    width, height = (int(rule.size * side / min(image.size)) for side in image.size)
    fitted = image.resize((width, height), _FILTERS[rule.interpolation])
    left, top = round((width - rule.size) / 2), round((height - rule.size) / 2)
    return fitted.crop((left, top, left + rule.size, top + rule.size))


def _pad(image: Image.Image, rule: CropRule) -> Image.Image:
    """Longer side to ``size``, black beside the shorter one."""
    longer = max(image.size)
    width, height = (max(1, round(rule.size * side / longer)) for side in image.size)
    canvas = Image.new(image.mode, (rule.size, rule.size))
    fitted = image.resize((width, height), _FILTERS[rule.interpolation])
    canvas.paste(fitted, ((rule.size - width) // 2, (rule.size - height) // 2))
    return canvas
