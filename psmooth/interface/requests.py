"""What a visitor or a program asks for, a run or something to be learned, and what a run then is, resolved once.

It knows nothing about Gradio, or about how a run is shown.
"""

import hashlib
import logging
import os
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
from psmooth.models import MedVLM
from psmooth.prompts import PromptBank
from psmooth.scans import Crop, CropRule, Landmark, Scan, crop_scan, landmarks, open_scan
from psmooth.tasks import Task, own_task

OWN_BANK = "bank:"

log = logging.getLogger("psmooth.interface")


@dataclass(frozen=True, eq=False)
class ChosenScan:
    """A scan on the page, what it shows where that is known, and for a published one ``Gallery.origin_of`` it.

    Attributes:
        source: the scan, or the file that it is read from when it is first asked for.
        address: where a visitor's own came from.
        file: that of a scan with many frames, so that another one can be chosen.
    """

    source: Scan | Upload
    truth: str | None = None
    gallery: dict[str, str | None] | None = None
    address: str = ""
    file: bytes = b""

    @cached_property
    def scan(self) -> Scan:
        """The scan; raises ScanError if its file has none."""
        return open_scan(self.source.read()) if isinstance(self.source, Upload) else self.source

    @property
    def weight(self) -> int:
        """Bytes in memory of a visitor's own scan; the examples are everybody's, and a file is counted as one."""
        own = self.gallery is None and isinstance(self.source, Scan)
        return self.scan.values.nbytes + len(self.file) if own else 0

    def at(self, frame: int) -> "ChosenScan":
        """Another frame of the same file; raises ScanError if there is none."""
        return replace(self, source=open_scan(self.file, frame)) if self.file else self

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

    ``known`` are changes of this very crop to hold a radius against.
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

    def options(self) -> dict[str, Any]:
        """What the engine takes beside model and crop, whether for one method or for all of them."""
        names = ("task", "plan", "noise_level", "denoiser", "banks")
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
        known = tuple(landmarks(crop.pixels, settings.noise_level))
        task, plan = self._task(bank), settings.plan()
        method, denoiser, banks = settings.method, settings.denoiser, ()
        if self.every_method:
            plan, banks = replace(plan, target_radius=None), _fitting(self.banks, model, task, denoiser)
        elif bank is not None:
            method, denoiser, banks = bank.facts.method, _denoiser_before(bank, denoiser), (bank,)
        return ResolvedRun(self.chosen, crop, known, task, plan, settings.noise_level, method, denoiser, banks)

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
    method: str
    denoiser: str
    shots: int

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
        return ResolvedTraining(
            settings.model, settings.read_task(), settings.way, settings.denoiser, int(settings.shots)
        )


def brought(file: Upload | None) -> ChosenScan:
    """An uploaded scan, which is in memory alone from now on; the file too where another of its frames may be chosen.

    Raises:
        ScanError: there is no file, or no scan in it.
    """
    if file is None:
        raise ScanError(views.NO_FILE)
    data = file.read()
    scan = open_scan(data)
    return ChosenScan(scan, address=file.address, file=data if scan.frames > 1 else b"")


def unread(file: Upload | None) -> ChosenScan:
    """An uploaded scan that is read when it is first asked for: from then on it is in memory alone.

    Raises:
        ScanError: there is no file.
    """
    if file is None:
        raise ScanError(views.NO_FILE)
    return ChosenScan(file)
