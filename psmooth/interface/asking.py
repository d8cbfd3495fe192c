"""What a scan shows, asked after an upload where it is not clear enough; a run starts when that is settled.

It knows nothing about how a scan is recognised, or what a run does.
"""

from typing import Any

import gradio as gr

from psmooth import views
from psmooth.errors import PsmoothError
from psmooth.interface.model_menu import models
from psmooth.interface.requests import gallery
from psmooth.interface.session import Session
from psmooth.interface.settings import OWN_TASK
from psmooth.models import MODELS
from psmooth.recognition import recognise
from psmooth.scans import Scan, check_contrast, crop_scan, scan_picture
from psmooth.tasks import TASKS
from psmooth.views import question as views_question

RECOGNISER = MODELS["pocket"]  # whichever model is asked afterwards: of those with statistics, it tells best


def tiles() -> list[dict[str, Any]]:
    """The answers to choose from: each kind that is recognised, with the place of an example, and anything else."""
    drawn = [example.task for example in gallery().items]
    names = {task: TASKS[task].name for task in RECOGNISER.task_ids} | {OWN_TASK: views.PAGE_WORDS["question_else"]}
    examples = {task: drawn.index(task) for task in names if task in drawn}
    return [{"id": task, "name": name, "example": examples.get(task)} for task, name in names.items()]


def ask(session: Session, task: str) -> tuple[Any, Any]:
    """The question about the scan that was just brought, and the task: a confident guess is taken at once.

    Whoever has named classes of his own has answered already; so has who chose a task of that modality that is not
    recognised itself.
    """
    scan = session.scan
    if scan is None or task == OWN_TASK:
        return no_question(session), gr.skip()
    try:
        likely, sure = _recognised(scan)
    except PsmoothError:  # the run that follows says it
        return no_question(session), gr.skip()
    picture = views.thumbnail(scan_picture(scan), 256)
    session.asking = not sure
    if likely is None or not sure:
        return session.show("question", views_question.asked, likely, picture), gr.skip()
    is_kin = task not in RECOGNISER.task_ids and TASKS[task].modality == TASKS[likely].modality
    chosen = task if is_kin else likely
    return session.show("question", views_question.said, chosen, picture), chosen


def _recognised(scan: Scan) -> tuple[str | None, bool]:
    """The likely task of a scan as it came, and whether no other is."""
    model = models.get(RECOGNISER.id)
    crop = crop_scan(scan, model.crop_rule)
    check_contrast(crop)
    finding = recognise(model, crop)
    return (finding.likely_task, finding.confident) if finding else (None, False)


def no_question(session: Session) -> Any:
    """Nothing is asked, or what was asked is answered."""
    session.asking = False
    session.shown.pop("question", None)  # with it goes a picture of the scan
    return views_question.no_question()


def answer(session: Session, event: gr.EventData) -> tuple[Any, Any]:
    """A kind was chosen; for names of the visitor's own, the run waits until he asks for it."""
    task = str(event._data["task"])
    question = no_question(session)
    if task not in TASKS and task != OWN_TASK:
        return question, gr.skip()
    session.asking = task == OWN_TASK
    return question, task
