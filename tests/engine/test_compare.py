"""Every method on one scan: shared noise, missing banks, other noise levels, two kinds of guarantee."""

from dataclasses import replace

import torch

from psmooth import views
from psmooth.certificate import GUARANTEES, Certificate, Plan
from psmooth.models import MedVLM, load_model
from psmooth.scans import Crop
from psmooth.smoothing import certify, compare
from psmooth.smoothing.comparison import SWEEP, available
from psmooth.tasks import TASKS, own_task
from psmooth.views import compare as views_compare
from tests.engine.test_views import certified
from tests.records import a_result

TASK = own_task("disc; ring; dot", "a picture of a {}.")


def test_without_banks_only_the_hand_written_and_the_per_scan_prompt_can_be_compared(tiny_model: MedVLM) -> None:
    methods, missing = available(tiny_model, TASK, "none")
    assert methods == ("template", "zero_shot")
    assert set(methods) | set(missing) == set(GUARANTEES)


def test_the_pocket_model_has_every_method_behind_both_denoisers() -> None:
    pocket = load_model("pocket")
    for denoiser in ("none", "learned"):
        assert available(pocket, TASKS["blood_cells"], denoiser) == (tuple(GUARANTEES), ())


def test_it_begins_with_the_chosen_level_and_ends_with_all(tiny_model: MedVLM, crop: Crop) -> None:
    steps = list(compare(tiny_model, crop, TASK, noise_level=0.5, plan=Plan(max_votes=200)))
    assert list(dict.fromkeys(step.level for step in steps)) == [0.5, 0.1, 0.25, 1.0]
    assert sorted(steps[-1].sweep) == list(SWEEP)
    assert steps[-1].done
    assert not any(step.done for step in steps[:-1])
    shares = [step.share for step in steps]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert steps[-1].progress.results["template"].votes.total == 200


def test_contenders_of_a_comparison_vote_on_the_same_noise(tiny_model: MedVLM, crop: Crop) -> None:
    *_, step = compare(tiny_model, crop, TASK, noise_level=0.25, plan=Plan(max_votes=100))
    runs = [result.run for result in step.progress.results.values()]
    assert len({run.seed for run in runs}) == 1
    again = {"plan": Plan(max_votes=100), "seed": runs[0].seed, "batch_size": runs[0].batch_size}
    *_, alone = certify(tiny_model, crop, task=TASK, noise_level=0.25, **again)  # type: ignore[arg-type]
    assert alone.results["template"].votes.counts == step.progress.results["template"].votes.counts


def test_the_two_kinds_of_guarantee_never_share_a_group(tiny_model: MedVLM, crop: Crop) -> None:
    torch.manual_seed(0)
    *_, last = compare(tiny_model, crop, TASK, noise_level=0.25, plan=Plan(max_votes=100))
    shown = views_compare.comparison(last)
    for group in shown["groups"]:
        assert {GUARANTEES[card["id"]] for card in group["cards"]} == {group["kind"]}
    assert [series["kind"] for series in shown["curve"]["series"]] == ["unconditional", "frozen_prompt"]
    assert {record["guarantee"] for record in shown["certificates"] or ()} == {"unconditional", "frozen_prompt"}
    assert "Keeping the best one after looking is a choice" in shown["sentence"]
    for card in (card for group in shown["groups"] for card in group["cards"]):
        assert card["certified"] == (card["radius_text"] != "–")


def test_what_is_shown_side_by_side_says_its_joint_chance_and_joins_the_list(tiny_model: MedVLM, crop: Crop) -> None:
    plan = Plan(max_votes=100, failure_probability=0.002)
    steps = list(compare(tiny_model, crop, TASK, noise_level=0.25, plan=plan))
    shown = views_compare.comparison(steps[-1])["sentence"]
    assert "8 runs stand side by side" in shown, "two methods at four noise levels"
    assert "at most 0.016" in shown
    assert len(steps[-1].outcomes()) == 8
    assert steps[0].outcomes() == (), "nothing is counted yet"
    middle = next(step for step in steps if step.level == 0.5 and step.sweep[0.5]["template"].votes.total)
    assert {one.votes.ended for one in middle.outcomes()} <= {"complete", "stopped"}
    assert all(one.votes.total for one in middle.outcomes())
    assert views_compare.comparison(steps[-1])["notice"] == ""
    again = replace(steps[-1], restarted=4, lost=True)
    assert views_compare.comparison(again)["notice"] == views.restart_notice(4, True)


def test_levels_drawn_with_another_number_of_votes_are_marked(tiny_model: MedVLM, crop: Crop) -> None:
    *_, last = compare(tiny_model, crop, TASK, noise_level=0.25, plan=Plan(max_votes=200))
    curve = views_compare.comparison(last)["curve"]
    assert curve["levels"] == [0.1, 0.25, 0.5, 1.0]
    assert curve["other"] == [True, False, True, True]
    assert "1,000 votes" in curve["note"]
    assert "200" in curve["note"]
    assert curve["heads"][:2] == ["σ = 0.1, 1,000 votes", "σ = 0.25, 200 votes"]
    for series in curve["series"]:
        assert [("1,000 votes" in hover, "200 votes" in hover) for hover in series["hovers"]] == [
            (True, False), (False, True), (True, False), (True, False),
        ]  # fmt: skip
        assert all(("frozen" in hover) == (series["kind"] == "frozen_prompt") for hover in series["hovers"])
    alike = replace(last, progress=replace(last.progress, results=last.sweep[0.5]))
    level = {at: last.sweep[at] for at in (0.1, 0.5, 1.0)}
    assert views_compare.comparison(replace(alike, sweep=level))["curve"]["note"] == ""


def test_a_point_of_the_curve_is_floored(tiny_model: MedVLM, crop: Crop) -> None:
    *_, last = compare(tiny_model, crop, TASK, noise_level=0.25, plan=Plan(max_votes=100))
    result = a_result((1000, 0, 0), "complete")
    assert isinstance(result, Certificate)
    for radius in (0.2999, 0.29999999, 0.3001):
        sweep = last.sweep | {0.25: last.sweep[0.25] | {"template": replace(result, radius=radius)}}
        (told, *_) = views_compare.comparison(replace(last, sweep=sweep))["curve"]["series"]
        assert f"σ = 0.25: {'0.300' if radius > 0.3 else '0.299'} ·" in told["hovers"][1]


def test_methods_that_reach_equally_far_are_all_named_and_no_frozen_one(tiny_model: MedVLM, crop: Crop) -> None:
    *_, last = compare(tiny_model, crop, TASK, noise_level=0.25, plan=Plan(max_votes=100))
    plain, few = certified(), certified(method="few_shot")
    results = {"template": plain, "few_shot": few, "combined": certified(method="combined", guarantee="frozen_prompt")}
    sweep = dict.fromkeys(last.sweep, results)
    shown = views_compare.comparison(replace(last, sweep=sweep, progress=replace(last.progress, results=results)))
    radius = views.radius_text(plain.radius)
    assert shown["announce"] == f"Unconditionally, hand-written, few-shot prompts reach furthest: {radius}."
