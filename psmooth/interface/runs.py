"""The runs of the page, certify, compare, attack and learn: each is started, followed and stopped in one way.

It knows nothing about components.
"""

import traceback
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import gradio as gr

from psmooth import views
from psmooth.errors import PsmoothError
from psmooth.interface.model_menu import Download, model_choices
from psmooth.interface.places import Queued
from psmooth.interface.requests import OWN_BANK, RunRequest, TrainingRequest, log
from psmooth.interface.session import Session
from psmooth.interface.steps import AttackStep, RunStep, attack_steps, certify_steps, compare_steps, training_steps
from psmooth.interface.visitors import caller
from psmooth.learning.from_folders import TrainingProgress
from psmooth.smoothing import Comparison
from psmooth.views import attack as views_attack
from psmooth.views import compare as views_compare
from psmooth.views import learn as views_learn

Step = TypeVar("Step")
Listed = TypeVar("Listed", Comparison, AttackStep)


class Run(ABC, Generic[Step]):
    """A kind of run: a view asks for it, shows its steps, and can stop it. The kinds differ in what they show.

    What a run shows goes to the component of its view and, with most kinds, to a second one beside it.

    Attributes:
        view: the view that it belongs to.
        words: what that says: ``loading``, ``downloading``, ``queued``, ``stopped_early``, ``failed``.
        step: the step at hand; None before the first one.
        latest: the step that was shown last, if any.
    """

    view: ClassVar[str]
    words: ClassVar[Any]

    def __init__(self, session: Session, request: Any) -> None:
        self.session, self.request = session, request
        self.step: Step | None = None
        self.latest: Step | None = None

    @classmethod
    def start(cls, session: Session, request: RunRequest | TrainingRequest) -> Any:
        """Ask for a run, and say so at once."""
        session.request_run(request, cls.view)
        return session.show(cls.view, cls.words.loading, model_name(request.settings.model))

    @classmethod
    def follow(cls, session: Session) -> Generator[Any, None, None]:
        """The wanted run of a session, step by step; errors become sentences."""
        number = session.begin(cls.view)
        if number is not None:
            yield from cls(session, session.request).followed(number)
        elif session.view != cls.view and session.shows(cls.view, cls.words.loading):  # another view was faster
            yield cls.alone(session.show(cls.view, cls.words.stopped_early))

    @classmethod
    def stop(cls, session: Session) -> Any:
        """A run that is on ends itself with what it has come to; one that still waits for its turn is taken out."""
        session.stopping = True
        if session.begun == session.wanted:
            return gr.skip()
        session.request_run(None)
        return session.show(cls.view, cls.words.stopped_early)

    @classmethod
    def alone(cls, shown: Any) -> Any:
        """What goes to the view itself; the component beside it stays as it is."""
        return shown, gr.skip()

    def followed(self, number: int) -> Generator[Any, None, None]:
        """The steps, until they end, the visitor stops them, or a run with another number is wanted."""
        session = self.session
        try:
            with closing(self.steps()) as steps:
                for step in steps:
                    self.step = None if isinstance(step, Download | Queued) else step
                    if session.wanted != number:
                        yield from self.overtaken()
                        return
                    if session.stopping and (self.step is None or not self.is_last(self.step)):
                        yield self.stopped()
                        return
                    yield self._waiting(step) if isinstance(step, Download | Queued) else self.show(step)
                    self.latest = self.step
        except Exception as error:
            yield self.alone(session.show(self.view, self.words.failed, known(error)))

    def _waiting(self, step: Download | Queued) -> Any:
        """What is shown before the first step; it is not said again in another language."""
        if isinstance(step, Queued):
            said = self.session.translated(self.words.queued, step.place, step.size)
        else:
            model = model_name(self.request.settings.model)
            said = self.session.translated(self.words.downloading, model, step.done, step.total)
        return self.alone(said)

    @abstractmethod
    def steps(self) -> Generator[Step | Download | Queued, None, None]:
        """The steps of the run, and what it waits for before them."""

    @abstractmethod
    def is_last(self, step: Step) -> bool:
        """Whether a step is the end: a run that has come to its end is not stopped."""

    @abstractmethod
    def show(self, step: Step) -> Any:
        """What is shown at a step."""

    @abstractmethod
    def stopped(self) -> Any:
        """What is shown where the visitor has stopped the run at the step at hand."""

    def overtaken(self) -> Iterator[Any]:
        """What is shown where, at the step at hand, another run is wanted, or none."""
        yield self.stopped()


class Certify(Run[RunStep]):
    """Certify a scan; beside the stage stands the strip with its pictures."""

    view, words = "certify", views

    def steps(self) -> Generator[RunStep | Download | Queued, None, None]:
        """At the pace of the page."""
        return certify_steps(self.request, caller())

    def is_last(self, step: RunStep) -> bool:
        """All votes are drawn, or enough of them."""
        return step.progress.phase == "done"

    def show(self, step: RunStep) -> Any:
        """The last step is listed among the runs on its scan."""
        if self.is_last(step):
            self._list(step)
        return self.session.show(self.view, step.stage), self._strip(step)

    def stopped(self) -> Any:
        """What was certified so far stays valid."""
        if self.step is None:
            return self.alone(self.session.show(self.view, views.stopped_early))
        self._list(self.step)
        return self.session.show(self.view, self.step.stopped), self._strip(self.step)

    def overtaken(self) -> Iterator[Any]:
        """What this run has come to is listed, and shown if another view's is wanted.

        Of a scan that the visitor has left meanwhile nothing is shown: that would keep it.
        Gradio sends the last step of a stream again as it ends, when the page may show another scan already: so it is
        what the view shows now where no run follows, and else nothing.
        """
        session = self.session
        if self.step is not None:
            self._list(self.step)
            if session.view != self.view:
                is_here = session.has(self.request.chosen)
                yield self.alone(session.show(self.view, self.step.stopped) if is_here else list_runs(session))
        said = session.resaid(self.view) if session.request is None else None
        yield self.alone(said or gr.skip())

    def _list(self, step: RunStep) -> None:
        self.session.add_result(step, self.request.chosen)

    def _strip(self, step: RunStep) -> Any:
        return gr.skip() if self.latest else self.session.translated(step.strip)


class Listing(Run[Listed]):
    """A run whose view is one component, and which joins those on the scan, however it ends."""

    @classmethod
    def alone(cls, shown: Any) -> Any:
        """There is no component beside it."""
        return shown

    def followed(self, number: int) -> Generator[Any, None, None]:
        """What was shown last is listed."""
        try:
            yield from super().followed(number)
        finally:
            if self.latest is not None:
                self.session.add_result(self.latest, self.request.chosen)


class Compare(Listing[Comparison]):
    """Compare every method on a scan."""

    view, words = "compare", views_compare

    def steps(self) -> Generator[Comparison | Download | Queued, None, None]:
        """At the pace of the page."""
        return compare_steps(self.request, caller())

    def is_last(self, step: Comparison) -> bool:
        """Every noise level has been drawn."""
        return step.done

    def show(self, step: Comparison) -> Any:
        """Votes and radii."""
        return self.session.show(self.view, views_compare.comparison, step)

    def stopped(self) -> Any:
        """What was shown last stays; of a scan that the visitor has left nothing is shown."""
        if self.session.has(self.request.chosen):
            return self.session.show(self.view, views_compare.ended, self.latest)
        return self.session.show(self.view, views_compare.idle)


class Attack(Listing[AttackStep]):
    """Attack a scan; what is listed is the run that certifies it."""

    view, words = "attack", views_attack

    def steps(self) -> Generator[AttackStep | Download | Queued, None, None]:
        """At the pace of the page."""
        return attack_steps(self.request, caller())

    def is_last(self, step: AttackStep) -> bool:
        """All was looked for."""
        return step.progress.part == "done"

    def show(self, step: AttackStep) -> Any:
        """What was found so far."""
        return self.session.show(self.view, step.shown)

    def stopped(self) -> Any:
        """What was found stays; of a scan that the visitor has left nothing is shown."""
        if not self.session.has(self.request.chosen):
            return self.session.show(self.view, views_attack.idle)
        return self.session.show(self.view, self.latest.stopped if self.latest else views_attack.stopped_early)


class Learn(Run[TrainingProgress]):
    """Learn a bank; beside its view stands the menu of prompts, which the bank joins."""

    view, words = "learn", views_learn

    def steps(self) -> Generator[TrainingProgress | Download | Queued, None, None]:
        """At the pace of the page."""
        return training_steps(self.request, caller())

    def is_last(self, step: TrainingProgress) -> bool:
        """The bank is there, and scored where it can be."""
        return step.phase == "done"

    def show(self, step: TrainingProgress) -> Any:
        """A bank joins the session as soon as it is learned."""
        shown = self.session.show(self.view, views_learn.learning, step)
        if step.bank is None or (self.latest is not None and self.latest.bank is step.bank):
            return self.alone(shown)
        self.session.add_banks([step.bank])
        return shown, prompt_menu(self.session)

    def stopped(self) -> Any:
        """Half a bank is none; one that was only being scored stays."""
        if self.step is None or self.step.bank is None:
            return self.alone(self.session.show(self.view, views_learn.stopped_early))
        self.session.add_banks([self.step.bank])
        return self.session.show(self.view, views_learn.ended, self.step), prompt_menu(self.session)


def known(error: Exception) -> PsmoothError | None:
    """An error of psmooth's as it is; of anything else the log has kind and line, and the page says that it happened.

    Never its message or its values: they may be a visitor's.
    """
    if isinstance(error, PsmoothError):
        return error
    place = traceback.extract_tb(error.__traceback__)[-1]
    log.error("A run failed: %s in %s, line %s.", type(error).__name__, Path(place.filename).name, place.lineno)
    return None


def list_runs(session: Session) -> Any:
    """What *Certify* shows, with the list of runs as it is now."""
    return session.resaid("certify") or gr.skip()


def prompt_menu(session: Session) -> Any:
    """The menu of prompts with the visitor's own banks, the newest one chosen."""
    choices = session.translated(prompt_choices, session)
    return gr.Dropdown(choices, value=choices[-1][1])


def prompt_choices(session: Session) -> list[tuple[str, str]]:
    """The prompts that ship, and the visitor's own banks."""
    own = [(views_learn.bank_title(bank), OWN_BANK + bank.sha256) for bank in session.banks]
    return [*views.method_choices(), *own]


def model_name(model_choice: str | None) -> str:
    names = (name for name, choice in model_choices() if choice == model_choice)
    return next(names, model_choice or "").split(" · ")[0]
