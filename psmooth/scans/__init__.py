"""Scans: what is read from a file, and the crop that a model sees of it.

It knows nothing about models, noise or certificates, and keeps neither file names nor tags.
"""

from psmooth.scans.contrast import LEAST_SPREAD, check_contrast
from psmooth.scans.crop import crop_scan, crop_sha256, scan_picture
from psmooth.scans.landmarks import Landmark, landmarks
from psmooth.scans.read import open_frames, open_scan
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
    is_scan_name,
)
from psmooth.scans.series import Contents, Series, list_series, open_picture

__all__ = [
    "LEAST_SPREAD",
    "MAX_CROP_SIZE",
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "MAX_SIDE_RATIO",
    "MIN_SIDE",
    "PICTURES",
    "Contents",
    "Crop",
    "CropRule",
    "Landmark",
    "Scan",
    "Series",
    "Window",
    "check_contrast",
    "crop_scan",
    "crop_sha256",
    "is_scan_name",
    "landmarks",
    "list_series",
    "open_frames",
    "open_picture",
    "open_scan",
    "scan_picture",
]
