"""The controls of the page: the scan, the question, and what is learned.

It knows nothing about what happens when one is used.
"""

from typing import Any

import gradio as gr

from psmooth import views
from psmooth.interface.components import About, Frames, NoiseTicks, Picker, Said
from psmooth.interface.handlers import shown_gallery
from psmooth.interface.model_menu import model_choices, offers_fast
from psmooth.interface.requests import gallery
from psmooth.interface.settings import OWN_TASK, task_choices
from psmooth.views import learn as views_learn


def scan_card() -> dict[str, Any]:
    """Examples, upload, clear."""
    words = views.CONTROL_WORDS
    with gr.Column(elem_id="ps-scan-card"):
        picker = Picker(value=shown_gallery(0))
        with gr.Row(elem_id="ps-own-scan"):
            uploader = gr.UploadButton(words["upload"], size="sm", min_width=0, scale=3, elem_id="ps-upload")
            cleared = gr.Button(words["clear"], size="sm", min_width=0, elem_id="ps-clear")
        series = gr.Radio([], label=words["series"], visible=False, elem_id="ps-series")
        frames = Frames(value=views.frames(1))
        frame = gr.Slider(
            1, 2, value=1, step=1, label=words["frame"], visible=False, buttons=[], elem_id="ps-scan-frame"
        )
        plane = gr.Dropdown(
            views.plane_choices(), value="axial", label=words["plane"], visible=False, elem_id="ps-scan-plane"
        )
        with gr.Row(visible=False, elem_id="ps-window-row") as window:
            offer = gr.Dropdown(
                [], label=words["window_offer"], info=words["window_info"], min_width=200, elem_id="ps-window"
            )
            center = gr.Number(label=words["window_center"], min_width=100)
            width = gr.Number(label=words["window_width"], min_width=100)
    return {
        "picker": picker,
        "uploader": uploader,
        "clear": cleared,
        "series": series,
        "frames": frames,
        "frame": frame,
        "plane": plane,
        "window": window,
        "window_offer": offer,
        "window_center": center,
        "window_width": width,
    }


def question_card() -> dict[str, Any]:
    """Model, task, noise level, precision, Certify."""
    words, choices = views.CONTROL_WORDS, model_choices()
    counts = views.precision_choices()
    with gr.Column(elem_id="ps-question-card"):
        start = gr.Button(words["certify"], variant="primary", elem_id="ps-certify")
        start_compare = gr.Button(words["compare"], variant="primary", elem_id="ps-compare")
        start_attack = gr.Button(words["attack"], variant="primary", elem_id="ps-attack")
        About(elem_id="ps-what")
        model = gr.Dropdown(
            choices, value=choices[0][1] if choices else None, label=words["model"], allow_custom_value=True
        )
        task = gr.Dropdown(task_choices(), value=gallery().items[0].task or OWN_TASK, label=words["task"])
        with gr.Column(visible=False, elem_id="ps-own") as own:
            names = gr.Textbox(label=words["class_names"], info=words["class_names_info"], lines=3)
            template = gr.Textbox("an image of {}.", label=words["template"], info=words["template_info"])
        with gr.Row(elem_id="ps-repair"):
            method = gr.Dropdown(
                views.method_choices(), value="template", label=words["method"], min_width=100, elem_id="ps-method"
            )
            denoiser = gr.Dropdown(views.denoiser_choices(), value="none", label=words["denoiser"], min_width=100)
        with gr.Column(elem_id="ps-noise-field"):
            noise = gr.Slider(0.1, 1, value=0.25, step=0.05, label=words["noise"], elem_id="ps-noise", buttons=[])
            NoiseTicks()
        votes = gr.Radio(counts, value=counts[0][1], label=words["precision"], elem_id="ps-precision")
        also = ["ps-more-fast"] if offers_fast() else None
        with gr.Accordion(words["more"], open=False, elem_id="ps-more", elem_classes=also):
            speed = gr.Radio(
                views.speed_choices(), value="usual", label=words["speed"], info=words["speed_info"],
                visible=offers_fast(), elem_id="ps-speed",
            )  # fmt: skip
            target = gr.Number(
                label=words["target"], info=words["target_info"], minimum=0, value=None, elem_id="ps-target"
            )
            repo = gr.Textbox(label=words["bank_repo"], info=words["bank_repo_info"], elem_id="ps-bank-repo")
            fetch = gr.Button(words["bank_fetch"], size="sm", elem_id="ps-bank-fetch")
            fetched = Said(elem_id="ps-bank-said", value="")
        learning = learning_controls()
    return {
        "model": model, "task": task, "own": own, "class_names": names, "template": template, "noise_level": noise,
        "votes": votes, "target_radius": target, "method": method, "denoiser": denoiser, "speed": speed,
        "start": start, "start_compare": start_compare, "start_attack": start_attack, "bank_repo": repo,
        "bank_fetch": fetch, "bank_said": fetched, **learning,
    }  # fmt: skip


def learning_controls() -> dict[str, Any]:
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
