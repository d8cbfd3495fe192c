"""What a visitor or a program asks for, as the controls have it: a run, or something to be learned.

It knows nothing about Gradio, or about how a run is shown.
"""

import hashlib
import logging
import os
from dataclasses import dataclass, replace
from functools import cache, cached_property

from psmooth import views
from psmooth.certificate import Plan
from psmooth.denoise import without_mirror
from psmooth.errors import PlanError, PsmoothError, ScanError
from psmooth.interface.gallery import PHANTOMS, Gallery, read_gallery
from psmooth.interface.uploads import Upload
from psmooth.learning.from_folders import Gathered
from psmooth.models import MedVLM
from psmooth.prompts import PromptBank
from psmooth.scans import CropRule, Scan, Window, open_scan
from psmooth.tasks import TASKS, Task, own_task

OWN_TASK = "own"

OWN_BANK = "bank:"

MOST_VOTES = max(views.PRECISIONS.values())

log = logging.getLogger("psmooth.session")


@dataclass(frozen=True, eq=False)
class ChosenScan:
    """A scan on the page, what it shows where that is known, and for a published one ``Gallery.origin_of`` it.

    Attributes:
        source: the scan, or the file that it is read from when it is first asked for.
        address: where a visitor's own came from.
    """

    source: Scan | Upload
    truth: str | None = None
    gallery: dict[str, str | None] | None = None
    address: str = ""

    @cached_property
    def scan(self) -> Scan:
        """The scan; raises ScanError if its file has none."""
        return open_scan(self.source.read()) if isinstance(self.source, Upload) else self.source

    @property
    def weight(self) -> int:
        """Bytes in memory of a visitor's own scan; the examples are everybody's, and a file is counted as one."""
        own = self.gallery is None and isinstance(self.source, Scan)
        return self.scan.values.nbytes if own else 0

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
class Order:
    """What a visitor or a program asks for, as the controls have it."""

    chosen: ChosenScan
    model: str | None
    task: str
    class_names: str
    template: str
    noise_level: float
    votes: float
    target: float | None
    center: float | None
    width: float | None
    method: str = "template"
    denoiser: str = "none"
    banks: tuple[PromptBank, ...] = ()
    box: tuple[int, int, int, int] | None = None
    unasked: bool = False  # the run that the page opens with

    def bank(self) -> PromptBank | None:
        """The visitor's own bank, if the menu of prompts names one."""
        return next((bank for bank in self.banks if OWN_BANK + bank.sha256 == self.method), None)

    def contender(self) -> tuple[str, str, tuple[PromptBank, ...]]:
        """Method, denoiser and banks of the run; an own bank brings the denoiser that it was learned behind."""
        bank = self.bank()
        if bank is None:
            return self.method, self.denoiser, ()
        learned_behind = bank.facts.denoiser
        fits = without_mirror(self.denoiser) == learned_behind
        return bank.facts.method, self.denoiser if fits else learned_behind, (bank,)

    def read_task(self) -> Task:
        """The task of the menu, or the visitor's own."""
        bank = self.bank()
        if self.task != OWN_TASK:
            return TASKS[self.task]
        if bank is not None and not self.class_names.strip():
            facts = bank.facts
            return Task(OWN_TASK, facts.task, "any", facts.class_ids, facts.class_names, (facts.template,))
        return own_task(self.class_names, self.template)

    def rule(self, model: MedVLM) -> CropRule:
        """The model's crop rule, with the box that was chosen and the window of a 16-bit scan."""
        rule = replace(model.crop_rule, box=self.box)
        if self.chosen.scan.values.ndim == 3 or self.center is None or self.width is None:
            return rule
        return replace(rule, window=Window(self.center, self.width))

    def plan(self) -> Plan:
        """The live plan with the precision that was chosen.

        Raises:
            PlanError: more votes than one run may draw here, or a number out of range.
        """
        if not self.votes <= MOST_VOTES:  # nor is it a number then
            raise PlanError(
                "max_votes is {votes:,.0f}; one run here draws at most {most:,}. Ask for fewer, or run psmooth on a "
                "computer of your own.",
                votes=self.votes,
                most=MOST_VOTES,
            )
        return Plan(max_votes=int(self.votes), target_radius=self.target or None)


@dataclass(frozen=True)
class TrainingRequest:
    """What a visitor asks to be learned; without an ``archive`` phantoms of the task are drawn."""

    archive: Upload | Gathered | None
    model: str | None
    task: str
    class_names: str
    template: str
    method: str
    denoiser: str
    shots: int

    def read_task(self) -> Task | None:
        """The task; None takes the folder names as class names."""
        if self.task != OWN_TASK:
            return TASKS[self.task]
        return own_task(self.class_names, self.template) if self.class_names.strip() else None


def unread(file: Upload | None) -> ChosenScan:
    """An uploaded scan that is read when it is first asked for: from then on it is in memory alone.

    Raises:
        ScanError: there is no file.
    """
    if file is None:
        raise ScanError(views.NO_FILE)
    return ChosenScan(file)
