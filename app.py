"""The entry of a Space, and of whoever runs this file: opens the page of `psmooth.interface`.

It knows nothing about what stands on the page.
"""

from contextlib import suppress

from psmooth.interface import launch

__all__ = ["launch"]

if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # also while the page is being built
        launch()
