"""What is said and shown of an attack: true of every outcome, and nothing that was not found."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from psmooth.attack import AttackProgress, Attempt, Change, PlainProgress, Point, SmoothedProgress
from psmooth.attack.records import attack_record
from psmooth.certificate import Certificate
from psmooth.files import resource
from psmooth.scans import Crop, CropRule, crop_sha256
from psmooth.smoothing.intervals import interval
from psmooth.tasks import own_task
from psmooth.views.attack import Attacked, attacked, ended
from psmooth.views.attack_words import UNSEEN_LEVELS
from psmooth.views.locale import LANGUAGES, translations
from tests.records import a_result, a_run

TASK = own_task("disc; ring; dot", "a picture of a {}.")
FIRST, SECOND, THIRD = TASK.class_ids
SIZE = 16


def crop(level: int = 100, more: int = 0, values: int = 0) -> Crop:
    """A grey crop of which so many values are lighter by so much."""
    pixels = np.full((3, SIZE, SIZE), level, np.uint8)
    pixels.reshape(-1)[:values] += np.uint8(more)
    return Crop(pixels, CropRule(size=SIZE), crop_sha256(pixels))


def change(more: int, values: int = 4) -> Change:
    return Change(crop(), crop(100, more, values))


def point(at: Change, named: str, votes: tuple[int, ...]) -> Point:
    cast = sum(votes)
    low, high = interval(votes[0] / cast, cast)
    most = TASK.class_ids[int(np.argmax(votes))]
    return Point(at, (0.7, 0.2, 0.1), named, votes, cast, most, votes[0] / cast, low, high)


def result(counts: tuple[int, ...] = (990, 10, 0), **facts: Any) -> Any:
    """A certificate, or an abstention where the counts are too close."""
    run = a_run(TASK.class_names, class_ids=TASK.class_ids, **facts)
    return a_result(counts, "complete", run, selection=(60, 3, 1))


def a_judged() -> Any:
    """What a judge says where the second class was certified."""
    run = a_run(TASK.class_names, class_ids=TASK.class_ids)
    return a_result((5, 290, 5), "complete", run, selection=(1, 60, 3))


def attempt(at: Change) -> Attempt:
    return Attempt("smoothadv", 1.0, at, a_judged(), "turned")


def progress(**found: Any) -> AttackProgress:
    given = {"answer": FIRST, "leader": FIRST, "result": result(), **found}
    return AttackProgress("done", 1, 1, 3.0, **given)


def fell(at: Change | None, step: int = 17) -> PlainProgress:
    return PlainProgress(step, 17, 1.0, FIRST, at, SECOND if at else None)


def searched(*attempts: Attempt) -> SmoothedProgress:
    return SmoothedProgress(9, 9, 1.0, 1.0, 0.5, attempts, True)


def shown(of: AttackProgress) -> Attacked:
    return attacked(of, crop(), TASK, attack_record(of))


RADIUS = result().radius
NEAR, FAR = 1, 150  # grey levels of four values: inside and outside of what is certified


def test_the_distances_of_these_tests_lie_on_both_sides_of_the_radius() -> None:
    assert 0 < change(NEAR).distance < RADIUS < change(FAR).distance


def test_where_nothing_was_found_nothing_is_claimed_and_the_certificate_alone_promises() -> None:
    seen = shown(progress(plain=fell(None), smallest=searched()))
    assert seen["sentence"].startswith("No change was found that turns the plain answer, disc.")
    assert f"must hold up to {seen['marked']['reach_text']}" in seen["sentence"]
    assert seen["about"].startswith("No change was found that turns the certified answer.")
    assert "proves nothing; the certificate does" in seen["about"]
    assert seen["marked"]["falls_at"] is seen["marked"]["turns_at"] is None


def test_while_it_is_looked_for_nothing_is_said_to_be_over() -> None:
    seen = shown(replace(progress(plain=fell(None, step=3), smallest=searched()), part="plain"))
    assert "No change has been found yet" in seen["sentence"]
    assert "was found" not in seen["sentence"] + seen["about"]
    assert (seen["state"], seen["announce"], seen["record"]) == ("running", "", None)


@pytest.mark.parametrize(("levels", "unseen"), [(UNSEEN_LEVELS, True), (UNSEEN_LEVELS + 1, False)])
def test_nobody_sees_a_change_of_few_levels_alone(levels: int, unseen: bool) -> None:
    said = shown(progress(plain=fell(change(levels))))["sentence"]
    assert said.startswith("A change nobody sees") == unseen
    assert ("of 255 grey levels" in said) != unseen
    assert "from disc to ring" in said


def test_a_fall_inside_the_radius_is_where_the_certified_answer_must_hold() -> None:
    assert "must hold there" in shown(progress(plain=fell(change(NEAR))))["sentence"]


@pytest.mark.parametrize(
    ("votes", "said"),
    [
        ((64, 0, 0), "holds there"),
        ((4, 60, 0), "turns it too"),
        ((33, 31, 0), "must hold up to"),
        (None, "must hold up to"),
    ],
)
def test_beyond_the_radius_it_holds_or_turns_where_the_votes_say_so_clearly(votes: Any, said: str) -> None:
    found = change(FAR)
    points = (point(found, SECOND, votes),) if votes else ()
    sentence = shown(progress(plain=fell(found), points=points))["sentence"]
    assert said in sentence
    assert [words for words in ("holds there", "turns it too") if words in sentence] == [
        words for words in (said,) if words != "must hold up to"
    ]


def test_what_turns_the_vote_outside_the_radius_is_told_with_its_ratio() -> None:
    seen = shown(progress(plain=fell(None), smallest=searched(attempt(change(FAR)))))
    ratio = change(FAR).distance / RADIUS
    assert f"L2 {change(FAR).distance:.3f}, {ratio:.2f} times the radius" in seen["about"]
    assert seen["marked"]["turns_at"] == change(FAR).distance
    assert [place["turned"] for place in seen["waypoints"]] == [False, True]


def test_what_turns_the_vote_inside_an_unconditional_radius_is_a_false_certificate_and_said_to_be() -> None:
    about = shown(progress(smallest=searched(attempt(change(NEAR)))))["about"]
    assert "this certificate or that run is false" in about
    assert "at most 0.002" in about  # α of both


def test_every_judge_of_an_attack_adds_its_alpha() -> None:
    tried = searched(attempt(change(NEAR)), attempt(change(FAR)))
    assert "at most 0.004" in shown(progress(inside=searched(attempt(change(FAR))), smallest=tried))["about"]


def test_what_turns_a_tuned_prompt_inside_its_frozen_radius_breaks_no_promise() -> None:
    seen = shown(
        progress(result=result(method="zero_shot", guarantee="frozen_prompt"), inside=searched(attempt(change(NEAR))))
    )
    assert "With its prompt frozen" in seen["sentence"]
    assert "that the radius has not ruled out" in seen["about"]
    assert "false" not in seen["about"]
    assert "tunes anew on what arrives" in seen["about"]
    assert seen["marked"]["is_frozen"]


@pytest.mark.parametrize("part", ["certify", "done"])
def test_where_nothing_is_certified_it_is_said(part: Any) -> None:
    none = result((34, 33, 33))
    assert not isinstance(none, Certificate)
    seen = shown(replace(progress(result=none, plain=fell(change(NEAR))), part=part))
    assert ("Nothing is certified here" in seen["sentence"]) == (part == "done")
    assert "Nothing is certified" in seen["sentence"]
    assert "must hold" not in seen["sentence"]
    assert "times the radius" not in seen["about"]
    assert seen["marked"]["reach"] == 0


def test_before_the_first_vote_only_what_is_known_stands_there() -> None:
    first = AttackProgress("certify", 0, 100, 0.0)
    assert (shown(first)["waypoints"], shown(first)["sentence"]) == ([], "Getting ready …")
    (place,) = shown(replace(first, answer=FIRST))["waypoints"]
    assert (place["named"], place["voted"], place["voted_bars"][0]["count"]) == ("disc", "", "")


def test_crops_stand_in_the_order_of_their_distance_and_each_once() -> None:
    found, beyond = change(NEAR), change(FAR)
    still = Change(crop(), crop())
    points = (point(still, FIRST, (64, 0, 0)), point(found, SECOND, (60, 4, 0)))
    places = shown(progress(plain=fell(found), smallest=searched(attempt(beyond)), points=points))["waypoints"]
    assert [place["distance"] for place in places] == [0, found.distance, beyond.distance]
    assert [(place["named"], place["fell"]) for place in places] == [("disc", False), ("ring", True), ("", False)]
    assert [place["turned"] for place in places] == [False, False, True]
    assert places[1]["votes_share"] == 60 / 64
    assert places[2]["votes_share"] is None  # those of its judge are not of this line
    assert [bar["leads"] for bar in places[1]["named_bars"]] == [
        bar["label"] == "ring" for bar in places[1]["named_bars"]
    ]


def test_an_attack_that_is_stopped_keeps_what_was_found() -> None:
    at = replace(progress(plain=fell(change(NEAR), step=4)), part="plain")
    seen = ended(at, crop(), TASK, attack_record(at))
    assert seen["state"] == "stopped"
    assert seen["marked"]["falls_at"] == change(NEAR).distance
    assert seen["record"] == attack_record(at)


def test_what_is_done_grows_from_step_to_step() -> None:
    parts: list[Any] = ["certify", "plain", "inside", "smallest", "points"]
    shares = [
        shown(replace(progress(), part=part, step=step, planned=2))["fraction"] for part in parts for step in (0, 1, 2)
    ]
    assert shares == sorted(shares)
    assert (shares[0], shown(progress())["fraction"]) == (0, 1)


def test_the_recording_is_of_a_fall_that_nobody_sees_inside_what_is_certified() -> None:
    """The first picture of the view: what it says in each language is of one attack, and no record comes with it."""
    recorded = json.loads(resource("assets", "attack.json").read_text("utf-8"))
    assert set(recorded) == {"original", "attacked", "said"}
    assert set(recorded["said"]) == set(LANGUAGES)
    for language, said in recorded["said"].items():
        marked, words = said["marked"], translations(language)
        unseen = "A change nobody sees turns the plain answer from {before} to {after}."
        assert said["sentence"].startswith(words.get(unseen, unseen).split("{")[0])
        assert 0 < marked["falls_at"] < marked["reach"] < marked["turns_at"]
        assert len(said["waypoints"]) == len(recorded["attacked"]) == len(set(recorded["attacked"]))
        assert all(one["turned"] is False for one in said["waypoints"] if one["distance"] < marked["reach"])
        assert next(one for one in said["waypoints"] if one["distance"] == marked["falls_at"])["fell"]
        assert set(said) < Attacked.__required_keys__
