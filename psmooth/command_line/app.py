"""`psmooth app`: opens the page in the browser.

It knows nothing about the page.
"""

from typing import Annotated

import typer


def app(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="The port to listen on.")] = 7860,
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 is every one.")] = "127.0.0.1",
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Open the app in the browser."""
    from psmooth.interface import launch

    launch(port, host, browser)
