"""Adds up the records in this folder: the table of the README between its marks, every row in README.md beside this.

It knows nothing about models. ``python docs/evaluation/tables.py``, after ``run.py``; folders that end in ``-noisy``
hold the retrained model's records. ``tables.py FOLDER`` adds up what ``run.py`` made with other votes, in that folder.
"""

import math
import re
import sys
from pathlib import Path
from statistics import mean, median
from typing import Any

from psmooth.certificate import GUARANTEES
from psmooth.denoise import DENOISERS, without_mirror
from psmooth.errors import CertificateError
from psmooth.smoothing.intervals import effective_size
from psmooth.smoothing.records import RECORDS, read_runs, whole_records
from psmooth.smoothing.summary import RADII, summarise, with_interval

HERE = Path(__file__).resolve().parent
FOUR = ("blood_cells", "chest_xray", "lung_colon_histology", "brain_mri")
LEVEL = 0.5  # of the short table
KINDS = {"unconditional": "unconditional", "frozen_prompt": "**frozen prompt**"}
SHARED = ("max_votes", "selection_votes", "failure_probability", "plan", "seed", "drawn")  # by all rows of a table

Key = tuple[float, str, str, str]  # noise level, kind of guarantee, denoiser, method
Row = dict[str, Any]
Rows = dict[Key, dict[str, Row]]  # summaries by task


def collect(folder: Path = HERE) -> Rows:
    """Every summary, by what it is a summary of and by task.

    Raises:
        CertificateError: rows that one table cannot hold: other votes or seeds, or two banks for the same place.
    """
    found: Rows = {}
    for records in sorted(folder.glob(f"*/{RECORDS}")):
        task = records.parent.name.removesuffix("-noisy")
        kind = "" if task == records.parent.name else ", retrained"
        for row in summarise(whole_records(records), read_runs(records.parent)):
            key = (row["noise_level"], KINDS[row["guarantee"]] + kind, row["denoiser"], row["method"])
            if task in found.setdefault(key, {}):
                raise CertificateError("Two runs of {task} claim one row: {key}.", task=task, key=key)
            found[key][task] = row
    if len({tuple(row[name] for name in SHARED) for tasks in found.values() for row in tasks.values()}) > 1:
        raise CertificateError("These records were not all made with the same votes, α, seed and scans.")
    return dict(sorted(found.items(), key=_place))


def _place(item: tuple[Key, object]) -> tuple[float, bool, bool, int, bool, int]:
    level, kind, denoiser, method = item[0]
    plain, order = without_mirror(denoiser), list(GUARANTEES).index(method)
    return level, "frozen" in kind, "retrained" in kind, DENOISERS.index(plain), denoiser != plain, order


def certified(rows: list[Row]) -> str:
    """Cells: the mean over tasks at every radius with its interval."""
    size = effective_size([row["effective_scans"] for row in rows])
    means = (mean(row["certified"][f"{radius:g}"][0] for row in rows) for radius in RADII)
    return " | ".join(cell(*with_interval(share, size)) for share in means)


def cell(share: float, low: float, high: float) -> str:
    """A share and its interval at two digits; the ends are rounded outwards."""
    return f"{share:.2f} ({math.floor(100 * low + 1e-6) / 100:.2f}–{_up(high):.2f})"


def _up(value: float) -> float:
    return math.ceil(100 * value - 1e-6) / 100


def head(*names: str) -> list[str]:
    """The two first lines of a table that ends with the radii."""
    cells = [*names, *(f"r = {radius:g}" for radius in RADII)]
    return ["| " + " | ".join(cells) + " |", "|---" * len(cells) + "|"]


def short_table(rows: Rows) -> str:
    """The mean of the four tasks at one noise level, and how wide the intervals of a single one of them are."""
    lines, reaches = head("method", "denoiser", "guarantee"), []
    for (level, kind, denoiser, method), tasks in rows.items():
        if level == LEVEL and set(FOUR) <= set(tasks):
            chosen = [tasks[task] for task in FOUR]
            lines.append(f"| {method} | {denoiser} | {kind} | {certified(chosen)} |")
            reaches += [_reach(*values) for row in chosen for values in row["certified"].values()]
    middle, widest = _up(median(reaches)), _up(max(reaches))
    said = "In brackets stands the 95 % interval of each mean. Of one of these tasks alone, half of the intervals stay"
    return "\n".join([*lines, "", f"{said} within ± {middle:.2f} of the figure, and all within ± {widest:.2f}."])


def _reach(share: float, low: float, high: float) -> float:
    """From a figure to the farther end of its interval."""
    return max(share - low, high - share)


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
    """Every task by itself."""
    parts = []
    for task in sorted({task for tasks in rows.values() for task in tasks}):
        scans = max(tasks[task]["scans"] for tasks in rows.values() if task in tasks)
        parts.append(f"\n## {task}, {scans} scans at most\n")
        parts.extend(head("σ", "method", "denoiser", "guarantee", "scans", *_FACT_NAMES))
        for (level, kind, denoiser, method), tasks in rows.items():
            if (row := tasks.get(task)) is None:
                continue
            facts = " | ".join(f"{row[name]:.2f}" for name in _FACTS)
            cells = " | ".join(cell(*values) for values in row["certified"].values())
            parts.append(f"| {level:g} | {method} | {denoiser} | {kind} | {row['scans']} | {facts} | {cells} |")
    return "\n".join(parts)


INTRODUCTION = """# Evaluation

Class-balanced certified accuracy on real `test` scans, {votes:,} votes after {selection} that choose the class,
α = {alpha:g}, seed {seed}, scans drawn: {drawn}; a scan counts at r if its answer is right and certified beyond r.
*Clean* is the accuracy of the unsmoothed model, *abstained* the share of scans without a radius, *largest share* how
often, among those with one, the class predicted most often is predicted: 1 is a constant predictor. Rows marked
**frozen prompt** are of another kind: their prompt was tuned on the scan, and the radius holds for that prompt frozen.
Behind *learned-mirror* a vote is cast on the mean embedding of a noisy copy and its mirror image, for twice the time.
A small σ certifies no large radius, however the votes fall: there 0.00 says nothing of the method. A radius is that of
the one look at the announced end; a certificate may show a slightly larger one, of a look before.

In brackets stands the 95 % interval, over scans, of a mean whose classes weigh the same: that of Clopper and Pearson
for as many scans as there are classes times scans of the scarcest class, and for a mean over tasks the like of tasks.
It covers at least as often as it says for every difficulty of the classes that was tried, 0 and 1 included
(`psmooth/smoothing/intervals.py`, `tests/engine/test_intervals.py`); it says nothing of other hospitals than those of
the scans.

`run.py FOLDER` makes the records, `run.py FOLDER 10000 0` those of every scan with ten times the votes, in a folder of
their own; `tables.py` makes this page. Every record names its run, and `runs.json` beside it states what that was made
with: model, bank and what it was learned on, denoiser, prompts, votes, α, seed, crop, and how scans were drawn.
`check.py FOLDER` casts the votes of a few records again and compares. The first records were written without their
run, which was added afterwards from the models, banks and denoisers that ship, and so was what the banks were learned
on: `check.py` is how that can be seen to be true.
"""


def page(rows: Rows) -> str:
    """The page beside this file."""
    facts = next(iter(next(iter(rows.values())).values()))
    said = INTRODUCTION.format(
        votes=facts["max_votes"],
        selection=facts["selection_votes"],
        alpha=facts["failure_probability"],
        seed=int(facts["seed"], 16),
        drawn=facts["drawn"],
    )
    return said + mean_tables(rows) + "\n" + task_tables(rows) + "\n"


def with_table(readme: str, rows: Rows) -> str:
    """The README with its table made anew."""
    marked = f"<!-- evaluation -->\n{short_table(rows)}\n<!-- /evaluation -->"
    return re.sub(r"<!-- evaluation -->.*<!-- /evaluation -->", lambda _: marked, readme, flags=re.S)


def main() -> None:
    """Write both tables; for a folder that is named, its page alone."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    rows = collect(folder)
    (folder / "README.md").write_text(page(rows), "utf-8")
    if folder == HERE:
        readme = HERE.parent.parent / "README.md"
        readme.write_text(with_table(readme.read_text("utf-8"), rows), "utf-8")


if __name__ == "__main__":
    main()
