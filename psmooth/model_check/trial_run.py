"""Certifies one phantom with a model, and says how long a vote takes on this machine.

It knows nothing about how the model was loaded.
"""

import math
from collections.abc import Iterator

import torch

from psmooth.certificate import Abstention, Certificate, Plan
from psmooth.model_check.pictures import phantom_tasks
from psmooth.model_check.step import Step
from psmooth.models import MedVLM
from psmooth.phantoms import PHANTOMS, draw_phantom
from psmooth.scans import open_scan
from psmooth.smoothing import certify

NOISE_LEVEL = 0.1
_VOTES = {"cpu": 200}  # a graphics card needs more for its speed to show
_MANY_VOTES = 5_000


def trial_run_steps(model: MedVLM) -> Iterator[Step]:
    """A run of few votes at σ = 0.1, from a fixed seed, and its speed."""
    task = phantom_tasks(model)[0]
    truth = PHANTOMS[task].class_ids[0]
    plan = Plan(max_votes=_VOTES.get(model.device.type, _MANY_VOTES))
    scan = open_scan(draw_phantom(task, truth, 0).pixels)
    *_, last = certify(model, scan, task=task, noise_level=NOISE_LEVEL, plan=plan, seed=0)
    (result,) = last.results.values()
    found = f"{task}, {truth}: {_said(result)}; {plan.max_votes:,} votes, σ = {NOISE_LEVEL:g}."
    if result.votes.invalid:
        advice = "Its embeddings of noisy pictures are no numbers: run it on --device cpu, and report both."
        yield Step("certificate", "failed", f"{found} {result.votes.invalid:,} votes are no numbers.", advice)
    else:
        yield Step("certificate", "passed", found)
    yield Step("speed", "passed", _speed(last.votes_per_second, model.device))


def _said(result: Certificate | Abstention) -> str:
    """The verdict; a radius is floored, never rounded."""
    if isinstance(result, Abstention):
        return "abstained"
    return f"{result.predicted} certified within {math.floor(1_000 * result.radius) / 1_000:.3f}"


def _speed(votes_per_second: float, device: torch.device) -> str:
    seconds = 1_000 / votes_per_second
    return f"{votes_per_second:,.1f} votes a second on {device.type}: a thousand take {seconds:,.1f} s."
