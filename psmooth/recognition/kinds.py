"""The kinds of pictures that a model without statistics is asked about, by prompts.

It knows nothing about files, votes or the page.
"""

from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

import torch

from psmooth.errors import ModelError
from psmooth.models import MedVLM


@dataclass(frozen=True)
class Kind:
    """A kind of picture: the prompts that name it, and the modality of tasks that it is, or "" for one without."""

    prompts: tuple[str, ...]
    modality: str = ""


KINDS: Final[dict[str, Kind]] = {
    "chest_xray": Kind(("a chest X-ray.", "a frontal radiograph of the chest."), "chest X-ray"),
    "other_xray": Kind(("an X-ray of bones.", "a radiograph of a limb.")),
    "ct": Kind(("a CT slice.", "an axial computed tomography scan.")),
    "brain_mri": Kind(("a brain MRI.", "a magnetic resonance image of the head."), "brain MRI"),
    "other_mri": Kind(("an MRI of the body.", "a magnetic resonance image of a joint.")),
    "breast_ultrasound": Kind(("a breast ultrasound.", "an ultrasound image of a breast lesion."), "breast ultrasound"),
    "other_ultrasound": Kind(("an echocardiogram.", "an obstetric ultrasound.")),
    "histology": Kind(("an H&E histology image.", "a histopathology slide of tissue."), "H&E histology"),
    "blood_smear": Kind(("a blood smear.", "a microscope image of blood cells."), "blood smear"),
    "dermoscopy": Kind(("a dermoscopy image.", "a dermatoscopic image of a skin lesion."), "dermoscopy"),
    "fundus": Kind(("a fundus photograph.", "a photograph of the retina.")),
    "endoscopy": Kind(("an endoscopy image.", "a colonoscopy frame.")),
    "photograph": Kind(("a photograph of people.", "a photograph of a landscape.", "a photograph of an object.")),
    "drawing": Kind(("a drawing.", "a cartoon.", "a chart with axes.")),
    "screenshot": Kind(("a screenshot of text.", "a scanned page of text.")),
}


_VECTORS: WeakKeyDictionary[MedVLM, torch.Tensor] = WeakKeyDictionary()  # of models that are still there


def likeliest_kind(model: MedVLM, embedding: torch.Tensor) -> str | None:
    """The id of the kind whose prompts, by the mean of their vectors, are nearest to an embedding ``(dim,)``.

    None from a model that reads no sentences as long as these.
    """
    if model not in _VECTORS:
        try:
            _VECTORS[model] = torch.cat([model.embed_prompts(kind.prompts, [""]) for kind in KINDS.values()])
        except ModelError:
            return None
    return list(KINDS)[int((_VECTORS[model] @ embedding).argmax())]
