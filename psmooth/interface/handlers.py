"""What happens when a control of the page is used; each handler is thin.

It knows nothing about where a control stands.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from functools import cache
from typing import Any

import gradio as gr

from psmooth import views
from psmooth.certificate import verify
from psmooth.errors import PsmoothError, ScanError
from psmooth.interface.address import read_link, read_locale
from psmooth.interface.model_menu import Download, model_choices
from psmooth.interface.requests import RunRequest, TrainingRequest, brought, example_scan, gallery
from psmooth.interface.runs import Certify, Compare, Learn, known, model_name, prompt_choices, prompt_menu
from psmooth.interface.session import Session
from psmooth.interface.settings import KEYS, OWN_TASK, settings_from
from psmooth.interface.steps import hub_banks
from psmooth.interface.uploads import Upload, no_upload
from psmooth.interface.visitors import caller, drop
from psmooth.scans import scan_picture
from psmooth.tasks import TASKS
from psmooth.views import compare as views_compare
from psmooth.views import learn as views_learn
from psmooth.views import records as views_records
from psmooth.views.locale import IN_WORDS, translate

RESAID = tuple(run.view for run in (Certify, Compare, Learn))  # the views with sentences of the server


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
        picture = views.thumbnail(scan_picture(example_scan(index).scan))
        source = {"about": about, "shown": example.file is not None}
        items.append({"name": example.name, "label": label, "picture": picture, **source})
    return items


def begin(session: Session, *values: Any, unasked: bool = False) -> Any:
    """Ask for a run and say so at once; without a scan nothing is asked."""
    if session.chosen is None:
        return gr.skip() if "certify" in session.shown or unasked else session.show("certify", views.forgotten)
    settings = settings_from(values)
    return Certify.start(session, RunRequest(session.chosen, settings, session.banks, session.box, unasked=unasked))


def restore(session: Session, request: gr.Request) -> tuple[Any, ...]:
    """The state that a link carries: example and settings; a visitor's own scan is never part of one."""
    models = [choice for _, choice in model_choices()]
    link = read_link(dict(request.query_params), models, len(gallery().items))
    settings = dict(link.settings)
    if link.own_scan:
        session.set_scan(None)
    else:
        session.set_scan(example_scan(link.example or 0))
    if link.example is not None:
        settings.setdefault("task", gallery().items[link.example].task)
    shown = shown_gallery(link.example) if link.own_scan or link.example is not None else gr.skip()
    session.locale = read_locale(request.query_params, request.headers.get("accept-language", ""))
    stage = session.show("certify", views.link_without_scan) if link.own_scan else gr.skip()
    return stage, {} if link.own_scan else gr.skip(), shown, *(settings.get(key, gr.skip()) for key in KEYS)


def change_locale(session: Session, event: gr.EventData) -> tuple[Any, ...]:
    """Another language, or symbols instead of words: what the views show is said again."""
    session.locale = read_locale({key: str(event._data.get(key, "")) for key in ("lang", "words")}, "")
    said = [session.resaid(view) or gr.skip() for view in RESAID]
    return *said, *menus(session)


def menus_at_first(session: Session) -> tuple[Any, ...]:
    """The same menus after the page has come: they are made in English."""
    return (gr.skip(),) * 5 if session.locale == IN_WORDS else menus(session)


def menus(session: Session) -> tuple[Any, ...]:
    """The menus whose choices are words: task, prompts, denoiser, precision, way."""
    tasks, ways = session.translated(task_choices), session.translated(views_learn.way_choices)
    return (
        gr.Dropdown(tasks),
        gr.Dropdown(session.translated(prompt_choices, session)),
        gr.Dropdown(session.translated(views.denoiser_choices)),
        gr.Radio(session.translated(views.precision_choices)),
        gr.Radio(ways),
    )


def begin_first(session: Session, *values: Any) -> Any:
    """The run that the page opens with, unless the visitor was faster."""
    return gr.skip() if session.wanted else begin(session, *values, unasked=True)


def begin_compare(session: Session, *values: Any) -> Any:
    """Ask for a comparison; without a scan nothing is asked."""
    if session.chosen is None:
        return session.show("compare", views_compare.failed, ScanError(views.NO_SCAN))
    settings = settings_from(values)
    return Compare.start(session, RunRequest(session.chosen, settings, session.banks, session.box, every_method=True))


def begin_learn(session: Session, archive: Upload | None, *values: Any) -> Any:
    """Ask for a bank, from an uploaded zip or, without one, from phantoms."""
    return Learn.start(session, TrainingRequest(archive, settings_from(values)))


def begin_drawn(session: Session, *values: Any) -> Any:
    """Ask for a bank learned from phantoms."""
    return begin_learn(session, None, *values)


def fetch_banks(session: Session, place: str, model: str, task: str) -> Generator[tuple[Any, Any], None, None]:
    """Banks of a repository of the Hub that fit the model and the task join the session's menu."""
    try:
        with closing(hub_banks(place, model, task, caller())) as steps:
            for step in steps:
                if isinstance(step, Download):
                    coming = session.translated(views.download_words, model_name(model), step.done, step.total)
                    yield gr.skip(), coming["line"]
                    continue
                session.add_banks(step)
                yield prompt_menu(session), session.translated(views_learn.fetched, step)
    except Exception as error:
        yield gr.skip(), session.translated(views.error_words, known(error))


def pick(session: Session, event: gr.EventData) -> tuple[Any, ...]:
    """An example was chosen."""
    index = min(max(int(event._data["index"]), 0), len(gallery().items) - 1)
    chosen, left = example_scan(index), nothing_compared(session)
    session.request_run(None)
    session.set_scan(chosen)
    task = gallery().items[index].task or gr.skip()
    return task, shown_gallery(index), *scan_fields(session), left


def nothing_compared(session: Session) -> Any:
    """A comparison belongs to its scan: where that was left, none is shown."""
    return session.show("compare", views_compare.idle) if "compare" in session.shown else gr.skip()


def upload(session: Session, file: Upload | None) -> tuple[Any, ...]:
    """A scan was uploaded, dropped or pasted."""
    session.request_run(None)
    left = nothing_compared(session)
    session.set_scan(None)
    try:
        session.set_scan(brought(file))
    except Exception as error:
        return session.show("certify", views.failed, known(error)), {}, shown_gallery(None), *scan_fields(session), left
    return (
        gr.skip(),
        gr.skip(),
        shown_gallery(None, own=True),
        *scan_fields(session),
        left,
    )


def check(session: Session, file: Upload | None) -> Mapping[str, Any]:
    """A certificate file was brought: it is recomputed, and kept nowhere."""
    session.request_run(None)
    try:
        return session.show("certify", views_records.checked, verify((file or no_upload()).read()))
    except PsmoothError as error:
        return session.show("certify", views.failed, error)


def choose_box(session: Session, event: gr.EventData) -> Any:
    """The part of the scan that the model shall see, in pixels of the scan."""
    left, top, right, bottom = (int(side) for side in event._data["box"])
    session.request_run(None)
    session.box = (left, top, right, bottom)
    return nothing_compared(session)


def choose_frame(session: Session, frame: float, center: float | None, width: float | None) -> tuple[Any, ...]:
    """Another picture of the same file; the part of it that the model shall see stays, and a window that was chosen."""
    session.request_run(None)
    left, box, chosen = nothing_compared(session), session.box, session.chosen
    try:
        session.set_scan(chosen and chosen.at(int(frame)))
    except Exception as error:
        session.set_scan(None)
        return session.show("certify", views.failed, known(error)), *window_fields(session), left
    session.box = box
    usual = chosen.scan.window if chosen else None
    is_usual = usual is None or (usual.center, usual.width) == (center, width)
    return gr.skip(), *(window_fields(session) if is_usual else (gr.skip(),) * 4), left


def choose_window(session: Session, offer: int | None) -> tuple[Any, Any]:
    """One of the windows that the scan offers."""
    offers = session.chosen.scan.offers if session.chosen else ()
    if offer is None or not 0 <= offer < len(offers):
        return gr.skip(), gr.skip()
    session.request_run(None)
    return offers[offer].window.center, offers[offer].window.width


def scan_fields(session: Session) -> tuple[Any, ...]:
    """What can be chosen of the scan: a frame, where there are many, and a window, where it has values to spread."""
    scan = session.chosen.scan if session.chosen else None
    if scan is None or scan.frames == 1:
        return gr.Slider(visible=False), *window_fields(session)
    return gr.Slider(maximum=scan.frames, value=scan.frame, visible=True), *window_fields(session)


def window_fields(session: Session) -> tuple[Any, ...]:
    """The windows that the scan offers, with the centre and width of the first."""
    scan = session.chosen.scan if session.chosen else None
    if scan is None or scan.window is None:
        return gr.Row(visible=False), gr.Dropdown([], value=None), None, None
    offers = [(words, number) for number, words in enumerate(session.translated(views.window_choices, scan))]
    return gr.Row(visible=True), gr.Dropdown(offers, value=0), scan.window.center, scan.window.width


def clear(session: Session) -> tuple[Any, ...]:
    """The scan and everything derived from it leave the server's memory."""
    session.request_run(None)
    left = nothing_compared(session)
    session.forget()
    return session.show("certify", views.idle), {}, shown_gallery(None), *scan_fields(session), left


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


def task_choices() -> list[tuple[str, str]]:
    """(words, task id) as the menu shows them, the visitor's own last."""
    names = [(translate(task.name), task.id) for task in TASKS.values()]
    return [*names, (translate(views.CONTROL_WORDS["own_task"]), OWN_TASK)]
