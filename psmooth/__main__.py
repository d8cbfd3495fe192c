"""The command line: certify a scan, verify a certificate, list the models, draw a phantom, open the app.

It knows nothing about how any of this is done; results go to stdout, everything else to stderr.

Exit codes: 0 done or certified, 3 abstained, 1 a check failed, 2 refused input.
"""

import importlib.util
import io
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from psmooth import __version__
from psmooth.errors import CertificateError, PlanError, PsmoothError, ScanError, TaskError
from psmooth.files import resource
from psmooth.runtime import settle

if TYPE_CHECKING:  # torch, SciPy and Plotly are slow to import: each command imports what it needs
    from psmooth.certificate import Abstention, Certificate, Plan, Verification
    from psmooth.certificate.file import Problem
    from psmooth.learning import Step
    from psmooth.models import MedVLM
    from psmooth.scans import Scan, Window
    from psmooth.smoothing import Progress, Replay
    from psmooth.smoothing.labelled import Readable
    from psmooth.tasks import Task

CERTIFIED, CHECK_FAILED, REFUSED, ABSTAINED = 0, 1, 2, 3
_BAR, _SECONDS_A_BAR = 24, 0.1  # cells of a download's bar, and how often it is drawn

cli = typer.Typer(
    help="Certified robustness of medical vision-language models. For research; not for clinical use.",
    epilog="Exit codes: 0 done or certified, 3 abstained, 1 a check failed, 2 refused input.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Bank = Annotated[
    str | None,
    typer.Option(help="A prompt bank instead of those that ship: a file, or OWNER/NAME[@REVISION]:BANK on the Hub."),
]
BankModel = Annotated[str | None, typer.Option("--model", help="Only banks of this model.")]
BankTask = Annotated[str | None, typer.Option("--task", help="Only banks of this task.")]
Revision = Annotated[str, typer.Option(help="Branch, tag or commit on the Hub.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or mps; by default the fastest there is.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code; an error of psmooth's is printed as its sentence."""
    settle()  # before torch allocates anything
    _let_every_letter_be_printed()
    try:
        cli(args=None if arguments is None else list(arguments), prog_name="psmooth")
    except PsmoothError as error:
        _say(str(error))
        sys.exit(REFUSED)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"psmooth {__version__}")
        raise typer.Exit


@cli.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Only what stands before a command."""


@cli.command()
def certify(
    scan: Annotated[Path, typer.Argument(help="PNG, JPEG, TIFF or WebP.", show_default=False)],
    model: Annotated[str, typer.Option(help="A model of `psmooth models`, or local-dir:FOLDER.")] = "pocket-noisy",
    task: Annotated[str | None, typer.Option(help="The question, e.g. blood_cells.", show_default=False)] = None,
    class_names: Annotated[str | None, typer.Option(help='Your own classes, "a; b; c", instead of --task.')] = None,
    template: Annotated[str | None, typer.Option(help='The sentence for them, e.g. "an image of {}".')] = None,
    method: Annotated[str, typer.Option(help="How the prompts are made.")] = "template",
    denoiser: Annotated[
        str, typer.Option(help="In front of the model; 'learned-mirror' also looks at each copy's mirror image.")
    ] = "none",
    noise: Annotated[float, typer.Option(help="Noise level σ, of pixels in [0, 1].")] = 0.25,
    votes: Annotated[int | None, typer.Option(help="Votes announced; 1,000 live, 10,000 on paper.")] = None,
    plan: Annotated[Literal["live", "paper"], typer.Option(help="When the votes may be read.")] = "live",
    alpha: Annotated[float, typer.Option(help="Failure probability.")] = 0.001,
    target_radius: Annotated[float | None, typer.Option(help="End as soon as this radius is certified.")] = None,
    bank: Bank = None,
    seed: Annotated[str | None, typer.Option(help="A whole number or 32 hex digits; by default a fresh one.")] = None,
    box: Annotated[str | None, typer.Option(help="left,top,right,bottom of the part to look at.")] = None,
    window: Annotated[str | None, typer.Option(help="centre,width in grey levels of a 16-bit scan.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Copies encoded at once; by default what is fastest.")] = None,
    device: Device = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the certificate.")] = None,
    as_json: Json = False,
) -> None:
    """Certify what a model says about a scan, vote by vote. Ctrl-C ends the run and keeps the certificate so far."""
    question, numbers = _question(task, class_names, template), _plan(plan, votes, alpha, target_radius)
    chosen_box, chosen_window = _box(box), _window(window)
    _check_folder(out)
    opened = _open(scan)
    from psmooth.smoothing import certify as run

    med_vlm = _load(model, device)
    stream = run(
        med_vlm,
        opened,
        task=question,
        methods=(method,),
        denoiser=denoiser,
        banks=_banks(bank),
        noise_level=noise,
        plan=numbers,
        seed=seed,
        batch_size=batch_size,
        crop_rule=replace(med_vlm.crop_rule, box=chosen_box, window=chosen_window),
    )
    raise typer.Exit(_conclude(_watch(stream), out, as_json))


@cli.command()
def verify(
    certificate: Annotated[Path, typer.Argument(help="A certificate file.", show_default=False)],
    scan: Annotated[Path | None, typer.Option(help="Its scan: run the sampling again from the recorded seed.")] = None,
    bank: Bank = None,
    denoiser: Annotated[
        Path | None, typer.Option(help="The denoiser instead of the one that ships: a file of `learn denoiser`.")
    ] = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Recompute a certificate from its counts and, with the scan, run its votes again and conclude from those."""
    from psmooth.certificate import verify as check

    found = check(certificate)
    for field, sentence in found.problems:
        if field == "file":  # not a certificate at all: nothing was checked
            raise CertificateError("{problem}", problem=sentence)
    replayed = _replay(found.certificate, scan, device, bank, denoiser) if found.certificate and scan else None
    passed = found.ok and (replayed is None or replayed.ok)
    if as_json:
        _show_json(_json_text(_verification_facts(found, replayed)))
    else:
        _show(_verification_lines(found, replayed))
    raise typer.Exit(0 if passed else CHECK_FAILED)


@cli.command()
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
    _check_folder(out)
    med_vlm = _load(model, device)
    if what == "denoiser":
        facts = _learn_denoiser(med_vlm, folders, out, steps or 2_600, seed)
    else:
        question = _question(task, class_names, template)
        course = {"shots": shots, "steps": steps or 300, "seed": seed, "closed_form": closed_form}
        facts = _learn_bank(med_vlm, what.replace("-", "_"), folders, question, denoiser, out, course)
    if as_json:
        _show_json(_json_text(facts))
    else:
        _show([f"{name}: {value}" for name, value in facts.items()])


@cli.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(help="One sub-folder of scans for every class id.", show_default=False)],
    task: Annotated[str, typer.Option(help="The question, e.g. blood_cells.", show_default=False)],
    out: Annotated[Path, typer.Option(help="A folder; a run that was cut short goes on in it.", show_default=False)],
    model: Annotated[str, typer.Option(help="A model of `psmooth models`, or local-dir:FOLDER.")] = "pocket",
    methods: Annotated[str, typer.Option(help="Commas between.")] = "template",
    denoisers: Annotated[str, typer.Option(help="Commas between.")] = "none",
    noise: Annotated[str, typer.Option(help="Noise levels, commas between.")] = "0.25",
    votes: Annotated[int, typer.Option(help="Votes announced.")] = 1_000,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Scans in all, as many of each class, shuffled by the seed.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="One for all scans; their noise still differs.")] = 0,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first file that cannot be read.")] = False,
    bank: Bank = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Certify every labelled scan of a folder by every method, and add up what came of it."""
    from psmooth.certificate import Plan
    from psmooth.smoothing.evaluation import Study, refuse_other_scans
    from psmooth.smoothing.evaluation import evaluate as run
    from psmooth.smoothing.labelled import labelled_files, look_over
    from psmooth.smoothing.summary import write_summary
    from psmooth.tasks import find_task

    question = find_task(task)
    levels = tuple(_number(level, "--noise") for level in noise.split(","))
    study = Study(question, _words(methods), _words(denoisers), levels, Plan(max_votes=votes), seed)
    files = labelled_files(folder, question, limit, seed)
    med_vlm = _load(model, device)
    found = look_over(med_vlm, folder, files, strict)
    refuse_other_scans(med_vlm, out, question, found.seen, labelled_files(folder, question))
    for done, planned in run(med_vlm, found.files, study, out, _banks(bank)):
        _say(f"{done:,} of {planned:,} runs")
    rows = write_summary(out)
    _draw_curves(out)
    if as_json:
        _show_json(_json_text(rows))
    else:
        _show(_evaluation_lines(rows))
    for line in _left_out_lines(found):
        _say(line)


banks = typer.Typer(help="Prompt banks.", no_args_is_help=True)
cli.add_typer(banks, name="banks")


@banks.command("list")
def list_(
    place: Annotated[
        str | None,
        typer.Argument(metavar="[FOLDER|REPO]", help="A folder, or OWNER/NAME on the Hub; else those that ship."),
    ] = None,
    revision: Revision = "main",
    model: BankModel = None,
    task: BankTask = None,
    as_json: Json = False,
) -> None:
    """List banks: those that ship, those of a folder, or those of a repository on the Hub."""
    from psmooth.prompts import list_banks
    from psmooth.prompts.hub import fitting, read_list

    _tell_banks(fitting(read_list(place, revision) if place else list_banks(), model, task), as_json)


@banks.command()
def pull(
    repo: Annotated[str, typer.Argument(help="OWNER/NAME on the Hub.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="A folder that gets copies; without it they are cached.")] = None,
    revision: Revision = "main",
    model: BankModel = None,
    task: BankTask = None,
    as_json: Json = False,
) -> None:
    """Fetch banks from the Hub; their sha256 is checked."""
    from psmooth.prompts.hub import pull as fetch

    found = fetch(repo, revision, model=model, task=task, out=out)
    _tell_banks([{"file": f"{bank.name}.safetensors", **bank.origin, **_bank_row(bank)} for bank in found], as_json)
    _say(f"{len(found)} of {repo} at {found[0].revision}.")


@banks.command()
def publish(
    folder: Annotated[Path, typer.Argument(help="A folder of banks.", show_default=False)],
    repo: Annotated[str, typer.Argument(help="OWNER/NAME on the Hub.", show_default=False)],
    private: Annotated[bool, typer.Option("--private", help="Visible to its owner alone.")] = False,
    as_json: Json = False,
) -> None:
    """Check the banks of a folder and upload them with manifest and card; HF_TOKEN says who you are."""
    from psmooth.prompts.hub import publish as upload

    address = upload(folder, repo, private=private)
    if as_json:
        _show_json(_json_text({"repo": repo, "address": address}))
    else:
        typer.echo(address)


@banks.command("import")
def import_(
    checkpoint: Annotated[Path, typer.Argument(help="CoOp's prompt_learner/model.pth.tar-50.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Where to write it: a .safetensors file.", show_default=False)],
    model: Annotated[str, typer.Option(help="The model it was learned for.", show_default=False)],
    task: Annotated[str, typer.Option(help="The task it was learned for.", show_default=False)],
    shots: Annotated[int, typer.Option(min=1, help="Labelled scans a class it was learned from.")] = 16,
    as_json: Json = False,
) -> None:
    """Turn a few-shot checkpoint of the reference implementation into a bank."""
    _check_folder(out)
    from psmooth.prompts.coop import import_coop
    from psmooth.tasks import find_task

    bank = import_coop(checkpoint, _load(model, None), find_task(task), shots=shots).save(out)
    _tell_banks([{"file": out.name, "sha256": bank.sha256, **_bank_row(bank)}], as_json)


def _bank_row(bank: Any) -> dict[str, Any]:
    return {name: getattr(bank.facts, name) for name in ("method", "model", "model_revision", "task", "denoiser")}


def _tell_banks(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        _show_json(_json_text(rows))
        return
    if not rows:
        _say("No bank is listed for that model and task.")
        return
    _show([f"{row['file']}: {row['method']} for {row['task']}, denoiser {row['denoiser']}" for row in rows])


@cli.command()
def models(as_json: Json = False) -> None:
    """List the models that `--model` knows."""
    from psmooth.models import MODELS

    rows = [
        {
            "id": spec.id,
            "name": spec.name,
            "about": spec.about,
            "weights": spec.weights,
            "licence": spec.licence,
            "tasks": list(spec.task_ids),
        }
        for spec in MODELS.values()
    ]
    if as_json:
        _show_json(_json_text(rows))
        return
    for row in rows:
        typer.echo(f"{row['id']}: {row['about']}\n    tasks: {', '.join(row['tasks'])}\n    licence: {row['licence']}")


@cli.command()
def phantom(
    task: Annotated[str, typer.Argument(help="E.g. blood_cells.", show_default=False)],
    class_id: Annotated[str, typer.Argument(metavar="CLASS", help="E.g. monocyte.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Where to write it: .png, .tif, .webp or .jpg.", show_default=False)],
    seed: Annotated[int, typer.Option(help="Another number, another phantom.")] = 0,
    as_json: Json = False,
) -> None:
    """Draw a scan that no patient has, with its class known."""
    from psmooth.phantoms import draw_phantom

    drawn = draw_phantom(task, class_id, seed)
    _save_picture(drawn.pixels, out)
    facts = {"task": drawn.task, "class": drawn.class_id, "seed": drawn.seed, "parameters": drawn.parameters}
    if as_json:
        _show_json(_json_text(facts))
        return
    height, width = drawn.pixels.shape[:2]
    typer.echo(f"{drawn.class_id} of {drawn.task}, seed {drawn.seed}, {width} × {height} pixels")


@cli.command()
def app(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="The port to listen on.")] = 7860,
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 is every one.")] = "127.0.0.1",
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Open the app in the browser."""
    _app_module().launch(port, host, browser)


# --- learning and evaluating


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
    from psmooth.learning import LADDER, MIXED_NOISE, Course, learn_bank
    from psmooth.models import folder_of

    crops, labels = _lesson_scans(model, method, folders, task)
    front = find_denoiser(denoiser, folder_of(model.spec), model.revision)
    course = Course(method, front, LADDER if options["closed_form"] else MIXED_NOISE, **options)
    _, bank = _last_of(learn_bank(model, task, course, crops, labels, model.spec.licence))
    saved = bank.save(out)
    told = {"method": method, "task": task.id, "denoiser": front.id, "scans": saved.facts.pool}
    return {"written": str(out), "sha256": saved.sha256, **told, "final_loss": saved.facts.final_loss}


def _lesson_scans(model: "MedVLM", method: str, folders: list[Path], task: "Task") -> tuple[Any, Any]:
    """Crops and, for the ways that need them, class numbers."""
    import torch

    from psmooth.smoothing.labelled import labelled_files, read_crops

    if method in ("label_free", "label_free_probe"):
        return read_crops(model, _scans_in(folders)), None
    found = [pair for folder in folders for pair in labelled_files(folder, task)]
    labels = torch.tensor([task.class_ids.index(class_id) for _, class_id in found])
    return read_crops(model, [file for file, _ in found]), labels


def _scans_in(folders: list[Path]) -> list[Path]:
    from psmooth.smoothing.labelled import pictures_in

    files = [file for folder in folders for file in pictures_in(folder)]
    if not files:
        raise ScanError("There is no scan in these folders; PNG, JPEG, TIFF and WebP are read.")
    return files


def _last_of(lesson: Iterator[tuple["Step", Any]]) -> tuple["Step", Any]:
    """Follows a lesson to its end, telling the steps."""
    last = None
    for last in lesson:
        step = last[0]
        if step.done == step.planned or step.done % 20 == 0:
            _say(f"step {step.done:,} of {step.planned:,}, loss {step.loss:.4f}")
    assert last is not None
    return last


def _draw_curves(out: Path) -> None:
    """Certified accuracy against radius as ``curves.html``, one curve a run and kind of guarantee."""
    from psmooth.smoothing.records import RECORDS, read_runs, whole_records
    from psmooth.smoothing.summary import by_run, certified_curve
    from psmooth.views import curves_figure

    curves: dict[str, tuple[str, list[float], list[float]]] = {}
    runs = read_runs(out)
    for (run, guarantee), found in by_run(whole_records(out / RECORDS)).items():
        name = _curve_name(runs[run])
        curves[f"{name}, run {run}" if name in curves else name] = (guarantee, *certified_curve(found))
    curves_figure(curves).write_html(out / "curves.html", include_plotlyjs="directory")


def _curve_name(facts: dict[str, Any]) -> str:
    from psmooth.views import METHOD_NAMES

    way = f"{METHOD_NAMES[facts['method']]}, {facts['denoiser']}, σ = {facts['noise_level']:g}"
    return f"{way}, {facts['model']}, n = {facts['max_votes']:,}"


def _evaluation_lines(rows: list[dict[str, Any]]) -> list[str]:
    """The table: certified accuracy at each radius, unconditional rows first, then those of a frozen prompt.

    Rows that were made with other votes, seeds or models stand under a head of their own.
    """
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["guarantee"] == "frozen_prompt"):
        groups.setdefault((row["guarantee"].replace("_", " "), _made_with(row)), []).append(row)
    lines = []
    for (guarantee, facts), chosen in groups.items():
        radii = "  ".join(f"r>{radius:<5}" for radius in chosen[0]["certified"])
        lines += [facts, f"{guarantee:40} {radii}"]
        names = [_row_name(row) for row in chosen]
        for row, name in zip(chosen, names, strict=True):
            name = f"{name}, run {row['run']}" if names.count(name) > 1 else name
            lines.append(f"{name:40} " + "  ".join(f"{value[0]:<7.3f}" for value in row["certified"].values()))
    return lines


def _row_name(row: dict[str, Any]) -> str:
    return f"{row['method']}, {row['denoiser']}, σ {row['noise_level']:g}, {row['scans']} scans"


def _made_with(row: dict[str, Any]) -> str:
    votes = f"n = {row['max_votes']:,} votes after {row['selection_votes']:,} that choose the class"
    seed = f"seed {int(row['seed'], 16)}, scans {row['drawn']}"
    model = f"{row['model']} @ {row['model_revision'][:8]}"
    return f"{row['task']}, {votes}, α = {row['failure_probability']:g}, {seed}, {model}"


def _left_out_lines(found: "Readable") -> Iterator[str]:
    """What of the folder does not count, by name."""
    if found.unreadable:
        yield f"Passed over, for they cannot be read: {len(found.unreadable):,}."
        yield from (f"  {name}: {error}" for name, error in found.unreadable)
    if found.repeated:
        yield f"Counted once, for the same picture came before: {len(found.repeated):,}."
        yield from (f"  {name}" for name in found.repeated)


def _banks(place: str | None) -> tuple[Any, ...]:
    if place is None:
        return ()
    from psmooth.prompts.hub import find_bank

    return (find_bank(place),)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _number(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise PlanError(
            "{option} is '{text}'; it must be numbers with commas between, such as 0.25,0.5.", option=option, text=text
        ) from None


# --- what was asked


def _plan(name: Literal["live", "paper"], votes: int | None, alpha: float, target_radius: float | None) -> "Plan":
    from psmooth.certificate import Plan

    announced = votes if votes is not None else 1_000 if name == "live" else 10_000
    return Plan(max_votes=announced, failure_probability=alpha, name=name, target_radius=target_radius)


def _question(task: str | None, class_names: str | None, template: str | None) -> "Task":
    from psmooth.tasks import TASKS, find_task, own_task

    if class_names is not None and task is None:
        return own_task(class_names) if template is None else own_task(class_names, template)
    if task is None or class_names is not None:
        raise TaskError(
            "Give either --task, one of {tasks}, or --class-names with your own classes.", tasks=", ".join(TASKS)
        )
    if template is not None:
        raise TaskError("--template goes with --class-names; a --task has templates of its own. Leave it out.")
    return find_task(task)


def _box(text: str | None) -> tuple[int, int, int, int] | None:
    if text is None:
        return None
    try:
        left, top, right, bottom = (int(part) for part in text.split(","))
    except ValueError:
        raise ScanError(
            "--box is {given}; it must be left,top,right,bottom in whole pixels, such as 0,0,200,200.", given=repr(text)
        ) from None
    return left, top, right, bottom


def _window(text: str | None) -> "Window | None":
    from psmooth.scans import Window

    if text is None:
        return None
    try:
        center, width = (float(part) for part in text.split(","))
    except ValueError:
        raise ScanError(
            "--window is {given}; it must be centre,width in grey levels, such as 2048,4096.", given=repr(text)
        ) from None
    return Window(center, width)


def _open(scan: Path) -> "Scan":
    """Before torch is imported: a scan that cannot be read is refused at once."""
    from psmooth.scans import open_scan

    return open_scan(scan)


def _check_folder(out: Path | None) -> None:
    """Asked before the run: whoever has waited for a certificate should get it."""
    if out is not None and not out.parent.is_dir():
        raise CertificateError(
            "--out is {file}, but there is no folder {folder}. Make the folder or choose another.",
            file=str(out),
            folder=str(out.parent),
        )


def _load(name: str, device: str | None) -> "MedVLM":
    from psmooth.models import find_spec, load_model

    with _telling_download(find_spec(name).name) as download:
        return load_model(name, device, download)


@contextmanager
def _telling_download(name: str) -> Iterator[Callable[[int, int], None]]:
    """What is to be told the bytes of a model: a bar that is written over on a terminal, one line anywhere else."""
    shown: float | None = None

    def tell(done: int, total: int) -> None:
        nonlocal shown
        now, terminal = time.monotonic(), sys.stderr.isatty()
        if shown is None or (terminal and (done >= total or now - shown >= _SECONDS_A_BAR)):
            shown = now
            _draw_bar(name, done, total)

    try:
        yield tell
    finally:
        if shown is not None:
            _clear_line()


def _draw_bar(name: str, done: int, total: int) -> None:
    from psmooth.views import download_words

    line = download_words(name, done, total)["line"]
    if not sys.stderr.isatty():
        _say(line)
        return
    filled = done * _BAR // max(1, total)
    line = f"{'█' * filled}{'░' * (_BAR - filled)} {_plain(line)}"[: shutil.get_terminal_size().columns - 1]
    typer.echo(f"{_line_start()}{line}", err=True, nl=False)


# --- certify


def _watch(stream: "Iterator[Progress]") -> "Progress":
    """The last word of the run. Ctrl-C ends it as Stop does, and what was certified so far stays valid."""
    from psmooth.smoothing import stopped

    last: Progress | None = None
    told: int | None = None
    try:
        for last in stream:
            if last.restarted != told:
                told = last.restarted
                _tell_restart(last)
            _show_progress(last)
    except KeyboardInterrupt:
        if last is None:
            raise
        last = replace(last, phase="done", results=stopped(last))
    _clear_line()
    if last is None:
        raise PlanError("The run gave no votes, so there is no certificate. Start it again.")
    return last


def _tell_restart(progress: "Progress") -> None:
    from psmooth.views import restart_notice

    if progress.restarted is not None:
        _clear_line()
        _say(restart_notice(progress.restarted, bool(progress.lost)))


def _line_start() -> str:
    return "\r\x1b[K" if sys.stderr.isatty() else ""


def _show_progress(progress: "Progress") -> None:
    """One line that is written over, on a terminal only: a log file would fill with it."""
    if sys.stderr.isatty():
        from psmooth.views import state_line

        result = next(iter(progress.results.values()), None)
        if result is not None:
            line = state_line(progress, result)[: shutil.get_terminal_size().columns - 1]  # a line that wraps stays
            typer.echo(f"{_line_start()}{line}", err=True, nl=False)


def _clear_line() -> None:
    if sys.stderr.isatty():
        typer.echo(_line_start(), err=True, nl=False)


def _conclude(progress: "Progress", out: Path | None, as_json: bool) -> int:
    from psmooth.views import NOTICE

    result = next(iter(progress.results.values()))
    if out is not None:  # before anything is printed, which may fail
        result.save(out)
    if as_json:
        _show_json(result.to_json())
    else:
        _show(_result_lines(progress))
    if out is not None:
        _say(f"Certificate written to {out}.")
    _say(NOTICE)
    return CERTIFIED if result.verdict == "certified" else ABSTAINED


def _result_lines(progress: "Progress") -> Iterator[str]:
    from psmooth import views

    contender, result = next(iter(progress.results.items()))
    yield views.verdict_sentence(result)
    yield views.sentence(result)
    if result.verdict == "certified":
        yield ": ".join(views.guarantee_words_of(result))
    yield from (f"{name}: {words}" for name, words in views.facts(result, progress, contender, None))
    chart = views.chart_data(result)
    yield from (
        f"{views.count_text(count):>9}  {label}" for count, label in zip(chart["counts"], chart["labels"], strict=True)
    )
    yield views.state_line(progress, result)


# --- verify


def _replay(
    record: "Certificate | Abstention", scan: Path, device: str | None, bank: str | None, denoiser: Path | None
) -> "Replay":
    opened = _open(scan)
    from psmooth.smoothing import replay

    with _telling_download(record.run.model["id"]) as download:
        own = None if denoiser is None else str(denoiser)
        return replay(record, opened, device=device, banks=_banks(bank), denoiser=own, download=download)


def _verification_facts(found: "Verification", replayed: "Replay | None") -> dict[str, Any]:
    return {
        "ok": found.ok and (replayed is None or replayed.ok),
        "problems": _problem_rows(found.problems),
        **_conclusion_facts(found.certificate),
        "replay": None if replayed is None else _replay_facts(replayed),
        "not_shown": list(_not_shown(replayed)),
    }


def _conclusion_facts(record: "Certificate | Abstention | None") -> dict[str, Any]:
    """What a record concludes; its kind of guarantee stands beside its radius."""
    names = ("verdict", "predicted", "radius", "guarantee")
    return {name: getattr(record, name, None) for name in names}


def _replay_facts(replayed: "Replay") -> dict[str, Any]:
    return {
        "ok": replayed.ok,
        "problems": _problem_rows(replayed.problems),
        **_conclusion_facts(replayed.confirmed),
        "counts": dict(zip(replayed.confirmed.run.class_ids, replayed.counts, strict=True)),
        "compared": replayed.compared,
        "differing": replayed.differing,
    }


def _problem_rows(problems: "Iterable[Problem]") -> list[dict[str, str]]:
    return [{"field": field, "sentence": sentence} for field, sentence in problems]


def _not_shown(replayed: "Replay | None") -> Iterator[str]:
    """What the check leaves open."""
    from psmooth.certificate import NOT_SHOWN

    if replayed is None:
        yield "that these votes were cast on this scan by this model with these prompts: --scan draws them again"
    yield from (words for words, _ in NOT_SHOWN)


def _verification_lines(found: "Verification", replayed: "Replay | None") -> Iterator[str]:
    if found.certificate is None:
        yield from (sentence for _, sentence in found.problems)
        return
    yield "The certificate agrees with itself: bounds and radius follow from its counts."
    if replayed is None:
        yield from _conclusion_lines(found.certificate)
    else:
        yield from _replay_lines(found.certificate, replayed)
    yield f"Not shown by this check: {'; '.join(_not_shown(replayed))}."


def _replay_lines(record: "Certificate | Abstention", replayed: "Replay") -> Iterator[str]:
    yield f"{replayed.differing:,} of {replayed.compared:,} votes drawn again differ from the record."
    if replayed.ok:
        yield _agreement(record, replayed.confirmed)
        yield from _conclusion_lines(replayed.confirmed)
        return
    yield "The record is not confirmed:"
    yield from (sentence for _, sentence in replayed.problems)
    yield "What the votes drawn here say instead, if everything else in the record is right:"
    yield from _conclusion_lines(replayed.confirmed)


def _agreement(record: "Certificate | Abstention", confirmed: "Certificate | Abstention") -> str:
    """How a record stands to its replay, which another machine's votes may make the stronger one."""
    from psmooth.certificate import TOLERANCE
    from psmooth.views import radius_text

    told, found = (getattr(one, "radius", 0.0) for one in (record, confirmed))
    if found <= told + TOLERANCE:
        return "The votes drawn again confirm it:"
    claim = f"states the radius {radius_text(told)}" if told else "abstained"
    return f"The record {claim} and so claims no more than is confirmed. The votes drawn here would certify more:"


def _conclusion_lines(record: "Certificate | Abstention") -> Iterator[str]:
    """Verdict, sentence, and the kind of guarantee wherever there is a radius."""
    from psmooth import views

    yield views.verdict_sentence(record)
    yield views.sentence(record)
    yield from _prompt_lines(record)
    if record.verdict == "certified":
        yield ": ".join(views.guarantee_words_of(record))


def _prompt_lines(record: "Certificate | Abstention") -> Iterator[str]:
    """The whole prompts of the answer to a question of one's own: votes do not tell which words are the class name."""
    from psmooth.tasks import TASKS
    from psmooth.views import name_of

    run = record.run
    if run.task not in TASKS and run.bank is None:
        name = name_of(run, record.leader)
        yield f"Asked as: {'; '.join(template.replace('{}', name) for template in run.templates)}"


# --- small things


def _say(message: str) -> None:
    typer.echo(_plain(message), err=True)


def _show(lines: Iterable[str]) -> None:
    typer.echo(_plain("\n".join(lines)))


def _plain(text: str) -> str:
    """Without control characters: a class name in a stranger's certificate must not steer the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _show_json(text: str) -> None:
    """On a console that lacks a letter all of them are escaped, which JSON allows within its texts alone: there."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        text = "".join(letter if letter.isascii() else json.dumps(letter)[1:-1] for letter in text)
    typer.echo(text, nl=False)


def _let_every_letter_be_printed() -> None:
    """What a console of few letters, such as that of Windows, cannot show is printed as its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _save_picture(pixels: Any, path: Path) -> None:
    from PIL import Image

    try:
        Image.fromarray(pixels).save(path)
    except (OSError, ValueError):
        raise ScanError(
            "The phantom cannot be written there. Expected is a path in an existing folder that ends in .png, .tif, "
            ".webp or .jpg: choose such a path with --out."
        ) from None


def _app_module() -> ModuleType:
    """app.py, which lies in the package of a wheel and beside it in a checkout."""
    spec = importlib.util.spec_from_file_location("app", resource("app.py"))
    if spec is None or spec.loader is None or not resource("app.py").is_file():
        raise PsmoothError("The app is missing from this installation: app.py is not there. Install psmooth again.")
    module = importlib.util.module_from_spec(spec)
    sys.modules["app"] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
