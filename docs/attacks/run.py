"""Makes the records behind the tables of attacks: ``python docs/attacks/run.py FOLDER``.

It knows nothing about how a scan is attacked. FOLDER holds the data sets, each with ``test`` inside; 30 scans a task,
as many of each class and shuffled by the seed, are what the tables show, fewer where an attack takes long. Tasks and
classes take turns, scan by scan, so that a run that was cut short is balanced as well; what is there already is kept,
and it goes on.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from pathlib import Path

from psmooth.attack import THOROUGH, Effort, attack_folder, write_attack_summary
from psmooth.certificate import Plan
from psmooth.models import load_model
from psmooth.runtime import tune_allocator
from psmooth.smoothing.evaluation import EvaluationPlan
from psmooth.smoothing.labelled import labelled_files
from psmooth.tasks import TASKS

HERE = Path(__file__).resolve().parent
SCANS, SEED = 30, 0
LEVELS = (0.25, 0.5)
INSIDE = replace(THOROUGH, halvings=None)
BARE, BEHIND = ("none",), ("learned",)


@dataclass(frozen=True)
class Front:
    """What is asked of the first ``scans`` of a task; records go into the folder ``out``."""

    out: str
    methods: tuple[str, ...]
    denoisers: tuple[str, ...]
    effort: Effort
    scans: int

    def plan(self, task_id: str) -> EvaluationPlan:
        """What is asked of a task."""
        plan = Plan(max_votes=1_000)
        return EvaluationPlan(TASKS[task_id], self.methods, self.denoisers, LEVELS, plan, SEED, noise="sfc64")


FRONTS = (
    Front("inside", ("template", "label_free_probe"), BEHIND, INSIDE, SCANS),
    Front("inside", ("template", "label_free_probe"), BARE, INSIDE, 16),
    Front("tuning", ("zero_shot", "combined"), BARE + BEHIND, INSIDE, 8),
    Front("smallest", ("template",), BEHIND, replace(THOROUGH, inside=None), 8),
)


def in_turns(folder: Path, task_id: str, scans: int) -> list[tuple[Path, str]]:
    """The scans of a task, the first of each class, then the second of each, and so on."""
    files = labelled_files(folder / task_id / "test", TASKS[task_id], scans, SEED)
    by_class = [[one for one in files if one[1] == name] for name in TASKS[task_id].class_ids]
    return [one for one in chain(*zip_longest(*by_class)) if one is not None]


def turns(folder: Path, task_ids: tuple[str, ...]) -> Iterator[tuple[Front, str, tuple[Path, str]]]:
    """Front, task and scan: one front after the other; of each the first scan of every task, then the second."""
    for front in FRONTS:
        files = {task_id: in_turns(folder, task_id, front.scans) for task_id in task_ids}
        for place in range(max(map(len, files.values()))):
            yield from ((front, task_id, found[place]) for task_id, found in files.items() if place < len(found))


def main() -> None:
    """Every front on every task."""
    tune_allocator()
    model = load_model("pocket")
    for number, (front, task_id, scan) in enumerate(turns(Path(sys.argv[1]), model.spec.task_ids), 1):
        for _ in attack_folder(model, [scan], front.plan(task_id), front.effort, HERE / front.out / task_id):
            pass
        print(number, front.out, task_id, flush=True)
    for out in sorted(HERE.glob("*/*/")):
        write_attack_summary(out)


if __name__ == "__main__":
    main()
