"""Turns records into what a visitor reads and sees: sentences, number formats, colours, chart data and figures.

It knows nothing about Gradio, torch, or how a vote is drawn.
"""

import base64
import html
import io
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from psmooth.certificate import GUARANTEES as KINDS
from psmooth.certificate import Abstention, Certificate, Plan, Run
from psmooth.language import say, say_error, thousands

if TYPE_CHECKING:
    from psmooth.errors import PsmoothError
    from psmooth.models import ModelSpec
    from psmooth.scans import Crop, CropRule
    from psmooth.smoothing import Progress
    from psmooth.tasks import Task

Result = Certificate | Abstention

# --- the words that stand still

NAME: Final = "psmooth"
SLOGAN: Final = "Certified robustness you can watch."
NOTICE: Final = "Research demonstration. Not for clinical use. Upload only de-identified images."
TITLE: Final = "psmooth · certified robustness of medical vision-language models"
NO_FILE: Final = "No scan was given. Expected is a PNG, JPEG, TIFF or WebP file: choose one."
NO_SCAN: Final = "There is no scan yet. Choose an example or upload one."
NO_REPO: Final = "No repository was named. Expected is OWNER/NAME of a repository of prompt banks on the Hub."
STRANGE_MODEL: Final = (
    "There is no such model in the menu. Choose one of it, or type hf-hub:OWNER/NAME of an open_clip model on the Hub."
)
NO_MODEL: Final = "There is no model to ask: no weights are in assets/pocket. Install psmooth again."
NOT_PROMISED: Final = "It does not say that the answer is right."

PAGE_WORDS: Final[dict[str, str]] = {
    "name": NAME,
    "slogan": SLOGAN,
    "notice": NOTICE,
    "theme": "Light or dark",
    "language": "Language",
    "symbols": "Symbols instead of words",
    "views": "Views",
    "view_certify": "Certify",
    "view_compare": "Compare",
    "view_learn": "Learn prompts",
    "view_understand": "Understand",
    "examples": "Drawn examples",
    "strip_scan": "The scan",
    "strip_scan_alt": "The whole scan; a frame marks the part that the model sees.",
    "viewer_open": "Choose the part",
    "viewer_title": "The scan, and the part that is certified",
    "viewer_close": "Close",
    "viewer_box": "The part that the model sees. Arrow keys move it, plus and minus size it.",
    "viewer_zoom": "Zoom",
    "viewer_invert": "Invert (for looking only)",
    "viewer_whole": "As large as it goes",
    "viewer_use": "Certify this part",
    "strip_crop": "What the model sees",
    "strip_crop_alt": "The crop that is certified, pixel by pixel.",
    "strip_noisy": "One noisy copy",
    "strip_noisy_alt": "The same crop with Gaussian noise added, as for the copies that vote; this one is for looking.",
    "votes": "Votes of noisy copies",
    "chart_alt": "Bar chart of the votes; the same numbers stand in the table that follows.",
    "table": "Votes by class",
    "class": "Class",
    "selection": "Chose the class",
    "counted": "Counted",
    "ruler": "How big is {radius}?",
    "ruler_open": "How big is the radius?",
    "ruler_axis": "L2 distance",
    "covered": "covered by the certificate",
    "outside": "not covered",
    "progress": "Votes drawn",
    "stop": "Stop",
    "download": "Certificate",
    "download_long": "Download the certificate as a JSON file",
    "file": "psmooth-certificate.json",
    "lost_title": "That did not work.",
    "lost_line": "Failed",
    "lost": "That did not reach the server, or it could not read it: the connection broke, or the server is full or "
    "was started anew. What was shown before is gone. Try again; if it happens again, reload the page.",
    "recording": "Recording",
    "recording_label": "A recording of an earlier run on a drawn scan: your own is waiting.",
    "recording_radius": "certified radius",
    "check": "Check",
    "check_long": "Check a certificate: its bounds are computed again from its votes",
    "print": "Print",
    "print_long": "Print a one-page report",
    "teach": "Explain this in six steps",
    "share": "Copy link",
    "share_long": "Copy a link to this example and its settings, without the part you chose; never to a scan of "
    "your own",
    "shared": "Link copied",
    "budget_title": "How big is that?",
    "budget_about": "The same L2 distance, spent in two ways on this very crop, and three changes that people know. "
    "The left picture is the changed crop, the right one the change alone, amplified.",
    "budget_levels": "Grey levels a value may move",
    "lecture_name": "The walkthrough",
    "lecture_back": "Back",
    "lecture_next": "Next",
    "lecture_end": "End",
    "gap": "this gap gives the radius",
    "no_gap": "not certified yet",
}

VIEWER_WORDS: Final[dict[str, str]] = {"said": "{side} × {side} pixels from {left}, {top}"}

BUDGET_WORDS: Final[dict[str, str]] = {
    "of": "{radius} on this crop",
    "spent": "± {levels}: up to {count} values",
    "values": "{count} values by ± {levels}",
    "patch": "a patch of {side} × {side} by {levels}",
    "every": "every value by ± 1",
    "of_frozen": "{radius} on this crop, with this prompt frozen",
    "inside_frozen": "L2 {size}: covered with this prompt frozen",
    "shift": "a shift by one pixel",
    "jpeg": "JPEG at quality 75",
    "amplified": "change × {factor}",
    "inside": "L2 {size}: covered",
    "outside": "L2 {size}: not covered",
}

LECTURE: Final[tuple[tuple[str, str], ...]] = (
    ("A scan", "The model sees a square crop of it, pixel by pixel. Everything that follows is about that crop."),
    (
        "Noise",
        "Gaussian noise of level σ is added, again and again, never the same. Move the slider: how much is too much?",
    ),
    (
        "Votes",
        "The model names each noisy copy. The smoothed answer is the class that an unlimited number of copies would "
        "name most often.",
    ),
    (
        "A bound",
        "The votes are a sample. With the confidence stated, the true share of the leading class is at least the solid "
        "line, and that of any rival at most the dashed one.",
    ),
    (
        "A radius",
        "The gap between the two becomes a distance: with that confidence, the smoothed answer is the same for every "
        "8-bit crop closer than R.",
    ),
    (
        "What it does not promise",
        "It does not say that the answer is right. Compression, a shift or another scanner often change the crop by "
        "more than R; then nothing is promised. A radius marked frozen holds for its prompt, bank and denoiser kept as "
        "they are.",
    ),
)

CONTROL_WORDS: Final[dict[str, str]] = {
    "upload": "Upload a scan",
    "clear": "Clear",
    "check": "Check a certificate",
    "model": "Med-VLM",
    "task": "Task",
    "own_task": "my own class names …",
    "class_names": "Class names",
    "class_names_info": "Separate them with semicolons or new lines.",
    "template": "Template",
    "template_info": "{} is where a class name goes.",
    "method": "Prompts",
    "denoiser": "Denoiser",
    "noise": "Noise level σ",
    "precision": "Precision",
    "target": "Stop early when R reaches",
    "target_info": "Empty: draw all votes.",
    "window_center": "Window centre",
    "window_width": "Window width",
    "window_info": "Grey levels of this 16-bit scan. Another window is another certified crop.",
    "more": "More",
    "bank_repo": "Prompt banks from the Hub",
    "bank_repo_info": "OWNER/NAME, with @REVISION if you like.",
    "bank_fetch": "Fetch banks",
    "certify": "Certify",
    "compare": "Compare",
}

METHOD_NAMES: Final[dict[str, str]] = {
    "template": "hand-written",
    "few_shot": "few-shot",
    "label_free": "label-free",
    "linear_probe": "linear probe",
    "label_free_probe": "label-free probe",
    "zero_shot": "zero-shot (frozen prompt)",
    "combined": "combined (frozen prompt)",
}
DENOISER_NAMES: Final[dict[str, str]] = {
    "none": "none",
    "gaussian": "Gaussian blur",
    "wiener": "Wiener filter",
    "wavelet": "wavelet threshold",
    "learned": "learned",
}
DENOISERS_OFFERED: Final = (*DENOISER_NAMES, "none-mirror", "learned-mirror")

PRECISIONS: Final[dict[str, int]] = {"quick": 1_000, "standard": 10_000, "publication": 100_000}
NOISE_TICKS: Final = (0.1, 0.25, 0.5, 1.0)

# --- colours: one accent, everything else slate

LIGHT: Final[dict[str, str]] = {
    "bg": "#f6f8fb",
    "card": "#ffffff",
    "line": "#e2e8f0",
    "field": "#f8fafc",
    "edge": "#7f8fa6",
    "ink": "#0f172a",
    "mute": "#475569",
    "faint": "#5b6a80",
    "accent": "#1d4ed8",
    "accent-ink": "#ffffff",
    "soft": "#dbe7fe",
    "bar": "#64748b",
    "grid": "#e8edf3",
    "stop": "#b91c1c",
    "shade": "0 1px 2px rgb(15 23 42 / 4%), 0 8px 24px -12px rgb(15 23 42 / 10%)",
}
DARK: Final[dict[str, str]] = {
    "bg": "#0b1220",
    "card": "#111a2c",
    "line": "#24304a",
    "field": "#0c1424",
    "edge": "#65769a",
    "ink": "#e9eff8",
    "mute": "#a9b6cb",
    "faint": "#8a99b3",
    "accent": "#7aa7ff",
    "accent-ink": "#0b1220",
    "soft": "#1a2c52",
    "bar": "#8493ad",
    "grid": "#1c2740",
    "stop": "#f87171",
    "shade": "none",
}


def colour_sheet() -> str:
    """Both palettes as CSS variables, ``--ps-accent`` and so on; ``.dark`` is the class of the dark page."""
    light = "".join(f"--ps-{name}:{value};" for name, value in LIGHT.items())
    dark = "".join(f"--ps-{name}:{value};" for name, value in DARK.items())
    return f":root{{{light}}}.dark{{{dark}}}"


# --- numbers

_EXACT: Final = Context(prec=150)  # an α from 1e-100 up has its last digit at the 117th place at most


def radius_text(radius: float, digits: int = 3) -> str:
    """A radius floored, never rounded, at ``digits`` digits: what is printed is never more than what is certified."""
    return str(Decimal(radius).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_FLOOR))


def at_least_text(share: float) -> str:
    """A lower bound in percent, floored at one digit."""
    return f"{(Decimal(share) * 100).quantize(Decimal('0.1'), rounding=ROUND_FLOOR)} %"


def at_most_text(share: float) -> str:
    """An upper bound in percent, rounded up at one digit."""
    return f"{(Decimal(share) * 100).quantize(Decimal('0.1'), rounding=ROUND_CEILING)} %"


def confidence_text(failure_probability: float) -> str:
    """1 − α in percent, with all its digits: "99.9 %" for .001, and never 100 %."""
    percent = _EXACT.subtract(Decimal(100), Decimal(str(failure_probability)).scaleb(2))
    return f"{_EXACT.normalize(percent):f} %"


def count_text(count: int) -> str:
    """A whole number with thousands apart: "10,000", or as the language that is spoken writes it."""
    return f"{count:,}".replace(",", thousands())


def alpha_text(failure_probability: float) -> str:
    """A chance of a false certificate with all its digits: "0.001"."""
    return f"{Decimal(str(failure_probability)):f}"


def joint_alpha_text(results: Sequence[Result]) -> str:
    """The sum of the chances of a false certificate, rounded up at four digits, and never above 1: "0.028"."""
    together = reduce(_EXACT.add, (Decimal(str(one.run.plan.failure_probability)) for one in results), Decimal())
    return f"{min(Decimal(1), Context(prec=4, rounding=ROUND_CEILING).plus(together)).normalize():f}"


def size_text(size: float, covered: bool = False) -> str:
    """A distance to about two digits: "0.27", "4.0", "55".

    What a certificate covers is floored as its radius is: nothing covered looks larger than what is certified.
    """
    digits = 2 if size < 1 else 1 if size < 10 else 0
    return radius_text(size, digits) if covered else f"{size:.{digits}f}"


def duration_text(seconds: float) -> str:
    """Seconds in words of one glance: "1 s", "2 min 5 s"; never "0 s" while something is left."""
    whole = max(1, math.ceil(seconds))
    minutes, rest = divmod(whole, 60)
    if not minutes:
        return say("{seconds} s", seconds=rest)
    if minutes < 10:
        return say("{minutes} min {seconds} s", minutes=minutes, seconds=rest)
    return say("{minutes} min", minutes=minutes)


# --- sentences

_GAP: Final = "\0"  # where a class name goes: no class name holds it


def name_of(run: Run, class_id: str) -> str:
    """The words of a class id, as the visitor gave them."""
    return run.class_names[run.class_ids.index(class_id)]


def headline(result: Result) -> tuple[str, str, str]:
    """The verdict in three parts: before the class name, the class name, after it."""
    leader = name_of(result.run, result.leader)
    if isinstance(result, Certificate):
        said = _verdict(result.run.guarantee, _GAP, radius_text(result.radius))
    elif result.votes.ended == "running":
        said = say("{name} leads. Not certified yet.", name=_GAP)
    else:
        said = say("Abstained: no radius for {name}.", name=_GAP)
    before, _, after = said.partition(_GAP)
    return before, leader, after


def _verdict(guarantee: str, name: str, radius: str) -> str:
    if guarantee == "frozen_prompt":
        return say("With this prompt frozen, the answer {name} holds within {radius}.", name=name, radius=radius)
    return say("The answer {name} holds within {radius}.", name=name, radius=radius)


def verdict_sentence(result: Result) -> str:
    """The verdict in one sentence: "The answer monocyte holds within 0.270."."""
    return "".join(headline(result))


# By what is frozen, and whether the seed was given: then α stands for nothing unless the seed was chosen blindly.
_STATEMENTS: Final[dict[tuple[str, bool], str]] = {
    ("nothing", False): "With confidence {confidence} over the noise drawn, the answer that an unlimited number of "
    "votes would give is {name} for every 8-bit crop closer than {radius}. Run again there, the program says {name} "
    "or abstains, except with probability {alpha}.",
    ("nothing", True): "With confidence {confidence} over the noise drawn, if the seed was chosen without knowledge of "
    "scan, prompts and model and was the only one tried, the answer that an unlimited number of votes would give is "
    "{name} for every 8-bit crop closer than {radius}. Run again there, the program says {name} or abstains, except "
    "with probability {alpha}.",
    ("prompt", False): "With confidence {confidence} over the noise drawn, the answer that an unlimited number of "
    "votes would give with this prompt kept is {name} for every 8-bit crop closer than {radius}. Running the program "
    "again there is not covered: it tunes a new prompt and may name another class.",
    ("prompt", True): "With confidence {confidence} over the noise drawn, if the seed was chosen without knowledge of "
    "scan, prompts and model and was the only one tried, the answer that an unlimited number of votes would give with "
    "this prompt kept is {name} for every 8-bit crop closer than {radius}. Running the program again there is not "
    "covered: it tunes a new prompt and may name another class.",
    ("learned", False): "With confidence {confidence} over the noise drawn, the answer that an unlimited number of "
    "votes would give with this bank and denoiser kept is {name} for every 8-bit crop closer than {radius}. Learning "
    "or choosing them again on an altered scan is not covered: with others the program may name another class.",
    ("learned", True): "With confidence {confidence} over the noise drawn, if the seed was chosen without knowledge of "
    "scan, prompts and model and was the only one tried, the answer that an unlimited number of votes would give with "
    "this bank and denoiser kept is {name} for every 8-bit crop closer than {radius}. Learning or choosing them again "
    "on an altered scan is not covered: with others the program may name another class.",
}


def _frozen_part(run: Run) -> str:
    """What a certificate takes as it is: nothing, the prompt tuned on the scan, or what was learned on it."""
    if run.guarantee != "frozen_prompt":
        return "nothing"
    return "prompt" if KINDS[run.method] == "frozen_prompt" else "learned"


def guarantee_sentence(result: Certificate) -> str:
    """What a certificate states, word for word."""
    return _statement(result.run, name_of(result.run, result.leader), radius_text(result.radius))


def _statement(run: Run, name: str, radius: str) -> str:
    alpha = run.plan.failure_probability
    template = _STATEMENTS[_frozen_part(run), run.seed_origin == "given"]
    return say(template, confidence=confidence_text(alpha), name=name, radius=radius, alpha=alpha_text(alpha))


def abstention_sentence(result: Abstention) -> str:
    """Why there is no radius, and what could give one."""
    votes, run = result.votes, result.run
    if result.reason == "paper_plan_unfinished":
        return say(
            "The paper's plan looks once, after {planned} votes. It was ended before, so it leaves no certificate.",
            planned=count_text(run.plan.max_votes),
        )
    values = {
        "name": name_of(run, result.leader),
        "least": at_least_text(result.lower_bound),
        "most": at_most_text(result.rival_upper_bound),
    }
    if votes.ended == "running":
        return say(
            "So far {name} is sure of {least} of the votes only, and a rival may have {most}. The answer is certified "
            "as soon as the first number is the larger one.",
            **values,
        )
    if result.reason == "too_few_votes":
        return say(
            "The run ended after {votes} votes: {name} is sure of {least} of the votes only, and a rival may have "
            "{most}. More votes may settle it.",
            votes=count_text(votes.total),
            **values,
        )
    return say(
        "After {votes} votes at σ = {noise}, {name} is sure of {least} of the votes only, and a rival may have {most}. "
        "A lower noise level may settle it.",
        votes=count_text(votes.total),
        noise=f"{run.noise_level:g}",
        **values,
    )


def sentence(result: Result) -> str:
    """The sentence under the verdict."""
    return guarantee_sentence(result) if isinstance(result, Certificate) else abstention_sentence(result)


GUARANTEES: Final[dict[str, tuple[str, str]]] = {
    "unconditional": (
        "Unconditional",
        "The prompt was not learned or tuned on this crop: the certificate holds for the classifier as it is.",
    ),
    "unknown_bank": (
        "Unconditional",
        "The certificate holds for the classifier as it is; this bank does not say which scans it was learned on.",
    ),
    "unknown_denoiser": (
        "Unconditional",
        "The certificate holds for the classifier as it is; this denoiser does not say which scans it was learned on.",
    ),
    "unknown_both": (
        "Unconditional",
        "The certificate holds for the classifier as it is; neither bank nor denoiser says which scans it was learned "
        "on.",
    ),
    "frozen_prompt": (
        "With this prompt frozen",
        "The prompt was tuned on this scan: the certificate holds for that prompt kept as it is, not for tuning again.",
    ),
    "frozen_learned": (
        "With this prompt frozen",
        "The bank or the denoiser was learned or chosen on this very scan: the certificate holds for both kept as they "
        "are, not for learning again on an altered scan.",
    ),
}


def guarantee_words(guarantee: str) -> tuple[str, str]:
    """A row of ``GUARANTEES`` as a badge and as the sentence why."""
    badge, about = GUARANTEES[guarantee]
    return say(badge), say(about)


def guarantee_words_of(result: Result) -> tuple[str, str]:
    """The kind of guarantee of a result as a badge and as the sentence why."""
    return guarantee_words(_reason(result.run))


def _reason(run: Run) -> str:
    """The row of ``GUARANTEES``; an older file does not say what its bank was learned on."""
    if run.guarantee == "frozen_prompt":
        return "frozen_learned" if _frozen_part(run) == "learned" else "frozen_prompt"
    unknown = run.bank is not None and run.bank.get("learned_on_scan") is None
    if run.denoiser_unknown:
        return "unknown_both" if unknown else "unknown_denoiser"
    return "unknown_bank" if unknown else "unconditional"


def guarantee_mark(result: Result) -> str:
    """What stands beside every radius that holds for a frozen prompt alone; empty for any other."""
    return say("with this prompt frozen") if result.guarantee == "frozen_prompt" else ""


def restart_notice(batch: int, lost: bool) -> str:
    """Why the votes began again from nothing, and where the radius went if one was shown before."""
    if not lost:
        return say(
            "Memory ran out, so the run began again with fresh noise, {batch} copies at a time.",
            batch=count_text(batch),
        )
    return say(
        "Memory ran out, so the run began again with fresh noise, {batch} copies at a time. The radius shown before "
        "rested on votes that no longer count.",
        batch=count_text(batch),
    )


def state_of(progress: "Progress", result: Result) -> str:
    """selecting, estimating, certified, abstained or stopped."""
    if progress.phase == "selection":
        return "selecting"
    if result.votes.ended == "running":
        return "estimating"
    if result.votes.ended == "stopped":
        return "stopped"
    return "certified" if isinstance(result, Certificate) else "abstained"


_ENDINGS: Final = {"complete": "all votes drawn", "target_radius": "target radius reached", "stopped": "stopped by you"}
_STATES: Final = {
    "selecting": "Choosing the class",
    "estimating": "Counting",
    "certified": "Certified",
    "abstained": "Abstained",
    "stopped": "Stopped",
}


def state_line(progress: "Progress", result: Result) -> str:
    """Where the run stands: "Counting · 640 of 1,000 votes · 1 s left · 362 votes/s"."""
    state = state_of(progress, result)
    speed = say("{count} votes/s", count=count_text(round(progress.votes_per_second)))
    if state in ("selecting", "estimating"):
        drawn, planned = count_text(progress.votes), count_text(progress.planned)
        parts = [say(_STATES[state]), say("{votes} of {planned} votes", votes=drawn, planned=planned)]
        if progress.seconds_left is not None:
            parts.append(say("{duration} left", duration=duration_text(progress.seconds_left)))
        return " · ".join([*parts, speed])
    took = say("{seconds} s", seconds=f"{progress.seconds:.1f}")
    return " · ".join([say(_STATES[state]), _drawn(result), took, speed])


def _drawn(result: Result) -> str:
    """How many votes, and why no more."""
    ending = say(_ENDINGS.get(result.votes.ended, result.votes.ended))
    return say("{votes} votes, {ending}", votes=count_text(result.votes.total), ending=ending)


def announcement(progress: "Progress", result: Result) -> str:
    """What a screen reader is told; it changes only when something has happened, not with every vote."""
    state = state_of(progress, result)
    if state == "selecting":
        return say("Choosing the class.")
    leader = name_of(result.run, result.leader)
    if state != "estimating":
        return f"{say(_STATES[state])}. {verdict_sentence(result)}"
    if isinstance(result, Certificate):
        return say("{name} is certified; the radius still climbs.", name=leader)
    return say("{name} leads; not certified yet.", name=leader)


def radius_words(result: Result, crop_size: int) -> dict[str, str]:
    """The big number and the two lines under it."""
    running, votes = result.votes.ended == "running", count_text(result.votes.total)
    unit = _unit(result.run.guarantee, crop_size)
    if isinstance(result, Certificate):
        status = say("still climbing") if running else say("after {votes} votes", votes=votes)
        return {"text": radius_text(result.radius), "unit": unit, "status": status}
    if running:
        return {"text": "–", "unit": unit, "status": say("not certified yet")}
    noise = f"{result.run.noise_level:g}"
    return {
        "text": "–",
        "unit": unit,
        "status": say("not certified after {votes} votes at σ = {noise}", votes=votes, noise=noise),
    }


def _unit(guarantee: str, side: int) -> str:
    if guarantee == "frozen_prompt":
        return say("radius with this prompt frozen, L2 on {side}\u00a0×\u00a0{side}", side=side)
    return say("certified radius, L2 on {side}\u00a0×\u00a0{side}", side=side)


_DRAWN: Final = "drawn by psmooth"  # what the phantoms' gallery says of them


def facts(result: Result, progress: "Progress", contender: str, truth: str | None) -> list[list[str]]:
    """Short pairs beside the verdict: the unsmoothed model's answer, what the scan shows, the denoiser, all origins."""
    run, clean = result.run, progress.clean.get(contender)
    answer = name_of(run, result.leader) if isinstance(result, Certificate) else None
    drawn = run.gallery is None or run.gallery["source"] == _DRAWN
    pairs = _facts(name_of(run, clean) if clean else None, truth, answer, drawn)
    pairs += [[say("Denoiser"), denoiser_words(run.denoiser)]] if run.denoiser != "none" else []
    origins = ((say("Model"), run.model), (say("Bank"), run.bank), (say("Gallery"), run.gallery))
    return [*pairs, *([name, _short_origin(origin)] for name, origin in origins if origin)]


def _facts(clean: str | None, truth: str | None, answer: str | None, drawn: bool = True) -> list[list[str]]:
    pairs = [] if clean is None else [[say("Without smoothing"), clean]]
    if truth is not None:
        wrong = answer is not None and answer != truth
        shown = say("{truth}: the answer is wrong", truth=truth) if wrong else truth
        pairs.append([say("Drawn as") if drawn else say("Labelled as"), shown])
    return pairs


def _short_origin(origin: Mapping[str, Any]) -> str:
    """Name, the first digits of the revision, and licence of a model, a bank or a gallery."""
    pin = origin["revision"] or origin.get("sha256")
    name = f"{origin['id']} @ {pin[:8]}" if pin else origin["id"]
    return f"{name} · {origin['licence'] or say('no licence stated')}"


def _whole_origin(origin: Mapping[str, Any] | None) -> str:
    """All that a certificate has of a model, a bank or a gallery."""
    if origin is None:
        return say("none")
    revision, licence = origin["revision"], origin["licence"]
    parts = (
        origin["id"],
        revision and say("revision {revision}", revision=revision),
        origin.get("sha256") and f"sha256 {origin['sha256']}",
        say("licence {licence}", licence=licence) if licence else say("no licence stated"),
        origin.get("source"),
    )
    return ", ".join(part for part in parts if part)


# --- the votes


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
        "at_least": say("at least {share}", share=at_least_text(result.lower_bound)),
        "at_most": say("rivals at most {share}", share=at_most_text(result.rival_upper_bound)),
        "caption": say(
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
        "xaxis": {**axis, "title": {"text": say("radius, L2 over pixels in [0, 1]")}},
        "yaxis": {**axis, "title": {"text": say("certified accuracy, mean over classes")}, "tickformat": ".0%"},
        "legend": {"groupclick": "toggleitem"},
    }


# --- what a radius means for this crop


@dataclass(frozen=True)
class Landmark:
    """A change that people know, and its size: the L2 norm over the crop's values in [0, 1]."""

    words: str
    size: float


def landmarks(pixels: np.ndarray, noise_level: float) -> list[Landmark]:
    """Changes of this very crop on the scale of a radius, smallest first.

    Args:
        pixels: ``(3, size, size)`` uint8, the crop.
        noise_level: of the votes; the noise itself is the last landmark.
    """
    values = pixels.size
    known = [
        Landmark("1 value in 10 by ± 1 level", math.sqrt(0.1 * values) / 255),
        Landmark("every value by ± 1 level", math.sqrt(values) / 255),
        Landmark("JPEG at quality 75", _distance(pixels, _as_jpeg(pixels, 75))),
        Landmark("shift by one pixel", _distance(pixels, _shifted(pixels))),
        Landmark("the noise of one copy", noise_level * math.sqrt(values)),
    ]
    return sorted(known, key=lambda landmark: landmark.size)


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.linalg.norm((first.astype(np.float64) - second) / 255))


def _as_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB")).transpose(2, 0, 1)


def _shifted(pixels: np.ndarray) -> np.ndarray:
    """One pixel to the right; the left edge is repeated."""
    return np.concatenate([pixels[:, :, :1], pixels[:, :, :-1]], axis=2)


_RULER_LOW, _RULER_HIGH = 0.05, 200.0


def ruler(known: Sequence[Landmark], radius: float | None, guarantee: str = "unconditional") -> dict[str, Any]:
    """The landmarks on a logarithmic axis from .05 to 200, each with the words covered or not covered."""
    inside = [radius is not None and mark.size < radius for mark in known]
    return {
        "covered": _covered(guarantee),
        "ticks": [[f"{tick:g}", _place(tick)] for tick in (0.1, 1, 10, 100)],
        "radius": None if radius is None else radius_text(radius),
        "place": None if radius is None else _place(radius),
        "rows": [
            [say(mark.words), size_text(mark.size, covered), _place(mark.size), covered]
            for mark, covered in zip(known, inside, strict=True)
        ],
    }  # fmt: skip


def _covered(guarantee: str) -> str:
    if guarantee == "frozen_prompt":
        return say("covered with this prompt frozen")
    return say(PAGE_WORDS["covered"])


def _place(size: float) -> float:
    span = math.log(_RULER_HIGH / _RULER_LOW)
    return min(1.0, max(0.0, math.log(max(size, 1e-9) / _RULER_LOW) / span))


# --- pictures


def picture(pixels: np.ndarray, longest: int | None = None) -> str:
    """A ``(height, width, 3)`` uint8 picture as a PNG data address; one longer than ``longest`` is made smaller."""
    image = Image.fromarray(pixels)
    if longest is not None:
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return _address(image, "PNG")


def thumbnail(pixels: np.ndarray) -> str:
    """The small picture of an example, as a JPEG data address."""
    image = Image.fromarray(pixels)
    image.thumbnail((128, 128), Image.Resampling.LANCZOS)
    return _address(image, "JPEG")


def _address(image: Image.Image, kind: str) -> str:
    file = io.BytesIO()
    image.save(file, kind, quality=88)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def crop_frame(width: int, height: int, rule: "CropRule") -> list[float]:
    """Left, top, width and height of what the model sees, as shares of the scan's sides."""
    left, top, right, bottom = rule.box or (0, 0, width, height)
    if rule.fit == "crop":
        side = min(right - left, bottom - top)
        left, top = left + (right - left - side) / 2, top + (bottom - top - side) / 2
        right, bottom = left + side, top + side
    return [left / width, top / height, (right - left) / width, (bottom - top) / height]


def strip(whole: np.ndarray, kind: str, crop: "Crop") -> dict[str, Any]:
    """The pictures of the strip: the scan with the frame of the crop, and the exact crop; ``kind`` as in `Scan`."""
    height, width = whole.shape[:2]
    return {
        "id": crop.sha256,
        "scan": picture(whole, longest=768),
        "about": f"{width} × {height}, {kind}",
        "width": width,
        "height": height,
        "frame": crop_frame(width, height, crop.rule),
        "crop": picture(crop.pixels.transpose(1, 2, 0)),
        "jpeg": picture(_as_jpeg(crop.pixels, 75).transpose(1, 2, 0)),
        "size": crop.rule.size,
    }


# --- the page at one moment


def stage(
    progress: "Progress", contender: str, crop_size: int, known: Sequence[Landmark], truth: str | None = None
) -> dict[str, Any]:
    """Everything that the right side of the page shows at this step of a run."""
    result = progress.results[contender]
    run, state = result.run, state_of(progress, result)
    notice = "" if progress.restarted is None else restart_notice(progress.restarted, contender in progress.lost)
    selecting = state == "selecting"
    return {
        "state": state,
        "line": state_line(progress, result),
        "fraction": progress.votes / max(1, progress.planned) if state in ("selecting", "estimating") else 1.0,
        "headline": [say("Choosing a class …"), "", ""] if selecting else list(headline(result)),
        "sentence": _selecting_sentence(run) if selecting else sentence(result),
        "aside": say(NOT_PROMISED) if isinstance(result, Certificate) and not selecting else "",
        "ghosts": ghosts_of(run),
        "badge": badge_of(result),
        "radius": radius_words(result, crop_size),
        "facts": facts(result, progress, contender, truth),
        "chart": chart_data(result),
        "ruler": ruler(known, result.radius if isinstance(result, Certificate) else None, run.guarantee),
        "certificate": None if result.votes.ended == "running" else result.to_json(),
        "reach": result.radius if isinstance(result, Certificate) else None,
        "frozen": run.guarantee == "frozen_prompt",
        "report": None if result.votes.ended == "running" else report(result, crop_size),
        "notice": notice,
        "announce": f"{notice} {announcement(progress, result)}".strip(),
    }


def report(result: Result, crop_size: int) -> dict[str, Any]:
    """What the printed page adds to what is on screen: all that lets the certificate be checked."""
    run, votes = result.run, result.votes
    counts = "; ".join(f"{name} {count_text(n)}" for name, n in zip(run.class_names, votes.counts, strict=True))
    front = f"{denoiser_words(run.denoiser)} {run.denoiser_sha256 or ''}"
    kind = [[say("Guarantee"), " – ".join(guarantee_words_of(result))]] if isinstance(result, Certificate) else []
    rows = [
        *kind,
        [say("Votes"), f"{counts}; {_drawn(result)}"],
        [say("Share of the answer"), say("at least {share}", share=at_least_text(result.lower_bound))],
        [say("Share of any rival"), say("at most {share}", share=at_most_text(result.rival_upper_bound))],
        [
            say("Noise level σ, failure probability α"),
            f"{run.noise_level:g}, {alpha_text(run.plan.failure_probability)}",
        ],
        [say("Prompts, denoiser"), f"{marked_method(result)}, {front}"],
        [say("Model"), _whole_origin(run.model)],
        [say("Prompt bank"), _whole_origin(run.bank)],
        [say("Gallery"), _whole_origin(run.gallery)],
        [say("Crop"), f"{crop_size} × {crop_size}, sha256 {run.crop_sha256}"],
        [say("Seed"), f"{run.seed} ({say(run.seed_origin)})"],
        [say("Versions"), ", ".join(f"{name} {version}" for name, version in run.versions.items())],
        [say("Time"), run.time],
    ]
    return {"title": say("How this was computed"), "rows": rows, "caveat": f"{say(NOTICE)} {say(NOT_PROMISED)}"}


def _selecting_sentence(run: Run) -> str:
    return say(
        "{count} noisy copies name the class that is put to the test. They are drawn as outlines and never counted.",
        count=run.plan.selection_votes or 0,
    )


_LONG_RADIUS: Final = "8.888"


def ghosts(class_names: Sequence[str]) -> dict[str, Any]:
    """The longest words of the opening run; the page keeps their height free, so nothing jumps."""
    longest, badge = max(class_names, key=len), guarantee_words("unconditional")
    values = {"name": longest, "radius": _LONG_RADIUS, "confidence": confidence_text(0.001), "alpha": alpha_text(0.001)}
    return _ghosts("unconditional", badge, longest, say(_STATEMENTS["nothing", False], **values))


def ghosts_of(run: Run) -> dict[str, Any]:
    """The longest words that a run can come to."""
    longest = max(run.class_names, key=len)
    return _ghosts(run.guarantee, guarantee_words(_reason(run)), longest, _statement(run, longest, _LONG_RADIUS))


def _ghosts(guarantee: str, badge: tuple[str, str], longest: str, statement: str) -> dict[str, Any]:
    return {
        "headline": _verdict(guarantee, longest, _LONG_RADIUS),
        "sentence": f"{statement} {say(NOT_PROMISED)}",
        "badge": _badge(guarantee, badge),
        "facts": [
            *_facts(longest, longest, ""),
            [say("Model"), "pocket-noisy @ 00000000 · Apache-2.0"],
            [say("Gallery"), "drawn examples · Apache-2.0"],
        ],
    }


def method_choices() -> list[tuple[str, str]]:
    """(words, method id) as the menu shows them; those whose guarantee is a frozen prompt's say so."""
    return [(say(words), method) for method, words in METHOD_NAMES.items()]


def short_method(method: str) -> str:
    """A method's name where the kind of its guarantee stands beside it already."""
    return say(METHOD_NAMES[method].replace(" (frozen prompt)", ""))


def marked_method(result: Result) -> str:
    """A method's name with the mark of a frozen prompt where this result has one."""
    name = short_method(result.run.method)
    return say("{method} (frozen prompt)", method=name) if result.guarantee == "frozen_prompt" else name


def precision_choices() -> list[tuple[str, int]]:
    """(words and votes, votes) as the page shows them."""
    return [(f"{say(name)}\n{count_text(count)}", count) for name, count in PRECISIONS.items()]


def denoiser_words(denoiser: str) -> str:
    """What a denoiser is called, by its id."""
    plain, _, mirror = denoiser.partition("-")
    name = say(DENOISER_NAMES[plain])
    return say("{denoiser} + mirror image", denoiser=name) if mirror else name


def denoiser_choices() -> list[tuple[str, str]]:
    """(words, denoiser id) as the menu shows them."""
    return [(denoiser_words(denoiser), denoiser) for denoiser in DENOISERS_OFFERED]


def badge_of(result: Result) -> dict[str, str]:
    """The kind of guarantee as the page shows it."""
    return _badge(result.guarantee, guarantee_words_of(result))


def _badge(guarantee: str, words: tuple[str, str]) -> dict[str, str]:
    return {"kind": guarantee, "text": words[0], "about": words[1]}


def message(state: str, title: str, text: str, line: str) -> dict[str, Any]:
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


def idle() -> dict[str, Any]:
    """Before the first scan, and after Clear."""
    return message("idle", say("No scan yet."), say("Choose an example or upload a scan of your own."), say("Idle"))


def link_without_scan() -> dict[str, Any]:
    """A link that was made beside a visitor's own scan."""
    text = say("This link carries settings but not the scan: scans never leave the page they were given to. Upload it.")
    return message("idle", say("The scan is not in the link."), text, say("Idle"))


def forgotten() -> dict[str, Any]:
    """The server has let go of the scan that the page still shows."""
    text = say(
        "The server no longer has your scan: the page was left alone too long, the connection broke, or others needed "
        "the room. Choose an example or upload it again."
    )
    return {**message("failed", say("No scan yet."), text, say("Failed")), "forgotten": True}


def queued_line(place: int, size: int) -> str:
    """What every view says while others have the computer."""
    return say("Queued · place {place} of {size} · it starts by itself", place=place, size=size)


def queued(place: int, size: int) -> dict[str, Any]:
    """Others have the computer."""
    line = queued_line(place, size)
    return {**message("queued", say("Getting ready …"), "", line), "announce": line}


def loading(model_name: str) -> dict[str, Any]:
    """Before the first vote: the model is being read."""
    return message("loading", say("Getting ready …"), "", loading_line(model_name))


def loading_line(model_name: str) -> str:
    """What every view says while a model is read."""
    return say("Loading {model}", model=model_name)


def megabytes_text(count: int) -> str:
    """Bytes in whole megabytes: "605 MB"."""
    return f"{count_text(round(count / 1e6))} MB"


def download_words(name: str, done: int, total: int) -> dict[str, Any]:
    """What every view says while a model comes; before its size is known, or where it is here already, it is read."""
    if not total:
        return {"state": "loading", "line": loading_line(name), "fraction": 0.0, "sentence": ""}
    return {
        "state": "loading",
        "line": say(
            "Downloading {model} · {done} of {total}",
            model=name,
            done=megabytes_text(done),
            total=megabytes_text(total),
        ),
        "fraction": done / max(1, total),
        "sentence": say(
            "Once here, it is read from this computer; a download that is cut short goes on where it stood."
        ),
    }


def downloading(name: str, done: int, total: int) -> dict[str, Any]:
    """A model on its way from the Hub."""
    if not total:
        return loading(name)
    told = download_words(name, done, total)
    return {**message("loading", say("Fetching the model …"), told["sentence"], told["line"]), **told}


def model_words(spec: "ModelSpec") -> str:
    """A row of the model menu: its name, what has to be fetched, and what its licence or its owners restrict."""
    parts = [spec.name]
    if spec.megabytes:
        parts.append(f"{count_text(spec.megabytes)} MB")
    parts += [say("non-commercial")] * spec.non_commercial + [say("access on request")] * spec.gated
    return " · ".join(parts)


def model_table(specs: Sequence["ModelSpec"], banks: Sequence[Mapping[str, Any]], formats: Collection[str]) -> str:
    """The table of models for the README, as Markdown, from the rows of the app.

    ``banks`` are the rows of the manifest that ships; a model whose family is none of ``formats`` is not loaded.
    """
    head = ("model", "tasks", "methods", "crop", "text", "download", "licence", "weights")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for spec in specs:
        size = f"{count_text(spec.megabytes)} MB" if spec.megabytes else "in the repository"
        where = spec.weights.removeprefix("hf-hub:").removeprefix("https://").split("@")
        pin = f" @ {where[1][:8]}" if len(where) > 1 else ""
        licence = (
            spec.licence + (" (non-commercial)" if spec.non_commercial else "") + (" (gated)" if spec.gated else "")
        )
        methods = _methods_of(spec, banks) if spec.family in formats else "none, it is not loaded"
        lines.append(
            f"| {spec.name} (`{spec.id}`) | {_as_code(spec.task_ids)} | {methods} | {spec.input_size} px "
            f"| {spec.text_length} tokens | {size} | {licence} | {where[0]}{pin} |"
        )
    return "\n".join(lines)


def _methods_of(spec: "ModelSpec", banks: Sequence[Mapping[str, Any]]) -> str:
    """The methods that run at once, with the banks that ship for all its tasks, and those that need a bank learned."""
    shipped = {(bank["method"], bank["task"]) for bank in banks if bank["model"] == spec.id}
    source = {"template": None, "zero_shot": None, "combined": "few_shot"}
    ready = {
        method
        for method in METHOD_NAMES
        if (needed := source.get(method, method)) is None or {(needed, task) for task in spec.task_ids} <= shipped
    }
    if len(ready) == len(METHOD_NAMES):
        return f"all {len(METHOD_NAMES)}"
    at_once = [method for method in METHOD_NAMES if method in ready]
    return f"{_as_code(at_once)}; with a bank the other {len(METHOD_NAMES) - len(at_once)}"


def _as_code(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def opening(task: "Task", known: Sequence[Landmark]) -> dict[str, Any]:
    """The first picture of the page: the classes and the ruler stand, no vote is drawn yet."""
    standing = {"chart": empty_chart(task), "ruler": ruler(known, None), "ghosts": ghosts(task.class_names)}
    return {**message("loading", say("Getting ready …"), "", say("Starting")), **standing}


def failed(error: "PsmoothError | None") -> dict[str, Any]:
    """The sentence of an error of psmooth's; None is anything else."""
    return message("failed", say("That did not work."), error_words(error), say("Failed"))


def error_words(error: "PsmoothError | None") -> str:
    """What went wrong, in the visitor's language."""
    return say(UNEXPECTED) if error is None else say_error(error)


def lost() -> dict[str, Any]:
    """Nobody knows how far it came: what was asked for did not arrive, or its answer did not."""
    title, text, line = (say(PAGE_WORDS[name]) for name in ("lost_title", "lost", "lost_line"))
    return message("failed", title, text, line)


def stopped_early() -> dict[str, Any]:
    """Stop before the first vote was counted."""
    text = say("No vote had been counted, so there is nothing to certify.")
    return message("stopped", say("Stopped."), text, say("Stopped · 0 votes"))


UNEXPECTED: Final = (
    "Something went wrong inside psmooth. Press Certify to try again; if it happens again, reload the page."
)


def tick_buttons() -> str:
    """The paper's noise levels under the slider, at their places on it."""
    low, high = NOISE_TICKS[0], NOISE_TICKS[-1]
    buttons = [
        f'<button type="button" data-value="{tick:g}" aria-label="σ = {tick:g}" '
        f'style="left:{_slider_place((tick - low) / (high - low))}">{tick:g}</button>'
        for tick in NOISE_TICKS
    ]
    return f'<div class="ps-ticks">{"".join(buttons)}</div>'


def _slider_place(share: float) -> str:
    """Where the middle of a slider's knob of 16 pixels stands."""
    return f"calc({share:.4f} * (100% - 16px) + 8px)"


__all__ = [
    "Landmark", "Plan", "Result", "chart_data", "curves_figure", "guarantee_words", "landmarks", "message",
    "radius_text", "ruler", "sentence", "stage", "state_line", "strip", "verdict_sentence", "votes_figure",
]  # fmt: skip
