"""`psmooth certify`: certifies what a model says about a scan, vote by vote.

It knows nothing about how that is done.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from psmooth.command_line.cli import ABSTAINED, CERTIFIED
from psmooth.command_line.options import (
    Bank,
    Device,
    Json,
    Precision,
    check_folder,
    open_file,
    read_banks,
    read_box,
    read_plan,
    read_question,
    read_window,
)
from psmooth.command_line.terminal import Draw, live_bar, load_with_bar, note, show, show_json
from psmooth.errors import PlanError

if TYPE_CHECKING:
    from psmooth.scans import Scan
    from psmooth.smoothing import Progress


def certify(
    scan: Annotated[
        Path, typer.Argument(help="DICOM, PNG, JPEG, TIFF or WebP, or a folder or zip of them.", show_default=False)
    ],
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
    tolerance: Annotated[
        float | None, typer.Option(help="End once the radius is this near to what all votes would give, e.g. 0.2.")
    ] = None,
    bank: Bank = None,
    seed: Annotated[str | None, typer.Option(help="A whole number or 32 hex digits; by default a fresh one.")] = None,
    series: Annotated[int | None, typer.Option(help="Which one of a folder or zip with several, from 1 on.")] = None,
    frame: Annotated[
        int | None, typer.Option(help="Which picture of many, from 1 on; by default the middle one.")
    ] = None,
    box: Annotated[str | None, typer.Option(help="left,top,right,bottom of the part to look at.")] = None,
    window: Annotated[str | None, typer.Option(help="centre,width in grey levels of a 16-bit scan.")] = None,
    plane: Annotated[str | None, typer.Option(help="axial, coronal or sagittal, of a volume.")] = None,
    region: Annotated[str | None, typer.Option(help="left,top,magnification of a part of a slide.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Copies encoded at once; by default what is fastest.")] = None,
    device: Device = None,
    precision: Precision = "float32",
    out: Annotated[Path | None, typer.Option(help="Where to write the certificate.")] = None,
    as_json: Json = False,
) -> None:
    """Certify what a model says about a scan, vote by vote. Ctrl-C ends the run and keeps the certificate so far."""
    question = read_question(task, class_names, template)
    numbers = read_plan(plan, votes, alpha, target_radius, tolerance)
    chosen_box, chosen_window = read_box(box), read_window(window)
    check_folder(out)
    from psmooth.scans.read import region_of

    opened = open_file(scan, frame, series, plane, None if region is None else region_of(region))
    _tell_picture(opened)
    if chosen_window is not None:
        chosen_window = opened.window_of(chosen_window.center, chosen_window.width)
    from psmooth.recognition import recognise
    from psmooth.scans import check_contrast, crop_scan
    from psmooth.smoothing import certify as run

    med_vlm = load_with_bar(model, device, precision)
    crop = crop_scan(opened, replace(med_vlm.crop_rule, box=chosen_box, window=chosen_window))
    check_contrast(crop)
    stream = run(
        med_vlm,
        crop,
        task=question,
        methods=(method,),
        denoiser=denoiser,
        banks=read_banks(bank),
        noise_level=noise,
        plan=numbers,
        seed=seed,
        batch_size=batch_size,
        finding=recognise(med_vlm, crop, question),
    )
    raise typer.Exit(_conclude(_watch(stream), out, as_json))


def _tell_picture(scan: "Scan") -> None:
    """Which picture of many it is, and what is to be heeded."""
    from psmooth.views import scan_words

    if scan.frames > 1 or scan.notes:
        note(scan_words(scan))


def _watch(stream: "Iterator[Progress]") -> "Progress":
    """The last word of the run. Ctrl-C ends it as Stop does, and what was certified so far stays valid."""
    from psmooth.smoothing import stopped

    last: Progress | None = None
    announced: int | None = None
    with live_bar() as draw:
        try:
            for last in stream:
                if last.restarted != announced:
                    announced = last.restarted
                    _tell_restart(last)
                _show_progress(last, draw)
        except KeyboardInterrupt:
            if last is None:
                raise
            last = replace(last, phase="done", results=stopped(last))
    if last is None:
        raise PlanError("The run gave no votes, so there is no certificate. Start it again.")
    return last


def _tell_restart(progress: "Progress") -> None:
    from psmooth.views import restart_notice

    if progress.restarted is not None:
        note(restart_notice(progress.restarted, bool(progress.lost)))


def _show_progress(progress: "Progress", draw: Draw) -> None:
    from psmooth.views import state_line

    result = next(iter(progress.results.values()), None)
    if result is not None:
        draw(progress.votes, progress.planned, state_line(progress, result))


def _conclude(progress: "Progress", out: Path | None, as_json: bool) -> int:
    from psmooth.views import NOTICE

    result = next(iter(progress.results.values()))
    if out is not None:  # before anything is printed, which may fail
        result.save(out)
    if as_json:
        show_json(result.to_json())
    else:
        show(_result_lines(progress))
    if out is not None:
        note(f"Certificate written to {out}.")
    note(NOTICE)
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
    if result.run.scan_check is not None:
        yield views.finding_sentence(result.run.scan_check, result.run.task)
