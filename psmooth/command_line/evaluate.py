"""`psmooth evaluate`: certifies every labelled scan of a folder by every method, and adds up what came of it.

It knows nothing about how that is done.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from psmooth.command_line.options import (
    Bank,
    Device,
    Json,
    Precision,
    Ray,
    RayCores,
    read_banks,
    read_number,
    read_spread,
    read_words,
)
from psmooth.command_line.terminal import json_text, live_bar, load_with_bar, note, show, show_json

if TYPE_CHECKING:
    from psmooth.smoothing.labelled import Readable


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
    precision: Precision = "float32",
    ray: Ray = None,
    ray_cores: RayCores = None,
    as_json: Json = False,
) -> None:
    """Certify every labelled scan of a folder by every method, and add up what came of it."""
    from psmooth.certificate import Plan
    from psmooth.smoothing.evaluation import EvaluationPlan, refuse_other_scans, scheme_in
    from psmooth.smoothing.evaluation import evaluate as run
    from psmooth.smoothing.labelled import labelled_files, look_over
    from psmooth.smoothing.summary import write_summary
    from psmooth.tasks import find_task

    question = find_task(task)
    levels = tuple(read_number(level, "--noise") for level in noise.split(","))
    asked = EvaluationPlan(
        question, read_words(methods), read_words(denoisers), levels, Plan(max_votes=votes), seed, noise=scheme_in(out)
    )
    spread = read_spread(ray, ray_cores, device, precision)
    files = labelled_files(folder, question, limit, seed)
    med_vlm = load_with_bar(model, device if ray is None else "cpu", precision)
    found = look_over(med_vlm, folder, files, strict)
    refuse_other_scans(med_vlm, out, question, found.seen, labelled_files(folder, question))
    with live_bar() as draw:
        for done, planned in run(med_vlm, found.files, asked, out, read_banks(bank), spread):
            draw(done, planned, f"{done:,} of {planned:,} runs", logged=True)
    rows = write_summary(out)
    _draw_curves(out)
    if as_json:
        show_json(json_text(rows))
    else:
        show(evaluation_lines(rows))
    for line in left_out_lines(found):
        note(line)


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
    return f"{way}, {facts['model']}{_precision_of(facts)}, n = {facts['max_votes']:,}"


def _precision_of(facts: dict[str, Any]) -> str:
    """Another precision than torch's float32 is another classifier, and stands beside the model."""
    return f" in {facts['precision']}" if "precision" in facts else ""


def evaluation_lines(rows: list[dict[str, Any]]) -> list[str]:
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
    model = f"{row['model']} @ {row['model_revision'][:8]}{_precision_of(row)}"
    return f"{row['task']}, {votes}, α = {row['failure_probability']:g}, {seed}, {model}"


def left_out_lines(found: "Readable") -> Iterator[str]:
    """What of the folder does not count, by name."""
    if found.unreadable:
        yield f"Passed over, for they cannot be read: {len(found.unreadable):,}."
        yield from (f"  {name}: {error}" for name, error in found.unreadable)
    if found.repeated:
        yield f"Counted once, for the same picture came before: {len(found.repeated):,}."
        yield from (f"  {name}" for name in found.repeated)
