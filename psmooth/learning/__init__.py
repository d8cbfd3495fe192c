"""Learning: prompts, class vectors and denoisers for a frozen model, from labels, a teacher, or nothing.

It knows nothing about pages or certificates.
"""

from psmooth.learning.bank import learn_bank, learn_from, lesson_of, lesson_targets
from psmooth.learning.config import LADDER, MIXED_NOISE, Course, Step
from psmooth.learning.denoiser import learn_denoiser, wiener_spectrum
from psmooth.learning.descent import learn_class_vectors, learn_context
from psmooth.learning.discriminant import fit_discriminants
from psmooth.learning.examples import Lesson, encode_lesson, noisy_lesson, teacher_targets
from psmooth.learning.tuning import tune

__all__ = [
    "LADDER",
    "MIXED_NOISE",
    "Course",
    "Lesson",
    "Step",
    "encode_lesson",
    "fit_discriminants",
    "learn_bank",
    "learn_class_vectors",
    "learn_context",
    "learn_denoiser",
    "learn_from",
    "lesson_of",
    "lesson_targets",
    "noisy_lesson",
    "teacher_targets",
    "tune",
    "wiener_spectrum",
]
