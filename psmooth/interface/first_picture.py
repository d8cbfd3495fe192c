"""Sends a first picture of the page along with it, so that it stands before Gradio's scripts have run.

With it goes what a link to the page shows elsewhere. It knows nothing about events.
"""

import html
import json
import re

from gradio.route_utils import get_root_url
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from psmooth import views
from psmooth.interface.address import read_locale
from psmooth.interface.assets import CARD, PLOTLY, address, fonts_and_colours, languages, part, preloads, script, text
from psmooth.interface.guard import path_of, stamped
from psmooth.interface.handlers import shown_gallery
from psmooth.interface.page import opening
from psmooth.views.locale import translate, using_locale

GRADIO = b'<script type="module"'  # where the page asks for Gradio's scripts

PREVIEW = re.compile(rb'\s*<meta\s+(?:property="og:|name="twitter:)[^>]*>')  # Gradio's own, of itself

# Of what is seen in the first picture.
SHEETS = (
    "page",
    "header",
    "picker",
    "stage",
    "moved",
    "verdict",
    "about",
    "checked",
    "strip",
    "ruler",
    "votes",
    "progress",
    "screens",
)


class FirstPicture:
    """Sends a first picture of the page along with it, so that it stands before Gradio's scripts have run.

    A module takes it away as soon as the page itself is there. Scripts of the page are stamped: no other one runs.
    """

    def __init__(self, app: ASGIApp, picture: str, scripts: str = "") -> None:
        self.app, self.picture, self.scripts = app, picture.encode(), scripts.encode()

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
                whole = PREVIEW.sub(b"", message["body"]).replace(b"</head>", preview(Request(scope)) + b"</head>", 1)
                whole = whole.replace(b"</body>", self.picture + b"</body>")
                whole = whole.replace(GRADIO, self.scripts + GRADIO, 1)  # modules run in the order they stand in
                message["body"], headers["content-security-policy"] = stamped(whole)
                headers["content-length"] = str(len(message["body"]))
                headers["cache-control"] = "private"  # it names the server as this one request did
                await send(start)
                start = {}
            await send(message)

        await self.app(scope, receive, send_with_picture)


def preview(request: Request) -> bytes:
    """What a link to the page shows where it is passed on, in the language that is asked for, as tags of its head."""
    root = get_root_url(request, "/", request.scope.get("root_path"))
    with using_locale(read_locale(request.query_params, request.headers.get("accept-language", ""))):
        title, about, alt = (translate(words) for words in (views.TITLE, views.SLOGAN, views.PAGE_WORDS["card_alt"]))
    facts = {
        "og:type": "website", "og:site_name": views.NAME, "og:title": title, "og:description": about,
        "og:url": f"{root}/", "og:image": f"{root}/{address(CARD)}", "og:image:width": "1200",
        "og:image:height": "630", "og:image:alt": alt, "twitter:card": "summary_large_image",
    }  # fmt: skip
    tags = (f'<meta property="{name}" content="{html.escape(said)}">' for name, said in facts.items())
    return "".join(tags).replace('property="twitter:', 'name="twitter:').encode()


def first_picture() -> dict[str, str]:
    """The page with the first example, as HTML of its own, and the scripts that draw it."""
    stage, strip = opening()
    values = json.dumps({"stage": stage, "strip": strip, "picker": shown_gallery(0), "words": views.PAGE_WORDS})
    css = fonts_and_colours() + "".join(text(f"page/{name}.css") for name in SHEETS)
    parts = {"header": part("page/header", languages=languages()), "picker": part("page/picker")}
    values = values.replace("</", "<\\/")
    asked = {"preloads": preloads(first=True), "plotly": address(PLOTLY), "script": script()}
    return {
        "picture": part("page/first", css=css, values=values, stage=part("page/stage", budget=""), **parts),
        "scripts": part("page/first_scripts", first=address("page/first.js"), **asked),
    }
