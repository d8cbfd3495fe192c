"""Reads the options that several commands have: the question, numbers, a box, a window, banks, a device, a cluster.

It knows nothing about any command.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from psmooth.errors import CertificateError, PlanError, ScanError, TaskError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psmooth.certificate import Plan
    from psmooth.scans import Scan, Window
    from psmooth.smoothing.spreading import Spread
    from psmooth.tasks import Task

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

Bank = Annotated[
    str | None,
    typer.Option(help="A prompt bank instead of those that ship: a file, or OWNER/NAME[@REVISION]:BANK on the Hub."),
]

BankModel = Annotated[str | None, typer.Option("--model", help="Only banks of this model.")]

BankTask = Annotated[str | None, typer.Option("--task", help="Only banks of this task.")]

Revision = Annotated[str, typer.Option(help="Branch, tag or commit on the Hub.")]

Device = Annotated[str | None, typer.Option(help="cpu, cuda or mps; by default the fastest there is.")]


Precision = Annotated[
    Literal["float32", "openvino-float32", "openvino-bfloat16", "torch-float16"],
    typer.Option(
        help="Of the image encoder: openvino-… on the processor (pip install 'psmooth[fast]'), torch-float16 on an "
        "NVIDIA card."
    ),
]


Ray = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Spread the scans over a Ray cluster: local, auto, HOST:PORT or ray://HOST:PORT. It needs an extra: pip "
        "install 'psmooth[ray]'.",
    ),
]

RayCores = Annotated[
    int | None, typer.Option("--ray-cores", min=1, help="Of each worker; by default 4, or as many as a machine has.")
]


def read_spread(ray: str | None, cores: int | None, device: str | None, precision: str) -> "Spread":
    """One scan after another, or spread over a cluster; raises ClusterError for what cannot be."""
    from psmooth.errors import ClusterError
    from psmooth.models import HALF
    from psmooth.smoothing.spreading import in_turn

    if ray is None:
        return in_turn
    if precision == HALF:  # the machine that sends the scans has its model on the processor
        raise ClusterError(
            "--ray does not spread the precision '{precision}'. Leave one of the two out.", precision=precision
        )
    from psmooth.smoothing.on_ray import OnRay

    return OnRay(ray, cores, device)


def read_banks(place: str | None) -> tuple[Any, ...]:
    if place is None:
        return ()
    from psmooth.prompts.hub import find_bank

    return (find_bank(place),)


def read_words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def read_number(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise PlanError(
            "{option} is '{text}'; it must be numbers with commas between, such as 0.25,0.5.", option=option, text=text
        ) from None


def read_plan(
    name: Literal["live", "paper"],
    votes: int | None,
    alpha: float,
    target_radius: float | None = None,
    tolerance: float | None = None,
) -> "Plan":
    from psmooth.certificate import Plan

    announced = votes if votes is not None else 1_000 if name == "live" else 10_000
    return Plan(announced, alpha, name, target_radius=target_radius, tolerance=tolerance)


def read_question(task: str | None, class_names: str | None, template: str | None) -> "Task":
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


def read_box(text: str | None) -> tuple[int, int, int, int] | None:
    if text is None:
        return None
    try:
        left, top, right, bottom = (int(part) for part in text.split(","))
    except ValueError:
        raise ScanError(
            "--box is {given}; it must be left,top,right,bottom in whole pixels, such as 0,0,200,200.", given=repr(text)
        ) from None
    return left, top, right, bottom


def read_window(text: str | None) -> "Window | None":
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


def open_file(
    scan: Path,
    frame: int | None = None,
    series: int | None = None,
    plane: str | None = None,
    region: "Sequence[float] | None" = None,
) -> "Scan":
    """Before torch is imported: a scan that cannot be read is refused at once."""
    from psmooth.scans import open_picture

    return open_picture(scan, frame, series, plane, region)


def check_folder(out: Path | None, option: str = "--out") -> None:
    """Asked before the run: whoever has waited for a certificate should get it."""
    if out is not None and not out.parent.is_dir():
        raise CertificateError(
            "{option} is {file}, but there is no folder {folder}. Make the folder or choose another.",
            option=option,
            file=str(out),
            folder=str(out.parent),
        )
