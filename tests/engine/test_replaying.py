"""Forgeries: every field of real certificates of every method is altered, and the replay refuses it or says it cannot.

A forger is helped here: after each alteration bounds, radius, verdict and caveats are computed anew from the altered
record, so that arithmetic finds nothing wrong and the replay alone stands in the way.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from psmooth.certificate import (
    BANK_OF_THIS_SCAN,
    DENOISER_OF_THIS_SCAN,
    GUARANTEES,
    NOT_SHOWN,
    UNKNOWN_DENOISER_POOL,
    UNKNOWN_POOL,
    Abstention,
    Certificate,
    Plan,
    Run,
    Votes,
    conclude,
    read_certificate,
    verify,
)
from psmooth.denoise import MIRROR, LearnedDenoiser, find_denoiser, save_denoisers
from psmooth.errors import CertificateError, PsmoothError
from psmooth.learning import TrainingConfig, learn_bank
from psmooth.models import MedVLM
from psmooth.noise import SCHEME
from psmooth.prompts import CONTEXT_METHODS, PROBE_METHODS, PromptBank
from psmooth.recognition import recognise
from psmooth.scans import Crop, Scan, Window, crop_scan, open_scan
from psmooth.smoothing import Replay, replay, replaying
from psmooth.smoothing import certification as engine
from psmooth.smoothing.request import Request
from psmooth.tasks import TASKS, Task, own_task

Facts = dict[str, Any]
Record = Certificate | Abstention
TASK = TASKS["kather_colon"]
FIRST, SECOND, *_ = TASK.class_ids
LISTED = {field for _, fields in NOT_SHOWN for field in fields}


@pytest.fixture(scope="module")
def film() -> Scan:
    """Sixteen-bit grey, so that size, fit, interpolation, box and window all make a difference to the crop."""
    rows, columns = np.mgrid[0:90, 0:70]
    return open_scan((4_000 + 300 * rows + 200 * columns + 9_000 * np.sin(rows / 5)).astype(np.uint16))


@pytest.fixture(scope="module")
def banks(tiny_model: MedVLM, tmp_path_factory: pytest.TempPathFactory) -> list[PromptBank]:
    folder = tmp_path_factory.mktemp("banks")
    return [learned(tiny_model, method).save(folder / f"{method}.safetensors") for method in _bank_methods()]


def _bank_methods() -> tuple[str, ...]:
    return (*CONTEXT_METHODS, *PROBE_METHODS)


def learned(model: MedVLM, method: str, *more: np.ndarray) -> PromptBank:
    """A bank of a few random crops, and of those given."""
    generator = torch.Generator().manual_seed(1)
    size, count = model.input_size, len(TASK.class_ids) - len(more)
    crops = torch.randint(0, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)
    crops = torch.cat([torch.from_numpy(np.stack(more)), crops]) if more else crops
    steps, sharpness = (30, 8.0) if method == "label_free" else (15, 1.0)  # so that the votes of each are split
    config = TrainingConfig(method, find_denoiser("none"), copies=2, steps=steps, shots=8, sharpness=sharpness)
    *_, (_, bank) = learn_bank(model, TASK, config, crops, torch.arange(len(TASK.class_ids)))
    assert bank is not None
    return bank


@pytest.fixture(scope="module")
def records(tiny_model: MedVLM, film: Scan, banks: list[PromptBank]) -> dict[str, Record]:
    """A real record of every method, all from one stream."""
    rule = replace(tiny_model.crop_rule, box=(3, 5, 60, 80), window=Window(20_000.0, 30_000.0))
    *_, last = engine.certify(
        tiny_model, film, task=TASK, methods=tuple(GUARANTEES), banks=banks, noise_level=0.5, crop_rule=rule,
        plan=Plan(max_votes=600, selection_votes=64), batch_size=16, seed=11,
        finding=recognise(tiny_model, crop_scan(film, rule), TASK),
    )  # fmt: skip
    return dict(last.results)


@pytest.fixture(scope="module", autouse=True)
def _read_and_embedded_once() -> Iterator[None]:
    """All forgeries share the model and the embeddings of the same copies; other arguments are read and drawn anew."""
    drawn = engine.noisy_embeddings
    kept: dict[Any, list[torch.Tensor]] = {}

    def once(model: Any, crop: Any, level: float, *, denoise: Any, **options: Any) -> Iterator[torch.Tensor]:
        key = (model.revision, crop.sha256, level, denoise.id, *options.items())
        if key not in kept:
            kept[key] = list(drawn(model, crop, level, denoise=denoise, **options))
        yield from kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "noisy_embeddings", once)
        patch.setattr(replaying, "load_model", cache(replaying.load_model))
        yield


# --- the forger's tools


def rebuilt(facts: Facts) -> Record:
    """The record that these facts lead to; PsmoothError or KeyError if they are no facts of a record."""
    plan = Plan(
        facts["max_votes"], facts["failure_probability"], facts["plan"], facts["selection_votes"],
        facts["target_radius"], facts["tolerance"],
    )  # fmt: skip
    names = Run.__dataclass_fields__.keys() - {"plan"}
    run = Run(plan=plan, **{name: facts[name] for name in names})
    selection, counts, states = (
        tuple(facts[name][one] for one in run.class_ids) for name in ("selection", "counts", "best")
    )
    best = tuple((state["votes"], state["total"]) for state in states)
    return conclude(run, Votes(selection, counts, facts["invalid"], best, facts["ended"], facts["invalid_selection"]))


def refused(honest: Facts, change: Facts, scan: Scan, banks: list[PromptBank]) -> bool:
    """Whether the altered file is refused, and what a helped forger makes of it too, unless nothing of it is left."""
    return all(_is_refused(one, scan, banks) for one in _versions({**honest, **change}) if one != honest)


def _versions(forged: Facts) -> Iterator[Facts]:
    yield forged
    with suppress(PsmoothError, KeyError):
        yield rebuilt(forged).to_dict()


def _is_refused(facts: Facts, scan: Scan, banks: list[PromptBank]) -> bool:
    if not verify(facts).ok:
        return True
    try:
        return not replay(read_certificate(facts), scan, device="cpu", banks=banks).ok
    except PsmoothError:
        return True


def swapped(table: Any, one: str = FIRST, other: str = SECOND) -> Any:
    return {**table, one: table[other], other: table[one]}


def front(facts: Facts) -> str:
    """A class that stands behind the leader and has votes."""
    return max((name for name in facts["class_ids"] if name != facts["leader"]), key=facts["counts"].__getitem__)


def moved(facts: Facts, count: int) -> Facts:
    """Votes moved from the strongest rival to the leader, at the end and where the bounds were best."""
    leader, rival, best = facts["leader"], front(facts), facts["best"]
    counts = {**facts["counts"]}
    counts[leader], counts[rival] = counts[leader] + count, counts[rival] - count
    states = {
        leader: {**best[leader], "votes": best[leader]["votes"] + count},
        rival: {**best[rival], "votes": best[rival]["votes"] - count},
    }
    return {"counts": counts, "best": {**best, **states}}


def another_leader(facts: Facts) -> Facts:
    """The selection votes, given to a rival."""
    return {"selection": swapped(facts["selection"], facts["leader"], front(facts))}


def to_the_front(facts: Facts) -> Facts:
    """A rival put in front of all classes, with no selection vote at all."""
    rival = front(facts)
    order = [rival, *(name for name in facts["class_ids"] if name != rival)]
    names = dict(zip(facts["class_ids"], facts["class_names"], strict=True))
    nobody = dict.fromkeys(order, 0)
    return {"class_ids": order, "class_names": [names[name] for name in order], "selection": nobody}


def of(part: str, **changes: Any) -> Callable[[Facts], Facts]:
    """A change within an object of the file."""
    return lambda facts: {part: {**(facts[part] or {}), **changes}}


def early_luck(facts: Facts) -> Facts:
    """Only the recorded best moment altered: all of the first fifty votes for the leader."""
    leader = facts["leader"]
    rivals = {name: {"votes": 0, "total": 50} for name in facts["class_ids"] if name != leader}
    return {"best": {leader: {"votes": 50, "total": 50}, **rivals}}


def as_method(method: str) -> Callable[[Facts], Facts]:
    """Another method with its own kind of guarantee; in place of the same one, none that there is."""
    claimed = {"method": method, "guarantee": GUARANTEES[method]}
    return lambda facts: claimed if facts["method"] != method else {"method": "magic"}


OTHER_KIND = {"unconditional": "frozen_prompt", "frozen_prompt": "unconditional"}


FORGERIES: list[tuple[str, Callable[[Facts], Facts]]] = [
    ("schema", lambda _: {"schema": "psmooth/certificate/9"}),
    ("verdict", lambda facts: {"verdict": "abstained" if facts["verdict"] == "certified" else "certified"}),
    ("predicted", lambda facts: {"predicted": front(facts)}),
    ("leader", lambda facts: {"leader": front(facts)}),
    ("radius", lambda facts: {"radius": (facts["radius"] or 0.0) + 0.1}),
    ("lower_bound", lambda facts: {"lower_bound": facts["lower_bound"] + 0.01}),
    ("rival_upper_bound", lambda facts: {"rival_upper_bound": facts["rival_upper_bound"] - 0.01}),
    ("bound", lambda facts: {"bound": "anytime" if facts["bound"] == "clopper_pearson" else "clopper_pearson"}),
    ("reason", lambda facts: {"reason": None if facts["reason"] else "too_few_votes"}),
    *(("method", as_method(method)) for method in GUARANTEES),
    ("guarantee", lambda facts: {"guarantee": OTHER_KIND[facts["guarantee"]]}),
    ("denoiser", lambda _: {"denoiser": "gaussian"}),
    ("denoiser", lambda _: {"denoiser": "none-mirror"}),
    ("denoiser_sha256", lambda _: {"denoiser_sha256": "e" * 64}),
    ("denoiser_learned_on_scan", lambda _: {"denoiser_learned_on_scan": False}),
    ("denoiser_learned_on_scan", lambda _: {"denoiser_learned_on_scan": True, "guarantee": "frozen_prompt"}),
    ("noise_level", lambda _: {"noise_level": 1.0}),
    ("noise", lambda _: {"noise": "sfc64"}),
    ("noise", lambda _: {"noise": "dice"}),
    ("task", lambda _: {"task": "chest_xray"}),
    ("class_ids", lambda facts: {"class_ids": [SECOND, FIRST, *facts["class_ids"][2:]]}),
    ("class_ids", lambda facts: {name: facts[name][::-1] for name in ("class_ids", "class_names")}),
    ("class_names", lambda facts: {"class_names": facts["class_names"][::-1]}),
    ("class_names", lambda facts: {"class_names": ["a cat", *facts["class_names"][1:]]}),
    ("templates", lambda _: {"templates": ["a photograph of {}."]}),
    ("templates", lambda facts: {"templates": [*facts["templates"], "a drawing of {}."]}),
    ("counts", lambda facts: {"counts": swapped(facts["counts"], facts["leader"], front(facts))}),
    ("counts", lambda facts: moved(facts, 1)),
    ("counts", lambda facts: moved(facts, 2)),
    ("counts", lambda facts: moved(facts, 20)),
    ("total", lambda facts: {"total": facts["total"] + 100}),
    ("invalid", lambda facts: {"invalid": 5, **moved(facts, 0)}),
    ("best", early_luck),
    ("best", lambda facts: {"best": moved(facts, 1)["best"]}),
    ("selection", another_leader),
    ("selection", to_the_front),
    ("selection", lambda facts: {"selection": dict.fromkeys(facts["class_ids"], 0)}),
    ("invalid_selection", lambda _: {"invalid_selection": 3}),
    ("selection_votes", lambda _: {"selection_votes": 32}),
    ("seed", lambda _: {"seed": "f" * 32}),
    ("crop_sha256", lambda _: {"crop_sha256": "f" * 64}),
    ("preprocessing", of("preprocessing", size=64)),
    ("preprocessing", of("preprocessing", fit="pad")),
    ("preprocessing", of("preprocessing", interpolation="bilinear")),
    ("preprocessing", of("preprocessing", box=[0, 0, 60, 80])),
    ("preprocessing", of("preprocessing", window={"center": 20_000.0, "width": 31_000.0})),
    ("model", of("model", id="pocket")),
    ("model", of("model", weights="bundled:pocket")),
    ("model", of("model", revision="a" * 64)),
    ("bank", of("bank", id="mine", revision=None, sha256="b" * 64, licence="MIT", learned_on_scan=False)),
    ("bank", of("bank", licence="MIT")),
    ("bank", lambda facts: {**of("bank", learned_on_scan=True)(facts), "guarantee": "frozen_prompt"}),
    ("bank", of("bank", learned_on_scan=None)),
    ("scan_check", of("scan_check", kind="drawing_of_mine")),
    ("scan_check", of("scan_check", confident=True)),
    ("caveats", lambda facts: {"caveats": facts["caveats"][1:]}),
]  # fmt: skip

# What the list says that no replay shows: each of these passes, which is why it is on the list.
NOT_FORGERIES: list[tuple[str, Callable[[Facts], Facts]]] = [
    ("plan", lambda facts: {"plan": "paper", **_without_bests(facts)}),
    ("max_votes", lambda _: {"max_votes": 900, "ended": "stopped"}),
    ("failure_probability", lambda _: {"failure_probability": 0.01}),
    ("target_radius", lambda _: {"target_radius": 0.9}),
    ("tolerance", lambda _: {"tolerance": 0.9}),
    ("ended", lambda _: {"ended": "stopped"}),
    ("seed_origin", lambda _: {"seed_origin": "fresh"}),
    ("first_seed", lambda _: {"first_seed": "0" * 32, "attempts_before": 1}),
    ("attempts_before", lambda _: {"first_seed": "0" * 32, "attempts_before": 2}),
    ("preprocessing.frame", lambda facts: {"preprocessing": {**facts["preprocessing"], "frame": 7}}),
    ("preprocessing.series", lambda facts: {"preprocessing": {**facts["preprocessing"], "series": 7}}),
    ("device", lambda _: {"device": "cuda"}),
    ("precision", lambda _: {"precision": "tf32"}),
    ("batch_size", lambda _: {"batch_size": 20}),
    ("versions", lambda _: {"versions": {"torch": "9.9"}}),
    ("time", lambda _: {"time": "2020-01-01T00:00:00Z"}),
    ("model.licence", of("model", licence="MIT")),
    ("bank.id", of("bank", id="another")),
    ("bank.revision", of("bank", revision="d" * 40)),
    ("gallery", lambda _: {"gallery": {"id": "a/b", "revision": None, "licence": None, "source": None}}),
    ("scan_check", lambda _: {"scan_check": None}),
    ("task", lambda _: {"task": "a task of mine"}),
    ("class_ids", lambda facts: _renamed(facts)),
]


def _without_bests(facts: Facts) -> Facts:
    """The one look of the paper's plan: the states at the end."""
    return {"best": {name: {"votes": votes, "total": facts["total"]} for name, votes in facts["counts"].items()}}


def _renamed(facts: Facts) -> Facts:
    """A task of one's own, whose classes are called otherwise in every table."""
    ids = {name: f"{name}_of_mine" for name in facts["class_ids"]}
    tables = {name: {ids[one]: value for one, value in facts[name].items()} for name in ("counts", "best", "selection")}
    return {"task": "a task of mine", "class_ids": list(ids.values()), **tables}


def _names(table: list[tuple[str, Any]]) -> list[str]:
    return [f"{name} {place}" for place, (name, _) in enumerate(table)]


# --- every field, every method


@pytest.mark.parametrize(("field", "forge"), FORGERIES, ids=_names(FORGERIES))
@pytest.mark.parametrize("method", GUARANTEES)
def test_a_forged_field_is_refused(
    method: str, field: str, forge: Callable[[Facts], Facts], records: dict[str, Record], film: Scan, banks: Any
) -> None:
    facts = records[method].to_dict()
    change = forge(facts)
    assert change[field] != facts[field]
    assert refused(facts, change, film, banks)


@pytest.mark.parametrize(("field", "change"), NOT_FORGERIES, ids=_names(NOT_FORGERIES))
@pytest.mark.parametrize("method", GUARANTEES)
def test_what_is_listed_as_not_shown_is_not(
    method: str, field: str, change: Callable[[Facts], Facts], records: dict[str, Record], film: Scan, banks: Any
) -> None:
    assert field in LISTED
    facts = records[method].to_dict()
    if field.startswith("bank") and facts["bank"] is None:
        return
    helped = rebuilt({**facts, **change(facts)}).to_dict()
    assert helped != facts
    assert verify(helped).ok
    named_by_the_bank = field == "class_ids" and facts["bank"] is not None
    assert _is_refused(helped, film, banks) == named_by_the_bank


def rerun(tiny_model: MedVLM, scan: Scan | Crop, task: Task, **changes: Any) -> Record:
    """What comes of a run that `certify` refuses to make, with votes that are really cast."""
    crop = scan if isinstance(scan, Crop) else crop_scan(scan, tiny_model.crop_rule)
    front = find_denoiser("none")
    contenders = engine.find_contenders(tiny_model, crop, task, ("template",), front, 0.5, ())
    request = Request(
        tiny_model, crop, task, contenders, 0.5, front, Plan(max_votes=200), f"{7:032x}", "given", 16, **changes
    )
    votes = replaying._votes_again(request, _nothing_yet(request))
    return conclude(engine.run_facts(request, contenders["template"]), votes)


def _nothing_yet(request: Any) -> Record:
    """A record whose only look is at the end, so that the votes at that look can be filled in."""
    run, classes = engine.run_facts(request, request.contenders["template"]), len(request.task.class_ids)
    counts = (200, *(0,) * (classes - 1))
    return conclude(run, Votes((64, *(0,) * (classes - 1)), counts, 0, ((0, 200),) * classes, "complete"))


def test_a_crop_of_one_pixel_is_refused(tiny_model: MedVLM, film: Scan) -> None:
    dot = crop_scan(film, replace(tiny_model.crop_rule, size=1))
    record = rerun(tiny_model, dot, TASK)
    assert verify(record.to_dict()).ok
    with pytest.raises(CertificateError, match="size"):
        replay(record, film, device="cpu")


def test_a_task_that_ships_has_its_own_templates(tiny_model: MedVLM, film: Scan) -> None:
    honest, other = rerun(tiny_model, film, TASK), replace(TASK, templates=("{} again and again.",))
    assert replay(honest, film, device="cpu").ok
    found = replay(rerun(tiny_model, film, other), film, device="cpu")
    assert [field for field, _ in found.problems] == ["templates"]
    assert replay(rerun(tiny_model, film, replace(other, id="mine")), film, device="cpu").ok


def test_where_a_class_name_begins_is_not_shown_for_a_question_of_ones_own(tiny_model: MedVLM, film: Scan) -> None:
    """Votes are cast by whole prompts: a word may move from every class name into the template, with its meaning."""
    options = {"noise_level": 0.5, "plan": Plan(max_votes=200), "batch_size": 16, "seed": 7}
    asked = own_task(["not benign", "not malignant"], "this is {}.")
    *_, last = engine.certify(tiny_model, film, task=asked, **options)
    facts = last.results["template"].to_dict()
    forged = json.loads(json.dumps(facts).replace("not_", "").replace("not ", ""))
    forged |= {"templates": ["this is not {}."], "caveats": facts["caveats"]}
    assert forged["class_names"] == ["benign", "malignant"]
    assert not _is_refused(forged, film, [])
    assert {name for name, value in forged.items() if value != facts[name]} - LISTED <= set(_TOLD_BY_CLASS)


_TOLD_BY_CLASS = ("predicted", "leader", "counts", "best", "selection")  # under other ids, with the same numbers


def test_every_field_is_forged_or_listed(records: dict[str, Record]) -> None:
    forged = {field for field, _ in FORGERIES}
    listed = {field.split(".")[0] for field in LISTED}
    assert forged | listed == set(records["template"].to_dict())
    follow = {"anytime_failure_probability", "final_failure_probability"}  # from the failure probability
    follow |= {"bank.learned_on_scan", "denoiser_learned_on_scan"}  # from the files, whose lists nobody can prove
    follow |= {"class_names", "templates"}  # of a question of one's own, above
    assert {field for field, _ in NOT_FORGERIES} | follow | {"selection_votes"} == LISTED


# --- honest records


def test_an_honest_record_of_every_method_is_confirmed_to_the_last_digit(
    records: dict[str, Record], film: Scan, banks: list[PromptBank]
) -> None:
    for record in records.values():
        again = replay(record, film, device="cpu", banks=banks)
        assert (again.problems, again.differing, again.compared) == ((), 0, 664)
        assert again.confirmed == record
    assert len({record.votes.counts for record in records.values()}) == len(records), "each method votes otherwise"
    assert all(max(record.votes.counts) < record.votes.total for record in records.values())
    assert sum(isinstance(record, Certificate) for record in records.values()) >= 4


@pytest.mark.parametrize("ended", ["selection", "stopped", "target_radius", "settled"])
def test_runs_that_ended_early_are_confirmed(ended: str, tiny_model: MedVLM, film: Scan) -> None:
    early = {"target_radius": Plan(100_000, target_radius=0.05), "settled": Plan(100_000, tolerance=0.9)}
    plan = early.get(ended, Plan(2_000))
    steps = engine.certify(tiny_model, film, task=TASK, noise_level=0.5, plan=plan, batch_size=16)
    phase = "selection" if ended == "selection" else "estimation"
    last = next(step for step in steps if step.phase in (phase, "done") and step.votes >= 16)
    while ended in early and last.phase != "done":
        last = next(steps)
    record = engine.stopped(last)["template"]
    assert record.votes.ended == ("stopped" if ended == "selection" else ended)
    assert verify(record.to_json()).ok
    again = replay(record, film, device="cpu")
    assert (again.problems, again.differing) == ((), 0)
    assert again.confirmed == record


def test_votes_that_another_machine_casts_otherwise_lower_the_radius_that_is_confirmed(
    records: dict[str, Record], film: Scan, banks: list[PromptBank]
) -> None:
    """As if the record had been made where one vote in 664 fell to the leader instead of its rival."""
    record = next(one for one in records.values() if isinstance(one, Certificate))
    facts = record.to_dict()
    elsewhere = rebuilt({**facts, **moved(facts, 1)})
    assert isinstance(elsewhere, Certificate)
    again = replay(elsewhere, film, device="cpu", banks=banks)
    assert isinstance(again.confirmed, Certificate)
    assert again.differing == 1
    assert again.confirmed.radius == record.radius < elsewhere.radius
    assert {field for field, _ in again.problems} == {"counts", "radius"}


# --- what a bank or a denoiser was learned on


def one_run(model: MedVLM, scan: Scan, method: str, banks: list[PromptBank], **options: Any) -> Record:
    plan = Plan(max_votes=64)
    *_, last = engine.certify(
        model, scan, task=TASK, methods=(method,), banks=banks, plan=plan, batch_size=16, **options
    )
    return last.results[method]


@pytest.mark.parametrize("method", _bank_methods())
def test_a_bank_that_was_learned_on_this_very_scan_gives_a_frozen_guarantee(
    method: str, tiny_model: MedVLM, scan: Scan, film: Scan, tmp_path: Any
) -> None:
    crop = crop_scan(scan, tiny_model.crop_rule)
    bank = learned(tiny_model, method, crop.pixels).save(tmp_path / "bank.safetensors")
    hit, other = (one_run(tiny_model, one, method, [bank]) for one in (scan, film))
    assert (hit.guarantee, other.guarantee) == ("frozen_prompt", "unconditional")
    assert hit.run.bank is not None
    assert hit.run.bank["learned_on_scan"] is True
    assert BANK_OF_THIS_SCAN in hit.run.caveats
    assert BANK_OF_THIS_SCAN not in other.run.caveats
    assert verify(hit.to_json()).ok
    assert replay(hit, scan, device="cpu", banks=[bank]).ok
    facts, claim = hit.to_dict(), {"guarantee": "unconditional"}
    assert refused(facts, claim, scan, [bank])
    assert refused(facts, {**claim, **of("bank", learned_on_scan=False)(facts)}, scan, [bank])
    silent = {name: value for name, value in facts["bank"].items() if name != "learned_on_scan"}
    assert refused(facts, {**claim, "bank": silent}, scan, [bank])
    claimed = read_certificate(rebuilt({**facts, **claim, "bank": silent}).to_dict())
    assert (claimed.guarantee, replay(claimed, scan, device="cpu", banks=[bank]).confirmed) == ("unconditional", hit)
    older = other.to_dict()
    del older["bank"]["learned_on_scan"]
    found = replay(read_certificate(older), film, device="cpu", banks=[bank])
    assert (found.ok, found.confirmed) == (True, other), "the file of the bank says what an older record does not"


def test_a_bank_that_does_not_say_what_it_was_learned_on_is_no_flat_promise(
    tiny_model: MedVLM, scan: Scan, banks: list[PromptBank], tmp_path: Any
) -> None:
    silent = replace(banks[0], pool=None).save(tmp_path / "silent.safetensors")
    record = one_run(tiny_model, scan, silent.facts.method, [silent])
    assert record.guarantee == "unconditional"
    assert UNKNOWN_POOL in record.run.caveats
    assert replay(record, scan, device="cpu", banks=[silent]).ok
    facts = record.to_dict()
    assert refused(facts, of("bank", learned_on_scan=False)(facts), scan, [silent])


def test_a_denoiser_that_was_learned_on_this_very_scan_gives_a_frozen_guarantee(
    tiny_model: MedVLM, scan: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    crop = crop_scan(scan, tiny_model.crop_rule)
    plain = find_denoiser("none")
    learned_on_it = replace(plain, id="learned", sha256="c" * 64, pool=frozenset({crop.sha256}))
    monkeypatch.setattr(engine, "denoiser_of", lambda *_: learned_on_it)
    record = one_run(tiny_model, scan, "template", [], denoiser="learned")
    assert (record.guarantee, record.run.denoiser_learned_on_scan) == ("frozen_prompt", True)
    assert DENOISER_OF_THIS_SCAN in record.run.caveats
    assert verify(record.to_json()).ok


@pytest.fixture
def own_denoiser(tiny_model: MedVLM, tmp_path: Any) -> Any:
    """Writes a denoiser for the tiny model with a pool of one's choice, and gives its file."""

    def write(pool: frozenset[str] | None) -> Any:
        spectrum = torch.ones(3, tiny_model.input_size, tiny_model.input_size)
        facts: dict[str, object] = {"model": tiny_model.spec.id, "model_revision": tiny_model.revision}
        file = tmp_path / "mine.safetensors"
        save_denoisers(file, spectrum, LearnedDenoiser(width=4, layers=2), facts, pool)
        return file

    return write


@pytest.mark.parametrize("mirror", ["", MIRROR])
def test_a_denoiser_of_ones_own_is_given_to_the_replay(
    tiny_model: MedVLM, scan: Scan, own_denoiser: Any, mirror: str
) -> None:
    crop = crop_scan(scan, tiny_model.crop_rule)
    for pool in (frozenset({crop.sha256}), frozenset({"0" * 64}), None):
        file = own_denoiser(pool)
        record = one_run(tiny_model, scan, "template", [], denoiser=str(file) + mirror)
        assert record.run.denoiser == "learned" + mirror
        found = replay(record, scan, device="cpu", denoiser=str(file))
        assert (found.ok, found.differing) == (True, 0)
        with pytest.raises(PsmoothError):
            replay(record, scan, device="cpu")
    other = own_denoiser(frozenset({"1" * 64}))
    with pytest.raises(CertificateError, match="--denoiser"):
        replay(record, scan, device="cpu", denoiser=str(other))


def test_a_denoiser_that_does_not_say_what_it_was_learned_on_is_no_flat_promise(
    tiny_model: MedVLM, scan: Scan, own_denoiser: Any
) -> None:
    file = own_denoiser(None)
    record = one_run(tiny_model, scan, "template", [], denoiser=str(file))
    assert (record.guarantee, record.run.denoiser_learned_on_scan) == ("unconditional", None)
    assert UNKNOWN_DENOISER_POOL in record.run.caveats
    assert verify(record.to_json()).ok
    facts = record.to_dict()
    short = {**facts, "caveats": [one for one in facts["caveats"] if one != UNKNOWN_DENOISER_POOL]}
    assert [field for field, _ in verify(short).problems] == ["caveats"]
    claimed = verify({**short, "denoiser_learned_on_scan": False}).certificate
    assert claimed is not None
    found = replay(claimed, scan, device="cpu", denoiser=str(file))
    assert [field for field, _ in found.problems] == ["denoiser_learned_on_scan"]
    known = one_run(tiny_model, scan, "template", [], denoiser=str(own_denoiser(frozenset({"0" * 64}))))
    assert known.run.denoiser_learned_on_scan is False
    assert UNKNOWN_DENOISER_POOL not in known.run.caveats
    assert UNKNOWN_DENOISER_POOL not in one_run(tiny_model, scan, "template", []).run.caveats


def test_another_scan_other_weights_and_invented_counts_are_refused(
    records: dict[str, Record], film: Scan, banks: list[PromptBank]
) -> None:
    record = records["template"]
    with pytest.raises(CertificateError, match="crop_sha256"):
        replay(record, replace(film, values=film.values[::-1].copy()), device="cpu")
    other = replace(record, run=replace(record.run, model={**record.run.model, "revision": "0" * 64}))
    with pytest.raises(CertificateError, match="weights"):
        replay(other, film, device="cpu")
    with pytest.raises(CertificateError, match="bank"):
        replay(records["few_shot"], film, device="cpu", banks=[replace(banks[0], sha256="0" * 64)])
    found: Replay = replay(record, film, device="cpu")
    assert found.counts == record.votes.counts


# --- schemes of noise


def test_a_certificate_of_before_schemes_were_named_is_replayed_with_the_older_one(
    tiny_model: MedVLM, film: Scan
) -> None:
    asked = engine.resolve(
        tiny_model, film, task=TASK, noise_level=0.5, plan=Plan(max_votes=300), batch_size=16, seed=3
    )
    *_, last = engine.certify_request(replace(asked, noise="sfc64"))
    facts = last.results["template"].to_dict()
    assert facts.pop("noise") == "sfc64"
    again = replay(read_certificate(facts), film)
    assert again.ok
    assert again.differing == 0
    newer = replay(read_certificate({**facts, "noise": SCHEME}), film)
    assert newer.differing > 0, "other noise casts other votes"
    with pytest.raises(CertificateError, match=r"^noise: .*'dice'"):
        replay(read_certificate({**facts, "noise": "dice"}), film)
