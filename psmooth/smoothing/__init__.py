"""Smoothing: noisy copies of a scan vote, and at every moment it is known what those votes certify.

It knows nothing about pages or where a model comes from.
"""

from psmooth.smoothing.certification import Progress, Results, certify, ended_by_hand, stopped
from psmooth.smoothing.comparison import Comparison, compare
from psmooth.smoothing.replaying import Replay, replay

__all__ = [
    "Comparison",
    "Progress",
    "Replay",
    "Results",
    "certify",
    "compare",
    "ended_by_hand",
    "replay",
    "stopped",
]
