"""Says what is found out about a crop before it is certified: what it looks like, and whether the model knows it.

It knows nothing about models and how it is found out.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Basis = Literal["statistics", "prompts"]


@dataclass(frozen=True)
class Finding:
    """What a crop looks like to a model. It warns and forbids nothing, and no certificate rests on it.

    Attributes:
        basis: "statistics" of the scans that the model was trained on, or its own answer to "prompts": a guess.
        kind: a task id (statistics), or an id of ``psmooth.recognition.KINDS`` (prompts); None if nothing is near.
        likely_task: a task that the scan could be asked; None if none fits.
        known: whether the scan is like anything that the model was made for, or of a kind that it is listed for; None
            where that is not known of the model.
        distance: from such scans, where 1 is the threshold and more is an alarm; None for a guess.
        confident: whether one task alone fits, so that it need not be asked for; never true of a guess.
        fits: whether the scan is one for the task that is asked; None if none is, or if nobody knows what it is about.
    """

    basis: Basis
    kind: str | None
    likely_task: str | None
    known: bool | None
    distance: float | None
    confident: bool
    fits: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields as a certificate has them in ``scan_check``; ``Finding(**facts)`` reads them again."""
        return asdict(self)
