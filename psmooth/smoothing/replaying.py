"""Repeats a recorded run from its seed, and concludes anew from the votes that come of it.

It knows nothing about pages or words. What a replay cannot show is listed in `psmooth.certificate.NOT_SHOWN`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import floor, isclose
from typing import Any

import numpy as np

from psmooth.certificate import TOLERANCE, Abstention, Certificate, Run, State, Votes, conclude, states_of
from psmooth.denoise import MIRROR
from psmooth.errors import CertificateError
from psmooth.methods import METHODS
from psmooth.models import RUNTIMES, TORCH, MedVLM, denoiser_of, load_model, runtime_versions
from psmooth.noise import SCHEMES, Scheme
from psmooth.prompts import PromptBank
from psmooth.recognition import recognise
from psmooth.scans import Crop, CropRule, Scan, Window, crop_scan
from psmooth.schemas import Problem
from psmooth.smoothing.certification import drawn_votes, tuned
from psmooth.smoothing.contender import Contender, find_contenders
from psmooth.smoothing.provenance import run_facts, use_whole_float32
from psmooth.smoothing.request import Request
from psmooth.tasks import TASKS, Task, own_task

MOST_COPIES = 4_096  # at once
NEARLY = 0.02  # between a recorded distance of the scan check and the recomputed one
TOLERATED = 0.001  # share of votes that another machine may cast otherwise
_OF_TORCH = (TORCH, "tf32")


@dataclass(frozen=True)
class Replay:
    """What came of repeating a recorded run.

    Attributes:
        confirmed: what the votes that were drawn again certify: radius and class that this machine vouches for, with
            the kind of guarantee that the files here give.
        compared: votes drawn again, selection votes included.
        differing: how many of them differ from the record, at whichever recorded moment they differ most.
        problems: (field, sentence) for everything in the record that does not follow from the replay.
    """

    confirmed: Certificate | Abstention
    compared: int
    differing: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether the replay confirms what the record states."""
        return not self.problems

    @property
    def counts(self) -> tuple[int, ...]:
        """The estimation votes by class, drawn again."""
        return self.confirmed.votes.counts


def replay(
    record: Certificate | Abstention,
    scan: Scan | Crop,
    *,
    device: str | None = None,
    banks: Sequence[PromptBank] = (),
    denoiser: str | None = None,
    download: Callable[[int, int], None] | None = None,
) -> Replay:
    """Draw the votes of a recorded run again from its seed, and look up every state that its radius rests on.

    Noise is bit-equal. Another machine may cast a vote in a thousand otherwise; such votes lower what is confirmed and
    excuse nothing: a recorded radius that is larger than the confirmed one is a problem. A replay adds no evidence to
    a certificate. ``denoiser`` is the file of a denoiser of one's own. ``download`` is told the bytes of a model that
    has to be fetched, as ``load_model`` has it.

    Raises:
        CertificateError: the scan, its crop, the weights, the denoiser or the bank are not those of the record.
        PsmoothError: as ``load_model`` and ``certify`` do.
    """
    request = _request_again(record.run, scan, device, banks, denoiser, download)
    found = _votes_again(tuned(request), record)
    confirmed = conclude(_as_learned(record.run, request), found)
    differing = _differing(record.votes, found)
    problems = (*_tied_problems(request, record.run), *_vote_problems(record, confirmed, differing))
    return Replay(confirmed, found.selected + found.total, differing, problems)


def _request_again(
    run: Run,
    scan: Scan | Crop,
    device: str | None,
    banks: Sequence[PromptBank],
    own_denoiser: str | None,
    download: Callable[[int, int], None] | None,
) -> Request:
    if run.batch_size > MOST_COPIES:
        raise CertificateError(
            "batch_size: at most {most:,} copies at once are drawn again; the certificate names more.", most=MOST_COPIES
        )
    scheme = _scheme_again(run.noise)
    model = _model_again(run, device, download)
    if model.revision != run.model["revision"]:
        raise CertificateError(
            "model: the weights here are not those of the certificate. Install the recorded revision."
        )
    crop = scan if isinstance(scan, Crop) else crop_scan(scan, _recorded_rule(run, scan))
    if crop.sha256 != run.crop_sha256:
        raise CertificateError(
            "crop_sha256: this is not the scan of the certificate, or its crop came out differently."
        )
    if crop.pixels.shape[-1] != model.input_size:  # one pixel would be spread over the model's whole picture
        raise CertificateError("preprocessing: the crop of the certificate is not of the size that the model sees.")
    denoiser = denoiser_of(model, _denoiser_name(run, own_denoiser))
    if (denoiser.id, denoiser.sha256) != (run.denoiser, run.denoiser_sha256):
        raise CertificateError(
            "denoiser_sha256: the denoiser here is not that of the certificate. Give its file with --denoiser."
        )
    task = Task(run.task, run.task, "", run.class_ids, run.class_names, run.templates)
    contenders = find_contenders(model, crop, task, (run.method,), denoiser, run.noise_level, banks)
    if (contenders[run.method].bank or {}).get("sha256") != (run.bank or {}).get("sha256"):
        raise CertificateError("bank: the bank here is not that of the certificate. Give its file with --bank.")
    use_whole_float32(model.device)
    return Request(
        model,
        crop,
        task,
        contenders,
        run.noise_level,
        denoiser,
        run.plan,
        run.seed,
        run.seed_origin,
        int(run.batch_size),
        noise=scheme,
        finding=None if run.scan_check is None else recognise(model, crop, run.task),
    )


def _scheme_again(noise: str) -> Scheme:
    for scheme in SCHEMES:
        if scheme == noise:
            return scheme
    raise CertificateError(
        "noise: this version of psmooth does not draw noise by '{noise}'; a newer one may.", noise=noise[:60]
    )


def _model_again(run: Run, device: str | None, download: Callable[[int, int], None] | None) -> MedVLM:
    """The model in the precision that the run had, on its runtime; what torch computed is computed in float32."""
    if run.precision not in (*_OF_TORCH, *RUNTIMES):
        raise CertificateError(
            "precision: this version of psmooth cannot run '{precision}', so its votes cannot be drawn again here.",
            precision=run.precision[:60],
        )
    precision = run.precision if run.precision in RUNTIMES else TORCH
    return load_model(run.model["weights"], device, download, precision=precision)


def _denoiser_name(run: Run, own: str | None) -> str:
    """The recorded denoiser, or the file that is given in its place; a recorded mirror stays."""
    return run.denoiser if own is None else own + (MIRROR if run.denoiser.endswith(MIRROR) else "")


def _recorded_rule(run: Run, scan: Scan) -> CropRule:
    """The rule of the certificate; a picture out of its file or series has its sha256 alone to be known by."""
    facts = run.preprocessing
    window = facts["window"] and Window(**facts["window"])
    box = tuple(facts["box"]) if facts["box"] else None
    region = tuple(facts["region"]) if "region" in facts else None
    frame = facts.get("frame") if scan.frames > 1 else None
    seen = {"frame": frame, "plane": facts.get("plane"), "region": region}
    return CropRule(facts["size"], facts["fit"], facts["interpolation"], box, window, **seen)


# --- the votes, and the states that a radius rests on


def _votes_again(request: Request, record: Certificate | Abstention) -> Votes:
    """The votes as they are drawn here, with the states at the very moments that the record names."""
    recorded, method, classes = record.votes, record.run.method, len(record.run.class_ids)
    announced = record.run.plan.selection_votes or 0
    select = drawn_votes(request, method, "select", announced if recorded.total else recorded.selected).numpy()
    cast = drawn_votes(request, method, "estimate", recorded.total).numpy()
    chose = _counts(select, classes)
    counted = _counts(cast, classes)
    again = Votes(chose[:-1], counted[:-1], counted[-1], ended=recorded.ended, invalid_selection=chose[-1])
    moments = enumerate(total for _, total in recorded.best)
    return replace(again, best=tuple(_state(again, cast[:total], place) for place, total in moments))


def _counts(votes: np.ndarray, classes: int) -> tuple[int, ...]:
    return tuple(np.bincount(votes, minlength=classes + 1).tolist())


def _state(again: Votes, cast: np.ndarray, place: int) -> State:
    """(votes, total) of a class at the moment when these votes had been cast."""
    counted = _counts(cast, len(again.counts))
    return states_of(replace(again, counts=counted[:-1], invalid=counted[-1]))[place]


def _differing(recorded: Votes, found: Votes) -> int:
    """How many votes the two must differ in, at the least: at the end, or at one of the recorded moments."""
    chose = _moved((*recorded.selection, recorded.invalid_selection), (*found.selection, found.invalid_selection))
    counted = _moved((*recorded.counts, recorded.invalid), (*found.counts, found.invalid))
    moments = (abs(old - new) for (old, _), (new, _) in zip(recorded.best, found.best, strict=True))
    return chose + max(counted, *moments)


def _moved(recorded: Sequence[int], found: Sequence[int]) -> int:
    return (sum(abs(old - new) for old, new in zip(recorded, found, strict=True)) + 1) // 2


def _vote_problems(
    record: Certificate | Abstention, confirmed: Certificate | Abstention, differing: int
) -> Iterator[Problem]:
    cast = confirmed.votes.selected + confirmed.votes.total
    if differing > TOLERATED * cast:
        yield "counts", f"{differing:,} of {cast:,} votes differ from the record; at most 0.1 % may."
        yield from _runtime_problems(record.run)
    if record.leader != confirmed.leader:
        yield "leader", f"The selection votes name {confirmed.leader}, not {record.leader}."
    if isinstance(record, Certificate):
        radius = confirmed.radius if isinstance(confirmed, Certificate) else 0.0
        if record.radius > radius + TOLERANCE:
            yield (
                "radius",
                f"The radius of the record is {_floored(record.radius)}; the votes drawn here give {_floored(radius)}.",
            )


def _runtime_problems(run: Run) -> Iterator[Problem]:
    """Another version of the runtime than the one recorded, which may round otherwise."""
    for package, here in runtime_versions(run.precision if run.precision in RUNTIMES else TORCH).items():
        if (there := run.versions.get(package)) != here:
            yield "versions", f"The run had {package} {there or 'of no stated version'}; here is {here}."


def _floored(radius: float) -> str:
    return f"{floor(radius * 1e6) / 1e6:.6f}"


# --- what else is tied to the run


def _tied_problems(request: Request, run: Run) -> Iterator[Problem]:
    """Where the record calls something by another name than that which was used for the replay."""
    contender, spec = request.contenders[run.method], request.model.spec
    here = run_facts(request, contender)
    if (run.model["id"], run.model["weights"]) != (spec.id, spec.weights):
        yield "model", f"The weights of the record are those of {spec.id}, from {spec.weights}."
    if run.guarantee != here.guarantee:
        yield "guarantee", f"The guarantee is {here.guarantee}, as method, bank and denoiser decide."
    if run.denoiser_learned_on_scan != here.denoiser_learned_on_scan:
        yield "denoiser_learned_on_scan", "The file of the denoiser says otherwise whether it was learned on this scan."
    if _bank_facts(run.bank) != _bank_facts(here.bank):
        yield "bank", "The file of the bank states another licence, or otherwise whether it was learned on this scan."
    if (run.class_ids, run.class_names) != _right_classes(run):
        yield "class_ids", f"The classes are not those of the task {run.task}, in its order."
    if run.templates != _right_templates(run, contender):
        yield "templates", "The templates are not those that the prompts were made from."
    if run.scan_check is not None and not _same_check(run.scan_check, here.scan_check or {}, run.task in TASKS):
        yield "scan_check", "The scan check here comes out differently. No bound rests on it."


def _same_check(recorded: dict[str, Any], found: dict[str, Any], asked: bool) -> bool:
    """Whether two findings say the same; another machine may compute the distance a little otherwise.

    Whether a scan fits a task of one's own nobody can tell.
    """
    stated, here = recorded["distance"], found["distance"]
    close = stated is here if stated is None or here is None else isclose(stated, here, rel_tol=NEARLY, abs_tol=NEARLY)
    names = set(recorded) - {"distance", *(() if asked else ("fits",))}
    return close and all(recorded[name] == found[name] for name in names)


def _as_learned(run: Run, request: Request) -> Run:
    """The run with what the files here say of whether bank and denoiser were learned on this scan."""
    here = run_facts(request, request.contenders[run.method])
    bank = None if run.bank is None else {**run.bank, "learned_on_scan": (here.bank or {}).get("learned_on_scan")}
    learned = here.denoiser_learned_on_scan
    return replace(run, guarantee=here.guarantee, bank=bank, denoiser_learned_on_scan=learned)


def _bank_facts(bank: dict[str, Any] | None) -> tuple[object, object]:
    """What a bank's own file decides; a record of before scans were compared counts as one that was no hit."""
    return bank and bank["licence"], bank and bank.get("learned_on_scan", False)


def _right_templates(run: Run, contender: Contender) -> tuple[str, ...]:
    """Those of the bank, or of the task; a caller's own task may have any."""
    if run.bank is not None or run.task not in TASKS:
        return contender.templates
    return TASKS[run.task].templates[: len(contender.templates) if METHODS[run.method].tunes else None]


def _right_classes(run: Run) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids and names of the task's classes; what a caller's own task calls its classes stays as it is."""
    if run.task in TASKS:
        return TASKS[run.task].class_ids, TASKS[run.task].class_names
    named = own_task(list(run.class_names))
    return named.class_ids if run.task == named.id and run.bank is None else run.class_ids, named.class_names
