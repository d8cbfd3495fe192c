"""Reads the state of the page from its address: `Settings`, the example, the language.

It knows nothing about Gradio. Whatever is no setting, or out of its range, is passed over: anyone may write a link.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from psmooth.interface.settings import KEYS, from_text, number_in
from psmooth.views.locale import Locale, preferred


@dataclass(frozen=True)
class Link:
    """What an address asks for: settings by key, the number of an example, and whether the scan was a visitor's own."""

    settings: dict[str, str | float | int]
    example: int | None
    own_scan: bool


def read_link(query: Mapping[str, str], models: Collection[str], examples: int) -> Link:
    """The part of an address that can be used.

    Args:
        query: the parameters of the address, as they came.
        models: what their menu holds.
        examples: how many there are.
    """
    asked = {key: from_text(name, query[key]) for key, name in KEYS.items() if key in query}
    settings = {key: value for key, value in asked.items() if value is not None}
    if settings.get("model") not in models:
        settings.pop("model", None)
    example = number_in(query.get("example", ""))
    chosen = int(example) if example is not None and 0 <= example < examples else None
    return Link(settings, chosen, query.get("scan") == "own")


def read_locale(query: Mapping[str, str], accepted: str) -> Locale:
    """How the page shall speak: ``lang`` and ``words=symbols`` of an address, else what the browser accepts."""
    return Locale(preferred(query.get("lang"), accepted), query.get("words") == "symbols")
