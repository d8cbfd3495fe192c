"""The whole page: layout first, wiring last.

It knows nothing about statistics, and holds no words or colours: those are in `psmooth.views`.
"""

from dataclasses import dataclass
from inspect import signature
from typing import Any

import gradio as gr

from psmooth import views
from psmooth.interface.assets import called
from psmooth.interface.components import (
    Comparison,
    Header,
    Learning,
    Modes,
    Picker,
    Said,
    Stage,
    Strip,
    Understanding,
    Viewer,
)
from psmooth.interface.controls import question_card, scan_card
from psmooth.interface.endpoints import ENDPOINTS
from psmooth.interface.handlers import (
    begin,
    begin_compare,
    begin_drawn,
    begin_first,
    begin_learn,
    change_locale,
    check,
    choose_box,
    choose_frame,
    choose_window,
    clear,
    fetch_banks,
    forgetting,
    lose,
    menus_at_first,
    own_fields,
    pick,
    restore,
    upload,
)
from psmooth.interface.intake import Intake, own_folder
from psmooth.interface.requests import example_scan, gallery
from psmooth.interface.runs import Certify, Compare, Learn, Run, list_runs
from psmooth.interface.session import Session
from psmooth.interface.settings import CONTROLS, KEYS
from psmooth.interface.steps import places
from psmooth.interface.uploads import Uploads
from psmooth.interface.visitors import aside, in_threads
from psmooth.runtime import raise_open_files, tune_allocator
from psmooth.scans import crop_scan, landmarks, scan_picture
from psmooth.tasks import TASKS
from psmooth.views import compare as views_compare
from psmooth.views import learn as views_learn

STREAM: dict[str, Any] = {"concurrency_id": "streams", "concurrency_limit": None}  # `places` says whose turn it is

SECONDS_BETWEEN_STANDINGS = 3_600  # Gradio would tell all of its line at each change; a run tells its own place

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


@dataclass(frozen=True)
class Page:
    """The components that the wiring needs."""

    session: gr.State
    header: Header
    picker: Picker
    strip: Strip
    stage: Stage
    viewer: Viewer
    uploader: gr.UploadButton
    checker: gr.UploadButton
    clear: gr.Button
    model: gr.Dropdown
    task: gr.Dropdown
    own: gr.Column
    class_names: gr.Textbox
    template: gr.Textbox
    noise_level: gr.Slider
    votes: gr.Radio
    target_radius: gr.Number
    frame: gr.Slider
    window: gr.Row
    window_offer: gr.Dropdown
    window_center: gr.Number
    window_width: gr.Number
    method: gr.Dropdown
    denoiser: gr.Dropdown
    start: gr.Button
    start_compare: gr.Button
    comparison: Comparison
    learning: Learning
    way: gr.Radio
    shots: gr.Slider
    bank_repo: gr.Textbox
    bank_fetch: gr.Button
    bank_said: Said
    archive: gr.UploadButton
    drawn: gr.Button

    @property
    def settings(self) -> list[Any]:
        """The control of each field of `Settings`."""
        return [getattr(self, name) for name in CONTROLS]

    @property
    def linked(self) -> list[Any]:
        """Those whose state stands in the address, one for each of its `KEYS`."""
        return [getattr(self, name) for name in KEYS.values()]


def opening() -> tuple[views.Opening, views.Strip]:
    """Stage and strip of the first example: on the page before anything is asked of the server."""
    first = example_scan(0)
    crop = crop_scan(first.scan)
    stage = views.opening(TASKS[gallery().items[0].task or next(iter(TASKS))], landmarks(crop.pixels, 0.25))
    return stage, views.strip(scan_picture(first.scan), views.scan_words(first.scan), crop)


def lay_out() -> Page:
    """The whole page."""
    stage_value, strip_value = opening()
    session = gr.State(Session())  # the page brings its scan: a session that was forgotten has none
    header = Header()
    with gr.Row(elem_id="ps-page"):
        with gr.Column(elem_id="ps-side"):
            controls = {**scan_card(), **question_card()}
        with gr.Column(elem_id="ps-stage-column"):
            stage = Stage(value=stage_value)
            checker = gr.UploadButton(views.CONTROL_WORDS["check"], file_types=[".json"], elem_id="ps-check")
            strip = Strip(value=strip_value)
            viewer = Viewer()
        with gr.Column(elem_id="ps-compare-column"):
            comparison = Comparison(value=views_compare.idle())
        with gr.Column(elem_id="ps-learn-column"):
            learning = Learning(value=views_learn.idle())
    Modes()
    with gr.Column(elem_id="ps-understand-column"):
        Understanding()
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


def wire(demo: gr.Blocks, page: Page) -> None:
    """Every event of the page; those that use the device wait for their turn outside of Gradio's queue."""
    shown = [page.window, page.window_offer, page.window_center, page.window_width]
    fields = [page.picker, page.frame, *shown]
    at_once: dict[str, Any] = {"queue": False, **PRIVATE}
    cleared = [page.stage, page.strip, *fields, page.comparison]
    picked = page.picker.pick(pick, page.session, [page.task, *fields, page.comparison], **at_once)
    given = [page.session, page.uploader]
    uploaded = page.uploader.upload(aside(upload), given, cleared, **at_once)
    restored = demo.load(restore, page.session, [page.stage, page.strip, page.picker, *page.linked], **at_once)
    on_loss("certify", page.checker.upload(check, [page.session, page.checker], page.stage, **at_once))
    boxed = page.viewer.box(choose_box, page.session, page.comparison, **at_once)
    asked = [page.session, page.frame, page.window_center, page.window_width]
    framed = page.frame.release(choose_frame, asked, [page.stage, *shown, page.comparison], **at_once)
    asked = [page.session, page.window_offer]
    windowed = page.window_offer.input(choose_window, asked, [page.window_center, page.window_width], **at_once)
    again = (page.start.click, *(one.success for one in (picked, uploaded, boxed, framed, windowed)))
    starts = ((restored.success, begin_first), *((starting, begin) for starting in again))
    for starting, beginning in starts:
        begun = starting(beginning, [page.session, *page.settings], page.stage, **at_once)
        wire_run(Certify, page, begun, [page.stage, page.strip])
    on_loss("certify", boxed, framed, windowed)
    on_loss("scan", picked, uploaded)
    page.stage.lost(lose, page.session, cleared, **at_once)
    wire_stop(Certify, page, page.stage, at_once)
    wire_compare(page, at_once)
    wire_learn(page, at_once)
    worded = [page.task, page.method, page.denoiser, page.votes, page.way]
    said = [page.stage, page.comparison, page.learning, *worded]
    page.header.locale(change_locale, page.session, said, trigger_mode="always_last", **at_once)
    restored.then(menus_at_first, page.session, worded, **at_once)
    page.clear.click(clear, page.session, cleared, **at_once)
    page.task.change(own_fields, page.task, page.own, **at_once)
    remember = called("page/noise_level", "remember", list(KEYS))
    gr.on([one.change for one in page.linked], None, page.linked, None, js=remember, **at_once)
    demo.unload(forgetting(demo))


def on_loss(what: str, *events: Any) -> None:
    """Where an event of a view does not come to its end, the page itself says so: the server may be out of reach."""
    for event in events:
        event.failure(None, None, None, js=called("page/losses", "lose", what), queue=False, **PRIVATE)


def wire_run(run: type[Run[Any]], page: Page, begun: Any, shown: list[Any]) -> Any:
    """A run that was asked for is followed to its end."""
    name = f"follow_{run.view}"
    ran = begun.success(
        in_threads(run.follow), page.session, shown, api_name=name, trigger_mode="multiple", **STREAM, **PRIVATE
    )
    on_loss(run.view, begun, ran)
    return ran


def wire_stop(run: type[Run[Any]], page: Page, view: Any, at_once: dict[str, Any]) -> None:
    """The button Stop of a view."""
    view.stop(run.stop, page.session, view, api_name=f"stop_{run.view}", **at_once)


def wire_compare(page: Page, at_once: dict[str, Any]) -> None:
    """Compare and its Stop."""
    begun = page.start_compare.click(begin_compare, [page.session, *page.settings], page.comparison, **at_once)
    ran = wire_run(Compare, page, begun, [page.comparison])
    ran.then(list_runs, page.session, page.stage, **at_once)
    wire_stop(Compare, page, page.comparison, at_once)


def wire_learn(page: Page, at_once: dict[str, Any]) -> None:
    """Learn from a zip or from phantoms, and Stop."""
    uploaded = page.archive.upload(begin_learn, [page.session, page.archive, *page.settings], page.learning, **at_once)
    drawn = page.drawn.click(begin_drawn, [page.session, *page.settings], page.learning, **at_once)
    for begun in (uploaded, drawn):
        wire_run(Learn, page, begun, [page.learning, page.method])
    asked = [page.session, page.bank_repo, page.model, page.task]
    page.bank_fetch.click(in_threads(fetch_banks), asked, [page.method, page.bank_said], **STREAM, **PRIVATE)
    wire_stop(Learn, page, page.learning, at_once)


def wire_api(page: Page) -> None:
    """The endpoints, for gradio_client and HTTP: a file is needed, everything else has a default."""
    given: dict[str, Any] = dict(zip(CONTROLS, page.settings, strict=True))
    with gr.Column(visible=False):
        given |= {"scan": gr.File(label="scan"), "class_names": gr.Textbox("", label="class_names")}
        given["votes"] = gr.Number(1_000)
        given |= {name: gr.Number(0) for name in ("target_radius", "window_center", "window_width")}
        output, go = gr.JSON(label="certificate"), gr.Button()
    given["scans"] = gr.File(label="scans", visible=False)
    for name, answer in ENDPOINTS.items():
        inputs = [given[parameter] for parameter in signature(answer).parameters]
        go.click(in_threads(answer), inputs, output, api_name=name, show_progress="hidden", **STREAM)


def build() -> Intake:
    """The page, ready to be launched."""
    tune_allocator()  # before the first tensor
    raise_open_files()  # each page, upload and stream of a visitor holds one
    own_folder()  # before the first component
    with Intake(Uploads(), title=views.TITLE, analytics_enabled=False, fill_width=True) as demo:
        page = lay_out()
        wire(demo, page)
        wire_api(page)
    demo.queue(max_size=2 * places.most, api_open=False, status_update_rate=SECONDS_BETWEEN_STANDINGS)
    demo._queue.ANALYTICS_MAX_EVENTS = 1  # a table of all runs, made anew after each, that nobody reads
    return demo.holding_uploads()
