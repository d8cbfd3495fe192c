"""What a visitor or a program asks for, a run or something to be learned, and what a run then is, resolved once.

It knows nothing about Gradio, or about how a run is shown.
"""

import hashlib
import logging
import os
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

from psmooth import views
from psmooth.certificate import Plan
from psmooth.denoise import without_mirror
from psmooth.errors import BankError, PsmoothError, ScanError
from psmooth.interface.gallery import PHANTOMS, Gallery, read_gallery
from psmooth.interface.settings import OWN_TASK, Settings
from psmooth.interface.uploads import Upload
from psmooth.methods import WAYS, Way
from psmooth.models import MedVLM
from psmooth.noise import grid_noise
from psmooth.prompts import PromptBank
from psmooth.recognition import Finding, recognise
from psmooth.scans import (
    Contents,
    Crop,
    CropRule,
    Landmark,
    Scan,
    check_contrast,
    crop_scan,
    landmarks,
    list_series,
    open_frames,
    open_picture,
    open_scan,
)
from psmooth.scans.read import region_of
from psmooth.scans.series import holds_many
from psmooth.tasks import Task, own_task

OWN_BANK = "bank:"

log = logging.getLogger("psmooth.interface")


@dataclass(frozen=True, eq=False)
class Bundle:
    """What a visitor brought that holds many pictures; all of it stays as it came, in memory alone.

    Attributes:
        address: where it came from.
    """

    contents: Contents
    address: str = ""

    @property
    def weight(self) -> int:
        """Bytes in memory."""
        return self.contents.files.weight

    def open(self, series: int, frame: int | None = None) -> "ChosenScan":
        """A picture of a series, both counted from 1, the middle one by default; raises ScanError."""
        scan = self.contents.open(series, frame)
        is_one_of_many = scan.frames > 1 or scan.series is not None
        return ChosenScan(scan, address=self.address, bundle=self if is_one_of_many else None)


@dataclass(frozen=True, eq=False)
class ChosenScan:
    """A scan on the page, what it shows where that is known, and for a published one ``Gallery.origin_of`` it.

    Attributes:
        source: the scan, or the file that it is read from when it is first asked for.
        address: where a visitor's own came from.
        file: that of a scan with many frames or of a volume, so that another one or another plane can be chosen.
        bundle: what it is one picture of.
        frame, series, plane, region: which picture of the file, folder or zip is read, where that is still to be done.
    """

    source: Scan | Upload
    truth: str | None = None
    gallery: dict[str, str | None] | None = None
    address: str = ""
    file: bytes = b""
    bundle: Bundle | None = None
    frame: int | None = None
    series: int | None = None
    plane: str | None = None
    region: tuple[float, float, float] | None = None

    @cached_property
    def scan(self) -> Scan:
        """The scan; raises ScanError if its file has none."""
        if isinstance(self.source, Upload):
            return open_picture(self.source.read(), self.frame, self.series, self.plane, self.region)
        return self.source

    @property
    def weight(self) -> int:
        """Bytes in memory of a visitor's own scan; the examples are everybody's, and a file is counted as one."""
        own = self.gallery is None and isinstance(self.source, Scan)
        many = self.bundle.weight if self.bundle else len(self.file)
        return self.scan.values.nbytes + many if own else 0

    def at(self, frame: int | None = None, plane: str | None = None) -> "ChosenScan":
        """Another frame of the same file or series, or the middle one of another plane.

        Raises:
            ScanError: there is none.
        """
        if self.bundle:
            return self.bundle.open(self.scan.series or 1, frame)
        seen = frame, plane or self.scan.plane or None
        return replace(self, source=open_scan(self.file, *seen)) if self.file else self

    def frames(self, numbers: Iterable[int]) -> Generator[Scan | None, None, None]:
        """Frames of the same file or series, one after another; None for one that cannot be read."""
        if self.bundle:
            return self.bundle.contents.frames(self.scan.series, numbers)
        plane = self.scan.plane or None
        return open_frames(self.file, numbers, plane) if self.file else (None for _ in numbers)

    def let_go(self) -> None:
        """Of the file, if there is one that was not read."""
        if isinstance(self.source, Upload):
            self.source.drop()

    @cached_property
    def identity(self) -> str:
        """The sha256 of the scan's values: the same scan is known again, and nothing of it is kept."""
        values = self.scan.values
        about = f"{values.dtype.str} {values.shape} ".encode()
        return hashlib.sha256(about + values.tobytes()).hexdigest()


@cache
def gallery() -> Gallery:
    """The examples of the page: what ``PSMOOTH_GALLERY`` names (a folder, or a data set of the Hub), or drawn ones."""
    place = os.environ.get("PSMOOTH_GALLERY", "").strip()
    try:
        return read_gallery(place) if place else PHANTOMS
    except PsmoothError as error:
        log.warning("The gallery cannot be shown: %s Drawn examples stand in for it.", error)
        return PHANTOMS


@cache
def example_scan(index: int) -> ChosenScan:
    """The scan of the gallery with that number, opened once."""
    example = gallery().items[index]
    return ChosenScan(example.open(), example.truth or None, gallery().origin_of(example))


@dataclass(frozen=True, eq=False)
class ResolvedRun:
    """Everything about a run on a scan that is fixed before its first vote: for the engine, and to show its steps.

    ``known`` are changes of this very crop to hold a radius against; ``finding`` is what it looks like, None for an
    example, which is what it is.
    """

    chosen: ChosenScan
    crop: Crop
    known: tuple[Landmark, ...]
    task: Task
    plan: Plan
    noise_level: float
    method: str
    denoiser: str
    banks: tuple[PromptBank, ...]
    finding: Finding | None = None

    def options(self) -> dict[str, Any]:
        """What the engine takes beside model and crop, whether for one method or for all of them."""
        names = ("task", "plan", "noise_level", "denoiser", "banks", "finding")
        return {**{name: getattr(self, name) for name in names}, "gallery": self.chosen.gallery}


@dataclass(frozen=True, eq=False)
class RunRequest:
    """What a visitor or a program asks for: settings, a scan, the part of it, and the visitor's own banks.

    ``every_method`` asks for a comparison; ``unasked`` is the run that the page opens with.
    """

    chosen: ChosenScan
    settings: Settings
    banks: tuple[PromptBank, ...] = ()
    box: tuple[int, int, int, int] | None = None
    every_method: bool = False
    unasked: bool = False

    def resolve(self, model: MedVLM) -> ResolvedRun:
        """The run, once its model and its turn have come; nothing after it asks the settings again.

        Raises:
            PsmoothError: no scan, or a box, window, task, number of votes that cannot be.
        """
        settings, bank = self.settings, self._bank()
        crop = crop_scan(self.chosen.scan, self._rule(model))
        check_contrast(crop)
        known = tuple(landmarks(crop.pixels, settings.noise_level))
        task, plan = self._task(bank), settings.plan()
        method, denoiser, banks = settings.method, settings.denoiser, ()
        if self.every_method:
            plan, banks = replace(plan, target_radius=None, tolerance=None), _fitting(self.banks, model, task, denoiser)
        elif bank is not None:
            method, denoiser, banks = bank.facts.method, _denoiser_before(bank, denoiser), (bank,)
        finding = recognise(model, crop, task) if self.chosen.gallery is None else None
        level = settings.noise_level
        return ResolvedRun(self.chosen, crop, known, task, plan, level, method, denoiser, banks, finding)

    def _bank(self) -> PromptBank | None:
        """The visitor's own bank, if the menu of prompts names one."""
        return next((bank for bank in self.banks if OWN_BANK + bank.sha256 == self.settings.method), None)

    def _task(self, bank: PromptBank | None) -> Task:
        """The one that was chosen; with an own bank the class names may be left to it."""
        if (task := self.settings.read_task()) is not None:
            return task
        if bank is None:
            return own_task(self.settings.class_names, self.settings.template)
        facts = bank.facts
        return Task(OWN_TASK, facts.task, "any", facts.class_ids, facts.class_names, (facts.template,))

    def _rule(self, model: MedVLM) -> CropRule:
        """The model's crop rule, with the box that was chosen and the window of a grey scan."""
        rule, settings, scan = replace(model.crop_rule, box=self.box), self.settings, self.chosen.scan
        if scan.window is None or settings.window_center is None or not settings.window_width:
            return rule
        return replace(rule, window=scan.window_of(settings.window_center, settings.window_width))


def _denoiser_before(bank: PromptBank, chosen: str) -> str:
    """A bank brings the denoiser that it was learned behind; its mirrored form may be chosen."""
    learned_behind = bank.facts.denoiser
    return chosen if without_mirror(chosen) == learned_behind else learned_behind


def _fitting(banks: tuple[PromptBank, ...], model: MedVLM, task: Task, denoiser: str) -> tuple[PromptBank, ...]:
    return tuple(bank for bank in banks if _fits(bank, model, task, denoiser))


def _fits(bank: PromptBank, model: MedVLM, task: Task, denoiser: str) -> bool:
    try:
        bank.check(model, task, denoiser)
    except BankError:
        return False
    return True


@dataclass(frozen=True)
class ResolvedTraining:
    """Everything about a bank that is fixed before it is learned; without a ``task`` folders name the classes.

    It crosses to a lent GPU, so it holds no file.
    """

    model: str | None
    task: Task | None
    way: Way
    denoiser: str
    shots: int
    noise_level: float

    @property
    def drawn(self) -> str:
        """The task whose phantoms are drawn where there are no scans."""
        return self.task.id if self.task else OWN_TASK


@dataclass(frozen=True)
class TrainingRequest:
    """What a visitor asks to be learned; without an ``archive`` phantoms of the task are drawn."""

    archive: Upload | None
    settings: Settings

    def resolve(self) -> ResolvedTraining:
        """What is learned; nothing after it asks the settings again.

        Raises:
            PsmoothError: class names that cannot be.
        """
        settings = self.settings
        if settings.way not in WAYS:
            raise BankError(
                "There is no way '{way}' to learn; it must be one of {known}.",
                way=settings.way[:40],
                known=", ".join(WAYS),
            )
        grid_noise(settings.noise_level)  # refuses what is no noise level
        return ResolvedTraining(
            settings.model,
            settings.read_task(),
            WAYS[settings.way],
            settings.denoiser,
            int(settings.shots),
            settings.noise_level,
        )


def brought(file: Upload | None) -> ChosenScan | Bundle:
    """An uploaded scan, which is in memory alone from now on; the file too where another of its frames may be chosen.

    Several series are a bundle, of which one is to be chosen.

    Raises:
        ScanError: there is no file, or no scan in it.
    """
    if file is None:
        raise ScanError(views.NO_FILE)
    data = file.read()
    if holds_many(data):
        bundle = Bundle(list_series(data), file.address)
        return bundle if len(bundle.contents.series) > 1 else bundle.open(1)
    scan = open_scan(data)
    return ChosenScan(scan, address=file.address, file=data if scan.frames > 1 or scan.plane else b"")


def unread(
    file: Upload | None, frame: float | None = None, series: float | None = None, plane: str = "", region: str = ""
) -> ChosenScan:
    """An uploaded scan that is read when it is first asked for: from then on it is in memory alone.

    Args:
        frame, series: which picture of it; None is the middle one of the one series.
        plane, region: of a volume, and of a whole slide as left,top,magnification; "" is the usual one.

    Raises:
        ScanError: there is no file, or the region is none.
    """
    if file is None:
        raise ScanError(views.NO_FILE)
    part = region_of(region) if region else None
    return ChosenScan(file, frame=_place(frame), series=_place(series), plane=plane or None, region=part)


def _place(number: float | None) -> int | None:
    """A place in a list as programs send it."""
    return None if number is None else int(number)
