"""Says which kind of scan a crop is, and whether it is like anything that the model was made for.

It knows nothing about votes, certificates or the page.
"""

import torch

from psmooth.models import MedVLM
from psmooth.recognition.finding import Finding
from psmooth.recognition.kinds import KINDS, likeliest_kind
from psmooth.recognition.statistics import statistics_of
from psmooth.scans import Crop
from psmooth.tasks import TASKS, Task


def recognise(model: MedVLM, crop: Crop, task: str | Task | None = None) -> Finding | None:
    """What the crop looks like to the model, and whether it is one for the task that is asked.

    None from a model without statistics whose text tower is too short for the prompts, and from one whose embedding
    of the crop is no number.

    From statistics of the scans that the model was trained on, where they ship with it, else from its own answer to
    prompts. One pass through the encoder.

    Raises:
        ModelError: the statistics beside the model are not those of its weights.
    """
    asked = task.id if isinstance(task, Task) else task
    embedding = model.embed_images(torch.from_numpy(crop.pixels[None]).float() / 255)[0]
    if not embedding.isfinite().all():
        return None
    statistics = statistics_of(model)
    if statistics is None:
        return _guessed(model, embedding, asked)
    return _found(statistics.distances_of(embedding.cpu().numpy(), crop.pixels), asked)


def _found(distances: dict[str, float], asked: str | None) -> Finding:
    near = [task for task, distance in distances.items() if distance <= 1]
    nearest = min(distances, key=distances.__getitem__)
    likely = nearest if near else None
    fits = None
    if asked in distances:
        fits = asked in near
    elif asked in TASKS:  # without statistics of its own, it is one for every scan of its modality
        fits = TASKS[asked].modality in {TASKS[task].modality for task in near}
    return Finding("statistics", likely, likely, bool(near), round(distances[nearest], 3), len(near) == 1, fits)


def _guessed(model: MedVLM, embedding: torch.Tensor, asked: str | None) -> Finding | None:
    kind = likeliest_kind(model, embedding)
    if kind is None:
        return None
    modality = KINDS[kind].modality
    suited = [task for task in model.spec.task_ids or TASKS if TASKS[task].modality == modality]
    known = modality in model.spec.modalities if model.spec.modalities else None
    likely = next(iter(suited), None)
    fits = TASKS[asked].modality == modality if asked in TASKS else None
    return Finding("prompts", kind, likely, known, None, False, fits)
