"""Says what is learned, how, and how far a learner is.

It knows nothing about how anything is learned.
"""

from dataclasses import dataclass

from psmooth.denoise import Denoiser
from psmooth.methods import SUPERVISED_METHODS

MIXED_NOISE = (0.1, 0.25, 0.5, 0.75, 1.0)

LADDER = (0.1, 0.125, 0.16, 0.2, 0.25, 0.315, 0.4, 0.5, 0.63, 0.8, 1.0)  # so close that what lies between can be mixed


@dataclass(frozen=True)
class Step:
    """How far a learner is: steps done and planned, and the loss (a running mean)."""

    done: int
    planned: int
    loss: float


@dataclass(frozen=True)
class TrainingConfig:
    """How a bank is learned: the way, behind which denoiser, and with how much of everything.

    ``shots`` labelled scans a class are used by ``few_shot`` and ``linear_probe``; the label-free ways use the whole
    pool without looking at its labels. ``sharpness`` multiplies the model's logit scale while learning: a vote counts
    the leader alone, so what is learned need not be calibrated. ``closed_form`` fits class vectors as discriminants,
    one set a noise level (of ``LADDER``, say), and takes no steps.
    """

    method: str
    denoiser: Denoiser
    noise_levels: tuple[float, ...] = MIXED_NOISE
    shots: int = 16
    copies: int = 4
    steps: int = 300
    sharpness: float = 1.0
    seed: int = 0
    closed_form: bool = False

    @property
    def supervised(self) -> bool:
        """Whether labels are needed."""
        return self.method in SUPERVISED_METHODS
