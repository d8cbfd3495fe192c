"""Loads a model strictly and compares it with its row of the table and with its original implementation.

It knows nothing about pictures whose class is known, votes or reports.
"""

import math
import re
from collections.abc import Iterator
from importlib import util

import torch
from PIL import Image
from torch import Tensor

from psmooth.errors import ModelError
from psmooth.model_check.gelu import activation, other_gelu
from psmooth.model_check.original import Original, load_original, needed_library
from psmooth.model_check.pictures import phantom_crop
from psmooth.model_check.step import Step, sentence
from psmooth.models import MedVLM
from psmooth.models.cache import free_memory
from psmooth.models.files import Files
from psmooth.models.open_clip_format import OPENAI_MEAN, OPENAI_STD

WITHIN = 1e-4  # of the original's unit vectors, in every number

SENTENCES = (
    "a chest X-ray showing viral pneumonia.",
    "a chest X-ray showing normal lungs.",
    "an H&E image patch of colon adenocarcinoma.",
    "an H&E image patch of benign tissue.",
    "a photo of a nevus",
    "a scan of the colon & the lungs",
    "an X-ray",
    "normal",
    "Benign tissue, in a long scan.",
    "an MRI, T2.",
)


_NORMALISATIONS = {  # mean and spread of a colour, as the models of these formats were published with
    "OpenAI's": (OPENAI_MEAN, OPENAI_STD),
    "one half": ((0.5,) * 3, (0.5,) * 3),
    "ImageNet's": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "MedCLIP's": ((0.5862785803043838,) * 3, (0.27950088968644304,) * 3),
}
_SCALES = (1.0, 1_000.0)  # CLIP is trained up to 100, SigLIP a little beyond
_SPARE_ROWS = 128  # of the table of words: some are filled up to a round number
_LONGEST_NAME = 80  # letters of a tensor's name that are shown

# --- loading


def misfit(error: ModelError) -> Step:
    """Why weights were not taken, with the names of the tensors in question where they are known."""
    cause: BaseException | None = error.__cause__
    said = str(cause) if isinstance(cause, RuntimeError | KeyError) else ""
    missing, surplus = _names(r"Missing key\(s\)", said), _names(r"Unexpected key\(s\)", said)
    shapes = re.findall(r"size mismatch for ([\w.]+)", said)
    missing = missing or ([str(cause.args[0])] if isinstance(cause, KeyError) and cause.args else [])
    parts = {"missing": missing, "not known": surplus, "of another shape": shapes}
    told = "; ".join(f"{word}: {_listed(names)}" for word, names in parts.items() if names)
    if told:
        advice = "Compare the names with those in the file, and map them in psmooth/models/key_maps.py."
        return Step("weights", "failed", f"The tensors do not fit the network; {told}.", advice)
    advice = "If the files step passed, the file is of another kind than its row says: see psmooth/models/formats.py."
    return Step("weights", "failed", f"{sentence(error)}{f' ({type(cause).__name__})' if cause else ''}", advice)


def _names(head: str, said: str) -> list[str]:
    found = re.search(rf"{head} in state_dict: ((?:\"[^\"]+\"(?:, )?)+)", said)
    return [name[:_LONGEST_NAME] for name in re.findall(r"\"([^\"]+)\"", found[1])] if found else []


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")


def loaded_step(model: MedVLM) -> Step:
    """That the model gives numbers, different ones for different sentences, and is built as published ones are."""
    vectors = [model.embed_texts(SENTENCES), model.embed_images(probe(model)[None].float() / 255)]
    tensors, numbers = model.network.state_dict(), sum(value.numel() for value in model.network.parameters())
    facts = (
        f"All keys fit: {len(tensors):,} tensors, {numbers / 1e6:,.1f} M parameters, logit scale "
        f"{model.logit_scale:.4g}, {activation(model.network) or 'no GELU of its own'}, pixels normalised by "
        f"{_normalisation(model) or 'numbers of its own'}."
    )
    damaged = "The weights are damaged or empty; look at the tensors in the file."
    if not all(vector.isfinite().all() for vector in vectors) or vectors[0].std(0).max() < 1e-6:
        return Step("weights", "failed", f"{facts} Its embeddings are no numbers, or all the same.", damaged)
    if not math.isfinite(model.logit_scale):
        return Step("weights", "failed", f"{facts} Its logit scale is no number.", damaged)
    if oddities := " ".join(_oddities(model)):
        advice = "Compare that with what the authors of the model say of it, before you use it."
        return Step("weights", "doubtful", f"{facts} {oddities}", advice)
    return Step("weights", "passed", facts)


def _normalisation(model: MedVLM) -> str:
    """Whose mean and spread of the colours it is; empty where it is none that is known."""
    scale, shift = (values[0, :, 0, 0].cpu() for values in (model.scale, model.shift))
    found = torch.stack([-shift / scale, 1 / scale])
    known = (name for name, values in _NORMALISATIONS.items() if torch.allclose(found, torch.tensor(values), atol=1e-4))
    return next(known, "")


def _oddities(model: MedVLM) -> Iterator[str]:
    """What the original shares with the files, so that comparing with it says nothing."""
    if not _SCALES[0] <= model.logit_scale <= _SCALES[1]:
        yield f"A trained model has a logit scale between {_SCALES[0]:g} and {_SCALES[1]:,.0f}."
    if not _normalisation(model):
        yield f"Known are {', '.join(_NORMALISATIONS)} as mean and spread of the colours."
    words, rows = getattr(model.tokenizer, "vocab_size", 0), model.text.embed.num_embeddings
    if words and not 0 <= rows - words <= _SPARE_ROWS:
        yield f"Its vocabulary has {words:,} words, and its text tower {rows:,}: it may be that of another model."


def row_step(model: MedVLM, size_line: str) -> Step:
    """Whether the row states what was loaded; ``size_line`` corrects its megabytes where they are wrong."""
    spec = model.spec
    facts = {"input_size": (spec.input_size, model.input_size), "text_length": (spec.text_length, model.text.limit)}
    lines = [f"{name}={found}," for name, (stated, found) in facts.items() if stated not in (0, found)]
    lines += [size_line] if size_line else []
    found = f"{model.input_size} px, {model.text.limit} tokens"
    if lines:
        advice = "Correct the row of psmooth/models/table.py by the lines below."
        return Step("table", "failed", f"Loaded was {found}: the row says something else.", advice, tuple(lines))
    return Step("table", "passed", f"{found}, as the row says." if spec.input_size else f"{found}.")


# --- the original


def probe(model: MedVLM) -> Tensor:
    """The fixed drawn picture as the model sees it, ``(3, size, size)`` uint8."""
    return phantom_crop(model, "blood_cells", "neutrophil", 7)


def original_step(model: MedVLM, files: Files) -> Iterator[Step]:
    """The embeddings of the fixed picture and sentences, held against the library that the files were made for."""
    library = needed_library(model.spec.family)
    if reason := _unavailable(library, files):
        yield Step("original", "skipped", *reason)
        return
    try:
        wanted = _wanted(load_original(model.spec, files), model)
    except ModelError as error:  # what psmooth does not even hand to it
        advice = "Do not load these files with another program: its configuration is not that of its weights."
        yield Step("original", "failed", sentence(error), advice)
        return
    except Exception as error:  # whatever that library has for a word
        found = f"{library} could not load these files ({type(error).__name__}), so nothing is compared."
        yield Step("original", "doubtful", found, f"Load them with {library} by hand, and report what it says.")
        return
    yield _compared(model, files, *wanted)


def _unavailable(library: str, files: Files) -> tuple[str, str] | None:
    """Why there is nothing to compare with, and what to do."""
    if not library:
        return "This project made the model; no other library reads its files.", "Nothing is left to do here."
    for name in dict.fromkeys((library, "transformers")):
        if util.find_spec(name) is None:
            return f"{name} is not installed, so nothing is compared.", "Install it, and run this again."
    wanted = 3 * sum(file.stat().st_size for file in files.weights)  # as they are read, and as a network
    if wanted > free_memory(torch.device("cpu")):
        return f"A second copy needs {wanted / 1e6:,.0f} MB of memory.", "Close other programs, and run this again."
    import open_clip.hf_model

    if library == "open_clip" and open_clip.hf_model.transformers is None:  # as psmooth imports it, to start sooner
        return "open_clip was imported without transformers.", "Run `psmooth models check` in a process of its own."
    return None


def _wanted(original: Original, model: MedVLM) -> tuple[str, Tensor, Tensor]:
    picture = Image.fromarray(probe(model).permute(1, 2, 0).numpy())
    return original.library, original.embed_image(picture), original.embed_texts(SENTENCES)


def _compared(model: MedVLM, files: Files, library: str, image: Tensor, texts: Tensor) -> Step:
    gaps = _gaps(model, image, texts)
    words = f"{library}: the picture differs by at most {gaps[0]:.1e}, the sentences by {gaps[1]:.1e}."
    if max(gaps) <= WITHIN:
        return Step("original", "passed", words)
    with other_gelu(model.network) as other:
        if other and max(_gaps(model, image, texts)) <= WITHIN:
            return _slipped(model, files, words, other)
    parts = [name for name, gap in zip(("image tower", "text tower"), gaps, strict=True) if gap > WITHIN]
    advice = f"Compare the layers of the {' and the '.join(parts)} one by one; do not use the model before."
    return Step("original", "failed", f"{words} At most {WITHIN:g} was expected.", advice)


def _gaps(model: MedVLM, image: Tensor, texts: Tensor) -> tuple[float, float]:
    ours = model.embed_images(probe(model)[None].float() / 255).cpu(), model.embed_texts(SENTENCES).cpu()
    return (ours[0] - image).abs().max().item(), (ours[1] - texts).abs().max().item()


def _slipped(model: MedVLM, files: Files, words: str, other: str) -> Step:
    """All that differs is the GELU: the files say which is right, or nobody does."""
    stated = _stated_gelu(files)
    words = f"{words} With {other} in psmooth they agree: all that differs is the GELU."
    if stated == other or model.spec.family == "hf_clip":
        line = f"quick_gelu={other == 'QuickGELU'},"
        advice = "Set it in the row of psmooth/models/table.py by the line below."
        return Step("original", "failed", f"{words} The files ask for {other}.", advice, (line,))
    if stated:
        return Step("original", "passed", f"{words} config.json asks for it, which this library does not read.")
    advice = "The files do not say which is right: decide by the shares right below, with --scans."
    return Step("original", "doubtful", words, advice)


def _stated_gelu(files: Files) -> str:
    """The GELU that the files ask for in so many words: config.json first, as when it is loaded."""
    beside = (files.read_json("config.json").get("vision_config") or {}).get("hidden_act")
    stated = files.read_json("open_clip_config.json").get("model_cfg", {}).get("quick_gelu")
    quick = beside == "quick_gelu" if beside is not None else stated
    return "" if quick is None else "QuickGELU" if quick else "GELU"
