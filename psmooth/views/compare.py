"""Turns a comparison of methods into what a visitor reads and sees: small votes, radii by guarantee, one curve.

It knows nothing about Gradio, torch, or how a vote is drawn.
"""

from typing import TYPE_CHECKING, Any, Final, TypedDict

from psmooth import views
from psmooth.certificate import Abstention, Certificate
from psmooth.methods import METHODS
from psmooth.views.locale import class_words, translate

if TYPE_CHECKING:
    from psmooth.errors import PsmoothError
    from psmooth.smoothing import Comparison

Result = Certificate | Abstention

COMPARE_WORDS: Final[dict[str, str]] = {
    "compare_title": "All methods, one scan, the same noise",
    "compare_curve": "Certified radius against noise level",
    "compare_curve_alt": "Line chart of the radii; the table that follows tells the same.",
    "compare_head": "σ = {noise}, {votes} votes",
    "compare_votes": "{votes} votes",
    "compare_level": "Noise level σ",
    "compare_radius": "Radius",
    "compare_abstained": "abstained",
    "compare_recording": "Recording",
    "compare_recording_about": "An earlier comparison on a drawn scan, to show what comes. It says nothing of yours.",
    "compare_method": "Method",
    "compare_stop": "Stop",
    "compare_progress": "Votes drawn",
    "compare_download": "Certificates",
    "compare_file": "psmooth-comparison.json",
}

IDLE: Final = (
    "One stream of noisy copies is encoded once; every method votes on it. "
    "Press Compare to see what prompts buy on this scan."
)
CHOICE: Final = (
    "Each certificate stands by itself. Keeping the best one after looking is a choice made on these votes: "
    "certify again with that method, on fresh ones."
)
_MOST_CLASSES: Final = 9


class Message(views.ViewState):
    """What the view shows without a comparison; ``announce`` is said to those who do not see."""

    announce: str


class Bar(TypedDict):
    """The votes for one class."""

    label: str
    share: float
    count: str
    leads: bool


class Card(TypedDict):
    """One method: the number of its colour, its answer, its radius and its votes."""

    id: str
    ink: int
    name: str
    answer: str
    radius: float | None
    radius_text: str
    bars: list[Bar]
    lower: float
    upper: float
    certified: bool


class Group(TypedDict):
    """The methods of one kind of guarantee."""

    kind: str
    title: str
    about: str
    cards: list[Card]


class Series(TypedDict):
    """One method at every noise level; ``kind`` is that of its guarantee, ``ink`` the number of its colour."""

    name: str
    ink: int
    kind: str
    radii: list[float | None]
    texts: list[str]
    hovers: list[str]


class Curve(TypedDict):
    """The radii by noise level; ``other`` marks the levels that were drawn with another number of votes."""

    levels: list[float]
    heads: list[str]
    other: list[bool]
    note: str
    series: list[Series]


class Compared(Message):
    """What the view shows at a step; ``certificates`` come with the last one."""

    notice: str
    groups: list[Group]
    furthest: float
    curve: Curve
    certificates: list[dict[str, Any]] | None


def idle() -> Message:
    """Before the first comparison."""
    return {"state": "idle", "line": translate("Idle"), "fraction": 0.0, "sentence": translate(IDLE), "announce": ""}


def loading(model_name: str) -> Message:
    """Asked for, not yet drawn."""
    return {
        **idle(),
        "state": "loading",
        "line": views.loading_line(model_name),
        "announce": translate("Getting ready …"),
    }


def downloading(name: str, done: int, total: int) -> Message:
    """A model on its way from the Hub."""
    return {**idle(), **views.download_words(name, done, total)}


def queued(place: int, size: int) -> Message:
    """Others have the computer."""
    line = views.queued_line(place, size)
    return {**idle(), "state": "queued", "line": line, "announce": line}


def failed(error: "PsmoothError | None") -> Message:
    """The sentence of an error of psmooth's; None is anything else."""
    words = views.error_words(error)
    return {**idle(), "state": "failed", "line": translate("Failed"), "sentence": words, "announce": words}


def ended(step: "Comparison | None") -> Message:
    """Stopped by hand, at this step or before the first: what was certified stays valid."""
    return _ended(comparison(step) if step else idle())


def _ended(shown: Message) -> Message:
    return {**shown, "state": "stopped", "line": translate("Stopped"), "announce": translate("Stopped.")}


def stopped_early() -> Message:
    """Stopped by hand before the first vote."""
    return ended(None)


def comparison(step: "Comparison") -> Compared:
    """Everything that the view shows at this step."""
    results = step.progress.results
    state = "done" if step.done else "running"
    return {
        "state": state,
        "line": _line(step),
        "fraction": step.share,
        "sentence": " ".join(
            filter(
                None, [_finding(results), _encoder(results), _together(step), translate(CHOICE), _missing(step.missing)]
            )
        ),
        "notice": views.restart_notice(step.restarted, step.lost),
        "announce": _finding(results) if step.done else "",
        "groups": [_group(kind, results) for kind in ("unconditional", "frozen_prompt")],
        "furthest": max((_radius(result) or 0.0 for result in results.values()), default=0.0),
        "curve": _curve(step),
        "certificates": [result.to_dict() for result in results.values()] if step.done else None,
    }


def _line(step: "Comparison") -> str:
    if step.done:
        return translate(
            "Done · {votes} votes for each method at σ = {noise}, drawn once for all",
            votes=views.count_text(step.progress.votes),
            noise=views.number_text(next(iter(step.progress.results.values())).run.noise_level),
        )
    return translate(
        "Drawing noisy copies at σ = {noise} · {share} of all votes",
        noise=views.number_text(step.level),
        share=views.number_text(100 * step.share, ".0f") + " %",
    )


def _finding(results: dict[str, Result]) -> str:
    """Which methods lead, among those whose guarantee is unconditional."""
    plain = {method: _radius(one) or 0.0 for method, one in results.items() if one.guarantee == "unconditional"}
    furthest = max(plain.values(), default=0.0)
    if not furthest:
        return translate("No unconditional method is certified yet.")
    best = [translate(views.METHOD_NAMES[method]) for method, radius in plain.items() if radius == furthest]
    return translate(
        "Unconditionally, {method} prompts reach furthest: {radius}.",
        method=", ".join(best),
        radius=views.radius_text(furthest),
    )


def _encoder(results: dict[str, Result]) -> str:
    """One encoder for all of them."""
    return next((views.encoder_sentence(result.run) for result in results.values()), "")


def _together(step: "Comparison") -> str:
    """What the chances of a false certificate come to over all that is shown: each method at each level is one."""
    shown = [result for results in step.sweep.values() for result in results.values()]
    return translate(
        "{count} runs stand side by side here, each method at each noise level: the chance that noise makes any of "
        "them issue a false certificate is at most {alpha}.",
        count=len(shown),
        alpha=views.joint_alpha_text(shown),
    )


def _missing(methods: tuple[str, ...]) -> str:
    if not methods:
        return ""
    names = ", ".join(translate(views.METHOD_NAMES[method]) for method in methods)
    return translate("No bank here for: {methods}. Learn one under “Learn prompts”.", methods=names)


def _radius(result: Result) -> float | None:
    return result.radius if isinstance(result, Certificate) else None


def _group(kind: str, results: dict[str, Result]) -> Group:
    members = {method: result for method, result in results.items() if result.guarantee == kind}
    reasons = dict.fromkeys(views.guarantee_words_of(result)[1] for result in members.values())  # each said once
    cards = [_card(method, result) for method, result in members.items()]
    return {"kind": kind, "title": views.guarantee_words(kind)[0], "about": " ".join(reasons), "cards": cards}


def _card(method: str, result: Result) -> Card:
    run, votes, radius = result.run, result.votes, _radius(result)
    total = max(1, votes.total)
    return {
        "id": method,
        "ink": _ink(method),
        "name": views.short_method(method),
        "answer": _answer(result),
        "radius": radius,
        "radius_text": "–" if radius is None else views.radius_text(radius),
        "bars": [
            {
                "label": class_words(run.class_names[index]),
                "share": votes.counts[index] / total,
                "count": views.count_text(votes.counts[index]),
                "leads": run.class_ids[index] == result.leader and votes.total > 0,
            }
            for index in views.class_order(result)[:_MOST_CLASSES]
        ],
        "lower": result.lower_bound,
        "upper": result.rival_upper_bound,
        "certified": radius is not None,
    }


def _answer(result: Result) -> str:
    """The class that is certified or leads so far; one that ended without a radius names none."""
    if not result.votes.total:
        return ""
    name = views.name_of(result.run, result.leader)
    if isinstance(result, Certificate) or result.votes.ended == "running":
        return class_words(name)
    return translate("abstained; {name} is ahead", name=name)


def _ink(method: str) -> int:
    return [*METHODS].index(method)


def _curve(step: "Comparison") -> Curve:
    """The radii by noise level; a level that was drawn with another number of votes than the chosen one is marked."""
    levels, results = sorted(step.sweep), step.progress.results
    votes = {level: _planned(step.sweep[level]) for level in levels}
    chosen = _planned(results)
    return {
        "levels": levels,
        "heads": [
            translate("σ = {noise}, {votes} votes", noise=views.number_text(at), votes=views.count_text(votes[at]))
            for at in levels
        ],
        "other": [votes[level] != chosen for level in levels],
        "note": _unlike(chosen, {*votes.values()} - {chosen}),
        "series": [_series(step, method) for method in results],
    }


def _planned(results: dict[str, Result]) -> int:
    return next(iter(results.values())).run.plan.max_votes


def _unlike(chosen: int, others: set[int]) -> str:
    """Why some points are small; empty where every level is drawn with as many votes."""
    if not others:
        return ""
    return translate(
        "Small points rest on {other} votes, the chosen noise level on {chosen}: more votes alone give a larger "
        "radius, so the two do not compare.",
        other=", ".join(views.count_text(count) for count in sorted(others)),
        chosen=views.count_text(chosen),
    )


def _series(step: "Comparison", method: str) -> Series:
    results = [step.sweep[level][method] for level in sorted(step.sweep)]
    return {
        "name": views.short_method(method),
        "ink": _ink(method),
        "kind": results[0].guarantee,
        "radii": [_radius(result) for result in results],
        "texts": [_text(result) for result in results],
        "hovers": [_hover(result) for result in results],
    }


def _hover(result: Result) -> str:
    """What a point says: the radius as it is printed everywhere, for Plotly would round it to the nearest."""
    run, mark = result.run, views.guarantee_mark(result)
    votes = translate("{votes} votes", votes=views.count_text(run.plan.max_votes))
    return " · ".join(filter(None, [f"σ = {views.number_text(run.noise_level)}: {_text(result)}", votes, mark]))


def _text(result: Result) -> str:
    radius = _radius(result)
    return translate("abstained") if radius is None else views.radius_text(radius)
