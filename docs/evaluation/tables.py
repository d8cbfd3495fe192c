"""Adds up the records in this folder: the table of the README between its marks, every row in README.md beside this.

It knows nothing about models. ``python docs/evaluation/tables.py``, after ``run.py``; folders that end in ``-noisy``
hold the retrained model's records.
"""

import re
from pathlib import Path
from statistics import mean
from typing import Any

from psmooth.certificate import GUARANTEES
from psmooth.denoise import DENOISERS, without_mirror
from psmooth.evaluate import RADII, summarise, whole_records

HERE = Path(__file__).resolve().parent
FOUR = ("blood_cells", "chest_xray", "lung_colon_histology", "brain_mri")
LEVEL = 0.5  # of the short table
KINDS = {"unconditional": "unconditional", "frozen_prompt": "**frozen prompt**"}

Key = tuple[float, str, str, str]  # noise level, kind of guarantee, denoiser, method
Rows = dict[Key, dict[str, dict[str, Any]]]  # summaries by task


def collect() -> Rows:
    """Every summary, by what it is a summary of and by task."""
    found: Rows = {}
    for folder in sorted(HERE.iterdir()):
        task = folder.name.removesuffix("-noisy")
        kind = "" if task == folder.name else ", retrained"
        for row in summarise(whole_records(folder / "records.jsonl")):
            key = (row["noise_level"], KINDS[row["guarantee"]] + kind, row["denoiser"], row["method"])
            found.setdefault(key, {})[task] = row
    return dict(sorted(found.items(), key=_place))


def _place(item: tuple[Key, object]) -> tuple[float, bool, bool, int, bool, int]:
    level, kind, denoiser, method = item[0]
    plain, order = without_mirror(denoiser), list(GUARANTEES).index(method)
    return level, "frozen" in kind, "retrained" in kind, DENOISERS.index(plain), denoiser != plain, order


def certified(rows: list[dict[str, Any]]) -> str:
    """Cells: the mean over tasks at every radius."""
    return " | ".join(f"{mean(row['certified'][f'{radius:g}'][0] for row in rows):.2f}" for radius in RADII)


def head(*names: str) -> list[str]:
    """The two first lines of a table that ends with the radii."""
    cells = [*names, *(f"r = {radius:g}" for radius in RADII)]
    return ["| " + " | ".join(cells) + " |", "|---" * len(cells) + "|"]


def short_table(rows: Rows) -> str:
    """The mean of the four tasks at one noise level."""
    lines = head("method", "denoiser", "guarantee")
    for (level, kind, denoiser, method), tasks in rows.items():
        if level == LEVEL and set(FOUR) <= set(tasks):
            lines.append(f"| {method} | {denoiser} | {kind} | {certified([tasks[task] for task in FOUR])} |")
    return "\n".join(lines)


def mean_tables(rows: Rows) -> str:
    """The means of the four tasks and of the other three at every noise level."""
    parts = []
    for title, wanted in (("four tasks", FOUR), ("the other three tasks", None)):
        parts.append(f"\n## Mean of {title}\n")
        parts.extend(head("σ", "method", "denoiser", "guarantee", "scans a task", *_FACT_NAMES))
        for (level, kind, denoiser, method), tasks in rows.items():
            names = wanted or sorted(set(tasks) - set(FOUR))
            if len(names) < 3 or not set(names) <= set(tasks):
                continue
            chosen = [tasks[name] for name in names]
            facts = " | ".join(f"{mean(row[name] for row in chosen):.2f}" for name in _FACTS)
            scans = " – ".join(str(pick(row["scans"] for row in chosen)) for pick in (min, max))
            parts.append(f"| {level:g} | {method} | {denoiser} | {kind} | {scans} | {facts} | {certified(chosen)} |")
    return "\n".join(parts)


_FACTS = ("clean", "abstained", "largest_share")
_FACT_NAMES = [name.replace("_", " ") for name in _FACTS]


def task_tables(rows: Rows) -> str:
    """Every task by itself, with the 95 % bootstrap interval over its scans."""
    parts = []
    for task in sorted({task for tasks in rows.values() for task in tasks}):
        scans = max(tasks[task]["scans"] for tasks in rows.values() if task in tasks)
        parts.append(f"\n## {task}, {scans} scans at most\n")
        parts.extend(head("σ", "method", "denoiser", "guarantee", "scans", *_FACT_NAMES))
        for (level, kind, denoiser, method), tasks in rows.items():
            if (row := tasks.get(task)) is None:
                continue
            facts = " | ".join(f"{row[name]:.2f}" for name in _FACTS)
            cells = " | ".join(f"{value:.2f} ({low:.2f}–{high:.2f})" for value, low, high in row["certified"].values())
            parts.append(f"| {level:g} | {method} | {denoiser} | {kind} | {row['scans']} | {facts} | {cells} |")
    return "\n".join(parts)


INTRODUCTION = """# Evaluation

Class-balanced certified accuracy on real `test` scans, 1,000 votes, α = .001; a scan counts at r if its answer is right
and certified beyond r. *Clean* is the accuracy of the unsmoothed model, *abstained* the share of scans without a
radius, *largest share* how often the class predicted most often is predicted: 1 is a constant predictor. Rows marked
**frozen prompt** are of another kind: their prompt was tuned on the scan, and the radius holds for that prompt frozen.
Behind *learned-mirror* a vote is cast on the mean embedding of a noisy copy and its mirror image, for twice the time.
`run.py FOLDER` makes the records, `run.py FOLDER 10000 0` those of every scan with ten times the votes; `tables.py`
makes this page.
"""


def main() -> None:
    """Write both tables."""
    rows = collect()
    (HERE / "README.md").write_text(INTRODUCTION + mean_tables(rows) + "\n" + task_tables(rows) + "\n", "utf-8")
    readme = HERE.parent.parent / "README.md"
    marked = f"<!-- evaluation -->\n{short_table(rows)}\n<!-- /evaluation -->"
    text = readme.read_text("utf-8")
    readme.write_text(re.sub(r"<!-- evaluation -->.*<!-- /evaluation -->", lambda _: marked, text, flags=re.S), "utf-8")


if __name__ == "__main__":
    main()
