"""What a fast run costs in certified accuracy: ``python docs/fast/run.py FOLDER`` makes the records and the table.

It knows nothing about how a scan is certified. FOLDER holds the data sets, each with ``test`` inside. Every fifth of
the evaluation's 50 scans a task is certified again in openvino-bfloat16, with the same seed and noise, and held against
the shipped float32 record of the same scan. What is there already is kept. The table goes into docs/speed.md, between
its marks.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, median

from psmooth.certificate import Plan
from psmooth.models import FAST, load_model
from psmooth.runtime import tune_allocator
from psmooth.smoothing.evaluation import EvaluationPlan, evaluate
from psmooth.smoothing.labelled import labelled_files
from psmooth.smoothing.records import RECORDS, Record, whole_records
from psmooth.tasks import TASKS

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent
METHODS, DENOISERS, LEVELS = ("template", "label_free_probe"), ("learned",), (0.25, 0.5)
DRAWN, STEP = 50, 5  # the evaluation's scans of a task, of which every fifth is certified again
RADII = (0.0, 0.25, 0.5)
START, END = "<!-- fast -->\n", "<!-- /fast -->"

Pair = tuple[Record, Record]  # in float32, and fast


def certify_again(folder: Path) -> None:
    """Every task, scan by scan in turn, so that a run that was cut short is balanced too."""
    model = load_model("pocket", precision=FAST)
    drawn = {task: labelled_files(folder / task / "test", TASKS[task], DRAWN) for task in model.spec.task_ids}
    for place in range(0, DRAWN, STEP):
        for task, files in drawn.items():
            plan = EvaluationPlan(
                TASKS[task], METHODS, DENOISERS, LEVELS, Plan(max_votes=1_000), drawn="first by name", noise="sfc64"
            )
            for _ in evaluate(model, files[place : place + 1], plan, HERE / task):
                pass
        print(place + 1, "of", DRAWN, flush=True)


def pairs() -> Iterator[Pair]:
    """Shipped and fast records of the same scan, method, denoiser and noise level."""
    names = ("scan", "method", "denoiser", "noise_level")
    for file in sorted(HERE.glob(f"*/{RECORDS}")):
        shipped = whole_records(DOCS / "evaluation" / file.parent.name / RECORDS)
        known = {tuple(record[name] for name in names): record for record in shipped}
        yield from ((known[tuple(one[name] for name in names)], one) for one in whole_records(file))


def row(method: str, level: float, found: list[Pair]) -> str:
    """Certified accuracy at each radius in float32 and fast, and what moved between the two."""
    shares = [" → ".join(certified(found, side, radius) for side in (0, 1)) for radius in RADII]
    moved = mean(votes_moved(*pair) / pair[0]["total"] for pair in found)
    other = sum(plain["predicted"] != fast["predicted"] for plain, fast in found)
    apart = median(abs(fast["radius"] - plain["radius"]) for plain, fast in found)
    cells = (method, f"{level:g}", str(len(found)), *shares, str(other), f"{moved:.1%}", f"{apart:.3f}")
    return f"| {' | '.join(cells)} |"


def certified(found: list[Pair], side: int, radius: float) -> str:
    """The share of scans that are right beyond that radius, in float32 (0) or fast (1)."""
    records = [pair[side] for pair in found]
    return f"{mean(one['predicted'] == one['label'] and one['radius'] > radius for one in records):.3f}"


def votes_moved(plain: Record, fast: Record) -> float:
    """How many votes went elsewhere, at the least."""
    return sum(abs(fast["counts"][name] - votes) for name, votes in plain["counts"].items()) / 2


def table() -> str:
    """In Markdown."""
    found = list(pairs())
    head = (
        "prompts", "σ", "scans", *(f"certified accuracy at r > {radius:g}, float32 → fast" for radius in RADII),
        "other verdicts", "votes moved", "radii apart (median)",
    )  # fmt: skip
    rows = [
        row(method, level, [one for one in found if (one[1]["method"], one[1]["noise_level"]) == (method, level)])
        for level in LEVELS
        for method in METHODS
    ]
    return "\n".join([f"| {' | '.join(head)} |", "|" + " --- |" * len(head), *rows]) + "\n"


def main() -> None:
    """Records, then the table."""
    tune_allocator()
    certify_again(Path(sys.argv[1]))
    file = DOCS / "speed.md"
    before, rest = file.read_text("utf-8").split(START)
    file.write_text(before + START + table() + END + rest.split(END)[1], "utf-8")


if __name__ == "__main__":
    main()
