"""`psmooth models`: lists the models.

It knows nothing about how one is loaded.
"""

import typer

from psmooth.command_line.options import Json
from psmooth.command_line.terminal import json_text, show_json


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
        show_json(json_text(rows))
        return
    for row in rows:
        typer.echo(f"{row['id']}: {row['about']}\n    tasks: {', '.join(row['tasks'])}\n    licence: {row['licence']}")
