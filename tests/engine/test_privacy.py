"""What docs/privacy.md says in figures and in names of variables is what the program does."""

import re

import pytest
from starlette.formparsers import MultiPartParser

from psmooth.interface import guard, uploads, visitors
from psmooth.models import typed as typed_models
from tests.serving import ROOT

PRIVACY = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
SAID = {
    "beyond {} MB in a temporary file without a name": MultiPartParser.spool_max_size / 2**20,
    "What nobody asks for within {} minutes is swept": uploads.SECONDS_UNASKED / 60,
    "what is not read within {} minutes too": uploads.SECONDS_HELD / 60,
    "At most {} files, ": uploads.MOST_FILES,
    "of {} GiB together, wait at once": uploads.MOST_BYTES / 2**30,
    "still on their way there may be {};": guard.MOST_AT_ONCE,
    "in its first {} seconds only if": guard.SECONDS_OF_GRACE,
    "only if there are more than {}.": guard.MOST_IN_GRACE,
    "takes longer than {} minutes is broken off": guard.SECONDS_TO_UPLOAD / 60,
    "more than {} messages unread": visitors.MOST_UNREAD,
    "unread for longer than {} seconds": visitors.SECONDS_UNHEARD,
    "no page holds open is forgotten after {} minutes": visitors.SECONDS_ALONE / 60,
    "at most {} of them keep a scan": visitors.MOST_SCANS_ALONE,
    "together take at most {} GiB": visitors.MOST_BYTES / 2**30,
    "the oldest go until {} GB are left": typed_models.MOST_KEPT / 10**9,
    "with {} MB at a time": typed_models.LARGEST_WORDS / 10**6,
}


@pytest.mark.parametrize("sentence", SAID)
def test_a_figure_is_that_of_the_program(sentence: str) -> None:
    assert sentence.format(f"{SAID[sentence]:g}") in PRIVACY


def test_the_table_has_every_variable_of_psmooths_and_no_other() -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "psmooth").rglob("*.py"))
    switches = "".join(line for line in PRIVACY.splitlines() if line.startswith("| `"))
    assert {*re.findall(r"PSMOOTH_[A-Z_]+", switches)} == {*re.findall(r"\"(PSMOOTH_[A-Z_]+)\"", code)}
