"""Makes pixels square that are wider than high, or higher than wide.

It knows nothing about files.
"""

from typing import Final

import numpy as np
from PIL import Image

from psmooth.scans.notes import STRETCHED
from psmooth.scans.scan import check_sides

_SQUARE: Final = 0.005  # from which on a pixel is no square


def squared(values: np.ndarray, ratio: float) -> tuple[np.ndarray, tuple[str, ...]]:
    """No row or column is lost; ``ratio`` is a pixel's height to its width. With it what is to be said."""
    if abs(ratio - 1) < _SQUARE or not 1 / 16 < ratio < 16:
        return values, ()
    height, width = values.shape[:2]
    size = (width, round(height * ratio)) if ratio > 1 else (round(width / ratio), height)
    check_sides(*size)
    image = Image.fromarray(values if values.ndim == 3 else values.astype(np.float32))
    return np.array(image.resize(size, Image.Resampling.BILINEAR)), (STRETCHED,)
