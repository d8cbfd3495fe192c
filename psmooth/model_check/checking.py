"""Checks a model from its files to a certificate, a step at a time.

It knows nothing about terminals.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from psmooth import hub as hubs
from psmooth.errors import HubError, ModelError
from psmooth.hub import Hub, Progress
from psmooth.model_check.fetched import (
    Fetched,
    check_digests,
    check_files,
    check_pin,
    fetch_files,
    pin_line,
    size_line,
)
from psmooth.model_check.loaded import loaded_step, misfit, original_step, row_step
from psmooth.model_check.pictures import tasks_of_folder
from psmooth.model_check.shares import phantoms_steps, scans_steps
from psmooth.model_check.step import Step, guarded, sentence
from psmooth.model_check.trial_run import trial_run_steps
from psmooth.models import MedVLM, ModelSpec, find_spec, load_model, repository_of
from psmooth.models.files import Files
from psmooth.models.formats import FORMATS
from psmooth.smoothing.provenance import use_whole_float32

MOST_SCANS = 200  # of a task, by default


@dataclass(frozen=True)
class Settings:
    """What is asked of every model.

    Attributes:
        device: as for ``load_model``.
        scans: a folder of labelled scans: sub-folders named as classes, or as tasks with such sub-folders.
        most: scans of a task, spread over its classes.
        hub: which Hub, and where its files are kept.
    """

    device: str | None = None
    scans: Path | None = None
    most: int = MOST_SCANS
    hub: Hub = hubs.DEFAULT


def check_model(name: str, settings: Settings, progress: Progress | None = None) -> Iterator[Step]:
    """Fetch a model, compare its files, load it, hold it against its original, ask it, certify with it.

    Args:
        name: as for ``load_model``.
        progress: told the bytes as they come, before the first step.

    Yields:
        Each step as it is done. A failure is a step and no error; it ends what cannot be done after it.

    Raises:
        ModelError: there is no such model.
        ScanError: ``settings.scans`` is no folder of labelled scans.
    """
    spec = find_spec(name)
    if settings.scans is not None:
        tasks_of_folder(settings.scans)
    if spec.family and spec.family not in FORMATS:
        yield Step("files", "skipped", "psmooth does not load this model.", spec.access)
        return
    try:
        fetched = fetch_files(spec, progress, settings.hub)
    except HubError as error:
        yield _unfetched(spec, error, settings.hub)
        return
    steps = list(_file_steps(spec, fetched, settings.hub))
    yield from steps
    if all(step.outcome != "failed" for step in steps):
        yield from guarded("weights", _model_steps(name, settings, fetched))


def _unfetched(spec: ModelSpec, error: HubError, hub: Hub) -> Step:
    """Why there are no files, and what that means for the row."""
    found = sentence(error)
    if "is gated" in found:
        if spec.gated:
            return Step("files", "skipped", found, "Run this again with that token.")
        return Step("files", "failed", found, "The row says nothing of a gate: set gated and access in it.")
    if "has no revision" in found and (newest := hubs.newest_commit(repository_of(spec)[0], hub)):
        advice = "The pin is wrong: look into the history of the repository, and pin the commit of the line below, or "
        line = pin_line(repository_of(spec)[0], newest)
        return Step("files", "failed", found, f"{advice}the one that was meant.", (line,))
    return Step("files", "failed", found, "Nothing else can be said of the model until its files are here.")


def _file_steps(spec: ModelSpec, fetched: Fetched, hub: Hub) -> Iterator[Step]:
    if not fetched.files:
        return  # whoever loads it says which file is missing
    files = check_files(spec, fetched)
    yield files
    if files.outcome == "failed":
        return  # the sha256 of half a file says nothing of its source
    yield check_digests(spec, fetched)
    if spec.weights.startswith("hf-hub:"):
        yield check_pin(spec, fetched, hubs.newest_commit(repository_of(spec)[0], hub))


def _model_steps(name: str, settings: Settings, fetched: Fetched) -> Iterator[Step]:
    kept: list[Files] = []
    try:
        model = load_model(name, settings.device, hub=settings.hub, weigh=kept.append)
    except ModelError as error:
        yield misfit(error)
        return
    use_whole_float32(model.device)
    yield loaded_step(model)
    yield row_step(model, size_line(model.spec, fetched))
    yield from guarded("original", original_step(model, kept[0]))
    yield from _asked(model, settings)


def _asked(model: MedVLM, settings: Settings) -> Iterator[Step]:
    yield from guarded("phantoms", phantoms_steps(model))
    if settings.scans is not None:
        yield from guarded("scans", scans_steps(model, settings.scans, settings.most))
    yield from guarded("certificate", trial_run_steps(model))
