"""`psmooth attack`: makes the plain model fall, and looks for what turns the certified vote, on a scan or a folder.

It knows nothing about how that is done.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from psmooth.command_line.evaluate import left_out_lines
from psmooth.command_line.options import (
    Bank,
    Device,
    Json,
    Precision,
    Ray,
    RayCores,
    open_file,
    read_banks,
    read_number,
    read_question,
    read_spread,
    read_words,
)
from psmooth.command_line.terminal import json_text, live_bar, load_with_bar, note, show, show_json
from psmooth.errors import PlanError

if TYPE_CHECKING:
    from psmooth.attack import AttackProgress, Attempt, Effort
    from psmooth.tasks import Task


def attack(
    scan: Annotated[
        Path,
        typer.Argument(help="A scan, or a folder with one sub-folder of scans for every class id.", show_default=False),
    ],
    task: Annotated[str | None, typer.Option(help="The question, e.g. blood_cells.", show_default=False)] = None,
    class_names: Annotated[str | None, typer.Option(help='Your own classes, "a; b; c", instead of --task.')] = None,
    template: Annotated[str | None, typer.Option(help='The sentence for them, e.g. "an image of {}".')] = None,
    model: Annotated[str, typer.Option(help="A model of `psmooth models`, or local-dir:FOLDER.")] = "pocket",
    methods: Annotated[str, typer.Option(help="One for a scan; commas between for a folder.")] = "template",
    denoisers: Annotated[str, typer.Option(help="Likewise.")] = "none",
    noise: Annotated[str, typer.Option(help="Noise levels, likewise.")] = "0.25",
    votes: Annotated[int, typer.Option(help="Votes announced for the certificate.")] = 1_000,
    quick: Annotated[bool, typer.Option("--quick", help="A few steps everywhere, none inside the radius.")] = False,
    plain_steps: Annotated[int | None, typer.Option(min=1, help="Gradients of the attack on the plain model.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Gradients of the attack inside the radius.")] = None,
    draws: Annotated[int | None, typer.Option(min=2, help="Noisy copies for each of them.")] = None,
    halvings: Annotated[
        int | None, typer.Option(min=0, help="Of the search for the smallest change that turns the vote; 0 for none.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Of a folder: scans in all, as many of each class, shuffled by the seed.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="By default a fresh one for a scan, 0 for a folder.", show_default=False)
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first file that cannot be read.")] = False,
    bank: Bank = None,
    device: Device = None,
    precision: Precision = "float32",
    ray: Ray = None,
    ray_cores: RayCores = None,
    out: Annotated[
        Path | None, typer.Option(help="A folder for what is found; of a folder, one that was cut short goes on.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Attack a scan, or every labelled scan of a folder: the plain model, and the certified vote.

    Ctrl-C ends the attack on a scan and keeps what was found so far.
    """
    question = read_question(task, class_names, template)
    levels = tuple(read_number(level, "--noise") for level in noise.split(","))
    options = {
        "model": model, "methods": read_words(methods), "denoisers": read_words(denoisers), "levels": levels,
        "votes": votes, "seed": seed, "bank": bank, "device": device,
        "precision": precision,
        "ray": ray, "cores": ray_cores,
    }  # fmt: skip
    effort = _effort(quick, halvings, plain_steps=plain_steps, steps=steps, draws=draws)
    if scan.is_dir():
        tables = _attack_folder(scan, question, effort, out or Path("attacks"), limit, strict, options)
        show_json(json_text(tables)) if as_json else show(table_lines(tables))
    else:
        record, lines = _attack_scan(scan, question, effort, out, options)
        show_json(json_text(record)) if as_json else show(lines)


def _effort(quick: bool, halvings: int | None, **steps: int | None) -> "Effort":
    """The usual effort with what was given in its place; no halvings are no search."""
    from psmooth.attack import QUICK, THOROUGH

    given: dict[str, Any] = {name: value for name, value in steps.items() if value is not None}
    if halvings is not None:
        given["halvings"] = halvings or None
    return replace(QUICK if quick else THOROUGH, **given)


def _attack_scan(
    scan: Path, question: "Task", effort: "Effort", out: Path | None, options: dict[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    _check_one(options)
    if options["ray"] is not None:
        raise PlanError("--ray spreads the scans of a folder, and this is one scan. Leave it out.")
    opened = open_file(scan)
    from psmooth.attack import attack as run
    from psmooth.attack import attack_record, find_target, save_crop
    from psmooth.certificate import Plan
    from psmooth.files import make_folder, write_whole
    from psmooth.smoothing.records import no_folder

    med_vlm = load_with_bar(options["model"], options["device"], options["precision"])
    target = find_target(
        med_vlm, opened, task=question, method=options["methods"][0], denoiser=options["denoisers"][0],
        noise_level=options["levels"][0], banks=read_banks(options["bank"]), plan=Plan(max_votes=options["votes"]),
        seed=options["seed"],
    )  # fmt: skip
    found = _watch(run(target, effort))
    record = attack_record(found)
    if out is not None:
        make_folder(out, no_folder)
        write_whole(out / "attack.json", json_text(record).encode(), no_folder)
        if found.plain is not None and found.plain.found is not None:
            save_crop(found.plain.found, out / "plain.png")
        if found.turned is not None:
            save_crop(found.turned.change, out / "vote.png")
        note(f"Written to {out}.")
    return record, list(scan_lines(found))


def _check_one(options: dict[str, Any]) -> None:
    """Raise PlanError where several ways were named: of one scan a single way is attacked."""
    for option, name in (("--methods", "methods"), ("--denoisers", "denoisers"), ("--noise", "levels")):
        if (count := len(options[name])) != 1:
            raise PlanError(
                "{option} names {count}, but one scan is attacked in one way. Name one, or give a folder of labelled "
                "scans.",
                option=option,
                count=count,
            )


def _watch(stream: "Iterator[AttackProgress]") -> "AttackProgress":
    """The last word of the attack; Ctrl-C ends it and keeps what was found."""
    last: AttackProgress | None = None
    with live_bar() as draw:
        try:
            for last in stream:
                draw(last.step, last.planned, _state(last))
        except KeyboardInterrupt:
            if last is None:
                raise
    assert last is not None  # a run says something before it does anything
    return last


def _state(progress: "AttackProgress") -> str:
    found = progress.plain and progress.plain.found
    plain = f", plain model falls at {_ceiled(found.distance)}" if found else ""
    vote = f", vote turned at {_ceiled(progress.turned.change.distance)}" if progress.turned else ""
    return f"{progress.part}{plain}{vote}"


def scan_lines(progress: "AttackProgress") -> "Iterator[str]":
    """What was found, a sentence each; distances are L2 over values in [0, 1]."""
    if progress.radius > 0:
        yield f"Certified: {progress.leader} up to {int(progress.radius * 1e4) / 1e4:.4f}."
    else:
        yield "Nothing is certified."
    plain = progress.plain
    if plain is not None and plain.found is not None:
        change = plain.found
        yield (
            f"The plain model says {plain.answer} and, at {_ceiled(change.distance)}, {plain.named}: at most "
            f"{change.largest} grey levels, {change.root_mean_square:.2f} root mean square."
        )
    elif plain is not None:
        yield f"The plain model says {plain.answer}; no change was found that turns it."
    if progress.inside is not None:
        yield from _attempt_lines("Inside the radius", progress.inside.attempts)
    if progress.smallest is not None:
        yield _smallest_line(progress)
    yield "An attack that fails proves nothing; the certificate does."


def _attempt_lines(name: str, attempts: "tuple[Attempt, ...]") -> "Iterator[str]":
    for one in attempts:
        judged = one.judged.predicted or "nothing"
        yield f"{name}, {one.way} at {one.change.distance:.4f}: a fresh run certifies {judged} ({one.outcome})."


def _smallest_line(progress: "AttackProgress") -> str:
    assert progress.smallest is not None
    if (found := progress.smallest.smallest) is None:
        return "No change was found that turns the vote."
    ratio = f", {found.change.distance / progress.radius:.2f} times the radius" if progress.radius > 0 else ""
    return f"The smallest change found that turns the vote: {_ceiled(found.change.distance)}{ratio}."


def _ceiled(distance: float) -> str:
    """An upper bound, which is rounded up."""
    return f"{-(-distance * 1e4 // 1) / 1e4:.4f}"


def _attack_folder(
    folder: Path,
    question: "Task",
    effort: "Effort",
    out: Path,
    limit: int | None,
    strict: bool,
    options: dict[str, Any],
) -> dict[str, Any]:
    from psmooth.attack import attack_folder, write_attack_summary
    from psmooth.certificate import Plan
    from psmooth.smoothing.evaluation import EvaluationPlan, refuse_other_scans, scheme_in
    from psmooth.smoothing.labelled import labelled_files, look_over

    seed, plan = options["seed"] or 0, Plan(max_votes=options["votes"])
    asked = EvaluationPlan(
        question, options["methods"], options["denoisers"], options["levels"], plan, seed, noise=scheme_in(out)
    )
    spread = read_spread(options["ray"], options["cores"], options["device"], options["precision"])
    files = labelled_files(folder, question, limit, seed)
    device = options["device"] if options["ray"] is None else "cpu"
    med_vlm = load_with_bar(options["model"], device, options["precision"])
    found = look_over(med_vlm, folder, files, strict)
    refuse_other_scans(med_vlm, out, question, found.seen, labelled_files(folder, question))
    with live_bar() as draw:
        banks = read_banks(options["bank"])
        for done, planned in attack_folder(med_vlm, found.files, asked, effort, out, banks, spread):
            draw(done, planned, f"{done:,} of {planned:,} attacked", logged=True)
    for line in left_out_lines(found):
        note(line)
    return write_attack_summary(out)


def table_lines(tables: dict[str, Any]) -> list[str]:
    """The three tables of an attacked folder."""
    heads = {
        "inside": "Unconditional radii, attacked strictly inside",
        "plain": "The plain model",
        "frozen": "Radii of a frozen prompt, the whole pipeline attacked inside",
    }
    lines: list[str] = []
    for name, rows in tables.items():
        if rows:
            lines += [heads[name], *(_row(row) for row in rows)]
    return lines


def _row(row: dict[str, Any]) -> str:
    return "  " + ", ".join(f"{name} {_cell(value)}" for name, value in row.items() if value is not None)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        share, low, high = value
        return f"{share:.4f} [{low:.4f}, {high:.4f}]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
