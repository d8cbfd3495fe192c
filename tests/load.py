"""Sends visitors to a server of its own, as they come: ``python -m tests.load [VISITORS] [SECONDS] [--hostile]``.

It knows nothing about what the page looks like. A visitor opens the page, brings an example or a scan, presses Certify,
and stops, leaves or waits; every fourth is a program. Counted are runs that ended with a certificate or an abstention,
with a sentence, by hand, or not at all. Then ten times as many come at once and all press Stop. With ``--hostile`` some
beside them bring what is no scan, leave without a word and fill the line. With ``--lecture`` the visitors open the page
within a few seconds of each other, and nothing else; counted are the runs that this costs. It ends with an error where
a run was lost, where equally patient visitors were not served alike, or where the server's memory has grown.
"""

import argparse
import io
import json
import random
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx
import numpy as np
from PIL import Image

from tests.conftest import write_tiny_model
from tests.serving import Server, serve
from tests.soak import megabytes, named
from tests.visitor import Visitor, is_step

VOTES = 1_000  # as on the page when it opens
FAIR = 2.0  # most runs of a visitor who waits, over least
GROWN = 1.1  # median memory of the last third over that of the first
SETTLING = 0.2  # share of the time in which a new process still takes its memory
STEADY = ("example", "upload", "program")  # who waits for each run and asks again at once


@dataclass
class Tally:
    """What has come of the runs, by visitor; seconds from asking to the first votes and to the end."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: dict[str, int] = field(default_factory=dict)
    served: dict[int, int] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def note(self, number: int, kind: str, how: str, wait: float | None) -> None:
        """One run has ended."""
        with self.lock:
            self.ended[how] = self.ended.get(how, 0) + 1
            if how == "lost":
                self.lost.append(kind)
            if how == "certified" and kind in STEADY:
                self.served[number] = self.served.get(number, 0) + 1
            if how == "certified" and wait is not None:
                self.waits.append(wait)


def a_scan(seed: int) -> bytes:
    """A small picture that nobody else has."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


# --- one run


def end_of(visitor: Visitor, name: str, data: list[Any] | None, until: Callable[[int], bool]) -> str:
    """How a run ends: certified, refused (in a sentence), left by this visitor after some steps, or lost."""
    if not visitor.join(name, data).is_success:
        return "refused"
    steps = 0
    for message in visitor.listen():
        steps += is_step(message)
        if message["msg"] == "process_completed":
            return ending(message)
        if is_step(message) and until(steps):
            return "left"
    return "lost"


def ending(message: dict[str, Any]) -> str:
    """What the last message of a run says."""
    if not message["success"]:
        return "refused" if message["output"].get("error") else "lost"
    state: str = (message["output"]["data"][0] or {}).get("state", "lost")
    return {"abstained": "certified", "failed": "refused"}.get(state, state)


def asked_of_the_page(visitor: Visitor, scan: bytes | None, example: int) -> bool:
    """The clicks before a run; whether none of them was refused, by the server or in a sentence on the page."""
    brought = visitor.at_once("pick", event={"index": example}) if scan is None else bring(visitor, scan)
    if not brought.is_success or says_no(brought):
        return False
    begun = visitor.at_once("begin_asked")
    return begun.is_success and not says_no(begun)


def says_no(answer: httpx.Response) -> bool:
    """Whether the page says that something failed."""
    said = answer.json()["data"][0]
    return isinstance(said, dict) and said.get("state") == "failed"


def bring(visitor: Visitor, scan: bytes) -> httpx.Response:
    """Upload a scan as the page does."""
    return visitor.at_once("upload", [None, visitor.upload(scan), "blood_cells"])


def by_program(visitor: Visitor, scan: bytes) -> list[Any]:
    """What /certify is given."""
    data = visitor.usual("certify")
    data[0], data[6] = visitor.upload(scan), VOTES
    return data


# --- who comes


def visit(url: str, number: int, kind: str, until: float, tally: Tally) -> None:
    """One visitor from coming to going; a run that was begun is seen to its end."""
    chance = random.Random(number)
    with Visitor(url) as visitor, visitor.page_open():
        visitor.at_once("restore")
        while time.monotonic() < until:
            asked = time.monotonic()
            how = one_run(visitor, kind, chance)
            tally.note(number, kind, how, time.monotonic() - asked)
            if how == "refused":
                time.sleep(1.0)
            if kind == "leaves":
                return


def one_run(visitor: Visitor, kind: str, chance: random.Random) -> str:
    """A run as this kind of visitor asks for it."""
    try:
        scan = a_scan(chance.getrandbits(32)) if kind != "example" else None
        if kind == "program":
            return end_of(visitor, "certify", by_program(visitor, scan or b""), lambda _: False)
        if not asked_of_the_page(visitor, scan, chance.randrange(4)):
            return "refused"
        if kind == "stops":
            return end_of(visitor, "follow_certify_1", None, lambda steps: stop(visitor) if steps == 1 else False)
        return end_of(visitor, "follow_certify_1", None, lambda steps: kind == "leaves" and steps > 1)
    except (httpx.HTTPError, StopIteration):
        return "lost"


def stop(visitor: Visitor) -> bool:
    """Press Stop, and see what comes of it."""
    visitor.at_once("stop_certify")
    return False


def hostile(server: Server, until: float) -> None:
    """Small attacks, one after the other: each is refused or comes to nothing, and the others do not feel it."""
    attacks = (path_as_scan, icon_of_any_size, long_template, no_picture, abandoned, nobody_listens)
    for number in range(10**6):
        if time.monotonic() >= until:
            return
        with Visitor(server.url) as visitor:
            try:
                attacks[number % len(attacks)](visitor)
            except httpx.HTTPError:
                continue
            finally:
                time.sleep(0.2)


def path_as_scan(visitor: Visitor) -> None:
    """A file of the page's own."""
    data = visitor.usual("certify")
    data[0] = {"path": str(Path("assets/page/page.js").resolve()), "meta": {"_type": "gradio.FileData"}}
    visitor.join("certify", data)


def icon_of_any_size(visitor: Visitor) -> None:
    """A picture that would be drawn as large as asked for."""
    visitor.web.get(f"{str(visitor.web.base_url).rsplit('/', 2)[0]}/pwa_icon/2000")


def long_template(visitor: Visitor) -> None:
    """Forty kilobytes for a tokenizer."""
    data = by_program(visitor, a_scan(1))
    data[2:5] = ["own", "a; b", "x " * 20_000 + "{}"]
    visitor.join("certify", data)


def no_picture(visitor: Visitor) -> None:
    """Bytes that are none."""
    bring(visitor, b"\x89PNG" + bytes(1_000))


def abandoned(visitor: Visitor) -> None:
    """A scan, and nobody who stays."""
    bring(visitor, a_scan(random.getrandbits(32)))


def nobody_listens(visitor: Visitor) -> None:
    """Many runs, and nobody who hears of them."""
    for _ in range(5):
        visitor.join("certify", by_program(visitor, a_scan(random.getrandbits(32))))


# --- a lecture hall


def opened(url: str) -> str | None:
    """The seed of the run that the page opens with, seen to its end; None where it was lost."""
    with Visitor(url) as visitor, visitor.page_open():
        visitor.at_once("restore")
        visitor.at_once("begin_first")
        visitor.join("follow_certify")
        for message in visitor.listen():
            if message["msg"] == "process_completed" and message["success"]:
                return json.loads(message["output"]["data"][0]["certificate"])["seed"]
    return None


def lecture(url: str, count: int) -> tuple[list[str | None], list[float]]:
    """Many open the page: the seeds of what they were shown, and the seconds from opening to the end of that run."""
    seeds, waits = list[str | None](), list[float]()

    def one() -> None:
        asked = time.monotonic()
        seeds.append(opened(url))
        waits.append(time.monotonic() - asked)

    if not together([one] * count, 60 + count):
        seeds.append(None)
    return seeds, waits


# --- the whole


def kinds(count: int) -> list[str]:
    """Of eight visitors five wait, one is a program that waits, one stops, one leaves."""
    usual = ("example", "upload", "program", "example", "stops", "upload", "example", "leaves")
    return [usual[number % len(usual)] for number in range(count)]


def together(runs: list[Callable[[], None]], patience: float) -> bool:
    """All of them at once; whether all came to an end in time."""
    threads = [threading.Thread(target=run, daemon=True) for run in runs]
    for thread in threads:
        thread.start()
        time.sleep(0.02)
    until = time.monotonic() + patience
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def watch(process: int, until: float, memory: list[float]) -> None:
    """The server's memory, twice a second."""
    while time.monotonic() < until:
        memory.append(megabytes(process))
        time.sleep(0.5)


def stop_all(url: str, count: int, tally: Tally) -> bool:
    """Many come, ask for a long run, and press Stop."""

    def one(number: int) -> None:
        with Visitor(url) as visitor, visitor.page_open():
            visitor.at_once("restore")
            tally.note(-number, "stops", one_run(visitor, "stops", random.Random(number)), None)

    return together([lambda number=number: one(number) for number in range(1, count + 1)], 60 + count)


def judge(tally: Tally, memory: list[float], all_ended: bool) -> list[str]:
    """What went wrong."""
    wrong = [] if all_ended else ["some visitors were still waiting at the end"]
    if tally.lost:
        wrong.append(f"{len(tally.lost)} runs were lost")
    counts = list(tally.served.values())
    if not counts:
        wrong.append("nobody was served")
    elif max(counts) > FAIR * max(1, min(counts)):
        wrong.append(f"served unfairly: between {min(counts)} and {max(counts)} runs")
    third = len(memory) // 3
    if third and median(memory[-third:]) > GROWN * median(memory[:third]):
        wrong.append(f"memory has grown from {median(memory[:third]):.0f} to {median(memory[-third:]):.0f} MB")
    return wrong


def main() -> None:
    """Serve, visit, count, judge."""
    reader = argparse.ArgumentParser(prog="tests.load")
    reader.add_argument("visitors", type=int, nargs="?", default=20)
    reader.add_argument("seconds", type=int, nargs="?", default=600)
    reader.add_argument("--hostile", action="store_true")
    reader.add_argument("--lecture", action="store_true")
    asked = reader.parse_args()
    if asked.lecture:
        tell_lecture(asked.visitors)
        return
    with tempfile.TemporaryDirectory() as folder:
        server = serve(f"local-dir:{write_tiny_model(Path(folder))}")
        if wrong := run(server, asked.visitors, asked.seconds, asked.hostile):
            raise SystemExit(f"Failed: {'; '.join(wrong)}.")


def tell_lecture(count: int) -> None:
    """On the page as it ships; all of them are to be shown one run."""
    seeds, waits = lecture(serve("pocket").url, count)
    print(f"{count} opened the page and were shown {len(set(seeds))} runs; seconds from opening to its end: ", end="")
    print(f"median {median(waits):.1f}, longest {max(waits):.1f}")
    if None in seeds or len(set(seeds)) > 1:
        raise SystemExit("Failed: a run was lost, or there was more than one.")


def run(server: Server, count: int, seconds: int, with_attacks: bool) -> list[str]:
    """All visitors, then all who stop; what went wrong."""
    tally, memory, begun = Tally(), [], time.monotonic()
    until = begun + seconds
    runs: list[Callable[[], None]] = [
        lambda number=number, kind=kind: visit(server.url, number, kind, until, tally)
        for number, kind in enumerate(kinds(count))
    ]
    runs += [lambda: hostile(server, until)] * with_attacks
    watching = threading.Thread(target=watch, args=(named("app.launch"), until, memory), daemon=True)
    watching.start()
    all_ended = together(runs, seconds + 120)
    memory = memory[int(SETTLING * len(memory)) :]
    waits = quantiles(tally.waits, n=20) if len(tally.waits) > 1 else [0.0] * 19
    print(f"{count} visitors, {seconds} s: {tally.ended}; runs a patient visitor: {sorted(tally.served.values())}")
    print(f"from asking to the end: median {median(tally.waits or [0.0]):.1f} s, 95th percentile {waits[-1]:.1f} s")
    print(f"memory, first and last: {memory[:1]} and {memory[-1:]} MB")
    stopping = Tally()
    all_stopped = stop_all(server.url, 10 * count, stopping)
    print(f"{10 * count} who all press Stop: {stopping.ended}")
    tally.lost += stopping.lost
    wrong = judge(tally, memory, all_ended and all_stopped)
    if "Traceback" in (log := server.output.read_text("utf-8")):
        wrong.append(f"{log.count('Traceback')} traces are in the log")
    return wrong


if __name__ == "__main__":
    main()
