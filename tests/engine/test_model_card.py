"""What the card of the pocket models says is what was measured."""

import importlib.util
import json
from types import ModuleType

import pytest

from psmooth.files import resource
from psmooth.models import MODELS


@pytest.fixture(scope="module")
def card() -> ModuleType:
    spec = importlib.util.spec_from_file_location("card", resource("assets", "pocket", "card.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_made_from_the_figures(card):
    rows = json.loads(resource("assets", "pocket", "figures.json").read_text(encoding="utf-8"))
    assert {row["task"] for row in rows} == set(MODELS["pocket"].task_ids) == set(card.GOALS)
    text = resource("assets", "pocket", "README.md").read_text(encoding="utf-8")
    assert card.with_table(text, "figures", card.table(rows)) == text
    text = resource("docs", "models.md").read_text(encoding="utf-8")
    assert card.with_table(text, "pocket", card.short_table(rows)) == text


def test_a_goal_is_met_by_the_figure_or_with_few_scans_by_its_interval(card):
    row = {"task": "chest_xray", "scans": 300, "pocket": 0.79, "pocket_interval": [0.75, 0.85]}
    assert not card.is_met(row)
    assert card.is_met(row | {"scans": 99})
    assert card.is_met(row | {"pocket": 0.8})
