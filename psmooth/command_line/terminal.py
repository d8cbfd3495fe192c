"""Writes to the terminal: results to stdout, everything else to stderr, and a bar while something comes.

It knows nothing about any command.
"""

import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import typer

if TYPE_CHECKING:
    from psmooth.models import MedVLM

_CELLS = 24  # of a bar


def load_with_bar(name: str, device: str | None, precision: str = "float32") -> "MedVLM":
    from psmooth.models import find_spec, load_model

    with telling_download(find_spec(name).name) as download:
        return load_model(name, device, download, precision=precision)


@contextmanager
def telling_download(name: str) -> Iterator[Callable[[int, int], None]]:
    """What is to be told the bytes of a model: nothing is drawn where none come, and a log file gets one line."""
    with live_bar() as draw:
        news = True

        def tell(done: int, total: int) -> None:
            from psmooth.views import download_words

            nonlocal news
            draw(done, total, download_words(name, done, total)["line"], logged=news)
            news = False

        yield tell


class Draw(Protocol):
    """Tells how far something is: ``words`` beside a bar, or a line of a log file where they are to be ``logged``."""

    def __call__(self, done: int, planned: int, words: str, *, logged: bool = False) -> None: ...


@contextmanager
def live_bar() -> Iterator[Draw]:
    """One line on a terminal that is drawn over and gone at the end; elsewhere what is logged, a line each.

    While it stands, what else is written to stderr appears above it. stdout is left alone.
    """
    with ExitStack() as drawn:
        bar: _Bar | None = None

        def draw(done: int, planned: int, words: str, *, logged: bool = False) -> None:
            nonlocal bar
            if _is_terminal():
                bar = bar or drawn.enter_context(_bar())
                bar(done, planned, plain(words))
            elif logged:
                note(words)

        yield draw


_Bar = Callable[[int, int, str], None]


@contextmanager
def _bar() -> Iterator[_Bar]:
    from rich.console import Console  # not before something is drawn: a command starts sooner without it
    from rich.progress import BarColumn, Progress, TextColumn

    columns = BarColumn(_CELLS, finished_style="bar.complete"), TextColumn("{task.fields[words]}", markup=False)
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as progress:

        def draw(done: int, planned: int, words: str) -> None:
            facts: dict[str, Any] = {"completed": done, "total": planned or None, "words": words}
            if progress.tasks:
                progress.update(progress.tasks[0].id, **facts)
            else:
                progress.add_task("", **facts)  # drawn at once; what follows, ten times a second

        yield draw


def _is_terminal() -> bool:
    """Whether a line on stderr can be drawn over."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def note(message: str) -> None:
    print(plain(message), file=sys.stderr, flush=True)  # not typer's echo, which would write into a bar that stands


def show(lines: Iterable[str]) -> None:
    typer.echo(plain("\n".join(lines)))


def plain(text: str) -> str:
    """Without control characters: a class name in a stranger's certificate must not steer the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def show_json(text: str) -> None:
    """As the console can print it: what steers a terminal is escaped, and where it lacks a letter all that ASCII lacks.

    JSON allows that within its texts alone, and there they are.
    """
    text = "".join(one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        text = "".join(letter if letter.isascii() else json.dumps(letter)[1:-1] for letter in text)
    typer.echo(text, nl=False)


def let_every_letter_be_printed() -> None:
    """What a console of few letters, such as that of Windows, cannot show is printed as its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
