"""Grey windows: which values are spread over black to white, by a file's word, by custom or by a rule.

It knows nothing about files.
"""

from typing import Final

import numpy as np

from psmooth.errors import ScanError
from psmooth.scans.scan import Offer, Window

OWN: Final = "the file's own"
CURVE: Final = "the file's own curve"
STATED: Final = "as the file states"
SPREAD: Final = "spread of the values"
FULL: Final = "full range"
ALL: Final = "all levels"

LOW, HIGH = 0.5, 99.5  # percent of the pixels that a window taken from the values leaves out at either end

CT_WINDOWS: Final = (
    Offer("soft tissue", Window(40, 400, "linear")),
    Offer("lung", Window(-600, 1500, "linear")),
    Offer("bone", Window(400, 1800, "linear")),
    Offer("brain", Window(40, 80, "linear")),
    Offer("mediastinum", Window(50, 350, "linear")),
)  # in HU, as they are customary

SUV_UNIT: Final = "g/ml"
SUV: Final = "SUV by body weight"
SUV_WINDOW: Final = Offer(SUV, Window(5, 10))  # 0 to 10, as is customary

NAMES: Final = (
    "abdomen", "angio", "bone", "brain", "chest", "harder", "head", "liver", "lung", "mediastinum", "normal", "pelvis",
    "softer", "soft tissue", "spine", "stroke", "temporal bone",
)  # fmt: skip
"""What a file may call a window; of any other words in it nothing is shown."""


def spread_window(levels: np.ndarray) -> Offer:
    """The window from the 0.5th to the 99.5th percentile of the values: a few bright or dark pixels do not move it.

    Raises:
        ScanError: none of the values is a number.
    """
    finite = levels[np.isfinite(levels)] if levels.dtype.kind == "f" else levels
    if not finite.size:
        raise ScanError(
            "There is no picture in this file: none of its values is a number. Expected is one with grey levels: "
            "choose another one."
        )
    low, high = (float(one) for one in np.percentile(finite, (LOW, HIGH), method="nearest"))
    return Offer(SPREAD, Window((low + high) / 2, high - low or 1e-6))


def shown(levels: np.ndarray, window: Window, inverted: bool = False) -> np.ndarray:
    """(height, width) uint8: levels through a window, PS3.3 C.11.2.1.2 and C.11.2.1.3, rounded half up."""
    values = levels.astype(np.float64)
    center, width = window.center, window.width
    if window.function == "sigmoid":
        spread = 255 / (1 + np.exp(np.clip(-4 * (values - center) / width, -700, 700)))
    elif window.function == "linear" and width > 1:
        spread = 255 * ((values - (center - 0.5)) / (width - 1) + 0.5)
    elif window.function == "linear":  # of width 1: a threshold
        spread = np.where(values <= center - 0.5, 0.0, 255.0)
    else:
        spread = 255 * (values - (center - width / 2)) / width  # one division: halves stay halves
    grey = np.floor(np.nan_to_num(spread).clip(0, 255) + 0.5).astype(np.uint8)
    return 255 - grey if inverted else grey
