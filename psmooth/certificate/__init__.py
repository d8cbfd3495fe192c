"""Certificates: votes in, certificate or abstention out; a certificate file in, what no longer follows from it out.

It knows nothing about models, scans and noise: everything it says is arithmetic on recorded counts.
"""

from psmooth.certificate.caveats import (
    BANK_OF_THIS_SCAN,
    BEGAN_AGAIN,
    DENOISER_OF_THIS_SCAN,
    FRESH_SEED,
    FROZEN_PROMPT,
    GIVEN_SEED,
    NOT_CLINICAL,
    NOT_CORRECT,
    NOT_SHOWN,
    UNKNOWN_DENOISER_POOL,
    UNKNOWN_POOL,
    WHAT_RADIUS,
)
from psmooth.certificate.conclusion import Reading, advance, best_reading, conclude, is_settled, states_of
from psmooth.certificate.plan import MOST_VOTES, Plan
from psmooth.certificate.record import (
    GUARANTEES,
    Abstention,
    Bound,
    Certificate,
    Ending,
    Guarantee,
    Reason,
    Run,
    State,
    Votes,
    guarantee_of,
)
from psmooth.certificate.verification import TOLERANCE, Verification, read_certificate, verify

__all__ = [
    "BANK_OF_THIS_SCAN",
    "BEGAN_AGAIN",
    "DENOISER_OF_THIS_SCAN",
    "FRESH_SEED",
    "FROZEN_PROMPT",
    "GIVEN_SEED",
    "GUARANTEES",
    "MOST_VOTES",
    "NOT_CLINICAL",
    "NOT_CORRECT",
    "NOT_SHOWN",
    "TOLERANCE",
    "UNKNOWN_DENOISER_POOL",
    "UNKNOWN_POOL",
    "WHAT_RADIUS",
    "Abstention",
    "Bound",
    "Certificate",
    "Ending",
    "Guarantee",
    "Plan",
    "Reading",
    "Reason",
    "Run",
    "State",
    "Verification",
    "Votes",
    "advance",
    "best_reading",
    "conclude",
    "guarantee_of",
    "is_settled",
    "read_certificate",
    "states_of",
    "verify",
]
