"""The page: a Gradio interface around `psmooth.certify`; layout first, wiring last.

It knows nothing about statistics, and holds no words or colours: those are in `psmooth.views`.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from string import Template
from typing import Any

import gradio as gr
from gradio import themes
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from psmooth import views
from psmooth.certificate import Plan
from psmooth.certify import Progress, certify, stopped
from psmooth.errors import ModelError, PsmoothError, ScanError
from psmooth.models import MODELS, MedVLM, load_model
from psmooth.phantoms import draw_phantom
from psmooth.resources import resource
from psmooth.runtime import best_batch_size, settle
from psmooth.scans import MAX_FILE_BYTES, Crop, CropRule, Scan, Window, crop_scan, open_scan, scan_picture
from psmooth.tasks import TASKS, Task, own_task

OWN_TASK = "own"
DEVICE: dict[str, Any] = {"concurrency_id": "device", "concurrency_limit": 1}
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
SECONDS_A_FRAME = 0.2

log = logging.getLogger("psmooth.app")
reading = threading.Lock()


@dataclass(frozen=True, eq=False)
class Specimen:
    """A scan on the page, and what it shows where that is known."""

    scan: Scan
    truth: str | None = None


@dataclass(frozen=True)
class Example:
    """A phantom of the gallery."""

    task: str
    class_id: str
    seed: int
    name: str

    @property
    def truth(self) -> str:
        """The words of its class."""
        return TASKS[self.task].class_name(self.class_id)


EXAMPLES = (
    Example("blood_cells", "monocyte", 2, "monocyte"),
    Example("blood_cells", "neutrophil", 1, "neutro\u00adphil"),
    Example("blood_cells", "eosinophil", 2, "eosino\u00adphil"),
    Example("blood_cells", "immature_granulocyte", 8, "immature granu\u00adlocyte"),
    Example("chest_xray", "normal", 1, "normal lungs"),
    Example("chest_xray", "bacterial_pneumonia", 1, "bacterial pneu\u00admonia"),
    Example("lung_colon_histology", "benign_colonic_tissue", 1, "benign colonic tissue"),
    Example("lung_colon_histology", "colon_adenocarcinoma", 1, "colon adeno\u00adcarci\u00adnoma"),
)


# --- what the page offers


def model_choices() -> list[tuple[str, str]]:
    """(words, id or weights) of the bundled models and of those named in ``PSMOOTH_MODELS`` (semicolons between)."""
    extra = [weights.strip() for weights in os.environ.get("PSMOOTH_MODELS", "").split(";") if weights.strip()]
    bundled = [(spec.name, spec.id) for spec in MODELS.values() if _is_here(spec.weights)]
    return [*[(_short(weights), weights) for weights in extra], *bundled]


def _is_here(weights: str) -> bool:
    source, _, name = weights.partition(":")
    return source != "bundled" or resource("assets", "pocket", f"{name}.safetensors").is_file()


def _short(weights: str) -> str:
    return weights.rstrip("/").rsplit("/", 1)[-1].removeprefix("local-dir:")


def model_of(choice: str | None) -> MedVLM:
    """The model, read once; whoever asks while it is being read waits for it."""
    if not choice:
        raise ModelError(views.NO_MODEL)
    with reading:
        return _read_model(choice)


@lru_cache(maxsize=2)
def _read_model(choice: str) -> MedVLM:
    model = load_model(choice)
    best_batch_size(model)  # tried out once, and before the first run
    return model


@cache
def example_specimen(index: int) -> Specimen:
    """The phantom of the gallery with that number, drawn once."""
    example = EXAMPLES[index]
    return Specimen(open_scan(draw_phantom(example.task, example.class_id, example.seed).pixels), example.truth)


def gallery(chosen: int | None) -> dict[str, Any]:
    """The examples as the picker shows them."""
    items = []
    for index, example in enumerate(EXAMPLES):
        label = f"{TASKS[example.task].name}: {example.truth}, a drawn example"
        picture = views.thumbnail(scan_picture(example_specimen(index).scan))
        items.append({"name": example.name, "label": label, "picture": picture})
    return {"items": items, "chosen": chosen}


# --- from what was asked to what is shown


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

    def read_task(self) -> Task:
        """The task of the menu, or the visitor's own."""
        return own_task(self.class_names, self.template) if self.task == OWN_TASK else TASKS[self.task]

    def rule(self, model: MedVLM) -> CropRule:
        """The model's crop rule, with the window of a 16-bit scan."""
        if self.specimen.scan.values.ndim == 3 or self.center is None or self.width is None:
            return model.crop_rule
        return replace(model.crop_rule, window=Window(self.center, self.width))

    def plan(self) -> Plan:
        """The live plan with the precision that was chosen."""
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
        return views.stage(self.progress, self.order.method, self.crop.rule.size, self.known, self.order.specimen.truth)

    def strip(self) -> dict[str, Any]:
        """Scan and crop."""
        scan = self.order.specimen.scan
        return views.strip(scan_picture(scan, self.crop.rule.window), scan.kind, self.crop)

    def stopped(self) -> dict[str, Any]:
        """The right side of the page if the run is stopped here: its certificate stays valid."""
        if self.progress.phase == "selection":
            return views.stopped_early()
        return replace(self, progress=replace(self.progress, results=stopped(self.progress), phase="done")).stage()


def scenes(order: Order) -> Generator[Scene, None, None]:
    """The run that was ordered, at the pace of the page; raises PsmoothError."""
    model, noise_level = model_of(order.model), order.noise_level
    crop = crop_scan(order.specimen.scan, order.rule(model))
    known = views.landmarks(crop.pixels, noise_level)
    task, plan = order.read_task(), order.plan()
    options: dict[str, Any] = {"methods": (order.method,), "denoiser": order.denoiser}
    with closing(certify(model, crop, task=task, noise_level=noise_level, plan=plan, **options)) as steps:
        for step in paced(steps):
            yield Scene(step, order, crop, known)


def paced(steps: Iterator[Progress], seconds: float = SECONDS_A_FRAME) -> Iterator[Progress]:
    """At most one step in ``seconds``, but always the first of a phase and the last one."""
    shown, phase, held = 0.0, "", None
    for step in steps:
        held = step
        if step.phase != phase or time.monotonic() - shown >= seconds:
            shown, phase, held = time.monotonic(), step.phase, None
            yield step
    if held is not None:
        yield held


@dataclass(eq=False)
class Session:
    """What one tab has on the server: its scan, and which of its runs is the wanted one.

    Runs are numbered. A run that finds a later one wanted ends itself, so a second click needs no more than a number.
    """

    specimen: Specimen | None = None
    order: Order | None = None
    wanted: int = 0
    begun: int = 0
    stopping: bool = False

    def want(self, order: Order | None) -> None:
        """Ask for a run; without an order, end the one that is on."""
        self.order, self.stopping = order, False
        self.wanted += 1
        if order is None:
            self.begun = self.wanted


def run(session: Session) -> Generator[tuple[Any, Any], None, None]:
    """The wanted run of a session, as (stage, strip); errors become sentences."""
    order, number = session.order, session.wanted
    if order is None or session.begun == number:
        return
    session.begun = number
    strip = None
    try:
        with closing(scenes(order)) as steps:
            for scene in steps:
                if session.wanted != number:
                    return
                strip = gr.skip() if strip else scene.strip()
                ending = session.stopping and scene.progress.phase != "done"
                yield scene.stopped() if ending else scene.stage(), strip
                if ending:
                    return
    except PsmoothError as error:
        yield views.failed(str(error)), gr.skip()
    except Exception:
        log.exception("A run failed.")
        yield views.failed(views.UNEXPECTED), gr.skip()


# --- the documented endpoint


def certify_file(
    scan: str,
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
) -> Iterator[dict[str, Any]]:
    """Certify a scan and stream what its votes certify so far.

    Each step is {state, line, sentence, votes, planned, radius, certificate}: the certificate is valid as it stands,
    whenever the stream is ended, and the last one is the result. The radius is None while nothing is certified.
    class_names (semicolons between) and template are read with the task "own" alone; a target_radius of 0 draws all
    votes; a window_width of 0 takes a 16-bit scan's full range.
    """
    window = (window_center, window_width) if window_width else (None, None)
    try:
        specimen = Specimen(take(scan))
        order = Order(
            specimen, model, task, class_names, template, noise_level, votes, target_radius, *window, method, denoiser
        )
        with closing(scenes(order)) as steps:
            for scene in steps:
                yield answer(scene)
    except PsmoothError as error:
        raise gr.Error(str(error), print_exception=False) from None


def answer(scene: Scene) -> dict[str, Any]:
    """What the endpoint sends of one step."""
    stage, progress = scene.stage(), scene.progress
    record = None if progress.phase == "selection" else progress.results[scene.order.method].to_dict()
    said = {name: stage[name] for name in ("state", "line", "sentence")}
    counted = {"votes": progress.votes, "planned": progress.planned}
    return {**said, **counted, "radius": record and record["radius"], "certificate": record}


def take(path: str | None) -> Scan:
    """Read an uploaded file and remove it from the disk at once: from here on the scan is in memory alone."""
    if path is None:
        raise ScanError(views.NO_FILE)
    file = Path(path)
    try:
        return open_scan(file.read_bytes())
    finally:
        file.unlink(missing_ok=True)


# --- thin handlers of the page


def begin(session: Session, *settings: Any) -> Any:
    """Ask for a run and say so at once; without a scan nothing is asked."""
    if session.specimen is None:
        return gr.skip()
    session.want(Order(session.specimen, *settings))
    return views.loading(_name(settings[0]))


def _name(model_choice: str | None) -> str:
    return next((name for name, choice in model_choices() if choice == model_choice), "")


def halt(session: Session) -> Any:
    """Stop: a run that is on ends itself with its certificate; one that still waits in the queue is taken out."""
    session.stopping = True
    if session.begun == session.wanted:
        return gr.skip()
    session.want(None)
    return views.stopped_early()


def pick(session: Session, event: gr.EventData) -> tuple[Any, ...]:
    """An example was chosen."""
    index = min(max(int(event._data["index"]), 0), len(EXAMPLES) - 1)
    session.specimen = example_specimen(index)
    return EXAMPLES[index].task, gallery(index), *window_fields(session.specimen.scan)


def upload(session: Session, path: str) -> tuple[Any, ...]:
    """A scan was uploaded, dropped or pasted."""
    session.want(None)
    session.specimen = None
    try:
        session.specimen = Specimen(take(path))
    except PsmoothError as error:
        return views.failed(str(error)), {}, gallery(None), *window_fields(None)
    return gr.skip(), gr.skip(), gallery(None), *window_fields(session.specimen.scan)


def window_fields(scan: Scan | None) -> tuple[Any, Any, Any]:
    """Window centre and width, shown for 16-bit scans."""
    window = None if scan is None or scan.values.ndim == 3 else scan.window
    if window is None:
        return gr.Row(visible=False), None, None
    return gr.Row(visible=True), window.center, window.width


def clear(session: Session) -> tuple[Any, ...]:
    """The scan and everything derived from it leave the server's memory."""
    session.want(None)
    session.specimen = None
    return views.idle(), {}, gallery(None), *window_fields(None)


def forgetting(demo: gr.Blocks) -> Callable[[gr.Request], None]:
    """A closed tab takes everything with it at once; Gradio would keep the session, scan included, for an hour."""

    def forget(request: gr.Request) -> None:
        demo.state_holder.session_data.pop(request.session_hash or "", None)

    return forget


def own_fields(task_id: str) -> Any:
    """The fields of a visitor's own class names, shown when they are asked for."""
    return gr.Column(visible=task_id == OWN_TASK)


# --- layout


@dataclass(frozen=True)
class Page:
    """The components that the wiring needs."""

    session: gr.State
    picker: gr.HTML
    strip: gr.HTML
    stage: gr.HTML
    uploader: gr.UploadButton
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

    @property
    def settings(self) -> list[Any]:
        """What an `Order` is made from, in its order, after the specimen."""
        return [
            self.model, self.task, self.class_names, self.template, self.noise, self.votes, self.target, self.center,
            self.width, self.method, self.denoiser,
        ]  # fmt: skip


def part(name: str, **words: str) -> str:
    """A piece of HTML from assets/, with the product's words put in."""
    return Template(resource("assets", f"{name}.html").read_text("utf-8")).substitute(views.PAGE_WORDS, **words)


def bare(template: str, script: str, **options: Any) -> gr.HTML:
    """An HTML component without Gradio's own frame and style."""
    options.setdefault("elem_classes", ["ps-bare"])
    return gr.HTML(html_template=template, js_on_load=script, apply_default_css=False, **options)


def scan_card() -> dict[str, Any]:
    """Examples, upload, clear."""
    words = views.CONTROL_WORDS
    with gr.Column(elem_id="ps-scan-card"):
        picker = bare(part("picker"), "psmooth.picker(element, props, watch, trigger, 'pick')", value=gallery(0))
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
    tasks = [(task.name, task.id) for task in TASKS.values()]
    counts = [(f"{name}\n{views.count_text(count)}", count) for name, count in views.PRECISIONS.items()]
    with gr.Column(elem_id="ps-question-card"):
        model = gr.Dropdown(choices, value=choices[0][1] if choices else None, label=words["model"])
        task = gr.Dropdown([*tasks, (words["own_task"], OWN_TASK)], value=EXAMPLES[0].task, label=words["task"])
        with gr.Column(visible=False) as own:
            names = gr.Textbox(label=words["class_names"], info=words["class_names_info"], lines=3)
            template = gr.Textbox("an image of {}.", label=words["template"], info=words["template_info"])
        with gr.Row():
            method = gr.Dropdown(views.method_choices(), value="template", label=words["method"], min_width=120)
            denoiser = gr.Dropdown(views.denoiser_choices(), value="none", label=words["denoiser"], min_width=120)
        noise = gr.Slider(0.1, 1, value=0.25, step=0.05, label=words["noise"], elem_id="ps-noise", buttons=[])
        bare(views.tick_buttons(), "psmooth.ticks(element)")
        votes = gr.Radio(counts, value=counts[0][1], label=words["precision"], elem_id="ps-precision")
        with gr.Accordion(words["more"], open=False):
            target = gr.Number(label=words["target"], info=words["target_info"], minimum=0, value=None)
        start = gr.Button(words["certify"], variant="primary", elem_id="ps-certify")
    return {
        "model": model, "task": task, "own": own, "class_names": names, "template": template, "noise": noise,
        "votes": votes, "target": target, "method": method, "denoiser": denoiser, "start": start,
    }  # fmt: skip


def opening() -> tuple[Specimen, dict[str, Any], dict[str, Any]]:
    """The first example with its stage and its strip: on the page before anything is asked of the server."""
    first = example_specimen(0)
    crop = crop_scan(first.scan)
    stage = views.opening(TASKS[EXAMPLES[0].task], views.landmarks(crop.pixels, 0.25))
    return first, stage, views.strip(scan_picture(first.scan), first.scan.kind, crop)


def lay_out() -> Page:
    """The whole page."""
    first, stage_value, strip_value = opening()
    session = gr.State(Session(first))
    bare(part("header"), "psmooth.header(element)")
    with gr.Row(elem_id="ps-page"):
        with gr.Column(elem_id="ps-side"):
            controls = {**scan_card(), **question_card()}
        with gr.Column(elem_id="ps-stage-column"):
            stage = bare(part("stage"), "psmooth.stage(element, props, watch, trigger, 'stop')", value=stage_value,
                         words=views.PAGE_WORDS)  # fmt: skip
            strip = bare(
                "", "psmooth.strip(element, props, watch)", elem_classes=["ps-bare", "ps-hidden"], value=strip_value
            )
    return Page(session=session, stage=stage, strip=strip, **controls)


# --- wiring


def wire(demo: gr.Blocks, page: Page) -> None:
    """Every event of the page; those that use the device share one place in the queue."""
    fields = [page.picker, page.window, page.center, page.width]
    at_once: dict[str, Any] = {"queue": False, **PRIVATE}
    picked = page.picker.pick(pick, page.session, [page.task, *fields], **at_once)
    given = [page.session, page.uploader]
    uploaded = page.uploader.upload(upload, given, [page.stage, page.strip, *fields], **at_once)
    for starting in (demo.load, page.start.click, picked.then, uploaded.then):
        begun = starting(begin, [page.session, *page.settings], page.stage, **at_once)
        begun.then(run, page.session, [page.stage, page.strip], trigger_mode="multiple", **DEVICE, **PRIVATE)
    page.stage.stop(halt, page.session, page.stage, **at_once)
    page.clear.click(clear, page.session, [page.stage, page.strip, *fields], **at_once)
    page.task.change(own_fields, page.task, page.own, **at_once)
    demo.unload(forgetting(demo))


def wire_api(page: Page) -> None:
    """The endpoint ``certify``, for gradio_client and HTTP: a scan is needed, everything else has a default."""
    with gr.Column(visible=False):
        scan, names = gr.File(label="scan"), gr.Textbox("", label="class_names")
        votes, target, center, width = (gr.Number(value) for value in (1_000, 0, 0, 0))
        output, go = gr.JSON(label="certificate"), gr.Button()
    inputs = [scan, page.model, page.task, names, page.template, page.noise, votes, target, center, width]
    inputs += [page.method, page.denoiser]
    go.click(certify_file, inputs, output, api_name="certify", show_progress="hidden", **DEVICE)


def build() -> gr.Blocks:
    """The page, ready to be launched."""
    settle()  # before the first tensor
    with gr.Blocks(title=views.TITLE, analytics_enabled=False, delete_cache=(600, 3600), fill_width=True) as demo:
        page = lay_out()
        wire(demo, page)
        wire_api(page)
    return demo.queue(max_size=32)


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


def static_files() -> dict[str, Path]:
    """What the page itself needs: nothing else is served from this machine, and nothing from another."""
    return {
        "script": resource("assets", "psmooth.js"),
        "plotly": resource("assets", "plotly", "plotly-basic.min.js"),
        "latin": resource("assets", "fonts", "inter-latin.woff2"),
        "greek": resource("assets", "fonts", "inter-greek.woff2"),
    }


def addresses() -> dict[str, str]:
    """Where the page finds them, relative to itself."""
    return {name: f"gradio_api/file={path.as_posix()}" for name, path in static_files().items()}


def fonts_and_colours() -> str:
    """The part of the style sheet that is not in a file as it stands."""
    fonts = Template(resource("assets", "fonts.css").read_text("utf-8")).substitute(addresses())
    return fonts + views.colour_sheet()


def head() -> str:
    """Fonts, colours and scripts."""
    return part("head", css=fonts_and_colours(), **addresses())


class FirstPicture:
    """Sends a first picture of the page along with it, so that it stands before Gradio's scripts have run.

    The script takes it away as soon as the page itself is there.
    """

    def __init__(self, app: ASGIApp, picture: str) -> None:
        self.app, self.picture = app, picture.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI; the page itself and nothing else is changed."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != "/":
            await self.app(scope, receive, send)
            return
        start: Message = {}

        async def send_with_picture(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if start:
                body = message["body"] = message["body"].replace(b"</body>", self.picture + b"</body>")
                MutableHeaders(scope=start)["content-length"] = str(len(body))
                await send(start)
                start = {}
            await send(message)

        await self.app(scope, receive, send_with_picture)


def first_picture() -> str:
    """The page with the first example, as HTML of its own, drawn by the same script."""
    _, stage, strip = opening()
    values = json.dumps({"stage": stage, "strip": strip, "picker": gallery(0), "words": views.PAGE_WORDS})
    css = fonts_and_colours() + resource("assets", "psmooth.css").read_text("utf-8")
    parts = {name: part(name) for name in ("header", "picker", "stage")}
    return part("first", css=css, values=values.replace("</", "<\\/"), **parts, **addresses())


def warm_up() -> None:
    """Read the model that the page opens with while the browser is still loading the page."""
    for _, choice in model_choices()[:1]:
        try:
            model_of(choice)
        except PsmoothError as error:
            log.warning("%s", error)


def launch(port: int | None = None, host: str | None = None, open_browser: bool = True, **options: Any) -> Any:
    """Serve the page; without ``port`` and ``host`` where GRADIO_SERVER_PORT and GRADIO_SERVER_NAME say, or Gradio."""
    gr.set_static_paths(list(static_files().values()))
    demo = build()
    threading.Thread(target=warm_up, daemon=True).start()
    return demo.launch(
        server_port=port, server_name=host, inbrowser=open_browser, theme=theme(), head=head(),
        css_paths=resource("assets", "psmooth.css"), run_history=False, enable_monitoring=False, footer_links=["api"],
        max_file_size=MAX_FILE_BYTES, favicon_path=resource("assets", "icon.png"), show_error=False, ssr_mode=False,
        pwa=False, mcp_server=False,
        app_kwargs={"middleware": [Middleware(FirstPicture, picture=first_picture())]}, **options,
    )  # fmt: skip


if __name__ == "__main__":
    launch()
