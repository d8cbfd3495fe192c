"""The table of methods: for each way to make prompts, what is learned, from what, and what its certificate holds for.

It knows nothing about models, scans or how any of it is done.
"""

from dataclasses import dataclass
from typing import Literal

Guarantee = Literal["unconditional", "frozen_prompt"]

Learned = Literal["context", "class_vectors"]


@dataclass(frozen=True)
class Method:
    """One way to make prompts.

    Attributes:
        id: what certificates, banks, links and commands call it.
        name: what people call it, in English.
        learned: what ``psmooth learn`` learns for it; None if it learns nothing of its own.
        needs_labels: whether that takes labelled scans.
        bank: the method whose bank it starts from; None if it needs none.
        tunes: whether the prompt is tuned on the very scan before the votes.
    """

    id: str
    name: str
    learned: Learned | None = None
    needs_labels: bool = False
    bank: str | None = None
    tunes: bool = False

    @property
    def guarantee(self) -> Guarantee:
        """A prompt that was tuned on a scan would be another one for another scan: its radius holds for it alone."""
        return "frozen_prompt" if self.tunes else "unconditional"


METHODS: dict[str, Method] = {
    method.id: method
    for method in (
        Method("template", "hand-written"),
        Method("few_shot", "few-shot", "context", needs_labels=True, bank="few_shot"),
        Method("label_free", "label-free", "context", bank="label_free"),
        Method("linear_probe", "linear probe", "class_vectors", needs_labels=True, bank="linear_probe"),
        Method("label_free_probe", "label-free probe", "class_vectors", bank="label_free_probe"),
        Method("zero_shot", "zero-shot (frozen prompt)", tunes=True),
        Method("combined", "combined (frozen prompt)", bank="few_shot", tunes=True),
    )
}

GUARANTEES: dict[str, Guarantee] = {method.id: method.guarantee for method in METHODS.values()}


def methods_that_learn(learned: Learned) -> tuple[str, ...]:
    """The ids of those whose banks hold that."""
    return tuple(method.id for method in METHODS.values() if method.learned == learned)


CONTEXT_METHODS = methods_that_learn("context")

PROBE_METHODS = methods_that_learn("class_vectors")

SUPERVISED_METHODS = tuple(method.id for method in METHODS.values() if method.needs_labels)


@dataclass(frozen=True)
class Way:
    """One way to learn a method's bank: by steps, or in closed form, which probes alone have."""

    id: str
    method: str
    closed_form: bool = False


WAYS: dict[str, Way] = {
    way.id: way
    for way in (
        *(Way(method.id, method.id) for method in METHODS.values() if method.learned),
        *(Way(f"{method}_closed_form", method, closed_form=True) for method in PROBE_METHODS),
    )
}
