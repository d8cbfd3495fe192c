"""Turns what a scan looks like into the one question that the page asks after an upload, or a word that it need not.

It knows nothing about how a scan is recognised, or what an answer brings about.
"""

from typing import TypedDict

from psmooth.tasks import TASKS
from psmooth.views.locale import translate


class Question(TypedDict):
    """``state``: "" (nothing to say), "asked" (a run waits for the answer) or "said" (taken at once, can be changed).

    ``chosen`` is the task whose tile is marked, ``scan`` a small picture of what is asked about.
    """

    state: str
    title: str
    sentence: str
    chosen: str
    scan: str


def no_question() -> Question:
    """Examples and links bring their task with them."""
    return {"state": "", "title": "", "sentence": "", "chosen": "", "scan": ""}


def asked(likely: str | None, scan: str) -> Question:
    """No task is likely enough to be taken unasked; the likely one is marked, if there is one."""
    if likely:
        sentence = translate("It may be: {kind}. Choose what it shows; the run starts then.", kind=kind_of(likely))
    else:
        sentence = translate(
            "It looks like no kind of scan that has classes here. Whatever you choose, every answer will be one of its "
            "class names."
        )
    return {
        "state": "asked",
        "title": translate("What does this scan show?"),
        "sentence": sentence,
        "chosen": likely or "",
        "scan": scan,
    }


def said(likely: str, scan: str) -> Question:
    """The likely task was taken at once."""
    title = translate("Looks like: {kind}", kind=kind_of(likely))
    return {"state": "said", "title": title, "sentence": "", "chosen": likely, "scan": scan}


def kind_of(task_id: str) -> str:
    """What a task's scans are called."""
    return translate(TASKS[task_id].name)
