"""Hands a visitor's uploads to the events of a Gradio page, as files that no path leads to.

It knows nothing about the page, or what is done with a file. Gradio's own way takes a path from the client, copies,
downloads and keeps what lies there; here the client names a word, and Gradio never sees a file.
"""

import atexit
import base64
import binascii
import io
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

import gradio as gr
import gradio.routes

from psmooth.interface.uploads import Upload, Uploads
from psmooth.interface.visitors import address_of
from psmooth.scans.apart import reading_for
from psmooth.schemas import in_words
from psmooth.views import UNEXPECTED
from psmooth.views.locale import translate

FILES = (gr.File, gr.UploadButton)
log = logging.getLogger("psmooth.intake")
BEFORE_WORD = "/gradio_api/file="  # what a client puts before the word if it takes it for an address


@cache
def own_folder() -> str:
    """Give Gradio a folder of this process alone; the one it would take, /tmp/gradio, can belong to another user.

    No file of a visitor comes there; it goes when the process ends. Gradio reads the variable at each component, and
    has read it once when it was imported.
    """
    above = os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir()
    Path(above).mkdir(parents=True, exist_ok=True)
    folder = os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="psmooth-", dir=above)
    gradio.routes.__dict__["DEFAULT_TEMP_DIR"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class Intake(gr.Blocks):
    """A page whose events get an `Upload` for each file, or None.

    Attributes:
        uploads: the files that have come.
    """

    def __init__(self, uploads: Uploads, **options: Any) -> None:
        super().__init__(**options)
        self.uploads = uploads

    async def process_api(
        self, block_fn: Any, inputs: list[Any], state: Any = None, request: Any = None, *rest: Any, **named: Any
    ) -> dict[str, Any]:
        """As in Gradio, which would write the trace of an error to the log, with what the visitor sent in it.

        It would also keep what each component was given and has shown, pictures of a scan too, as long as the session.
        Whatever is read is read for the address that asks.
        """
        try:
            with _gone_on_failure(inputs), reading_for(address_of(request) if request else ""):
                return await super().process_api(block_fn, inputs, state, request, *rest, **named)
        except gr.Error as error:
            error.message = error.message.encode(errors="replace").decode()  # half a character fits into no answer
            error.print_exception = False
            raise
        except Exception as error:
            log.error("An event failed: %s.", type(error).__name__)
            raise gr.Error(translate(UNEXPECTED), print_exception=False) from None
        finally:
            if state is not None:
                state.config_values.clear()  # for links to a state of the page, which nobody can make here

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> list[Any]:
        """As in Gradio, which gets no file to see."""
        brought = self.brought(block_fn, inputs)
        unseen = [None if place in brought else _without_files(value) for place, value in enumerate(inputs)]
        _check_kinds(block_fn, unseen)
        values = await super().preprocess_data(block_fn, unseen, state, explicit_call)
        return [brought.get(place, value) for place, value in enumerate(values)]

    def brought(self, block_fn: Any, inputs: list[Any]) -> dict[int, Upload]:
        """The uploads among the inputs of an event, by their places, where they stand from now on."""
        places = [place for place, block in enumerate(block_fn.inputs[: len(inputs)]) if isinstance(block, FILES)]
        brought = {place: self.claim(inputs[place]) for place in places if inputs[place] is not None}
        for place, upload in brought.items():
            inputs[place] = upload
        return brought

    def claim(self, value: Any) -> Upload:
        """The upload that a client means: by the word it was told, alone or in Gradio's wrapping."""
        if isinstance(value, Upload):
            return value
        word = value.get("path") if isinstance(value, dict) else value
        return self.uploads.claim(word.rpartition(BEFORE_WORD)[2] if isinstance(word, str) else "")

    def holding_uploads(self) -> "Intake":
        """Let the queue hold the uploads of its events: with an event, however it ends, its files are gone."""
        queue: Any = self._queue
        queue.push = self._holding(queue.push)
        queue.send_message = _to_listeners(queue)
        return self

    def _holding(self, push: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def hold(body: Any, *rest: Any, **options: Any) -> Any:
            event = self.fns.get(body.fn_index)
            if event is not None and any(name == "unload" for _, name in event.targets):  # a page that closes tells it
                return False, "This event is not for asking.", "error"
            if event is not None and event.queue is False:  # its line of one, once it is long, is a full queue to all
                return False, "This event does not wait.", "error"
            if event is not None:
                self.brought(event, body.data)
            return await push(body, *rest, **options)

        return hold


def _to_listeners(queue: Any) -> Callable[[Any, Any], None]:
    """Messages of a session that was dropped meanwhile go nowhere; Gradio would print a trace, with its name in it."""
    send = queue.send_message

    def send_message(event: Any, message: Any) -> None:
        if event.session_hash in queue.pending_messages_per_session:
            send(event, message)

    return send_message


@contextmanager
def _gone_on_failure(inputs: list[Any]) -> Iterator[None]:
    """Let go of the uploads of an event that fails: its error and the frames it went through hold each other."""
    try:
        yield
    except BaseException:
        for value in inputs:
            if isinstance(value, Upload):
                value.drop()
        raise


def _check_kinds(block_fn: Any, inputs: list[Any]) -> None:
    """Refuse in a sentence what is no number or no text where one is read; Gradio would fail at it, or pass it on."""
    names = [*signature(block_fn.fn).parameters] if block_fn.fn else []
    for place, (block, value) in enumerate(zip(block_fn.inputs, inputs, strict=False)):
        kind = _kind_of(block)
        if kind is None or (value is None and not block.value) or _is_of(value, kind):
            continue
        told = {"name": names[place] if len(names) == len(block_fn.inputs) else block.label, "value": in_words(value)}
        if kind is float:
            raise gr.Error(translate("{name} is {value}; it must be a number.", **told), print_exception=False)
        raise gr.Error(translate("{name} is {value}; it must be a text.", **told), print_exception=False)


def _kind_of(block: Any) -> type | None:
    """What a component reads, if that is numbers alone, or texts."""
    if isinstance(block, gr.Number | gr.Slider):
        return float
    if isinstance(block, gr.Textbox):
        return str
    kinds = {type(value) for _, value in block.choices} if isinstance(block, gr.Dropdown | gr.Radio) else set()
    return str if kinds == {str} else float if kinds and kinds <= {int, float} else None


def _is_of(value: Any, kind: type) -> bool:
    """JSON gives these very types; true is no number, and nor is what JSON does not have but Python reads."""
    return type(value) is str if kind is str else type(value) in (int, float) and abs(value) <= sys.float_info.max


def _without_files(value: Any) -> Any:
    """The value of any other input; Gradio would fetch a file for it, from an address too."""
    if _holds_file(value):
        raise gr.Error(
            translate("A file stands where none is read. Upload it, and give it to the input for files."),
            print_exception=False,
        )
    return value


def _holds_file(value: Any) -> bool:
    if isinstance(value, dict):
        return ("path" in value and "meta" in value) or any(_holds_file(part) for part in value.values())
    return isinstance(value, list | tuple) and any(_holds_file(part) for part in value)


def take_tool_files(uploads: Uploads) -> None:
    """Let tools of the Model Context Protocol bring their files here too: in base64, or by an upload's address.

    Gradio has no other place for this: it makes its server by this name, and saves the files under their hashes.
    """
    import gradio.mcp  # an extra: there only where it was asked for

    class Tools(gradio.mcp.GradioMCPServer):
        """As in Gradio, without files on the disk and without fetching."""

        def convert_strings_to_filedata(self, value: Any, filedata_positions: list[list[str | int]]) -> Any:
            """The arguments of a tool, with a word in place of each file."""
            files = [place[0] for place in filedata_positions if len(place) == 1]
            return {name: _word(uploads, one) if name in files else one for name, one in value.items()}

    gradio.mcp.GradioMCPServer = Tools
    logging.getLogger("mcp").setLevel(logging.CRITICAL)  # of a call that cannot be read it logs traces and arguments,
    logging.getLogger().addFilter(_without_values)  # and some under no name


def _without_values(record: logging.LogRecord) -> bool:
    """Keeps a line that was logged under no name, but not what it says: that may be a visitor's words."""
    record.msg, record.args, record.exc_info = "A call of a tool could not be read.", (), None
    return True


def _word(uploads: Uploads, given: Any) -> Any:
    """The word of a file in base64, which is kept with it; anything else is taken for a word or its address."""
    if not isinstance(given, str) or not given.startswith("data:"):
        return given
    try:
        content = base64.b64decode(given.partition(",")[2], validate=True)
    except binascii.Error:
        return ""
    return uploads.keep(io.BytesIO(content), len(content))
