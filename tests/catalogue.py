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
from psmooth.interface.gallery import PHANTOMS
from psmooth.models import MODELS
from psmooth.scans import landmarks, notes, windows
from psmooth.tasks import TASKS, Task
from psmooth.views import attack as views_attack
from psmooth.views import attack_words, sentences
from psmooth.views import compare as views_compare
from psmooth.views import learn as views_learn
from psmooth.views import records as views_records
from psmooth.views import results as views_results
from psmooth.views import understand as _words_understand
from psmooth.views.words import GRADIO_WORDS

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (*sorted((ROOT / "psmooth").rglob("*.py")),)
UNTRANSLATED = {
    "psmooth",
    "psmooth-certificate.json",
    "psmooth-comparison.json",
    "psmooth-attack.json",
    "psmooth-results.csv",
    "A",
    "B",
    "sha256",
}


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


def _shipped_tasks() -> Iterator[Task]:
    """Those that the shipped models were trained for; their classes have names in every language."""
    trained = {bank["task"] for bank in json.loads((ROOT / "prompts" / "manifest.json").read_text("utf-8"))["banks"]}
    yield from (task for task in TASKS.values() if task.id in trained)


def _standing() -> Iterator[str]:
    """The words that stand in tables: of the page, of the menus, of states and kinds."""
    tables = (
        views.PAGE_WORDS, views.CONTROL_WORDS, views.VIEWER_WORDS, views.FRAMES_WORDS, views.BUDGET_WORDS,
        views.METHOD_NAMES, views.DENOISER_NAMES, views.KIND_WORDS, sentences.STATEMENTS,
        sentences.ENDINGS, sentences.STATES,
        views_records.RADIUS_WORDS, views_compare.COMPARE_WORDS, views_learn.LEARN_WORDS,
        views_attack.ATTACK_WORDS, views_attack.LINES, attack_words.HOLDING,
        views_learn.PHASES, views_results.RESULTS_WORDS, views_results.ABOUT_KINDS, _words_understand.UNDERSTAND_WORDS,
    )  # fmt: skip
    for table in tables:
        yield from (text for key, text in table.items() if key != "understand_said")
    yield from json.loads(html.unescape(_words_understand.UNDERSTAND_WORDS["understand_said"])).values()
    for pair in (*views.LECTURE, *views.GUARANTEES.values()):
        yield from pair
    yield from (views.TITLE, views.NOTICE, views.NOT_PROMISED, views.UNEXPECTED, *views.PRECISIONS, "fresh", "given")
    yield from views.SPEEDS.values()
    yield from views_records.COLUMNS
    yield from (words for words, _ in NOT_SHOWN)
    yield from (views_compare.IDLE, views_compare.CHOICE, views_attack.IDLE, views_learn.IDLE)
    yield from (views.METHOD_NAMES[method].replace(" (frozen prompt)", "") for method in views.METHOD_NAMES)
    yield from (words for words, _ in views_learn.WAY_CHOICES)
    yield from (task.name for task in TASKS.values())
    yield from (spec.name for spec in MODELS.values() if "trained with" in spec.name)  # the others are proper names
    yield from (spec.licence for spec in MODELS.values() if "stated" in spec.licence)
    yield from ("see its folder", "see where the checkpoint came from")  # licences too
    yield PHANTOMS.name
    yield from GRADIO_WORDS
    yield from (name for task in _shipped_tasks() for name in task.class_names)
    yield from (text for example in PHANTOMS.items for text in (example.name, example.source))
    yield from (windows.OWN, windows.CURVE, windows.STATED, windows.SPREAD, windows.FULL, windows.ALL, windows.SUV)
    yield from windows.NAMES
    yield from (notes.STRETCHED, notes.OBLIQUE, notes.TILE, notes.UNKNOWN_SIDES, notes.WHOLE_SLIDE, notes.WRITTEN)
    yield notes.LEFT_OUT
    yield from views.KINDS
    yield from (mark.words for mark in landmarks(np.zeros((3, 16, 16), np.uint8), 0.25))
