"""Makes the table in docs/models.md anew from the registry of models: ``python docs/model_table.py``.

It knows nothing about what stands in a row.
"""

import re
from pathlib import Path

from psmooth.models import MODELS
from psmooth.models.formats import FORMATS
from psmooth.prompts import list_banks
from psmooth.views.model_table import model_table

PAGE = Path(__file__).resolve().parent / "models.md"


def main() -> None:
    """Put the table between its two marks."""
    made = f"<!-- models -->\n{model_table(list(MODELS.values()), list_banks(), FORMATS)}\n<!-- /models -->"
    text = re.sub("<!-- models -->.*<!-- /models -->", lambda _: made, PAGE.read_text("utf-8"), flags=re.S)
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
