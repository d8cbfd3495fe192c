"""Runs on one scan are listed with what their chances of a false certificate come to; a file is checked in words."""

import json
import re
from typing import Any

import pytest

from psmooth import views
from psmooth.certificate import NOT_SHOWN, Abstention, Certificate, Run, verify
from psmooth.views.locale import LANGUAGES, Locale, translate, using_locale
from psmooth.views.records import checked, runs
from tests.records import a_result, a_run


def test_the_runs_on_a_scan_are_listed_with_their_joint_alpha() -> None:
    result = a_result((900, 60, 40), "complete")
    assert isinstance(result, Certificate)
    results = [result] * 3
    shown = runs(results)
    assert "3 runs" in shown["title"]
    assert "0.003" in shown["title"]
    assert len(shown["rows"]) == 3
    assert all(len(row) == len(shown["head"]) for row in shown["rows"])
    assert shown["rows"][0][-1] == views.radius_text(result.radius)
    assert runs(results * 400)["title"].endswith("at most 1"), "a chance is never above 1"
    assert len(runs(results * 400)["rows"]) == 50


def test_radii_of_the_two_kinds_of_guarantee_never_stand_in_one_column() -> None:
    plain = a_result((900, 60, 40), "complete")
    frozen = a_result((950, 30, 20), "complete", a_run(method="zero_shot", guarantee="frozen_prompt"))
    neither = a_result((340, 330, 330), "complete")
    assert isinstance(plain, Certificate)
    assert isinstance(frozen, Certificate)
    shown = runs([plain, frozen, neither])
    first, second = (views.radius_text(one.radius) for one in (plain, frozen))
    assert [row[-2:] for row in shown["rows"]] == [[first, ""], ["", second], ["–", ""]]
    assert shown["head"][-2:] == ["certified radius", "radius with this prompt frozen"]
    assert [row[1] for row in shown["rows"]] == ["hand-written", "zero-shot (frozen prompt)", "hand-written"]
    alone = runs([frozen, frozen])
    assert alone["head"][-1] == "radius with this prompt frozen"
    assert all(len(row) == len(alone["head"]) for row in alone["rows"])


def test_a_checked_file_of_a_frozen_prompt_is_marked_and_says_what_no_check_shows() -> None:
    run = a_run(method="zero_shot", guarantee="frozen_prompt")
    result = a_result((900, 60, 40), "complete", run)
    told = checked(verify(result.to_json().encode()))
    assert "badge" in told
    assert told["badge"] == views.badge_of(result)
    assert told["badge"]["kind"] == "frozen_prompt"
    assert views.guarantee_words_of(result)[1] in told["sentence"]
    for unseen, _ in NOT_SHOWN:
        assert unseen in told["sentence"].rpartition("Neither shows")[2]


@pytest.mark.parametrize("run", [a_run(), a_run(method="zero_shot", guarantee="frozen_prompt")])
def test_of_an_abstention_no_certificate_is_said_to_hold(run: Run) -> None:
    result = a_result((340, 330, 330), "complete", run)
    assert isinstance(result, Abstention)
    told = checked(verify(result.to_json()))
    assert views.sentence(result) in told["sentence"]
    assert views.guarantee_words_of(result)[1] not in told["sentence"]
    assert not told.get("badge")
    report = views.report(result, 128)
    assert not any("holds" in text for _, text in report["rows"])
    certified = views.report(a_result((900, 60, 40), "complete", run), 128)
    assert [row for row in certified["rows"] if "holds" in row[1]] == certified["rows"][:1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_no_check_shows_is_listed_in_every_language(language: str) -> None:
    result = a_result((900, 60, 40), "complete")
    with using_locale(Locale(language)):
        told = checked(verify(result.to_json()))["sentence"]
        listed = [translate(words) for words, _ in NOT_SHOWN]
    assert all(words in told for words in listed)
    assert (set(listed) == {words for words, _ in NOT_SHOWN}) == (language == "en")


def test_a_problem_is_told_with_as_many_digits_as_it_takes() -> None:
    record = json.loads(a_result((900, 60, 40), "complete").to_json())
    for change, digits in ((0.5, 4), (1e-7, 9)):
        altered = {**record, "radius": record["radius"] + change}
        (problem,) = [words for field, words in verify(altered).problems if field == "radius"]
        told, right = re.findall(r"\d+\.\d+", problem)
        assert told != right
        assert max(len(told), len(right)) <= digits + 2


def test_a_class_name_that_stands_twice_is_refused_in_words() -> None:
    record = json.loads(a_result((900, 60, 40), "complete").to_json())
    doubled = {**record, "class_names": [record["class_names"][0]] * len(record["class_ids"])}
    assert "class_names names a class twice" in checked(verify(doubled))["sentence"]


def test_a_sound_file_says_its_sentence_again_and_an_altered_one_names_the_field() -> None:
    result = a_result((900, 60, 40), "complete")
    sound = checked(verify(result.to_json().encode()))
    assert views.sentence(result) in sound["sentence"]
    assert sound["state"] == "idle"
    record = json.loads(result.to_json())
    record["radius"] += 0.01
    altered = checked(verify(record))
    assert altered["state"] == "failed"
    assert "radius" in altered["sentence"]


# --- what the scan looked like, in a file that anybody may have written

CHECK = {
    "basis": "statistics", "kind": "breast_ultrasound", "likely_task": "breast_ultrasound", "known": True,
    "distance": 0.4, "confident": True, "fits": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("task", "check", "said"),
    [
        ("blood_cells", {}, "Looks like a breast ultrasound. The task “blood cells” is about others."),
        ("blood_cells", {"kind": None, "known": False}, "This scan is unlike any that the model was made for."),
        ("blood_cells", {"kind": "<img src=x onerror=alert(1)>"}, "a kind of picture that has no name here"),
        ("<img src=x>", {}, "The task “<img src=x>” is about others."),
        ("own", {"basis": "prompts", "kind": "toString", "known": False}, "a kind of picture that has no name here"),
        ("blood_cells", {"likely_task": "__proto__", "distance": 1e308}, "Looks like a breast ultrasound."),
        ("blood_cells", {"fits": True, "kind": "<b>"}, ""),
    ],
)
def test_a_checked_file_says_where_its_scan_is_none_for_its_question_whatever_is_written_there(
    task: str, check: dict[str, Any], said: str
) -> None:
    result = a_result((900, 60, 40), "complete", a_run(task=task, scan_check={**CHECK, **check}))
    assert said in views.doubt(result.run)
    assert bool(views.doubt(result.run)) == bool(said)
    assert said in checked(verify(result.to_json()))["sentence"]
    for language in LANGUAGES:
        with using_locale(Locale(language)):
            assert views.doubt(result.run) in checked(verify(result.to_json()))["sentence"]


@pytest.mark.parametrize("distance", ["NaN", "Infinity", "1e999", "-1", '"far"', "[]"])
def test_a_distance_that_is_none_is_refused_in_words(distance: str) -> None:
    text = a_result((900, 60, 40), "complete", a_run(scan_check=CHECK)).to_json()
    forged = text.replace('"distance": 0.4', f'"distance": {distance}')
    assert forged != text
    told = checked(verify(forged))
    assert told["state"] == "failed"
    assert told["sentence"]
