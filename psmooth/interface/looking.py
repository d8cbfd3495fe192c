"""What happens while a visitor looks at a scan: grey values for the viewer, pictures of frames, a window by hand.

It knows nothing about runs.
"""

import time
from contextlib import closing
from itertools import takewhile
from typing import Any

import gradio as gr

from psmooth import views
from psmooth.interface.session import Session
from psmooth.scans import scan_picture
from psmooth.scans.crop import resolve_window

OWN = -1  # in the menu of windows: none of those that the scan offers
SECONDS_OF_FRAMES = 0.25  # in which as many pictures are made as come with one answer
MOST_FRAMES = 16


def _number_of(event: gr.EventData) -> int:
    """Which of a page's questions this is; a larger number than it counts to fits into no answer."""
    return int(event._data["asked"]) % 2**31


def look(session: Session, event: gr.EventData) -> views.Look:
    """The grey values of the scan, for the viewer to spread by itself."""
    scan, asked = session.scan, _number_of(event)
    has_levels = scan is not None and scan.window is not None
    return {"asked": asked, "levels": session.translated(views.levels, scan) if has_levels else None}


def frame_pictures(session: Session, center: float | None, width: float | None, event: gr.EventData) -> Any:
    """Pictures of the frames from one on, through the window at hand: few where that takes long."""
    asked, first = _number_of(event), int(event._data["first"])
    chosen = session.chosen or session.left
    if chosen is None or not 1 <= first <= (scan := chosen.scan).frames:
        return gr.skip()
    is_usual = session.is_usual(center, width) or center is None or not width
    window = None if is_usual else resolve_window(scan, scan.window_of(center or 0.0, width or 0.0))
    until = time.monotonic() + SECONDS_OF_FRAMES
    wanted = range(first, min(scan.frames, first + MOST_FRAMES - 1) + 1)
    numbers = takewhile(lambda number: number == first or time.monotonic() < until, wanted)
    with closing(chosen.frames(numbers)) as frames:
        pictures = [one and scan_picture(one, window) for one in frames]
    return views.frames(scan.frames, asked, first, pictures)


def drag_window(session: Session, event: gr.EventData) -> tuple[Any, float, float]:
    """A window that was drawn up by hand: the menu names it, and centre and width stand in their fields."""
    center, width = float(event._data["center"]), float(event._data["width"])
    session.request_run(None)
    return name_window(session, center, width), center, width


def name_window(session: Session, center: float | None, width: float | None) -> Any:
    """The menu of windows for these numbers: one that the scan offers, or the visitor's own."""
    scan = session.scan
    if scan is None or scan.window is None or center is None or not width:
        return gr.skip()
    known = [(offer.window.center, offer.window.width) for offer in scan.offers]
    choices = [(words, number) for number, words in enumerate(session.translated(views.window_choices, scan))]
    if (center, width) in known:
        return gr.Dropdown(choices, value=known.index((center, width)))
    own = session.translated(views.own_window, center, width, scan.unit)
    return gr.Dropdown([*choices, (own, OWN)], value=OWN)
