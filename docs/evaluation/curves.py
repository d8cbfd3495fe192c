"""Adds up the records in this folder into ``assets/results.json``, which the page draws.

It knows nothing about models or pages. ``python docs/evaluation/curves.py``, after ``run.py``. A row is
one model, task, method, denoiser and noise level, with its curve.
"""

import json
from pathlib import Path
from typing import Any

from psmooth.files import resource
from psmooth.smoothing.curves import Row, rows_of
from psmooth.smoothing.records import RECORDS, read_runs, whole_records

HERE = Path(__file__).resolve().parent
OUT = Path(str(resource("assets", "results.json")))
SHARED = ("max_votes", "selection_votes", "failure_probability", "drawn")  # by all runs: said once


def rows_in(folder: Path) -> list[Row]:
    """The rows of one folder of records."""
    return rows_of(whole_records(folder / RECORDS), read_runs(folder))


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
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    facts = json.dumps(shared_facts())[1:-1]
    return f'{{{facts}, "rows": [\n{lines}\n]}}\n'


if __name__ == "__main__":
    OUT.write_text(asset(), "utf-8")
