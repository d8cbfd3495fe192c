"""Refuses a crop on which there is next to nothing to be seen.

It knows nothing about models.
"""

from typing import Final

import numpy as np

from psmooth.errors import ScanError
from psmooth.scans.scan import Crop

LEAST_SPREAD: Final = 16
"""Of 255 levels: what 99 in 100 values of a crop lie within, a 12-bit picture in a 16-bit file being such a one."""


def check_contrast(crop: Crop) -> None:
    """Raises `ScanError` if, in every channel, the 1st and 99th percentiles are less than `LEAST_SPREAD` levels apart.

    A model answers an empty square like any other, and that answer can be certified.
    """
    low, high = np.quantile(crop.pixels.reshape(3, -1), (0.01, 0.99), axis=1)
    if (high - low).max() < LEAST_SPREAD:
        raise ScanError(
            "There is next to nothing to be seen on the crop: 98 in 100 of its pixels differ by less than {least} of "
            "255 levels. Choose another window, box or picture.",
            least=LEAST_SPREAD,
        )
