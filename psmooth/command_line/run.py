"""Runs one command of the command line.

It knows nothing about what a command does.
"""

import sys
from collections.abc import Sequence

from psmooth.command_line import (
    app,
    attack,
    banks,
    certify,
    check_space,
    evaluate,
    learn,
    models,
    phantom,
    spaces,
    verify,
)
from psmooth.command_line.cli import REFUSED, cli
from psmooth.command_line.terminal import let_every_letter_be_printed, note
from psmooth.errors import PsmoothError
from psmooth.runtime import tune_allocator

for command in (
    certify.certify, verify.verify, learn.learn, evaluate.evaluate, attack.attack, phantom.phantom, app.app,
    check_space.check_space,
):  # fmt: skip  # in the order in which they are listed
    cli.command()(command)
cli.add_typer(banks.banks, name="banks")
cli.add_typer(models.models, name="models")
cli.add_typer(spaces.spaces, name="spaces")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code; an error of psmooth's is printed as its sentence."""
    tune_allocator()  # before torch allocates anything
    let_every_letter_be_printed()
    try:
        cli(args=None if arguments is None else list(arguments), prog_name="psmooth")
    except PsmoothError as error:
        note(str(error))
        sys.exit(REFUSED)
