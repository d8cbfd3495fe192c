"""Writes the recordings of the page: a run for those who wait in the queue, a comparison and an attack for those who
have made none.

All are real ones, on drawn examples.

It knows nothing about the page. Run it as ``python docs/recording.py`` from the repository, with the names of some
(``recording``, ``comparison``, ``attack``) or without for all; the seed is given, so the same versions write the same
votes.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from psmooth import views  # noqa: E402
from psmooth.attack import QUICK, AttackProgress, Target, attack, find_target  # noqa: E402
from psmooth.certificate import Plan  # noqa: E402
from psmooth.interface.gallery import PHANTOMS  # noqa: E402
from psmooth.models import load_model  # noqa: E402
from psmooth.scans import crop_scan  # noqa: E402
from psmooth.smoothing import Progress, certify, compare  # noqa: E402
from psmooth.tasks import TASKS  # noqa: E402
from psmooth.views import attack as views_attack  # noqa: E402
from psmooth.views import compare as views_compare  # noqa: E402
from psmooth.views.locale import LANGUAGES, Locale, using_locale  # noqa: E402

MODEL, METHOD, NOISE_LEVEL, SEED = "pocket-noisy", "template", 0.25, 1
COMPARED_MODEL, COMPARED_DENOISER = "pocket", "learned"  # which have a bank for every method
STEPS = 20
COMPARED = ("groups", "furthest", "curve")  # of the view Compare: no certificate either
ATTACKED = 1  # of the drawn examples: one whose plain answer falls far inside what is certified
ATTACK_SEED = 2  # with it, the quick search ends with a change that turns the vote, too
EFFORT = replace(QUICK, plain_steps=40, halvings=6, points=11, votes=500)
TOLD = ("sentence", "about", "waypoints", "marked")  # of the view Attack: nor its record
KEPT = ("state", "radius", "chart")  # of the stage: never a certificate, so there is nothing to take for a result


def record() -> dict[str, Any]:
    """The picture that was certified, and what the stage showed at about ``STEPS`` moments of the run."""
    example = PHANTOMS.items[0]
    model = load_model(MODEL, device="cpu")
    crop = crop_scan(example.open(), model.crop_rule)
    options: dict[str, Any] = {"task": TASKS[example.task], "noise_level": NOISE_LEVEL, "seed": SEED, "batch_size": 32}
    run = list(certify(model, crop, plan=Plan(max_votes=1_000), methods=(METHOD,), **options))
    steps = [_kept(step, crop.rule.size) for step in _spread(run)]
    picture = views.thumbnail(crop.pixels.transpose(1, 2, 0))
    return {"picture": picture, "sigma": NOISE_LEVEL, "steps": steps}


def _spread(run: list[Progress]) -> list[Progress]:
    """The first step, the last one, and others evenly between."""
    return [run[round(place * (len(run) - 1) / (STEPS - 1))] for place in range(STEPS)]


def _kept(step: Progress, crop_size: int) -> dict[str, Any]:
    stage = views.stage(step, METHOD, crop_size, ())
    return {name: stage[name] for name in KEPT}


def record_comparison() -> dict[str, Any]:
    """What Compare showed at the end, of every method."""
    example = PHANTOMS.items[0]
    model = load_model(COMPARED_MODEL, device="cpu")
    crop, task = crop_scan(example.open(), model.crop_rule), TASKS[example.task]
    options: dict[str, Any] = {"noise_level": NOISE_LEVEL, "denoiser": COMPARED_DENOISER, "seed": SEED}
    *_, end = compare(model, crop, task, plan=Plan(max_votes=1_000), **options)
    shown = views_compare.comparison(end)
    return {name: shown[name] for name in COMPARED}


def record_attack() -> dict[str, Any]:
    """What Attack showed at the end: its pictures once, and what it said of them in each language."""
    example = PHANTOMS.items[ATTACKED]
    model = load_model(COMPARED_MODEL, device="cpu")
    options: dict[str, Any] = {"noise_level": NOISE_LEVEL, "denoiser": COMPARED_DENOISER, "seed": ATTACK_SEED}
    target = find_target(model, example.open(), task=example.task, plan=Plan(max_votes=1_000), **options)
    *_, end = attack(target, EFFORT)
    said = {language: _said(end, target, language) for language in LANGUAGES}
    shown = views_attack.attacked(end, target.crop, target.request.task, {})
    return {"original": shown["original"], "attacked": [one["attacked"] for one in shown["waypoints"]], "said": said}


def _said(end: AttackProgress, target: Target, language: str) -> dict[str, Any]:
    with using_locale(Locale(language)):
        shown = views_attack.attacked(end, target.crop, target.request.task, {})
    waypoints = [{name: one for name, one in waypoint.items() if name != "attacked"} for waypoint in shown["waypoints"]]
    return {name: waypoints if name == "waypoints" else shown[name] for name in TOLD}


RECORDINGS = {"recording": record, "comparison": record_comparison, "attack": record_attack}


def main() -> None:
    """The recordings, where the page looks for them."""
    for name in sys.argv[1:] or RECORDINGS:
        text = json.dumps(RECORDINGS[name](), ensure_ascii=False, separators=(",", ":"))
        (ROOT / "assets" / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
