"""`psmooth learn`: learns prompts, class vectors or a denoiser from folders of scans.

It knows nothing about how that is done.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from psmooth.command_line.options import Device, Json, check_folder, read_question
from psmooth.command_line.terminal import json_text, live_bar, load_with_bar, show, show_json
from psmooth.errors import ScanError
from psmooth.methods import SUPERVISED_METHODS

if TYPE_CHECKING:
    from psmooth.learning import Step
    from psmooth.models import MedVLM
    from psmooth.tasks import Task


def learn(
    what: Annotated[
        Literal["few-shot", "label-free", "linear-probe", "label-free-probe", "denoiser"],
        typer.Argument(help="What to learn; few-shot and linear-probe need one sub-folder a class."),
    ],
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Scans to learn from.")],
    out: Annotated[Path, typer.Option(help="Where to write it: a .safetensors file.", show_default=False)],
    model: Annotated[str, typer.Option(help="The frozen model.")] = "pocket",
    task: Annotated[str | None, typer.Option(help="The question, e.g. blood_cells.", show_default=False)] = None,
    class_names: Annotated[str | None, typer.Option(help='Your own classes, "a; b; c", instead of --task.')] = None,
    template: Annotated[str | None, typer.Option(help='The sentence for them, e.g. "an image of {}".')] = None,
    denoiser: Annotated[str, typer.Option(help="The denoiser that the prompts will stand behind.")] = "none",
    shots: Annotated[int, typer.Option(min=1, help="Labelled scans a class.")] = 16,
    steps: Annotated[int | None, typer.Option(min=1, help="300 for prompts, 2,600 for a denoiser.")] = None,
    closed_form: Annotated[
        bool, typer.Option("--closed-form", help="Fit a probe as a discriminant, one for each noise level; no steps.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of noise, batches and the choice of shots.")] = 0,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Learn prompts, class vectors or a denoiser for a frozen model."""
    check_folder(out)
    med_vlm = load_with_bar(model, device)
    if what == "denoiser":
        facts = _learn_denoiser(med_vlm, folders, out, steps or 2_600, seed)
    else:
        question = read_question(task, class_names, template)
        options = {"shots": shots, "steps": steps or 300, "seed": seed, "closed_form": closed_form}
        facts = _learn_bank(med_vlm, what.replace("-", "_"), folders, question, denoiser, out, options)
    if as_json:
        show_json(json_text(facts))
    else:
        show([f"{name}: {value}" for name, value in facts.items()])


def _learn_denoiser(model: "MedVLM", folders: list[Path], out: Path, steps: int, seed: int) -> dict[str, Any]:
    from psmooth.denoise import save_denoisers
    from psmooth.learning import learn_denoiser, wiener_spectrum
    from psmooth.scans.pool import pool_of
    from psmooth.smoothing.labelled import read_crops

    files = _scans_in(folders)
    crops = read_crops(model, files)
    step, network = _last_of(learn_denoiser(model, crops, steps=steps, seed=seed))
    facts = {"model": model.spec.id, "model_revision": model.revision, "scans": len(files), "steps": steps}
    facts |= {"seed": seed, "final_loss": round(step.loss, 4)}
    save_denoisers(out, wiener_spectrum(crops), network, facts, pool_of(crops))
    return {"written": str(out), **facts}


def _learn_bank(
    model: "MedVLM",
    method: str,
    folders: list[Path],
    task: "Task",
    denoiser: str,
    out: Path,
    options: dict[str, Any],
) -> dict[str, Any]:
    from psmooth.denoise import find_denoiser
    from psmooth.learning import LADDER, MIXED_NOISE, TrainingConfig, learn_bank
    from psmooth.models import folder_of

    crops, labels = _labelled_crops(model, method, folders, task)
    found_denoiser = find_denoiser(denoiser, folder_of(model.spec), model.revision)
    config = TrainingConfig(method, found_denoiser, LADDER if options["closed_form"] else MIXED_NOISE, **options)
    _, bank = _last_of(learn_bank(model, task, config, crops, labels, model.spec.licence))
    saved = bank.save(out)
    about = {"method": method, "task": task.id, "denoiser": found_denoiser.id, "scans": saved.facts.pool}
    return {"written": str(out), "sha256": saved.sha256, **about, "final_loss": saved.facts.final_loss}


def _labelled_crops(model: "MedVLM", method: str, folders: list[Path], task: "Task") -> tuple[Any, Any]:
    """Crops and, for the ways that need them, class numbers."""
    import torch

    from psmooth.smoothing.labelled import labelled_files, read_crops

    if method not in SUPERVISED_METHODS:
        return read_crops(model, _scans_in(folders)), None
    found = [pair for folder in folders for pair in labelled_files(folder, task)]
    labels = torch.tensor([task.class_ids.index(class_id) for _, class_id in found])
    return read_crops(model, [file for file, _ in found]), labels


def _scans_in(folders: list[Path]) -> list[Path]:
    from psmooth.smoothing.labelled import pictures_in

    files = [file for folder in folders for file in pictures_in(folder)]
    if not files:
        raise ScanError("There is no scan in these folders; DICOM, PNG, JPEG, TIFF and WebP are read.")
    return files


def _last_of(learner: Iterator[tuple["Step", Any]]) -> tuple["Step", Any]:
    """Follows a learner to its end, telling the steps."""
    last = None
    with live_bar() as draw:
        for last in learner:
            step = last[0]
            logged = step.done == step.planned or step.done % 20 == 0
            words = f"step {step.done:,} of {step.planned:,}, loss {step.loss:.4f}"
            draw(step.done, step.planned, words, logged=logged)
    assert last is not None
    return last
