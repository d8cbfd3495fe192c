"""Certificates against the formulas, simulated classifiers of known radius, and every way a file can be altered."""

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from scipy.optimize import bisect
from scipy.stats import beta, norm

from psmooth.bounds import anytime_lower, anytime_upper, certified_radius, clopper_pearson_lower
from psmooth.certificate import (
    FRESH_SEED,
    FROZEN_PROMPT,
    GIVEN_SEED,
    GUARANTEES,
    Abstention,
    Certificate,
    Plan,
    Run,
    Votes,
    advance,
    conclude,
    is_settled,
    read_certificate,
    verify,
)
from psmooth.errors import CertificateError, PlanError
from psmooth.files import resource
from tests.records import a_run

BANK = {"id": "bank", "revision": None, "sha256": "b" * 64, "licence": "Apache-2.0"}
GALLERY = {"id": "people/slides", "revision": "d" * 40, "licence": "cc-by-4.0", "source": None}


def quantile(share: float) -> float:
    return NormalDist().inv_cdf(share)


def fixed_lower(votes: int, total: int, alpha: float) -> float:
    return float(beta.ppf(alpha, votes, total - votes + 1)) if votes else 0.0


def make_run(classes: int = 2, plan: Plan | None = None, **changes: Any) -> Run:
    window = {"center": 32767.5, "width": 65535.0}
    facts: dict[str, Any] = {
        "task": "blood_cells", "plan": plan or Plan(), "seed": "0123456789abcdef" * 2, "crop_sha256": "a" * 64,
        "preprocessing": {
            "size": 128, "fit": "crop", "interpolation": "bicubic", "box": (0, 0, 300, 200), "window": window
        },
        "model": {"id": "pocket", "weights": "bundled:pocket", "revision": "c" * 64, "licence": "Apache-2.0"},
        "versions": {"psmooth": "0.1.0", "numpy": "2.0.0"}, "time": "2026-01-31T12:00:00Z",
    }  # fmt: skip
    return a_run(tuple(f"Class {place}" for place in range(classes)), **(facts | changes))


def start(classes: int, selection_votes: int = 64) -> Votes:
    return Votes(selection=(selection_votes,) + (0,) * (classes - 1), counts=(0,) * classes)


def voted(run: Run, batches: list[list[int]], invalid: int = 0) -> Votes:
    """Votes after batches of counts, each with the same number of invalid votes."""
    votes = start(len(run.class_ids), run.plan.selection_votes or 0)
    for counts in batches:
        votes = advance(votes, counts, invalid, run)
    return votes


def certified(result: Certificate | Abstention) -> Certificate:
    assert isinstance(result, Certificate)
    return result


def abstained(result: Certificate | Abstention) -> Abstention:
    assert isinstance(result, Abstention)
    return result


# The plan


def test_default_plan():
    plan = Plan()
    assert (plan.max_votes, plan.failure_probability, plan.name, plan.selection_votes) == (1_000, 1e-3, "live", 64)
    assert plan.anytime_failure_probability == pytest.approx(1e-4)
    assert plan.final_failure_probability == pytest.approx(9e-4)


def test_paper_plan_spends_everything_on_its_one_look():
    plan = Plan(name="paper", max_votes=10_000)
    assert plan.selection_votes == 100
    assert plan.anytime_failure_probability == 0
    assert plan.final_failure_probability == 1e-3


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"max_votes": 0}, "max_votes"),
        ({"max_votes": -5}, "max_votes"),
        ({"max_votes": 10.5}, "max_votes"),
        ({"max_votes": True}, "max_votes"),
        ({"max_votes": 1_000_001}, "max_votes"),
        ({"selection_votes": 0}, "selection_votes"),
        ({"failure_probability": 0.0}, "failure_probability"),
        ({"failure_probability": 1.0}, "failure_probability"),
        ({"failure_probability": math.nan}, "failure_probability"),
        ({"name": "best"}, "plan"),
        ({"target_radius": 0.0}, "target_radius"),
        ({"target_radius": math.inf}, "target_radius"),
        ({"target_radius": 0.1, "name": "paper"}, "target_radius"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"tolerance": 1.0}, "tolerance"),
        ({"tolerance": math.nan}, "tolerance"),
        ({"tolerance": 0.1, "name": "paper"}, "tolerance"),
    ],
)
def test_plan_refuses_by_name(changes: dict[str, Any], name: str):
    with pytest.raises(PlanError, match=f"^{name} "):
        Plan(**changes)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"class_ids": ("only",), "class_names": ("Only",)}, "class_ids"),
        ({"class_ids": ("same", "same")}, "class_ids"),
        ({"class_names": ("One",)}, "class_names"),
        ({"noise_level": 0.0}, "noise_level"),
        ({"noise_level": -0.25}, "noise_level"),
        ({"noise_level": math.nan}, "noise_level"),
        ({"noise_level": math.inf}, "noise_level"),
        ({"method": "magic"}, "method"),
        ({"method": "zero_shot"}, "guarantee"),
        ({"guarantee": "frozen_prompt"}, "guarantee"),
        ({"method": "few_shot"}, "bank"),
        ({"seed": "12"}, "seed"),
        ({"crop_sha256": "A" * 64}, "crop_sha256"),
        ({"time": "2026-13-31T12:00:00Z"}, "time"),
        ({"model": {"id": "pocket"}}, "model"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_run_refuses_by_name(changes: dict[str, Any], name: str):
    with pytest.raises(PlanError, match=f"^{name}"):
        make_run(**changes)


@pytest.mark.parametrize("method", GUARANTEES)
def test_the_method_decides_the_guarantee(method: str):
    frozen = method in ("zero_shot", "combined")
    run = make_run(method=method, guarantee="frozen_prompt" if frozen else "unconditional", bank=BANK)
    assert (FROZEN_PROMPT in run.caveats) == frozen
    assert conclude(run, start(2)).guarantee == GUARANTEES[method] == run.guarantee


# Conclusions against the formulas


def test_two_classes_read_the_anytime_bound_at_a_tenth_of_alpha_before_the_end():
    run = make_run(plan=Plan(max_votes=1_000))
    result = certified(conclude(run, voted(run, [[90, 10]])))
    lower = float(anytime_lower(90, 100, 1e-4))
    assert result.lower_bound == pytest.approx(lower, abs=1e-12)
    assert result.rival_upper_bound == pytest.approx(1 - lower, abs=1e-12)
    assert result.radius == pytest.approx(0.25 * quantile(lower), rel=1e-9)
    assert (result.bound, result.predicted, result.verdict) == ("anytime", "class_0", "certified")


def test_at_the_announced_end_the_fixed_bound_at_nine_tenths_is_read_too():
    run = make_run(plan=Plan(max_votes=100))
    result = certified(conclude(run, voted(run, [[90, 10]])))
    assert result.radius == pytest.approx(0.25 * quantile(fixed_lower(90, 100, 9e-4)), rel=1e-9)
    assert result.bound == "clopper_pearson"


def test_at_the_announced_end_the_larger_radius_is_kept():
    run = make_run(plan=Plan(max_votes=200))
    result = certified(conclude(run, voted(run, [[100, 0], [40, 60]])))
    assert result.bound == "anytime"
    assert result.radius == pytest.approx(0.25 * quantile(float(anytime_lower(100, 100, 1e-4))), rel=1e-9)


def test_three_classes_read_both_sides_at_half_each():
    run = make_run(3, plan=Plan(max_votes=10_000))
    result = certified(conclude(run, voted(run, [[460, 280, 260]])))
    lower = float(anytime_lower(460, 1_000, 5e-5))
    upper = float(anytime_upper(280, 1_000, 5e-5))
    assert lower < 0.5
    assert (result.lower_bound, result.rival_upper_bound) == pytest.approx((lower, upper), abs=1e-12)
    assert result.radius == pytest.approx(0.125 * (quantile(lower) - quantile(upper)), rel=1e-9)


def test_three_classes_at_the_announced_end():
    run = make_run(3, plan=Plan(max_votes=1_000))
    result = certified(conclude(run, voted(run, [[450, 300, 250]])))
    lower, upper = fixed_lower(450, 1_000, 4.5e-4), 1 - fixed_lower(700, 1_000, 4.5e-4)
    assert result.radius == pytest.approx(0.125 * (quantile(lower) - quantile(upper)), rel=1e-9)
    assert result.bound == "clopper_pearson"


def test_the_rivals_bound_is_capped_by_the_leaders():
    run = make_run(3, plan=Plan(max_votes=10_000))
    result = certified(conclude(run, voted(run, [[900, 100, 0]])))
    lower = float(anytime_lower(900, 1_000, 5e-5))
    assert result.rival_upper_bound == pytest.approx(1 - lower, abs=1e-12)
    assert result.radius == pytest.approx(0.25 * quantile(lower), rel=1e-9)


@pytest.mark.parametrize(
    ("lead", "rival", "rest", "radius"), [(0.45, 1, 8, 0.50), (0.7, 4, 8, 0.62)], ids=["spread", "half on one rival"]
)
def test_nine_classes_agree_with_independent_figures(lead: float, rival: int, rest: int, radius: float):
    """One look at 1,000 expected votes; the figures split alpha among the rivals, so they lie a bit lower."""
    others = 1_000 - round(1_000 * lead)
    counts = [1_000 - others, *rivals_of(others, rival / rest)]
    run = make_run(9, plan=Plan(max_votes=1_000), noise_level=1.0)
    assert certified(conclude(run, voted(run, [counts]))).radius == pytest.approx(radius, abs=0.05)


def rivals_of(votes: int, share: float) -> list[int]:
    """Eight rivals' counts, the first with ``share`` of the votes and the others alike."""
    first = round(votes * share)
    others = [(votes - first) // 7] * 7
    others[0] += votes - first - sum(others)
    return [first, *others]


def test_invalid_votes_count_against_the_leader_and_for_every_rival():
    run = make_run(3, plan=Plan(max_votes=10_000))
    result = certified(conclude(run, voted(run, [[700, 150, 100]], invalid=50)))
    assert result.votes.total == 1_000
    lower, upper = float(anytime_lower(700, 1_000, 5e-5)), float(anytime_upper(200, 1_000, 5e-5))
    assert result.radius == pytest.approx(0.125 * (quantile(lower) - quantile(upper)), rel=1e-9)
    assert result.votes.best == ((700, 1_000), (200, 1_000), (150, 1_000))


def test_a_run_extended_past_the_announced_end_goes_on_with_the_live_bound():
    run = make_run(plan=Plan(max_votes=100))
    result = certified(conclude(run, voted(run, [[90, 10], [9, 1]])))
    assert result.bound == "anytime"
    assert result.radius == pytest.approx(0.25 * quantile(float(anytime_lower(99, 110, 1e-4))), rel=1e-9)


def test_a_run_ended_at_its_target_has_the_live_bound_alone():
    run = make_run(plan=Plan(max_votes=100, target_radius=0.1))
    votes = voted(run, [[95, 5]])
    assert certified(conclude(run, votes)).bound == "clopper_pearson"
    ended = certified(conclude(run, replace(votes, ended="target_radius")))
    assert ended.bound == "anytime"
    assert ended.radius == pytest.approx(0.25 * quantile(float(anytime_lower(95, 100, 1e-4))), rel=1e-9)


TOLERANT = Plan(max_votes=10_000, tolerance=0.2)


@pytest.mark.parametrize(
    ("batches", "settled"),
    [
        ([[90, 5, 5]], False),  # certified, and far from what is still to be had
        ([[1_800, 100, 100]], True),
        ([[1_000, 0, 0]], False),  # where all agree, votes add most
        ([[2_500, 0, 0]], True),
        ([[500, 490, 10]], False),  # open
        ([[300, 600, 100]], True),  # overtaken: more votes are not to be expected to certify
        ([[9_000, 500, 500]], False),  # the announced end has come: that is another ending
    ],
)
def test_a_run_is_settled_near_what_its_end_could_give_or_once_it_is_overtaken(batches: list[list[int]], settled: bool):
    run = make_run(3, plan=TOLERANT)
    votes = voted(run, batches)
    assert is_settled(run, votes) is settled
    assert not is_settled(make_run(3, plan=replace(TOLERANT, tolerance=None)), votes)
    assert not is_settled(run, start(3)), "no vote settles nothing"


def test_what_is_given_up_is_no_more_than_the_tolerance():
    """At every share and moment: the radius held is at least that part of the one which the end would give."""
    shares = (0.6, 0.8, 0.95, 1.0)
    for share, cast in itertools.product(shares, range(100, 10_000, 300)):
        leader = round(share * cast)
        for tolerance in (0.05, 0.2):
            run = make_run(2, plan=replace(TOLERANT, tolerance=tolerance))
            votes = voted(run, [[leader, cast - leader]])
            held = float(certified_radius(anytime_lower(leader, cast, 1e-4), 0.25))
            end = -(-leader * 10_000 // cast)
            promised = float(certified_radius(clopper_pearson_lower(end, 10_000, 9e-4), 0.25))
            assert is_settled(run, votes) == (held > 0 and held >= (1 - tolerance) * promised)


def test_a_settled_run_has_the_live_bound_alone_and_its_abstention_is_final():
    run = make_run(3, plan=TOLERANT)
    ended = certified(conclude(run, replace(voted(run, [[1_800, 100, 100]]), ended="settled")))
    assert ended.bound == "anytime"
    overtaken = abstained(conclude(run, replace(voted(run, [[300, 600, 100]]), ended="settled")))
    assert overtaken.reason == "no_clear_winner"


@pytest.mark.parametrize("classes", [2, 3])
def test_paper_plan_is_one_look_at_the_end(classes: int):
    run = make_run(classes, plan=Plan(max_votes=100, name="paper"))
    batch = [90, 9, 1][:classes] if classes == 3 else [90, 10]
    unfinished = voted(run, [[50, 0, 0][:classes]])
    assert unfinished.best == ((0, 0),) * classes
    assert abstained(conclude(run, replace(unfinished, ended="stopped"))).reason == "paper_plan_unfinished"
    result = certified(conclude(run, replace(voted(run, [batch]), ended="complete")))
    assert result.radius == pytest.approx(0.25 * quantile(fixed_lower(90, 100, 1e-3)), rel=1e-9)
    with pytest.raises(PlanError, match=r"^total would be 101"):
        advance(result.votes, [1, 0, 0][:classes], 0, run)


@pytest.mark.parametrize(("votes", "certifies"), [(65, False), (66, True)])
def test_paper_plan_certifies_from_two_thirds_of_a_hundred_votes(votes: int, certifies: bool):
    run = make_run(3, plan=Plan(max_votes=100, name="paper"))
    result = conclude(run, voted(run, [[votes, 100 - votes, 0]]))
    assert isinstance(result, Certificate) == certifies


def test_reasons_to_abstain():
    run = make_run(plan=Plan(max_votes=100))
    assert abstained(conclude(run, start(2))).reason == "too_few_votes"
    assert abstained(conclude(run, voted(run, [[5, 0]]))).reason == "too_few_votes"
    undecided = abstained(conclude(run, voted(run, [[50, 50]])))
    assert undecided.reason == "no_clear_winner"
    assert (undecided.predicted, undecided.leader, undecided.verdict) == (None, "class_0", "abstained")
    paper = make_run(plan=Plan(max_votes=100, name="paper"))
    assert abstained(conclude(paper, voted(paper, [[50, 50]]))).reason == "no_clear_winner"
    assert abstained(conclude(paper, start(2))).lower_bound == 0


def test_the_leader_is_named_by_the_selection_alone_and_the_first_of_equals():
    assert Votes(selection=(3, 5, 5), counts=(0, 0, 0)).leader == 1
    run = make_run(3)
    votes = advance(Votes(selection=(0, 0, 9), counts=(0, 0, 0)), [300, 0, 10], 0, run)
    assert abstained(conclude(run, votes)).leader == "class_2"


# Adding votes


@pytest.mark.parametrize("classes", [2, 3, 9])
def test_best_moments_are_those_of_all_looks_and_the_radius_only_climbs(classes: int):
    run = make_run(classes, plan=Plan(max_votes=640, failure_probability=0.05))
    shares = np.array([4.0] + [1.0] * (classes - 1))
    alpha = 0.005 if classes == 2 else 0.0025
    for seed in range(3):
        random, votes, radius, looks = np.random.default_rng(seed), start(classes), 0.0, []
        for _ in range(20):
            invalid = int(random.integers(2))
            votes = advance(votes, random.multinomial(32 - invalid, shares / shares.sum()).tolist(), invalid, run)
            looks.append((*votes.counts, votes.invalid, votes.total))
            result = conclude(run, votes)
            assert getattr(result, "radius", 0.0) >= radius
            radius = getattr(result, "radius", 0.0)
        counts, invalids, totals = np.array(looks)[:, :classes], np.array(looks)[:, -2], np.array(looks)[:, -1]
        best = np.array(votes.best)
        leader = anytime_lower(counts[:, 0], totals, alpha).max()
        assert anytime_lower(best[0, 0], best[0, 1], alpha) == pytest.approx(leader, abs=1e-11)
        rivals = anytime_upper(counts[:, 1:] + invalids[:, None], totals[:, None], alpha).min(axis=0)
        assert anytime_upper(best[1:, 0], best[1:, 1], alpha) == pytest.approx(rivals, abs=1e-11)


def test_numpy_counts_are_taken_and_nonsense_is_refused():
    run = make_run(3)
    votes = advance(start(3), np.array([3, 2, 1]), 0, run)  # type: ignore[arg-type]
    assert votes.counts == (3, 2, 1)
    assert all(type(count) is int for count in votes.counts)
    for counts, invalid in ([1, -1, 0], 0), ([1, 1, 1], -1), ([1, 1], 0), ([10**6, 0, 0], 0):
        with pytest.raises(PlanError):
            advance(votes, counts, invalid, run)
    with pytest.raises(PlanError):
        conclude(make_run(2), votes)


@pytest.mark.parametrize(
    "changes",
    [
        {"counts": (1,)},
        {"counts": (-1, 3)},
        {"invalid": -1},
        {"selection": (-1, 3)},
        {"best": ((5, 4), (0, 0))},
        {"ended": "paused"},
    ],
)
def test_impossible_votes_are_refused(changes: dict[str, Any]):
    with pytest.raises(PlanError):
        Votes(**{"selection": (4, 0), "counts": (3, 1), **changes})


# Classifiers of known radius, certified 2,000 times


RUNS, ALPHA, EVERY, TOTAL = 2_000, 0.05, 20, 500
MOST_FALSE = RUNS * ALPHA + 3 * math.sqrt(RUNS * ALPHA * (1 - ALPHA))


def true_radius(edges: list[float], noise_level: float) -> float:
    """How far a point must move for another interval of the line to get the most votes; it lies in the first one."""
    cdf = NormalDist(0, noise_level).cdf

    def lead(shift: float) -> float:
        below = [cdf(edge - shift) for edge in edges] + [1.0]
        shares = np.diff([0.0, *below])
        return float(shares[0] - shares[1:].max())

    return float(bisect(lead, 0, 10 * noise_level, xtol=1e-13))  # type: ignore[arg-type]


def votes_on_a_line(edges: list[float], noise_level: float, seed: int) -> np.ndarray:
    """Votes (runs, looks, classes) where class c is the c-th interval of the line and the crop lies at 0."""
    noise = np.random.default_rng(seed).standard_normal((RUNS, TOTAL // EVERY, EVERY)) * noise_level
    places = np.digitize(noise, edges)
    return np.cumsum(np.stack([np.sum(places == c, axis=2) for c in range(len(edges) + 1)], axis=2), axis=1)


def best_of(votes: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """By run, the highest anytime bound of all looks, and the (votes, total) it was read at."""
    totals = np.arange(EVERY, TOTAL + 1, EVERY)
    pairs, places = np.unique(votes + 10_000 * totals, return_inverse=True)
    bounds = anytime_lower(pairs % 10_000, pairs // 10_000, alpha)[places].reshape(votes.shape)
    looks = bounds.argmax(axis=1)
    return bounds.max(axis=1), np.stack([votes[np.arange(RUNS), looks], totals[looks]], axis=1)


def both_sided(lowers: list[np.ndarray], noise_level: float) -> np.ndarray:
    """Radii from lower bounds on the leader's votes and on the votes that are not each rival's."""
    upper = np.minimum(1 - lowers[0], np.max([1 - lower for lower in lowers[1:]], axis=0))
    return np.maximum(noise_level / 2 * (norm.ppf(lowers[0]) - norm.ppf(upper)), 0)


def radii_at_the_running_maximum(edges: list[float], noise_level: float) -> tuple[np.ndarray, np.ndarray]:
    """What 2,000 runs have after 500 votes, where these are all that was announced and where they are a tenth.

    The radius never falls before the announced end, so no stopping rule gets more. That `conclude` says the same is
    checked on every twentieth run.
    """
    votes, totals, classes = (
        votes_on_a_line(edges, noise_level, seed=17),
        np.arange(EVERY, TOTAL + 1, EVERY),
        len(edges) + 1,
    )
    share = 1 if classes == 2 else 0.5
    favourable = [votes[:, :, 0], *(totals - votes[:, :, rival] for rival in range(1, classes))]
    bests = [best_of(counts, ALPHA / 10 * share) for counts in favourable]
    stopped = both_sided([lower for lower, _ in bests], noise_level)
    final = [beta.ppf(0.9 * ALPHA * share, counts[:, -1], TOTAL - counts[:, -1] + 1) for counts in favourable]
    complete = np.maximum(stopped, both_sided(final, noise_level))
    for place in range(0, RUNS, 20):
        states = [state[place] for _, state in bests]
        best = ((states[0][0], states[0][1]), *((total - count, total) for count, total in states[1:]))
        ended = Votes((64,) + (0,) * (classes - 1), tuple(votes[place, -1]), 0, best)
        for announced, radii in ((TOTAL, complete), (10 * TOTAL, stopped)):
            run = make_run(classes, Plan(announced, ALPHA), noise_level=noise_level)
            assert getattr(conclude(run, ended), "radius", 0.0) == pytest.approx(radii[place], abs=1e-9)
    return complete, stopped


LINES = {
    "half-space": [0.1],
    "half-space, near the edge": [0.01],
    "three classes, the rival far away": [NormalDist(0, 0.25).inv_cdf(0.55), NormalDist(0, 0.25).inv_cdf(0.7)],
    "three classes, no majority": [NormalDist(0, 0.25).inv_cdf(0.45), NormalDist(0, 0.25).inv_cdf(0.68)],
}


@pytest.mark.parametrize("edges", LINES.values(), ids=list(LINES))
def test_certified_radius_exceeds_the_true_one_in_at_most_alpha_of_the_runs(edges: list[float]):
    complete, stopped = radii_at_the_running_maximum(edges, 0.25)
    truth = true_radius(edges, 0.25)
    assert np.sum(stopped > truth) <= MOST_FALSE
    assert np.sum(complete > truth) <= MOST_FALSE
    assert np.all(complete >= stopped)
    assert complete.max() > 0.6 * truth


def test_the_known_radius_of_a_half_space_is_its_distance_and_of_three_classes_cohens():
    assert true_radius([0.1], 0.25) == pytest.approx(0.1, rel=1e-9)
    edges = LINES["three classes, the rival far away"]
    assert true_radius(edges, 0.25) == pytest.approx(0.125 * (quantile(0.55) - quantile(0.3)), rel=1e-9)


# Files


def make_records() -> dict[str, Certificate | Abstention]:
    """One record of every kind that a run can leave."""
    two, nine = make_run(2), make_run(9, plan=Plan(max_votes=3_200))
    target = make_run(3, plan=Plan(target_radius=0.1))
    paper = make_run(3, plan=Plan(name="paper", max_votes=500))
    tolerant = make_run(3, plan=TOLERANT)
    frozen = make_run(2, method="zero_shot", guarantee="frozen_prompt", seed_origin="given")
    few_shot = make_run(4, method="few_shot", bank=BANK, gallery=GALLERY)
    spread = [20, 2, 2, 2, 2, 1, 1, 1, 0]
    complete = {"ended": "complete"}
    return {
        "two classes, complete": conclude(two, replace(voted(two, [[900, 90]], invalid=10), **complete)),
        "two classes, running": conclude(two, voted(two, [[450, 30], [3, 17]])),
        "nine classes, complete": conclude(nine, replace(voted(nine, [spread] * 100, invalid=1), **complete)),
        "target reached": conclude(target, replace(voted(target, [[150, 5, 1]]), ended="target_radius")),
        "settled": conclude(tolerant, replace(voted(tolerant, [[1_800, 100, 100]]), ended="settled")),
        "overtaken": conclude(tolerant, replace(voted(tolerant, [[300, 600, 100]]), ended="settled")),
        "paper": conclude(paper, replace(voted(paper, [[400, 60, 40]]), **complete)),
        "frozen prompt, given seed": conclude(frozen, replace(voted(frozen, [[200, 0]]), ended="stopped")),
        "bank, extended": conclude(few_shot, voted(few_shot, [[900, 50, 30, 20], [40, 0, 0, 0]])),
        "no votes": conclude(two, start(2)),
        "no clear winner": conclude(two, replace(voted(two, [[520, 480]]), **complete)),
        "paper, stopped": conclude(paper, replace(voted(paper, [[90, 0, 0]]), ended="stopped")),
    }


RECORDS = make_records()
OPTIONAL = {
    "gallery",
    "tolerance",
    "first_seed",
    "attempts_before",
    "denoiser_learned_on_scan",
    "invalid_selection",
    "scan_check",
    "noise",
}  # files of before lack them
SCHEMA = json.loads(resource("assets", "certificate.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(params=RECORDS.values(), ids=list(RECORDS))
def record(request: pytest.FixtureRequest) -> Certificate | Abstention:
    return request.param


def test_records_come_back_as_they_were(record: Certificate | Abstention, tmp_path: Path):
    path = tmp_path / "certificate.json"
    record.save(path)
    for source in (path, str(path), path.read_bytes(), record.to_json(), record.to_dict()):
        assert verify(source).problems == ()
        assert read_certificate(source) == record
    assert [file.name for file in tmp_path.iterdir()] == ["certificate.json"]


def test_records_follow_the_shipped_schema(record: Certificate | Abstention):
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(record.to_dict())
    assert list(record.to_dict()) == list(SCHEMA["properties"])
    assert sorted(SCHEMA["required"]) == sorted(set(SCHEMA["properties"]) - OPTIONAL)
    assert all("description" in field for field in SCHEMA["properties"].values())


def test_caveats_say_what_kind_of_seed_it_was():
    fresh, given = RECORDS["two classes, complete"].run.caveats, RECORDS["frozen prompt, given seed"].run.caveats
    assert FRESH_SEED in fresh
    assert GIVEN_SEED not in fresh
    assert GIVEN_SEED in given
    assert FRESH_SEED not in given
    for words in (
        "Not for clinical use",
        "L2 distance over the 8-bit crop",
        "nothing about whether the answer is right",
    ):
        assert sum(words in sentence for sentence in fresh) == 1


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, record = tmp_path / "certificate.json", RECORDS["paper"]
    path.write_text("as before")

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("psmooth.certificate.file.os.fsync", full_disk)
        with pytest.raises(CertificateError, match="No space left on device"):
            record.save(path)
    assert path.read_text() == "as before"
    assert list(tmp_path.iterdir()) == [path]
    record.save(path)
    assert read_certificate(path) == record
    with pytest.raises(CertificateError, match="cannot be written"):
        record.save(tmp_path / "no folder" / "certificate.json")


def test_names_in_any_script_survive(tmp_path: Path):
    run = make_run(class_names=("ткань", "broken \ud800 half"))
    record = conclude(run, voted(run, [[90, 0]]))
    record.save(tmp_path / "certificate.json")
    assert read_certificate(tmp_path / "certificate.json") == record


# Every field of a file, altered

Alteration = tuple[str, Any, set[str]]

ALTERATIONS: list[Alteration] = [
    ("schema", "psmooth/certificate/2", {"schema"}),
    ("schema", None, {"schema"}),
    ("verdict", "abstained", {"predicted", "radius", "bound", "reason"}),
    ("predicted", "class_3", {"predicted"}),
    ("predicted", None, {"predicted"}),
    ("leader", "class_3", {"leader"}),
    ("radius", 0.9, {"radius"}),
    ("radius", lambda radius: radius + 2e-9, {"radius"}),
    ("radius", None, {"radius"}),
    ("radius", -0.1, {"radius"}),
    ("radius", math.nan, {"radius"}),
    ("radius", math.inf, {"radius"}),
    ("lower_bound", lambda bound: bound + 2e-9, {"lower_bound"}),
    ("rival_upper_bound", lambda bound: bound - 2e-9, {"rival_upper_bound"}),
    ("bound", "anytime", {"bound"}),
    ("reason", "too_few_votes", {"reason"}),
    ("method", "zero_shot", {"guarantee"}),
    ("method", "few_shot", {"bank"}),
    ("method", "few shot", {"method"}),
    ("guarantee", "frozen_prompt", {"guarantee"}),
    ("denoiser", "magic", {"denoiser"}),
    ("denoiser_sha256", "abc", {"denoiser_sha256"}),
    ("noise_level", 0.5, {"radius"}),
    ("noise_level", 0, {"noise_level"}),
    ("noise_level", "0.25", {"noise_level"}),
    ("noise_level", math.nan, {"noise_level"}),
    ("task", "", {"task"}),
    ("class_ids", ["class_0"], {"class_ids"}),
    ("class_ids", lambda ids: [*ids[:-1], "another"], {"counts", "best", "selection"}),
    ("class_ids", lambda ids: [*ids[:-1], ids[0]], {"class_ids", "counts", "best", "selection"}),
    ("class_names", lambda names: names[:-1], {"class_names"}),
    ("templates", "an image of {}.", {"templates"}),
    ("counts", lambda counts: {**counts, "class_0": counts["class_0"] + 10}, {"total", "radius", "lower_bound"}),
    ("counts", lambda counts: {**counts, "class_3": 0, "class_4": 201 + counts["class_4"]}, {"best", "total"}),
    ("counts", lambda counts: {**counts, "class_1": -1}, {"counts"}),
    ("counts", lambda counts: {**counts, "class_9": 0}, {"counts"}),
    ("counts", lambda counts: {**counts, "class_1": 1.5}, {"counts"}),
    ("counts", lambda counts: {**counts, "class_1": 10**12}, {"counts"}),
    ("total", 3_300, {"total"}),
    ("invalid", 0, {"total"}),
    ("best", lambda best: {**best, "class_0": {"votes": 3_000, "total": 3_200}}, {"best"}),
    ("best", lambda best: {**best, "class_1": {"votes": 0, "total": 3_000}}, {"best"}),
    ("best", lambda best: {**best, "class_0": {"votes": 1, "total": 40}}, {"best"}),
    ("best", lambda best: {**best, "class_0": {"votes": 41, "total": 40}}, {"best"}),
    ("best", lambda best: {**best, "class_0": {"votes": 10, "total": 10, "more": 1}}, {"best"}),
    ("best", lambda best: {name: {"votes": 0, "total": 0} for name in best}, {"best"}),
    ("selection", lambda selection: {**selection, "class_0": 65}, {"selection"}),
    ("selection", lambda selection: {**selection, "class_0": 0, "class_3": 64}, {"leader", "predicted", "verdict"}),
    ("selection", lambda selection: {**selection, "class_0": 60}, {"selection"}),
    ("selection", lambda selection: dict.fromkeys(selection, 0), {"selection"}),
    ("selection_votes", 10, {"selection"}),
    ("selection_votes", 0, {"selection_votes"}),
    ("max_votes", 10_000, {"ended", "radius", "bound"}),
    ("max_votes", 100, {"radius", "bound"}),
    ("max_votes", 0, {"max_votes"}),
    ("failure_probability", 0.01, {"anytime_failure_probability", "final_failure_probability", "radius"}),
    ("failure_probability", 1, {"failure_probability"}),
    ("anytime_failure_probability", 2e-4, {"anytime_failure_probability"}),
    ("final_failure_probability", 1e-3, {"final_failure_probability"}),
    ("plan", "paper", {"anytime_failure_probability", "final_failure_probability", "radius"}),
    ("plan", "mine", {"plan"}),
    ("target_radius", -1, {"target_radius"}),
    ("ended", "target_radius", {"ended", "radius", "bound"}),
    ("tolerance", 1, {"tolerance"}),
    ("ended", "settled", {"ended", "radius", "bound"}),
    ("ended", "paused", {"ended"}),
    ("seed", "12", {"seed"}),
    ("seed", "0123456789abcdef0123456789abcdeg", {"seed"}),
    ("seed", "0123456789abcdef0123456789abcdef\n", {"seed"}),
    ("seed_origin", "given", {"caveats"}),
    ("first_seed", "12", {"first_seed"}),
    ("first_seed", "0" * 32, {"attempts_before"}),
    ("attempts_before", 1, {"attempts_before"}),
    ("attempts_before", -1, {"attempts_before"}),
    ("denoiser_sha256", "e" * 64, {"caveats"}),
    ("invalid_selection", 1, {"selection"}),
    ("invalid_selection", -1, {"invalid_selection"}),
    ("denoiser_learned_on_scan", True, {"guarantee"}),
    ("denoiser_learned_on_scan", "no", {"denoiser_learned_on_scan"}),
    ("crop_sha256", "a" * 63, {"crop_sha256"}),
    ("crop_sha256", "A" * 64, {"crop_sha256"}),
    ("preprocessing", lambda rule: {**rule, "size": 0}, {"preprocessing"}),
    ("preprocessing", lambda rule: {**rule, "file_name": "x.png"}, {"preprocessing"}),
    ("batch_size", True, {"batch_size"}),
    ("model", lambda model: {**model, "revision": None}, {"model"}),
    ("bank", {"id": "bank"}, {"bank"}),
    ("bank", {**BANK, "learned_on_scan": True}, {"guarantee"}),
    ("bank", {**BANK, "learned_on_scan": "no"}, {"bank"}),
    ("gallery", {"id": "people/slides"}, {"gallery"}),
    ("gallery", {**GALLERY, "file_name": "x.png"}, {"gallery"}),
    ("gallery", {**GALLERY, "licence": ""}, {"gallery"}),
    ("gallery", "people/slides", {"gallery"}),
    ("noise", 4, {"noise"}),
    ("noise", "", {"noise"}),
    ("scan_check", {"known": True}, {"scan_check"}),
    ("scan_check", "a brain MRI", {"scan_check"}),
    ("device", None, {"device"}),
    ("precision", 32, {"precision"}),
    ("versions", {"numpy": 2}, {"versions"}),
    ("time", "yesterday", {"time"}),
    ("time", "2026-02-31T12:00:00Z", {"time"}),
    ("time", "2026-01-31T12:00:00+02:00", {"time"}),
    ("caveats", lambda caveats: caveats[1:], {"caveats"}),
]

# What enters no formula can be replaced by something of the same form; only sampling again would show it.
UNSEEN: list[tuple[str, Any]] = [
    ("denoiser", "gaussian"),
    ("task", "chest_xray"),
    ("class_names", lambda names: [name.upper() for name in names]),
    ("templates", ["a photograph of {}."]),
    ("selection", lambda selection: {**selection, "class_1": 4, "class_0": 60}),
    ("seed", "f" * 32),
    ("crop_sha256", "f" * 64),
    ("preprocessing", lambda rule: {**rule, "fit": "pad", "box": None, "window": None}),
    ("batch_size", 64),
    ("model", lambda model: {**model, "revision": "another"}),
    ("bank", BANK),
    ("gallery", GALLERY),
    ("device", "cuda"),
    ("precision", "bfloat16"),
    ("versions", {}),
    ("time", "2020-01-01T00:00:00.5+00:00"),
    ("target_radius", 0.9),
    ("tolerance", 0.9),
    ("denoiser_learned_on_scan", False),
]


def altered(name: str, change: Any) -> dict[str, Any]:
    record = RECORDS["nine classes, complete"].to_dict()
    return {**record, name: change(record[name]) if callable(change) else change}


def fields_refused(source: Any) -> set[str]:
    verification = verify(source)
    assert not verification.ok
    assert verification.certificate is None
    for name, sentence in verification.problems:
        assert name in sentence or name == "file"
        assert sentence.endswith(".")
    with pytest.raises(CertificateError, match=r"^The certificate is refused\. "):
        read_certificate(source)
    return {name for name, _ in verification.problems}


@pytest.mark.parametrize(
    ("name", "change", "refused"), ALTERATIONS, ids=[f"{name} {place}" for place, (name, *_) in enumerate(ALTERATIONS)]
)
def test_an_altered_field_is_refused_by_name_or_by_what_no_longer_agrees(name: str, change: Any, refused: set[str]):
    assert refused <= fields_refused(altered(name, change))


@pytest.mark.parametrize(("name", "change"), UNSEEN, ids=[name for name, _ in UNSEEN])
def test_what_enters_no_formula_is_not_seen_by_arithmetic(name: str, change: Any):
    assert verify(altered(name, change)).ok


def test_every_field_is_altered_above():
    assert {name for name, *_ in ALTERATIONS} == set(SCHEMA["properties"])


@pytest.mark.parametrize("name", SCHEMA["properties"])
def test_every_field_must_be_there_and_of_its_type(name: str):
    for record in RECORDS.values():
        facts = record.to_dict()
        assert {field for field, _ in verify({**facts, name: [[]]}).problems} >= {name}
        del facts[name]
        if name == "tolerance" and facts["ended"] == "settled":
            assert [field for field, _ in verify(facts).problems] == ["ended"], "settled within no tolerance"
            continue
        missing = () if name in OPTIONAL else ((name, f"{name} is missing; every certificate has it."),)
        assert verify(facts).problems == missing


def test_a_file_of_before_galleries_were_recorded_is_read_as_one_without():
    record = RECORDS["two classes, complete"]
    old = record.to_dict()
    assert old.pop("gallery") is None
    assert read_certificate(old) == record
    with pytest.raises(PlanError, match=r"^gallery"):
        make_run(gallery={"id": "people/slides"})


def test_counts_invented_consistently_are_not_seen_by_arithmetic():
    run = make_run(2)
    assert verify(conclude(run, replace(voted(run, [[1_000, 0]]), ended="complete")).to_json()).ok


def test_all_problems_are_told_at_once():
    facts = altered("radius", 0.9)
    facts.update(total=1, lower_bound=0.99, seed_origin="given")
    assert fields_refused(facts) == {"radius", "total", "lower_bound", "caveats"}
    facts.update(seed="x", device=3, extra=1)
    assert fields_refused(facts) == {"seed", "device", "extra"}


@pytest.mark.parametrize(
    ("record", "changes", "refused"),
    [
        ("no votes", {"radius": 0.1, "verdict": "certified", "bound": "anytime", "reason": None}, {"predicted"}),
        ("no votes", {"ended": "complete"}, {"ended"}),
        ("no votes", {"ended": "target_radius"}, {"ended"}),
        ("no votes", {"reason": "no_clear_winner"}, {"reason"}),
        ("no clear winner", {"lower_bound": 0.6}, {"lower_bound"}),
        ("no clear winner", {"predicted": "class_0"}, {"predicted"}),
        ("target reached", {"target_radius": 0.5}, {"ended"}),
        ("target reached", {"target_radius": None}, {"ended"}),
        ("target reached", {"ended": "complete"}, {"ended"}),
        ("settled", {"tolerance": 0.05}, {"ended"}),
        ("settled", {"tolerance": None}, {"ended"}),
        ("settled", {"max_votes": 2_000}, {"ended"}),
        ("overtaken", {"reason": "too_few_votes"}, {"reason"}),
        ("overtaken", {"ended": "stopped"}, {"reason"}),
        ("paper", {"tolerance": 0.1}, {"tolerance"}),
        ("paper", {"target_radius": 0.1}, {"target_radius"}),
        ("paper", {"max_votes": 400}, {"total", "best", "verdict"}),
        ("paper", {"plan": "live"}, {"anytime_failure_probability"}),
        ("paper", {"anytime_failure_probability": 1e-4}, {"anytime_failure_probability"}),
        ("paper, stopped", {"reason": "too_few_votes"}, {"reason"}),
        ("frozen prompt, given seed", {"guarantee": "unconditional"}, {"guarantee"}),
        ("frozen prompt, given seed", {"seed_origin": "fresh"}, {"caveats"}),
        ("bank, extended", {"bank": None}, {"bank"}),
        ("bank, extended", {"method": "combined"}, {"guarantee"}),
    ],
)
def test_other_kinds_of_records_altered(record: str, changes: dict[str, Any], refused: set[str]):
    assert refused <= fields_refused({**RECORDS[record].to_dict(), **changes})


def test_an_abstention_cannot_be_turned_into_a_certificate():
    facts = RECORDS["no clear winner"].to_dict()
    facts.update(verdict="certified", predicted="class_0", radius=0.2, bound="clopper_pearson", reason=None)
    assert {"verdict", "predicted", "radius", "bound", "reason"} <= fields_refused(facts)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"[1, 2]", "no certificate"),
        (b"null", "no certificate"),
        ("[" * 5_000, "not JSON"),
        ("{" + " " * 1_000_001 + "}", "larger than 1 MB"),
        ('{"total": 1, "total": 2}', "total stands in the file twice"),
        ('{"total": ' + "9" * 5_000 + "}", "not JSON"),
        ("no/such/file.json", "no file"),
        ("\0", "no file"),
        (Path(__file__).parent, "no file"),
        ({"total": {1, 2}}, "JSON cannot"),
    ],
    ids=range(13),
)
def test_files_that_are_no_certificates_are_refused_in_words(source: Any, words: str):
    assert fields_refused(source) == {"file"}
    assert words in verify(source).problems[0][1]


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path):
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(10**12)
    assert "larger than 1 MB" in verify(path).problems[0][1]


@pytest.mark.parametrize("value", [{"x": "{}"}, ["x"], {str(place): -1 for place in range(50_000)}])
def test_a_file_full_of_nonsense_is_refused_quickly_and_briefly(value: Any):
    verification = verify({**RECORDS["paper"].to_dict(), "counts": value})
    assert {name for name, _ in verification.problems} == {"counts"}
    assert len(verification.problems) <= 100
    assert all(len(sentence) < 400 for _, sentence in verification.problems)
    nested: Any = 1
    for _ in range(700):
        nested = [nested]
    assert not verify({"versions": nested}).ok
