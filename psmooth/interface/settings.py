"""What the controls hold: one record whose fields are the controls, the keys of an address and what a program passes.

It knows nothing about Gradio, scans or runs. Whoever adds a control adds a field here, with what it may be set to;
pages, links and endpoints go by its name.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from psmooth import views
from psmooth.certificate import Plan
from psmooth.errors import PlanError
from psmooth.tasks import TASKS, Task, own_task
from psmooth.views import learn as views_learn
from psmooth.views.locale import translate

OWN_TASK = "own"

MOST_VOTES = max(views.PRECISIONS.values())

_TOLERANCE = 0.2  # of the radius: what a run gives up that draws as many votes as needed

LONGEST_TEXT = 2_000  # characters of a text in a link


def control(
    address: str | None = None,
    choices: Collection[Any] | None = None,
    limits: tuple[float, float] | None = None,
    **default: Any,
) -> Any:
    """A field with all that is known of its control.

    Args:
        address: its key in the address of the page, if it stands there.
        choices, limits: what it may be set to: one of these, or a number from the one to the other.
    """
    return field(metadata={"address": address, "choices": choices, "limits": limits}, **default)


@dataclass(frozen=True)
class Settings:
    """What a visitor or a program chose; a control that was not used has its default.

    ``class_names`` and ``template`` are read with the task `OWN_TASK` alone; 0 ``votes`` are as many as needed; a
    ``target_radius`` of 0 draws all votes; a ``window_width`` of 0 takes the window that a grey scan offers first;
    ``way`` and ``shots`` are of what is to be learned.
    """

    model: str | None = control("model")  # one of a menu that may change
    task: str = control("task", choices=(*TASKS, OWN_TASK))
    class_names: str = control("classes", default="")
    template: str = control("sentence", default="")
    noise_level: float = control("noise", limits=(0.1, 1.0), default=0.25)
    votes: float = control("votes", choices=tuple(views.PRECISIONS.values()), default=1_000)
    target_radius: float | None = control("target", limits=(1e-6, 1e3), default=None)
    window_center: float | None = None
    window_width: float | None = None
    method: str = control("prompts", choices=tuple(views.METHOD_NAMES), default="template")
    denoiser: str = control("denoiser", choices=views.DENOISERS_OFFERED, default="none")
    speed: str = control("speed", choices=tuple(views.SPEEDS), default="usual")
    way: str = control(choices=tuple(way for _, way in views_learn.WAY_CHOICES), default="few_shot")
    shots: float = control(limits=(1, 64), default=16)

    def read_task(self) -> Task | None:
        """The task of the menu, or the visitor's own; None where it was left without a class name."""
        if self.task != OWN_TASK:
            return TASKS[self.task]
        return own_task(self.class_names, self.template) if self.class_names.strip() else None

    @property
    def announced(self) -> float:
        """The votes that are announced: no run draws more."""
        return self.votes or views.NEEDED_AT_MOST

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
        tolerance = None if self.votes else _TOLERANCE
        return Plan(max_votes=int(self.announced), target_radius=self.target_radius or None, tolerance=tolerance)


CONTROLS = tuple(one.name for one in fields(Settings))

WINDOW = ("window_center", "window_width")  # of a visitor's own scan: they stand in no address

KEYS: dict[str, str] = {one.metadata["address"]: one.name for one in fields(Settings) if one.metadata.get("address")}


def settings_from(values: Iterable[Any]) -> Settings:
    """The settings that the page holds: a value for each of its `CONTROLS`."""
    return Settings(**dict(zip(CONTROLS, values, strict=True)))


def told(settings: Settings) -> dict[str, Any]:
    """What every control of a run said, as the page knows it: by its key in the address, or by its name."""
    return {key: getattr(settings, name) for key, name in (*KEYS.items(), *zip(WINDOW, WINDOW, strict=True))}


def from_text(name: str, text: str) -> Any:
    """What a control may be set to by a text that anyone may have written; None where it may not."""
    about = next(one.metadata for one in fields(Settings) if one.name == name)
    choices, limits = about["choices"], about["limits"]
    if choices is not None:
        return next((choice for choice in choices if _same(choice, text)), None)
    if limits is not None:
        number = number_in(text)
        return number if number is not None and limits[0] <= number <= limits[1] else None
    return text if 0 < len(text) <= LONGEST_TEXT else None


def _same(choice: str | float, text: str) -> bool:
    return text == choice if isinstance(choice, str) else number_in(text) == choice


def number_in(text: str) -> float | None:
    """The number that a text is; None if it is none."""
    try:
        return float(text)
    except ValueError:
        return None


def task_choices() -> list[tuple[str, str]]:
    """(words, task id) as the menu shows them, the visitor's own last."""
    names = [(translate(task.name), task.id) for task in TASKS.values()]
    return [*names, (translate(views.CONTROL_WORDS["own_task"]), OWN_TASK)]
