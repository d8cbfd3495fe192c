"""Writes the table of models for the documents.

It knows nothing about how a model is loaded.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from psmooth.methods import METHODS
from psmooth.views.numbers import count_text

if TYPE_CHECKING:
    from psmooth.models import ModelSpec


def model_table(specs: Sequence["ModelSpec"], banks: Sequence[Mapping[str, Any]], formats: Collection[str]) -> str:
    """The table of models for the documents, as Markdown, from the rows of the app.

    ``banks`` are the rows of the manifest that ships; a model whose family is none of ``formats`` is not loaded.
    """
    head = ("model", "tasks", "methods", "crop", "text", "download", "licence", "weights")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for spec in specs:
        size = f"{count_text(spec.megabytes)} MB" if spec.megabytes else "in the repository"
        where = spec.weights.removeprefix("hf-hub:").removeprefix("https://").split("@")
        pin = f" @ {where[1][:8]}" if len(where) > 1 else ""
        licence = (
            spec.licence + (" (non-commercial)" if spec.non_commercial else "") + (" (gated)" if spec.gated else "")
        )
        methods = _methods_of(spec, banks) if spec.family in formats else "none, it is not loaded"
        lines.append(
            f"| {spec.name} (`{spec.id}`) | {_as_code(spec.task_ids)} | {methods} | {spec.input_size} px "
            f"| {spec.text_length} tokens | {size} | {licence} | {where[0]}{pin} |"
        )
    return "\n".join(lines)


def _methods_of(spec: "ModelSpec", banks: Sequence[Mapping[str, Any]]) -> str:
    """The methods that run at once, with the banks that ship for all its tasks, and those that need a bank learned."""
    shipped = {(bank["method"], bank["task"]) for bank in banks if bank["model"] == spec.id}
    ready = {
        method
        for method, facts in METHODS.items()
        if facts.bank is None or {(facts.bank, task) for task in spec.task_ids} <= shipped
    }
    if len(ready) == len(METHODS):
        return f"all {len(METHODS)}"
    at_once = [method for method in METHODS if method in ready]
    return f"{_as_code(at_once)}; with a bank the other {len(METHODS) - len(at_once)}"


def _as_code(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
