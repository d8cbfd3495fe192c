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
import plotly
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
from psmooth.scans import MAX_FILE_BYTES, CropRule, Scan, Window, crop_scan, open_scan, scan_picture
from psmooth.tasks import TASKS, Task, own_task

OWN_TASK = "own"
METHOD = "template"
DEVICE: dict[str, Any] = {"concurrency_id": "device", "concurrency_limit": 1}
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
SECONDS_A_FRAME = 0.11

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
    Example("blood_cells", "monocyte", 3, "monocyte"),
    Example("blood_cells", "neutrophil", 1, "neutro\u00adphil"),
    Example("blood_cells", "eosinophil", 2, "eosino\u00adphil"),
    Example("blood_cells", "lymphocyte", 1, "lympho\u00adcyte"),
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


# --- from the page's controls to the engine


def task_of(task_id: str, class_names: str, template: str) -> Task:
    """The task chosen in the menu, or the visitor's own."""
    return own_task(class_names, template) if task_id == OWN_TASK else TASKS[task_id]


def rule_of(model: MedVLM, scan: Scan, center: float | None, width: float | None) -> CropRule:
    """The model's crop rule, with the window of a 16-bit scan."""
    if scan.values.ndim == 3 or center is None or width is None:
        return model.crop_rule
    return replace(model.crop_rule, window=Window(center, width))


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


def run(
    specimen: Specimen | None,
    model_choice: str | None,
    task_id: str,
    class_names: str,
    template: str,
    noise_level: float,
    votes: int,
    target: float | None,
    center: float | None,
    width: float | None,
) -> Generator[tuple[Any, Any, Any], None, None]:
    """One run, as (stage, strip, what Stop needs); errors become sentences."""
    if specimen is None:
        yield views.idle(), gr.skip(), None
        return
    try:
        model = model_of(model_choice)
        task = task_of(task_id, class_names, template)
        plan = Plan(max_votes=int(votes), target_radius=target or None)
        rule = rule_of(model, specimen.scan, center, width)
        crop = crop_scan(specimen.scan, rule)
        known = views.landmarks(crop.pixels, noise_level)
        strip = views.strip(scan_picture(specimen.scan, rule.window), specimen.scan.kind, crop)
        with closing(certify(model, crop, task=task, methods=(METHOD,), noise_level=noise_level, plan=plan)) as steps:
            for step in paced(steps):
                scene = Scene(step, crop.rule.size, known, specimen.truth, model.spec.name)
                yield scene.stage(), strip, scene
                strip = gr.skip()
    except PsmoothError as error:
        yield views.failed(str(error)), gr.skip(), None
    except Exception:
        log.exception("A run failed.")
        yield views.failed(views.UNEXPECTED), gr.skip(), None


@dataclass(frozen=True)
class Scene:
    """The last step shown, with what it takes to show it again after Stop."""

    progress: Progress
    crop_size: int
    known: list[views.Landmark]
    truth: str | None
    model_name: str

    def stage(self) -> dict[str, Any]:
        return views.stage(self.progress, METHOD, self.crop_size, self.known, self.truth, self.model_name)


def halt(scene: Scene | None) -> dict[str, Any]:
    """What Stop shows: the certificate so far."""
    if scene is None or scene.progress.phase == "selection":
        return views.stopped_early()
    if scene.progress.phase == "done":
        return scene.stage()
    return replace(scene, progress=replace(scene.progress, results=stopped(scene.progress), phase="done")).stage()


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
) -> Iterator[dict[str, Any]]:
    """Certify a scan and stream what its votes certify so far.

    Each step is {state, line, sentence, votes, planned, radius, certificate}: the certificate is valid as it stands,
    whenever the stream is ended, and the last one is the result. The radius is None while nothing is certified.
    class_names (semicolons between) and template are read with the task "own" alone; a target_radius of 0 draws all
    votes; a window_width of 0 takes a 16-bit scan's full range.
    """
    try:
        specimen = Specimen(take(scan))
    except PsmoothError as error:
        raise gr.Error(str(error), print_exception=False) from None
    window = (window_center, window_width) if window_width else (None, None)
    with closing(
        run(specimen, model, task, class_names, template, noise_level, int(votes), target_radius, *window)
    ) as steps:
        for stage, _, scene in steps:
            if scene is None:
                raise gr.Error(stage["sentence"], print_exception=False)
            yield answer(stage, scene)


def answer(stage: dict[str, Any], scene: Scene) -> dict[str, Any]:
    """What the endpoint sends of one step."""
    record = None if stage["certificate"] is None else json.loads(stage["certificate"])
    radius = None if record is None else record["radius"]
    said = {name: stage[name] for name in ("state", "line", "sentence")}
    return {
        **said,
        "votes": scene.progress.votes,
        "planned": scene.progress.planned,
        "radius": radius,
        "certificate": record,
    }


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


def pick(event: gr.EventData) -> tuple[Any, ...]:
    """An example was chosen."""
    index = min(max(int(event._data["index"]), 0), len(EXAMPLES) - 1)
    return example_specimen(index), EXAMPLES[index].task, gallery(index), *window_fields(example_specimen(index).scan)


def upload(path: str) -> tuple[Any, ...]:
    """A scan was uploaded, dropped or pasted."""
    try:
        scan = take(path)
    except PsmoothError as error:
        return None, gallery(None), *window_fields(None), views.failed(str(error)), {}
    return Specimen(scan), gallery(None), *window_fields(scan), gr.skip(), gr.skip()


def window_fields(scan: Scan | None) -> tuple[Any, Any, Any]:
    """Window centre and width, shown for 16-bit scans."""
    window = None if scan is None or scan.values.ndim == 3 else scan.window
    if window is None:
        return gr.Row(visible=False), None, None
    return gr.Row(visible=True), window.center, window.width


def clear() -> tuple[Any, ...]:
    """The scan and everything derived from it leave the server's memory."""
    return None, None, gallery(None), *window_fields(None), views.idle(), {}


def begin(ticket: int, specimen: Specimen | None, model_choice: str | None) -> tuple[Any, Any]:
    """The next ticket starts a run, and the page says at once that something happens; without a scan nothing does."""
    if specimen is None:
        return gr.skip(), gr.skip()
    return ticket + 1, views.loading(_name(model_choice))


def _name(model_choice: str | None) -> str:
    return next((name for name, choice in model_choices() if choice == model_choice), "")


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

    specimen: gr.State
    scene: gr.State
    ticket: gr.State
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
    start: gr.Button

    @property
    def settings(self) -> list[Any]:
        """The inputs of a run, in the order of `run` after the specimen."""
        return [
            self.model, self.task, self.class_names, self.template, self.noise, self.votes, self.target, self.center,
            self.width,
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
        noise = gr.Slider(0.1, 1, value=0.25, step=0.05, label=words["noise"], elem_id="ps-noise", buttons=[])
        bare(views.tick_buttons(), "psmooth.ticks(element)")
        votes = gr.Radio(counts, value=counts[0][1], label=words["precision"], elem_id="ps-precision")
        with gr.Accordion(words["more"], open=False):
            target = gr.Number(label=words["target"], info=words["target_info"], minimum=0, value=None)
        start = gr.Button(words["certify"], variant="primary", elem_id="ps-certify")
    return {
        "model": model, "task": task, "own": own, "class_names": names, "template": template, "noise": noise,
        "votes": votes, "target": target, "start": start,
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
    specimen, scene, ticket = gr.State(first), gr.State(None), gr.State(0)
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
    return Page(specimen=specimen, scene=scene, ticket=ticket, stage=stage, strip=strip, **controls)


# --- wiring


def wire(demo: gr.Blocks, page: Page) -> None:
    """Every event of the page; those that use the device share one place in the queue."""
    going = page.ticket.change(
        run, [page.specimen, *page.settings], [page.stage, page.strip, page.scene], trigger_mode="always_last",
        **DEVICE, **PRIVATE,
    )  # fmt: skip
    fields = [page.window, page.center, page.width]
    picked = page.picker.pick(
        pick, None, [page.specimen, page.task, page.picker, *fields], cancels=[going], queue=False, **PRIVATE
    )
    uploaded = page.uploader.upload(
        upload, page.uploader, [page.specimen, page.picker, *fields, page.stage, page.strip], cancels=[going],
        queue=False, **PRIVATE,
    )  # fmt: skip
    gr.on([page.start.click], None, cancels=[going], api_visibility="private")
    for starting in (demo.load, page.start.click, picked.then, uploaded.success):
        starting(begin, [page.ticket, page.specimen, page.model], [page.ticket, page.stage], **PRIVATE)
    page.stage.stop(halt, page.scene, page.stage, cancels=[going], queue=False, **PRIVATE)
    page.clear.click(
        clear, None, [page.specimen, page.scene, page.picker, *fields, page.stage, page.strip], cancels=[going],
        queue=False, **PRIVATE,
    )  # fmt: skip
    page.task.change(own_fields, page.task, page.own, queue=False, **PRIVATE)
    demo.unload(forgetting(demo))


def wire_api(page: Page) -> None:
    """The endpoint ``certify``, for gradio_client and HTTP: a scan is needed, everything else has a default."""
    with gr.Column(visible=False):
        scan, names = gr.File(label="scan"), gr.Textbox("", label="class_names")
        votes, target, center, width = (gr.Number(value) for value in (1_000, 0, 0, 0))
        output, go = gr.JSON(label="certificate"), gr.Button()
    inputs = [scan, page.model, page.task, names, page.template, page.noise, votes, target, center, width]
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
        "plotly": Path(plotly.__file__).parent / "package_data" / "plotly.min.js",
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
    """The frame of the page with the first example, as HTML of its own."""
    _, stage, strip = opening()
    values = {"strip": strip, "title": stage["headline"][0], "line": stage["line"]}
    css = fonts_and_colours() + resource("assets", "psmooth.css").read_text("utf-8")
    return part("first", css=css, header=part("header"), stage=part("stage"), opening=json.dumps(values), **addresses())


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
        max_file_size=MAX_FILE_BYTES, show_error=False, ssr_mode=False, pwa=False, mcp_server=False,
        app_kwargs={"middleware": [Middleware(FirstPicture, picture=first_picture())]}, **options,
    )  # fmt: skip


if __name__ == "__main__":
    launch()
