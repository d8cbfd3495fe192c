"""Reads folders of labelled scans: which files there are, what each is called, and what of them can be read.

It knows nothing about votes or records.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from psmooth.errors import ScanError
from psmooth.models import MedVLM
from psmooth.scans import Crop, crop_scan, is_scan_name, open_scan
from psmooth.tasks import Task


def labelled_files(
    folder: Path, task: Task, most: int | None = None, seed: int | None = None
) -> list[tuple[Path, str]]:
    """Scans in sub-folders named as the class ids, with their class.

    Args:
        folder: of the sub-folders.
        task: whose classes they are.
        most: scans in all, spread evenly over classes, rounded up to the same number a class; None is every scan.
        seed: of the shuffle that says which come first; a larger ``most`` adds to those of a smaller one. None takes
            them by name.

    Raises:
        ScanError: the folder lacks a class.
    """
    each = -(-most // len(task.class_ids)) if most else None
    found = {class_id: pictures_in(folder / class_id) for class_id in task.class_ids}
    if seed is not None:
        for files in found.values():
            random.Random(seed).shuffle(files)
    _check_classes(folder, {class_id: len(files) for class_id, files in found.items()})
    return [(file, class_id) for class_id, files in found.items() for file in files[:each]]


def _check_classes(folder: Path, scans: Mapping[str, int]) -> None:
    if empty := [class_id for class_id, count in scans.items() if not count]:
        raise ScanError(
            "{folder} needs a sub-folder of scans for every class; without scans: {empty}.",
            folder=folder.name,
            empty=", ".join(empty),
        )


def pictures_in(folder: Path) -> list[Path]:
    """The scans under a folder, in order of their names; what systems and programs hide beside them is passed over."""
    names = {file.relative_to(folder): file for file in folder.rglob("*")}
    found = {name.as_posix(): file for name, file in names.items() if is_scan_name(name) and file.is_file()}
    return [found[name] for name in sorted(found)]


@dataclass(frozen=True)
class Readable:
    """The scans of a folder that count, each picture once: file and class by the sha256 of the crop.

    ``unreadable`` files stand with what is wrong with them, ``repeated`` ones show a picture that counts already. All
    names are paths within the folder.
    """

    seen: Mapping[str, tuple[Path, str]]
    unreadable: tuple[tuple[str, ScanError], ...]
    repeated: tuple[str, ...]

    @property
    def files(self) -> tuple[tuple[Path, str], ...]:
        """The files with their class."""
        return tuple(self.seen.values())


def look_over(model: MedVLM, folder: Path, files: Sequence[tuple[Path, str]], strict: bool = False) -> Readable:
    """Read every scan once before the first vote; a file that cannot be read is left out, or with ``strict`` refused.

    Raises:
        ScanError: the same picture, as the model sees it, lies under two classes; no scan of a class can be read.
    """
    seen: dict[str, tuple[Path, str]] = {}
    unreadable: list[tuple[str, ScanError]] = []
    repeated: list[str] = []
    for file, label in files:
        name = file.relative_to(folder).as_posix()
        try:
            crop = _crop(model, file)
        except ScanError as error:
            if strict:
                raise ScanError("{file}: {reason}", file=name, reason=error) from None
            unreadable.append((name, error))
            continue
        first, known = seen.setdefault(crop.sha256, (file, label))
        if known != label:
            raise ScanError(
                "{first} and {second} are the same picture under two classes. Leave it under the right one.",
                first=first.relative_to(folder).as_posix(),
                second=name,
            )
        if first != file:
            repeated.append(name)
    kept = [label for _, label in seen.values()]
    _check_classes(folder, {label: kept.count(label) for _, label in files})
    return Readable(seen, tuple(unreadable), tuple(repeated))


def read_crops(model: MedVLM, files: Sequence[Path]) -> Tensor:
    """The crops of files as the model sees them, ``(n, 3, size, size)`` uint8.

    Raises:
        ScanError: a file cannot be read; it is named.
    """
    return torch.stack([torch.from_numpy(named_crop(model, file).pixels.copy()) for file in files])


def sha256_or_none(model: MedVLM, file: Path) -> str | None:
    """Of the crop; None for a file that cannot be read."""
    try:
        return _crop(model, file).sha256
    except ScanError:
        return None


def named_crop(model: MedVLM, file: Path) -> Crop:
    try:
        return _crop(model, file)
    except ScanError as error:
        raise ScanError("{file}: {reason}", file=str(file), reason=error) from None


def _crop(model: MedVLM, file: Path) -> Crop:
    return crop_scan(open_scan(file), model.crop_rule)
