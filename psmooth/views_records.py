"""Turns certificates that lie on the table into words: the runs on one scan, and a file that is checked.

It knows nothing about Gradio, torch, or how a vote is drawn.
"""

from collections.abc import Sequence
from typing import Any, Final

from psmooth import views
from psmooth.certificate import Abstention, Certificate, Verification
from psmooth.language import say

Result = Certificate | Abstention

_MOST_ROWS: Final = 50
_MOST_PROBLEMS: Final = 3
_HEAD: Final = ("Model", "Prompts", "Denoiser", "Noise level σ", "Votes", "Answer", "certified radius")


def runs(results: Sequence[Result]) -> dict[str, Any]:
    """The runs on one scan, oldest first, and what their chances of a false certificate come to together."""
    together = sum(result.run.plan.failure_probability for result in results)
    title = say(
        "{count} runs on this scan: the chance that noise makes any of them issue a false certificate is at most "
        "{alpha}",
        count=views.count_text(len(results)),
        alpha=f"{min(1.0, together):.4g}",
    )
    about = say("Each statement holds by itself. None of them is about the best of them, chosen afterwards.")
    return {
        "title": title,
        "about": about,
        "head": [say(words) for words in _HEAD],
        "rows": [_row(result) for result in results[-_MOST_ROWS:]],
    }


def _row(result: Result) -> list[str]:
    run = result.run
    certified = result if isinstance(result, Certificate) else None
    return [
        str(run.model["id"]),
        say(views.METHOD_NAMES[run.method]),
        views.denoiser_words(run.denoiser),
        f"{run.noise_level:g}",
        views.count_text(result.votes.total),
        views.name_of(run, result.leader) if certified else say("Abstained"),
        views.radius_text(certified.radius) if certified else "–",
    ]


def checked(found: Verification) -> dict[str, Any]:
    """What came of recomputing a certificate file; the stage shows it in place of a run."""
    if found.certificate is None:
        told = [f"{field}: {problem}" for field, problem in found.problems[:_MOST_PROBLEMS]]
        text = say("It was altered or is damaged: {problems}", problems=" ".join(told))
        return views.message("failed", say("This certificate does not hold together."), text, say("Checked"))
    text = " ".join(
        [
            views.verdict_sentence(found.certificate),
            views.sentence(found.certificate),
            say(
                "The bounds and the radius were computed again from the votes that the file records. That these votes "
                "were drawn is shown by “psmooth verify --scan”, which draws them again."
            ),
        ]
    )
    return views.message("idle", say("This certificate holds together."), text, say("Checked"))
