"""The page: a Gradio interface around `psmooth.certify`; layout first, wiring last.

It knows nothing about statistics, and holds no words or colours: those are in `psmooth.views`.
"""

import json
import logging
import os
import signal
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import psmooth.environment  # isort: skip  # mends homes and proxies before Gradio reads them
import gradio as gr
from gradio import themes
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from psmooth import views, views_compare, views_learn, views_records
from psmooth._words_understand import UNDERSTAND_WORDS
from psmooth.certificate import verify
from psmooth.errors import PsmoothError, ScanError
from psmooth.files import resource
from psmooth.guard import Guard, Hosts, path_of, pieces_address, stamped, without_trace
from psmooth.intake import Intake, own_folder, take_tool_files
from psmooth.language import IN_WORDS, LANGUAGES, say
from psmooth.learning.from_folders import Lessons
from psmooth.links import KEYS, read_link, read_voice
from psmooth.places import Queued
from psmooth.runtime import raise_open_files, settle
from psmooth.scans import MAX_FILE_BYTES, Scan, crop_scan, scan_picture
from psmooth.session import (
    OWN_BANK,
    OWN_TASK,
    Download,
    Enrolment,
    Order,
    Scene,
    Session,
    Specimen,
    comparisons,
    example_specimen,
    gallery,
    hub_banks,
    lessons,
    model_choices,
    model_of,
    places,
    scenes,
    unread,
)
from psmooth.smoothing import Comparison
from psmooth.tasks import TASKS
from psmooth.uploads import Upload, Uploads, no_upload
from psmooth.visitors import MOST_STREAMS, Presence, aside, caller, drop, in_threads

RESAID = ("certify", "compare", "learn")  # the views with sentences of the server
PIECES = (
    "psmooth",
    "words",
    "viewer",
    "budget",
    "modes",
    "compare",
    "learn",
    "understand",
)  # a script and a style sheet each
STREAM: dict[str, Any] = {"concurrency_id": "streams", "concurrency_limit": None}  # `places` says whose turn it is
SECONDS_BETWEEN_STANDINGS = 3_600  # Gradio would tell all of its line at each change; a run tells its own place
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
WORDS = {
    **views.PAGE_WORDS, **views_compare.COMPARE_WORDS, **views_learn.LEARN_WORDS, **UNDERSTAND_WORDS
}  # fmt: skip

log = logging.getLogger("psmooth.app")


# --- from what was asked to what is shown


def shown_gallery(chosen: int | None, own: bool = False) -> dict[str, Any]:
    """The examples as the picker shows them; ``own`` if the scan is the visitor's."""
    return {"items": _shown_examples(), "chosen": chosen, "own": own}


@cache
def _shown_examples() -> list[dict[str, Any]]:
    """Names and small pictures, made once."""
    items = []
    for index, example in enumerate(gallery().items):
        about = " · ".join(part for part in (example.source, example.licence) if part)
        task = TASKS[example.task].name if example.task else ""
        label = ", ".join(part for part in (f"{task}: {example.truth}".strip(": "), about) if part)
        picture = views.thumbnail(scan_picture(example_specimen(index).scan))
        told = {"about": about, "shown": example.file is not None}
        items.append({"name": example.name, "label": label, "picture": picture, **told})
    return items


def run(session: Session) -> Generator[tuple[Any, Any], None, None]:
    """The wanted run of a session, as (stage, strip); errors become sentences."""
    order, number = session.order, session.begin()
    if number is None or not isinstance(order, Order):
        return
    strip = None
    try:
        with closing(scenes(order, caller())) as steps:
            for scene in steps:
                if session.wanted != number:
                    yield from _overtaken(session, scene)
                    return
                if isinstance(scene, Download | Queued):
                    if session.stopping:
                        yield session.show("certify", views.stopped_early), gr.skip()
                        return
                    yield session.told(*before(views, order, scene)), gr.skip()
                    continue
                strip = gr.skip() if strip else scene.strip()
                ending = session.stopping and scene.progress.phase != "done"
                if ending or scene.progress.phase == "done":
                    session.keep(scene, order.specimen)
                yield session.show("certify", scene.stopped if ending else scene.stage), strip
                if ending:
                    return
    except Exception as error:
        yield session.show("certify", views.failed, known(error)), gr.skip()


def before(view: Any, order: Order | Enrolment, step: Download | Queued) -> tuple[Any, ...]:
    """What a view shows before the first step of a run, as a function of its words and what that is given."""
    if isinstance(step, Queued):
        return view.queued, step.place, step.size
    return (view.downloading, _name(order.model), step.done, step.total)


def _overtaken(session: Session, scene: Scene | Download | Queued) -> Iterator[tuple[Any, Any]]:
    """Another run is wanted, or none: what this one has come to is listed, and shown if another view's is wanted.

    Of a scan that the visitor has left meanwhile nothing is shown: that would keep it.
    Gradio sends the last step of a stream again as it ends: where no run follows, that is what *Certify* shows by now.
    """
    if not isinstance(scene, Download | Queued):
        session.keep(scene, scene.order.specimen)
        if session.view != "certify":
            is_here = session.has(scene.order.specimen)
            yield session.show("certify", scene.stopped) if is_here else list_runs(session), gr.skip()
    if session.order is None and (told := session.resaid("certify")):
        yield told, gr.skip()


def known(error: Exception) -> PsmoothError | None:
    """An error of psmooth's as it is; of anything else the log has kind and line, and the page says that it happened.

    Never its message or its values: they may be a visitor's.
    """
    if isinstance(error, PsmoothError):
        return error
    place = traceback.extract_tb(error.__traceback__)[-1]
    log.error("A run failed: %s in %s, line %s.", type(error).__name__, Path(place.filename).name, place.lineno)
    return None


def run_compare(session: Session) -> Generator[Any, None, None]:
    """The wanted comparison of a session, whose runs join those on its scan; errors become sentences."""
    order, number, shown = session.order, session.begin("compare"), None
    if number is None or not isinstance(order, Order):
        yield gr.skip() if session.view == "compare" else session.show("compare", views_compare.ended, None)
        return
    try:
        with closing(comparisons(order, caller())) as steps:
            for step in steps:
                if session.wanted != number or (session.stopping and not (isinstance(step, Comparison) and step.done)):
                    yield _compared_so_far(session, order, shown)
                    return
                if isinstance(step, Download | Queued):
                    yield session.told(*before(views_compare, order, step))
                    continue
                shown = step
                yield session.show("compare", views_compare.comparison, step)
    except Exception as error:
        yield session.show("compare", views_compare.failed, known(error))
    finally:
        if shown is not None:
            session.keep(shown, order.specimen)


def _compared_so_far(session: Session, order: Order, shown: Comparison | None) -> Any:
    """A comparison that was ended; of a scan that the visitor has left nothing is shown."""
    is_here = session.has(order.specimen)
    return (
        session.show("compare", views_compare.ended, shown) if is_here else session.show("compare", views_compare.idle)
    )


def list_runs(session: Session) -> Any:
    """What *Certify* shows, with the list of runs as it is now."""
    return session.resaid("certify") or gr.skip()


def run_learn(session: Session) -> Generator[tuple[Any, Any], None, None]:
    """The wanted course of a session, as (view, menu of prompts); a bank that was learned joins the session."""
    enrolment, number = session.order, session.begin("learn")
    if number is None or not isinstance(enrolment, Enrolment):
        yield gr.skip() if session.view == "learn" else session.show("learn", views_learn.stopped), gr.skip()
        return
    try:
        with closing(lessons(enrolment, caller())) as steps:
            for step in steps:
                if session.wanted != number or (session.stopping and not (isinstance(step, Lessons) and step.file)):
                    yield session.show("learn", views_learn.stopped), gr.skip()
                    return
                if isinstance(step, Download | Queued):
                    yield session.told(*before(views_learn, enrolment, step)), gr.skip()
                    continue
                if step.bank is not None:
                    session.add_banks([step.bank])
                menu = gr.skip() if step.bank is None else prompt_menu(session)
                yield session.show("learn", views_learn.lessons, step), menu
    except Exception as error:
        yield session.show("learn", views_learn.failed, known(error)), gr.skip()


def prompt_menu(session: Session) -> Any:
    """The menu of prompts with the visitor's own banks, the newest one chosen."""
    choices = session.told(prompt_choices, session)
    return gr.Dropdown(choices, value=choices[-1][1])


def prompt_choices(session: Session) -> list[tuple[str, str]]:
    """The prompts that ship, and the visitor's own banks."""
    own = [(views_learn.bank_title(bank), OWN_BANK + bank.sha256) for bank in session.banks]
    return [*views.method_choices(), *own]


# --- the documented endpoints


def certify_file(
    scan: Upload | None,
    model: str,
    task: str,
    class_names: str,
    template: str,
    noise_level: float,
    votes: float,
    target_radius: float,
    window_center: float,
    window_width: float,
    method: str,
    denoiser: str,
) -> Generator[dict[str, Any], None, None]:
    """Certify a scan and stream what its votes certify so far.

    Each step is {state, line, sentence, votes, planned, radius, guarantee, certificate}: the certificate is valid as it
    stands, whenever the stream is ended, and the last one is the result. The radius is None while nothing is certified;
    with the guarantee "frozen_prompt" it holds for the prompt kept as it is alone. Before the first votes the state is
    "loading" while a model comes, and "queued" while others have the computer.
    class_names (semicolons between) and template are read with the task "own" alone; a target_radius of 0 draws all
    votes; a window_width of 0 takes a 16-bit scan's full range.
    """
    center, width = (window_center, window_width) if window_width else (None, None)

    def ordered() -> Generator[Scene | Download | Queued, None, None]:
        numbers = (noise_level, votes, target_radius, center, width)
        order = Order(unread(scan), model, task, class_names, template, *numbers, method, denoiser)
        return scenes(order, caller())

    yield from answered(ordered, answer)


def answered(
    ordered: Callable[[], Generator[Any, None, None]], answer: Callable[[Any], dict[str, Any]]
) -> Generator[dict[str, Any], None, None]:
    """What an endpoint streams: an answer for each step, what it waits for before that, and errors as sentences."""
    try:
        with closing(ordered()) as steps:
            for step in steps:
                yield waiting(step) if isinstance(step, Download | Queued) else answer(step)
    except Exception as error:
        raise gr.Error(str(known(error) or views.UNEXPECTED), print_exception=False) from None


def waiting(step: Download | Queued) -> dict[str, Any]:
    """What an endpoint sends while a model is being fetched, and while others have the computer."""
    if isinstance(step, Queued):
        return {"state": "queued", "line": f"place {step.place} of {step.size}"}
    return {"state": "loading", "line": f"{step.done} of {step.total} bytes"}


def answer(scene: Scene) -> dict[str, Any]:
    """What the endpoint sends of one step."""
    stage, progress = scene.stage(), scene.progress
    record = None if progress.phase == "selection" else progress.results[scene.order.contender()[0]].to_dict()
    said = picked_from(stage, ("state", "line", "sentence"))
    counted = {"votes": progress.votes, "planned": progress.planned}
    found = {name: record and record[name] for name in ("radius", "guarantee")}
    return {**said, **counted, **found, "certificate": record}


def compare_file(
    scan: Upload | None,
    model: str,
    task: str,
    class_names: str,
    template: str,
    noise_level: float,
    votes: float,
    denoiser: str,
) -> Generator[dict[str, Any], None, None]:
    """Certify a scan by every method from one stream of noise, then at the other noise levels.

    Each step is {state, line, sentence, groups, curve, certificates}: groups hold the methods by kind of guarantee,
    curve the radii by noise level; certificates come with the last step, one a method.
    """

    def ordered() -> Generator[Comparison | Download | Queued, None, None]:
        numbers = (noise_level, votes, None, None, None)
        order = Order(unread(scan), model, task, class_names, template, *numbers, denoiser=denoiser)
        return comparisons(order, caller())

    told = ("state", "line", "sentence", "groups", "curve", "certificates")
    yield from answered(ordered, lambda step: picked_from(views_compare.comparison(step), told))


def learn_file(
    scans: Upload | None,
    model: str,
    task: str,
    class_names: str,
    template: str,
    way: str,
    denoiser: str,
    shots: float,
) -> Generator[dict[str, Any], None, None]:
    """Learn a prompt bank from a zip of scans.

    Each step is {state, line, losses, bank}; the last one has the bank: its facts, and its safetensors file in base64.
    """

    def ordered() -> Generator[Lessons | Download | Queued, None, None]:
        if scans is None:
            raise ScanError(views.NO_FILE)
        return lessons(Enrolment(scans, model, task, class_names, template, way, denoiser, int(shots)), caller())

    told = ("state", "line", "losses", "bank")
    yield from answered(ordered, lambda step: picked_from(views_learn.lessons(step), told))


def picked_from(shown: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The parts of what a view shows that a program is told."""
    return {name: shown[name] for name in names}


# --- thin handlers of the page


def begin(session: Session, *settings: Any, unasked: bool = False) -> Any:
    """Ask for a run and say so at once; without a scan nothing is asked."""
    if session.specimen is None:
        return gr.skip() if "certify" in session.shown or unasked else session.show("certify", views.forgotten)
    session.want(Order(session.specimen, *settings, banks=session.banks, box=session.box, unasked=unasked))
    return session.show("certify", views.loading, _name(settings[0]))


def restore(session: Session, request: gr.Request) -> tuple[Any, ...]:
    """The state that a link carries: example and settings; a visitor's own scan is never part of one."""
    models, tasks = [choice for _, choice in model_choices()], [*TASKS, OWN_TASK]
    link = read_link(dict(request.query_params), models, tasks, len(gallery().items))
    settings = dict(link.settings)
    if link.own_scan:
        session.bring(None)
    else:
        session.bring(example_specimen(link.example or 0))
    if link.example is not None:
        settings.setdefault("task", gallery().items[link.example].task)
    shown = shown_gallery(link.example) if link.own_scan or link.example is not None else gr.skip()
    session.voice = read_voice(request.query_params, request.headers.get("accept-language", ""))
    stage = session.show("certify", views.link_without_scan) if link.own_scan else gr.skip()
    return stage, {} if link.own_scan else gr.skip(), shown, *(settings.get(key, gr.skip()) for key in KEYS)


def change_voice(session: Session, event: gr.EventData) -> tuple[Any, ...]:
    """Another language, or symbols instead of words: what the views show is said again."""
    session.voice = read_voice({key: str(event._data.get(key, "")) for key in ("lang", "words")}, "")
    said = [session.resaid(view) or gr.skip() for view in RESAID]
    return *said, *menus(session)


def menus_at_first(session: Session) -> tuple[Any, ...]:
    """The same menus after the page has come: they are made in English."""
    return (gr.skip(),) * 5 if session.voice == IN_WORDS else menus(session)


def menus(session: Session) -> tuple[Any, ...]:
    """The menus whose choices are words: task, prompts, denoiser, precision, way."""
    tasks, ways = session.told(task_choices), session.told(views_learn.way_choices)
    return (
        gr.Dropdown(tasks),
        gr.Dropdown(session.told(prompt_choices, session)),
        gr.Dropdown(session.told(views.denoiser_choices)),
        gr.Radio(session.told(views.precision_choices)),
        gr.Radio(ways),
    )


def begin_first(session: Session, *settings: Any) -> Any:
    """The run that the page opens with, unless the visitor was faster."""
    return gr.skip() if session.wanted else begin(session, *settings, unasked=True)


def begin_compare(session: Session, *settings: Any) -> Any:
    """Ask for a comparison; without a scan nothing is asked."""
    if session.specimen is None:
        return session.show("compare", views_compare.failed, ScanError(views.NO_SCAN))
    session.want(Order(session.specimen, *settings, banks=session.banks, box=session.box), "compare")
    return session.show("compare", views_compare.loading, _name(settings[0]))


def begin_learn(session: Session, archive: Upload | None, *settings: Any) -> Any:
    """Ask for a bank, from an uploaded zip or, without one, from phantoms."""
    session.want(Enrolment(archive, *settings), "learn")
    return session.show("learn", views_learn.loading, _name(settings[0]))


def begin_drawn(session: Session, *settings: Any) -> Any:
    """Ask for a bank learned from phantoms."""
    return begin_learn(session, None, *settings)


def _name(model_choice: str | None) -> str:
    names = (name for name, choice in model_choices() if choice == model_choice)
    return next(names, model_choice or "").split(" · ")[0]


def halt(session: Session) -> Any:
    """Stop: a run that is on ends itself with its certificate; one that still waits in the queue is taken out."""
    session.stopping = True
    if session.begun == session.wanted:
        return gr.skip()
    session.want(None)
    return session.show("certify", views.stopped_early)


def fetch_banks(session: Session, place: str, model: str, task: str) -> Generator[tuple[Any, Any], None, None]:
    """Banks of a repository of the Hub that fit the model and the task join the session's menu."""
    try:
        with closing(hub_banks(place, model, task, caller())) as steps:
            for step in steps:
                if isinstance(step, Download):
                    coming = session.told(views.download_words, _name(model), step.done, step.total)
                    yield gr.skip(), coming["line"]
                    continue
                session.add_banks(step)
                yield prompt_menu(session), session.told(views_learn.fetched, step)
    except Exception as error:
        yield gr.skip(), session.told(views.error_words, known(error))


def halt_compare(session: Session) -> Any:
    """Stop a comparison; one that still waits is taken out of the queue."""
    return gr.skip() if halt(session) == gr.skip() else session.show("compare", views_compare.ended, None)


def halt_learn(session: Session) -> Any:
    """Stop a course; one that still waits is taken out of the queue."""
    return gr.skip() if halt(session) == gr.skip() else session.show("learn", views_learn.stopped)


def pick(session: Session, event: gr.EventData) -> tuple[Any, ...]:
    """An example was chosen."""
    index = min(max(int(event._data["index"]), 0), len(gallery().items) - 1)
    specimen = example_specimen(index)
    session.bring(specimen)
    task = gallery().items[index].task or gr.skip()
    return task, shown_gallery(index), *window_fields(specimen.scan), nothing_compared(session)


def nothing_compared(session: Session) -> Any:
    """A comparison belongs to its scan: where that was left, none is shown."""
    return session.show("compare", views_compare.idle) if "compare" in session.shown else gr.skip()


def upload(session: Session, file: Upload | None) -> tuple[Any, ...]:
    """A scan was uploaded, dropped or pasted."""
    session.want(None)
    session.bring(None)
    left = nothing_compared(session)
    try:
        session.bring(Specimen(unread(file).scan, address=file.address if file else ""))
    except Exception as error:
        return session.show("certify", views.failed, known(error)), {}, shown_gallery(None), *window_fields(None), left
    return (
        gr.skip(),
        gr.skip(),
        shown_gallery(None, own=True),
        *window_fields(session.specimen and session.specimen.scan),
        left,
    )


def check(session: Session, file: Upload | None) -> dict[str, Any]:
    """A certificate file was brought: it is recomputed, and kept nowhere."""
    session.want(None)
    try:
        return session.show("certify", views_records.checked, verify((file or no_upload()).read()))
    except PsmoothError as error:
        return session.show("certify", views.failed, error)


def choose_box(session: Session, event: gr.EventData) -> None:
    """The part of the scan that the model shall see, in pixels of the scan."""
    left, top, right, bottom = (int(side) for side in event._data["box"])
    session.box = (left, top, right, bottom)


def window_fields(scan: Scan | None) -> tuple[Any, Any, Any]:
    """Window centre and width, shown for 16-bit scans."""
    window = None if scan is None or scan.values.ndim == 3 else scan.window
    if window is None:
        return gr.Row(visible=False), None, None
    return gr.Row(visible=True), window.center, window.width


def clear(session: Session) -> tuple[Any, ...]:
    """The scan and everything derived from it leave the server's memory."""
    session.want(None)
    left = nothing_compared(session)
    session.forget()
    return session.show("certify", views.idle), {}, shown_gallery(None), *window_fields(None), left


def lose(session: Session) -> tuple[Any, ...]:
    """Another scan was brought and did not arrive: the one before is no longer what the visitor means."""
    _, *cleared = clear(session)
    return session.show("certify", views.lost), *cleared


def forgetting(demo: gr.Blocks) -> Callable[[gr.Request], None]:
    """A closed tab takes everything with it at once; Gradio would keep the session, scan included, for an hour."""

    def forget(request: gr.Request) -> None:
        drop(demo, request.session_hash or "")

    return forget


def own_fields(task_id: str) -> Any:
    """The fields of a visitor's own class names, shown when they are asked for."""
    return gr.Column(visible=task_id == OWN_TASK)


# --- layout


@dataclass(frozen=True)
class Page:
    """The components that the wiring needs."""

    session: gr.State
    header: gr.HTML
    picker: gr.HTML
    strip: gr.HTML
    stage: gr.HTML
    viewer: gr.HTML
    uploader: gr.UploadButton
    checker: gr.UploadButton
    clear: gr.Button
    model: gr.Dropdown
    task: gr.Dropdown
    own: gr.Column
    class_names: gr.Textbox
    template: gr.Textbox
    noise: gr.Slider
    votes: gr.Radio
    target: gr.Number
    window: gr.Row
    center: gr.Number
    width: gr.Number
    method: gr.Dropdown
    denoiser: gr.Dropdown
    start: gr.Button
    start_compare: gr.Button
    comparison: gr.HTML
    learning: gr.HTML
    way: gr.Radio
    shots: gr.Slider
    bank_repo: gr.Textbox
    bank_fetch: gr.Button
    bank_said: gr.HTML
    archive: gr.UploadButton
    drawn: gr.Button

    @property
    def settings(self) -> list[Any]:
        """What an `Order` is made from, in its order, after the specimen."""
        return [
            self.model, self.task, self.class_names, self.template, self.noise, self.votes, self.target, self.center,
            self.width, self.method, self.denoiser,
        ]  # fmt: skip

    @property
    def linked(self) -> list[Any]:
        """The controls whose state stands in the address, in the order of `psmooth.links.KEYS`."""
        return [
            self.model, self.task, self.class_names, self.template, self.noise, self.votes, self.target, self.method,
            self.denoiser,
        ]  # fmt: skip

    @property
    def course(self) -> list[Any]:
        """What an `Enrolment` is made from, in its order, after the archive."""
        return [self.model, self.task, self.class_names, self.template, self.way, self.denoiser, self.shots]


def part(name: str, **words: str) -> str:
    """A piece of HTML from assets/, with the product's words put in."""
    return Template(resource("assets", f"{name}.html").read_text("utf-8")).substitute(WORDS, **words)


def bare(template: str, script: str, **options: Any) -> gr.HTML:
    """An HTML component without Gradio's own frame and style."""
    options.setdefault("elem_classes", ["ps-bare"])
    return gr.HTML(html_template=template, js_on_load=script, apply_default_css=False, **options)


def languages() -> str:
    """The languages as options of the header's menu."""
    return "".join(f'<option value="{code}">{name}</option>' for code, name in LANGUAGES.items())


def scan_card() -> dict[str, Any]:
    """Examples, upload, clear."""
    words = views.CONTROL_WORDS
    with gr.Column(elem_id="ps-scan-card"):
        picker = bare(part("picker"), "psmooth.picker(element, props, watch, trigger, 'pick')", value=shown_gallery(0))
        with gr.Row(elem_id="ps-own-scan"):
            uploader = gr.UploadButton(words["upload"], size="sm", min_width=0, scale=3, elem_id="ps-upload")
            cleared = gr.Button(words["clear"], size="sm", min_width=0, elem_id="ps-clear")
        with gr.Row(visible=False) as window:
            center = gr.Number(label=words["window_center"], min_width=100)
            width = gr.Number(label=words["window_width"], info=words["window_info"], minimum=1, min_width=100)
    return {
        "picker": picker,
        "uploader": uploader,
        "clear": cleared,
        "window": window,
        "center": center,
        "width": width,
    }


def question_card() -> dict[str, Any]:
    """Model, task, noise level, precision, Certify."""
    words, choices = views.CONTROL_WORDS, model_choices()
    counts = views.precision_choices()
    with gr.Column(elem_id="ps-question-card"):
        model = gr.Dropdown(
            choices, value=choices[0][1] if choices else None, label=words["model"], allow_custom_value=True
        )
        task = gr.Dropdown(task_choices(), value=gallery().items[0].task or OWN_TASK, label=words["task"])
        with gr.Column(visible=False) as own:
            names = gr.Textbox(label=words["class_names"], info=words["class_names_info"], lines=3)
            template = gr.Textbox("an image of {}.", label=words["template"], info=words["template_info"])
        with gr.Row(elem_id="ps-repair"):
            method = gr.Dropdown(
                views.method_choices(), value="template", label=words["method"], min_width=100, elem_id="ps-method"
            )
            denoiser = gr.Dropdown(views.denoiser_choices(), value="none", label=words["denoiser"], min_width=100)
        with gr.Column(elem_id="ps-noise-field"):
            noise = gr.Slider(0.1, 1, value=0.25, step=0.05, label=words["noise"], elem_id="ps-noise", buttons=[])
            bare(views.tick_buttons(), "psmooth.ticks(element)")
        votes = gr.Radio(counts, value=counts[0][1], label=words["precision"], elem_id="ps-precision")
        with gr.Accordion(words["more"], open=False, elem_id="ps-more"):
            target = gr.Number(label=words["target"], info=words["target_info"], minimum=0, value=None)
            repo = gr.Textbox(label=words["bank_repo"], info=words["bank_repo_info"], elem_id="ps-bank-repo")
            fetch = gr.Button(words["bank_fetch"], size="sm", elem_id="ps-bank-fetch")
            fetched = bare(
                '<p role="status"></p>', "psmooth.told(element, props, watch)", elem_id="ps-bank-said", value=""
            )
        start = gr.Button(words["certify"], variant="primary", elem_id="ps-certify")
        start_compare = gr.Button(words["compare"], variant="primary", elem_id="ps-compare")
        learning = course_controls()
    return {
        "model": model, "task": task, "own": own, "class_names": names, "template": template, "noise": noise,
        "votes": votes, "target": target, "method": method, "denoiser": denoiser, "start": start,
        "start_compare": start_compare, "bank_repo": repo, "bank_fetch": fetch, "bank_said": fetched, **learning,
    }  # fmt: skip


def task_choices() -> list[tuple[str, str]]:
    """(words, task id) as the menu shows them, the visitor's own last."""
    names = [(say(task.name), task.id) for task in TASKS.values()]
    return [*names, (say(views.CONTROL_WORDS["own_task"]), OWN_TASK)]


def course_controls() -> dict[str, Any]:
    """What is learned, and from which scans."""
    words = views_learn.LEARN_WORDS
    with gr.Column(elem_id="ps-learn-controls"):
        way = gr.Radio(views_learn.way_choices(), value="few_shot", label=words["learn_way"])
        shots = gr.Slider(
            1, 64, value=16, step=1, label=words["learn_shots"], info=words["learn_shots_info"], buttons=[]
        )
        archive = gr.UploadButton(words["learn_upload"], file_types=[".zip"], variant="primary", elem_id="ps-archive")
        drawn = gr.Button(words["learn_drawn"], elem_id="ps-drawn")
    return {"way": way, "shots": shots, "archive": archive, "drawn": drawn}


def opening() -> tuple[Specimen, dict[str, Any], dict[str, Any]]:
    """The first example with its stage and its strip: on the page before anything is asked of the server."""
    first = example_specimen(0)
    crop = crop_scan(first.scan)
    stage = views.opening(TASKS[gallery().items[0].task or next(iter(TASKS))], views.landmarks(crop.pixels, 0.25))
    return first, stage, views.strip(scan_picture(first.scan), first.scan.kind, crop)


def lay_out() -> Page:
    """The whole page."""
    _, stage_value, strip_value = opening()
    session = gr.State(Session())  # the page brings its scan: a session that was forgotten has none
    header = bare(
        part("header", languages=languages()), "psmooth.header(element); psmooth.voice(element, trigger, 'voice')"
    )
    with gr.Row(elem_id="ps-page"):
        with gr.Column(elem_id="ps-side"):
            controls = {**scan_card(), **question_card()}
        with gr.Column(elem_id="ps-stage-column"):
            stage = bare(
                part("stage", budget=part("budget")), "psmooth.stage(element, props, watch, trigger, 'stop', 'lost')",
                value=stage_value, words=views.PAGE_WORDS, budget=views.BUDGET_WORDS,
            )  # fmt: skip
            checker = gr.UploadButton(views.CONTROL_WORDS["check"], file_types=[".json"], elem_id="ps-check")
            strip = bare(
                "", "psmooth.strip(element, props, watch)", elem_classes=["ps-bare", "ps-hidden"], value=strip_value
            )
            viewer = bare(
                part("viewer"), f"psmooth.viewer(element, trigger, 'box', {json.dumps(views.VIEWER_WORDS)})",
                elem_classes=["ps-bare", "ps-hidden"],
            )  # fmt: skip
        with gr.Column(elem_id="ps-compare-column"):
            comparison = bare(
                part("compare"), "psmooth.compare(element, props, watch, trigger)",
                value=views_compare.idle(), words={**views.PAGE_WORDS, **views_compare.COMPARE_WORDS},
            )  # fmt: skip
        with gr.Column(elem_id="ps-learn-column"):
            learning = bare(
                part("learn"), "psmooth.learn(element, props, watch, trigger)",
                value=views_learn.idle(), words=views.PAGE_WORDS,
            )  # fmt: skip
    bare(part("modes"), f"psmooth.modes(element, {json.dumps(views.LECTURE)})", elem_classes=["ps-bare", "ps-hidden"])
    with gr.Column(elem_id="ps-understand-column"):
        bare(part("understand"), "window.psmooth?.understand?.(element)")
    return Page(
        session=session,
        header=header,
        checker=checker,
        stage=stage,
        strip=strip,
        viewer=viewer,
        comparison=comparison,
        learning=learning,
        **controls,
    )


# --- wiring


def wire(demo: gr.Blocks, page: Page) -> None:
    """Every event of the page; those that use the device wait for their turn outside of Gradio's queue."""
    fields = [page.picker, page.window, page.center, page.width]
    at_once: dict[str, Any] = {"queue": False, **PRIVATE}
    cleared = [page.stage, page.strip, *fields, page.comparison]
    picked = page.picker.pick(pick, page.session, [page.task, *fields, page.comparison], **at_once)
    given = [page.session, page.uploader]
    uploaded = page.uploader.upload(aside(upload), given, cleared, **at_once)
    restored = demo.load(restore, page.session, [page.stage, page.strip, page.picker, *page.linked], **at_once)
    on_loss("certify", page.checker.upload(check, [page.session, page.checker], page.stage, **at_once))
    boxed = page.viewer.box(choose_box, page.session, None, **at_once)
    again = (page.start.click, picked.success, uploaded.success, boxed.success)
    starts = ((restored.success, begin_first), *((starting, begin) for starting in again))
    for starting, beginning in starts:
        begun = starting(beginning, [page.session, *page.settings], page.stage, **at_once)
        shown = [page.stage, page.strip]
        ran = begun.success(in_threads(run), page.session, shown, trigger_mode="multiple", **STREAM, **PRIVATE)
        on_loss("certify", begun, ran)
    on_loss("certify", boxed)
    on_loss("scan", picked, uploaded)
    page.stage.lost(lose, page.session, cleared, **at_once)
    page.stage.stop(halt, page.session, page.stage, **at_once)
    wire_compare(page, at_once)
    wire_learn(page, at_once)
    worded = [page.task, page.method, page.denoiser, page.votes, page.way]
    said = [page.stage, page.comparison, page.learning, *worded]
    page.header.voice(change_voice, page.session, said, trigger_mode="always_last", **at_once)
    restored.then(menus_at_first, page.session, worded, **at_once)
    page.clear.click(clear, page.session, cleared, **at_once)
    page.task.change(own_fields, page.task, page.own, **at_once)
    remember = f"(...values) => psmooth.remember({json.dumps(KEYS)}, values)"
    gr.on([one.change for one in page.linked], None, page.linked, None, js=remember, **at_once)
    demo.unload(forgetting(demo))


def on_loss(what: str, *events: Any) -> None:
    """Where an event of a view does not come to its end, the page itself says so: the server may be out of reach."""
    for event in events:
        event.failure(None, None, None, js=f"() => psmooth.lost('{what}')", queue=False, **PRIVATE)


def wire_compare(page: Page, at_once: dict[str, Any]) -> None:
    """Compare and its Stop."""
    begun = page.start_compare.click(begin_compare, [page.session, *page.settings], page.comparison, **at_once)
    ran = begun.success(
        in_threads(run_compare), page.session, page.comparison, trigger_mode="multiple", **STREAM, **PRIVATE
    )
    ran.then(list_runs, page.session, page.stage, **at_once)
    on_loss("compare", begun, ran)
    page.comparison.stop(halt_compare, page.session, page.comparison, **at_once)


def wire_learn(page: Page, at_once: dict[str, Any]) -> None:
    """Learn from a zip or from phantoms, and Stop."""
    shown = [page.learning, page.method]
    uploaded = page.archive.upload(begin_learn, [page.session, page.archive, *page.course], page.learning, **at_once)
    drawn = page.drawn.click(begin_drawn, [page.session, *page.course], page.learning, **at_once)
    for begun in (uploaded, drawn):
        ran = begun.success(in_threads(run_learn), page.session, shown, trigger_mode="multiple", **STREAM, **PRIVATE)
        on_loss("learn", begun, ran)
    asked = [page.session, page.bank_repo, page.model, page.task]
    page.bank_fetch.click(in_threads(fetch_banks), asked, [page.method, page.bank_said], **STREAM, **PRIVATE)
    page.learning.stop(halt_learn, page.session, page.learning, **at_once)


def wire_api(page: Page) -> None:
    """The endpoints, for gradio_client and HTTP: a file is needed, everything else has a default."""
    with gr.Column(visible=False):
        scan, names = gr.File(label="scan"), gr.Textbox("", label="class_names")
        votes, target, center, width = (gr.Number(value) for value in (1_000, 0, 0, 0))
        output, go = gr.JSON(label="certificate"), gr.Button()
    inputs = [scan, page.model, page.task, names, page.template, page.noise, votes, target, center, width]
    inputs += [page.method, page.denoiser]
    streaming: dict[str, Any] = {"show_progress": "hidden", **STREAM}
    go.click(in_threads(certify_file), inputs, output, api_name="certify", **streaming)
    inputs = [scan, page.model, page.task, names, page.template, page.noise, votes, page.denoiser]
    go.click(in_threads(compare_file), inputs, output, api_name="compare", **streaming)
    scans = gr.File(label="scans", visible=False)
    inputs = [scans, page.model, page.task, names, page.template, page.way, page.denoiser, page.shots]
    go.click(in_threads(learn_file), inputs, output, api_name="learn", **streaming)


def build() -> Intake:
    """The page, ready to be launched."""
    settle()  # before the first tensor
    raise_open_files()  # each page, upload and stream of a visitor holds one
    own_folder()  # before the first component
    with Intake(Uploads(), title=views.TITLE, analytics_enabled=False, fill_width=True) as demo:
        page = lay_out()
        wire(demo, page)
        wire_api(page)
    demo.queue(max_size=2 * places.most, api_open=False, status_update_rate=SECONDS_BETWEEN_STANDINGS)
    demo._queue.ANALYTICS_MAX_EVENTS = 1  # a table of all runs, made anew after each, that nobody reads
    return demo.holding_uploads()


# --- look and launch


def theme() -> themes.Base:
    """Gradio's default theme with enough contrast in light and dark."""
    default = themes.Default(
        primary_hue="blue", neutral_hue="slate", font=["Inter Variable", "system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )  # fmt: skip
    return default.set(
        button_primary_background_fill="*primary_700",
        button_primary_text_color="white",
        button_cancel_background_fill="#b91c1c",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        link_text_color="*primary_700",
        input_placeholder_color="*neutral_500",
    )


@cache
def static_files() -> dict[str, Path]:
    """What the page itself needs, by name: nothing else is served from this machine, and nothing from another."""
    names = [f"{name}.js" for name in PIECES]
    names += [f"words/{name}.json" for name in (*LANGUAGES, "symbols") if name != "en"]
    names += ["plotly/plotly-basic.min.js", "recording.json", "fonts/inter-latin.woff2", "fonts/inter-greek.woff2"]
    return {name: resource("assets", *name.split("/")) for name in names}


def style_sheets() -> list[Path]:
    """One for what all views share, one for each piece."""
    return [resource("assets", f"{name}.css") for name in PIECES]


@cache
def address(name: str) -> str:
    """Where the page finds one of them, relative to itself."""
    return f"{pieces_address(static_files())}/{name}"


def scripts() -> str:
    """The scripts of the page, that of what all views share first."""
    spoken = " ".join(LANGUAGES)
    return "\n".join(f'<script src="{address(f"{name}.js")}" data-languages="{spoken}"></script>' for name in PIECES)


def fonts_and_colours() -> str:
    """The part of the style sheet that is not in a file as it stands."""
    faces = {name: address(f"fonts/inter-{name}.woff2") for name in ("latin", "greek")}
    fonts = Template(resource("assets", "fonts.css").read_text("utf-8")).substitute(faces)
    return fonts + views.colour_sheet() + resource("assets", "views.css").read_text("utf-8")


def head() -> str:
    """Fonts, colours and scripts; Gradio does not wait for these scripts, so they come with the first picture too."""
    return part("head", css=fonts_and_colours(), scripts=scripts())


class FirstPicture:
    """Sends a first picture of the page along with it, so that it stands before Gradio's scripts have run.

    The script takes it away as soon as the page itself is there. Scripts of the page are stamped: no other one runs.
    """

    def __init__(self, app: ASGIApp, picture: str) -> None:
        self.app, self.picture = app, picture.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI; the page itself and nothing else is changed."""
        if scope["type"] != "http" or scope["method"] != "GET" or path_of(scope) != "/":
            await self.app(scope, receive, send)
            return
        start: Message = {}

        async def send_with_picture(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if start:
                headers = MutableHeaders(scope=start)
                whole = message["body"].replace(b"</body>", self.picture + b"</body>")
                message["body"], headers["content-security-policy"] = stamped(whole)
                headers["content-length"] = str(len(message["body"]))
                await send(start)
                start = {}
            await send(message)

        await self.app(scope, receive, send_with_picture)


def first_picture() -> str:
    """The page with the first example, as HTML of its own, drawn by the same script."""
    _, stage, strip = opening()
    values = json.dumps({"stage": stage, "strip": strip, "picker": shown_gallery(0), "words": views.PAGE_WORDS})
    css = fonts_and_colours() + resource("assets", "psmooth.css").read_text("utf-8")
    parts = {"header": part("header", languages=languages()), "picker": part("picker")}
    parts["stage"] = part("stage", budget="")
    return part("first", css=css, values=values.replace("</", "<\\/"), **parts, scripts=scripts())


def warm_up() -> None:
    """Read the model that the page opens with while the browser is still loading the page."""
    for _, choice in model_choices()[:1]:  # never one that would have to be fetched: those come last
        try:
            model_of(choice)
        except PsmoothError as error:
            log.warning("%s", error)


def guarded(uploads: Uploads, hosts: Hosts | None = None, tools: bool = False) -> dict[str, Any]:
    """What puts the guard before everything else; Gradio adds its own layers outside those that it is given."""

    @asynccontextmanager
    async def lifespan(server: Starlette) -> AsyncIterator[None]:
        inner = server.middleware_stack
        assert inner is not None
        server.middleware_stack = Guard(inner, uploads, static_files(), hosts or Hosts(), tools, MAX_FILE_BYTES)
        yield

    return {"lifespan": lifespan}


def launch(port: int | None = None, host: str | None = None, open_browser: bool = True, **options: Any) -> Any:
    """Serve the page; without ``port`` and ``host`` where GRADIO_SERVER_PORT and GRADIO_SERVER_NAME say, or Gradio."""
    psmooth.environment.reach_directly(host or os.environ.get("GRADIO_SERVER_NAME", "localhost"))
    demo, tools = build(), os.environ.get("GRADIO_MCP_SERVER", "").lower() == "true"
    if tools:
        take_tool_files(demo.uploads)
    logging.getLogger("uvicorn.error").addFilter(without_trace)
    demo.uploads.keep_sweeping()
    threading.Thread(target=warm_up, daemon=True).start()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a container that is stopped tidies up, as by Ctrl-C
    guard = guarded(demo.uploads, Hosts.of(host, bool(options.get("share"))), tools)
    return demo.launch(
        server_port=port, server_name=host, inbrowser=open_browser, theme=theme(), head=head(),
        css_paths=style_sheets(), run_history=False, enable_monitoring=False, footer_links=["api"],
        max_file_size=MAX_FILE_BYTES, favicon_path=resource("assets", "icon.png"), show_error=False, ssr_mode=False,
        pwa=False, mcp_server=tools, max_threads=MOST_STREAMS,
        app_kwargs={
            "middleware": [Middleware(FirstPicture, picture=first_picture()), Middleware(Presence)], **guard
        }, **options,
    )  # fmt: skip


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # also while the page is being built
        launch()
