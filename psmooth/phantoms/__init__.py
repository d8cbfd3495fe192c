"""Phantoms: invented scans whose class and parameters are known.

It knows nothing about models, prompts or certificates, and holds no pixel of any patient's scan.
"""

from psmooth.phantoms.draw import PHANTOMS, Phantom, draw_phantom

__all__ = [
    "PHANTOMS",
    "Phantom",
    "draw_phantom",
]
