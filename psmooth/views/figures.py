"""Draws Plotly figures for notebooks and reports: the votes of a run, and certified accuracy against radius.

It knows nothing about the page, which draws its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from psmooth.views.chart import chart_data, plotly_text
from psmooth.views.colours import DARK, LIGHT
from psmooth.views.locale import translate
from psmooth.views.numbers import at_least_text, count_text, radius_text
from psmooth.views.sentences import Result, guarantee_mark, guarantee_words


def votes_figure(result: Result, dark: bool = False) -> go.Figure:
    """The vote chart of a result for notebooks and reports, in the look of the page."""
    data, colours = chart_data(result), DARK if dark else LIGHT
    rows = list(range(len(data["labels"])))
    names = [plotly_text(label) for label in data["labels"]]
    figure = go.Figure(layout=_figure_layout(names, colours))
    if mark := guarantee_mark(result):
        figure.update_layout(title={"text": mark, "font": {"size": 13}, "x": 0.01}, margin_t=64)
    outline = {"color": "rgba(0,0,0,0)", "line": {"color": colours["edge"], "width": 1}}
    figure.add_bar(x=data["selection_shares"], y=rows, orientation="h", width=0.74, marker=outline, hoverinfo="skip")
    figure.add_bar(x=data["shares"][1:], y=rows[1:], orientation="h", width=0.5, marker_color=colours["bar"])
    figure.add_bar(x=data["shares"][:1], y=rows[:1], orientation="h", width=0.5, marker=_leading(colours))
    _draw_bounds(figure, data, colours)
    for row, count in zip(rows, data["counts"], strict=True):
        figure.add_annotation(x=1.02, y=row, text=count_text(count), xanchor="left", showarrow=False)
    return figure


def _figure_layout(names: Sequence[str], colours: Mapping[str, str]) -> dict[str, Any]:
    rows = len(names)
    return {
        "barmode": "overlay",
        "showlegend": False,
        "height": 110 + 30 * rows,
        "margin": {"l": 10, "r": 70, "t": 40, "b": 60},
        "font": {"family": "Inter, system-ui, sans-serif", "size": 13, "color": colours["mute"]},
        "paper_bgcolor": colours["card"],
        "plot_bgcolor": colours["card"],
        "xaxis": {"range": [0, 1], "tickformat": ".0%", "gridcolor": colours["grid"], "zeroline": False},
        "yaxis": {
            "tickvals": list(range(rows)),
            "ticktext": [f"<b>{name}</b>" if row == 0 else name for row, name in enumerate(names)],
            "range": [rows - 0.4, -0.6],
            "automargin": True,
        },
    }


def _leading(colours: Mapping[str, str]) -> dict[str, Any]:
    """The leader's bar in the accent and hatched, so that it is told apart without colour too."""
    hatch = {"shape": "/", "fgcolor": colours["card"], "fgopacity": 0.3, "size": 7, "solidity": 0.28}
    return {"color": colours["accent"], "pattern": {**hatch, "fillmode": "overlay"}}


def _draw_bounds(figure: go.Figure, data: Mapping[str, Any], colours: Mapping[str, str]) -> None:
    """Both bounds at their real places; the gap between them is tinted once the answer is certified."""
    if data["certified"]:
        figure.add_vrect(x0=data["upper"], x1=data["lower"], fillcolor=colours["soft"], opacity=0.7, layer="below",
                         line_width=0)  # fmt: skip
    figure.add_vline(x=data["upper"], line={"color": colours["ink"], "dash": "dash", "width": 1.5})
    figure.add_vline(x=data["lower"], line={"color": colours["accent"], "width": 2})
    top = {"y": 1, "yref": "paper", "yanchor": "bottom", "showarrow": False}
    bottom = {"y": -0.12, "yref": "paper", "yanchor": "top", "showarrow": False}
    figure.add_annotation(x=data["lower"], text=data["at_least"], font_color=colours["accent"], **top)
    figure.add_annotation(x=data["upper"], text=data["at_most"], xanchor="left", **bottom)


def curves_figure(curves: Mapping[str, tuple[str, Sequence[float], Sequence[float]]], dark: bool = False) -> go.Figure:
    """Certified accuracy against radius.

    Args:
        curves: by name, the kind of guarantee, radii, and the accuracy from each radius on. Those of a frozen prompt
            are dotted, and stand in a group of the legend that says so.
    """
    colours = DARK if dark else LIGHT
    inks = [colours[name] for name in ("accent", "ink", "bar", "edge", "faint")]
    figure = go.Figure(layout=_curves_layout(colours))
    for place, (name, (guarantee, radii, shares)) in enumerate(curves.items()):
        frozen = guarantee == "frozen_prompt"
        dash = "dot" if frozen else ("solid", "dash", "longdash")[place // len(inks) % 3]
        figure.add_scatter(
            x=list(radii), y=list(shares), name=plotly_text(name, 40), mode="lines", line_shape="hv",
            line={"color": inks[place % len(inks)], "dash": dash, "width": 1.5 if frozen else 2},
            legendgroup=guarantee, legendgrouptitle_text=guarantee_words(guarantee)[0], hoverinfo="text",
            text=[_curve_point(name, guarantee, *point) for point in zip(radii, shares, strict=True)],
        )  # fmt: skip
    return figure


def _curve_point(name: str, guarantee: str, radius: float, share: float) -> str:
    """What hovering says; both numbers floored, for Plotly would round them to the nearest."""
    words = [plotly_text(name, 40), f"R ≥ {radius_text(radius)}: {at_least_text(share)}"]
    return "<br>".join([*words, guarantee_words(guarantee)[0]] if guarantee == "frozen_prompt" else words)


def _curves_layout(colours: Mapping[str, str]) -> dict[str, Any]:
    axis = {"gridcolor": colours["grid"], "zeroline": False, "rangemode": "tozero"}
    return {
        "height": 480,
        "font": {"family": "Inter, system-ui, sans-serif", "size": 13, "color": colours["mute"]},
        "paper_bgcolor": colours["card"],
        "plot_bgcolor": colours["card"],
        "xaxis": {**axis, "title": {"text": translate("radius, L2 over pixels in [0, 1]")}},
        "yaxis": {**axis, "title": {"text": translate("certified accuracy, mean over classes")}, "tickformat": ".0%"},
        "legend": {"groupclick": "toggleitem"},
    }
