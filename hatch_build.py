"""Puts app.py inside the package when a wheel is built.

It knows nothing about what app.py does.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class AppInsidePackage(BuildHookInterface):
    """A wheel has no file beside the package; an editable install still has the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds app.py as psmooth/app.py to a wheel that is not editable."""
        if version == "standard":
            build_data["force_include"]["app.py"] = "psmooth/app.py"
