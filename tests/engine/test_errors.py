"""Every error is a whole sentence with named values, so that it can be said in another language."""

import ast
import pickle
from pathlib import Path
from string import Formatter

import pytest

from psmooth.errors import BankError, PlanError, PsmoothError, ScanError
from psmooth.scans import open_scan
from psmooth.views import locale as language
from tests.words import ERRORS, ROOT, error_calls, error_templates, templates_of

CALLS = error_calls()


def place(source: Path, call: ast.Call) -> str:
    return f"{source.relative_to(ROOT)}:{call.lineno}"


def names_in(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def literal_calls() -> list[tuple[str, str, list[str | None]]]:
    """Where, template, and the names of the values, of every error whose sentence stands in its call."""
    return [
        (place(source, call), call.args[0].value, [keyword.arg for keyword in call.keywords])
        for source, call in CALLS
        if isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    ]


def test_the_source_is_full_of_errors():
    """Guards the tests below: they would all pass if no error were found."""
    assert len(literal_calls()) > 150
    assert {call.func.id for _, call in CALLS if isinstance(call.func, ast.Name)} == set(ERRORS) - {"PsmoothError"}
    rooms = {source.parent.name for source, _ in CALLS}
    assert rooms >= {"scans", "hub", "models", "prompts", "smoothing", "interface", "command_line"}


def test_a_sentence_is_never_put_together_where_it_is_raised():
    wrong = []
    for source, call in CALLS:
        try:
            templates_of(source, call.args[0])
        except LookupError:
            wrong.append(f"{place(source, call)}: {ast.unparse(call.args[0])}")
        wrong += [place(source, call)] * (len(call.args) != 1)
    assert wrong == []


@pytest.mark.parametrize("made", ["f'{a} is no scan.'", "'It is ' + a", "'{}'.format(a)", "words(a)", "a if b else c"])
def test_what_is_put_together_is_found(made):
    with pytest.raises(LookupError):
        templates_of(Path(__file__), ast.parse(made, mode="eval").body)


def test_every_value_has_its_place_and_every_place_its_value():
    wrong = [(where, template) for where, template, given in literal_calls() if names_in(template) != set(given)]
    assert wrong == []


def test_a_row_of_a_table_has_a_place_for_every_value_that_is_always_given():
    rows = [(source, call) for source, call in CALLS if isinstance(call.args[0], ast.Subscript)]
    for source, call in rows:
        always = {keyword.arg for keyword in call.keywords if keyword.arg}
        assert all(always <= names_in(template) for template in templates_of(source, call.args[0]))
    assert rows


def test_the_sentences_of_constants_and_tables_are_gathered_too():
    gathered = error_templates()
    assert any(template.startswith("psmooth does not load CONCH") for template in gathered)
    assert any(template.startswith("{repo} has no bank for the task") for template in gathered)
    assert any(template.startswith("No scan was given.") for template in gathered)
    assert "{problem}" not in gathered


@pytest.mark.parametrize("kind", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("values", [{}, {"votes": 1_000, "name": "{votes}", "level": 0.25}])
def test_an_error_crosses_to_another_process(kind, values):
    error = kind("{votes:,} votes for {name} at {level}." if values else "Nothing {to} fill in.", **values)
    there = pickle.loads(pickle.dumps(error))
    assert type(there) is kind
    assert (there.template, there.values, str(there)) == (error.template, values, str(error))


def test_an_error_is_its_sentence():
    assert str(ScanError("{count:,} scans in '{folder}'.", count=2_000, folder="a{b}")) == "2,000 scans in 'a{b}'."
    assert str(BankError("A template must hold {} once.")) == "A template must hold {} once."
    assert str(PlanError("{{0}} is {name}.", name="a set")) == "{0} is a set."


def test_a_value_that_is_missing_is_noticed_at_once():
    with pytest.raises(KeyError):
        PsmoothError("{count} of {planned}", count=1)


def test_a_sentence_within_a_sentence_is_said_in_the_language_too(monkeypatch):
    with pytest.raises(ScanError) as raised:
        open_scan(b"GIF89a")
    error = pickle.loads(pickle.dumps(raised.value))
    inner = "This seems to be a GIF, not a scan that can be read."
    assert str(error).startswith(f"{inner} Expected is a DICOM")
    german = {inner: "Das ist wohl ein GIF.", error.template: "{found} Erwartet ist ein PNG."}
    monkeypatch.setattr(language, "translations", lambda code: german if code == "de" else {})
    with language.using_locale(language.Locale("de")):
        assert language.translate_error(error) == "Das ist wohl ein GIF. Erwartet ist ein PNG."
    assert language.translate_error(error) == str(error)
