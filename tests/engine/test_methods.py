"""The table of methods agrees with itself, and every room with it."""

from typing import get_args, get_type_hints

import pytest

from psmooth.command_line.learn import learn
from psmooth.methods import CONTEXT_METHODS, METHODS, PROBE_METHODS, SUPERVISED_METHODS, WAYS
from psmooth.views.learn import WAY_CHOICES


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_row_agrees_with_itself(method):
    assert METHODS[method.id] is method
    assert (method.guarantee == "frozen_prompt") == ("frozen prompt" in method.name) == method.tunes
    assert method.learned or not method.needs_labels
    assert method.bank is None or METHODS[method.bank].learned
    assert not method.learned or method.bank == method.id


def test_what_can_be_learned_is_what_page_and_command_offer():
    learned = {*CONTEXT_METHODS, *PROBE_METHODS}
    assert [way for _, way in WAY_CHOICES] == [*WAYS]
    assert {way.method for way in WAYS.values()} == learned > set(SUPERVISED_METHODS)
    assert {way.method for way in WAYS.values() if way.closed_form} == set(PROBE_METHODS)
    what = get_args(get_args(get_type_hints(learn, include_extras=True)["what"])[0])
    assert {word.replace("-", "_") for word in what} == learned | {"denoiser"}
