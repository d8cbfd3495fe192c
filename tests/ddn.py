"""Holds the attack on the plain model against foolbox's DDN on real scans: ``python -m tests.ddn FOLDER [SCANS]``.

FOLDER holds the data sets, each with ``test`` inside; fifty scans are taken, tasks and classes in turns. It knows
nothing about how a scan is attacked, and writes nothing.
"""

import sys
import warnings
from collections.abc import Iterator
from importlib import import_module
from itertools import chain, islice, zip_longest
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from psmooth.attack import THOROUGH, Target, attack_plain, find_target
from psmooth.attack.grid import fitted_levels, levels_of
from psmooth.attack.target import without_denormals
from psmooth.models import MedVLM, load_model
from psmooth.smoothing.labelled import labelled_files, named_crop
from psmooth.tasks import TASKS

SCANS, SEED, MODEL = 50, 0, "pocket"
STEPS = 100  # of theirs, as its authors have it
STRETCHES = 100  # of theirs, to put it on the grid: up to seven times as far


class Logits(torch.nn.Module):
    """The plain model as foolbox wants one: logits of a batch."""

    def __init__(self, target: Target) -> None:
        super().__init__()
        self.target = target

    def forward(self, pixels: Tensor) -> Tensor:
        """Cosines at the model's own scale, ``(n, 3, size, size)`` → ``(n, classes)``."""
        return self.target.request.model.logit_scale * self.target.plain_scores(pixels)


def scans(folder: Path, task_ids: tuple[str, ...], count: int) -> Iterator[tuple[str, Path]]:
    """Task and file: of every task the first scan of its first class, then of its second, and so on."""
    of_tasks = [[(task_id, file) for file in _in_turns(folder, task_id, count)] for task_id in task_ids]
    return islice((one for one in chain(*zip_longest(*of_tasks)) if one is not None), count)


def _in_turns(folder: Path, task_id: str, count: int) -> list[Path]:
    found = labelled_files(folder / task_id / "test", TASKS[task_id], count, SEED)
    by_class = [[file for file, label in found if label == name] for name in TASKS[task_id].class_ids]
    return [file for file in chain(*zip_longest(*by_class)) if file is not None]


def ours(target: Target) -> float | None:
    """The distance at which our attack makes the model fall, on the 8-bit grid."""
    *_, last = attack_plain(target, steps=THOROUGH.plain_steps)
    return last.found.distance if last.found else None


def theirs(target: Target, attack: Any, wrapped: Any) -> tuple[float | None, float | None]:
    """The distance of foolbox's change, whose values are no whole grey levels, and of that change on the grid."""
    before = levels_of(target.crop, torch.device("cpu"))[None] / 255
    label = torch.tensor([target.classes.index(target.answer(target.crop))])
    with without_denormals():
        model = wrapped(Logits(target).eval(), bounds=(0, 1), device="cpu")
        _, found, fell = attack(model, before, label, epsilons=None)
    if not bool(fell):
        return None, None
    distance = float((found - before).norm())
    return distance, on_the_grid(target, (found - before)[0], distance, int(label))


def on_the_grid(target: Target, change: Tensor, distance: float, answer: int) -> float | None:
    """The smallest distance at which whole grey levels along a change make the model fall; in steps of 2 %."""
    crop = levels_of(target.crop, torch.device("cpu"))
    for step in range(STRETCHES):
        levels = fitted_levels(crop, change, distance * 1.02**step)
        with torch.no_grad():
            if int(target.plain_scores((crop + levels)[None] / 255).argmax()) != answer:
                return float(levels.norm()) / 255
    return None


def told(name: str, pairs: list[tuple[float, float]]) -> None:
    """Both medians over the scans that fell to both, their ratio, and how often ours is the smaller one."""
    left, right = (median(values) for values in zip(*pairs, strict=True))
    smaller = sum(one < other for one, other in pairs)
    print(
        f"{name}: {len(pairs)} scans, ours {left:.3f}, theirs {right:.3f}, ratio {left / right:.3f}, smaller {smaller}"
    )


def compare(model: MedVLM, folder: Path, count: int) -> None:
    """A line a scan, then the medians."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        foolbox: Any = import_module("foolbox")
    attack, plain, gridded, fallen = foolbox.attacks.DDNAttack(steps=STEPS), [], [], [0, 0, 0]
    for number, (task_id, file) in enumerate(scans(folder, model.spec.task_ids, count), 1):
        target = find_target(model, named_crop(model, file), task=task_id)
        found = (ours(target), *theirs(target, attack, foolbox.PyTorchModel))
        print(number, task_id, *("-" if one is None else f"{one:.4f}" for one in found), flush=True)
        fallen = [before + (one is not None) for before, one in zip(fallen, found, strict=True)]
        plain += [(found[0], found[1])] if found[0] and found[1] else []
        gridded += [(found[0], found[2])] if found[0] and found[2] else []
    print("fell: ours {}, theirs {}, theirs on the grid {}".format(*fallen))
    told("theirs as it is", plain)
    told("theirs on the grid", gridded)


def main() -> None:
    """One core, as many scans as are asked for."""
    torch.set_num_threads(1)
    compare(load_model(MODEL, device="cpu"), Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else SCANS)


if __name__ == "__main__":
    main()
