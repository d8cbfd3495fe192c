"""Runs the command line: ``python -m psmooth``.

It knows nothing about its commands.
"""

from psmooth.command_line import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
