"""Adds up the records in this folder into the tables of ``docs/attack.md``: ``python docs/attacks/tables.py``.

It knows nothing about models or how a scan was attacked. Tasks are added up; within a row each scan counts once.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from psmooth.attack.reading import whole_attacks
from psmooth.attack.summary import strictly_inside, summarise_attacks
from psmooth.smoothing.records import RECORDS, Facts, Record, Runs, read_runs

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parent / "attack.md"
Tables = dict[str, list[Facts]]


def collect(name: str) -> tuple[list[Record], Runs]:
    """The records of a front over all tasks, and what their runs were made with."""
    records: list[Record] = []
    runs: Runs = {}
    for file in sorted((HERE / name).glob(f"*/{RECORDS}")):
        runs |= read_runs(file.parent)
        records += whole_attacks(file)
    return records, runs


def added_up(records: list[Record], runs: Runs, shown: tuple[str, ...]) -> Tables:
    """The tables of records, a row for each value of the facts that are shown, in their order."""
    keys = {run: tuple(facts[name] for name in shown) for run, facts in runs.items()}
    grouped = [{**record, "run": str(keys[record["run"]])} for record in records]
    grouped.sort(key=lambda record: record["run"])
    return summarise_attacks(grouped, {str(keys[run]): facts for run, facts in runs.items()})


def share(value: list[float] | None) -> str:
    """A share with its interval, whose ends the summary has rounded outwards."""
    return "–" if value is None else f"{value[0]:.3f} ({value[1]:.4f}–{value[2]:.4f})"


def number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def table(head: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> str:
    """In Markdown."""
    lines = [" | ".join(map(str, row)) for row in (head, ("---",) * len(head), *rows)]
    return "\n".join(f"| {line} |" for line in lines)


WAYS = ("method", "denoiser", "noise_level")
VOTE = ("template", "learned")  # method and denoiser of the vote that the plain model is held against


def ways(row: Facts) -> tuple[object, ...]:
    return row["method"], row["denoiser"], f"{row['noise_level']:g}"


def inside_tables() -> Iterator[str]:
    """Unconditional radii, attacked strictly inside, and the plain model of the same scans."""
    records, runs = collect("inside")
    tried = [one for record in records for one in strictly_inside(record)]
    turned = sum(one["outcome"] == "turned" for one in tried)
    scans = len({record["scan"] for record in records})
    yield f"Strictly inside unconditional radii {len(tried):,} crops of {scans:,} scans were judged: {turned:,} turned."
    rows = added_up(records, runs, WAYS)["inside"]
    yield table(
        ("method", "denoiser", "σ", "scans", "with a radius, attacked", "turned", "abstained"),
        ((*ways(row), row["scans"], row["attacked"], share(row["turned"]), share(row["abstained"])) for row in rows),
    )
    yield "The plain model of the same scans, and the radius of the hand-written prompt behind the learned denoiser:"
    yield plain_table(records, runs)


def plain_table(records: list[Record], runs: Runs) -> str:
    """How soon the plain model falls, task by task, and whether that is inside the radius of a vote."""
    behind = {name: facts for name, facts in runs.items() if (facts["method"], facts["denoiser"]) == VOTE}
    rows = added_up([one for one in records if one["run"] in behind], behind, ("task", "noise_level"))["plain"]
    inside = {(row["task"], row["noise_level"]): share(row["inside_radius"]) for row in rows}
    levels = sorted({level for _, level in inside})
    return table(
        ("task", "scans", "median fall", "largest level, median", *(f"falls inside R, σ = {one:g}" for one in levels)),
        (
            (
                row["task"], row["scans"], number(row["median_distance"]), number(row["median_largest_level"], 0),
                *(inside.get((row["task"], level), "–") for level in levels),
            )
            for row in rows
            if row["noise_level"] == levels[0]
        ),
    )  # fmt: skip


def smallest_table() -> Iterator[str]:
    """How far from the radius the smallest change lies that was found to turn the vote; nothing before any is there."""
    if not (rows := added_up(*collect("smallest"), WAYS)["inside"]):
        return
    yield "The smallest change found that turns the vote, against the radius:"
    yield table(
        ("method", "denoiser", "σ", "searched", "found", "smallest change ÷ radius, median"),
        ((*ways(row), row["smallest_tried"], row["smallest_found"], number(row["median_ratio"])) for row in rows),
    )


def tuning_table() -> Iterator[str]:
    """Pipelines that tune per scan, attacked inside the radius of the frozen prompt; nothing before any is there."""
    if not (rows := added_up(*collect("tuning"), WAYS)["frozen"]):
        return
    yield "Inside radii of a frozen prompt, where nothing is promised of the pipeline that tunes again:"
    yield table(
        ("method", "denoiser", "σ", "attacked", "turned", "by transfer", "through tuning", "abstained"),
        (
            (
                *ways(row), row["attacked"], share(row["turned"]), row["transfer"], row["through_tuning"],
                share(row["abstained"]),
            )
            for row in rows
        ),
    )  # fmt: skip


def document() -> str:
    """``docs/attack.md`` with its tables made anew."""
    made = "\n\n".join([*inside_tables(), *smallest_table(), *tuning_table()])
    marked = f"<!-- attacks -->\n{made}\n<!-- /attacks -->"
    return re.sub("<!-- attacks -->.*<!-- /attacks -->", lambda _: marked, DOCUMENT.read_text("utf-8"), flags=re.S)


if __name__ == "__main__":
    DOCUMENT.write_text(document(), "utf-8")
