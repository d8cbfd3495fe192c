"""Follows the wanted run of a session to its end: what its view shows at each step, and errors as sentences.

It knows nothing about components.
"""

import traceback
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gradio as gr

from psmooth import views
from psmooth.errors import PsmoothError
from psmooth.interface.model_menu import Download, model_choices
from psmooth.interface.places import Queued
from psmooth.interface.requests import OWN_BANK, RunRequest, TrainingRequest, log
from psmooth.interface.session import Session
from psmooth.interface.steps import Scene, comparisons, lessons, scenes
from psmooth.interface.visitors import caller
from psmooth.learning.from_folders import TrainingProgress
from psmooth.smoothing import Comparison
from psmooth.views import compare as views_compare
from psmooth.views import learn as views_learn


def run(session: Session) -> Generator[tuple[Any, Any], None, None]:
    """The wanted run of a session, as (stage, strip); errors become sentences."""
    request, number = session.request, session.begin()
    if number is None or not isinstance(request, RunRequest):
        return
    strip = None
    try:
        with closing(scenes(request, caller())) as steps:
            for scene in steps:
                if session.wanted != number:
                    yield from _overtaken(session, scene)
                    return
                if isinstance(scene, Download | Queued):
                    if session.stopping:
                        yield session.show("certify", views.stopped_early), gr.skip()
                        return
                    yield session.told(*before(views, request, scene)), gr.skip()
                    continue
                strip = gr.skip() if strip else scene.strip()
                ending = session.stopping and scene.progress.phase != "done"
                if ending or scene.progress.phase == "done":
                    session.keep(scene, request.chosen)
                yield session.show("certify", scene.stopped if ending else scene.stage), strip
                if ending:
                    return
    except Exception as error:
        yield session.show("certify", views.failed, known(error)), gr.skip()


def before(view: Any, request: RunRequest | TrainingRequest, step: Download | Queued) -> tuple[Any, ...]:
    """What a view shows before the first step of a run, as a function of its words and what that is given."""
    if isinstance(step, Queued):
        return view.queued, step.place, step.size
    return (view.downloading, model_name(request.settings.model), step.done, step.total)


def _overtaken(session: Session, scene: Scene | Download | Queued) -> Iterator[tuple[Any, Any]]:
    """Another run is wanted, or none: what this one has come to is listed, and shown if another view's is wanted.

    Of a scan that the visitor has left meanwhile nothing is shown: that would keep it.
    Gradio sends the last step of a stream again as it ends: where no run follows, that is what *Certify* shows by now.
    """
    if not isinstance(scene, Download | Queued):
        session.keep(scene, scene.run.chosen)
        if session.view != "certify":
            is_here = session.has(scene.run.chosen)
            yield session.show("certify", scene.stopped) if is_here else list_runs(session), gr.skip()
    if session.request is None and (told := session.resaid("certify")):
        yield told, gr.skip()


def known(error: Exception) -> PsmoothError | None:
    """An error of psmooth's as it is; of anything else the log has kind and line, and the page says that it happened.

    Never its message or its values: they may be a visitor's.
    """
    if isinstance(error, PsmoothError):
        return error
    place = traceback.extract_tb(error.__traceback__)[-1]
    log.error("A run failed: %s in %s, line %s.", type(error).__name__, Path(place.filename).name, place.lineno)
    return None


def run_compare(session: Session) -> Generator[Any, None, None]:
    """The wanted comparison of a session, whose runs join those on its scan; errors become sentences."""
    request, number, shown = session.request, session.begin("compare"), None
    if number is None or not isinstance(request, RunRequest):
        yield gr.skip() if session.view == "compare" else session.show("compare", views_compare.ended, None)
        return
    try:
        with closing(comparisons(request, caller())) as steps:
            for step in steps:
                if session.wanted != number or (session.stopping and not (isinstance(step, Comparison) and step.done)):
                    yield _compared_so_far(session, request, shown)
                    return
                if isinstance(step, Download | Queued):
                    yield session.told(*before(views_compare, request, step))
                    continue
                shown = step
                yield session.show("compare", views_compare.comparison, step)
    except Exception as error:
        yield session.show("compare", views_compare.failed, known(error))
    finally:
        if shown is not None:
            session.keep(shown, request.chosen)


def _compared_so_far(session: Session, request: RunRequest, shown: Comparison | None) -> Any:
    """A comparison that was ended; of a scan that the visitor has left nothing is shown."""
    is_here = session.has(request.chosen)
    return (
        session.show("compare", views_compare.ended, shown) if is_here else session.show("compare", views_compare.idle)
    )


def list_runs(session: Session) -> Any:
    """What *Certify* shows, with the list of runs as it is now."""
    return session.resaid("certify") or gr.skip()


def run_learn(session: Session) -> Generator[tuple[Any, Any], None, None]:
    """The wanted course of a session, as (view, menu of prompts); a bank that was learned joins the session."""
    request, number = session.request, session.begin("learn")
    if number is None or not isinstance(request, TrainingRequest):
        yield gr.skip() if session.view == "learn" else session.show("learn", views_learn.stopped), gr.skip()
        return
    try:
        with closing(lessons(request, caller())) as steps:
            for step in steps:
                if session.wanted != number or (
                    session.stopping and not (isinstance(step, TrainingProgress) and step.file)
                ):
                    yield session.show("learn", views_learn.stopped), gr.skip()
                    return
                if isinstance(step, Download | Queued):
                    yield session.told(*before(views_learn, request, step)), gr.skip()
                    continue
                if step.bank is not None:
                    session.add_banks([step.bank])
                menu = gr.skip() if step.bank is None else prompt_menu(session)
                yield session.show("learn", views_learn.lessons, step), menu
    except Exception as error:
        yield session.show("learn", views_learn.failed, known(error)), gr.skip()


def prompt_menu(session: Session) -> Any:
    """The menu of prompts with the visitor's own banks, the newest one chosen."""
    choices = session.told(prompt_choices, session)
    return gr.Dropdown(choices, value=choices[-1][1])


def prompt_choices(session: Session) -> list[tuple[str, str]]:
    """The prompts that ship, and the visitor's own banks."""
    own = [(views_learn.bank_title(bank), OWN_BANK + bank.sha256) for bank in session.banks]
    return [*views.method_choices(), *own]


def model_name(model_choice: str | None) -> str:
    names = (name for name, choice in model_choices() if choice == model_choice)
    return next(names, model_choice or "").split(" · ")[0]
