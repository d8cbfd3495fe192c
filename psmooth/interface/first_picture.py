"""Sends a first picture of the page along with it, so that it stands before Gradio's scripts have run.

It knows nothing about events.
"""

import json

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from psmooth import views
from psmooth.interface.assets import address, fonts_and_colours, languages, part, preloads, script, text
from psmooth.interface.guard import path_of, stamped
from psmooth.interface.handlers import shown_gallery
from psmooth.interface.page import opening

SHEETS = ("page",)  # of what is seen there


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
    """The page with the first example, as HTML of its own, drawn by the same modules."""
    stage, strip = opening()
    values = json.dumps({"stage": stage, "strip": strip, "picker": shown_gallery(0), "words": views.PAGE_WORDS})
    css = fonts_and_colours() + "".join(text(f"page/{name}.css") for name in SHEETS)
    parts = {"header": part("page/header", languages=languages()), "picker": part("page/picker")}
    parts["stage"] = part("page/stage", budget="")
    scripts = {"preloads": preloads(), "script": script(), "first": address("page/first.js")}
    return part("page/first", css=css, values=values.replace("</", "<\\/"), **parts, **scripts)
