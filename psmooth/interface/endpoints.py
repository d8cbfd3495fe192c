"""The documented endpoints: certify, compare, attack and learn for programs.

It knows nothing about the page.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from typing import Any

import gradio as gr

from psmooth import views
from psmooth.errors import ScanError
from psmooth.interface.model_menu import Download
from psmooth.interface.places import Queued
from psmooth.interface.requests import RunRequest, TrainingRequest, unread
from psmooth.interface.runs import known
from psmooth.interface.settings import Settings
from psmooth.interface.steps import AttackStep, RunStep, attack_steps, certify_steps, compare_steps, training_steps
from psmooth.interface.uploads import Upload
from psmooth.interface.visitors import caller
from psmooth.learning.from_folders import TrainingProgress
from psmooth.views import compare as views_compare
from psmooth.views import learn as views_learn


def certify_file(
    scan: Upload | None,
    model: str,
    task: str,
    class_names: str,
    template: str,
    noise_level: float,
    votes: float,
    target_radius: float,
    window_center: float,
    window_width: float,
    method: str,
    denoiser: str,
    frame: float | None = None,
    series: float | None = None,
    plane: str = "",
    region: str = "",
    speed: str = "usual",
) -> Generator[dict[str, Any], None, None]:
    """Certify a scan and stream what its votes certify so far.

    Each step is {state, line, sentence, votes, planned, radius, guarantee, certificate}: the certificate is valid as it
    stands, whenever the stream is ended, and the last one is the result. The radius is None while nothing is certified;
    with the guarantee "frozen_prompt" it holds for the prompt kept as it is alone. Before the first votes the state is
    "loading" while a model comes, and "queued" while others have the computer.
    class_names (semicolons between) and template are read with the task "own" alone; 0 votes are as many as needed,
    10,000 at most; a target_radius of 0 draws all votes; a window_width of 0 takes the window that is offered first.
    The scan may be a zip: series and frame, both counted from 1, say which picture of it, by default the middle one of
    the one series. Of a volume frame and plane ("axial", "coronal", "sagittal") choose a slice; of a whole slide
    region, "left,top,magnification", is a part.
    The speed "fast" encodes in bfloat16, another classifier, and is refused where the server cannot.
    """
    settings = Settings(
        model=model, task=task, class_names=class_names, template=template, noise_level=noise_level, votes=votes,
        target_radius=target_radius, window_center=window_center, window_width=window_width, method=method,
        denoiser=denoiser, speed=speed,
    )  # fmt: skip
    yield from answered(
        lambda: certify_steps(RunRequest(unread(scan, frame, series, plane, region), settings), caller()), answer
    )


def answered(
    asked: Callable[[], Generator[Any, None, None]], answer: Callable[[Any], dict[str, Any]]
) -> Generator[dict[str, Any], None, None]:
    """What an endpoint streams: an answer for each step, what it waits for before that, and errors as sentences."""
    try:
        with closing(asked()) as steps:
            for step in steps:
                yield waiting(step) if isinstance(step, Download | Queued) else answer(step)
    except Exception as error:
        raise gr.Error(str(known(error) or views.UNEXPECTED), print_exception=False) from None


def waiting(step: Download | Queued) -> dict[str, Any]:
    """What an endpoint sends while a model is being fetched, and while others have the computer."""
    if isinstance(step, Queued):
        return {"state": "queued", "line": f"place {step.place} of {step.size}"}
    return {"state": "loading", "line": f"{step.done} of {step.total} bytes"}


def answer(step: RunStep) -> dict[str, Any]:
    """What the endpoint sends of one step."""
    stage, progress = step.stage(), step.progress
    record = None if progress.phase == "selection" else progress.results[step.run.method].to_dict()
    said = picked_from(stage, ("state", "line", "sentence"))
    counted = {"votes": progress.votes, "planned": progress.planned}
    found = {name: record and record[name] for name in ("radius", "guarantee")}
    return {**said, **counted, **found, "certificate": record}


def compare_file(
    scan: Upload | None,
    model: str,
    task: str,
    class_names: str,
    template: str,
    noise_level: float,
    votes: float,
    denoiser: str,
    frame: float | None = None,
    series: float | None = None,
    plane: str = "",
    region: str = "",
    speed: str = "usual",
) -> Generator[dict[str, Any], None, None]:
    """Certify a scan by every method from one stream of noise, then at the other noise levels.

    Each step is {state, line, sentence, groups, curve, certificates}: groups hold the methods by kind of guarantee,
    curve the radii by noise level; certificates come with the last step, one a method. The scan is as with certify.
    """
    settings = Settings(
        model=model, task=task, class_names=class_names, template=template, noise_level=noise_level, votes=votes,
        denoiser=denoiser, speed=speed,
    )  # fmt: skip
    keys = ("state", "line", "sentence", "groups", "curve", "certificates")
    yield from answered(
        lambda: compare_steps(
            RunRequest(unread(scan, frame, series, plane, region), settings, every_method=True), caller()
        ),
        lambda step: picked_from(views_compare.comparison(step), keys),
    )


def attack_file(
    scan: Upload | None,
    model: str,
    task: str,
    class_names: str,
    template: str,
    noise_level: float,
    votes: float,
    window_center: float,
    window_width: float,
    method: str,
    denoiser: str,
    frame: float | None = None,
    series: float | None = None,
    plane: str = "",
    region: str = "",
    speed: str = "usual",
) -> Generator[dict[str, Any], None, None]:
    """Certify a scan, then look for the smallest change that turns the plain answer, and for one that turns the vote.

    Each step is {state, line, sentence, about, attack}, true as far as it has come: attack holds the certificate, the
    distance of each change that was found and what the votes say on the way, as the file of psmooth attack does. An
    attack that finds nothing proves nothing. The scan is as with certify.
    """
    settings = Settings(
        model=model, task=task, class_names=class_names, template=template, noise_level=noise_level, votes=votes,
        window_center=window_center, window_width=window_width, method=method, denoiser=denoiser,
        speed=speed,
    )  # fmt: skip
    yield from answered(
        lambda: attack_steps(RunRequest(unread(scan, frame, series, plane, region), settings), caller()), attack_answer
    )


def attack_answer(step: AttackStep) -> dict[str, Any]:
    """What the endpoint sends of one step of an attack."""
    return {**picked_from(step.shown(), ("state", "line", "sentence", "about")), "attack": step.record()}


def learn_file(
    scans: Upload | None,
    model: str,
    task: str,
    class_names: str,
    template: str,
    way: str,
    denoiser: str,
    shots: float,
    noise_level: float,
) -> Generator[dict[str, Any], None, None]:
    """Learn a prompt bank from a zip of scans, and score it on some that were held out.

    Each step is {state, line, losses, bank, scores}; the last one has the bank: its facts, and its safetensors file in
    base64. Scores are of hand-written prompts and of the learned ones, on scans that were not learned from: how many
    are named right, and how many certified as their class at noise_level; None where too few are there.
    """
    settings = Settings(
        model=model, task=task, class_names=class_names, template=template, way=way, denoiser=denoiser, shots=shots,
        noise_level=noise_level,
    )  # fmt: skip

    def asked() -> Generator[TrainingProgress | Download | Queued, None, None]:
        if scans is None:
            raise ScanError(views.NO_FILE)
        return training_steps(TrainingRequest(scans, settings), caller())

    keys = ("state", "line", "losses", "bank", "scores")
    yield from answered(asked, lambda step: picked_from(views_learn.learning(step), keys))


def picked_from(shown: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The parts of what a view shows that a program is told."""
    return {name: shown[name] for name in names}


ENDPOINTS: dict[str, Callable[..., Generator[dict[str, Any], None, None]]] = {
    "certify": certify_file,
    "compare": compare_file,
    "attack": attack_file,
    "learn": learn_file,
}
