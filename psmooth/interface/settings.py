"""What the controls hold: one record whose fields are the controls, the keys of an address and what a program passes.

It knows nothing about Gradio, scans or runs. Whoever adds a control adds a field here; pages, links and endpoints go by
its name.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from psmooth import views
from psmooth.certificate import Plan
from psmooth.errors import PlanError
from psmooth.tasks import TASKS, Task, own_task

OWN_TASK = "own"

MOST_VOTES = max(views.PRECISIONS.values())


def linked(key: str, **default: Any) -> Any:
    """A field that stands in the address of the page, under that key."""
    return field(metadata={"address": key}, **default)


@dataclass(frozen=True)
class Settings:
    """What a visitor or a program chose; a control that was not used has its default.

    ``class_names`` and ``template`` are read with the task `OWN_TASK` alone; a ``target_radius`` of 0 draws all votes;
    a ``window_width`` of 0 takes a 16-bit scan's full range; ``way`` and ``shots`` are of what is to be learned.
    """

    model: str | None = linked("model")
    task: str = linked("task")
    class_names: str = linked("classes", default="")
    template: str = linked("sentence", default="")
    noise_level: float = linked("noise", default=0.25)
    votes: float = linked("votes", default=1_000)
    target_radius: float | None = linked("target", default=None)
    window_center: float | None = None
    window_width: float | None = None
    method: str = linked("prompts", default="template")
    denoiser: str = linked("denoiser", default="none")
    way: str = "few_shot"
    shots: float = 16

    def read_task(self) -> Task | None:
        """The task of the menu, or the visitor's own; None where it was left without a class name."""
        if self.task != OWN_TASK:
            return TASKS[self.task]
        return own_task(self.class_names, self.template) if self.class_names.strip() else None

    def plan(self) -> Plan:
        """The live plan with the precision that was chosen.

        Raises:
            PlanError: more votes than one run may draw here, or a number out of range.
        """
        if not self.votes <= MOST_VOTES:  # nor is it a number then
            raise PlanError(
                "max_votes is {votes:,.0f}; one run here draws at most {most:,}. Ask for fewer, or run psmooth on a "
                "computer of your own.",
                votes=self.votes,
                most=MOST_VOTES,
            )
        return Plan(max_votes=int(self.votes), target_radius=self.target_radius or None)


CONTROLS = tuple(one.name for one in fields(Settings))

KEYS: dict[str, str] = {one.metadata["address"]: one.name for one in fields(Settings) if "address" in one.metadata}


def settings_from(values: Iterable[Any]) -> Settings:
    """The settings that the page holds: a value for each of its `CONTROLS`."""
    return Settings(**dict(zip(CONTROLS, values, strict=True)))
