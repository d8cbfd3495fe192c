"""Turns votes into what a chart of them shows, as plain data.

It knows nothing about how a chart is drawn.
"""

import html
from typing import TYPE_CHECKING, TypedDict

from psmooth.certificate import Certificate
from psmooth.views.locale import translate
from psmooth.views.numbers import at_least_text, at_most_text, count_text
from psmooth.views.sentences import Result

if TYPE_CHECKING:
    from psmooth.tasks import Task


class Chart(TypedDict):
    """The votes by class, in the order of the rows, and the bounds of the class that leads.

    Shares are of all votes counted; ``most`` is how many may be drawn. ``chosen`` is whether the selection votes have
    chosen the class, which then stands in the first row.
    """

    labels: list[str]
    counts: list[int]
    shares: list[float]
    selection: list[int]
    selection_shares: list[float]
    total: int
    most: int
    selection_total: int
    invalid: int
    chosen: bool
    certified: bool
    lower: float
    upper: float
    at_least: str
    at_most: str
    caption: str


def chart_data(result: Result) -> Chart:
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


def empty_chart(task: "Task") -> Chart:
    """The chart before the first vote."""
    none, nothing = [0] * len(task.class_names), [0.0] * len(task.class_names)
    return {
        "labels": list(task.class_names), "counts": none, "shares": nothing,
        "selection": none, "selection_shares": nothing,
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
