"""Scans: what is read from a file, and the crop that a model sees of it.

It knows nothing about models, noise or certificates, and keeps neither file names nor tags.
"""

from psmooth.scans.crop import crop_scan, crop_sha256, scan_picture
from psmooth.scans.landmarks import Landmark, landmarks
from psmooth.scans.read import open_scan
from psmooth.scans.scan import (
    MAX_CROP_SIZE,
    MAX_FILE_BYTES,
    MAX_PIXELS,
    MAX_SIDE_RATIO,
    MIN_SIDE,
    PICTURES,
    Crop,
    CropRule,
    Scan,
    Window,
)

__all__ = [
    "MAX_CROP_SIZE",
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "MAX_SIDE_RATIO",
    "MIN_SIDE",
    "PICTURES",
    "Crop",
    "CropRule",
    "Landmark",
    "Scan",
    "Window",
    "crop_scan",
    "crop_sha256",
    "landmarks",
    "open_scan",
    "scan_picture",
]
