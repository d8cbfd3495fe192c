"""The colours of the page, light and dark: one accent, everything else slate.

It knows nothing about what is coloured.
"""

from typing import Final

LIGHT: Final[dict[str, str]] = {
    "bg": "#f6f8fb",
    "card": "#ffffff",
    "line": "#e2e8f0",
    "field": "#f8fafc",
    "edge": "#7f8fa6",
    "ink": "#0f172a",
    "mute": "#475569",
    "faint": "#5b6a80",
    "accent": "#1d4ed8",
    "accent-ink": "#ffffff",
    "soft": "#dbe7fe",
    "bar": "#64748b",
    "grid": "#e8edf3",
    "stop": "#b91c1c",
    "shade": "0 1px 2px rgb(15 23 42 / 4%), 0 8px 24px -12px rgb(15 23 42 / 10%)",
}

DARK: Final[dict[str, str]] = {
    "bg": "#0b1220",
    "card": "#111a2c",
    "line": "#24304a",
    "field": "#0c1424",
    "edge": "#65769a",
    "ink": "#e9eff8",
    "mute": "#a9b6cb",
    "faint": "#8a99b3",
    "accent": "#7aa7ff",
    "accent-ink": "#0b1220",
    "soft": "#1a2c52",
    "bar": "#8493ad",
    "grid": "#1c2740",
    "stop": "#f87171",
    "shade": "none",
}


def colour_sheet() -> str:
    """Both palettes as CSS variables, ``--ps-accent`` and so on; ``.dark`` is the class of the dark page."""
    light = "".join(f"--ps-{name}:{value};" for name, value in LIGHT.items())
    dark = "".join(f"--ps-{name}:{value};" for name, value in DARK.items())
    return f":root{{{light}}}.dark{{{dark}}}"
