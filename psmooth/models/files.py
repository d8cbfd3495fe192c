"""Says which files a model is read from, and reads what they say of themselves.

It knows nothing about networks or weights.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from psmooth.errors import ModelError
from psmooth.models.text_towers import Tokenizer
from psmooth.scans import CropRule

LARGEST_CONFIG = 2**22  # bytes of a configuration


@dataclass(frozen=True, eq=False)
class Parts:
    """What was built: the network with its weights, and how a scan and words become its input."""

    network: nn.Module
    tokenizer: Tokenizer
    crop_rule: CropRule
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Files:
    """Where the files of a model lie: its folder, its weights (several are read as one), its vocabulary."""

    folder: Path
    weights: tuple[Path, ...]
    words: Path

    def read_json(self, name: str) -> dict[str, Any]:
        """An optional JSON file: empty where it is missing."""
        file = self.folder / name
        if not file.is_file():
            return {}
        try:
            return read_config(file)
        except ValueError as error:
            raise ModelError("{name} is not JSON that can be read. Fetch the model again.", name=name) from error


def read_config(file: Path) -> dict[str, Any]:
    """What a JSON file says.

    Raises:
        ModelError: something else lies in its place.
        ValueError: it is no JSON object, nested too deeply, or too large for a configuration.
    """
    check_content(file)
    if file.stat().st_size > LARGEST_CONFIG:
        raise ValueError(file.name)
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(file.name) from error
    if not isinstance(config, dict):
        raise ValueError(file.name)
    return config


def shown(config: object) -> str:
    """A word of a configuration as a sentence can hold it: short, and without what cannot be encoded."""
    return str(config)[:60].encode("utf-8", "replace").decode()


def check_content(file: Path) -> None:
    """Raise ModelError where a file holds what often comes in its place."""
    with file.open("rb") as opened:
        head = opened.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"version https://git-lfs"):
        raise ModelError(
            "{file} is a Git LFS pointer, three lines that stand for the file. Run `git lfs pull` where it was cloned, "
            "or fetch the file itself.",
            file=file.name,
        )
    if head.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        raise ModelError(
            "{file} is a web page, as a proxy or a login sends it in the place of a file. Fetch the file again, or on "
            "another network.",
            file=file.name,
        )
