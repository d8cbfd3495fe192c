"""Reads a file in a process of its own, so that nothing that stands in one can stop, exhaust or end this one.

It knows nothing about what the file holds. Run as a program it is that process: it reads one file after another from
its standard input and writes what it made of each to its standard output, until there is no more input.
"""

import atexit
import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from typing import IO, Any, Final

import numpy as np

from psmooth.errors import ScanError, rebuilt
from psmooth.scans.scan import Offer, Scan, Window

SECONDS: Final = 5  # of the processor, for one file
_PATIENCE: Final = 30.0  # seconds by the clock, on a computer that is busy, or that has no limits for a process
MOST_MEMORY: Final = 3 * 2**30  # bytes of addresses, of which libraries take a part without using it
_AT_ONCE: Final = 2  # processes
COMMAND: Final = [sys.executable, "-W", "ignore", "-m", "psmooth.scans.apart"]  # whatever PYTHONWARNINGS says
_HEAD: Final = struct.Struct("<QQ")  # bytes that follow, and a number that goes with them

_turns = threading.BoundedSemaphore(_AT_ONCE)
_lock = threading.Lock()
_idle: list["subprocess.Popen[bytes]"] = []


def read_apart(data: bytes, frame: int | None = None) -> Scan:
    """What `read_dicom` makes of a file, within `SECONDS` and `MOST_MEMORY`.

    Raises:
        ScanError: as `read_dicom`, or the file is damaged, took too long or too much memory, or no process starts.
    """
    with _reader() as process:
        head, values = _asked(process, data, frame or 0)
    if "refused" in head:
        raise rebuilt(ScanError, head["refused"], head["values"])
    offers = tuple(Offer(one["name"], Window(**one["window"])) for one in head.pop("offers"))
    array = np.frombuffer(values, head.pop("dtype")).reshape(head.pop("shape"))
    return Scan(values=array, offers=offers, notes=tuple(head.pop("notes")), **head)


@contextmanager
def _reader() -> Any:
    """A process that waits for a file; it is used again unless something went wrong."""
    with _turns:
        with _lock:
            process = _idle.pop() if _idle else None
        if process is not None and process.poll() is not None:
            _end(process)
            process = None
        process = process or _begun()
        try:
            yield process
        except BaseException:
            _end(process)
            raise
        with _lock:
            _idle.append(process)


def _begun() -> "subprocess.Popen[bytes]":
    path = os.pathsep.join(str(one) for one in sys.path if one)  # a notebook may have put a `Path` there
    environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
    try:
        return subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
    except OSError:
        raise _not_begun() from None


def _not_begun() -> ScanError:
    return ScanError(
        "DICOM files cannot be read at the moment: the process that reads them does not start. Try again later, or "
        "export the picture as PNG."
    )


def _asked(process: "subprocess.Popen[bytes]", data: bytes, frame: int) -> tuple[dict[str, Any], bytes]:
    """The answer of a process that is ended if it takes too long."""
    assert process.stdin
    assert process.stdout
    try:
        _exactly(process.stdout, 1)  # it has begun: what its start takes is not the file's fault
    except EOFError:
        raise _not_begun() from None
    late = threading.Timer(_PATIENCE, process.kill)
    late.start()
    try:
        process.stdin.write(_HEAD.pack(len(data), frame) + data)
        process.stdin.flush()
        length, more = _HEAD.unpack(_exactly(process.stdout, _HEAD.size))
        return json.loads(_exactly(process.stdout, length)), _exactly(process.stdout, more)
    except (OSError, EOFError):
        raise ScanError(
            "This file takes too long or too much memory to read: it is damaged, or of a rare kind. Open it in a "
            "viewer and export the picture as PNG."
        ) from None
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


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


# --- the process itself


def serve(incoming: IO[bytes], outgoing: IO[bytes], read: Callable[[bytes, int | None], Scan]) -> None:
    """Read files until there are no more."""
    while True:
        outgoing.write(b".")
        outgoing.flush()
        head = incoming.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        length, frame = _HEAD.unpack(head)
        _bound_time()
        told, values = _answer(incoming.read(length), frame or None, read)
        text = json.dumps(told).encode()
        outgoing.write(_HEAD.pack(len(text), len(values)) + text)
        outgoing.write(values)
        outgoing.flush()


def _answer(
    data: bytes, frame: int | None, read: Callable[[bytes, int | None], Scan]
) -> tuple[dict[str, Any], memoryview | bytes]:
    """Facts and values of a scan, or the sentence that refuses it."""
    try:
        scan = read(data, frame)
    except ScanError as error:
        return _refusal(error)
    except MemoryError:  # what a decoder left behind would be missing for the next file: this process ends
        raise
    except Exception:  # a damaged file may raise anything, and the words may quote it: they are not passed on
        return _refusal(
            ScanError(
                "This DICOM file is cut short, damaged or of a rare kind. Copy it again, or open it in a viewer and "
                "export the picture as PNG."
            )
        )
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
    with suppress(ImportError, OSError, ValueError):  # Windows has no such limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))


def _bound_time() -> None:
    """From now on: the system ends this process when its time is over."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        end = int(used.ru_utime + used.ru_stime) + SECONDS + 1
        resource.setrlimit(resource.RLIMIT_CPU, (end, resource.getrlimit(resource.RLIMIT_CPU)[1]))


if __name__ == "__main__":
    answers = _own_output()
    from psmooth.scans.dicom import read_dicom

    _bound_memory()
    serve(sys.stdin.buffer, answers, read_dicom)
