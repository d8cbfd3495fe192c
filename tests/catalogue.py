"""Gathers every text that a visitor may read, so that no language lacks one.

It knows nothing about languages: the catalogues are held against this list in `tests/engine/test_language.py`.
"""

import ast
import html
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from psmooth import views
from psmooth.certificate import NOT_SHOWN
from psmooth.scans import landmarks, notes, windows
from psmooth.tasks import TASKS
from psmooth.views import compare as views_compare
from psmooth.views import learn as views_learn
from psmooth.views import records as views_records
from psmooth.views import sentences
from psmooth.views import understand as _words_understand

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (*sorted((ROOT / "psmooth").rglob("*.py")),)
UNTRANSLATED = {"psmooth", "psmooth-certificate.json", "psmooth-comparison.json", "A", "B", "sha256"}


def said_templates() -> set[str]:
    """Every template that is given to ``translate``, and every word of the page."""
    return {text for text in (*_said(), *_standing()) if text} - UNTRANSLATED


def _said() -> Iterator[str]:
    """First arguments of ``translate(…)`` that are literals; the others come from the tables below."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "translate"
                and node.args
            ):
                text = node.args[0]
                if isinstance(text, ast.Constant):
                    yield str(text.value)


def _standing() -> Iterator[str]:
    """The words that stand in tables: of the page, of the menus, of states and kinds."""
    tables = (
        views.PAGE_WORDS, views.CONTROL_WORDS, views.VIEWER_WORDS, views.BUDGET_WORDS, views.METHOD_NAMES,
        views.DENOISER_NAMES, sentences.STATEMENTS, sentences._ENDINGS, sentences._STATES, views_records._RADIUS,
        views_compare.COMPARE_WORDS, views_learn.LEARN_WORDS,
        views_learn._PHASES, _words_understand.UNDERSTAND_WORDS,
    )  # fmt: skip
    for table in tables:
        yield from (text for key, text in table.items() if key != "understand_said")
    yield from json.loads(html.unescape(_words_understand.UNDERSTAND_WORDS["understand_said"])).values()
    for pair in (*views.LECTURE, *views.GUARANTEES.values()):
        yield from pair
    yield from (views.TITLE, views.NOTICE, views.NOT_PROMISED, views.UNEXPECTED, *views.PRECISIONS, "fresh", "given")
    yield from views_records._HEAD
    yield from (words for words, _ in NOT_SHOWN)
    yield from (views_compare._IDLE, views_compare._CHOICE, views_learn._IDLE)
    yield from (views.METHOD_NAMES[method].replace(" (frozen prompt)", "") for method in views.METHOD_NAMES)
    yield from (words for words, _ in views_learn.WAY_CHOICES)
    yield from (task.name for task in TASKS.values())
    yield from (windows.OWN, windows.CURVE, windows.STATED, windows.SPREAD, windows.FULL, windows.ALL, *windows.NAMES)
    yield from (notes.STRETCHED, notes.WRITTEN)
    yield from (mark.words for mark in landmarks(np.zeros((3, 16, 16), np.uint8), 0.25))
