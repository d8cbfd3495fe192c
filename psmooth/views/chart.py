"""Turns votes into what a chart of them shows, as plain data.

It knows nothing about how a chart is drawn.
"""

import html
from typing import TYPE_CHECKING, TypedDict

from psmooth.certificate import Certificate
from psmooth.views.locale import class_words, translate
from psmooth.views.numbers import at_least_text, at_most_text, count_text
from psmooth.views.sentences import Result, correctness

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
    wrong: bool
    lower: float
    upper: float
    at_least: str
    at_most: str
    between: str
    caption: str


def chart_data(result: Result, truth: str | None = None) -> Chart:
    """Plain numbers of the vote chart, classes in the order in which they are drawn.

    The leader comes first and the rest by their selection votes; that order is fixed before the first vote is counted,
    so no bar changes its place while votes pour in.
    """
    run, votes = result.run, result.votes
    chosen, order = has_chosen(result), class_order(result)
    selected, counted = max(1, votes.selected), max(1, votes.total)
    return {
        "labels": [class_words(run.class_names[index]) for index in order],
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
        "wrong": correctness(result, truth) == "wrong",
        "lower": result.lower_bound,
        "upper": result.rival_upper_bound,
        "at_least": translate("at least {share}", share=at_least_text(result.lower_bound)),
        "at_most": translate("rivals at most {share}", share=at_most_text(result.rival_upper_bound)),
        "between": _between(result),
        "caption": translate(
            "· {chose} chose the class (outlines), {counted} counted",
            chose=votes.selected,
            counted=count_text(votes.total),
        ),
    }


def _between(result: Result) -> str:
    """What is said of the gap between the bounds."""
    if isinstance(result, Certificate):
        return translate("the wider this gap, the larger the radius R")
    return translate("not certified yet") if result.votes.ended == "running" else translate("not certified")


def has_chosen(result: Result) -> bool:
    """Whether the selection votes are all cast."""
    return result.votes.selected >= (result.run.plan.selection_votes or 0)


def class_order(result: Result) -> list[int]:
    """Class numbers in the order in which they are drawn."""
    votes, chosen = result.votes, has_chosen(result)
    return sorted(range(len(result.run.class_ids)), key=lambda index: (-votes.selection[index] * chosen, index))


def empty_chart(task: "Task") -> Chart:
    """The chart before the first vote."""
    none, nothing = [0] * len(task.class_names), [0.0] * len(task.class_names)
    return {
        "labels": list(map(class_words, task.class_names)), "counts": none, "shares": nothing,
        "selection": none, "selection_shares": nothing,
        "total": 0, "most": 1_000, "selection_total": 0, "invalid": 0, "chosen": False, "certified": False,
        "wrong": False,
        "lower": 0.0, "upper": 1.0,
        "at_least": "", "at_most": "", "between": "", "caption": "",
    }  # fmt: skip


def plotly_text(text: str, width: int = 24) -> str:
    """A visitor's text for a Plotly label, which would read tags in it; long text goes on in a second line."""
    lines = [""]
    for word in text.split():
        fits = len(lines[-1]) + len(word) < width or not lines[-1]
        lines = [*lines[:-1], f"{lines[-1]} {word}".strip()] if fits else [*lines, word]
    return "<br>".join(html.escape(line, quote=False) for line in lines)
