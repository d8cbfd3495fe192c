"""The whole page: layout first, wiring last.

It knows nothing about statistics, and holds no words or colours: those are in `psmooth.views`.
"""

from dataclasses import dataclass
from inspect import signature
from typing import Any

import gradio as gr

from psmooth import views
from psmooth.interface.asking import answer, tiles
from psmooth.interface.assets import called
from psmooth.interface.components import (
    Attacking,
    Checked,
    Comparison,
    Frames,
    Header,
    Learning,
    Modes,
    Picker,
    Question,
    Results,
    Said,
    Stage,
    Strip,
    Understanding,
    Viewer,
)
from psmooth.interface.controls import question_card, scan_card
from psmooth.interface.endpoints import ENDPOINTS
from psmooth.interface.handlers import (
    begin_asked,
    begin_attack,
    begin_compare,
    begin_drawn,
    begin_first,
    begin_learn,
    begin_settled,
    change_locale,
    check,
    choose_box,
    choose_frame,
    choose_plane,
    choose_series,
    choose_window,
    clear,
    fetch_banks,
    forgetting,
    go_back,
    lose,
    menus_at_first,
    open_records,
    own_fields,
    pick,
    restore,
    ship_records,
    upload,
    use_bank,
)
from psmooth.interface.intake import Intake, own_folder
from psmooth.interface.looking import drag_window, frame_pictures, look, name_window
from psmooth.interface.requests import example_scan, gallery
from psmooth.interface.runs import Attack, Certify, Compare, Learn, Run, list_runs
from psmooth.interface.session import Session
from psmooth.interface.settings import CONTROLS, KEYS, WINDOW
from psmooth.interface.steps import places
from psmooth.interface.uploads import Uploads
from psmooth.interface.visitors import aside, in_threads
from psmooth.runtime import raise_open_files, tune_allocator
from psmooth.scans import crop_scan, landmarks, scan_picture
from psmooth.tasks import TASKS
from psmooth.views import attack as views_attack
from psmooth.views import compare as views_compare
from psmooth.views import learn as views_learn
from psmooth.views import question as views_question
from psmooth.views import results as views_results

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
    question: Question
    stage: Stage
    viewer: Viewer
    uploader: gr.UploadButton
    checker: gr.UploadButton
    checked: Checked
    clear: gr.Button
    model: gr.Dropdown
    task: gr.Dropdown
    own: gr.Column
    class_names: gr.Textbox
    template: gr.Textbox
    noise_level: gr.Slider
    votes: gr.Radio
    target_radius: gr.Number
    series: gr.Radio
    frames: Frames
    frame: gr.Slider
    plane: gr.Dropdown
    window: gr.Row
    window_offer: gr.Dropdown
    window_center: gr.Number
    window_width: gr.Number
    method: gr.Dropdown
    denoiser: gr.Dropdown
    speed: gr.Radio
    start: gr.Button
    start_compare: gr.Button
    comparison: Comparison
    start_attack: gr.Button
    attacking: Attacking
    learning: Learning
    way: gr.Radio
    shots: gr.Slider
    bank_repo: gr.Textbox
    bank_fetch: gr.Button
    bank_said: Said
    archive: gr.UploadButton
    drawn: gr.Button
    results: Results
    records: gr.UploadButton

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
    return stage, views.strip(scan_picture(first.scan), first.scan, crop)


def lay_out() -> Page:
    """The whole page."""
    stage_value, strip_value = opening()
    session = gr.State(Session())  # the page brings its scan: a session that was forgotten has none
    header = Header()
    with gr.Row(elem_id="ps-page"):
        with gr.Column(elem_id="ps-side"):
            controls = {**scan_card(), **question_card()}
        with gr.Column(elem_id="ps-stage-column"):
            question = Question(value=views_question.no_question(), tiles=tiles())
            stage = Stage(value=stage_value)
            checker = gr.UploadButton(views.CONTROL_WORDS["check"], elem_id="ps-check")
            checked = Checked()
            strip = Strip(value=strip_value)
            viewer = Viewer()
        with gr.Column(elem_id="ps-compare-column"):
            comparison = Comparison(value=views_compare.idle())
        with gr.Column(elem_id="ps-attack-column"):
            attacking = Attacking(value=views_attack.idle())
        with gr.Column(elem_id="ps-learn-column"):
            learning = Learning(value=views_learn.idle())
    Modes()
    with gr.Column(elem_id="ps-understand-column"):
        Understanding()
    with gr.Column(elem_id="ps-results-column"):
        results = Results(value=views_results.shipped())
        records = gr.UploadButton(
            views_results.RESULTS_WORDS["results_open"], file_types=[".jsonl"], elem_id="ps-records"
        )
    return Page(
        session=session,
        header=header,
        checker=checker,
        question=question,
        checked=checked,
        stage=stage,
        strip=strip,
        viewer=viewer,
        comparison=comparison,
        attacking=attacking,
        learning=learning,
        results=results,
        records=records,
        **controls,
    )


def wire(demo: gr.Blocks, page: Page) -> None:
    """Every event of the page; those that use the device wait for their turn outside of Gradio's queue."""
    shown = [page.window, page.window_offer, page.window_center, page.window_width]
    chosen = [page.series, page.frames, page.frame, page.plane, *shown]
    fields = [page.picker, *chosen]
    left = [page.comparison, page.attacking]  # of a scan that was left
    # While an event is answered, the latest of its kind waits: by itself Gradio would lose it.
    at_once: dict[str, Any] = {"queue": False, "trigger_mode": "always_last", **PRIVATE}
    cleared = [page.stage, page.strip, *fields, *left, page.question]
    picked = page.picker.pick(pick, page.session, [page.task, *cleared[1:]], **at_once)
    given = [page.session, page.uploader, page.task]
    uploaded = page.uploader.upload(aside(upload), given, [*cleared, page.task], **at_once)
    restored = demo.load(restore, page.session, [page.stage, page.strip, page.picker, *page.linked], **at_once)
    on_loss("check", page.checker.upload(check, [page.session, page.checker], page.checked, **at_once))
    boxed = page.viewer.box(choose_box, page.session, left, **at_once)
    asked = [page.session, page.frame, page.window_center, page.window_width]
    framed = page.frame.release(aside(choose_frame), asked, [page.stage, *shown, *left], **at_once)
    opened = [page.stage, page.strip, *chosen, *left]
    asked = [page.session, page.series, page.task]
    asking = [page.question, page.task]
    listed = page.series.input(aside(choose_series), asked, [*opened, *asking], **at_once)
    asked = [page.session, page.plane]
    turned = page.plane.input(aside(choose_plane), asked, [page.stage, *chosen, *left], **at_once)
    asked = [page.session, page.window_offer]
    windowed = page.window_offer.input(choose_window, asked, [page.window_center, page.window_width], **at_once)
    dragged = page.viewer.window(drag_window, page.session, shown[1:], **at_once)
    answered = page.question.answer(answer, page.session, asking, **at_once)
    entered = [*cleared, *page.linked]
    turned_back = page.header.back(go_back, page.session, entered, **at_once)
    returned = page.header.again(go_back, page.session, entered, **at_once)
    again = (picked, returned, uploaded, answered, boxed, listed, framed, turned, windowed, dragged)
    starts = [(restored.success, begin_first, [page.stage])]
    starts += [(one.success, begin_settled, [page.stage]) for one in again]
    starts += [(page.start.click, begin_asked, [page.stage, page.question])]
    for starting, beginning, told in starts:
        begun = starting(beginning, [page.session, *page.settings], told, **at_once)
        wire_run(Certify, page, begun, [page.stage, page.strip])
    on_loss("certify", turned_back, returned, answered, boxed, listed, framed, turned, windowed, dragged)
    wire_looking(page, at_once)
    on_loss("scan", picked, uploaded)
    page.stage.lost(lose, page.session, cleared, **at_once)
    wire_stop(Certify, page, page.stage, at_once)
    wire_compare(page, at_once)
    wire_attack(page, at_once)
    wire_learn(page, at_once)
    wire_results(page, at_once)
    worded = [page.task, page.method, page.denoiser, page.votes, page.way, page.series, page.model, page.speed]
    said = [
        page.stage,
        page.comparison,
        page.attacking,
        page.learning,
        page.question,
        page.checked,
        page.results,
        *worded,
        page.plane,
        page.window_offer,
        page.strip,
    ]
    asked = [page.session, page.window_center, page.window_width]
    page.header.locale(change_locale, asked, said, **at_once)
    restored.then(menus_at_first, page.session, worded, **at_once)
    page.clear.click(clear, page.session, cleared, **at_once)
    page.task.change(own_fields, page.task, page.own, **at_once)
    remember = called("page/settings", "remember", [*KEYS, *WINDOW])
    moving = [*page.linked, page.window_center, page.window_width]
    gr.on([one.change for one in moving], None, moving, None, js=remember, **at_once)
    demo.unload(forgetting(demo))


def wire_looking(page: Page, at_once: dict[str, Any]) -> None:
    """What is asked for to look at, which changes nothing of a run."""
    numbers = [page.session, page.window_center, page.window_width]
    asked = {**at_once, "trigger_mode": "multiple"}  # whoever asks waits for the answer before
    page.viewer.look(look, page.session, page.viewer, **asked)
    page.frames.frames(aside(frame_pictures), numbers, page.frames, **asked)
    gr.on([page.window_center.blur, page.window_width.blur], name_window, numbers, page.window_offer, **at_once)


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
    told = [page.comparison, page.question]
    begun = page.start_compare.click(begin_compare, [page.session, *page.settings], told, **at_once)
    ran = wire_run(Compare, page, begun, [page.comparison])
    ran.then(list_runs, page.session, page.stage, **at_once)
    wire_stop(Compare, page, page.comparison, at_once)


def wire_attack(page: Page, at_once: dict[str, Any]) -> None:
    """Attack and its Stop."""
    begun = page.start_attack.click(begin_attack, [page.session, *page.settings], page.attacking, **at_once)
    ran = wire_run(Attack, page, begun, [page.attacking])
    ran.then(list_runs, page.session, page.stage, **at_once)
    wire_stop(Attack, page, page.attacking, at_once)


def wire_learn(page: Page, at_once: dict[str, Any]) -> None:
    """Learn from a zip or from phantoms, and Stop."""
    uploaded = page.archive.upload(begin_learn, [page.session, page.archive, *page.settings], page.learning, **at_once)
    drawn = page.drawn.click(begin_drawn, [page.session, *page.settings], page.learning, **at_once)
    for begun in (uploaded, drawn):
        wire_run(Learn, page, begun, [page.learning, page.method])
    asked = [page.session, page.bank_repo, page.model, page.task]
    page.bank_fetch.click(in_threads(fetch_banks), asked, [page.method, page.bank_said], **STREAM, **PRIVATE)
    wire_stop(Learn, page, page.learning, at_once)
    asked = [page.method, page.task, page.class_names, page.template]
    on_loss("learn", page.learning.use(use_bank, page.session, asked, **at_once))


def wire_results(page: Page, at_once: dict[str, Any]) -> None:
    """A visitor's own records, and those that ship."""
    brought = page.records.upload(aside(open_records), [page.session, page.records], page.results, **at_once)
    on_loss("results", brought, page.results.shipped(ship_records, page.session, page.results, **at_once))


def wire_api(page: Page) -> None:
    """The endpoints, for gradio_client and HTTP: a file is needed, everything else has a default."""
    given: dict[str, Any] = dict(zip(CONTROLS, page.settings, strict=True))
    with gr.Column(visible=False):
        given |= {"scan": gr.File(label="scan"), "class_names": gr.Textbox("", label="class_names")}
        given["votes"] = gr.Number(1_000)
        given |= {name: gr.Number(0) for name in ("target_radius", "window_center", "window_width")}
        output, go = gr.JSON(label="certificate"), gr.Button()
        given |= {name: gr.Number(None, precision=0, label=name) for name in ("frame", "series")}
        given |= {name: gr.Textbox("", label=name) for name in ("plane", "region")}
    given["scans"] = gr.File(label="scans", visible=False)
    for name, endpoint in ENDPOINTS.items():
        inputs = [given[parameter] for parameter in signature(endpoint).parameters]
        go.click(in_threads(endpoint), inputs, output, api_name=name, show_progress="hidden", **STREAM)


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
    # Seconds between looks for an event, and for a progress bar, of which there is none: by itself Gradio looks a
    # thousand and a hundred times a second, for a twentieth of a core while nobody is there.
    demo._queue.sleep_when_free, demo._queue.progress_update_sleep_when_free = 0.02, 1.0
    demo._queue.ANALYTICS_MAX_EVENTS = 1  # a table of all runs, made anew after each, that nobody reads
    return demo.holding_uploads()
