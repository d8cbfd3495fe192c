"""Reads a file in a process of its own, so that nothing that stands in one can stop, exhaust or end this one.

It knows nothing about what the file holds. Run as a program it is that process: it reads one file after another from
its standard input and writes what it made of each to its standard output, until there is no more input.
"""

import atexit
import json
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import asdict, fields
from functools import partial
from importlib import import_module
from typing import IO, Any, Final
from weakref import WeakValueDictionary

import numpy as np

from psmooth.errors import ScanError, rebuilt
from psmooth.scans.scan import Header, Offer, Scan, Window

SECONDS: Final = 4  # of the processor, for one file
_START: Final = 60.0  # seconds by the clock, for a process to begin
_PATIENCE: Final = 30.0  # seconds by the clock, on a computer that is busy, or that has no limits for a process
MOST_MEMORY: Final = 3 * 2**30  # bytes of addresses, of which libraries take a part without using it
_AT_ONCE: Final = 2  # processes
COMMAND: Final = [sys.executable, "-W", "ignore", "-m", "psmooth.scans.apart"]  # whatever PYTHONWARNINGS says
_INHERITED: Final = (  # of the environment: what Python needs to start, and nothing that may be a secret
    "PATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG",
    "LC_ALL",
)  # fmt: skip
_HEAD: Final = struct.Struct("<QQ")  # bytes of words that follow, and of a file or of values
READERS: Final = {
    "DICOM header": ("psmooth.scans.dicom_header", "read_header"),
    "NIfTI": ("psmooth.scans.nifti", "read_nifti"),
    "slide": ("psmooth.scans.slides", "read_slide"),
    "TIFF": ("psmooth.scans.tiff", "read_tiff"),
}  # each takes the bytes of a file and options, and gives a `Scan` or a `Header`; DICOM, see `_opened`
_SAME: Final = ""  # in the place of a format: another picture of the file before

_turns = threading.BoundedSemaphore(_AT_ONCE)
_lock = threading.Lock()
_idle: list["subprocess.Popen[bytes]"] = []
_reader_for: ContextVar[str] = ContextVar("reader_for", default="")
_own_turns: WeakValueDictionary[str, threading.Semaphore] = WeakValueDictionary()  # while anybody waits or reads


@contextmanager
def reading_for(address: str) -> Iterator[None]:
    """What is read meanwhile is read for that visitor, who has one process at a time: nobody ever has all of them."""
    before = _reader_for.set(address)
    try:
        yield
    finally:
        _reader_for.reset(before)


def _own_turn() -> AbstractContextManager[Any]:
    """Waited for before the turn of all, so that of one visitor one file alone stands in that line."""
    if not (address := _reader_for.get()):
        return nullcontext()
    with _lock:
        return _own_turns.setdefault(address, threading.Semaphore())


def read_apart(data: bytes, file_format: str, **options: Any) -> Scan:
    """What the reader of that name makes of a file, within `SECONDS` and `MOST_MEMORY`.

    Raises:
        ScanError: as the reader, or the file is damaged, took too long or too much memory, or no process starts.
    """
    with _reader(file_format) as process:
        answer = _asked(process, file_format, data, options)
    return _scan_of(*answer)


def read_frames_apart(
    data: bytes, numbers: Iterable[int], file_format: str, **options: Any
) -> Generator[Scan | None, None, None]:
    """Frames of one file, counted from 1; it is handed over once. None stands for one that cannot be read.

    Whoever wants no more of them lets ``numbers`` end, or closes this: until then a process is held.
    """
    with _reader(file_format) as process:
        for place, number in enumerate(numbers):
            given = (_SAME, b"") if place else (file_format, data)
            try:
                yield _scan_of(*_asked(process, *given, {**options, "frame": number}))
            except ScanError:
                yield None


def _scan_of(head: dict[str, Any], values: bytes) -> Scan:
    if "refused" in head:
        raise rebuilt(ScanError, head["refused"], head["values"])
    offers = tuple(Offer(one["name"], Window(**one["window"])) for one in head.pop("offers"))
    array = np.frombuffer(values, head.pop("dtype")).reshape(head.pop("shape"))
    notes, region = tuple(head.pop("notes")), head.pop("region")
    return Scan(values=array, offers=offers, notes=notes, region=region and tuple(region), **head)


def header_apart(data: bytes) -> Header:
    """What `read_header` makes of a file or of its beginning. Raises ScanError, as `read_apart`."""
    with _reader("DICOM") as process:
        told, _ = _asked(process, "DICOM header", data, {})
    if "refused" in told:
        raise rebuilt(ScanError, told["refused"], told["values"])
    position, orientation = (tuple(told.pop(name)) for name in ("position", "orientation"))
    return Header(position=position, orientation=orientation, **told)


@contextmanager
def _reader(file_format: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that waits for a file; it is used again unless something went wrong."""
    with _own_turn(), _turns:
        with _lock:
            process = _idle.pop() if _idle else None
        if process is not None and process.poll() is not None:
            _end(process)
            process = None
        process = process or _begun(file_format)
        try:
            yield process
        except BaseException:
            _end(process)
            raise
        if not _forgets(process):
            _end(process)
            return
        with _lock:
            _idle.append(process)


def _forgets(process: "subprocess.Popen[bytes]") -> bool:
    """Whether a process has let go of its file; one that took too long for a frame was ended."""
    try:
        _await(process)
        _ask(process, b"", b"")
    except (OSError, EOFError):
        return False
    return True


def start_ahead() -> None:
    """Have a process ready for the first file, which then need not wait for its start."""
    with suppress(ScanError):  # said to whoever brings a file
        process = _begun("DICOM")
        with _lock:
            _idle.append(process)


def _begun(file_format: str) -> "subprocess.Popen[bytes]":
    path = os.pathsep.join(str(one) for one in sys.path if one)  # a notebook may have put a `Path` there
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment = {**inherited, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
    try:
        return subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
    except OSError:
        raise _not_begun(file_format) from None


def _not_begun(file_format: str) -> ScanError:
    return ScanError(
        "{file_format} files cannot be read at the moment: the process that reads them does not start. Try again "
        "later, or export the picture as PNG.",
        file_format=file_format,
    )


def _asked(
    process: "subprocess.Popen[bytes]", file_format: str, data: bytes, options: dict[str, Any]
) -> tuple[dict[str, Any], bytes]:
    """The answer of a process that is ended if it takes too long."""
    assert process.stdout
    try:
        _await(process)
    except EOFError:
        raise _not_begun(file_format) from None
    try:
        with _ended_after(_PATIENCE, process):
            _ask(process, json.dumps([file_format, options]).encode(), data)
            length, more = _HEAD.unpack(_exactly(process.stdout, _HEAD.size))
            return json.loads(_exactly(process.stdout, length)), _exactly(process.stdout, more)
    except (OSError, EOFError):
        raise ScanError(
            "This file takes too long or too much memory to read: it is damaged, or of a rare kind. Open it in a "
            "viewer and export the picture as PNG."
        ) from None


def _await(process: "subprocess.Popen[bytes]") -> None:
    """Until it has begun and is idle: what that takes is not the file's fault."""
    assert process.stdout
    with _ended_after(_START, process):
        _exactly(process.stdout, 1)


def _ask(process: "subprocess.Popen[bytes]", words: bytes, data: bytes) -> None:
    """For a picture; no word at all has the file of that before forgotten."""
    assert process.stdin
    process.stdin.write(_HEAD.pack(len(words), len(data)) + words)
    process.stdin.write(data)
    process.stdin.flush()


@contextmanager
def _ended_after(seconds: float, process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """A process that has not done by then what is waited for here is ended."""
    late = threading.Timer(seconds, process.kill)
    late.start()
    try:
        yield
    finally:
        late.cancel()


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):  # what it had not read yet cannot be flushed any more
            assert pipe
            pipe.close()


def _end_all() -> None:
    with _lock:
        while _idle:
            _end(_idle.pop())


def _forget_all() -> None:
    """Those of a process that was forked are its parent's."""
    global _turns, _lock
    _turns, _lock = threading.BoundedSemaphore(_AT_ONCE), threading.Lock()
    _idle.clear()
    _own_turns.clear()


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


# --- the process itself


Read = Callable[..., Scan | Header]


def serve(incoming: IO[bytes], outgoing: IO[bytes], opened: Callable[[str, bytes], Read]) -> None:
    """Read pictures of files, until there are no more; ``opened`` makes of a format and a file what reads these."""
    read: Read | None = None

    def answer(file_format: str, data: bytes, options: dict[str, Any]) -> Scan | Header:
        nonlocal read
        read = read if file_format == _SAME else opened(file_format, data)
        assert read
        return read(**options)

    while True:
        outgoing.write(b".")
        outgoing.flush()
        head = incoming.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        words, length = _HEAD.unpack(head)
        if not words:
            read = None
            continue
        file_format, options = json.loads(incoming.read(words))
        _bound_time()
        _send(outgoing, *_answer(file_format, partial(answer, file_format, incoming.read(length), options)))


def _send(outgoing: IO[bytes], told: dict[str, Any], values: memoryview | bytes) -> None:
    """In a function of its own, so that a process that waits for the next file holds nothing of this one."""
    text = json.dumps(told).encode()
    outgoing.write(_HEAD.pack(len(text), len(values)) + text)
    outgoing.write(values)
    outgoing.flush()


def _opened(file_format: str, data: bytes) -> Read:
    """What reads the pictures of a file; a DICOM file is parsed once for all of them."""
    if file_format == "DICOM":
        dicom = import_module("psmooth.scans.dicom")
        return partial(dicom.read_frame, dicom.parse_dicom(data))
    module, name = READERS[file_format]  # imported when it is first asked for: most processes read files of one kind
    return partial(getattr(import_module(module), name), data)


def _answer(file_format: str, read: Callable[[], Scan | Header]) -> tuple[dict[str, Any], memoryview | bytes]:
    """Facts and values of a scan, the facts of a header, or the sentence that refuses it."""
    try:
        scan = read()
    except ScanError as error:
        return _refusal(error)
    except MemoryError:  # what a decoder left behind would be missing for the next file: this process ends
        raise
    except Exception:  # a damaged file may raise anything, and the words may quote it: they are not passed on
        return _refusal(
            ScanError(
                "This {file_format} file is cut short, damaged or of a rare kind. Copy it again, or open it in a "
                "viewer and export the picture as PNG.",
                file_format=file_format,
            )
        )
    if isinstance(scan, Header):
        return asdict(scan), b""
    told = {one.name: getattr(scan, one.name) for one in fields(scan) if one.name not in ("values", "offers")}
    told |= {"offers": [asdict(one) for one in scan.offers], "dtype": scan.values.dtype.str, "shape": scan.values.shape}
    return told, np.ascontiguousarray(scan.values).data.cast("B")


def _refusal(error: ScanError) -> tuple[dict[str, Any], bytes]:
    return {"refused": error.template, "values": error.values}, b""


def _own_output() -> IO[bytes]:
    """Standard output for answers alone: what a library prints goes where errors go, and not between them."""
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return outgoing


def _bound_memory() -> None:
    """And whatever a decoder does that crashes, no image of this memory, with a scan in it, is left on the disk."""
    with suppress(ImportError, OSError, ValueError):  # Windows has no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))


def _bound_time() -> None:
    """From now on: the system ends this process when its time is over."""
    with suppress(AttributeError):  # Windows has no such timer
        signal.setitimer(signal.ITIMER_PROF, SECONDS)


if __name__ == "__main__":
    answers = _own_output()
    import_module(
        "psmooth.scans.dicom"
    )  # before the first file: what its libraries take to start is not a file's fault
    _bound_memory()
    serve(sys.stdin.buffer, answers, _opened)
