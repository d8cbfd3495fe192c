"""What happens when a control of the page is used; each handler is thin.

It knows nothing about where a control stands.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from functools import cache
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr

from psmooth import views
from psmooth.certificate import verify
from psmooth.errors import PsmoothError, ScanError
from psmooth.interface.address import read_link, read_locale
from psmooth.interface.asking import ask, no_question
from psmooth.interface.looking import name_window
from psmooth.interface.model_menu import Download, model_choices
from psmooth.interface.requests import Bundle, RunRequest, TrainingRequest, brought, example_scan, gallery
from psmooth.interface.runs import Attack, Certify, Compare, Learn, Run, known, model_name, prompt_choices, prompt_menu
from psmooth.interface.session import Session
from psmooth.interface.settings import KEYS, OWN_TASK, settings_from, task_choices
from psmooth.interface.steps import hub_banks
from psmooth.interface.uploads import Upload, no_upload
from psmooth.interface.visitors import caller, drop
from psmooth.scans import scan_picture
from psmooth.smoothing.brought import read_brought
from psmooth.smoothing.curves import rows_of
from psmooth.tasks import TASKS
from psmooth.views import attack as views_attack
from psmooth.views import compare as views_compare
from psmooth.views import learn as views_learn
from psmooth.views import records as views_records
from psmooth.views import results as views_results
from psmooth.views.locale import IN_WORDS

_CHECKS = count()

EMPTY = {"classes": "", "sentence": "", "target": None}  # where nothing was chosen: it stands in no address then
LEAVING = {"leaving": True}  # to the strip: its pictures are of the scan before, until those of this one come
RESAID = (Certify, Compare, Attack, Learn)  # the views with sentences of the server


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
        label = " · ".join(part for part in (task, example.truth, about) if part)
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


def begin_settled(session: Session, *values: Any) -> Any:
    """The same where nobody has asked for the run: not before it is settled what the scan shows."""
    return session.show("certify", views.unsettled) if session.asking else begin(session, *values)


def begin_asked(session: Session, *values: Any) -> tuple[Any, Any]:
    """The same where somebody has: he takes the task as it stands."""
    return begin(session, *values), no_question(session) if session.asking else gr.skip()


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
    return stage, {} if link.own_scan else gr.skip(), shown, *(_set_to(key, settings) for key in KEYS)


def _set_to(key: str, settings: Mapping[str, Any]) -> Any:
    """What a link sets a control to; one that asks to be fast shows that choice, also where this server refuses it."""
    if key == "speed" and settings.get(key) == "fast":
        return gr.Radio(value="fast", visible=True)
    return settings.get(key, gr.skip())


def go_back(session: Session, event: gr.EventData) -> tuple[Any, ...]:
    """An entry of the history was returned to: what a link to it restores, in the page as it is; an own scan stays."""
    link = read_link(
        dict(parse_qsl(str(event._data["query"]).lstrip("?"))),
        [choice for _, choice in model_choices()],
        len(gallery().items),
    )
    settings = (_set_to(key, {**EMPTY, **link.settings}) for key in KEYS)
    own = session.chosen if session.chosen and session.chosen.gallery is None else None
    chosen = own if link.own_scan else example_scan(link.example or 0)
    if chosen and session.has(chosen):
        return *(gr.skip(),) * 14, *settings
    left = nothing_found(session)
    session.request_run(None)
    session.set_scan(chosen)
    stage = gr.skip() if chosen else session.show("certify", views.link_without_scan)
    shown = shown_gallery(None if link.own_scan else link.example or 0, own=link.own_scan)
    return stage, LEAVING if chosen else {}, shown, *scan_fields(session), *left, no_question(session), *settings


def change_locale(session: Session, center: float | None, width: float | None, event: gr.EventData) -> tuple[Any, ...]:
    """Another language, or symbols instead of words: what the views show and tell of the scan is said again."""
    session.locale = read_locale({key: str(event._data.get(key, "")) for key in ("lang", "words")}, "")
    others = (session.resaid(what) or gr.skip() for what in ("question", "check", "results"))
    said = [*(said_again(session, run) for run in RESAID), *others]
    plane = gr.Dropdown(session.translated(views.plane_choices))
    about = {"about": session.translated(views.scan_facts, session.scan)} if session.scan else gr.skip()
    return *said, *menus(session), plane, name_window(session, center, width), about


def said_again(session: Session, run: type[Run[Any]]) -> Any:
    """What a view shows now; the others say what they are for where they show nothing else."""
    if (said := session.resaid(run.view)) is not None:
        return said
    return gr.skip() if run is Certify else session.translated(run.words.idle)


def menus_at_first(session: Session) -> tuple[Any, ...]:
    """The same menus after the page has come: they are made in English."""
    return (gr.skip(),) * 8 if session.locale == IN_WORDS else menus(session)


def menus(session: Session) -> tuple[Any, ...]:
    """The menus whose choices are words: task, prompts, denoiser, precision, way, series, model, speed."""
    tasks, ways = session.translated(task_choices), session.translated(views_learn.way_choices)
    return (
        gr.Dropdown(tasks),
        gr.Dropdown(session.translated(prompt_choices, session)),
        gr.Dropdown(session.translated(views.denoiser_choices)),
        gr.Radio(session.translated(views.precision_choices)),
        gr.Radio(ways),
        gr.Radio(series_choices(session)),
        gr.Dropdown(session.translated(model_choices)),
        gr.Radio(session.translated(views.speed_choices)),
    )


def begin_first(session: Session, *values: Any) -> Any:
    """The run that the page opens with, unless the visitor was faster."""
    return gr.skip() if session.wanted else begin(session, *values, unasked=True)


def begin_compare(session: Session, *values: Any) -> tuple[Any, Any]:
    """Ask for a comparison, with the task as it stands; without a scan nothing is asked."""
    if session.chosen is None:
        return session.show("compare", views_compare.failed, ScanError(views.NO_SCAN)), gr.skip()
    request = RunRequest(session.chosen, settings_from(values), session.banks, session.box, every_method=True)
    return Compare.start(session, request), no_question(session) if session.asking else gr.skip()


def begin_attack(session: Session, *values: Any) -> Any:
    """Ask for an attack; without a scan nothing is asked."""
    if session.chosen is None:
        return session.show("attack", views_attack.failed, ScanError(views.NO_SCAN))
    return Attack.start(session, RunRequest(session.chosen, settings_from(values), session.banks, session.box))


def begin_learn(session: Session, archive: Upload | None, *values: Any) -> Any:
    """Ask for a bank, from an uploaded zip or, without one, from phantoms."""
    return Learn.start(session, TrainingRequest(archive, settings_from(values)))


def begin_drawn(session: Session, *values: Any) -> Any:
    """Ask for a bank learned from phantoms."""
    return begin_learn(session, None, *values)


def use_bank(session: Session) -> tuple[Any, ...]:
    """What was learned last is what *Certify* asks next: its prompts, and the question that they answer."""
    if not session.banks:
        return (gr.skip(),) * 4
    facts = session.banks[-1].facts
    if facts.task in TASKS:
        return prompt_menu(session), facts.task, gr.skip(), gr.skip()
    return prompt_menu(session), OWN_TASK, "; ".join(facts.class_names), facts.template


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
    chosen, left = example_scan(index), nothing_found(session)
    session.request_run(None)
    session.set_scan(chosen)
    task = gallery().items[index].task or gr.skip()
    return task, LEAVING, shown_gallery(index), *scan_fields(session), *left, no_question(session)


def nothing_found(session: Session) -> tuple[Any, Any]:
    """A comparison and an attack belong to their scan: where that was left, none is shown."""
    views_left = (("compare", views_compare.idle), ("attack", views_attack.idle))
    return tuple(session.show(view, idle) if view in session.shown else gr.skip() for view, idle in views_left)  # type: ignore[return-value]


def upload(session: Session, file: Upload | None, task: str) -> tuple[Any, ...]:
    """A scan was uploaded, dropped or pasted; it is asked what it shows, unless that is clear."""
    session.request_run(None)
    left = nothing_found(session)
    session.set_scan(None)
    try:
        came = brought(file)
    except Exception as error:
        stage = session.show("certify", views.failed, known(error))
        fields = scan_fields(session)
        return stage, {}, shown_gallery(None), *fields, *left, no_question(session), gr.skip()
    is_scan = not isinstance(came, Bundle)
    session.set_scan(came if is_scan else None, None if is_scan else came)
    return (
        gr.skip() if is_scan else session.show("certify", views.which_series),
        LEAVING if is_scan else {},
        shown_gallery(None, own=True),
        *scan_fields(session),
        *left,
        *ask(session, task),
    )


def check(session: Session, file: Upload | None) -> Mapping[str, Any]:
    """A certificate file was brought: it is recomputed, and kept nowhere."""
    try:
        shown = session.show("check", views_records.checked, verify((file or no_upload()).read()))
    except PsmoothError as error:
        shown = session.show("check", views_records.unread, error)
    return {**shown, "number": next(_CHECKS)}  # what is brought once more is shown once more


def open_records(session: Session, file: Upload | None) -> Mapping[str, Any]:
    """Records of a visitor's own: they are added up to curves, and nothing else of them is kept."""
    try:
        return session.show("results", views_results.own, rows_of(*read_brought((file or no_upload()).read())))
    except PsmoothError as error:
        return session.show("results", views_results.refused, error)


def ship_records(session: Session) -> Mapping[str, Any]:
    """The records that ship, in place of a visitor's own, which are forgotten."""
    return session.show("results", views_results.shipped)


def choose_box(session: Session, event: gr.EventData) -> Any:
    """The part of the scan that the model shall see, in pixels of the scan."""
    left, top, right, bottom = (int(side) for side in event._data["box"])
    session.request_run(None)
    session.box = (left, top, right, bottom)
    return nothing_found(session)


def choose_frame(session: Session, frame: float, center: float | None, width: float | None) -> tuple[Any, ...]:
    """Another picture of the same file; the part of it that the model shall see stays, and a window that was chosen."""
    session.request_run(None)
    left, box, chosen = nothing_found(session), session.box, session.chosen or session.left
    is_usual = session.is_usual(center, width)
    try:
        session.set_scan(chosen and chosen.at(int(frame)))
    except Exception as error:
        session.set_scan(None, session.bundle, left=chosen)
        return session.show("certify", views.failed, known(error)), *window_fields(session), *left
    session.box = box
    return gr.skip(), *(window_fields(session) if is_usual else (gr.skip(),) * 4), *left


def choose_series(session: Session, number: int | None, task: str) -> tuple[Any, ...]:
    """One of the series that were brought together: its middle picture is opened."""
    session.request_run(None)
    left, bundle = nothing_found(session), session.bundle
    is_first = session.chosen is None and session.left is None  # what the others show was asked with it
    if bundle is None or number is None:
        return (gr.skip(),) * 14
    try:
        session.set_scan(bundle.open(number))
    except Exception as error:
        session.set_scan(None, bundle)
        stage = session.show("certify", views.failed, known(error))
        return stage, {}, *scan_fields(session), *left, no_question(session), gr.skip()
    return gr.skip(), LEAVING, *scan_fields(session), *left, *(ask(session, task) if is_first else (gr.skip(),) * 2)


def choose_plane(session: Session, plane: str) -> tuple[Any, ...]:
    """The middle slice of another plane of a volume."""
    session.request_run(None)
    left, chosen = nothing_found(session), session.chosen
    try:
        session.set_scan(chosen and chosen.at(plane=plane))
    except Exception as error:
        session.set_scan(None)
        return session.show("certify", views.failed, known(error)), *scan_fields(session), *left
    return gr.skip(), *scan_fields(session), *left


def choose_window(session: Session, offer: int | None) -> tuple[Any, Any]:
    """One of the windows that the scan offers."""
    offers = session.scan.offers if session.scan else ()
    if offer is None or not 0 <= offer < len(offers):
        return gr.skip(), gr.skip()
    session.request_run(None)
    return offers[offer].window.center, offers[offer].window.width


def scan_fields(session: Session) -> tuple[Any, ...]:
    """What can be chosen of what was brought: a series, a frame, a plane of a volume, and a window of values."""
    scan, choices = session.scan, series_choices(session)
    frames, slider, plane = views.frames(1), gr.Slider(visible=False), gr.Dropdown(visible=False)
    if scan is not None and scan.frames > 1:
        frames = views.frames(scan.frames, first=scan.frame)
        slider = gr.Slider(maximum=scan.frames, value=scan.frame, visible=True)
    if scan is not None and scan.plane:
        plane = gr.Dropdown(session.translated(views.plane_choices), value=scan.plane, visible=True)
    series = gr.Radio(choices, value=scan and scan.series, visible=len(choices) > 1)
    return series, frames, slider, plane, *window_fields(session)


def series_choices(session: Session) -> list[tuple[str, int]]:
    """The series that were brought together, in words, and their numbers."""
    series = session.bundle.contents.series if session.bundle else ()
    return [(session.translated(views.series_words, one, number), number) for number, one in enumerate(series, 1)]


def window_fields(session: Session) -> tuple[Any, ...]:
    """The windows that the scan offers, with the centre and width of the first."""
    scan = session.scan
    if scan is None or scan.window is None:
        return gr.Row(visible=False), gr.Dropdown([], value=None), None, None
    offers = [(words, number) for number, words in enumerate(session.translated(views.window_choices, scan))]
    return gr.Row(visible=True), gr.Dropdown(offers, value=0), scan.window.center, scan.window.width


def clear(session: Session) -> tuple[Any, ...]:
    """The scan and everything derived from it leave the server's memory."""
    session.request_run(None)
    left = nothing_found(session)
    session.forget()
    return (
        session.show("certify", views.idle),
        {},
        shown_gallery(None),
        *scan_fields(session),
        *left,
        no_question(session),
    )


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
