"""Says in sentences what a run has come to: verdict, guarantee, abstention, state.

It knows nothing about where a sentence stands.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, Context, Decimal
from functools import reduce
from typing import TYPE_CHECKING, Final, TypedDict

from psmooth.certificate import GUARANTEES as KINDS
from psmooth.certificate import Abstention, Certificate, Run, advance, conclude
from psmooth.certificate.plan import MOST_VOTES
from psmooth.tasks import TASKS
from psmooth.views.locale import class_words, translate
from psmooth.views.numbers import (
    EXACT,
    alpha_text,
    at_least_text,
    at_most_text,
    confidence_text,
    count_text,
    duration_text,
    number_text,
    radius_text,
)
from psmooth.views.words import NOT_PROMISED, short_method

if TYPE_CHECKING:
    from psmooth.smoothing import Progress

Result = Certificate | Abstention


def joint_alpha_text(results: Sequence[Result]) -> str:
    """The sum of the chances of a false certificate, rounded up at four digits, and never above 1: "0.028"."""
    together = reduce(EXACT.add, (Decimal(str(one.run.plan.failure_probability)) for one in results), Decimal())
    return f"{min(Decimal(1), Context(prec=4, rounding=ROUND_CEILING).plus(together)).normalize():f}"


_GAP: Final = "\0"  # where a class name goes: no class name holds it


def name_of(run: Run, class_id: str) -> str:
    """The words of a class id, as the visitor gave them."""
    return run.class_names[run.class_ids.index(class_id)]


def correctness(result: Result, truth: str | None) -> str:
    """right, wrong or unknown: how a certified answer stands to what the scan is known to show; "" without one.

    It is known where the task has that class, and where another task has it: then no answer of this one is right.
    """
    if not isinstance(result, Certificate):
        return ""
    run = result.run
    is_elsewhere = run.task in TASKS and any(truth in task.class_names for task in TASKS.values())
    if truth not in run.class_names and not is_elsewhere:
        return "unknown"
    return "right" if truth == name_of(run, result.leader) else "wrong"


def truth_sentence(result: Result, truth: str | None) -> str:
    """What a certificate does not say; where its answer is known to be wrong, why that can be."""
    if correctness(result, truth) != "wrong":
        return translate(NOT_PROMISED)
    return translate(
        "The scan shows {truth}. A certificate says that the answer is stable, not that it is right.", truth=truth
    )


def headline(result: Result, truth: str | None = None) -> tuple[str, str, str]:
    """The verdict in three parts: before the class name, the class name, after it."""
    leader = name_of(result.run, result.leader)
    if correctness(result, truth) == "wrong":
        said = wrong_verdict(result.run.guarantee, _GAP)
    elif isinstance(result, Certificate):
        said = verdict(result.run.guarantee, _GAP, radius_text(result.radius))
    elif result.votes.ended == "running":
        said = translate("{name} leads. Not certified yet.", name=_GAP)
    else:
        said = translate("Abstained: no radius for {name}.", name=_GAP)
    before, _, after = said.partition(_GAP)
    return before, class_words(leader), after


def verdict(guarantee: str, name: str, radius: str) -> str:
    if guarantee == "frozen_prompt":
        return translate("With this prompt frozen, the answer {name} holds within {radius}.", name=name, radius=radius)
    return translate("The answer {name} holds within {radius}.", name=name, radius=radius)


def wrong_verdict(guarantee: str, name: str) -> str:
    if guarantee == "frozen_prompt":
        return translate("Certified with this prompt frozen, and wrong: {name}.", name=name)
    return translate("Certified, and wrong: {name}.", name=name)


def verdict_sentence(result: Result, truth: str | None = None) -> str:
    """The verdict in one sentence: "The answer monocyte holds within 0.270."."""
    return "".join(headline(result, truth))


# By what is frozen, and whether the seed was given: then α stands for nothing unless the seed was chosen blindly.
STATEMENTS: Final[dict[tuple[str, bool], str]] = {
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
    return statement(result.run, name_of(result.run, result.leader), radius_text(result.radius))


def statement(run: Run, name: str, radius: str) -> str:
    alpha = run.plan.failure_probability
    template = STATEMENTS[_frozen_part(run), run.seed_origin == "given"]
    return translate(template, confidence=confidence_text(alpha), name=name, radius=radius, alpha=alpha_text(alpha))


def abstention_sentence(result: Abstention) -> str:
    """Why there is no radius, and what could give one."""
    votes, run = result.votes, result.run
    if result.reason == "paper_plan_unfinished":
        return translate(
            "The paper's plan looks once, after {planned} votes. It was ended before, so it leaves no certificate.",
            planned=count_text(run.plan.max_votes),
        )
    values = {
        "name": name_of(run, result.leader),
        "least": at_least_text(result.lower_bound),
        "most": at_most_text(result.rival_upper_bound),
    }
    if votes.ended == "running":
        return translate(
            "So far the votes show no more than this: at least {least} for {name}, and up to {most} for a rival. The "
            "answer is certified as soon as the first number is the larger one.",
            **values,
        )
    if result.reason == "too_few_votes" or _more_votes_help(result):
        return translate(
            "The run ended after {votes} votes. They show no more than this: at least {least} for {name}, and up to "
            "{most} for a rival. More votes may settle it.",
            votes=count_text(votes.total),
            **values,
        )
    return translate(
        "{votes} votes at σ = {noise} show no more than this: at least {least} for {name}, and up to {most} for a "
        "rival. A lower noise level may settle it.",
        votes=count_text(votes.total),
        noise=number_text(run.noise_level),
        **values,
    )


_MANY: Final = 10_000  # votes


def _more_votes_help(result: Abstention) -> bool:
    """Whether many more votes that fall as these did would be certified."""
    votes, run = result.votes, result.run
    times = max(10, _MANY // max(1, votes.total))
    counts = [times * count for count in votes.counts]
    if not 0 < sum(counts) <= MOST_VOTES:
        return False
    longer = replace(run, plan=replace(run.plan, max_votes=times * votes.total))
    cast = advance(replace(votes, counts=(0,) * len(counts), invalid=0, best=()), counts, times * votes.invalid, longer)
    return isinstance(conclude(longer, replace(cast, ended="complete")), Certificate)


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
    return translate(badge), translate(about)


def guarantee_words_of(result: Result) -> tuple[str, str]:
    """The kind of guarantee of a result as a badge and as the sentence why."""
    return guarantee_words(reason_of(result.run))


def reason_of(run: Run) -> str:
    """The row of ``GUARANTEES``; an older file does not say what its bank was learned on."""
    if run.guarantee == "frozen_prompt":
        return "frozen_learned" if _frozen_part(run) == "learned" else "frozen_prompt"
    unknown = run.bank is not None and run.bank.get("learned_on_scan") is None
    if run.denoiser_unknown:
        return "unknown_both" if unknown else "unknown_denoiser"
    return "unknown_bank" if unknown else "unconditional"


def guarantee_mark(result: Result) -> str:
    """What stands beside every radius that holds for a frozen prompt alone; empty for any other."""
    return translate("with this prompt frozen") if result.guarantee == "frozen_prompt" else ""


def restart_notice(batch: int | None, lost: bool) -> str:
    """Why the votes began again from nothing, and where the radius went if one was shown before; empty for None."""
    if batch is None:
        return ""
    if not lost:
        return translate(
            "Memory ran out, so the run began again with fresh noise, {batch} copies at a time.",
            batch=count_text(batch),
        )
    return translate(
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


ENDINGS: Final = {
    "complete": "all votes drawn",
    "target_radius": "target radius reached",
    "settled": "as many as needed",
    "stopped": "stopped by you",
}

STATES: Final = {
    "selecting": "Choosing the class",
    "estimating": "Counting",
    "certified": "Certified",
    "abstained": "Abstained",
    "stopped": "Stopped",
}


def state_line(progress: "Progress", result: Result) -> str:
    """Where the run stands: "Counting · 640 of 1,000 votes · 1 s left · 362 votes/s"."""
    state = state_of(progress, result)
    speed = translate("{count} votes/s", count=count_text(round(progress.votes_per_second)))
    if state in ("selecting", "estimating"):
        drawn, planned = count_text(progress.votes), count_text(progress.planned)
        parts = [translate(STATES[state]), translate("{votes} of {planned} votes", votes=drawn, planned=planned)]
        if progress.seconds_left is not None:
            parts.append(translate("{duration} left", duration=duration_text(progress.seconds_left)))
        return " · ".join([*parts, speed])
    took = translate("{seconds} s", seconds=number_text(progress.seconds, ".1f"))
    return " · ".join([translate(STATES[state]), drawn_words(result), took, speed])


def shared_line(progress: "Progress", result: Result) -> str:
    """The same of a run that has ended and was made when another page opened: when, instead of how fast."""
    state = state_of(progress, result)
    if state in ("selecting", "estimating"):
        return state_line(progress, result)
    time = translate("at {time} UTC for all who open the page", time=result.run.time[11:16])
    return " · ".join([translate(STATES[state]), drawn_words(result), time])


def drawn_words(result: Result) -> str:
    """How many votes, and why no more."""
    ending = translate(ENDINGS.get(result.votes.ended, result.votes.ended))
    return translate("{votes} votes, {ending}", votes=count_text(result.votes.total), ending=ending)


def announcement(progress: "Progress", result: Result, truth: str | None = None) -> str:
    """What a screen reader is told; it changes only when something has happened, not with every vote."""
    state = state_of(progress, result)
    if state == "selecting":
        return translate("Choosing the class.")
    leader = name_of(result.run, result.leader)
    if state != "estimating":
        return f"{translate(STATES[state])}. {verdict_sentence(result, truth)}"
    if isinstance(result, Certificate):
        return translate("{name} is certified; the radius still climbs.", name=leader)
    return translate("{name} leads; not certified yet.", name=leader)


class Radius(TypedDict):
    """The big number and the two lines under it."""

    text: str
    unit: str
    status: str


def radius_words(result: Result, crop_size: int) -> Radius:
    """The big number and the two lines under it."""
    running, votes = result.votes.ended == "running", count_text(result.votes.total)
    unit = _unit(result.run.guarantee, crop_size)
    if isinstance(result, Certificate):
        status = translate("still climbing") if running else translate("after {votes} votes", votes=votes)
        return {"text": radius_text(result.radius), "unit": unit, "status": status}
    if running:
        return {"text": "–", "unit": unit, "status": translate("not certified yet")}
    noise = number_text(result.run.noise_level)
    return {
        "text": "–",
        "unit": unit,
        "status": translate("not certified after {votes} votes at σ = {noise}", votes=votes, noise=noise),
    }


def _unit(guarantee: str, side: int) -> str:
    if guarantee == "frozen_prompt":
        return translate("radius R with this prompt frozen, L2 on {side}\u00a0×\u00a0{side}", side=side)
    return translate("certified radius R, L2 on {side}\u00a0×\u00a0{side}", side=side)


def marked_method(result: Result) -> str:
    """A method's name with the mark of a frozen prompt where this result has one."""
    name = short_method(result.run.method)
    return translate("{method} (frozen prompt)", method=name) if result.guarantee == "frozen_prompt" else name
