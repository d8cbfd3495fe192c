"""Says what is fixed before the first vote: how many votes there are, and how the failure probability is spent.

It knows nothing about votes.
"""

from dataclasses import dataclass
from typing import Literal

from psmooth.errors import PlanError

MOST_VOTES = 1_000_000  # the bounds are checked up to here


@dataclass(frozen=True)
class Plan:
    """What is fixed before the first vote: how many votes, and how the failure probability is spent.

    ``live`` may be read at any moment: a tenth of the failure probability goes to the anytime bound, the rest to one
    Clopper-Pearson look at exactly ``max_votes``. ``paper`` is Algorithm 1 of Cohen et al.: one look at the end.
    A live run may end before: at ``target_radius``, or with a ``tolerance`` once it is settled
    (`psmooth.certificate.is_settled`). Raises PlanError naming the field that cannot be used.
    """

    max_votes: int = 1_000
    failure_probability: float = 0.001
    name: Literal["live", "paper"] = "live"
    selection_votes: int | None = None
    target_radius: float | None = None
    tolerance: float | None = None

    def __post_init__(self) -> None:
        if self.name not in ("live", "paper"):
            raise PlanError("plan is {plan}; it must be 'live' or 'paper'.", plan=repr(self.name))
        if self.selection_votes is None:
            object.__setattr__(self, "selection_votes", 64 if self.name == "live" else 100)
        _check_votes("max_votes", self.max_votes)
        _check_votes("selection_votes", self.selection_votes)
        if not 1e-100 <= self.failure_probability < 1:
            alpha = f"{self.failure_probability:g}"
            raise PlanError(
                "failure_probability is {alpha}; it must lie from 1e-100 to below 1, such as 0.001.", alpha=alpha
            )
        self._check_target()
        self._check_tolerance()

    def _check_target(self) -> None:
        if self.target_radius is None:
            return
        if self.name == "paper":
            raise PlanError("target_radius needs the live plan: the paper's plan is read once, at its end.")
        if not 0 < self.target_radius <= 1000:
            raise PlanError(
                "target_radius is {radius}; it must lie above 0 and up to 1000, or be None.",
                radius=f"{self.target_radius:g}",
            )

    def _check_tolerance(self) -> None:
        if self.tolerance is None:
            return
        if self.name == "paper":
            raise PlanError("tolerance needs the live plan: the paper's plan is read once, at its end.")
        if not 0 < self.tolerance < 1:
            raise PlanError(
                "tolerance is {tolerance}; it must be a share between 0 and 1, such as 0.2, or None.",
                tolerance=f"{self.tolerance:g}",
            )

    @property
    def anytime_failure_probability(self) -> float:
        """The share that the anytime bound may spend: a tenth, or nothing under the paper's plan."""
        return self.failure_probability / 10 if self.name == "live" else 0.0

    @property
    def final_failure_probability(self) -> float:
        """The share kept for the one look at the announced end."""
        return self.failure_probability - self.anytime_failure_probability


def _check_votes(name: str, votes: int | None) -> None:
    if not isinstance(votes, int) or isinstance(votes, bool) or not 1 <= votes <= MOST_VOTES:
        raise PlanError(
            "{name} is {value}; it must be a whole number from 1 to {most:,}.",
            name=name,
            value=repr(votes),
            most=MOST_VOTES,
        )
