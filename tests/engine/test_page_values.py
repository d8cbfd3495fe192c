"""Python and the page's scripts know the same keys of what a view shows: each is read, and none is read that is not.

The scripts are read as text, wherever they lie: by the names that they give to what they were sent.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from psmooth.files import resource
from psmooth.views import attack, compare, learn, results
from psmooth.views.chart import Chart
from psmooth.views.frames import Frames
from psmooth.views.levels import Levels, Look
from psmooth.views.question import Question
from psmooth.views.records import Checked, Runs
from psmooth.views.sentences import Radius
from psmooth.views.stage import Badge, Message, Opening, Placeholders, Report, Stage
from psmooth.views.strip import Ruler, Strip

LIBRARIES = ("plotly", "understand")  # not ours, and a view that the server sends nothing

SHOWN: tuple[Any, ...] = (
    Message, Opening, Stage, Checked, Strip, Frames, Look, compare.Message, compare.Compared, learn.Learned,
    Question, attack.Message, attack.Attacked,
)  # fmt: skip
PARTS: dict[str, tuple[Any, ...]] = {
    "data": (Chart,), "badge": (Badge,), "ghosts": (Placeholders,), "report": (Report,),
    "runs": (Runs,), "radius": (Radius,), "bank": (learn.BankFile,), "group": (compare.Group,),
    "bar": (compare.Bar,), "series": (compare.Series,), "curve": (compare.Curve,), "ruler": (Ruler,),
    "levels": (Levels,), "given": (results.Results,), "waypoint": (attack.Waypoint,), "marked": (attack.Marked,),
}  # fmt: skip
ONLY_SENT = {"selection_total", "invalid"}  # counts that no view draws
ADDED = {
    "value": {"runs"},  # the session's, where there are several runs
    "data": {"items", "files"},  # what is dropped on the page
    "curve": {"plain", "frozen"},  # the titles of the groups, which the script itself puts there
}


def scripts() -> Iterator[str]:
    """The text of every script that draws what the server sends."""
    for path in sorted(Path(str(resource("assets"))).rglob("*.js")):
        if not any(name in part for part in path.parts for name in LIBRARIES):
            yield re.sub(r"(?m)//.*$", "", path.read_text("utf-8"))


def keys(*kinds: Any) -> set[str]:
    """All keys of records."""
    return {key for kind in kinds for key in kind.__required_keys__ | kind.__optional_keys__}


def read(name: str) -> set[str]:
    """What is asked of a variable, ``name.key`` or ``{ key } = name``; a method that is called is no key."""
    found: set[str] = set()
    for text in scripts():
        found |= {*re.findall(rf"(?<![\w.$/]){name}\??\.(\w+)\b(?!\()", text)}
        for taken in re.findall(rf"\{{([^{{}}]*)\}}\s*=\s*{name}\b(?!\.)", text):
            found |= {*re.findall(r"(?:^|,)\s*(\w+)", taken)}
    return found


@pytest.mark.parametrize("name", ["value", "step", "next", "kept", *PARTS])
def test_whatever_a_script_reads_is_sent(name: str) -> None:
    sent = keys(*PARTS.get(name, (*SHOWN, Ruler, Chart))) | ADDED.get(name, set())
    assert read(name) - sent == set()


def test_the_names_by_which_the_scripts_call_what_they_are_sent_are_still_theirs() -> None:
    """Otherwise the test above would look at nothing."""
    assert len(read("value")) > 20
    assert len([name for name in PARTS if read(name)]) > len(PARTS) / 2


def test_whatever_is_sent_is_read_by_a_script() -> None:
    text = "\n".join(scripts())
    sent = keys(*SHOWN, *(kind for kinds in PARTS.values() for kind in kinds), compare.Card, attack.Bar)
    unread = {key for key in sent if not re.search(rf"\.{key}\b|[{{,]\s*{key}\s*[,:}}=]", text)}
    assert unread == ONLY_SENT


def test_what_the_page_shows_by_itself_has_the_same_keys() -> None:
    """Where the server cannot be reached, the scripts make such values."""
    made = [one for text in scripts() for one in re.findall(r"\bshow\(\{([^()]*:[^()]*)\}\)", text)]
    kinds = [keys_needed(kind) for kind in (Message, compare.Message, attack.Message, learn.Learned, Checked)]
    assert made
    assert all({*re.findall(r"(?<![\w.])(\w+):", one)} in kinds for one in made)


def keys_needed(kind: Any) -> set[str]:
    """Those without which a value is none of that kind."""
    return {*kind.__required_keys__}
