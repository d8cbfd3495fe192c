"""The command line itself: its name, its version, and how an error leaves it.

It knows nothing about any command.

Exit codes: 0 done or certified, 3 abstained, 1 a check failed, 2 refused input.
"""

from typing import Annotated

import typer

from psmooth import __version__

CERTIFIED, CHECK_FAILED, REFUSED, ABSTAINED = 0, 1, 2, 3

cli = typer.Typer(
    help="Certified robustness of medical vision-language models. For research; not for clinical use.",
    epilog="Exit codes: 0 done or certified, 3 abstained, 1 a check failed, 2 refused input.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"psmooth {__version__}")
        raise typer.Exit


@cli.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Only what stands before a command."""
