"""Adds up the records in this folder into ``assets/results.json``, which the page draws.

It knows nothing about models or pages. ``python docs/evaluation/curves.py``, after ``run.py``. A row is
one model, task, method, denoiser and noise level, with its curve; the task `MEAN` is the mean of the four tasks of
docs/results.md.
"""

import json
import sys
from pathlib import Path
from typing import Any

from psmooth.files import resource
from psmooth.smoothing.curves import Row, mean_rows, rows_of
from psmooth.smoothing.records import RECORDS, Record, Runs, read_runs, whole_records
from psmooth.views.results import MEAN

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from tables import FOUR  # noqa: E402

OUT = Path(str(resource("assets", "results.json")))
SHARED = ("max_votes", "selection_votes", "failure_probability", "drawn")  # by all runs: said once


def told_in(folder: Path) -> tuple[list[Record], Runs]:
    """The records of one folder, and their runs."""
    return whole_records(folder / RECORDS), read_runs(folder)


def rows_in(folder: Path) -> list[Row]:
    """The rows of one folder of records."""
    return rows_of(*told_in(folder))


def means() -> list[Row]:
    """The means of the four tasks, of the model and of the retrained one."""
    return [
        row for kind in ("", "-noisy") for row in mean_rows([told_in(HERE / f"{task}{kind}") for task in FOUR], MEAN)
    ]


def shared_facts() -> dict[str, Any]:
    """What all runs were made with.

    Raises:
        ValueError: they were not made with the same.
    """
    runs = [facts for file in HERE.glob(f"*/{RECORDS}") for facts in read_runs(file.parent).values()]
    (facts,) = {tuple(run[name] for name in SHARED) for run in runs}
    return dict(zip(SHARED, facts, strict=True))


def asset() -> str:
    """The file: the facts that are shared, and a line for each row."""
    rows = [row for file in sorted(HERE.glob(f"*/{RECORDS}")) for row in rows_in(file.parent)]
    rows += means()
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    facts = json.dumps({**shared_facts(), "mean_of": FOUR})[1:-1]
    return f'{{{facts}, "rows": [\n{lines}\n]}}\n'


if __name__ == "__main__":
    OUT.write_text(asset(), "utf-8")
