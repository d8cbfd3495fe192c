"""Colours a field of tissue as a laboratory's stain does: three maps of dye, and the light that passes them.

It knows nothing about which tissue it is.
Haematoxylin, eosin and blood are the dyes; light that passes all three gives the colour (Beer and Lambert).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from psmooth.phantoms.tools import CANVAS, Array, mix, smooth_noise


@dataclass(frozen=True)
class _Stain:
    """Colours of one laboratory's slides, RGB: empty slide, tissue, nuclei, fibres, red blood."""

    slide: tuple[int, int, int]
    tissue: tuple[int, int, int]
    nucleus: tuple[int, int, int]
    fibre: tuple[int, int, int]  # pinker than the rest of the tissue
    blood: tuple[int, int, int]
    spread: float = 4.0  # how far slides differ, in grey levels


# Measured as percentiles over such slides.
_STAINS = {
    "benign_colonic_tissue": _Stain((255, 252, 255), (214, 178, 237), (92, 62, 162), (230, 182, 234), (238, 125, 175)),
    "colon_adenocarcinoma": _Stain((255, 250, 255), (200, 170, 236), (88, 66, 162), (230, 184, 232), (235, 110, 165)),
    "benign_lung_tissue": _Stain((220, 205, 208), (196, 128, 196), (60, 26, 116), (220, 136, 184), (216, 44, 98), 7),
    "lung_adenocarcinoma": _Stain((204, 203, 254), (160, 130, 234), (50, 24, 160), (180, 130, 230), (215, 60, 140), 9),
    "lung_squamous_cell_carcinoma": _Stain(
        (200, 182, 252), (156, 122, 230), (56, 32, 164), (174, 124, 228), (215, 70, 150), 11
    ),
    "normal_oral_epithelium": _Stain(
        (228, 226, 240), (150, 134, 206), (56, 46, 128), (204, 150, 196), (206, 80, 110), 8
    ),
    "oral_squamous_cell_carcinoma": _Stain(
        (226, 222, 238), (146, 124, 202), (52, 40, 126), (210, 140, 190), (206, 80, 110), 8
    ),
}

LUNG_SLIDES = {"grey": (214, 210, 205), "pink": (226, 202, 214), "rose": (228, 212, 218), "yellow": (230, 206, 178)}


class Dyes:
    """The three dyes on one field, where nuclei are, and how fibrous it is: each (CANVAS, CANVAS), 0 none, 1 full."""

    def __init__(self) -> None:
        self.eosin: Array = np.zeros((CANVAS, CANVAS), np.float32)
        self.haematoxylin: Array = np.zeros((CANVAS, CANVAS), np.float32)
        self.blood: Array = np.zeros((CANVAS, CANVAS), np.float32)
        self.nuclei: Array = np.zeros((CANVAS, CANVAS), np.float32)
        self.fibres: Array = np.zeros((CANVAS, CANVAS), np.float32)

    def fill(self, eosin: Array | float, amount: Array) -> None:
        """Let ``eosin`` take the place of what lies under ``amount`` in 0..1."""
        self.eosin = self.eosin + (eosin - self.eosin) * amount

    def empty(self, amount: Array) -> None:
        """Wash all dye out under ``amount`` in 0..1."""
        keep = 1 - amount
        self.eosin, self.haematoxylin, self.nuclei = self.eosin * keep, self.haematoxylin * keep, self.nuclei * keep


def light_through(dyes: Dyes, class_id: str, look: Mapping[str, Any], rng: np.random.Generator) -> Array:
    """The colours that pass the dyes, (CANVAS, CANVAS, 3)."""
    stain = _STAINS[class_id]
    shift = 0.8 * rng.normal(0, stain.spread, (3, 1)) + 0.35 * rng.normal(0, stain.spread, (3, 3))
    slide = np.asarray(LUNG_SLIDES[look["slide"]] if "slide" in look else stain.slide, float)
    slide = np.clip(slide + 0.4 * shift[0], 1, 255)
    pink, dark = np.clip(stain.tissue + shift[1], 1, slide - 4), np.clip(stain.nucleus + 0.8 * shift[2], 1, slide - 4)
    strand = np.clip(np.asarray(stain.fibre) + shift[1], 1, slide - 4)
    colours = (pink, dark, np.minimum(stain.blood, slide - 4), strand)
    density = [np.log(slide / colour) for colour in colours]
    eosin = dyes.eosin * np.float32(look["eosin"]) * (1 + 0.12 * smooth_noise(rng, 3.5))
    exponent = (
        eosin[..., None] * mix(density[0], density[3], np.clip(dyes.fibres, 0, 1))
        + dyes.haematoxylin[..., None] * np.float32(look["haematoxylin"] * (density[1] - 0.6 * density[0]))
        + dyes.blood[..., None] * np.float32(density[2])
    )
    return slide.astype(np.float32) * np.exp(-exponent)
