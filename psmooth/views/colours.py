"""The colours of the page, light and dark: one accent, everything else slate, and one colour a method of a comparison.

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
    "wrong": "#a84300",
    "wrong-soft": "#ffe8d6",
    "series-0": "#0f172a",
    "series-1": "#1d4ed8",
    "series-2": "#b45309",
    "series-3": "#0f766e",
    "series-4": "#a21caf",
    "series-5": "#be123c",
    "series-6": "#4d7c0f",
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
    "wrong": "#ffa24d",
    "wrong-soft": "#47270d",
    "series-0": "#e9eff8",
    "series-1": "#7aa7ff",
    "series-2": "#fbbf24",
    "series-3": "#2dd4bf",
    "series-4": "#e879f9",
    "series-5": "#fb7185",
    "series-6": "#a3e635",
    "shade": "none",
}


def colour_sheet() -> str:
    """Both palettes as CSS variables, ``--ps-accent`` and so on; ``.dark`` is the class of the dark page."""
    light = "".join(f"--ps-{name}:{value};" for name, value in LIGHT.items())
    dark = "".join(f"--ps-{name}:{value};" for name, value in DARK.items())
    return f":root{{{light}}}.dark{{{dark}}}"
