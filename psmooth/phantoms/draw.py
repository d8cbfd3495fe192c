"""Draws phantoms: invented scans whose class and parameters are known, fixed by a task, a class and a seed.

It knows nothing about models, prompts or certificates, and holds no pixel of any patient's scan.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from psmooth.errors import TaskError
from psmooth.phantoms import blood, brain, breast, chest, oral, skin, tissue
from psmooth.phantoms.tools import PhantomPainter, develop, resolve, shrink_mask, stream


@dataclass(frozen=True)
class PhantomKind:
    """What can be drawn for one task."""

    task: str
    class_ids: tuple[str, ...]
    about: str


@dataclass(frozen=True, eq=False)
class Phantom:
    """An invented scan and the truth about it.

    ``pixels`` are (height, width, 3) uint8 RGB, 160 on the short side; ``parameters`` draw it again;
    ``masks`` are (height, width) bool, by the name of what is true there.
    """

    pixels: np.ndarray
    task: str
    class_id: str
    seed: int
    parameters: dict[str, Any]
    masks: dict[str, np.ndarray]


_PAINTERS: dict[str, PhantomPainter] = {
    "blood_cells": blood.PAINTER,
    "chest_xray": chest.PAINTER,
    "lung_colon_histology": tissue.PAINTER,
    "oral_histology": oral.PAINTER,
    "brain_mri": brain.PAINTER,
    "breast_ultrasound": breast.PAINTER,
    "dermoscopy": skin.PAINTER,
}

_ABOUT = {
    "blood_cells": "One stained blood cell among red cells, in a smear.",
    "chest_xray": "A child's chest radiograph, from the front.",
    "lung_colon_histology": "A small field of lung or colon tissue, stained with haematoxylin and eosin.",
    "oral_histology": "A small field of the mouth's lining, stained with haematoxylin and eosin.",
    "brain_mri": "A slice of a head in magnetic resonance.",
    "breast_ultrasound": "A breast under the ultrasound probe, from skin to muscle.",
    "dermoscopy": "A pigmented spot of skin under the dermatoscope.",
}

PHANTOMS: dict[str, PhantomKind] = {
    task: PhantomKind(task, tuple(painter.parameters), _ABOUT[task]) for task, painter in _PAINTERS.items()
}


def draw_phantom(task: str, class_id: str, seed: int, **parameters: Any) -> Phantom:
    """The phantom of a class that ``seed`` stands for; the same arguments give the same bytes.

    Any recorded parameter may be given to override the one drawn; the others stay as the seed drew them.
    Raises TaskError for a task, class, seed, parameter or value that is not known.
    """
    painter = _painter_of(task, class_id)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TaskError("The seed of a phantom is a whole number, not {seed}.", seed=repr(seed))
    resolved = resolve(painter.parameters[class_id], parameters, stream(task, class_id, int(seed), "parameters"))
    drawing = painter.painter(class_id, resolved, stream(task, class_id, int(seed), "drawing"))
    pixels = develop(drawing, stream(task, class_id, int(seed), "grain"))
    masks = {name: shrink_mask(mask) for name, mask in drawing.masks.items()}
    return Phantom(pixels, task, class_id, int(seed), resolved, masks)


def phantom_parameters(task: str, class_id: str) -> dict[str, str]:
    """What may be given for each parameter of a class, in words.

    Raises TaskError for a task or class that is not known.
    """
    return {name: str(parameter) for name, parameter in _painter_of(task, class_id).parameters[class_id].items()}


def _painter_of(task: str, class_id: str) -> PhantomPainter:
    if task not in _PAINTERS:
        raise TaskError(
            "No phantom can be drawn for the task {task}. Tasks with phantoms: {known}.",
            task=repr(task),
            known=", ".join(_PAINTERS),
        )
    known = _PAINTERS[task].parameters
    if class_id not in known:
        raise TaskError(
            "No phantom of {task} has the class {class_id}. Its classes: {known}.",
            task=task,
            class_id=repr(class_id),
            known=", ".join(known),
        )
    return _PAINTERS[task]
