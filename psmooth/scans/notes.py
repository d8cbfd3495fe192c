"""What is said beside a scan: what was done to it, and what to heed.

It knows nothing about how a scan is read.
"""

from typing import Final

STRETCHED: Final = "The pixels are no squares; the picture was stretched to its true shape."
WRITTEN: Final = "Names may be written into this picture. Draw a box around what is to be seen."
