"""Fetches the files of a model and compares their names, sizes and sha256 with the table and with what the Hub lists.

It knows nothing about what the files hold.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from psmooth import hub as hubs
from psmooth.errors import ModelError
from psmooth.hub import Hub, Progress
from psmooth.model_check.step import Step
from psmooth.models import ModelSpec, folder_of, repository_of
from psmooth.models.formats import detect_format
from psmooth.models.load import weights_in
from psmooth.models.table import BERT_FILES, HF_FILES, OPEN_CLIP_FILES

_TOLERANCE = 0.02  # of the megabytes in the table, which are about
_TABLE = "psmooth/models/table.py"


@dataclass(frozen=True)
class File:
    """One file of a model.

    Attributes:
        path: where it lies.
        name: what it is called in a report.
        sha256: of its bytes.
        listed: the bytes that it should have, where the Hub lists them.
        tag: the sha256 that the Hub gave it, where it is a large file of the Hub's.
        recorded: the sha256 in the table.
    """

    path: Path
    name: str
    sha256: str
    listed: int | None
    tag: str | None
    recorded: str | None

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def remove(self) -> None:
        """So that it is fetched again: what huggingface_hub shows in its folder points to where the bytes are."""
        self.path.resolve().unlink()
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Fetched:
    """The files of a model, the weights last, and the commit that they are from; empty where there is none."""

    files: tuple[File, ...]
    commit: str = ""

    @property
    def weights(self) -> File:
        return self.files[-1]


def fetch_files(spec: ModelSpec, progress: Progress | None, hub: Hub) -> Fetched:
    """The files of a model's row, from the cache or from where they are published.

    Raises:
        HubError: they cannot be had, or a zip is not the one on record.
    """
    kind, names = spec.weights.split(":", 1)[0], (*spec.files, *spec.weight_files)
    if kind == "hf-hub":
        repo, revision = repository_of(spec)
        found = hubs.fetch(repo, revision, spec.files, first_of=spec.weight_files, progress=progress, hub=hub)
        sizes = hubs.listed_sizes(repo, found.revision, hub)
        chosen = next(name for name in spec.weight_files if (found.folder / name).is_file())
        present = [name for name in (*spec.files, chosen) if (found.folder / name).is_file()]
        return Fetched(tuple(_file(spec, found.folder / name, sizes) for name in present), found.revision)
    if kind == "https":
        sha256 = dict(spec.sha256)[spec.weights.rsplit("/", 1)[-1]]
        unpacked = hubs.fetch_zip(spec.weights, sha256, progress=progress, hub=hub).folder
        return Fetched(tuple(_file(spec, file, {}) for name in names for file in unpacked.rglob(name)))
    folder = folder_of(spec)
    here = [(folder / name, name) for name in names] or list(_read_of(folder, spec))
    there = here if here[-1][0].is_file() else []  # without weights the rest says nothing
    return Fetched(tuple(_file(spec, file, {}, told) for file, told in there if file.is_file()))


def _read_of(folder: Path, spec: ModelSpec) -> Iterator[tuple[Path, str]]:
    """What a model of a folder is read from, its weights last, and what each is called.

    What else lies there is nobody's business, nor what somebody called a checkpoint.
    """
    beside = (*OPEN_CLIP_FILES, *HF_FILES, *BERT_FILES, "spiece.model")
    yield from ((folder / name, name) for name in dict.fromkeys(beside))
    with suppress(ModelError, StopIteration):  # whoever loads it says what is wrong
        weights = weights_in(folder, replace(spec, family=detect_format(folder)))
        yield weights, "a .pt file" if weights.suffix == ".pt" else weights.name


def _file(spec: ModelSpec, path: Path, sizes: dict[str, int], told: str = "") -> File:
    tag = path.resolve().name  # huggingface_hub keeps a file under its tag, which of a large file is its sha256
    return File(
        path,
        told or path.name,
        hubs.sha256_of([path]),
        sizes.get(path.name),
        tag if len(tag) == 64 and path.is_symlink() else None,
        dict(spec.sha256).get(path.name),
    )


# --- what they come to


def check_files(spec: ModelSpec, fetched: Fetched) -> Step:
    """Names and sizes, and the bytes that the Hub says it sent; a file that is cut off or damaged is removed."""
    for file in fetched.files:
        if file.listed is not None and file.size != file.listed:
            found = f"{file.name} has {file.size:,} of {file.listed:,} bytes: it is cut off."
            file.remove()
            return Step("files", "failed", found, "It was removed; run this again, and it is fetched anew.")
        if file.tag is not None and file.tag != file.sha256:
            file.remove()
            found = f"{file.name} has not the sha256 that the Hub gives for it: it is damaged on this disk."
            return Step("files", "failed", found, "It was removed; run this again, and it is fetched anew.")
    here = ", ".join(f"{file.name} {file.size:,} B" for file in fetched.files)
    absent = [name for name in spec.files if name not in {file.name for file in fetched.files}]
    missing = f" Not there, and not always needed: {', '.join(absent)}." if absent else ""
    return Step("files", "passed", f"{here}.{missing}")


def check_digests(spec: ModelSpec, fetched: Fetched) -> Step:
    """The sha256 of the table, and the line to add where it has none for the weights."""
    for file in fetched.files:
        if file.recorded not in (None, file.sha256):
            return Step(
                "sha256",
                "failed",
                f"{file.name} has the sha256 {file.sha256}, and {file.recorded} is on record.",
                f"Do not use this file: its source has changed or the record is wrong. Find out which before {_TABLE} "
                "is touched.",
            )
    if fetched.weights.recorded:
        return Step("sha256", "passed", f"{fetched.weights.name} is the file on record.")
    if spec.weights.startswith(("local-dir:", "bundled:")):
        return Step("sha256", "passed", f"{fetched.weights.name}: {fetched.weights.sha256}; nothing is on record.")
    kept = [*spec.sha256, (fetched.weights.name, fetched.weights.sha256)]
    line = "sha256=(" + ", ".join(f'("{name}", "{sha256}")' for name, sha256 in kept) + ",),"
    found = f"The table has no sha256 of {fetched.weights.name}."
    return Step("sha256", "doubtful", found, f"Once all else passes, add the line below to {_TABLE}.", (line,))


def check_pin(spec: ModelSpec, fetched: Fetched, newest: str | None) -> Step:
    """Whether the row of a model on the Hub is pinned to a commit, and whether the repository has moved on."""
    repo, revision = repository_of(spec)
    if revision == fetched.commit:
        moved = f" main is at {newest} by now." if newest not in (None, revision) else ""
        return Step("pin", "passed", f"{repo} at {revision[:8]}, as pinned.{moved}")
    found = f"The row follows {revision}, which is {fetched.commit} today."
    advice = f"Once all else passes, pin it by the line below in {_TABLE}."
    return Step("pin", "doubtful", found, advice, (pin_line(repo, fetched.commit),))


def pin_line(repo: str, commit: str) -> str:
    """The line of a row that pins it to a commit."""
    return f'weights="hf-hub:{repo}@{commit}",'


def size_line(spec: ModelSpec, fetched: Fetched) -> str:
    """The line that corrects the megabytes of a row; empty where they are right, or where there are none."""
    if not spec.megabytes or not fetched.files:
        return ""
    found = round(fetched.weights.size / 1e6)
    return f"megabytes={found:_}," if abs(found - spec.megabytes) > max(1, _TOLERANCE * spec.megabytes) else ""
