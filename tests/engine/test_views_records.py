"""Runs on one scan are listed with what their chances of a false certificate come to; a file is checked in words."""

import json

from psmooth import views
from psmooth.certificate import Certificate, verify
from psmooth.views_records import checked, runs
from tests.engine.test_views import a_result


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
    assert "at most 1" in runs(results * 400)["title"], "a chance is never above 1"
    assert len(runs(results * 400)["rows"]) == 50


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
