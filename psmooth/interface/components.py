"""The parts of the page that Gradio does not have, each with its piece of HTML and its module.

It knows nothing about what they show, nor about what happens when one is used.
"""

from abc import ABCMeta
from typing import Any, ClassVar

import gradio as gr
from gradio.component_meta import ComponentMeta

from psmooth import views
from psmooth.interface.assets import imported, languages, part
from psmooth.smoothing.brought import MOST_BYTES
from psmooth.views import attack as views_attack
from psmooth.views import compare as views_compare
from psmooth.views import learn as views_learn
from psmooth.views import results as views_results

# Where a module never came, none can say so: a sentence of the header is shown, which came with the page, and the first
# picture no longer waits for what it belongs to.
MISSING = """() => {
  document.querySelectorAll('.ps-missing').forEach((said) => (said.hidden = false));
  document.querySelector('#ps-first')?.remove();
}"""

WHEN_SEEN = """new IntersectionObserver((changes, watcher) => {
  if (changes.every((change) => !change.isIntersecting)) return;
  watcher.disconnect();
  %s;
}).observe(element)"""


class Unwritten(ComponentMeta):
    """Gradio's own metaclass writes a stub beside each file that has a component; this one writes nothing."""

    def __new__(mcs, name: str, bases: tuple[type, ...], attributes: dict[str, Any]) -> Any:
        """A class, and no file."""
        return ABCMeta.__new__(mcs, name, bases, attributes)


class Part(gr.HTML, metaclass=Unwritten):
    """HTML without Gradio's frame and style; a module of assets/ mounts it, as soon as both have come.

    Attributes:
        module: the one that mounts it; its HTML lies beside it.
        triggers: the events that it may send. Gradio finds their names where they stand, quoted, in the script.
        extras: what the module needs beside the value.
        hidden: whether it draws nothing where it stands.
        when_seen: whether its module is asked for when it is first seen, and not with the page.
    """

    module: ClassVar[str]
    triggers: ClassVar[tuple[str, ...]] = ()
    extras: ClassVar[dict[str, Any]] = {}
    hidden: ClassVar[bool] = False
    when_seen: ClassVar[bool] = False

    def __init__(self, **options: Any) -> None:
        """``options`` of `gr.HTML`: all of them where Gradio makes a component anew because one has changed."""
        super().__init__(**(options if "js_on_load" in options else {**self.usual(), **options}))

    @classmethod
    def usual(cls) -> dict[str, Any]:
        """The options that are the same for each of its kind."""
        given = ["element", "props", "watch", "trigger", *(f"'{name}'" for name in cls.triggers)]
        mount = f"{imported(cls.module)}.then((part) => part.mount({', '.join(given)}), {MISSING})"
        return {
            "html_template": cls.template(),
            "js_on_load": WHEN_SEEN % mount if cls.when_seen else mount,
            "apply_default_css": False,
            "elem_classes": ["ps-bare", "ps-hidden"] if cls.hidden else ["ps-bare"],
            **cls.extras,
        }

    @classmethod
    def template(cls) -> str:
        """Its HTML."""
        return part(cls.module)


class Header(Part):
    """Title, notice, language, light or dark, the links to the views.

    ``back`` and ``again`` bring the address of an entry of the history that is returned to; ``again`` asks for a run.
    """

    module = "page/header"
    triggers = ("locale", "back", "again")

    @classmethod
    def template(cls) -> str:
        """With every language."""
        return part(cls.module, languages=languages())


class Picker(Part):
    """The examples; ``pick`` brings the index of one."""

    module = "page/picker"
    triggers = ("pick",)


class Stage(Part):
    """Everything that Certify shows of a run; ``lost``: a scan did not arrive."""

    module = "page/certify"
    triggers = ("stop", "lost")
    extras: ClassVar = {"words": views.PAGE_WORDS, "budget": views.BUDGET_WORDS}

    @classmethod
    def template(cls) -> str:
        """With the budget below the chart."""
        return part("page/stage", budget=part("page/budget"))


class Strip(Part):
    """Scan, crop and noise: its module draws them on the stage."""

    module = "page/strip"
    hidden = True

    @classmethod
    def template(cls) -> str:
        """None of its own."""
        return ""


class Checked(Part):
    """What came of a certificate file: its module shows it on the stage, below the button that asks for one."""

    module = "page/checked"
    hidden = True
    extras: ClassVar = {"words": views.PAGE_WORDS}

    @classmethod
    def template(cls) -> str:
        """None of its own."""
        return ""


class Frames(Part):
    """Pictures of a scan's frames, beside their slider; ``frames`` asks for some."""

    module = "page/frames"
    triggers = ("frames",)
    extras: ClassVar = {"words": views.FRAMES_WORDS}


class Question(Part):
    """What a scan shows, asked after an upload; ``answer`` brings the id of a task."""

    module = "page/question"
    triggers = ("answer",)
    extras: ClassVar = {"elem_classes": ["ps-bare", "ps-unasked"]}


class Viewer(Part):
    """The scan, large; ``box`` and ``window`` bring what is to be certified of it, ``look`` asks for its levels."""

    module = "page/viewer"
    triggers = ("box", "look", "window")
    extras: ClassVar = {"words": views.VIEWER_WORDS}
    hidden = True


class Comparison(Part):
    """The view Compare."""

    module = "page/compare"
    triggers = ("stop",)
    extras: ClassVar = {"words": {**views.PAGE_WORDS, **views_compare.COMPARE_WORDS}}


class Attacking(Part):
    """The view Attack."""

    module = "page/attack"
    triggers = ("stop",)
    extras: ClassVar = {"words": {**views.PAGE_WORDS, **views_attack.ATTACK_WORDS}}


class Learning(Part):
    """The view Learn prompts; ``use`` asks for the bank that was learned."""

    module = "page/learn"
    triggers = ("stop", "use")
    extras: ClassVar = {"words": {**views.PAGE_WORDS, **views_learn.LEARN_WORDS}}


class Modes(Part):
    """Lecture and kiosk."""

    module = "page/modes"
    extras: ClassVar = {"steps": views.LECTURE, "words": views.PAGE_WORDS}
    hidden = True


class Understanding(Part):
    """The view Understand, which asks nothing of the server."""

    module = "understand/understand"
    when_seen = True

    @classmethod
    def template(cls) -> str:
        """With its cards, in their order."""
        cards = ("votes", "plane", "looks", "tuned")
        return part(cls.module, **{f"{name}_card": part(f"understand/{name}") for name in cards})


class Results(Part):
    """The view Results; ``shipped`` asks for the records that ship in place of a visitor's own."""

    module = "page/results"
    triggers = ("shipped",)
    extras: ClassVar = {
        "words": {
            **views.PAGE_WORDS,
            **views_results.RESULTS_WORDS,
            "parts": views_results.PARTS,
            "about_kinds": views_results.ABOUT_KINDS,
            "mirrored": "{denoiser} + mirror image",
            "retrained": views_results.RETRAINED,
            "mean": views_results.MEAN,
            "most_bytes": MOST_BYTES,
        }
    }


class NoiseTicks(Part):
    """Noise levels that models were made for, below their slider."""

    module = "page/noise_level"

    @classmethod
    def template(cls) -> str:
        """Each a button, at its place."""
        return views.tick_buttons()


class About(Part):
    """A button beside a control that explains a word of it."""

    module = "page/about"


class Said(Part):
    """A sentence of the server, which may hold a stranger's words."""

    module = "page/said"

    @classmethod
    def template(cls) -> str:
        """Where it will stand."""
        return '<p role="status"></p>'
