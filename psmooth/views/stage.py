"""Everything that the view *Certify* shows at one step, and what it says where there is no run.

It knows nothing about how any of it is drawn.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NotRequired, TypedDict

from psmooth.certificate import Certificate, Run
from psmooth.scans.landmarks import Landmark
from psmooth.views.chart import Chart, chart_data, empty_chart
from psmooth.views.facts import encoder_words, fact_rows, facts, runtime_of, whole_origin
from psmooth.views.locale import class_words, translate, translate_error
from psmooth.views.numbers import (
    alpha_text,
    at_least_text,
    at_most_text,
    confidence_text,
    count_text,
    listed,
    megabytes_text,
    number_text,
)
from psmooth.views.recognition import doubt
from psmooth.views.sentences import (
    STATEMENTS,
    Radius,
    Result,
    announcement,
    correctness,
    drawn_words,
    guarantee_words,
    guarantee_words_of,
    headline,
    marked_method,
    radius_words,
    reason_of,
    restart_notice,
    sentence,
    state_line,
    state_of,
    statement,
    truth_sentence,
    verdict,
)
from psmooth.views.strip import Ruler, ruler
from psmooth.views.words import NOT_PROMISED, NOTICE, PAGE_WORDS, UNEXPECTED, denoiser_words

if TYPE_CHECKING:
    from psmooth.errors import PsmoothError
    from psmooth.smoothing import Progress
    from psmooth.tasks import Task


class ViewState(TypedDict):
    """What every view says of its run: a state for the script, a line for the bar and the share of it, a sentence."""

    state: str
    line: str
    fraction: float
    sentence: str


class Badge(TypedDict):
    """The kind of guarantee: its id, its words, and what they mean."""

    kind: str
    text: str
    about: str


class Message(ViewState):
    """What *Certify* shows without a run.

    The headline is what stands before, in and after the class name; ``announce`` is said to those who do not see.
    """

    headline: list[str]
    aside: str
    announce: str
    badge: NotRequired[Badge]
    forgotten: NotRequired[bool]


class Placeholders(TypedDict):
    """The longest words that may come, as they would be shown."""

    headline: str
    sentence: str
    badge: Badge
    facts: list[list[str]]


class Opening(Message):
    """The page before anything is asked of the server."""

    chart: Chart
    ruler: Ruler
    ghosts: Placeholders


class Report(TypedDict):
    """What is seen on paper alone; a row is a term and what it is."""

    title: str
    rows: list[list[str]]
    caveat: str


class Stage(ViewState):
    """What *Certify* shows at a step of a run.

    ``truth`` is whether a certified answer is known to be right or wrong; ``certificate`` the file to be downloaded,
    once the run has ended; ``reach`` the radius, where there is one; ``frozen`` whether it holds with the prompt frozen
    alone; ``settings`` what the controls said when it was asked for.
    """

    headline: list[str]
    aside: str
    ghosts: Placeholders
    badge: Badge
    truth: str
    radius: Radius
    facts: list[list[str]]
    chart: Chart
    ruler: Ruler
    certificate: str | None
    reach: float | None
    frozen: bool
    report: Report | None
    doubt: str
    notice: str
    announce: str
    settings: NotRequired[dict[str, Any]]


def stage(
    progress: "Progress", contender: str, crop_size: int, known: Sequence[Landmark], truth: str | None = None
) -> Stage:
    """Everything that the right side of the page shows at this step of a run."""
    result = progress.results[contender]
    run, state = result.run, state_of(progress, result)
    notice = restart_notice(progress.restarted, contender in progress.lost)
    selecting = state == "selecting"
    return {
        "state": state,
        "line": state_line(progress, result),
        "fraction": progress.votes / max(1, progress.planned) if state in ("selecting", "estimating") else 1.0,
        "headline": [translate("Choosing a class …"), "", ""] if selecting else list(headline(result, truth)),
        "sentence": _selecting_sentence(run) if selecting else sentence(result),
        "aside": truth_sentence(result, truth) if isinstance(result, Certificate) and not selecting else "",
        "ghosts": placeholders_of(run),
        "badge": badge_of(result),
        "truth": "" if selecting else correctness(result, truth),
        "radius": radius_words(result, crop_size),
        "facts": facts(result, progress, contender, truth),
        "chart": chart_data(result, truth),
        "ruler": ruler(known, result.radius if isinstance(result, Certificate) else None, run.guarantee),
        "certificate": None if result.votes.ended == "running" else result.to_json(),
        "reach": result.radius if isinstance(result, Certificate) else None,
        "frozen": run.guarantee == "frozen_prompt",
        "report": None if result.votes.ended == "running" else report(result, crop_size),
        "doubt": doubt(run),
        "notice": notice,
        "announce": f"{notice} {announcement(progress, result, truth)}".strip(),
    }


def report(result: Result, crop_size: int) -> Report:
    """What the printed page adds to what is on screen: all that lets the certificate be checked."""
    run, votes = result.run, result.votes
    names = map(class_words, run.class_names)
    counts = "; ".join(f"{name} {count_text(n)}" for name, n in zip(names, votes.counts, strict=True))
    denoiser = f"{denoiser_words(run.denoiser)} {run.denoiser_sha256 or ''}"
    kind = [[translate("Guarantee"), " – ".join(guarantee_words_of(result))]] if isinstance(result, Certificate) else []
    rows = [
        *kind,
        [translate("Votes"), f"{counts}; {drawn_words(result)}"],
        [translate("Share of the answer"), translate("at least {share}", share=at_least_text(result.lower_bound))],
        [translate("Share of any rival"), translate("at most {share}", share=at_most_text(result.rival_upper_bound))],
        [
            translate("Noise level σ, failure probability α"),
            listed([number_text(run.noise_level), alpha_text(run.plan.failure_probability)]),
        ],
        [translate("Prompts, denoiser"), f"{marked_method(result)}, {denoiser}"],
        [translate("Model"), whole_origin(run.model)],
        *([[translate("Encoder"), encoder_words(run)]] if runtime_of(run) else []),
        [translate("Prompt bank"), whole_origin(run.bank)],
        [translate("Gallery"), whole_origin(run.gallery)],
        [translate("Crop"), f"{crop_size} × {crop_size}, sha256 {run.crop_sha256}"],
        [translate("Seed"), f"{run.seed} ({translate(run.seed_origin)})"],
        [translate("Versions"), ", ".join(f"{name} {version}" for name, version in run.versions.items())],
        [translate("Time"), run.time],
    ]
    return {
        "title": translate("How this was computed"),
        "rows": rows,
        "caveat": f"{translate(NOTICE)} {translate(NOT_PROMISED)}",
    }


def _selecting_sentence(run: Run) -> str:
    return translate(
        "{count} noisy copies name the class that is put to the test. They are drawn as outlines and never counted.",
        count=run.plan.selection_votes or 0,
    )


_LONG_RADIUS: Final = "8.888"


def placeholders(class_names: Sequence[str]) -> Placeholders:
    """The longest words of the opening run; the page keeps their height free, so nothing jumps."""
    longest, badge = max(class_names, key=len), guarantee_words("unconditional")
    values = {"name": longest, "radius": _LONG_RADIUS, "confidence": confidence_text(0.001), "alpha": alpha_text(0.001)}
    return _placeholders("unconditional", badge, longest, translate(STATEMENTS["nothing", False], **values))


def placeholders_of(run: Run) -> Placeholders:
    """The longest words that a run can come to."""
    longest = max(run.class_names, key=len)
    return _placeholders(run.guarantee, guarantee_words(reason_of(run)), longest, statement(run, longest, _LONG_RADIUS))


def _placeholders(guarantee: str, badge: tuple[str, str], longest: str, statement: str) -> Placeholders:
    return {
        "headline": verdict(guarantee, longest, _LONG_RADIUS),
        "sentence": f"{statement} {translate(NOT_PROMISED)}",
        "badge": _badge(guarantee, badge),
        "facts": [
            *fact_rows(longest, longest, True),
            [translate("Model"), "pocket-noisy @ 00000000 · Apache-2.0"],
            [translate("Gallery"), " · ".join([translate("drawn examples"), "Apache-2.0"])],
        ],
    }


def badge_of(result: Result) -> Badge:
    """The kind of guarantee as the page shows it."""
    return _badge(result.guarantee, guarantee_words_of(result))


def _badge(guarantee: str, words: tuple[str, str]) -> Badge:
    return {"kind": guarantee, "text": words[0], "about": words[1]}


def message(state: str, title: str, text: str, line: str) -> Message:
    """The right side of the page without a result: idle, loading, queued, stopped or failed."""
    return {
        "state": state,
        "line": line,
        "fraction": 0.0,
        "headline": [title, "", ""],
        "sentence": text,
        "aside": "",
        "announce": f"{title} {text}",
    }


def idle() -> Message:
    """Before the first scan, and after Clear."""
    return message(
        "idle",
        translate("No scan yet."),
        translate("Choose an example or upload a scan of your own."),
        translate("Idle"),
    )


def which_series() -> Message:
    """Several series were brought together, and none of them is chosen yet."""
    text = translate("Choose one of them under the examples; its middle picture is opened.")
    return message("idle", translate("Which series?"), text, translate("Idle"))


def unsettled() -> Message:
    """A scan was brought, and what it is asked about is not settled yet."""
    text = translate("The run starts when the question is answered.")
    return message("idle", translate("What does this scan show?"), text, translate("Idle"))


def link_without_scan() -> Message:
    """A link that was made beside a visitor's own scan."""
    text = translate(
        "This link carries settings but not the scan: scans never leave the page they were given to. Upload it."
    )
    return message("idle", translate("The scan is not in the link."), text, translate("Idle"))


def forgotten() -> Message:
    """The server has let go of the scan that the page still shows."""
    text = translate(
        "The server no longer has your scan: the page was left alone too long, the connection broke, or others needed "
        "the room. Choose an example or upload it again."
    )
    return {**message("failed", translate("No scan yet."), text, translate("Failed")), "forgotten": True}


def queued_line(place: int, size: int) -> str:
    """What every view says while others have the computer."""
    return translate("Queued · place {place} of {size} · it starts by itself", place=place, size=size)


def queued(place: int, size: int) -> Message:
    """Others have the computer."""
    line = queued_line(place, size)
    return {**message("queued", translate("Getting ready …"), "", line), "announce": line}


def loading(model_name: str) -> Message:
    """Before the first vote: the model is being read."""
    return message("loading", translate("Getting ready …"), "", loading_line(model_name))


def loading_line(model_name: str) -> str:
    """What every view says while a model is read."""
    return translate("Loading {model}", model=translate(model_name))


def download_words(name: str, done: int, total: int) -> ViewState:
    """What every view says while a model comes; before its size is known, or where it is here already, it is read."""
    if not total:
        return {"state": "loading", "line": loading_line(name), "fraction": 0.0, "sentence": ""}
    return {
        "state": "loading",
        "line": translate(
            "Downloading {model} · {done} of {total}",
            model=translate(name),
            done=megabytes_text(done),
            total=megabytes_text(total),
        ),
        "fraction": done / max(1, total),
        "sentence": translate(
            "Once here, it is read from this computer; a download that is cut short goes on where it stood."
        ),
    }


def downloading(name: str, done: int, total: int) -> Message:
    """A model on its way from the Hub."""
    if not total:
        return loading(name)
    coming = download_words(name, done, total)
    return {**message("loading", translate("Fetching the model …"), coming["sentence"], coming["line"]), **coming}


def opening(task: "Task", known: Sequence[Landmark]) -> Opening:
    """The first picture of the page: the classes and the ruler stand, no vote is drawn yet."""
    return {
        **message("loading", translate("Getting ready …"), "", translate("Starting")),
        "chart": empty_chart(task),
        "ruler": ruler(known, None),
        "ghosts": placeholders(task.class_names),
    }


def failed(error: "PsmoothError | None") -> Message:
    """The sentence of an error of psmooth's; None is anything else."""
    return message("failed", translate("That did not work."), error_words(error), translate("Failed"))


def error_words(error: "PsmoothError | None") -> str:
    """What went wrong, in the visitor's language."""
    return translate(UNEXPECTED) if error is None else translate_error(error)


def lost() -> Message:
    """Nobody knows how far it came: what was asked for did not arrive, or its answer did not."""
    title, text, line = (translate(PAGE_WORDS[name]) for name in ("lost_title", "lost", "lost_line"))
    return message("failed", title, text, line)


def stopped_early() -> Message:
    """Stop before the first vote was counted."""
    text = translate("No vote had been counted, so there is nothing to certify.")
    return message("stopped", translate("Stopped."), text, translate("Stopped · 0 votes"))
