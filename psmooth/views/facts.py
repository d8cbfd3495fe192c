"""Says in short pairs what stands beside a verdict: other answers, denoiser, encoder, and where everything came from.

It knows nothing about where a pair stands.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from psmooth.certificate import Run
from psmooth.views.locale import class_words, translate
from psmooth.views.sentences import Result, correctness, name_of
from psmooth.views.words import denoiser_words

if TYPE_CHECKING:
    from psmooth.smoothing import Progress

_OF_TORCH: Final = ("float32", "tf32")  # precisions of the runtime that is never named

_DRAWN: Final = "drawn by psmooth"  # what the phantoms' gallery says of them


def facts(result: Result, progress: "Progress", contender: str, truth: str | None) -> list[list[str]]:
    """Short pairs beside the verdict: the unsmoothed answer, what the scan shows, denoiser, encoder, all origins."""
    run, clean = result.run, progress.clean.get(contender)
    wrong = correctness(result, truth) == "wrong"
    drawn = run.gallery is None or run.gallery["source"] == _DRAWN
    pairs = fact_rows(name_of(run, clean) if clean else None, truth, wrong, drawn)
    pairs += [[translate("Denoiser"), denoiser_words(run.denoiser)]] if run.denoiser != "none" else []
    pairs += [[translate("Encoder"), encoder_words(run)]] if runtime_of(run) else []
    origins = ((translate("Model"), run.model), (translate("Bank"), run.bank), (translate("Gallery"), run.gallery))
    return [*pairs, *([name, _short_origin(origin)] for name, origin in origins if origin)]


def fact_rows(clean: str | None, truth: str | None, wrong: bool, drawn: bool = True) -> list[list[str]]:
    pairs = [] if clean is None else [[translate("Without smoothing"), class_words(clean)]]
    if truth is not None:
        shown = translate("{truth}: the answer is wrong", truth=truth) if wrong else class_words(truth)
        pairs.append([translate("Drawn as") if drawn else translate("Labelled as"), shown])
    return pairs


def _short_origin(origin: Mapping[str, Any]) -> str:
    """Name, the first digits of the revision, and licence of a model, a bank or a gallery."""
    pin = origin["revision"] or origin.get("sha256")
    name = f"{origin['id']} @ {pin[:8]}" if pin else translate(origin["id"])
    return " · ".join([name, translate(origin["licence"] or "no licence stated")])


def whole_origin(origin: Mapping[str, Any] | None) -> str:
    """All that a certificate has of a model, a bank or a gallery."""
    if origin is None:
        return translate("none")
    revision, licence = origin["revision"], origin["licence"]
    parts = (
        translate(origin["id"]),
        revision and translate("revision {revision}", revision=revision),
        origin.get("sha256") and f"sha256 {origin['sha256']}",
        translate("licence {licence}", licence=translate(licence)) if licence else translate("no licence stated"),
        translate(origin.get("source") or ""),
    )
    return ", ".join(part for part in parts if part)


# --- another encoder than torch's is another classifier, and is named wherever there is one


def runtime_of(run: Run) -> str:
    """The runtime of the encoder and its number format: "openvino-bfloat16"; empty where it is torch's own."""
    return "" if run.precision in _OF_TORCH else run.precision


def encoder_words(run: Run) -> str:
    """The same with the version that ran: "openvino-bfloat16 (openvino 2026.4.1)"."""
    package = runtime_of(run).partition("-")[0]
    return f"{run.precision} ({package} {run.versions[package]})" if package in run.versions else run.precision


def encoder_sentence(run: Run) -> str:
    """What such an encoder means for a certificate; empty where it is torch's."""
    if not runtime_of(run):
        return ""
    return translate(
        "Encoded in {encoder}: another classifier than in float32, certified as it ran.", encoder=encoder_words(run)
    )
