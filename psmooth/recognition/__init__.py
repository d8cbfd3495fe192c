"""Recognition: which kind of scan a crop is, and whether it is like anything that the model was made for.

It knows nothing about votes, certificates or the page; it warns and forbids nothing.
"""

from psmooth.recognition.finding import Finding
from psmooth.recognition.kinds import KINDS
from psmooth.recognition.recognising import recognise

__all__ = ["KINDS", "Finding", "recognise"]
