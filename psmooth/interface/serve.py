"""Serves the page: behind the guard, on a port, until it is ended.

It knows nothing about what stands on the page.
"""

import logging
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware

import psmooth.environment
from psmooth.errors import PsmoothError
from psmooth.files import resource
from psmooth.interface.assets import head, static_files, style_sheets, theme
from psmooth.interface.first_picture import FirstPicture, first_picture
from psmooth.interface.guard import Guard, Hosts, without_trace
from psmooth.interface.intake import take_tool_files
from psmooth.interface.model_menu import model_choices, model_of
from psmooth.interface.page import build
from psmooth.interface.requests import log
from psmooth.interface.uploads import Uploads
from psmooth.interface.visitors import MOST_STREAMS, Presence
from psmooth.scans import MAX_FILE_BYTES
from psmooth.scans.apart import start_ahead


def warm_up() -> None:
    """Read the model that the page opens with, and start what reads DICOM, while the browser is loading the page."""
    start_ahead()
    for _, choice in model_choices()[:1]:  # never one that would have to be fetched: those come last
        try:
            model_of(choice)
        except PsmoothError as error:
            log.warning("%s", error)


def guarded(uploads: Uploads, hosts: Hosts | None = None, tools: bool = False) -> dict[str, Any]:
    """What puts the guard before everything else; Gradio adds its own layers outside those that it is given."""

    @asynccontextmanager
    async def lifespan(server: Starlette) -> AsyncIterator[None]:
        inner = server.middleware_stack
        assert inner is not None
        server.middleware_stack = Guard(inner, uploads, static_files(), hosts or Hosts(), tools, MAX_FILE_BYTES)
        yield

    return {"lifespan": lifespan}


def launch(port: int | None = None, host: str | None = None, open_browser: bool = True, **options: Any) -> Any:
    """Serve the page; without ``port`` and ``host`` where GRADIO_SERVER_PORT and GRADIO_SERVER_NAME say, or Gradio."""
    psmooth.environment.reach_directly(host or os.environ.get("GRADIO_SERVER_NAME", "localhost"))
    demo, tools = build(), os.environ.get("GRADIO_MCP_SERVER", "").lower() == "true"
    if tools:
        take_tool_files(demo.uploads)
    logging.getLogger("uvicorn.error").addFilter(without_trace)
    demo.uploads.keep_sweeping()
    threading.Thread(target=warm_up, daemon=True).start()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a container that is stopped tidies up, as by Ctrl-C
    guard = guarded(demo.uploads, Hosts.of(host, bool(options.get("share"))), tools)
    return demo.launch(
        server_port=port, server_name=host, inbrowser=open_browser, theme=theme(), head=head(),
        css_paths=style_sheets(), run_history=False, enable_monitoring=False, footer_links=["api"],
        max_file_size=MAX_FILE_BYTES, favicon_path=resource("assets", "icon.png"), show_error=False, ssr_mode=False,
        pwa=False, mcp_server=tools, max_threads=MOST_STREAMS,
        app_kwargs={
            "middleware": [Middleware(FirstPicture, **first_picture()), Middleware(Presence)], **guard
        }, **options,
    )  # fmt: skip
