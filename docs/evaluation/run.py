"""Makes the records behind the tables of results: ``python docs/evaluation/run.py FOLDER [VOTES] [SCANS]``.

It knows nothing about how a scan is certified. FOLDER holds the data sets, each with ``test`` inside; 1,000 votes and
50 scans a task are what the table shows; 10,000 votes and 0 scans certify every scan, in a folder of their own. What is
there already is kept, so a run that was cut short goes on; records of a bank, model or denoiser that ships no longer
are dropped. The fronts that the table leads with come first. Scans are the first by name, as they were from the start.
"""

import json
import sys
from collections.abc import Collection
from pathlib import Path

from psmooth.certificate import GUARANTEES, Plan
from psmooth.denoise import without_mirror
from psmooth.models import load_model
from psmooth.runtime import tune_allocator
from psmooth.smoothing.evaluation import EvaluationPlan, announced, evaluate
from psmooth.smoothing.labelled import labelled_files
from psmooth.smoothing.records import RECORDS, fingerprint, read_runs, whole_records, write_runs
from psmooth.smoothing.summary import write_summary
from psmooth.tasks import TASKS

HERE = Path(__file__).resolve().parent
FRONTS = (
    ("pocket", ("none", "learned"), (0.5, 0.25)),
    ("pocket-noisy", ("none",), (0.5, 0.25)),
    ("pocket", ("learned-mirror",), (0.5,)),
    ("pocket", ("gaussian", "wiener"), (0.5, 0.25)),
    ("pocket", ("none", "learned"), (0.1, 1.0)),
    ("pocket", ("wavelet",), (0.5, 0.25)),
)
DEFAULTS = (1_000, 50)  # votes, scans a task
FITTED = ("none", "learned")  # denoisers that banks were learned behind


def study(task_id: str, model: str, denoiser: str, noise_level: float, votes: int) -> EvaluationPlan:
    """All methods where banks exist, hand-written and per-scan prompts elsewhere; one for the yardstick."""
    methods = tuple(GUARANTEES) if without_mirror(denoiser) in FITTED else ("template", "zero_shot")
    methods = ("template",) if model == "pocket-noisy" else methods
    plan = Plan(max_votes=votes)
    return EvaluationPlan(
        TASKS[task_id], methods, (denoiser,), (noise_level,), plan, drawn="first by name", noise="sfc64"
    )


def folder_of(task_id: str, model: str, votes: int) -> Path:
    """Where records go; those of other votes than the table's lie apart."""
    apart = HERE if votes == DEFAULTS[0] else HERE / f"{votes}-votes"
    return apart / (task_id + ("-noisy" if model == "pocket-noisy" else ""))


def drop_superseded(out: Path, front: tuple[str, float], current: Collection[str]) -> None:
    """Drop the records of a front that were made with something that is no longer what ships."""
    runs = read_runs(out)
    old = {name for name, facts in runs.items() if (facts["denoiser"], facts["noise_level"]) == front} - set(current)
    if old:
        kept = [record for record in whole_records(out / RECORDS) if record["run"] not in old]
        (out / RECORDS).write_text("".join(json.dumps(record) + "\n" for record in kept), "utf-8")
        write_runs(out, {name: facts for name, facts in runs.items() if name not in old})


def main() -> None:
    """Every front on every task."""
    tune_allocator()
    folder, votes, most = (
        Path(sys.argv[1]),
        *(int(number) for number in (*sys.argv[2:], *DEFAULTS[len(sys.argv) - 2 :])),
    )
    for name, denoisers, levels in FRONTS:
        model = load_model(name)
        for level in levels:
            for denoiser in denoisers:
                for task_id in model.spec.task_ids:
                    files = labelled_files(folder / task_id / "test", TASKS[task_id], most or None)
                    out, wanted = folder_of(task_id, name, votes), study(task_id, name, denoiser, level, votes)
                    facts = announced(model, wanted, (denoiser, level))
                    drop_superseded(out, (denoiser, level), {fingerprint(one) for one in facts.values()})
                    for _ in evaluate(model, files, wanted, out):
                        pass
                    write_summary(out)
                    print(name, task_id, denoiser, level, flush=True)


if __name__ == "__main__":
    main()
