"""Reads the weights of a model from its files, and puts them into a network strictly.

It knows nothing about formats: which network it is, and what its tensors are called, others say.
"""

import pickle
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from psmooth.errors import ModelError
from psmooth.models.files import LARGEST_CONFIG, Files, check_content
from psmooth.models.key_maps import State
from psmooth.models.table import ModelSpec

MOST_BLOCKS, MOST_TENSORS = 256, 10_000  # several times what the largest CLIP has

_SLACK = 2**24  # numbers that a network holds beside its weights: masks and tables of places


class DualEncoder(nn.Module):
    """An image tower, a text tower, and the logarithm of the factor between cosines and logits."""

    def __init__(self, visual: nn.Module, text: nn.Module, bias: bool = False) -> None:
        super().__init__()
        self.visual, self.text = visual, text
        self.logit_scale = nn.Parameter(torch.zeros(()))
        if bias:
            self.logit_bias = nn.Parameter(torch.zeros(()))

    def encode_image(self, pixels: Tensor) -> Tensor:
        return self.visual(pixels)


def read_state(spec: ModelSpec, files: Iterable[Path]) -> State:
    """All tensors of the files, those of floating point as float32; pickles are read without running any code."""
    state: State = {}
    files = tuple(files)
    for file in files:
        check_content(file)
    try:
        for file in files:
            state |= _named(load_file(file) if file.suffix == ".safetensors" else _read_pickle(file))
    except pickle.UnpicklingError as error:
        raise ModelError(
            "The weights of '{model}' hold more than tensors and could run code; they are not read. Convert them to "
            "safetensors on a machine that may run them.",
            model=spec.id,
        ) from error
    except (
        SafetensorError, RuntimeError, OSError, ValueError, EOFError, LookupError, TypeError, AttributeError,
        zipfile.BadZipFile,
    ) as error:  # fmt: skip
        raise misfit(spec) from error
    _check_bytes(spec, state, sum(file.stat().st_size for file in files))
    return {key: value.float() if value.is_floating_point() else value for key, value in state.items()}


def _read_pickle(file: Path) -> Any:
    with file.open("rb") as opened:
        zipped = opened.read(4) == b"PK\x03\x04"
    if zipped:
        _check_zip(file)
    found = torch.load(file, map_location="cpu", weights_only=True, mmap=zipped)  # torch before 1.6 wrote no zip
    return found["state_dict"] if isinstance(found, dict) and "state_dict" in found else found


def _check_zip(file: Path) -> None:
    """Raise ValueError unless each entry stands in the file as it is, once: torch writes no other."""
    with zipfile.ZipFile(file) as opened:
        entries = opened.infolist()
    packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if packed or sum(entry.file_size for entry in entries) > file.stat().st_size:
        raise ValueError(file.name)


def _named(found: Any) -> State:
    """Tensors by name, without what torch.compile and data parallel training put before the names; else ValueError."""
    plain = isinstance(found, dict) and all(isinstance(key, str) and _is_plain(value) for key, value in found.items())
    named = {key.replace("_orig_mod.", "").removeprefix("module."): value for key, value in found.items()}
    if not plain or len(named) != len(found) or len(named) > MOST_TENSORS:
        raise ValueError
    return named


def _is_plain(value: Any) -> bool:
    dense = isinstance(value, Tensor) and value.layout == torch.strided and not value.is_quantized
    return dense and value.device.type == "cpu"


def _check_bytes(spec: ModelSpec, state: State, size: int) -> None:
    """Raise ModelError where a few bytes of the files stand for many: a pickle can repeat and expand what it stores."""
    expanded = any(value.nbytes > value.untyped_storage().nbytes() for value in state.values())
    if expanded or sum(value.nbytes for value in state.values()) > 2 * size + LARGEST_CONFIG:
        raise ModelError(
            "The weights of '{model}' are expanded: their tensors are larger than the file that they stand in, and are "
            "not read. Save them whole, as safetensors.",
            model=spec.id,
        )


def read_mapped(spec: ModelSpec, files: Files, rename: Callable[[State], State]) -> State:
    state = read_state(spec, files.weights)
    try:
        return rename(state)
    except RuntimeError as error:  # queries, keys and values of different sizes
        raise misfit(spec) from error


def misfit(spec: ModelSpec) -> ModelError:
    return ModelError(
        "The weights of '{model}' do not fit its network or are damaged. Fetch the model again.", model=spec.id
    )


def build(spec: ModelSpec, make: Callable[[], nn.Module], state: State) -> nn.Module:
    """The network, once it is known to be no larger than its weights: a first one has shapes and no memory."""
    try:
        if spec.family != "bundled":
            with torch.device("meta"):
                empty = make()
            held = sum(value.numel() for value in (*empty.parameters(), *empty.buffers()))
            if held > 2 * sum(value.numel() for value in state.values()) + _SLACK:
                raise misfit(spec)
        return make()
    except ModelError:
        raise
    except KeyError as error:  # a size was to be read off a tensor that is not there
        raise misfit(spec) from error
    except Exception as error:  # open_clip, timm and transformers raise anything on an unknown architecture
        raise ModelError("The network of '{model}' cannot be built from its configuration.", model=spec.id) from error


def load_strictly(spec: ModelSpec, network: nn.Module, state: State) -> nn.Module:
    """Strictly: a missing or a surplus key is an error. A scalar may have been saved as a vector of one."""
    shapes = {key: value.shape for key, value in network.state_dict().items() if value.numel() == 1}
    scalars = {
        key: state[key].reshape(shape) for key, shape in shapes.items() if key in state and state[key].numel() == 1
    }
    try:
        network.load_state_dict(state | scalars)
    except RuntimeError as error:
        raise misfit(spec) from error
    return network


def count(state: State, prefix: str) -> int:
    """How many numbered blocks stand behind the prefix."""
    found = len({key.removeprefix(prefix).split(".")[0] for key in state if key.startswith(prefix)})
    if found > MOST_BLOCKS:
        raise ValueError(prefix)
    return found
