"""Imports open_clip without the half a second that its import of transformers costs.

It knows nothing about models. psmooth builds BERT towers itself and imports transformers when it meets one. A program
that wants open_clip's own BERT towers beside psmooth imports open_clip first.
"""

import sys

if "open_clip" in sys.modules or "transformers" in sys.modules:
    import open_clip
else:
    sys.modules["transformers"] = None  # type: ignore[assignment]  # open_clip takes it for not installed
    try:
        import open_clip
    finally:
        del sys.modules["transformers"]

__all__ = ["open_clip"]
