"""Turns certificates that lie on the table into words: the runs on one scan, and a file that is checked.

It knows nothing about Gradio, torch, or how a vote is drawn.
"""

from collections.abc import Sequence
from typing import Final, NotRequired, TypedDict

from psmooth import views
from psmooth.certificate import NOT_SHOWN, Abstention, Certificate, Verification
from psmooth.errors import PsmoothError
from psmooth.views.locale import class_words, translate

Result = Certificate | Abstention

_MOST_ROWS: Final = 50
_MOST_PROBLEMS: Final = 3
COLUMNS: Final = ("Model", "Prompts", "Denoiser", "Noise level σ", "Votes", "Answer")
VOTES: Final = tuple(views.PAGE_WORDS[name] for name in ("class", "selection", "counted"))
RADIUS_WORDS: Final = {"unconditional": "certified radius", "frozen_prompt": "radius with this prompt frozen"}


class Runs(TypedDict):
    """The runs on one scan, as a table."""

    title: str
    about: str
    head: list[str]
    rows: list[list[str]]


def runs(results: Sequence[Result]) -> Runs:
    """The runs on one scan, oldest first, and what their chances of a false certificate come to together.

    Radii of the two kinds of guarantee stand in a column each.
    """
    kinds = [kind for kind in RADIUS_WORDS if any(result.guarantee == kind for result in results)]
    title = translate(
        "{count} runs on this scan: the chance that noise makes any of them issue a false certificate is at most "
        "{alpha}",
        count=views.count_text(len(results)),
        alpha=views.joint_alpha_text(results),
    )
    about = translate("Each statement holds by itself. None of them is about the best of them, chosen afterwards.")
    return {
        "title": title,
        "about": about,
        "head": [translate(words) for words in (*COLUMNS, *(RADIUS_WORDS[kind] for kind in kinds))],
        "rows": [_row(result, kinds) for result in results[-_MOST_ROWS:]],
    }


def _row(result: Result, kinds: Sequence[str]) -> list[str]:
    run = result.run
    certified = result if isinstance(result, Certificate) else None
    radius = views.radius_text(certified.radius) if certified else "–"
    return [
        " · ".join(filter(None, [str(run.model["id"]), views.runtime_of(run)])),
        views.marked_method(result),
        views.denoiser_words(run.denoiser),
        views.number_text(run.noise_level),
        views.count_text(result.votes.total),
        views.name_of(run, result.leader) if certified else translate("Abstained"),
        *(radius if kind == result.guarantee else "" for kind in kinds),
    ]


class Checked(views.Message):
    """What came of a file: a message, and of a certificate that holds together its votes as a table."""

    head: list[str]
    rows: list[list[str]]
    crop_sha256: NotRequired[str]


def checked(found: Verification) -> Checked:
    """What came of recomputing a certificate file."""
    crop = found.certificate.run.crop_sha256 if found.certificate else ""
    head = [translate(words) for words in VOTES]
    return {**_said(found), "head": head, "rows": _votes(found.certificate), "crop_sha256": crop}


def unread(error: PsmoothError) -> Checked:
    """A file that is not here any more."""
    return {**views.failed(error), "head": [], "rows": []}


def _votes(result: Result | None) -> list[list[str]]:
    """Class, selection votes, counted votes."""
    if result is None:
        return []
    votes = zip(result.run.class_names, result.votes.selection, result.votes.counts, strict=True)
    return [[class_words(name), views.count_text(chose), views.count_text(counted)] for name, chose, counted in votes]


def _said(found: Verification) -> views.Message:
    if found.certificate is None and found.problems[0][0] == "file":
        text = translate(found.problems[0][1])
        return views.message("failed", translate(views.PAGE_WORDS["check_none"]), text, translate("Checked"))
    if found.certificate is None:
        problems = [f"{field}: {problem}" for field, problem in found.problems[:_MOST_PROBLEMS]]
        text = translate("It was altered or is damaged: {problems}", problems=" ".join(problems))
        return views.message(
            "failed", translate("This certificate does not hold together."), text, translate("Checked")
        )
    result = found.certificate
    kind = [views.guarantee_words_of(result)[1]] if isinstance(result, Certificate) else []
    text = " ".join(
        [
            views.verdict_sentence(result),
            views.sentence(result),
            *kind,
            *filter(None, [views.encoder_sentence(result.run)]),
            *([doubt] if (doubt := views.doubt(result.run)) else []),
            translate(
                "The bounds and the radius were computed again from the votes that the file records. That these votes "
                "were drawn is shown by “psmooth verify --scan” alone, which draws them again."
            ),
            translate("Neither shows: {unseen}.", unseen="; ".join(translate(words) for words, _ in NOT_SHOWN)),
        ]
    )
    shown = views.message("idle", translate("This certificate holds together."), text, translate("Checked"))
    return {**shown, "badge": views.badge_of(result)} if kind else shown
