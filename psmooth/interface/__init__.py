"""The page: everything between a visitor's browser and the engine; the one room that imports gradio.

It knows nothing about statistics, and holds no words or colours.
"""

from psmooth.interface.serve import launch

__all__ = [
    "launch",
]
