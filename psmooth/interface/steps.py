"""Turns what was asked for into the steps of a run, each of them ready to be shown, at the pace of the page.

It knows nothing about Gradio or sessions.
"""

import io
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from psmooth import views
from psmooth.attack import QUICK, AttackProgress, attack, find_target
from psmooth.attack.records import attack_record
from psmooth.certificate import Abstention, Certificate
from psmooth.errors import BankError
from psmooth.interface.model_menu import Download, check_choice, check_speed, fetch_model, is_made, model_of, models
from psmooth.interface.places import Client, Places, Queued, Visit
from psmooth.interface.requests import ResolvedRun, ResolvedTraining, RunRequest, TrainingRequest
from psmooth.interface.settings import OWN_TASK, Settings, told
from psmooth.interface.uploads import Upload
from psmooth.interface.watching import Watching
from psmooth.interface.zero_gpu import on_gpu, seconds_for
from psmooth.learning.from_folders import Gathered, TrainingProgress, classes_of, drawn_scans, gather
from psmooth.methods import METHODS
from psmooth.models import MedVLM, find_spec
from psmooth.models.typed import visitors_hub
from psmooth.prompts import PromptBank
from psmooth.prompts.hub import pull
from psmooth.scans import Scan, scan_picture
from psmooth.scans.archive import archive_folders, read_archive
from psmooth.smoothing import Comparison, Progress, certify, compare, stopped
from psmooth.smoothing.comparison import SWEEP, SWEEP_VOTES
from psmooth.smoothing.held_out import learn_and_score
from psmooth.tasks import TASKS
from psmooth.views import attack as views_attack

Step = TypeVar("Step")

SECONDS_A_FRAME = 0.2

EFFORT = replace(QUICK, halvings=2, smallest_steps=4, votes=48)  # what a visitor waits for

INSIDE_STEPS = 6  # of an attack inside the radius of a prompt that is tuned on the scan

ATTACK_VOTES = 6_000  # what a quick attack takes, counted in votes: a gradient is three of them

MOST_BANKS = 32  # of one repository, and of a session: each is a line of the menu

HERE = Client("", "")

places = Places()

watching: "Watching[RunStep | Download | Queued]" = Watching()

desks = Places(places=2)  # where archives are read; whoever has learned from one makes room for the next


@dataclass(frozen=True, eq=False)
class RunStep:
    """One step of a run, with everything that it takes to show it."""

    progress: Progress
    run: ResolvedRun
    settings: Settings
    is_shared: bool = False  # it was made when another page opened

    def stage(self) -> views.Stage:
        """The right side of the page, with the settings that it was made with."""
        run = self.run
        shown = views.stage(self.progress, run.method, run.crop.rule.size, run.known, run.chosen.truth)
        if self.is_shared:
            shown["line"] = views.shared_line(self.progress, self.progress.results[run.method])
        return {**shown, "settings": told(self.settings)}

    def strip(self) -> views.Strip:
        """Scan and crop."""
        scan, crop = self.run.chosen.scan, self.run.crop
        return views.strip(scan_picture(scan, crop.rule.window), scan, crop)

    def outcome(self) -> Certificate | Abstention:
        """What the run leaves if it ends here, by itself or by hand."""
        return stopped(self.progress)[self.run.method]

    def stopped(self) -> views.Stage | views.Message:
        """The right side of the page if the run is stopped here: its certificate stays valid."""
        if self.progress.phase == "selection":
            return views.stopped_early()
        return replace(self, progress=replace(self.progress, results=stopped(self.progress), phase="done")).stage()


@dataclass(frozen=True, eq=False)
class AttackStep:
    """One step of an attack, with everything that it takes to show it."""

    progress: AttackProgress
    run: ResolvedRun

    def shown(self) -> views_attack.Attacked:
        """The view, as far as the attack has come."""
        return views_attack.attacked(self.progress, self.run.crop, self.run.task, self.record())

    def stopped(self) -> views_attack.Attacked:
        """The view if the attack is stopped here: what was found stays found."""
        return views_attack.ended(self.progress, self.run.crop, self.run.task, self.record())

    def record(self) -> dict[str, Any]:
        """What a file of it holds."""
        return attack_record(self.progress)

    def outcome(self) -> Certificate | Abstention | None:
        """What the scan itself was certified as, if votes were counted."""
        return self.progress.result


def certify_steps(request: RunRequest, client: Client = HERE) -> Generator[RunStep | Download | Queued, None, None]:
    """The run that was asked for, at the pace of the page, after its model and turn have come; raises PsmoothError.

    What nobody asked for runs where the page is served, and never spends a visitor's share of a lent GPU; on an example
    all who open the page watch the same run.
    """
    if not request.unasked:
        yield from _in_turn(request, client, on_gpu(_certify_steps, _seconds))
    elif request.chosen.gallery is None or request.banks:
        yield from _in_turn(request, client, _certify_steps)
    else:
        yield from _opening_steps(request, client)


def _opening_steps(request: RunRequest, client: Client) -> Generator[RunStep | Download | Queued, None, None]:
    """The run that a page opens with, on an example: one for all who open it within minutes."""
    about = request.chosen.identity, request.chosen.truth, request.settings, request.box
    run = watching.watch(about, lambda: _in_turn(request, client, _certify_steps), _is_passing)
    with closing(run) as steps:
        for step, is_late in steps:
            yield replace(step, is_shared=is_late) if isinstance(step, RunStep) else step


def _is_passing(step: RunStep | Download | Queued) -> bool:
    """Whether a step says what a run waits for, which is over for whoever comes later."""
    return not isinstance(step, RunStep)


def _in_turn(
    request: RunRequest, client: Client, run: Callable[[Any], Generator[Step, None, None]]
) -> Generator[Step | Download | Queued, None, None]:
    """A run on a scan, which is read when its turn has come: what waits holds a file, and files are bounded."""

    def begun() -> Generator[Step, None, None]:
        return run(replace(request, chosen=replace(request.chosen, source=request.chosen.scan)))

    try:
        request.settings.plan()  # what cannot be run waits for nothing
        check_speed(request.settings.model, request.settings.speed)
        with places.admitted(client, request.chosen.weight) as visit:
            yield from fetch_model(request.settings.model)  # meanwhile the device is anybody's
            yield from visit.turn(begun)
    finally:
        request.chosen.let_go()


def _made(settings: Settings) -> Generator[Download, None, MedVLM]:
    """The model at the speed that was chosen; who watches is told where that takes seconds, and no more of a place."""
    if not is_made(settings.model, settings.speed):
        yield Download(0, 0)
    return model_of(settings.model, settings.speed)


def _certify_steps(request: RunRequest) -> Generator[RunStep | Download, None, None]:
    model = yield from _made(request.settings)
    run = request.resolve(model)
    with closing(certify(model, run.crop, methods=(run.method,), **run.options())) as steps:
        for step in paced(steps):
            yield RunStep(step, run, request.settings)


def _seconds(request: RunRequest) -> int:
    """How long a run may take on a GPU that is lent; a comparison draws its votes at four noise levels."""
    settings = request.settings
    return seconds_for(
        int(settings.announced) + len(SWEEP) * SWEEP_VOTES, find_spec(check_choice(settings.model)).megabytes
    )


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


def compare_steps(request: RunRequest, client: Client = HERE) -> Generator[Comparison | Download | Queued, None, None]:
    """Every method on the scan of a request, at the pace of the page; raises PsmoothError."""
    yield from _in_turn(request, client, on_gpu(_compare_steps, _seconds))


def _compare_steps(request: RunRequest) -> Generator[Comparison | Download, None, None]:
    model = yield from _made(request.settings)
    run = request.resolve(model)
    with closing(compare(model, run.crop, **run.options())) as steps:
        yield from paced(steps, phase=lambda step: (step.level, step.progress.phase, step.done))


def attack_steps(request: RunRequest, client: Client = HERE) -> Generator[AttackStep | Download | Queued, None, None]:
    """An attack on the scan of a request, at the pace of the page; raises PsmoothError."""
    yield from _in_turn(request, client, on_gpu(_attack_steps, _seconds_to_attack))


def _attack_steps(request: RunRequest) -> Generator[AttackStep | Download, None, None]:
    model = yield from _made(request.settings)
    run = request.resolve(model)
    asked = {"task": run.task, "plan": run.plan, "noise_level": run.noise_level, "denoiser": run.denoiser}
    target = find_target(model, run.crop, method=run.method, banks=run.banks, **asked)  # type: ignore[arg-type]
    effort = replace(EFFORT, inside=0.99, steps=INSIDE_STEPS) if METHODS[run.method].tunes else EFFORT
    with closing(attack(target, effort)) as steps:
        for step in paced(steps, phase=_found):
            yield AttackStep(step, run)


def _found(step: AttackProgress) -> object:
    """Each change that was found is shown as soon as it is."""
    return step.part, step.plain and step.plain.found, step.turned, len(step.points)


def _seconds_to_attack(request: RunRequest) -> int:
    megabytes = find_spec(check_choice(request.settings.model)).megabytes
    return seconds_for(int(request.settings.announced) + ATTACK_VOTES, megabytes)


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
    known = models.get(check_choice(model))
    banks = pull(repo, revision or "main", model=known, task=wanted, hub=visitors_hub())
    if len(banks) > MOST_BANKS:
        raise BankError(
            "{repo} has {count} banks for this model and task; at most {most} are read. Choose a task.",
            repo=repo,
            count=len(banks),
            most=MOST_BANKS,
        )
    yield tuple(banks)


def training_steps(
    request: TrainingRequest, client: Client = HERE
) -> Generator[TrainingProgress | Download | Queued, None, None]:
    """The bank that was asked for, at the pace of the page; an uploaded archive is read once. Raises PsmoothError."""
    try:
        training = request.resolve()
        with places.admitted(client) as visit, desks.admitted(client) as seat:
            yield from fetch_model(training.model)
            yield from seat.turn(lambda: _read_and_learn(request.archive, training, visit))
    finally:
        if request.archive is not None:
            request.archive.drop()


def _read_and_learn(
    archive: Upload | None, training: ResolvedTraining, visit: Visit
) -> Generator[TrainingProgress | Queued, None, None]:
    """Reading takes up to minutes and keeps nobody from the device; what was read waits for its turn there."""
    scans = drawn_scans(training.drawn) if archive is None else _uploaded_scans(archive, training)
    for step in paced(gather(models.get(check_choice(training.model)), scans)):
        if isinstance(step, Gathered):
            yield from visit.turn(partial(on_gpu(_learn, _seconds_to_learn), training, step))
        else:
            yield step


def _uploaded_scans(archive: Upload, training: ResolvedTraining) -> Iterator[tuple[str, Scan]]:
    """Folders that are not the classes are refused before the first scan is read."""
    data = archive.read()
    classes_of(archive_folders(io.BytesIO(data)), training.task, training.way.method)
    return read_archive(io.BytesIO(data))


def _learn(training: ResolvedTraining, gathered: Gathered) -> Generator[TrainingProgress, None, None]:
    model = model_of(training.model)
    options = {"shots": training.shots, "noise_level": training.noise_level}
    steps = learn_and_score(model, gathered, training.task, training.way, training.denoiser, **options)  # type: ignore[arg-type]
    yield from paced(steps)


def _seconds_to_learn(training: ResolvedTraining, _: Gathered) -> int:
    return seconds_for(20_000, find_spec(check_choice(training.model)).megabytes)
