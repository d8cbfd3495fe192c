"""Finds the files that ship with psmooth: weights, prompts, style sheets, schemas.

It knows nothing about what is in them.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource(*parts: str) -> Path:
    """The path of a shipped file, e.g. ``resource("assets", "psmooth.css")``.

    An installed wheel carries the folders inside the package; in a checkout they lie beside it.
    """
    inside = _PACKAGE.joinpath(*parts)
    return inside if inside.exists() else _PACKAGE.parent.joinpath(*parts)
