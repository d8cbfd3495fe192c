"""Reads the state of the page from its address: what a link may set, and within which limits.

It knows nothing about Gradio. Whatever is not on the list, or out of range, is passed over: anyone may write a link.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from psmooth.views import DENOISERS_OFFERED, METHOD_NAMES, PRECISIONS
from psmooth.views.locale import Locale, preferred

_LONGEST = 2_000


@dataclass(frozen=True)
class Link:
    """What an address asks for: settings by key, the number of an example, and whether the scan was a visitor's own."""

    settings: dict[str, str | float | int]
    example: int | None
    own_scan: bool


def read_link(query: Mapping[str, str], models: Collection[str], tasks: Collection[str], examples: int) -> Link:
    """The part of an address that can be used.

    Args:
        query: the parameters of the address, as they came.
        models, tasks: what the menus hold.
        examples: how many there are.
    """
    choices = {"model": models, "task": tasks, "prompts": METHOD_NAMES, "denoiser": DENOISERS_OFFERED}
    settings: dict[str, str | float | int] = {
        key: query[key] for key, known in choices.items() if query.get(key) in known
    }
    settings |= {key: query[key] for key in ("classes", "sentence") if 0 < len(query.get(key, "")) <= _LONGEST}
    for key, low, high in (("noise", 0.1, 1.0), ("target", 1e-6, 1e3)):
        number = _number(query.get(key))
        if number is not None and low <= number <= high:
            settings[key] = number
    votes = _number(query.get("votes"))
    if votes in PRECISIONS.values():
        settings["votes"] = int(votes or 0)
    example = _number(query.get("example"))
    chosen = int(example) if example is not None and 0 <= example < examples else None
    return Link(settings, chosen, query.get("scan") == "own")


def read_locale(query: Mapping[str, str], accepted: str) -> Locale:
    """How the page shall speak: ``lang`` and ``words=symbols`` of an address, else what the browser accepts."""
    return Locale(preferred(query.get("lang"), accepted), query.get("words") == "symbols")


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
