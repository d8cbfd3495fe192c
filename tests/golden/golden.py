"""Holds what psmooth says against what it said before: recorded as JSON, with what differs from run to run left out.

It knows nothing about psmooth but the names of a few values that are new each time.

``PSMOOTH_RECORD=1 python -m pytest tests/golden`` writes the recordings anew: a change of them is a change of what
users rely on, and belongs into the changelog.
"""

import base64
import io
import json
import os
import re
from pathlib import Path
from typing import Any

from PIL import Image

FOLDER = Path(__file__).parent / "recordings"
# New with each run, or with the machine that it runs on.
CHANGING = frozenset(
    {"seed", "created", "time", "versions", "device", "batch_size", "threads", "sha256", "model_revision", "revision"}
    | {"file", "path"}
)
PICTURE = re.compile(r"data:(image/\w+);base64,([A-Za-z0-9+/=]+)")
PATTERNS = (
    (re.compile(r"\b[0-9a-f]{32,64}\b"), "<hex>"),
    (re.compile(r"\b[0-9a-f]{16}…"), "<hex>…"),
    (re.compile(r"\b[0-9a-f]{12}\b(?=/)"), "<stamp>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?"), "<time>"),
    (re.compile(r"[\d.,]+ s ·[\d,. ]+votes/s"), "<seconds> · <speed>"),
    (re.compile(r'("batch_size": )\d+'), r"\1<int>"),  # in the text of a certificate file
    (re.compile(r"/[^\s'\",;]*pytest-\d+(/popen-gw\d+)?/[^/\s'\",;]+"), "<folder>"),
)


def held(name: str, said: Any) -> None:
    """Raise AssertionError unless it is what was said when it was recorded."""
    file, now = FOLDER / f"{name}.json", json.dumps(steady(said), ensure_ascii=False, indent=1) + "\n"
    if os.environ.get("PSMOOTH_RECORD"):
        FOLDER.mkdir(exist_ok=True)
        file.write_text(now, "utf-8")
    assert _short(json.loads(now)) == _short(json.loads(file.read_text("utf-8")))


def _short(value: Any) -> Any:
    """The same with 12 digits of every number: sums over a picture differ in the 16th from processor to processor."""
    if isinstance(value, dict):
        return {key: _short(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_short(one) for one in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value


def steady(value: Any, name: str = "") -> Any:
    """The same without what is new each time: kinds in the place of values, and sizes in that of pictures."""
    if name in CHANGING and value is not None:
        return f"<{type(value).__name__}>"
    if name == "line" and isinstance(value, str):  # seconds and votes a second among them
        return re.sub(r"\d([\d.,\u00a0\u202f]*\d)?", "#", value)
    if isinstance(value, dict):
        return {key: steady(one, key) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [steady(one) for one in value]
    return _without_the_new(value) if isinstance(value, str) else value


def _without_the_new(text: str) -> str:
    text = PICTURE.sub(_size, text)
    for pattern, instead in PATTERNS:
        text = pattern.sub(instead, text)
    return text


def _size(found: re.Match[str]) -> str:
    with Image.open(io.BytesIO(base64.b64decode(found[2]))) as picture:
        return f"<{found[1]} of {picture.width} × {picture.height}>"
