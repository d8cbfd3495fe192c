"""Gathers the examples that a page offers: drawn ones, a folder, or a data set of the Hub, each with its licence.

It knows nothing about models or pages. A folder or a data set is in the Hub's ImageFolder form: pictures and a
``metadata.csv`` with ``file_name``, and where they are known ``label``, ``task``, ``source`` and ``licence``; where a
row has no licence, the card's holds. Pictures of a data set are shown from the Hub's own cache and copied nowhere else:
its card may forbid handing them on.
"""

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from psmooth.errors import ScanError
from psmooth.hub import DEFAULT, Hub, fetch
from psmooth.phantoms import draw_phantom
from psmooth.scans import MAX_FILE_BYTES, Scan, open_scan
from psmooth.tasks import TASKS

METADATA, CARD = "metadata.csv", "README.md"
MOST = 24
_LARGEST_TABLE = 16_000_000  # bytes
_LONGEST_HEAD = 20_000  # characters of a card
_LONGEST_TEXT = 200  # of what is shown beside a picture
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
    """Examples in the order in which they are shown; ``revision`` is the commit of a data set, else None."""

    name: str
    revision: str | None
    items: tuple[Example, ...]

    @property
    def source(self) -> str:
        """Where it comes from, as words."""
        return f"{self.name} @ {self.revision}" if self.revision else self.name

    def origin_of(self, example: Example) -> dict[str, str | None]:
        """What a certificate records of a scan that was chosen here; never which of the files it is."""
        about = {"licence": example.licence or None, "source": example.source or None}
        return {"id": self.name, "revision": self.revision, **about}


def _drawn(task: str, class_id: str, seed: int, name: str) -> Example:
    truth = TASKS[task].class_name(class_id)
    return Example(task, class_id, name, truth, "Apache-2.0", "drawn by psmooth", seed)


PHANTOMS = Gallery(
    "drawn examples",
    None,
    (
        _drawn("blood_cells", "monocyte", 2, "mono\u00adcyte"),
        _drawn("blood_cells", "neutrophil", 1, "neutro\u00adphil"),
        _drawn("blood_cells", "eosinophil", 2, "eosino\u00adphil"),
        _drawn("blood_cells", "immature_granulocyte", 8, "immature granu\u00adlocyte"),
        _drawn("chest_xray", "normal", 1, "nor\u00admal lungs"),
        _drawn("chest_xray", "bacterial_pneumonia", 1, "bacterial pneu\u00admonia"),
        _drawn("lung_colon_histology", "benign_colonic_tissue", 1, "benign colo\u00adnic tissue"),
        _drawn("lung_colon_histology", "colon_adenocarcinoma", 1, "colon adeno\u00adcarci\u00adnoma"),
        _drawn("oral_histology", "oral_squamous_cell_carcinoma", 5, "oral cancer"),
        _drawn("brain_mri", "meningioma", 2, "menin\u00adgioma"),
        _drawn("breast_ultrasound", "benign", 2, "benign lesion"),
        _drawn("dermoscopy", "melanoma", 3, "mela\u00adnoma"),
    ),
)


def read_gallery(place: str, hub: Hub = DEFAULT) -> Gallery:
    """A folder, or a data set as ``OWNER/NAME[@REVISION]``; the first 24 rows of either.

    Raises:
        ScanError: no metadata.csv that can be read, no column file_name, no picture, or one that is missing, too large
            or outside of the folder.
        HubError: the data set cannot be had.
    """
    folder = Path(place).expanduser()
    if folder.is_dir():
        name = folder.absolute().name or "a folder"
        return Gallery(name, None, _items(folder, name, ""))
    repo, _, revision = place.partition("@")
    listed = fetch(repo, revision or "main", (METADATA, CARD), repo_type="dataset", hub=hub)
    names = [row["file_name"] for row in _rows(listed.folder, repo)]
    found = fetch(repo, listed.revision, (METADATA, *names), repo_type="dataset", hub=hub)
    return Gallery(repo, found.revision, _items(found.folder, repo, f"{repo} on the Hub"))


def _rows(folder: Path, called: str) -> list[dict[str, str]]:
    file = folder / METADATA
    if not file.is_file():
        raise ScanError("{called} is no gallery: it needs a metadata.csv with the column file_name.", called=called)
    if file.stat().st_size > _LARGEST_TABLE:
        raise ScanError(
            "metadata.csv is larger than {megabytes} MB. Give one that lists a few pictures.",
            megabytes=_LARGEST_TABLE // 10**6,
        )
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = [_stripped(row) for row, _ in zip(csv.DictReader(lines), range(MOST), strict=False)]
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise ScanError("metadata.csv cannot be read; it should be a table with commas between, in UTF-8.") from error
    if not rows or not all(row.get("file_name") for row in rows):
        raise ScanError("metadata.csv needs a column file_name, with a picture in every row.")
    for row in rows:
        _check_name(row["file_name"])
    return rows


def _stripped(row: dict[str, str | None]) -> dict[str, str]:
    """A row without what stands beyond the last column, which csv gives as a list under None."""
    return {name.strip(): (value or "").strip() for name, value in row.items() if isinstance(name, str)}


def _check_name(name: str) -> None:
    path, windows = PurePosixPath(name), PureWindowsPath(name)
    if path.is_absolute() or windows.drive or windows.root or ".." in (*path.parts, *windows.parts):
        raise ScanError("metadata.csv names a file outside of its folder; only files beneath it are shown.")
    if set(name) & set("*?[]"):
        raise ScanError("metadata.csv names a file with one of * ? [ ] in it; rename '{name}'.", name=name[:40])


def _items(folder: Path, called: str, source: str) -> tuple[Example, ...]:
    """The examples of a folder; ``source`` and the card's licence hold where a row has none of its own."""
    licence = _card_licence(folder / CARD)
    return tuple(_item(folder, row, source, licence) for row in _rows(folder, called))


def _card_licence(card: Path) -> str:
    """What a data set's card states for all of it at its head; "" where there is no card or it states nothing."""
    text = card.read_text("utf-8", errors="replace")[:_LONGEST_HEAD] if card.is_file() else ""
    head = text.split("---")[1] if text.startswith("---") else ""
    named = dict(re.findall(r"^(license|license_name):[ \t]*(\S[^\n]*?)[ \t\r]*$", head, re.MULTILINE))
    return named.get("license_name", named.get("license", "")).strip("\"'")


def _item(folder: Path, row: dict[str, str], source: str, licence: str) -> Example:
    file = folder / row["file_name"]
    if not file.is_file():
        raise ScanError("metadata.csv names a picture that is not there. Fetch the gallery again, or take the row out.")
    if file.stat().st_size > MAX_FILE_BYTES:
        raise ScanError(
            "A picture of the gallery is larger than {megabytes} MB. Take its row out.",
            megabytes=MAX_FILE_BYTES // 10**6,
        )
    label = _first(row, _LABELS, "")
    task, class_id = _known(label, row.get("task", ""))
    truth = TASKS[task].class_name(class_id) if class_id else label
    licence, source = _first(row, _LICENCES, licence), _first(row, ("source",), source)
    return Example(task, class_id, truth or file.stem, truth, licence, source, file=file)


def _first(row: dict[str, str], names: tuple[str, ...], otherwise: str) -> str:
    found = next((row[name] for name in names if row.get(name)), otherwise)
    return found if len(found) <= _LONGEST_TEXT else found[: _LONGEST_TEXT - 1] + "…"


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
