"""The parts of the page that Gradio does not have, each with its piece of HTML and its module.

It knows nothing about what they show, nor about what happens when one is used.
"""

from abc import ABCMeta
from typing import Any, ClassVar

import gradio as gr
from gradio.component_meta import ComponentMeta

from psmooth import views
from psmooth.interface.assets import imported, languages, part
from psmooth.views import compare as views_compare


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
        told: what the module needs beside the value.
        hidden: whether it draws nothing where it stands.
    """

    module: ClassVar[str]
    triggers: ClassVar[tuple[str, ...]] = ()
    told: ClassVar[dict[str, Any]] = {}
    hidden: ClassVar[bool] = False

    def __init__(self, **options: Any) -> None:
        """``options`` of `gr.HTML`: all of them where Gradio makes a component anew because one has changed."""
        super().__init__(**(options if "js_on_load" in options else {**self.usual(), **options}))

    @classmethod
    def usual(cls) -> dict[str, Any]:
        """The options that are the same for each of its kind."""
        given = ["element", "props", "watch", "trigger", *(f"'{name}'" for name in cls.triggers)]
        return {
            "html_template": cls.template(),
            "js_on_load": f"{imported(cls.module)}.then((part) => part.mount({', '.join(given)}))",
            "apply_default_css": False,
            "elem_classes": ["ps-bare", "ps-hidden"] if cls.hidden else ["ps-bare"],
            **cls.told,
        }

    @classmethod
    def template(cls) -> str:
        """Its HTML."""
        return part(cls.module)


class Header(Part):
    """Title, notice, language, light or dark, the links to the views."""

    module = "page/header"
    triggers = ("voice",)

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
    told: ClassVar = {"words": views.PAGE_WORDS, "budget": views.BUDGET_WORDS}

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


class Viewer(Part):
    """The scan, large; ``box`` brings the square that is to be certified."""

    module = "page/viewer"
    triggers = ("box",)
    told: ClassVar = {"words": views.VIEWER_WORDS}
    hidden = True


class Comparison(Part):
    """The view Compare."""

    module = "page/compare"
    triggers = ("stop",)
    told: ClassVar = {"words": {**views.PAGE_WORDS, **views_compare.COMPARE_WORDS}}


class Learning(Part):
    """The view Learn prompts."""

    module = "page/learn"
    triggers = ("stop",)
    told: ClassVar = {"words": views.PAGE_WORDS}


class Modes(Part):
    """Lecture and kiosk."""

    module = "page/modes"
    told: ClassVar = {"steps": views.LECTURE}
    hidden = True


class Understanding(Part):
    """The view Understand, which asks nothing of the server."""

    module = "understand/understand"

    @classmethod
    def template(cls) -> str:
        """With its cards, in their order."""
        cards = ("votes", "plane", "looks", "tuned")
        return part(cls.module, **{f"{name}_card": part(f"understand/{name}") for name in cards})


class NoiseTicks(Part):
    """Noise levels that models were made for, below their slider."""

    module = "page/noise_level"

    @classmethod
    def template(cls) -> str:
        """Each a button, at its place."""
        return views.tick_buttons()


class Said(Part):
    """A sentence of the server, which may hold a stranger's words."""

    module = "page/said"

    @classmethod
    def template(cls) -> str:
        """Where it will stand."""
        return '<p role="status"></p>'
