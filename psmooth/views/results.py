"""Words of the view Results: certified accuracy against radius, from records that ship and from a visitor's own.

It knows nothing about Gradio, torch, or how a record was made; the picture and the table are drawn in the browser.
"""

from typing import TYPE_CHECKING, Final, TypedDict

from psmooth import views
from psmooth.methods import METHODS
from psmooth.tasks import TASKS
from psmooth.views.locale import translate

if TYPE_CHECKING:
    from psmooth.errors import PsmoothError
    from psmooth.smoothing.curves import Row

RESULTS_WORDS: Final[dict[str, str]] = {
    "results_title": "Certified accuracy against radius",
    "results_about": "A scan counts at a radius if its answer is right and certified beyond it; classes weigh the "
    "same.",
    "results_made": "{scans} real scans, {votes} votes each, α = {alpha}.",
    "results_made_own": "Your records: {scans} scans, {votes} votes each.",
    "results_four": "Mean of four tasks",
    "results_mean": "Mean of {tasks}; tasks weigh the same.",
    "results_by": "A curve for each",
    "results_model": "Med-VLM",
    "results_task": "Task",
    "results_method": "Prompts",
    "results_denoiser": "Denoiser",
    "results_noise": "Noise level σ",
    "results_band": "Tinted: the 95 % interval of {name}, over scans (Clopper and Pearson).",
    "results_pick": "Point at a name to see another’s.",
    "results_radius": "radius (L2)",
    "results_accuracy": "certified accuracy",
    "results_retrained": "hand-written, model retrained with noise",
    "results_unknown": "not recorded",
    "results_alt": "Curves of certified accuracy; the table that follows tells the same.",
    "results_table": "The same as a table, in percent, with 95 % intervals",
    "results_name": "Curve",
    "results_at": "r = {radius}",
    "results_average": "Average radius",
    "results_average_about": "Average certified radius: 0 where the answer is wrong; classes weigh the same.",
    "results_abstained": "Abstained",
    "results_clean": "Clean",
    "results_clean_about": "Accuracy of the model as it is, without noise.",
    "results_scans": "Scans",
    "results_one_class": "names one class for {share} of the scans it certifies",
    "results_point": "beyond {radius}: {share} ({low}–{high})",
    "results_point_facts": "{scans} scans · clean {clean}",
    "results_csv": "Table as CSV",
    "results_file": "psmooth-results.csv",
    "results_made_with": "These records were made with",
    "results_repeat": "The same on scans of yours",
    "results_copy": "Copy",
    "results_copied": "Copied",
    "results_own": "Records of your own",
    "results_own_about": "Open or drop the records.jsonl of “psmooth evaluate”: it is drawn the same way, and nothing "
    "of it is kept when the page is closed.",
    "results_open": "Open records.jsonl",
    "results_back": "Back to those that ship",
    "results_large": "The file is larger than {megabytes} MB. Evaluate fewer scans at a time, or bring the records of "
    "one task.",
    "results_printed": "Printed in the paper: {model} on {task}",
    "results_printed_table": "The printed figures, in percent",
    "results_printed_about": "Figures of its table, not of this program: {scans} images, at each radius the best of "
    "several noise levels, no interval given. 11.0 is what naming always the same class comes to. To set your own "
    "beside them, evaluate {model} on {task} and open the records here.",
    "results_printed_scans": "{scans} images, it seems",
    "results_source": "Source",
}

MEAN: Final = "mean"  # of the four tasks of docs/results.md, where a task would stand

PARTS: Final[dict[str, dict[str, str]]] = {
    "task": {**{task.id: task.name for task in TASKS.values()}, MEAN: RESULTS_WORDS["results_four"]},
    "method": {method: views.METHOD_NAMES[method].replace(" (frozen prompt)", "") for method in METHODS},
    "denoiser": dict(views.DENOISER_NAMES),
    "guarantee": {kind: views.GUARANTEES[kind][0] for kind in ("unconditional", "frozen_prompt")},
}

ABOUT_KINDS: Final[dict[str, str]] = {
    "unconditional": "For the classifier as it is.",
    "frozen_prompt": "For a prompt that was tuned on the very scan, kept as it is: not to be compared with the others.",
}

RETRAINED: Final = "pocket-noisy"  # the yardstick: the same model, trained again with noise


class Results(TypedDict):
    """What the server sends the view: the rows of a visitor's own records, or why there are none.

    ``rows`` is None where those that ship are drawn; ``sentence`` is said of a file that was brought.
    """

    state: str
    sentence: str
    rows: "list[Row] | None"


def shipped() -> Results:
    """Nothing of a visitor's."""
    return {"state": "shipped", "sentence": "", "rows": None}


def own(rows: "list[Row]") -> Results:
    """The rows of a visitor's records."""
    said = translate(
        "{count} curves. Radii stand here as the file states them, for it does not say how many votes chose a class.",
        count=len(rows),
    )
    return {"state": "own", "sentence": said, "rows": rows}


def refused(error: "PsmoothError | None") -> Results:
    """A file that could not be read; what was drawn before stays."""
    return {"state": "failed", "sentence": views.error_words(error), "rows": None}
