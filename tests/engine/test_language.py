"""Every text has its translation in every language, with the same values in it, and numbers stay what they are."""

import ast
import io
import json
import re
from string import Formatter

import pytest
from PIL import Image

from psmooth import views
from psmooth.errors import ScanError
from psmooth.files import resource
from psmooth.interface.address import read_locale
from psmooth.scans import open_scan
from psmooth.views.locale import (
    LANGUAGES,
    Locale,
    preferred,
    symbols,
    translate,
    translate_error,
    translations,
    using_locale,
)
from tests.catalogue import ROOT, said_templates
from tests.words import error_templates

OTHERS = [code for code in LANGUAGES if code != "en"]
TEMPLATES = said_templates() | error_templates() | set(symbols().values())
BUILDERS = {
    "colour_sheet",
    "tick_buttons",
    "_slider_place",
    "_way_words",
    "model_table",
    "_methods_of",
    "_as_code",
    "_address",
    "plotly_text",
    "_figure_layout",
}


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_every_text_of_the_page_and_every_error(language):
    assert sorted(TEMPLATES - set(translations(language))) == []
    assert sorted(set(translations(language)) - TEMPLATES) == [], "nothing that is no longer said"


@pytest.mark.parametrize("language", [*OTHERS, "symbols"])
def test_a_translation_holds_the_same_values(language):
    catalogue = symbols() if language == "symbols" else translations(language)
    for template, other in catalogue.items():
        assert other.strip(), template
        assert placeholders(template) == placeholders(other), template


def test_symbols_are_of_texts_that_are_said():
    assert sorted(set(symbols()) - said_templates()) == []


@pytest.mark.parametrize("name", [file.stem for file in (ROOT / "psmooth" / "views").glob("*.py")])
def test_no_sentence_is_built_outside_a_template(name):
    """An f-string of the views holds numbers and punctuation; words in it could not be translated."""
    tree = ast.parse((ROOT / "psmooth" / "views" / f"{name}.py").read_text("utf-8"))
    found = []
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name not in BUILDERS:
            parts = [part for node in ast.walk(function) if isinstance(node, ast.JoinedStr) for part in node.values]
            words = [part.value for part in parts if isinstance(part, ast.Constant)]
            found += [
                word
                for word in words
                if re.search(r"[A-Za-z]{3,}", str(word)) and not re.search("sha256|safetensors|[.]json", str(word))
            ]
    assert found == []


def test_a_sentence_is_said_in_the_voice_that_speaks_and_no_longer():
    english = "{votes} of {planned} votes"
    with using_locale(Locale("de")):
        german = translate(english, votes=1, planned=2)
    assert german != "1 of 2 votes"
    assert translate(english, votes=1, planned=2) == "1 of 2 votes"
    with using_locale(Locale("fr", symbols=True)):
        assert translate(english, votes=1, planned=2) == "t = 1 / 2"


def test_an_error_is_said_in_the_visitors_language():
    error = ScanError(views.NO_FILE)
    with using_locale(Locale("es")):
        assert translate_error(error) == translations("es")[views.NO_FILE] != str(error)


NUMBERS = [
    ("en", "10,000", "0.270", "0.1, 0.25"),
    ("zh", "10,000", "0.270", "0.1, 0.25"),
    ("de", "10\u202f000", "0,270", "0,1; 0,25"),
    ("fr", "10\u202f000", "0,270", "0,1; 0,25"),
    ("es", "10\u202f000", "0,270", "0,1; 0,25"),
]


@pytest.mark.parametrize(("language", "count", "radius", "levels"), NUMBERS)
def test_numbers_are_written_as_the_language_writes_them(language, count, radius, levels):
    with using_locale(Locale(language)):
        assert views.count_text(10_000) == count
        assert views.radius_text(0.2709) == radius
        assert views.listed(map(views.number_text, (0.1, 0.25))) == levels
        assert count in translate(
            "There are {count:,} scans in the zip; at most {most:,} are read.", count=10_000, most=2
        )


def test_class_names_of_shipped_tasks_are_translated_and_a_visitors_own_are_not():
    with using_locale(Locale("de")):
        assert translate("{name} leads.", name="monocyte") == "Monozyt leads."
        assert translate("{name} leads.", name="Loss") == "Loss leads."


def test_a_link_decides_before_the_browser_and_the_browser_before_english():
    assert preferred("fr", "de-CH,de;q=0.9") == "fr"
    assert preferred("xx", "de-CH,de;q=0.9,en;q=0.8") == "de"
    assert preferred(None, "it,pt;q=0.5") == "en"
    assert read_locale({"words": "symbols"}, "zh-CN") == Locale("zh", symbols=True)
    assert read_locale({"lang": "<script>", "words": "1"}, "") == Locale()


@pytest.mark.parametrize("name", [*OTHERS, "symbols"])
def test_a_catalogue_is_sorted_and_plain_json(name):
    text = resource("assets", "words", f"{name}.json").read_text("utf-8")
    catalogue = json.loads(text)
    assert text == json.dumps(dict(sorted(catalogue.items())), ensure_ascii=False, indent=1) + "\n"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_the_kind_of_a_scan_is_said_in_the_language(mode):
    file = io.BytesIO()
    Image.new("L", (20, 16), 90).convert(mode).save(file, "TIFF" if mode == "CMYK" else "PNG")
    scan = open_scan(file.getvalue())
    said = {views.scan_words(scan)}
    for language in OTHERS:
        with using_locale(Locale(language)):
            said.add(views.scan_words(scan))
    assert len(said) == 1 + len(OTHERS)
