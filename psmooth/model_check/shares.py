"""Says how many pictures of known class a model names rightly, and whether that could be a wrong loading.

It knows nothing about files or votes.

Phantoms are drawings, which a model may not know: they raise doubts. Labelled scans decide.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from psmooth.errors import ScanError
from psmooth.model_check.answers import Answers, ask, chance_of_other_gelu, shuffled
from psmooth.model_check.gelu import activation, the_other
from psmooth.model_check.pictures import drawn, labelled, tasks_of_folder
from psmooth.model_check.step import Outcome, Step
from psmooth.models import MedVLM

CHANCE = 0.05  # shuffled names that are as good as the true ones in more than this share of the shuffles
RARE = 0.001  # a gain by the other GELU that is less likely than this is none of chance

_IF_SO = "Where they say the same:"


def phantoms_steps(model: MedVLM) -> Iterator[Step]:
    """The shipped phantoms: the tasks that the model suits, and which kind of picture each is."""
    answers = ask(model, drawn(model))
    advice = "Drawings do not decide: run this again with --scans and a folder of labelled scans."
    yield _judged("phantoms", "doubtful", answers, activation(model.network), advice)


def scans_steps(model: MedVLM, folder: Path, most: int) -> Iterator[Step]:
    """The labelled scans of those tasks that the model suits, at most so many of each."""
    tasks, suits = tasks_of_folder(folder), model.spec.task_ids
    asked = {task: place for task, place in tasks.items() if not suits or task in suits}
    if not asked:
        found = f"The scans are for {', '.join(tasks)}, which this model is not made for."
        yield Step("scans", "skipped", found, f"Give scans of {' or '.join(suits)}.")
        return
    try:
        pictures = labelled(model, asked, most)
    except ScanError:  # its sentence names files
        found = "The scans cannot be used: a class is empty, or one picture lies under two classes."
        yield Step("scans", "failed", found, "`psmooth evaluate` on that folder names the files: correct it.")
        return
    advice = (
        "Do not use the model before you know why: see that both towers are of one model, and that these are scans of "
        "its kind. One that is right and weak at these fails as well: try scans of another task."
    )
    yield _judged("scans", "failed", ask(model, pictures), activation(model.network), advice)


def _judged(name: str, wrong: Outcome, answers: Sequence[Answers], gelu: str, advice: str) -> Step:
    """``wrong`` is the outcome where more are right with the other GELU, or shuffled names do as well."""
    if not answers:
        return Step(name, "skipped", "The text tower is too short for the prompts.", "Nothing can be asked of it.")
    shuffles, as_good = shuffled(answers)
    gain = chance_of_other_gelu(answers)
    found = f"{_shares(answers)} With shuffled names {shuffles:.2f} on average.{_by_gelu(answers, gelu)}"
    if gain is not None and gain < RARE:
        found += f" The second is better than chance allows (p = {gain:.1g}): {gelu} is the wrong one."
        line = f"quick_gelu={gelu == 'GELU'},"
        set_it = "Set the GELU in psmooth/models/table.py by the line below."
        return Step(name, wrong, found, set_it if wrong == "failed" else f"{advice} {_IF_SO} {set_it}", (line,))
    if as_good is None:
        found += " The names of so few classes can be shuffled in too few ways to tell."
        return Step(name, "doubtful", found, "Give --scans of a task with more classes, or of several tasks.")
    if as_good > CHANCE:
        found += f" Shuffled names are as good {as_good:.0%} of the time: nothing shows that it knows the pictures."
        return Step(name, wrong, found, advice)
    return Step(name, "passed", found)


def _by_gelu(answers: Sequence[Answers], gelu: str) -> str:
    """The mean share right with the one GELU and the other; nothing where the towers have none."""
    others = [one.share_of_other for one in answers if one.share_of_other is not None]
    if not others:
        return ""
    loaded = _mean([one.share for one in answers])
    return f" With {gelu}, as loaded, {loaded:.2f}, with {the_other(gelu)} {_mean(others):.2f}."


def _shares(answers: Sequence[Answers]) -> str:
    return f"Right: {', '.join(map(_share, answers))}."


def _share(one: Answers) -> str:
    return f"{one.question.name} {one.share:.2f} (n {len(one.loaded)}, chance {1 / one.classes:.2f})"


def _mean(shares: Sequence[float]) -> float:
    return sum(shares) / len(shares)
