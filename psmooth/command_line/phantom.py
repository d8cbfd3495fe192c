"""`psmooth phantom`: draws a scan that no patient has.

It knows nothing about how that is done.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from psmooth.command_line.options import Json
from psmooth.command_line.terminal import json_text, show_json
from psmooth.errors import ScanError


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
        show_json(json_text(facts))
        return
    height, width = drawn.pixels.shape[:2]
    typer.echo(f"{drawn.class_id} of {drawn.task}, seed {drawn.seed}, {width} × {height} pixels")


def _save_picture(pixels: Any, path: Path) -> None:
    from PIL import Image

    try:
        Image.fromarray(pixels).save(path)
    except (OSError, ValueError):
        raise ScanError(
            "The phantom cannot be written there. Expected is a path in an existing folder that ends in .png, .tif, "
            ".webp or .jpg: choose such a path with --out."
        ) from None
