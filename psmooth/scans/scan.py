"""Says what a scan and a crop are, how one is cut from the other, and how large either may be.

It knows nothing about files, models or noise, and keeps neither file names nor tags.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

MAX_FILE_BYTES: Final = 64_000_000

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")  # how the names of scans end

MAX_PIXELS: Final = 64_000_000

MIN_SIDE: Final = 16

MAX_SIDE_RATIO: Final = 32

MAX_CROP_SIZE: Final = 1_024


@dataclass(frozen=True)
class Window:
    """The grey levels of a 16-bit scan that are spread over black to white: ``center`` ± ``width`` / 2.

    A level v becomes 255·clip((v − (center − width/2)) / width, 0, 1), rounded half up.
    """

    center: float
    width: float


@dataclass(frozen=True)
class CropRule:
    """How a scan becomes the crop that is certified; recorded in the certificate.

    Order: window, box, resize, centre crop or pad.

    ``size``: side of the crop in pixels.
    ``fit``: "crop" resizes the shorter side to ``size``, keeps the centre; "pad" resizes the longer side, adds black.
    ``interpolation``: Pillow's antialiased filter.
    ``box``: left, top, right, bottom in scan pixels; None is the whole scan.
    ``window``: of a 16-bit scan; None is `Scan.window`.
    """

    size: int = 128
    fit: Literal["crop", "pad"] = "crop"
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    box: tuple[int, int, int, int] | None = None
    window: Window | None = None


@dataclass(frozen=True, eq=False)
class Scan:
    """What a visitor brought, upright and without transparency, name or tags.

    ``values``: (height, width, 3) uint8 RGB, or (height, width) uint16 grey.
    ``kind``: what the file held, e.g. "8-bit RGB"; ``format``: e.g. "PNG".
    ``depth``: bits of a grey level of a uint16 scan, as its file states.
    """

    values: np.ndarray
    kind: str
    format: str
    depth: int = 16

    @property
    def width(self) -> int:
        """In pixels."""
        return self.values.shape[1]

    @property
    def height(self) -> int:
        """In pixels."""
        return self.values.shape[0]

    @property
    def window(self) -> Window | None:
        """The full range that the file's depth states, never this scan's own minimum and maximum; None for 8 bits."""
        if self.values.dtype == np.uint8:
            return None
        top = 2**self.depth - 1
        return Window(center=top / 2, width=float(top))


@dataclass(frozen=True, eq=False)
class Crop:
    """What the model sees and the certificate is about.

    ``pixels``: (3, size, size) uint8 RGB, contiguous.
    ``rule``: the rule that made it, with box and window resolved.
    ``sha256``: `crop_sha256` of the pixels.
    """

    pixels: np.ndarray
    rule: CropRule
    sha256: str
