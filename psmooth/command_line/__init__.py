"""The command line: a file a command.

It knows nothing about how any of it is done; results go to stdout, everything else to stderr.
"""

from psmooth.command_line.run import main

__all__ = ["main"]
