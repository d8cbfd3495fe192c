"""Reads damaged scan files until as many are read as asked, and prints those that broke a promise.

It knows nothing about formats. ``python -m tests.fuzz COUNT [SEED [PROCESSES]]`` takes the small files of the corpus
and zips of them, changes each at random places, and reads it as a visitor's file is read: what comes must be a scan or
a sentence, within 5 seconds and 2 GB. Input number N of a seed is always the same: ``mutant(N, SEED)``.
"""

import io
import multiprocessing
import resource
import sys
import time
import zipfile
from collections import Counter
from contextlib import suppress
from functools import cache
from multiprocessing.synchronize import Event
from random import Random
from typing import Any

from psmooth.errors import PsmoothError
from psmooth.scans import list_series, open_scan
from psmooth.scans.apart import header_apart
from psmooth.scans.archive import read_archive
from psmooth.scans.signatures import is_dicom
from tests.corpus import drawn, packed, shipped, slides, volumes, written

LARGEST = 60_000  # bytes of a file that is changed: small ones are read faster, and are as odd
SECONDS, MEMORY = 5.0, 2 * 2**30
ENDED = "ended by the limits of the process that reads"  # of the processor's time, which is not the clock's
PATIENCE = 60.0  # seconds by the clock, after which a process is ended: on a busy computer reading is slower
LENGTHS = (b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80")


@cache
def corpus() -> list[bytes]:
    """The files that are read whole, and a zip of every five of them."""
    sources = (shipped(), drawn(), written(), packed(), volumes(), slides())
    small = (data for source in sources for _, data in source if len(data) <= LARGEST)
    files = [data for data in small if read(data) != "refused"]
    return files + [_zip(files[first : first + 5]) for first in range(0, len(files), 5)]


def _zip(files: list[bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, data in enumerate(files):
            archive.writestr(f"class {number % 3}/{number}.png", data)
    return out.getvalue()


def mutant(number: int, seed: int) -> bytes:
    """A file with one to sixteen damages, half of them where headers mostly stand, and one in eight cut short."""
    draw = Random(f"{seed} {number}")
    data = bytearray(draw.choice(corpus()))
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        _damage(data, draw, draw.randrange(min(len(data), draw.choice((256, 2_000, len(data))))))
    return bytes(data[: draw.randrange(len(data))] if draw.random() < 1 / 8 else data)


def _damage(data: bytearray, draw: Random, at: int) -> None:
    kind = draw.randrange(6)
    if kind == 0:
        data[at] ^= 1 << draw.randrange(8)
    elif kind == 1:
        data[at] = draw.choice((0, 1, 127, 128, 254, 255))
    elif kind == 2:
        data[at : at + 4] = draw.choice(LENGTHS)[: len(data) - at]
    elif kind == 3:
        data[at:at] = draw.randbytes(draw.randrange(1, 9))
    elif kind == 4 and len(data) > 20:
        del data[at : at + draw.randrange(1, 9)]
    else:  # a piece of the file stands somewhere else too
        start = draw.randrange(len(data))
        data[at : at + 16] = data[start : start + 16]


def read(data: bytes) -> str:
    """What became of a file, in a word; whatever is not psmooth's own refusal is raised."""
    with suppress(PsmoothError):  # as it is listed, alone or in a zip
        _ = list_series(data).open(1) if data.startswith(b"PK") else is_dicom(data) and header_apart(data)
    try:
        if data.startswith(b"PK"):
            return "a zip shown" if list(read_archive(io.BytesIO(data))) else "an empty zip"
        return f"shown: {open_scan(data).format}"
    except PsmoothError as error:
        return ENDED if "too long or too much memory" in str(error) else "refused"


def judged(number: int, seed: int) -> tuple[str, str]:
    """What became of an input, and the promise that it broke, if any: too slow is what is so twice."""
    data, outcome, begun = mutant(number, seed), "", 0.0
    for _ in range(2):
        begun = time.perf_counter()
        try:
            outcome = read(data)
        except Exception as error:
            return "raised", f"{type(error).__name__}: {error}"
        if outcome == ENDED or time.perf_counter() - begun <= SECONDS:
            break
    else:
        return outcome, f"{time.perf_counter() - begun:.1f} s"
    large = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 > MEMORY
    return outcome, "more than 2 GB" if large else ""


def work(numbers: range, seed: int, said: Any) -> None:
    """Tell the number of each input before it is read, and what became of it afterwards."""
    for number in numbers:
        said.send((number, None))
        said.send((number, judged(number, seed)))
    said.send(None)


def watch(numbers: range, seed: int, over: Event, told: Any) -> None:
    """Have a range read in processes of its own: a new one after each that crashed or hung."""
    left = numbers
    while left and not over.is_set():
        listener, said = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.Process(target=work, args=(left, seed, said))
        process.start()
        said.close()
        at = _follow(listener, left.start, told)
        process.kill()
        process.join()
        left = range(at + left.step, left.stop, left.step) if at >= 0 else range(0)
    told.put(None)


def _follow(listener: Any, at: int, told: Any) -> int:
    """The number at which a process crashed or hung; -1 once it is through."""
    try:
        while listener.poll(PATIENCE):
            if (heard := listener.recv()) is None:
                return -1
            at, outcome = heard
            if outcome is not None:
                told.put((at, *outcome))
        told.put((at, "hung", f"more than {PATIENCE:.0f} s"))
    except EOFError:
        told.put((at, "crashed", "the process is gone"))
    return at


def main(count: int, seed: int = 0, processes: int = 1) -> int:
    """Print each broken promise as it is found, then how many inputs became what; 1 if there was one."""
    corpus()
    told: Any = multiprocessing.Queue()
    over, seen, broken, begun = multiprocessing.Event(), Counter[str](), 0, time.perf_counter()
    watchers = [
        multiprocessing.Process(target=watch, args=(range(first, count, processes), seed, over, told))
        for first in range(processes)
    ]
    for one in watchers:
        one.start()
    working = processes
    while working:
        try:
            found = told.get()
        except KeyboardInterrupt:  # which the others have got too: what was read by then is told
            break
        if found is None:
            working -= 1
            continue
        number, outcome, promise = found
        seen[outcome] += 1
        if promise:
            broken += 1
            print(f"input {number} of seed {seed}: {outcome}, {promise}", flush=True)
    minutes = (time.perf_counter() - begun) / 60
    print(f"{seen.total():,} inputs in {minutes:.1f} min: " + ", ".join(f"{n:,} {what}" for what, n in seen.items()))
    print(f"{broken} broke a promise")
    return int(broken > 0)


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:4])))
