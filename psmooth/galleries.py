"""Gathers the examples that a page offers: drawn ones, a folder, or a data set of the Hub, each with its licence.

It knows nothing about models or pages. A folder or a data set is in the Hub's ImageFolder form: pictures and a
``metadata.csv`` with ``file_name``, and where they are known ``label``, ``task``, ``source`` and ``licence``. Pictures
of a data set are shown from the Hub's own cache and copied nowhere else: its card may forbid handing them on.
"""

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from psmooth.errors import ScanError
from psmooth.hub import DEFAULT, Hub, fetch
from psmooth.phantoms import draw_phantom
from psmooth.scans import MAX_FILE_BYTES, Scan, open_scan
from psmooth.tasks import TASKS

METADATA = "metadata.csv"
MOST = 24
_LABELS = ("label", "class", "diagnosis")
_LICENCES = ("licence", "license")


@dataclass(frozen=True)
class Example:
    """One scan of a gallery.

    ``class_id`` and ``task`` are "" where they are not known, ``truth`` then holds the label as it stands. A drawn
    example has a ``seed``, any other a ``file``.
    """

    task: str
    class_id: str
    name: str
    truth: str
    licence: str = ""
    source: str = ""
    seed: int = 0
    file: Path | None = field(default=None, repr=False)

    def open(self) -> Scan:
        """The scan itself; raises ScanError."""
        if self.file is None:
            return open_scan(draw_phantom(self.task, self.class_id, self.seed).pixels)
        return open_scan(self.file)


@dataclass(frozen=True)
class Gallery:
    """Examples in the order in which they are shown; ``revision`` is the commit of a data set."""

    name: str
    revision: str | None
    items: tuple[Example, ...]


def _drawn(task: str, class_id: str, seed: int, name: str) -> Example:
    truth = TASKS[task].class_name(class_id)
    return Example(task, class_id, name, truth, "Apache-2.0", "drawn by psmooth", seed)


PHANTOMS = Gallery(
    "drawn examples",
    None,
    (
        _drawn("blood_cells", "monocyte", 2, "monocyte"),
        _drawn("blood_cells", "neutrophil", 1, "neutro\u00adphil"),
        _drawn("blood_cells", "eosinophil", 2, "eosino\u00adphil"),
        _drawn("blood_cells", "immature_granulocyte", 8, "immature granu\u00adlocyte"),
        _drawn("chest_xray", "normal", 1, "normal lungs"),
        _drawn("chest_xray", "bacterial_pneumonia", 1, "bacterial pneu\u00admonia"),
        _drawn("lung_colon_histology", "benign_colonic_tissue", 1, "benign colonic tissue"),
        _drawn("lung_colon_histology", "colon_adenocarcinoma", 1, "colon adeno\u00adcarci\u00adnoma"),
    ),
)


def read_gallery(place: str, hub: Hub = DEFAULT) -> Gallery:
    """A folder, or a data set as ``OWNER/NAME[@REVISION]``.

    Raises:
        ScanError: no metadata.csv, no column file_name, no picture, or one that is missing or too large.
        HubError: the data set cannot be had.
    """
    folder = Path(place).expanduser()
    if folder.is_dir():
        return Gallery(folder.name, None, _items(folder))
    repo, _, revision = place.partition("@")
    listed = fetch(repo, revision or "main", (METADATA,), repo_type="dataset", hub=hub)
    names = [row["file_name"] for row in _rows(listed.folder)]
    found = fetch(repo, listed.revision, (METADATA, *names), repo_type="dataset", hub=hub)
    return Gallery(repo, found.revision, _items(found.folder))


def _rows(folder: Path) -> list[dict[str, str]]:
    file = folder / METADATA
    if not file.is_file():
        raise ScanError(f"{folder.name} is no gallery: it needs a {METADATA} with the column file_name.")
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = [
            {(key or "").strip(): (value or "").strip() for key, value in row.items()} for row in csv.DictReader(lines)
        ]
    if not rows or not all(row.get("file_name") for row in rows):
        raise ScanError(f"{METADATA} needs a column file_name, with a picture in every row.")
    for row in rows:
        path = PurePosixPath(row["file_name"])
        if path.is_absolute() or ".." in path.parts:
            raise ScanError(f"{METADATA} names a file outside of its folder; only files beneath it are shown.")
    return rows[:MOST]


def _items(folder: Path) -> tuple[Example, ...]:
    return tuple(_item(folder, row) for row in _rows(folder))


def _item(folder: Path, row: dict[str, str]) -> Example:
    file = folder / row["file_name"]
    if not file.is_file():
        raise ScanError(f"{METADATA} names a picture that is not there. Fetch the gallery again, or take the row out.")
    if file.stat().st_size > MAX_FILE_BYTES:
        raise ScanError(f"A picture of the gallery is larger than {MAX_FILE_BYTES // 2**20} MB.")
    label = next((row[name] for name in _LABELS if row.get(name)), "")
    task, class_id = _known(label, row.get("task", ""))
    truth = TASKS[task].class_name(class_id) if class_id else label
    licence = next((row[name] for name in _LICENCES if row.get(name)), "")
    return Example(task, class_id, truth or file.stem, truth, licence, row.get("source", ""), file=file)


def _known(label: str, task_id: str) -> tuple[str, str]:
    """Task and class of a label, where exactly one task has such a class; the task alone if only that is known."""
    wanted = [task_id] if task_id in TASKS else list(TASKS)
    found = [
        (task, class_id)
        for task in wanted
        for class_id, words in zip(TASKS[task].class_ids, TASKS[task].class_names, strict=True)
        if _plain(label) in (_plain(class_id), _plain(words))
    ]
    if len(found) == 1:
        return found[0]
    return (task_id, "") if task_id in TASKS else ("", "")


def _plain(words: str) -> str:
    return " ".join(re.sub(r"[_\W]+", " ", words).casefold().split())
