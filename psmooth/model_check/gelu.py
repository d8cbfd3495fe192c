"""Asks a network as if it had been built with the other GELU.

It knows nothing about files and answers.

OpenAI's CLIP was trained with QuickGELU, x · sigmoid(1.702 x). Whoever builds it with the exact GELU gets no error, and
features that are slightly wrong everywhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from open_clip.transformer import QuickGELU
from torch import nn

_TOWERS = ("visual", "transformer", "text.transformer")  # not a projection, whose GELU is never a quick one


def activation(network: nn.Module) -> str:
    """``QuickGELU`` or ``GELU``, whichever the towers have; empty where they have neither of torch's or open_clip's."""
    kinds = {type(module) for _, _, module in _gelus(network)}
    return "" if not kinds else "QuickGELU" if QuickGELU in kinds else "GELU"


def the_other(name: str) -> str:
    """The GELU that a name of ``activation`` is not."""
    return {"QuickGELU": "GELU", "GELU": "QuickGELU", "": ""}[name]


@contextmanager
def other_gelu(network: nn.Module) -> Iterator[str]:
    """The same network with the other GELU until the block ends; gives the name of that one."""
    places = list(_gelus(network))
    name = the_other(activation(network))
    try:
        for parent, child, _ in places:
            setattr(parent, child, QuickGELU() if name == "QuickGELU" else nn.GELU())
        yield name
    finally:
        for parent, child, module in places:
            setattr(parent, child, module)


def _gelus(network: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    """Each GELU of the towers, once: the module that holds it, its name there, and itself."""
    for tower in _TOWERS:
        try:
            root = network.get_submodule(tower)
        except AttributeError:  # a network without that tower
            continue
        for parent in list(root.modules()):
            for child, module in list(parent.named_children()):
                if isinstance(module, nn.GELU | QuickGELU):
                    yield parent, child, module
