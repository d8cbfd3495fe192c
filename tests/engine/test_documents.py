"""The documents lead where they say: every link, every anchor, every file that they name.

It knows nothing about what a document says.
"""

import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "assets/pocket/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
MOST_WORDS = 1_000  # of README.md: whatever needs more stands in docs/


def prose(file: Path) -> str:
    """A document without its blocks of code, in which nothing is a link or a heading."""
    return re.sub(r"^```.*?^```", "", file.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(file: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them: small letters, hyphens, no punctuation."""
    found = set()
    for heading in re.findall(r"^#+ +(.+)$", prose(file), re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)|[`*]", r"\1", heading).strip().lower()
        kept = [letter for letter in words if letter in "-_ " or unicodedata.category(letter)[0] in "LN"]
        found.add("".join(kept).replace(" ", "-"))
    return found


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_relative_link_and_its_anchor_is_there(file: Path) -> None:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(file)):
        place, _, anchor = unquote(link).partition("#")
        if re.match(r"[a-z]+:", place):
            continue
        target = file.parent / place if place else file
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


def test_the_links_that_are_checked_are_found() -> None:
    assert anchors(ROOT / "docs" / "deploy.md") >= {"under-load", "a-server-that-is-open-to-others"}
    assert sum(len(re.findall(r"\]\(([^)\s]+)\)", prose(file))) for file in DOCUMENTS) > len(DOCUMENTS)


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_file_that_is_named_is_there(file: Path) -> None:
    """Files and folders, in code letters, that lie in one of the repository; ``*`` is any, ``{a,b}`` each of them."""
    places = r"`((?:psmooth|assets|tests|docs|prompts)/(?:[\w./*{},-]*(?:/|[.]\w+))?)`"
    named = [one for name in re.findall(places, prose(file)) for one in each_of(name)]
    assert [name for name in named if not list(ROOT.glob(name.rstrip("/")))] == []


def each_of(name: str) -> list[str]:
    """``a/{b,c}.md`` as ``a/b.md`` and ``a/c.md``."""
    head, brace, rest = name.partition("{")
    inner, _, tail = rest.partition("}")
    return [head + one + tail for one in inner.split(",")] if brace else [name]


def test_the_readme_is_short() -> None:
    _, _, rendered = (ROOT / "README.md").read_text("utf-8").split("---\n", 2)
    assert len(rendered.split()) <= MOST_WORDS
