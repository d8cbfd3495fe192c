"""Learning: prompts, class vectors and denoisers for a frozen model, from labels, a teacher, or nothing.

It knows nothing about pages or certificates.
"""

from psmooth.learning.bank import learn_bank, learn_from, training_set_of, training_targets
from psmooth.learning.config import LADDER, MIXED_NOISE, Step, TrainingConfig
from psmooth.learning.denoiser import learn_denoiser, wiener_spectrum
from psmooth.learning.descent import learn_class_vectors, learn_context
from psmooth.learning.discriminant import fit_discriminants
from psmooth.learning.examples import TrainingSet, encode_training_set, noisy_training_set, teacher_targets
from psmooth.learning.tuning import tune

__all__ = [
    "LADDER",
    "MIXED_NOISE",
    "Step",
    "TrainingConfig",
    "TrainingSet",
    "encode_training_set",
    "fit_discriminants",
    "learn_bank",
    "learn_class_vectors",
    "learn_context",
    "learn_denoiser",
    "learn_from",
    "noisy_training_set",
    "teacher_targets",
    "training_set_of",
    "training_targets",
    "tune",
    "wiener_spectrum",
]
