"""The page's own files and look: what is served, where it lies, the head, the theme.

It knows nothing about components or events.
"""

import json
import posixpath
import re
from functools import cache
from pathlib import Path
from string import Template

from gradio import themes

from psmooth import views
from psmooth.files import resource
from psmooth.interface.guard import pieces_address
from psmooth.views import attack as views_attack
from psmooth.views import compare as views_compare
from psmooth.views import learn as views_learn
from psmooth.views import results as views_results
from psmooth.views.locale import LANGUAGES
from psmooth.views.understand import UNDERSTAND_WORDS

FOLDERS = ("page", "understand")  # of assets/: what is seen, a file for each language of the web
UNSCOPED = ("views", "paper", "modes")  # style sheets of what stands outside Gradio's own container

PLOTLY = "plotly/plotly-basic.min.js"
CARD = "card.jpg"  # what a link to the page shows where it is passed on; `docs/screenshots.py` takes it
IMPORT = re.compile(r'^import (?:.* from )?"(.+)";$', re.MULTILINE)

WORDS = {
    **views.PAGE_WORDS, **views_compare.COMPARE_WORDS, **views_learn.LEARN_WORDS, **views_results.RESULTS_WORDS,
    **views_attack.ATTACK_WORDS, **UNDERSTAND_WORDS,
}  # fmt: skip


def part(name: str, **words: str) -> str:
    """A piece of HTML from assets/, e.g. ``page/stage``, with the product's words put in."""
    return Template(text(f"{name}.html")).substitute(WORDS, **words)


def text(name: str) -> str:
    """A file of assets/, as it stands."""
    return resource("assets", *name.split("/")).read_text("utf-8")


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
def modules() -> list[str]:
    """The page's scripts, a module for each thing that is seen."""
    return [f"{folder}/{file.name}" for folder in FOLDERS for file in sorted(resource("assets", folder).glob("*.js"))]


@cache
def static_files() -> dict[str, Path]:
    """What the page itself needs, by name: nothing else is served from this machine, and nothing from another."""
    names = [*modules(), *(f"words/{name}.json" for name in (*LANGUAGES, "symbols") if name != "en")]
    names += [
        PLOTLY,
        CARD,
        "recording.json",
        "comparison.json",
        "attack.json",
        "results.json",
        "printed.json",
        "fonts/inter-latin.woff2",
        "fonts/inter-greek.woff2",
    ]
    return {name: resource("assets", *name.split("/")) for name in names}


def style_sheets() -> list[Path]:
    """One for what all of a folder shares, which comes first, and one for each thing that is seen."""
    files = [file for folder in FOLDERS for file in sorted(resource("assets", folder).glob("*.css"))]
    scoped = [file for file in files if file.stem not in UNSCOPED]
    return sorted(scoped, key=lambda file: (FOLDERS.index(file.parent.name), file.stem != file.parent.name))


@cache
def address(name: str) -> str:
    """Where the page finds one of them, relative to itself."""
    return f"{pieces_address(static_files())}/{name}"


def imported(name: str) -> str:
    """A module in JavaScript: a promise, which does not ask whose script it stands in."""
    return f"import(new URL('{address(f'{name}.js')}', document.baseURI))"


def called(name: str, function: str, first: object) -> str:
    """For an event of Gradio: calls a function of a module with ``first`` and the values of the event's inputs."""
    return f"async (...values) => (await {imported(name)}).{function}({json.dumps(first)}, values)"


def script() -> str:
    """Asks for what the page needs before any part of it stands; each part asks for its own module."""
    spoken = " ".join(LANGUAGES)
    return f'<script type="module" src="{address("page/page.js")}" data-languages="{spoken}"></script>'


def graph(name: str) -> set[str]:
    """A module and all that it imports."""
    found, open_ends = {name}, [name]
    while open_ends:
        asker = open_ends.pop()
        asked = {posixpath.normpath(f"{asker}/../{place}") for place in IMPORT.findall(text(asker))}
        open_ends += asked - found
        found |= asked
    return found


def preloads(first: bool) -> str:
    """Asks at once for the modules that are needed ``first``, or for the page's others: none waits for who imports it.

    Those of Understand, which holds half as many more, wait until it is seen.
    """
    needed = {module for name in ("page", "first", "certify") for module in graph(f"page/{name}.js")}
    names = [name for name in modules() if name.startswith("page/") and (name in needed) == first]
    rank = "" if first else ' fetchpriority="low"'  # Gradio's own come before them
    return "".join(f'<link rel="modulepreload"{rank} href="{address(name)}">' for name in names)


def fonts_and_colours() -> str:
    """The part of the style sheet that Gradio is not to scope to its own container."""
    faces = {name: address(f"fonts/inter-{name}.woff2") for name in ("latin", "greek")}
    fonts = Template(text("fonts/fonts.css")).substitute(faces)
    return fonts + views.colour_sheet() + "".join(text(f"page/{name}.css") for name in UNSCOPED)


def head() -> str:
    """What Gradio puts into the page before its components: fonts, colours, script, all modules not yet asked for."""
    return part("page/head", css=fonts_and_colours(), script=script(), preloads=preloads(first=False))
