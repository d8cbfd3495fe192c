"""Sends a first picture of the page along with it, so that it stands before Gradio's scripts have run.

It knows nothing about events.
"""

import json

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from psmooth import views
from psmooth.files import resource
from psmooth.interface.assets import fonts_and_colours, languages, part, scripts
from psmooth.interface.guard import path_of, stamped
from psmooth.interface.handlers import shown_gallery
from psmooth.interface.page import opening


class FirstPicture:
    """Sends a first picture of the page along with it, so that it stands before Gradio's scripts have run.

    The script takes it away as soon as the page itself is there. Scripts of the page are stamped: no other one runs.
    """

    def __init__(self, app: ASGIApp, picture: str) -> None:
        self.app, self.picture = app, picture.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI; the page itself and nothing else is changed."""
        if scope["type"] != "http" or scope["method"] != "GET" or path_of(scope) != "/":
            await self.app(scope, receive, send)
            return
        start: Message = {}

        async def send_with_picture(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if start:
                headers = MutableHeaders(scope=start)
                whole = message["body"].replace(b"</body>", self.picture + b"</body>")
                message["body"], headers["content-security-policy"] = stamped(whole)
                headers["content-length"] = str(len(message["body"]))
                await send(start)
                start = {}
            await send(message)

        await self.app(scope, receive, send_with_picture)


def first_picture() -> str:
    """The page with the first example, as HTML of its own, drawn by the same script."""
    stage, strip = opening()
    values = json.dumps({"stage": stage, "strip": strip, "picker": shown_gallery(0), "words": views.PAGE_WORDS})
    css = fonts_and_colours() + resource("assets", "psmooth.css").read_text("utf-8")
    parts = {"header": part("header", languages=languages()), "picker": part("picker")}
    parts["stage"] = part("stage", budget="")
    return part("first", css=css, values=values.replace("</", "<\\/"), **parts, scripts=scripts())
