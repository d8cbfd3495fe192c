"""What one visitor has on the server: a scan, an order made from the controls, and which run is the wanted one.

It knows nothing about Gradio or how a page looks; the page and the endpoints are both made from it.
"""

import hashlib
import io
import logging
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from typing import Any, TypeVar

from psmooth import views, views_records
from psmooth.arrivals import Arrivals
from psmooth.certificate import Abstention, Certificate, Plan
from psmooth.denoise import without_mirror
from psmooth.errors import BankError, ModelError, PlanError, PsmoothError, ScanError
from psmooth.files import resource
from psmooth.galleries import PHANTOMS, Gallery, read_gallery
from psmooth.language import IN_WORDS, Voice, speaking
from psmooth.learning.from_folders import Gathered, Lessons, drawn_scans, gather, study
from psmooth.models import MODELS, MedVLM, find_spec, load_model
from psmooth.models.cache import ModelShelf
from psmooth.models.typed import load_typed, typed_allowed, visitors_hub
from psmooth.places import Client, Places, Queued, Visit
from psmooth.prompts import PromptBank
from psmooth.prompts.hub import pull
from psmooth.runtime import best_batch_size
from psmooth.scans import Crop, CropRule, Scan, Window, crop_scan, open_scan, scan_picture
from psmooth.scans.archive import read_archive
from psmooth.smoothing import Comparison, Progress, certify, compare, stopped
from psmooth.smoothing.comparison import SWEEP, SWEEP_VOTES
from psmooth.spaces import carried, home_device, on_card, seconds_for
from psmooth.tasks import TASKS, Task, own_task
from psmooth.uploads import Upload

Step = TypeVar("Step")
Shown = TypeVar("Shown")
OWN_TASK = "own"
OWN_BANK = "bank:"
SECONDS_A_FRAME = 0.2
MOST_LISTS = 100  # scans whose runs one tab remembers
MOST_VOTES = max(views.PRECISIONS.values())
LONGEST_NAME = 200  # characters of a repository and its revision
MOST_BANKS = 32  # of one repository, and of a session: each is a line of the menu
HERE = Client("", "")


def is_typed(choice: str) -> bool:
    """Whether a visitor typed a model in, rather than choosing what the operator offers."""
    return choice not in [known for _, known in model_choices()]


def _load(name: str, device: str | None, progress: Callable[[int, int], None] | None) -> MedVLM:
    return (load_typed if is_typed(name) else load_model)(name, device, progress)


shelf = ModelShelf(home_device(), load=_load, guest=is_typed)
arrivals = Arrivals(shelf.get)
places = Places()
desks = Places(places=2)  # where archives are read; whoever has learned from one makes room for the next
log = logging.getLogger("psmooth.session")


@dataclass(frozen=True, eq=False)
class Specimen:
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


def model_choices() -> list[tuple[str, str]]:
    """(words, id or weights): models named in ``PSMOOTH_MODELS`` (semicolons between), the bundled ones, the Hub's."""
    extra = [weights.strip() for weights in os.environ.get("PSMOOTH_MODELS", "").split(";") if weights.strip()]
    rows = [(views.model_words(spec), spec.id) for spec in MODELS.values() if _is_here(spec.weights)]
    return [*[(_short(weights), weights) for weights in extra], *rows]


def _is_here(weights: str) -> bool:
    source, _, name = weights.partition(":")
    return source != "bundled" or resource("assets", "pocket", f"{name}.safetensors").is_file()


def _short(weights: str) -> str:
    return weights.rstrip("/").rsplit("/", 1)[-1].removeprefix("local-dir:")


@dataclass(frozen=True)
class Download:
    """A model on its way: bytes that are here and bytes in all."""

    done: int
    total: int


def check_choice(choice: str | None) -> str:
    """The model that may be loaded: one of the menu, or ``hf-hub:owner/name`` typed in; never a folder of the server.

    Raises:
        ModelError: nothing was chosen, or a model that is neither.
    """
    if not choice:
        raise ModelError(views.NO_MODEL)
    if not isinstance(choice, str):
        raise ModelError(views.STRANGE_MODEL)
    if is_typed(choice):
        if not (choice.startswith("hf-hub:") and choice.isprintable() and len(choice) <= LONGEST_NAME):
            raise ModelError(views.STRANGE_MODEL)
        if not typed_allowed():
            raise ModelError(
                "This server runs the models of its menu alone, and no repository that is typed in. Choose one of them."
            )
    return choice


def model_of(choice: str | None) -> MedVLM:
    """The model, read once; whoever asks while it is being read waits for it."""
    model = carried(shelf.get(check_choice(choice)))
    best_batch_size(model)  # tried out once, and before the first run
    return model


def fetch_model(choice: str | None) -> Generator[Download, None, None]:
    """Have the model on the shelf, telling about three times a second how much of it has come.

    It comes once for all who wait for it. When the last of them leaves it is broken off; what has come is kept.
    """
    name = check_choice(choice)
    if name not in shelf.names:
        for done, total in arrivals.wait_for(name):
            yield Download(done, total)


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
def example_specimen(index: int) -> Specimen:
    """The scan of the gallery with that number, opened once."""
    example = gallery().items[index]
    return Specimen(example.open(), example.truth or None, gallery().origin_of(example))


@dataclass(frozen=True, eq=False)
class Order:
    """What a visitor or a program asks for, as the controls have it."""

    specimen: Specimen
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
        if self.specimen.scan.values.ndim == 3 or self.center is None or self.width is None:
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


@dataclass(frozen=True, eq=False)
class Scene:
    """One step of a run, with everything that it takes to show it."""

    progress: Progress
    order: Order
    crop: Crop
    known: list[views.Landmark]

    def stage(self) -> dict[str, Any]:
        """The right side of the page."""
        method, _, _ = self.order.contender()
        return views.stage(self.progress, method, self.crop.rule.size, self.known, self.order.specimen.truth)

    def strip(self) -> dict[str, Any]:
        """Scan and crop."""
        scan = self.order.specimen.scan
        return views.strip(scan_picture(scan, self.crop.rule.window), scan.kind, self.crop)

    def outcome(self) -> Certificate | Abstention:
        """What the run leaves if it ends here, by itself or by hand."""
        return stopped(self.progress)[self.order.contender()[0]]

    def stopped(self) -> dict[str, Any]:
        """The right side of the page if the run is stopped here: its certificate stays valid."""
        if self.progress.phase == "selection":
            return views.stopped_early()
        return replace(self, progress=replace(self.progress, results=stopped(self.progress), phase="done")).stage()


def scenes(order: Order, client: Client = HERE) -> Generator[Scene | Download | Queued, None, None]:
    """The run that was ordered, at the pace of the page, after its model and its turn have come; raises PsmoothError.

    What nobody asked for runs where the page is served, and never spends a visitor's share of a lent card.
    """
    yield from _ordered(order, client, _scenes if order.unasked else _on_card(_scenes))


def _ordered(
    order: Order, client: Client, run: Callable[[Any], Generator[Step, None, None]]
) -> Generator[Step | Download | Queued, None, None]:
    """A run on a scan, which is read when its turn has come: what waits holds a file, and files are bounded."""

    def begun() -> Generator[Step, None, None]:
        return run(replace(order, specimen=replace(order.specimen, source=order.specimen.scan)))

    try:
        order.plan()  # what cannot be run waits for nothing
        with places.admitted(client, order.specimen.weight) as visit:
            yield from fetch_model(order.model)  # meanwhile the device is anybody's
            yield from visit.turn(begun)
    finally:
        order.specimen.let_go()


def _scenes(order: Order) -> Generator[Scene, None, None]:
    model, noise_level = model_of(order.model), order.noise_level
    crop = crop_scan(order.specimen.scan, order.rule(model))
    known = views.landmarks(crop.pixels, noise_level)
    task, plan = order.read_task(), order.plan()
    method, denoiser, banks = order.contender()
    options: dict[str, Any] = {"methods": (method,), "denoiser": denoiser, "banks": banks}
    options |= {"gallery": order.specimen.gallery}
    with closing(certify(model, crop, task=task, noise_level=noise_level, plan=plan, **options)) as steps:
        for step in paced(steps):
            yield Scene(step, order, crop, known)


def _on_card(function: Callable[[Any], Generator[Any, None, None]]) -> Callable[[Any], Generator[Any, None, None]]:
    return on_card(function, _seconds)


def _seconds(order: "Order | Enrolment") -> int:
    """How long a run may take on a card that is lent; a comparison draws its votes at four noise levels."""
    votes = int(order.votes) + len(SWEEP) * SWEEP_VOTES if isinstance(order, Order) else 20_000
    return seconds_for(votes, find_spec(order.model or "").megabytes)


def paced(
    steps: Iterator[Step], seconds: float = SECONDS_A_FRAME, phase: Callable[[Any], object] = lambda step: step.phase
) -> Iterator[Step]:
    """At most one step in ``seconds``, but always the first of a phase and the last one."""
    shown, now, held = 0.0, object(), None
    for step in steps:
        held = step
        if phase(step) != now or time.monotonic() - shown >= seconds:
            shown, now, held = time.monotonic(), phase(step), None
            yield step
    if held is not None:
        yield held


def comparisons(order: Order, client: Client = HERE) -> Generator[Comparison | Download | Queued, None, None]:
    """Every method on the scan of an order, at the pace of the page; raises PsmoothError."""
    yield from _ordered(order, client, _on_card(_comparisons))


def _comparisons(order: Order) -> Generator[Comparison, None, None]:
    model = model_of(order.model)
    crop = crop_scan(order.specimen.scan, order.rule(model))
    task, plan = order.read_task(), replace(order.plan(), target_radius=None)
    options: dict[str, Any] = {"noise_level": order.noise_level, "plan": plan, "denoiser": order.denoiser}
    options |= {"gallery": order.specimen.gallery}
    fitting = tuple(bank for bank in order.banks if _fits(bank, model, task, order.denoiser))
    with closing(compare(model, crop, task, banks=fitting, **options)) as steps:
        yield from paced(steps, phase=lambda step: (step.level, step.progress.phase, step.done))


def _fits(bank: PromptBank, model: MedVLM, task: Task, denoiser: str) -> bool:
    try:
        bank.check(model, task, denoiser)
    except BankError:
        return False
    return True


def hub_banks(
    place: str, model: str | None, task: str, client: Client = HERE
) -> Generator[Download | tuple[PromptBank, ...], None, None]:
    """Banks of ``OWNER/NAME[@REVISION]`` that fit a model and a task, after the model has come; raises PsmoothError."""
    with places.admitted(client):
        yield from _hub_banks(place, model, task)


def _hub_banks(place: str, model: str | None, task: str) -> Generator[Download | tuple[PromptBank, ...], None, None]:
    repo, _, revision = place.strip().partition("@")
    if not repo:
        raise BankError(views.NO_REPO)
    wanted = None if task == OWN_TASK else TASKS[task]
    yield from fetch_model(model)
    known = shelf.get(check_choice(model))
    banks = pull(repo, revision or "main", model=known, task=wanted, hub=visitors_hub())
    if len(banks) > MOST_BANKS:
        raise BankError(
            "{repo} has {count} banks for this model and task; at most {most} are read. Choose a task.",
            repo=repo,
            count=len(banks),
            most=MOST_BANKS,
        )
    yield tuple(banks)


@dataclass(frozen=True)
class Enrolment:
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


def lessons(enrolment: Enrolment, client: Client = HERE) -> Generator[Lessons | Download | Queued, None, None]:
    """The bank that was asked for, at the pace of the page; an uploaded archive is read once. Raises PsmoothError."""
    try:
        with places.admitted(client) as visit, desks.admitted(client) as seat:
            yield from fetch_model(enrolment.model)
            yield from seat.turn(lambda: _read_and_learn(enrolment, visit))
    finally:
        if isinstance(enrolment.archive, Upload):
            enrolment.archive.drop()


def _read_and_learn(enrolment: Enrolment, visit: Visit) -> Generator[Lessons | Queued, None, None]:
    """Reading takes up to minutes and keeps nobody from the device; what was read waits for its turn there."""
    file = enrolment.archive
    scans = read_archive(io.BytesIO(file.read())) if isinstance(file, Upload) else drawn_scans(enrolment.task)
    for step in paced(gather(shelf.get(check_choice(enrolment.model)), scans)):
        if isinstance(step, Lessons):
            yield step
        else:
            enrolment = replace(enrolment, archive=step)
    yield from visit.turn(lambda: _on_card(_learn)(enrolment))


def _learn(enrolment: Enrolment) -> Generator[Lessons, None, None]:
    task, method, gathered = enrolment.read_task(), enrolment.method, enrolment.archive
    assert isinstance(gathered, Gathered)
    yield from paced(study(model_of(enrolment.model), gathered, task, method, enrolment.denoiser, enrolment.shots))


@dataclass(eq=False)
class Session:
    """What one tab has on the server: its scan, and which of its runs is the wanted one.

    Runs are numbered. A run that finds a later one wanted ends itself, so a second click needs no more than a number.
    """

    specimen: Specimen | None = None
    order: Order | Enrolment | None = None
    wanted: int = 0
    begun: int = 0
    stopping: bool = False
    banks: tuple[PromptBank, ...] = ()
    view: str = "certify"
    box: tuple[int, int, int, int] | None = None
    voice: Voice = IN_WORDS
    shown: dict[str, Callable[[], dict[str, Any]]] = field(default_factory=dict)
    lists: dict[str, list[Certificate | Abstention]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bring(self.specimen)

    @property
    def results(self) -> list[Certificate | Abstention]:
        """What the runs on this scan have come to, those before it was left included."""
        return self.lists[self.specimen.identity] if self.specimen else []

    def told(self, words: Callable[..., Shown], *values: Any) -> Shown:
        """What a function of the views says, in the visitor's voice."""
        with speaking(self.voice):
            return words(*values)

    def show(self, view: str, words: Callable[..., dict[str, Any]], *values: Any) -> dict[str, Any]:
        """The same, kept as what a view shows now: if the visitor changes the voice, it is said again."""
        self.shown[view] = partial(words, *values)  # without this session: what holds itself outlives its last holder
        return self.told(self._shown, view, self.shown[view])

    def resaid(self, view: str) -> dict[str, Any] | None:
        """What a view shows, said again as voice and list of runs are now; None where it shows nothing."""
        return self.told(self._shown, view, self.shown[view]) if view in self.shown else None

    def _shown(self, view: str, words: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What *Certify* shows goes with a list of the runs on this scan, once there are several."""
        listed = view == "certify" and len(self.results) > 1
        return {**words(), "runs": views_records.runs(self.results)} if listed else words()

    def bring(self, specimen: Specimen | None) -> None:
        """Another scan, or none; the box of the one before goes, the list of its runs stays under its identity."""
        self.specimen, self.box = specimen, None
        if specimen is not None:
            self.lists[specimen.identity] = self.lists.pop(specimen.identity, [])
            while len(self.lists) > MOST_LISTS:
                del self.lists[next(iter(self.lists))]

    def has(self, specimen: Specimen) -> bool:
        """Whether the visitor's scan is still that one."""
        return self.specimen is not None and self.specimen.identity == specimen.identity

    def add_banks(self, banks: Iterable[PromptBank]) -> None:
        """Banks join the menu, the latest last; beyond `MOST_BANKS` the oldest leave it."""
        latest = {bank.sha256: bank for bank in banks}
        self.banks = (*(bank for bank in self.banks if bank.sha256 not in latest), *latest.values())[-MOST_BANKS:]

    @property
    def weight(self) -> int:
        """Bytes of what the visitor brought."""
        return self.specimen.weight if self.specimen else 0

    @property
    def address(self) -> str:
        """Where that came from."""
        return self.specimen.address if self.specimen else ""

    def forget(self) -> None:
        """No scan, and no list of any; what a run on one of them still comes to is listed nowhere."""
        self.bring(None)
        self.lists.clear()
        self.want(None)
        self.shown.clear()

    def keep(self, ended: Scene | Comparison, specimen: Specimen) -> None:
        """List what runs on a scan have come to, ended by themselves or not; one that has counted no vote is none."""
        if specimen.identity in self.lists:
            outcomes = ended.outcomes() if isinstance(ended, Comparison) else (ended.outcome(),)
            self.lists[specimen.identity] += [one for one in outcomes if one.votes.total]

    def want(self, order: Order | Enrolment | None, view: str = "certify") -> None:
        """Ask for a run that a view shows; without an order, end the one that is on."""
        self.order, self.stopping, self.view = order, False, view
        self.wanted += 1
        if order is None:
            self.begun = self.wanted

    def begin(self, view: str = "certify") -> int | None:
        """The number of the wanted run, once; None if it has begun, is another view's, or nothing is wanted."""
        if self.order is None or self.begun == self.wanted or self.view != view:
            return None
        self.begun = self.wanted
        return self.wanted


def unread(file: Upload | None) -> Specimen:
    """An uploaded scan that is read when it is first asked for: from then on it is in memory alone.

    Raises:
        ScanError: there is no file.
    """
    if file is None:
        raise ScanError(views.NO_FILE)
    return Specimen(file)
