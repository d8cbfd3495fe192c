"""The records of attacks that ship: they hold, they name what ships, and the tables in the documents are theirs."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from psmooth.attack.reading import whole_attacks
from psmooth.attack.summary import strictly_inside
from psmooth.models import load_model
from psmooth.smoothing.records import RECORDS, read_runs

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "attacks"


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("attack_tables", FOLDER / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_records(tables: ModuleType) -> None:
    assert tables.document() == tables.DOCUMENT.read_text("utf-8")


def test_crops_inside_count_only_where_they_are_strictly_inside() -> None:
    """One at the radius, one beyond and one inside."""
    record = {"radius": 0.5, "inside": [{"distance": 0.5}, {"distance": 0.6}, {"distance": 0.4}]}
    assert strictly_inside(record) == [{"distance": 0.4}]
    assert strictly_inside({"radius": 0.0, "inside": None}) == []


def test_the_records_hold_and_are_of_the_model_that_ships() -> None:
    revision, files = load_model("pocket", "cpu").revision, sorted(FOLDER.glob(f"*/*/{RECORDS}"))
    assert files
    for file in files:
        assert whole_attacks(file)
        for facts in read_runs(file.parent).values():
            assert (facts["model"], facts["model_revision"], facts["task"]) == ("pocket", revision, file.parent.name)
