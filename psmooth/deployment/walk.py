"""Walks a served page through its endpoints with drawn scans, and verifies here what it answers.

It knows nothing about how a page is reached, or how what was found is shown. A certificate is verified as ``psmooth
verify --scan`` does it: recomputed from its counts, and its votes drawn again. That a page answers rightly when it is
asked this says nothing about what it does with another's scan.
"""

import base64
import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from psmooth.certificate import Abstention, Certificate, verify
from psmooth.deployment.page import ENDPOINTS, NO_ADDRESS, NO_PAGE, NOT_PSMOOTH, Answer, Question, ask
from psmooth.errors import BankError, CertificateError, PageError, PsmoothError
from psmooth.methods import METHODS
from psmooth.models import MODELS, MedVLM, load_model
from psmooth.models.load import find_device
from psmooth.phantoms import draw_phantom
from psmooth.prompts import PromptBank, load_bank
from psmooth.scans import Scan, crop_scan, open_scan
from psmooth.smoothing import replay
from psmooth.tasks import own_task

TASK, CLASS, SEED = "blood_cells", "monocyte", 2
NOISE_LEVEL = 0.25
VOTES = {"certify": 1_000, "compare": 100, "attack": 100}
MODEL = {"certify": "pocket-noisy", "compare": "pocket", "attack": "pocket-noisy", "learn": "pocket"}
LEARNED = {"monocyte": range(4), "neutrophil": range(4)}  # seeds by class; the page holds one of each out
WAY, METHOD = "linear_probe_closed_form", "linear_probe"
_LARGEST_BANK = 16 * 2**20  # bytes

ODD = "What /{name} answered is not what psmooth answers. Bring psmooth to one version here and on the page."
NOT_ASKED = (
    "The certificate from /{name} has another {field} than was asked for. Bring psmooth to one version here and on the "
    "page; if it is of one version, do not trust this page."
)
NOT_HELD = (
    "The certificate from /{name} does not hold: {problem} If psmooth is of one version here and there, do not trust "
    "this page."
)
NO_BANK = (
    "The bank from /{name} was not learned on the scans that were sent, or not for the model that was named. Bring "
    "psmooth to one version here and on the page."
)


@dataclass(frozen=True)
class Outcome:
    """What came of one endpoint.

    Attributes:
        heard, begun, ended: seconds from asking until anything came, until the run began after queue and download, and
            until the end; None where there was no answer.
        versions, device, precision: as its certificate states them; a bank states none.
        certificates, votes, differing: verified here, drawn again, and how many of those came out differently.
        said: verdict and class, or what was learned.
        problem: why it failed; None where all is well.
    """

    name: str
    heard: float | None = None
    begun: float | None = None
    ended: float | None = None
    gradio: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    device: str = ""
    precision: str = ""
    certificates: int = 0
    votes: int = 0
    differing: int = 0
    said: str = ""
    problem: PsmoothError | None = None


def walk(url: str, seconds: float, device: str | None = None) -> Iterator[Outcome]:
    """Ask each endpoint in turn and verify what it answers; one that fails does not keep the next from its turn.

    Args:
        seconds: each endpoint may take.
        device: where the votes are drawn again; by default the fastest there is.

    Raises:
        ModelError: there is no such device here.
        PageError: no page answers at the address, or none of psmooth's; nothing was checked then.
    """
    find_device(device)
    with tempfile.TemporaryDirectory() as place:
        scan, files = drawn(Path(place))
        for name in ENDPOINTS:
            outcome = _outcome(url, question(name, files[name]), scan, seconds, device)
            if name == ENDPOINTS[0] and isinstance(outcome.problem, PageError) and _is_elsewhere(outcome.problem):
                raise outcome.problem
            yield outcome


def _is_elsewhere(error: PageError) -> bool:
    """Whether there is no page of psmooth's at all."""
    return error.template in (NO_ADDRESS, NO_PAGE, NOT_PSMOOTH)


def drawn(folder: Path) -> tuple[Scan, dict[str, Path]]:
    """The scan that is certified, and by endpoint the file that it is sent: this scan, or a zip of others."""
    scan, archive = folder / "scan.png", folder / "scans.zip"
    scan.write_bytes(_png(CLASS, SEED))
    with zipfile.ZipFile(archive, "w") as packed:
        for class_id, seed in _learned():
            packed.writestr(f"{class_id}/{seed}.png", _png(class_id, seed))
    return open_scan(scan), {name: archive if name == "learn" else scan for name in ENDPOINTS}


def _learned() -> Iterator[tuple[str, int]]:
    yield from ((class_id, seed) for class_id, seeds in LEARNED.items() for seed in seeds)


def _png(class_id: str, seed: int) -> bytes:
    content = io.BytesIO()
    Image.fromarray(draw_phantom(TASK, class_id, seed).pixels).save(content, "PNG")
    return content.getvalue()


def question(name: str, file: Path) -> Question:
    """What an endpoint is asked."""
    if name == "learn":
        own = {"task": "own", "class_names": "", "template": ""}
        return Question(name, "scans", file, {"model": MODEL[name], "way": WAY, "noise_level": NOISE_LEVEL, **own})
    asked = {"model": MODEL[name], "task": TASK, "noise_level": NOISE_LEVEL, "votes": VOTES[name]}
    return Question(name, "scan", file, asked)


def _outcome(url: str, asked: Question, scan: Scan, seconds: float, device: str | None) -> Outcome:
    name = asked.name
    try:
        answer = ask(url, asked, seconds)
    except PageError as error:
        return Outcome(name, problem=error)
    waited: dict[str, Any] = {"heard": answer.heard, "begun": answer.begun, "ended": answer.ended}
    waited["gradio"] = answer.gradio
    try:
        return Outcome(name, **waited, **_verified(name, answer, scan, device))
    except PsmoothError as error:
        return Outcome(name, **waited, problem=error)
    except Exception:  # whatever a stranger's answer is that nothing here is made for
        return Outcome(name, **waited, problem=PageError(ODD, name=name))


def _verified(name: str, answer: Answer, scan: Scan, device: str | None) -> dict[str, Any]:
    if not isinstance(answer.last, dict):
        raise PageError(ODD, name=name)
    if name == "learn":
        return _checked_bank(name, answer.last.get("bank"))
    found = _CERTIFICATES[name](answer.last)
    if not isinstance(found, list) or not found or not all(isinstance(one, dict) for one in found):
        raise PageError(ODD, name=name)
    if len(found) != (len(METHODS) if name == "compare" else 1):  # each would cost its time here
        raise PageError(ODD, name=name)
    records = [_recomputed(name, one) for one in found]
    if name == "compare" and {record.run.method for record in records} != METHODS.keys():
        raise PageError(ODD, name=name)
    return _replayed(name, records, scan, device)


_CERTIFICATES: Mapping[str, Callable[[dict[str, Any]], Any]] = {  # by endpoint, those of its last step
    "certify": lambda last: [last.get("certificate")],
    "compare": lambda last: last.get("certificates"),
    "attack": lambda last: [(last.get("attack") or {}).get("certificate")],
}


# --- certificates


def _recomputed(name: str, record: dict[str, Any]) -> Certificate | Abstention:
    found = verify(record)
    if found.certificate is None:
        raise PageError(NOT_HELD, name=name, problem=found.problems[0][1])
    for fact, here, there in _asked(name, found.certificate):
        if here != there:  # before a model is loaded or a vote is drawn that the page names
            raise PageError(NOT_ASKED, name=name, field=fact)
    return found.certificate


def _asked(name: str, record: Certificate | Abstention) -> Iterator[tuple[str, object, object]]:
    """What was asked for beside what a certificate says; a run that ended before its last vote shows little."""
    spec, run = MODELS[MODEL[name]], record.run
    yield "ended", "complete", record.votes.ended
    yield "model", (spec.id, spec.weights), (run.model["id"], run.model["weights"])
    yield "task", TASK, run.task
    yield "noise_level", NOISE_LEVEL, run.noise_level
    yield "max_votes", VOTES[name], run.plan.max_votes
    yield "denoiser", "none", run.denoiser
    if name != "compare":
        yield "method", "template", run.method


def _replayed(name: str, records: Sequence[Certificate | Abstention], scan: Scan, device: str | None) -> dict[str, Any]:
    """What is told of certificates that hold."""
    votes = differing = 0
    for record in records:
        try:
            again = replay(record, scan, device=device)
        except CertificateError as error:
            raise PageError(NOT_HELD, name=name, problem=error) from error
        if again.problems:
            raise PageError(NOT_HELD, name=name, problem=again.problems[0][1])
        votes, differing = votes + again.compared, differing + again.differing
    first = records[0]
    stated = {"versions": dict(first.run.versions), "device": first.run.device, "precision": first.run.precision}
    counted = {"certificates": len(records), "votes": votes, "differing": differing}
    return {**stated, **counted, "said": ", ".join(sorted({_verdict(record) for record in records}))}


def _verdict(record: Certificate | Abstention) -> str:
    return f"certified {record.predicted}" if isinstance(record, Certificate) else "abstained"


# --- banks


def _checked_bank(name: str, told: Any) -> dict[str, Any]:
    """What is told of a bank that was learned on the scans that were sent, for the model that was named."""
    bank = _read_bank(name, told)
    model = load_model(MODEL[name], "cpu")
    with suppress(BankError):
        bank.check(model, own_task(sorted(LEARNED)), "none")
        if bank.facts.method == METHOD and bank.pool and bank.pool <= _sent(model):
            return {"said": f"learned from {len(bank.pool)} scans"}
    raise PageError(NO_BANK, name=name)


def _read_bank(name: str, told: Any) -> PromptBank:
    file = told.get("file") if isinstance(told, dict) else None
    if not isinstance(file, str) or len(file) > 2 * _LARGEST_BANK:
        raise PageError(ODD, name=name)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "bank.safetensors"
        try:
            path.write_bytes(base64.b64decode(file, validate=True))
        except ValueError:
            raise PageError(ODD, name=name) from None
        return load_bank(path)


def _sent(model: MedVLM) -> frozenset[str]:
    """The sha256 of each scan of the zip, cut as the model sees it."""
    scans = (open_scan(draw_phantom(TASK, class_id, seed).pixels) for class_id, seed in _learned())
    return frozenset(crop_scan(scan, model.crop_rule).sha256 for scan in scans)
