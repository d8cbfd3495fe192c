"""The example notebook runs from top to bottom, and shows what it says."""

import json
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

NOTEBOOK = Path(__file__).resolve().parent.parent.parent / "docs" / "example.ipynb"


def test_every_cell_runs_and_the_certificate_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    names: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            exec("".join(cell["source"]), names)
    assert isinstance(names["figure"], go.Figure)
    assert names["checked"].ok
    assert "linear_probe: The answer monocyte holds within" in capsys.readouterr().out
