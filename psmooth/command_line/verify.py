"""`psmooth verify`: recomputes a certificate from its counts and, with the scan, runs its votes again.

It knows nothing about how that is done.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from psmooth.command_line.cli import CHECK_FAILED
from psmooth.command_line.options import Bank, Device, Json, open_file, read_banks
from psmooth.command_line.terminal import json_text, show, show_json, telling_download
from psmooth.errors import CertificateError, ScanError

if TYPE_CHECKING:
    from psmooth.certificate import Abstention, Certificate, Run, Verification
    from psmooth.scans import Scan
    from psmooth.schemas import Problem
    from psmooth.smoothing import Replay


def verify(
    certificate: Annotated[Path, typer.Argument(help="A certificate file.", show_default=False)],
    scan: Annotated[Path | None, typer.Option(help="Its scan: run the sampling again from the recorded seed.")] = None,
    series: Annotated[int | None, typer.Option(help="Of the scan, if it is another one than recorded.")] = None,
    frame: Annotated[int | None, typer.Option(help="Of the scan, if it is another one than recorded.")] = None,
    bank: Bank = None,
    denoiser: Annotated[
        Path | None, typer.Option(help="The denoiser instead of the one that ships: a file of `learn denoiser`.")
    ] = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Recompute a certificate from its counts and, with the scan, run its votes again and conclude from those."""
    from psmooth.certificate import verify as check

    found = check(certificate)
    for field, sentence in found.problems:
        if field == "file":  # not a certificate at all: nothing was checked
            raise CertificateError("{problem}", problem=sentence)
    replayed = None
    if found.certificate and scan:
        opened = _recorded_picture(found.certificate.run, scan, frame, series)
        replayed = _replay(found.certificate, opened, device, bank, denoiser)
    passed = found.ok and (replayed is None or replayed.ok)
    if as_json:
        show_json(json_text(_verification_facts(found, replayed)))
    else:
        show(_verification_lines(found, replayed))
    raise typer.Exit(0 if passed else CHECK_FAILED)


def _recorded_picture(run: "Run", scan: Path, frame: int | None, series: int | None) -> "Scan":
    """The picture of the certificate by its place, or the one picture there is: its sha256 decides."""
    facts = run.preprocessing
    wanted = facts.get("frame") if frame is None else frame
    among = facts.get("series") if series is None else series
    try:
        found = open_file(scan, wanted, among, facts.get("plane"), facts.get("region"))
        return found if (frame, series) == (None, None) else replace(found, frame=1, frames=1)  # as one that is alone
    except ScanError:
        if (alone := open_file(scan)).frames > 1:
            raise
        return alone


def _replay(
    record: "Certificate | Abstention", opened: "Scan", device: str | None, bank: str | None, denoiser: Path | None
) -> "Replay":
    from psmooth.smoothing import replay

    with telling_download(record.run.model["id"]) as download:
        own = None if denoiser is None else str(denoiser)
        return replay(record, opened, device=device, banks=read_banks(bank), denoiser=own, download=download)


def _verification_facts(found: "Verification", replayed: "Replay | None") -> dict[str, Any]:
    return {
        "ok": found.ok and (replayed is None or replayed.ok),
        "problems": _problem_rows(found.problems),
        **_conclusion_facts(found.certificate),
        "replay": None if replayed is None else _replay_facts(replayed),
        "not_shown": list(_not_shown(replayed)),
    }


def _conclusion_facts(record: "Certificate | Abstention | None") -> dict[str, Any]:
    """What a record concludes; its kind of guarantee stands beside its radius."""
    names = ("verdict", "predicted", "radius", "guarantee")
    return {name: getattr(record, name, None) for name in names}


def _replay_facts(replayed: "Replay") -> dict[str, Any]:
    return {
        "ok": replayed.ok,
        "problems": _problem_rows(replayed.problems),
        **_conclusion_facts(replayed.confirmed),
        "counts": dict(zip(replayed.confirmed.run.class_ids, replayed.counts, strict=True)),
        "compared": replayed.compared,
        "differing": replayed.differing,
    }


def _problem_rows(problems: "Iterable[Problem]") -> list[dict[str, str]]:
    return [{"field": field, "sentence": sentence} for field, sentence in problems]


def _not_shown(replayed: "Replay | None") -> Iterator[str]:
    """What the check leaves open."""
    from psmooth.certificate import NOT_SHOWN

    if replayed is None:
        yield "that these votes were cast on this scan by this model with these prompts: --scan draws them again"
    yield from (words for words, _ in NOT_SHOWN)


def _verification_lines(found: "Verification", replayed: "Replay | None") -> Iterator[str]:
    if found.certificate is None:
        yield from (sentence for _, sentence in found.problems)
        return
    yield "The certificate agrees with itself: bounds and radius follow from its counts."
    if replayed is None:
        yield from _conclusion_lines(found.certificate)
    else:
        yield from _replay_lines(found.certificate, replayed)
    yield f"Not shown by this check: {'; '.join(_not_shown(replayed))}."


def _replay_lines(record: "Certificate | Abstention", replayed: "Replay") -> Iterator[str]:
    yield f"{replayed.differing:,} of {replayed.compared:,} votes drawn again differ from the record."
    if replayed.ok:
        yield _agreement(record, replayed.confirmed)
        yield from _conclusion_lines(replayed.confirmed)
        return
    yield "The record is not confirmed:"
    yield from (sentence for _, sentence in replayed.problems)
    yield "What the votes drawn here say instead, if everything else in the record is right:"
    yield from _conclusion_lines(replayed.confirmed)


def _agreement(record: "Certificate | Abstention", confirmed: "Certificate | Abstention") -> str:
    """How a record stands to its replay, which another machine's votes may make the stronger one."""
    from psmooth.certificate import TOLERANCE
    from psmooth.views import radius_text

    stated, found = (getattr(one, "radius", 0.0) for one in (record, confirmed))
    if found <= stated + TOLERANCE:
        return "The votes drawn again confirm it:"
    claim = f"states the radius {radius_text(stated)}" if stated else "abstained"
    return f"The record {claim} and so claims no more than is confirmed. The votes drawn here would certify more:"


def _conclusion_lines(record: "Certificate | Abstention") -> Iterator[str]:
    """Verdict, sentence, and the kind of guarantee wherever there is a radius."""
    from psmooth import views

    yield views.verdict_sentence(record)
    yield views.sentence(record)
    yield from _prompt_lines(record)
    if record.verdict == "certified":
        yield ": ".join(views.guarantee_words_of(record))
    yield from filter(None, [views.encoder_sentence(record.run), views.doubt(record.run)])


def _prompt_lines(record: "Certificate | Abstention") -> Iterator[str]:
    """The whole prompts of the answer to a question of one's own: votes do not tell which words are the class name."""
    from psmooth.tasks import TASKS
    from psmooth.views import name_of

    run = record.run
    if run.task not in TASKS and run.bank is None:
        name = name_of(run, record.leader)
        yield f"Asked as: {'; '.join(template.replace('{}', name) for template in run.templates)}"
