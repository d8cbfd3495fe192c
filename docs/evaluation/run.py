"""Makes the records behind README's table: ``python docs/evaluation/run.py FOLDER [VOTES] [SCANS]``.

It knows nothing about how a scan is certified. FOLDER holds the data sets, each with ``test`` inside; 1,000 votes and
50 scans a task are what the table shows; 10,000 votes and 0 scans certify every scan. What is there already is kept, so
a run that was cut short goes on. The fronts that the table leads with come first.
"""

import sys
from pathlib import Path

from psmooth.certificate import GUARANTEES, Plan
from psmooth.denoise import without_mirror
from psmooth.evaluate import Study, evaluate, labelled_files, write_summary
from psmooth.models import load_model
from psmooth.runtime import settle
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


def study(task_id: str, model: str, denoiser: str, noise_level: float, votes: int) -> Study:
    """All methods where banks exist, hand-written and per-scan prompts elsewhere; one for the yardstick."""
    methods = tuple(GUARANTEES) if without_mirror(denoiser) in FITTED else ("template", "zero_shot")
    methods = ("template",) if model == "pocket-noisy" else methods
    return Study(TASKS[task_id], methods, (denoiser,), (noise_level,), Plan(max_votes=votes))


def main() -> None:
    """Every front on every task."""
    settle()
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
                    out = HERE / (task_id + ("-noisy" if name == "pocket-noisy" else ""))
                    for _ in evaluate(model, files, study(task_id, name, denoiser, level, votes), out):
                        pass
                    write_summary(out)
                    print(name, task_id, denoiser, level, flush=True)


if __name__ == "__main__":
    main()
