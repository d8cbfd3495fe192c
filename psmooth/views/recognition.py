"""Says in a sentence what a scan looks like, and whether it is one that the model was made for.

It knows nothing about how that was found out.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from psmooth.tasks import TASKS
from psmooth.views.locale import translate

if TYPE_CHECKING:
    from psmooth.certificate import Run

KIND_WORDS: Final[dict[str, str]] = {
    "blood_cells": "a blood smear",
    "blood_smear": "a blood smear",
    "chest_xray": "a chest X-ray",
    "other_xray": "an X-ray of another part",
    "lung_colon_histology": "stained lung or colon tissue",
    "oral_histology": "stained oral tissue",
    "histology": "stained tissue",
    "ct": "a CT slice",
    "brain_mri": "a brain MRI",
    "other_mri": "an MRI of another part",
    "breast_ultrasound": "a breast ultrasound",
    "other_ultrasound": "an ultrasound of another part",
    "dermoscopy": "a dermoscopy image",
    "fundus": "a fundus photograph",
    "endoscopy": "an endoscopy image",
    "photograph": "a photograph",
    "drawing": "a drawing",
    "screenshot": "a screenshot",
}
"""By `Finding.kind`: a task id, or an id of `psmooth.recognition.KINDS`."""


def doubt(run: "Run") -> str:
    """What the scan of a run looks like where that is no scan for its model or its task, else nothing."""
    check = run.scan_check or {}
    return finding_sentence(check, run.task) if False in (check.get("known"), check.get("fits")) else ""


def finding_sentence(check: Mapping[str, Any], task: str) -> str:
    """What the scan looks like and, where it does not fit, that.

    Args:
        check: a `psmooth.recognition.Finding`, as ``scan_check`` of a certificate has it.
        task: the id of the task that is asked.
    """
    if check["kind"] is None:
        return translate(
            "This scan is unlike any that the model was made for. Whatever it answers means little, certified or not."
        )
    known = KIND_WORDS.get(check["kind"])  # a file may name any kind: of another version, or one that was made up
    kind = translate(known) if known else translate("a kind of picture that has no name here")
    if check["basis"] == "prompts":
        said = translate("Looks like {kind}: a guess of the model itself.", kind=kind)
    else:
        said = translate("Looks like {kind}.", kind=kind)
    if check["known"] is False:
        return " ".join((said, translate("It is none of the kinds of scan that this model is listed for here.")))
    if check["fits"] is False:
        name = translate(TASKS[task].name) if task in TASKS else task
        return " ".join((said, translate("The task “{task}” is about others.", task=name)))
    return said
