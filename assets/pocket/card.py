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

    goal = f"{GOALS[row['task']]:.2f}, {_standing(row)}"
    drawn = f"{row['pocket_phantoms']:.3f}, {row['pocket-noisy_phantoms']:.3f}" if "pocket_phantoms" in row else "–"
    cells = (row["task"], row["scans"], f"{row['chance']:.3f}", f"{row['colour_histogram']:.3f}")
    return "| " + " | ".join(map(str, (*cells, figure("pocket"), goal, figure("pocket-noisy"), drawn))) + " |\n"


def _standing(row: dict[str, Any]) -> str:
    if row["pocket"] >= GOALS[row["task"]]:
        return "met"
    return "inside the interval" if is_met(row) else "**not met**"


def short_table(rows: list[dict[str, Any]]) -> str:
    """The figures as docs/models.md shows them."""
    lines = [
        f"| {row['task']} | {row['chance']:.2f} | {row['pocket']:.3f} | {row['pocket-noisy']:.3f} |\n" for row in rows
    ]
    return "| task | chance | `pocket` | `pocket-noisy` |\n|---|---|---|---|\n" + "".join(lines)


def with_table(text: str, mark: str, made: str) -> str:
    """A text with the table between its two marks made anew."""
    start, end = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
    before, rest = text.split(start)
    return before + start + made + end + rest.split(end)[1]


def main() -> None:
    """Bring the card and docs/models.md up to date."""
    rows = json.loads((HERE / "figures.json").read_text(encoding="utf-8"))
    for file, mark, made in (
        (HERE / "README.md", "figures", table),
        (HERE.parents[1] / "docs" / "models.md", "pocket", short_table),
    ):
        file.write_text(with_table(file.read_text(encoding="utf-8"), mark, made(rows)), encoding="utf-8")


if __name__ == "__main__":
    main()
