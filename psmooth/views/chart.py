"""Turns votes into what a chart of them shows, as plain data.

It knows nothing about how a chart is drawn.
"""

import html
from typing import TYPE_CHECKING, Any

from psmooth.certificate import Certificate
from psmooth.views.locale import translate
from psmooth.views.numbers import at_least_text, at_most_text, count_text
from psmooth.views.sentences import Result

if TYPE_CHECKING:
    from psmooth.tasks import Task


def chart_data(result: Result) -> dict[str, Any]:
    """Plain numbers of the vote chart, classes in the order in which they are drawn.

    The leader comes first and the rest by their selection votes; that order is fixed before the first vote is counted,
    so no bar changes its place while votes pour in.
    """
    run, votes = result.run, result.votes
    chosen = votes.selected >= (run.plan.selection_votes or 0)
    order = sorted(range(len(run.class_ids)), key=lambda index: (-votes.selection[index] * chosen, index))
    selected, counted = max(1, votes.selected), max(1, votes.total)
    return {
        "labels": [run.class_names[index] for index in order],
        "counts": [votes.counts[index] for index in order],
        "shares": [votes.counts[index] / counted for index in order],
        "selection": [votes.selection[index] for index in order],
        "selection_shares": [votes.selection[index] / selected for index in order],
        "total": votes.total,
        "most": run.plan.max_votes,
        "selection_total": votes.selected,
        "invalid": votes.invalid,
        "chosen": chosen,
        "certified": isinstance(result, Certificate),
        "lower": result.lower_bound,
        "upper": result.rival_upper_bound,
        "at_least": translate("at least {share}", share=at_least_text(result.lower_bound)),
        "at_most": translate("rivals at most {share}", share=at_most_text(result.rival_upper_bound)),
        "caption": translate(
            "· {chose} chose the class (outlines), {counted} counted",
            chose=votes.selected,
            counted=count_text(votes.total),
        ),
    }


def empty_chart(task: "Task") -> dict[str, Any]:
    """The chart before the first vote."""
    none = [0] * len(task.class_names)
    return {
        "labels": list(task.class_names), "counts": none, "shares": none, "selection": none, "selection_shares": none,
        "total": 0, "most": 1_000, "selection_total": 0, "invalid": 0, "chosen": False, "certified": False,
        "lower": 0.0, "upper": 1.0,
        "at_least": "", "at_most": "", "caption": "",
    }  # fmt: skip


def plotly_text(text: str, width: int = 24) -> str:
    """A visitor's text for a Plotly label, which would read tags in it; long text goes on in a second line."""
    lines = [""]
    for word in text.split():
        fits = len(lines[-1]) + len(word) < width or not lines[-1]
        lines = [*lines[:-1], f"{lines[-1]} {word}".strip()] if fits else [*lines, word]
    return "<br>".join(html.escape(line, quote=False) for line in lines)
