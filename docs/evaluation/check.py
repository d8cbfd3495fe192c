"""Casts the votes of a few shipped records again: ``python docs/evaluation/check.py FOLDER [RECORDS]``.

It knows nothing about tables. FOLDER is that of ``run.py``. Records are drawn at random, the same ones every time, from
each task and from runs of different methods, denoisers and noise levels. A record is made anew from its scan and what
ships; every field has to be the recorded one, its run too, which names model, bank and denoiser.
"""

import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

from run import DEFAULTS, HERE, study

from psmooth.models import MedVLM, load_model
from psmooth.runtime import tune_allocator
from psmooth.scans import crop_scan, open_scan
from psmooth.smoothing.evaluation import evaluate
from psmooth.smoothing.labelled import labelled_files
from psmooth.smoothing.records import RECORDS, Record, whole_records
from psmooth.tasks import TASKS


def sample(folder: Path) -> Iterator[Record]:
    """One record of every run, in random order."""
    runs: dict[str, list[Record]] = defaultdict(list)
    for record in whole_records(folder / RECORDS):
        runs[record["run"]].append(record)
    generator = random.Random(folder.name)
    yield from (generator.choice(runs[name]) for name in generator.sample(sorted(runs), len(runs)))


def again(model: MedVLM, scans: Path, task_id: str, record: Record) -> Record:
    """The record made anew."""
    found = labelled_files(scans / task_id / "test", TASKS[task_id])
    file = next(one for one in found if crop_scan(open_scan(one[0]), model.crop_rule).sha256 == record["scan"])
    whole = study(task_id, model.spec.id, record["denoiser"], record["noise_level"], DEFAULTS[0])
    with TemporaryDirectory() as out:
        for _ in evaluate(model, [file], replace(whole, methods=(record["method"],)), Path(out)):
            pass
        return whole_records(Path(out) / RECORDS)[0]


def main() -> None:
    """Print every record that was made anew, and leave with 1 if one differs."""
    tune_allocator()
    scans, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 42
    folders = [file.parent for file in sorted(HERE.glob(f"*/{RECORDS}"))]
    drawn = zip_longest(*([(folder, record) for record in sample(folder)] for folder in folders))
    chosen = islice((pair for turn in drawn for pair in turn if pair is not None), count)
    equal = 0
    for folder, record in chosen:
        task_id = folder.name.removesuffix("-noisy")
        model = load_model("pocket" if task_id == folder.name else "pocket-noisy")
        same = again(model, scans, task_id, record) == record
        equal += same
        place = f"{folder.name} {record['method']} {record['denoiser']} {record['noise_level']:g}"
        print(f"{place}: {'equal' if same else 'DIFFERS'}", flush=True)
    print(f"{equal} of {count} records are equal.")
    sys.exit(equal != count)


if __name__ == "__main__":
    main()
