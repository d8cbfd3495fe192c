"""The page's own files and look: what is served, where it lies, the head, the theme.

It knows nothing about components or events.
"""

from functools import cache
from pathlib import Path
from string import Template

from gradio import themes

from psmooth import views
from psmooth.files import resource
from psmooth.interface.guard import pieces_address
from psmooth.views import compare as views_compare
from psmooth.views import learn as views_learn
from psmooth.views.locale import LANGUAGES
from psmooth.views.understand import UNDERSTAND_WORDS

PIECES = (
    "psmooth",
    "words",
    "viewer",
    "budget",
    "modes",
    "compare",
    "learn",
    "understand",
)  # a script and a style sheet each

WORDS = {
    **views.PAGE_WORDS, **views_compare.COMPARE_WORDS, **views_learn.LEARN_WORDS, **UNDERSTAND_WORDS
}  # fmt: skip


def part(name: str, **words: str) -> str:
    """A piece of HTML from assets/, with the product's words put in."""
    return Template(resource("assets", f"{name}.html").read_text("utf-8")).substitute(WORDS, **words)


def languages() -> str:
    """The languages as options of the header's menu."""
    return "".join(f'<option value="{code}">{name}</option>' for code, name in LANGUAGES.items())


def theme() -> themes.Base:
    """Gradio's default theme with enough contrast in light and dark."""
    default = themes.Default(
        primary_hue="blue", neutral_hue="slate", font=["Inter Variable", "system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )  # fmt: skip
    return default.set(
        button_primary_background_fill="*primary_700",
        button_primary_text_color="white",
        button_cancel_background_fill="#b91c1c",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        link_text_color="*primary_700",
        input_placeholder_color="*neutral_500",
    )


@cache
def static_files() -> dict[str, Path]:
    """What the page itself needs, by name: nothing else is served from this machine, and nothing from another."""
    names = [f"{name}.js" for name in PIECES]
    names += [f"words/{name}.json" for name in (*LANGUAGES, "symbols") if name != "en"]
    names += ["plotly/plotly-basic.min.js", "recording.json", "fonts/inter-latin.woff2", "fonts/inter-greek.woff2"]
    return {name: resource("assets", *name.split("/")) for name in names}


def style_sheets() -> list[Path]:
    """One for what all views share, one for each piece."""
    return [resource("assets", f"{name}.css") for name in PIECES]


@cache
def address(name: str) -> str:
    """Where the page finds one of them, relative to itself."""
    return f"{pieces_address(static_files())}/{name}"


def scripts() -> str:
    """The scripts of the page, that of what all views share first."""
    spoken = " ".join(LANGUAGES)
    return "\n".join(f'<script src="{address(f"{name}.js")}" data-languages="{spoken}"></script>' for name in PIECES)


def fonts_and_colours() -> str:
    """The part of the style sheet that is not in a file as it stands."""
    faces = {name: address(f"fonts/inter-{name}.woff2") for name in ("latin", "greek")}
    fonts = Template(resource("assets", "fonts.css").read_text("utf-8")).substitute(faces)
    return fonts + views.colour_sheet() + resource("assets", "views.css").read_text("utf-8")


def head() -> str:
    """Fonts, colours and scripts; Gradio does not wait for these scripts, so they come with the first picture too."""
    return part("head", css=fonts_and_colours(), scripts=scripts())
