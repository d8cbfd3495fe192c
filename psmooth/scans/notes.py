"""What is said beside a scan: what was done to it, and what to heed.

It knows nothing about how a scan is read.
"""

from typing import Final

STRETCHED: Final = "The pixels are no squares; the picture was stretched to its true shape."
OBLIQUE: Final = "The volume stands at an angle to the body; each plane is the nearest one of its own."
TILE: Final = "This is one tile of a whole slide."
UNKNOWN_SIDES: Final = "The file does not say how the body lies in it; left and right may be exchanged."
WHOLE_SLIDE: Final = "This is the whole slide, made smaller."
WRITTEN: Final = "Names may be written into this picture. Draw a box around what is to be seen."
LEFT_OUT: Final = "Beside this one are DICOM files that are damaged; they were passed over."
