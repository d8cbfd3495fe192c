"""Certification loops as others run them, written anew from their description, timed against ``certify``.

It knows nothing about how psmooth samples. All of them ask the same model, at the same batch size and precision, and
take turns with ``certify`` in one process; what they would certify is not looked at.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from psmooth.certificate import Plan
from psmooth.models import MedVLM
from psmooth.noise import BLOCK
from psmooth.scans import Crop
from psmooth.smoothing import certify
from psmooth.tasks import TASKS

TASK, NOISE_LEVEL = "blood_cells", 0.25
METHODS = ("template", "few_shot", "label_free", "linear_probe", "label_free_probe")
OF_PROMPTS = METHODS[:3]  # the others have no text to encode
ROUNDS = 5

Seconds = float


def timed(work: Callable[[], object]) -> Seconds:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio_of(one: Callable[[], object], other: Callable[[], object]) -> tuple[Seconds, Seconds, float]:
    """Median seconds of each, and the median ratio of the second to the first, over alternating rounds."""
    rounds = [(timed(one), timed(other)) for _ in range(ROUNDS)]
    first, second = (median(column) for column in zip(*rounds, strict=True))
    return first, second, median(b / a for a, b in rounds)


def run(model: MedVLM, crop: Crop, votes: int, batch: int, methods: Sequence[str] = ("template",)) -> None:
    """``certify`` from its call to its end."""
    plan = Plan(max_votes=votes)
    for _ in certify(model, crop, task=TASK, methods=methods, noise_level=NOISE_LEVEL, plan=plan, batch_size=batch):
        pass


def pixels_of(crop: Crop) -> Tensor:
    """``(3, size, size)`` in units of 1."""
    return torch.from_numpy(crop.pixels.astype(np.float32) / 255)


def locuslab(model: MedVLM, crop: Crop, votes: int, batch: int) -> None:
    """Cohen, Rosenfeld & Kolter's published code: repeat the image, add float noise, argmax, count on the host."""
    vectors = class_vectors(model)
    counts = np.zeros(len(vectors), int)
    for answers in answers_in_turn(model, crop, votes, batch, lambda: vectors):
        for answer in answers:
            counts[answer] += 1


def promptsmooth(model: MedVLM, crop: Crop, votes: int, batch: int) -> None:
    """The published code of PromptSmooth: a stream a method, and the prompts go through the text tower every batch."""
    fixed = class_vectors(model)
    for method in METHODS:
        vectors = partial(class_vectors, model) if method in OF_PROMPTS else lambda: fixed
        for _ in answers_in_turn(model, crop, votes, batch, vectors):
            pass


def answers_in_turn(
    model: MedVLM, crop: Crop, votes: int, batch: int, vectors: Callable[[], Tensor]
) -> Iterator[np.ndarray]:
    """Class numbers on the host, a batch at a time: of those that select, then of those that are counted."""
    image = pixels_of(crop)
    for count in (Plan().selection_votes or 0, votes):
        for first in range(0, count, batch):
            copies = image.repeat(min(batch, count - first), 1, 1, 1)
            yield classify(model, vectors(), copies + torch.randn_like(copies) * NOISE_LEVEL).numpy()


def class_vectors(model: MedVLM) -> Tensor:
    """One prompt a class, through the text tower."""
    task = TASKS[TASK]
    with torch.inference_mode():
        return model.embed_texts([task.templates[0].format(name) for name in task.class_names])


def classify(model: MedVLM, vectors: Tensor, copies: Tensor) -> Tensor:
    """Class numbers ``(copies,)``."""
    with torch.inference_mode():
        return (model.embed_images(copies) @ vectors.T).argmax(1)


class Classifier(nn.Module):
    """The same model as a module that takes pixels and gives logits."""

    def __init__(self, model: MedVLM) -> None:
        super().__init__()
        self.model, self.vectors = model, class_vectors(model).clone()

    def forward(self, pixels: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.model.embed_images(pixels) @ self.vectors.T


def art(model: MedVLM, crop: Crop) -> Callable[[int, int], object]:
    """``certify`` of the Adversarial Robustness Toolbox, for (votes, batch size); ImportError without it."""
    toolbox = import_module("art.estimators.certification.randomized_smoothing")
    smoothed: Any = toolbox.PyTorchRandomizedSmoothing(
        Classifier(model), nn.CrossEntropyLoss(), tuple(crop.pixels.shape), len(TASKS[TASK].class_ids),
        device_type="cpu", sample_size=Plan().selection_votes or 0, scale=NOISE_LEVEL,
    )  # fmt: skip
    image = pixels_of(crop)[None].numpy()
    return lambda votes, batch: smoothed.certify(image, votes, batch_size=batch)


def peer_figures(
    name: str, model: MedVLM, crop: Crop, batch: int, votes: int
) -> Iterator[tuple[str, Seconds, str, Seconds, float]]:
    """(what, seconds of ``certify``, whose loop, its seconds, ratio) for each of them."""
    classify(model, class_vectors(model), torch.rand(BLOCK, *crop.pixels.shape))  # what is made once is made
    others: dict[str, Callable[[], object]] = {
        "locuslab/smoothing's loop": lambda: locuslab(model, crop, votes, batch),
    }
    try:
        toolbox = art(model, crop)
        others["ART's certify"] = lambda: toolbox(votes, batch)
    except ImportError:
        print("ART is not installed (pip install -e '.[bench]'): its rows are left out.")
    for other, work in others.items():
        here, there, ratio = ratio_of(lambda: run(model, crop, votes, batch), work)
        yield f"{votes:,} votes of {name}, batches of {batch}", here, other, there, ratio


def five_methods(name: str, model: MedVLM, crop: Crop, votes: int) -> tuple[str, Seconds, str, Seconds, float]:
    """Five methods on one stream, against PromptSmooth's loop; batches of 100, as it has them."""
    here, there, ratio = ratio_of(
        lambda: run(model, crop, votes, 100, METHODS), lambda: promptsmooth(model, crop, votes, 100)
    )
    return f"{votes:,} votes of {name} by five methods", here, "PromptSmooth's loop", there, ratio
