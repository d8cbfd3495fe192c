"""Writes to the terminal: results to stdout, everything else to stderr, and a bar while something comes.

It knows nothing about any command.
"""

import io
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from psmooth.models import MedVLM

_BAR, _SECONDS_A_BAR = 24, 0.1  # cells of a download's bar, and how often it is drawn


def load_with_bar(name: str, device: str | None) -> "MedVLM":
    from psmooth.models import find_spec, load_model

    with telling_download(find_spec(name).name) as download:
        return load_model(name, device, download)


@contextmanager
def telling_download(name: str) -> Iterator[Callable[[int, int], None]]:
    """What is to be told the bytes of a model: a bar that is written over on a terminal, one line anywhere else."""
    shown: float | None = None

    def tell(done: int, total: int) -> None:
        nonlocal shown
        now, terminal = time.monotonic(), sys.stderr.isatty()
        if shown is None or (terminal and (done >= total or now - shown >= _SECONDS_A_BAR)):
            shown = now
            _draw_bar(name, done, total)

    try:
        yield tell
    finally:
        if shown is not None:
            clear_line()


def _draw_bar(name: str, done: int, total: int) -> None:
    from psmooth.views import download_words

    line = download_words(name, done, total)["line"]
    if not sys.stderr.isatty():
        note(line)
        return
    filled = done * _BAR // max(1, total)
    line = f"{'█' * filled}{'░' * (_BAR - filled)} {plain(line)}"[: shutil.get_terminal_size().columns - 1]
    typer.echo(f"{line_start()}{line}", err=True, nl=False)


def line_start() -> str:
    return "\r\x1b[K" if sys.stderr.isatty() else ""


def clear_line() -> None:
    if sys.stderr.isatty():
        typer.echo(line_start(), err=True, nl=False)


def note(message: str) -> None:
    typer.echo(plain(message), err=True)


def show(lines: Iterable[str]) -> None:
    typer.echo(plain("\n".join(lines)))


def plain(text: str) -> str:
    """Without control characters: a class name in a stranger's certificate must not steer the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def show_json(text: str) -> None:
    """On a console that lacks a letter all of them are escaped, which JSON allows within its texts alone: there."""
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
