"""Writes the figures of the pocket models into their card, from ``figures.json`` and the goals set beforehand.

It knows nothing about how the figures were measured.
"""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
GOALS = {
    "blood_cells": 0.97,
    "chest_xray": 0.80,
    "lung_colon_histology": 0.97,
    "oral_histology": 0.85,
    "brain_mri": 0.97,
    "breast_ultrasound": 0.92,
    "dermoscopy": 0.75,
}  # balanced accuracy of `pocket` on test
FEW = 100  # test scans below which the interval decides
_START, _END = "<!-- figures -->\n", "<!-- /figures -->"
_HEAD = """\
| task | test scans | chance | colours | `pocket` | goal | `pocket-noisy` | phantoms: `pocket`, `pocket-noisy` |
|---|---|---|---|---|---|---|---|
"""


def is_met(row: dict[str, Any]) -> bool:
    """Whether `pocket` reaches the goal of a task; with few test scans, whether its interval does."""
    reached = row["pocket_interval"][1] if row["scans"] < FEW else row["pocket"]
    return reached >= GOALS[row["task"]]


def table(rows: list[dict[str, Any]]) -> str:
    """The figures as a Markdown table."""
    return _HEAD + "".join(_line(row) for row in rows)


def _line(row: dict[str, Any]) -> str:
    def figure(name: str) -> str:
        low, high = row[f"{name}_interval"]
        return f"{row[name]:.3f} [{low:.3f}, {high:.3f}]"

    goal = f"{GOALS[row['task']]:.2f}, {'met' if is_met(row) else '**not met**'}"
    drawn = f"{row['pocket_phantoms']:.3f}, {row['pocket-noisy_phantoms']:.3f}" if "pocket_phantoms" in row else "–"
    cells = (row["task"], row["scans"], f"{row['chance']:.3f}", f"{row['colour_histogram']:.3f}")
    return "| " + " | ".join(map(str, (*cells, figure("pocket"), goal, figure("pocket-noisy"), drawn))) + " |\n"


def card_with(rows: list[dict[str, Any]], card: str) -> str:
    """The card with its table made anew."""
    before, rest = card.split(_START)
    return before + _START + table(rows) + _END + rest.split(_END)[1]


def main() -> None:
    """Bring the card up to date."""
    card = HERE / "README.md"
    rows = json.loads((HERE / "figures.json").read_text(encoding="utf-8"))
    card.write_text(card_with(rows, card.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
