"""Every fixed word of the page: what stands on it, on its controls and in its menus.

It knows nothing about results.
"""

from typing import TYPE_CHECKING, Final

from psmooth.methods import METHODS
from psmooth.views.locale import translate
from psmooth.views.numbers import count_text

if TYPE_CHECKING:
    from psmooth.models import ModelSpec

NAME: Final = "psmooth"

SLOGAN: Final = (
    "Changes that nobody sees can turn the answer of an AI that reads scans: psmooth shows up to what size they "
    "provably cannot."
)

NOTICE: Final = "Research demonstration. Not for clinical use. Upload only de-identified images."

TITLE: Final = "psmooth · certified robustness of medical vision-language models"

NO_FILE: Final = "No scan was given. Expected is a DICOM, PNG, JPEG, TIFF or WebP file: choose one."

NO_SCAN: Final = "There is no scan yet. Choose an example or upload one."

NO_REPO: Final = "No repository was named. Expected is OWNER/NAME of a repository of prompt banks on the Hub."

STRANGE_MODEL: Final = (
    "There is no such model in the menu. Choose one from it, or type hf-hub:OWNER/NAME of an open_clip model on the "
    "Hub."
)
NO_MODEL: Final = "There is no model to ask: no weights are in assets/pocket. Install psmooth again."

NOT_PROMISED: Final = "It does not say that the answer is right."

PAGE_WORDS: Final[dict[str, str]] = {
    "name": NAME,
    "slogan": SLOGAN,
    "notice": NOTICE,
    "theme": "Light or dark",
    "language": "Language",
    "symbols": "Symbols instead of words",
    "card_alt": "A scan, the votes of its noisy copies, and the certified radius.",
    "about": "About",
    "about_title": "About psmooth",
    "about_method": "Method",
    "about_basis": "Built on",
    "about_code": "Code of the paper",
    "about_docs": "Documents",
    "about_docs_said": "They come with the code of psmooth: README.md first, then docs/.",
    "about_licence": "Licence",
    "about_cite": "How to cite",
    "views": "Views",
    "view_certify": "Certify",
    "view_compare": "Compare",
    "view_attack": "Attack",
    "view_learn": "Learn prompts",
    "view_understand": "Understand",
    "view_results": "Results",
    "examples": "Drawn examples",
    "question_label": "What the scan shows",
    "question_change": "Change",
    "question_else": "Something else: name the classes",
    "strip_scan": "The scan",
    "strip_scan_alt": "The whole scan; a frame marks the part that the model sees.",
    "viewer_open": "Choose the part",
    "viewer_title": "The scan, and the part that is certified",
    "viewer_close": "Close",
    "viewer_box": "The part that the model sees. Arrow keys move it, plus and minus size it.",
    "viewer_zoom": "Zoom",
    "viewer_invert": "Invert (for looking only)",
    "viewer_whole": "As large as it goes",
    "viewer_use": "Certify this part",
    "viewer_hand": "What a drag does",
    "viewer_hand_box": "Move the box",
    "viewer_hand_window": "Change the window",
    "viewer_window": "Window",
    "viewer_window_keys": "The window. Arrow keys to the side change its width, up and down its centre.",
    "draw_box": "Draw the box",
    "frames_alt": "The frame at which the slider stands.",
    "frames_play": "Play",
    "strip_crop": "What the model sees",
    "strip_crop_alt": "The crop that is certified, pixel by pixel.",
    "strip_noisy": "One noisy copy",
    "strip_noisy_alt": "The same crop with Gaussian noise added, as for the copies that vote; this one is for looking.",
    "votes": "Votes of noisy copies",
    "chart_alt": "Bar chart of the votes; the same numbers stand in the table that follows.",
    "moved": "Settings changed: certify again",
    "table": "Votes by class",
    "class": "Class",
    "selection": "Chose the class",
    "counted": "Counted",
    "ruler": "How big is {radius}?",
    "ruler_open": "How big is the radius?",
    "ruler_axis": "L2 distance",
    "covered": "covered by the certificate",
    "outside": "not covered",
    "progress": "Votes drawn",
    "stop": "Stop",
    "download": "Certificate",
    "download_long": "Download the certificate as a JSON file",
    "file": "psmooth-certificate.json",
    "missing": "A part of this page did not arrive. Load the page again.",
    "lost_title": "That did not work.",
    "lost_line": "Failed",
    "lost": "That did not reach the server, or it could not read it: the connection broke, or the server is full or "
    "was started anew. What was shown before is gone. Try again; if it happens again, reload the page.",
    "recording": "Recording",
    "recording_label": "A recording of an earlier run on a drawn scan: your own is waiting.",
    "recording_radius": "certified radius",
    "check": "Check",
    "check_none": "This file is no certificate.",
    "check_large": "The file is larger than 1 MB; a certificate has a few kilobytes. Choose another file.",
    "check_same": "It is about the very crop that is shown above.",
    "check_other": "It is about another crop than the one that is shown above.",
    "check_long": "Check a certificate: its bounds are computed again from its votes",
    "print": "Print",
    "print_long": "Print a one-page report",
    "teach": "Explain this in six steps",
    "share": "Copy link",
    "share_long": "Copy a link to this example and its settings, without the part you chose; never to a scan of "
    "your own",
    "shared": "Link copied",
    "budget_title": "How big is that?",
    "budget_about": "The same L2 distance, spent in two ways on this very crop, and three changes that people know. "
    "The left picture is the changed crop, the right one the change alone, amplified.",
    "budget_levels": "Grey levels a value may move",
    "lecture_name": "The walkthrough",
    "lecture_back": "Back",
    "lecture_next": "Next",
    "lecture_end": "End",
    "lecture_again": "From the beginning",
    "lecture_recorded": "A recording of an earlier run on a drawn scan.",
    "lecture_live": "The run on this page, replayed; its noisy copies are drawn anew.",
    "unknown": "correctness unknown",
    "about_unknown": "Nobody has told this page what the scan shows. A certificate says that the answer is stable, not "
    "that it is right.",
    "about_radius": "R is how far the crop may change before the promise ends. L2 is the ordinary distance between two "
    "crops: the changes of all values (three for each pixel, from 0 to 1) are squared and added up, and the root is "
    "taken. It is measured on the crop that the model sees, not on the file.",
    "bit_crop": "8-bit crop",
    "about_crop": "The square that the model sees, at its own size. “8-bit” means that each value is one of 256 steps "
    "from black to white, as in a PNG. The promise is about other such crops; it is not about your file.",
    "recorded_unit": "certified radius R, L2 on {side}\u00a0×\u00a0{side}",
    "what_model": "What is a Med-VLM?",
    "about_model": "A medical vision-language model: it compares a picture with sentences such as “an image of "
    "pneumonia” and answers with the sentence that fits best. The model is fixed; smoothing asks it many times.",
}

VIEWER_WORDS: Final[dict[str, str]] = {
    "said": "{side} × {side} pixels from {left}, {top}",
    "hand": "Drag to the side for the width, up or down for the centre.",
}

FRAMES_WORDS: Final[dict[str, str]] = {"play": "Play", "pause": "Stop at this frame"}

BUDGET_WORDS: Final[dict[str, str]] = {
    "of": "{radius} on this crop",
    "spent": "± {levels}: up to {count} values",
    "values": "{count} values by ± {levels}",
    "value": "1 value by ± {levels}",
    "patch": "a patch of {side} × {side} by {levels}",
    "every": "every value by ± 1",
    "of_frozen": "{radius} on this crop, with this prompt frozen",
    "inside_frozen": "L2 {size}: covered with this prompt frozen",
    "shift": "a shift by one pixel",
    "jpeg": "JPEG at quality 75",
    "amplified": "change × {factor}",
    "inside": "L2 {size}: covered",
    "outside": "L2 {size}: not covered",
}

LECTURE: Final[tuple[tuple[str, str], ...]] = (
    ("A scan", "The model sees a square crop of it, pixel by pixel. Everything that follows is about that crop."),
    (
        "Noise",
        "Gaussian noise of level σ is added, again and again, never the same. How much until you would not know it?",
    ),
    (
        "Votes",
        "The model names each noisy copy. The smoothed answer is the class that an unlimited number of copies would "
        "name most often.",
    ),
    (
        "A bound",
        "The votes are a sample. With the confidence stated, the true share of the leading class is at least the solid "
        "line, and that of any rival at most the dashed one.",
    ),
    (
        "A radius",
        "The wider the gap between the two lines, the larger the radius: R = σ/2 · (Φ⁻¹(right) − Φ⁻¹(left)). With that "
        "confidence, the smoothed answer is the same for every 8-bit crop closer than R.",
    ),
    (
        "What it does not promise",
        "It does not say that the answer is right. Compression, a shift or another scanner often change the crop by "
        "more than R; then nothing is promised. A radius marked frozen holds for its prompt, bank and denoiser kept as "
        "they are.",
    ),
    (
        "That was it.",
        "Now it is your turn: move the noise level and see what becomes of R, or take another scan. In Understand you "
        "can take hold of each of these pictures.",
    ),
)

CONTROL_WORDS: Final[dict[str, str]] = {
    "upload": "Upload a scan",
    "clear": "Clear",
    "check": "Check a certificate",
    "model": "Med-VLM",
    "task": "Task",
    "own_task": "my own class names …",
    "class_names": "Class names",
    "class_names_info": "Separate them with semicolons or new lines.",
    "template": "Template",
    "template_info": "{} is where a class name goes.",
    "method": "Prompts",
    "denoiser": "Denoiser",
    "noise": "Noise level σ",
    "precision": "Precision",
    "speed": "Speed",
    "speed_info": "Fast encodes in bfloat16: another classifier, certified as it runs. Prompts are learned as usual.",
    "target": "Stop early when R reaches",
    "target_info": "Empty or 0: draw all votes.",
    "series": "Series",
    "frame": "Frame",
    "plane": "Plane",
    "window_offer": "Window",
    "window_center": "Window centre",
    "window_width": "Window width",
    "window_info": "Grey values of this scan. Another window is another certified crop.",
    "more": "More",
    "bank_repo": "Prompt banks from the Hub",
    "bank_repo_info": "OWNER/NAME, with @REVISION if you like.",
    "bank_fetch": "Fetch banks",
    "certify": "Certify",
    "compare": "Compare",
    "attack": "Attack",
}

# What Gradio writes into the page on its own, in English wherever the browser does not ask for another language.
GRADIO_WORDS: Final = (
    "number input for {name}",
    "range slider for {name}",
    "Gradio footer navigation",
    "Use via API",
    "Stop Recording",
    "logo",
)

METHOD_NAMES: Final[dict[str, str]] = {method.id: method.name for method in METHODS.values()}

DENOISER_NAMES: Final[dict[str, str]] = {
    "none": "none",
    "gaussian": "Gaussian blur",
    "wiener": "Wiener filter",
    "wavelet": "wavelet threshold",
    "learned": "learned",
}

DENOISERS_OFFERED: Final = (*DENOISER_NAMES, "none-mirror", "learned-mirror")

PRECISIONS: Final[dict[str, int]] = {"quick": 1_000, "as needed": 0, "standard": 10_000, "publication": 100_000}

NEEDED_AT_MOST: Final = PRECISIONS["standard"]  # the votes that are announced where as many are drawn as needed

SPEEDS: Final[dict[str, str]] = {"usual": "as usual", "fast": "fast"}

NOISE_TICKS: Final = (0.1, 0.25, 0.5, 1.0)


def method_choices() -> list[tuple[str, str]]:
    """(words, method id) as the menu shows them; those whose guarantee is a frozen prompt's say so."""
    return [(translate(words), method) for method, words in METHOD_NAMES.items()]


def short_method(method: str) -> str:
    """A method's name where the kind of its guarantee stands beside it already."""
    return translate(METHOD_NAMES[method].replace(" (frozen prompt)", ""))


def precision_choices() -> list[tuple[str, int]]:
    """(words and votes, votes) as the page shows them; 0 votes are as many as needed."""
    most = f"≤ {count_text(NEEDED_AT_MOST)}"
    return [(f"{translate(name)}\n{count_text(count) if count else most}", count) for name, count in PRECISIONS.items()]


def speed_choices() -> list[tuple[str, str]]:
    """(words, speed) as the menu shows them."""
    return [(translate(words), speed) for speed, words in SPEEDS.items()]


def denoiser_words(denoiser: str) -> str:
    """What a denoiser is called, by its id."""
    plain, _, mirror = denoiser.partition("-")
    name = translate(DENOISER_NAMES[plain])
    return translate("{denoiser} + mirror image", denoiser=name) if mirror else name


def denoiser_choices() -> list[tuple[str, str]]:
    """(words, denoiser id) as the menu shows them."""
    return [(denoiser_words(denoiser), denoiser) for denoiser in DENOISERS_OFFERED]


def model_words(spec: "ModelSpec") -> str:
    """A row of the model menu: its name, what has to be fetched, and what its licence or its owners restrict."""
    parts = [translate(spec.name)]
    if spec.megabytes:
        parts.append(f"{count_text(spec.megabytes)} MB")
    parts += [translate("non-commercial")] * spec.non_commercial + [translate("access on request")] * spec.gated
    return " · ".join(parts)


UNEXPECTED: Final = (
    "Something went wrong inside psmooth. Press Certify to try again; if it happens again, reload the page."
)


def tick_buttons() -> str:
    """The paper's noise levels under the slider, at their places on it."""
    low, high = NOISE_TICKS[0], NOISE_TICKS[-1]
    buttons = [
        f'<button type="button" data-value="{tick:g}" aria-label="σ = {tick:g}" '
        f'style="left:{_slider_place((tick - low) / (high - low))}">{tick:g}</button>'
        for tick in NOISE_TICKS
    ]
    return f'<div class="ps-ticks">{"".join(buttons)}</div>'


def _slider_place(share: float) -> str:
    """Where the middle of a slider's knob of 16 pixels stands."""
    return f"calc({share:.4f} * (100% - 16px) + 8px)"
