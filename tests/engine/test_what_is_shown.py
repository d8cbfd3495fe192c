"""What *Certify* shows says what it is: right, wrong or unknown, with which settings, and whether it began again."""

from collections.abc import Generator
from pathlib import Path

import pytest

from psmooth import views
from psmooth.certificate import Plan, verify
from psmooth.interface import requests
from psmooth.interface.model_menu import check_choice
from psmooth.interface.requests import RunRequest
from psmooth.interface.settings import Settings
from psmooth.interface.steps import RunStep, certify_steps
from psmooth.smoothing import certification as engine
from psmooth.smoothing.certification import Progress
from psmooth.smoothing.request import Request
from psmooth.tasks import TASKS
from psmooth.views.records import checked
from psmooth.views.sentences import correctness
from tests.records import a_progress, a_result, a_run


def shown(truth: str | None, task: str = "own") -> views.Stage:
    result = a_result((900, 60, 40), "complete", a_run(task=task))
    return views.stage(a_progress(result, "done"), "template", 128, [], truth)


@pytest.mark.parametrize(
    ("truth", "task", "told"),
    [
        ("monocyte", "own", "right"),
        ("platelet", "own", "wrong"),
        ("nevus", "own", "unknown"),
        (None, "own", "unknown"),
        (None, "blood_cells", "unknown"),
        (TASKS["chest_xray"].class_names[0], "blood_cells", "wrong"),
        (TASKS["chest_xray"].class_names[0], "own", "unknown"),
    ],
)
def test_right_and_wrong_are_told_where_they_are_known(truth: str | None, task: str, told: str) -> None:
    stage = shown(truth, task)
    assert stage["truth"] == told
    assert stage["chart"]["wrong"] == (told == "wrong")
    assert "".join(stage["headline"]).startswith("Certified, and wrong") == (told == "wrong")
    assert ("not that it is right" in stage["aside"]) == (told == "wrong")
    assert ("wrong" in stage["announce"]) == (told == "wrong")


def test_an_abstention_is_neither_and_never_says_not_yet() -> None:
    result = a_result((400, 350, 250), "complete")
    stage = views.stage(a_progress(result, "done"), "template", 128, [], "platelet")
    assert correctness(result, "platelet") == stage["truth"] == ""
    said = [*stage["headline"], stage["sentence"], stage["radius"]["status"], stage["chart"]["between"], stage["line"]]
    assert not [text for text in said if "yet" in text]
    assert stage["chart"]["between"] == "not certified"


@pytest.mark.parametrize(
    ("counts", "advice"),
    [((6, 4, 0), "More votes"), ((500, 480, 20), "A lower noise level"), ((8, 1, 1), "More votes")],
)
def test_after_a_tiny_plan_more_votes_are_advised(counts: tuple[int, ...], advice: str) -> None:
    """Ten votes leave α = .001 nothing to say, however they fall; where a thousand are torn it is the noise."""
    run = a_run(plan=Plan(max_votes=sum(counts)))
    result = a_result(counts, "complete", run)
    assert advice in views.sentence(result)


def test_what_is_no_json_is_no_certificate_and_a_checked_one_shows_its_votes() -> None:
    assert checked(verify(b"a picture"))["headline"][0] == "This file is no certificate."
    result = a_result((900, 60, 40), "complete")
    told = checked(verify(result.to_json()))
    assert [row[2] for row in told["rows"]] == ["900", "60", "40"]
    assert [row[0] for row in told["rows"]] == list(result.run.class_names)


def test_a_run_that_began_again_tells_the_page_so_to_its_end(
    tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_that_fails(request: Request) -> Generator[Progress, None, None]:
        for look in whole(request):
            yield look
            if request.restarted is None:
                raise MemoryError

    whole = engine._run
    monkeypatch.setattr(engine, "_run", one_that_fails)
    weights = f"local-dir:{tiny_model_folder}"
    monkeypatch.setenv("PSMOOTH_MODELS", weights)
    settings = Settings(weights, "blood_cells", votes=400)
    steps = certify_steps(RunRequest(requests.example_scan(0), settings))
    notices = [step.stage()["notice"] for step in steps if isinstance(step, RunStep)]
    assert notices[0] == ""
    assert notices[-1].startswith("Memory ran out")
    assert notices == sorted(notices, key=bool), "from then on"


@pytest.mark.parametrize(("typed", "meant"), [("a/b", "hf-hub:a/b"), (" a-1/b.c@v1 ", "hf-hub:a-1/b.c@v1")])
def test_owner_and_name_alone_are_a_repository_of_the_hub(
    monkeypatch: pytest.MonkeyPatch, typed: str, meant: str
) -> None:
    monkeypatch.setenv("PSMOOTH_TYPED_MODELS", "1")
    assert check_choice(typed) == meant


def test_the_settings_of_a_run_go_with_what_it_shows(tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = f"local-dir:{tiny_model_folder}"
    monkeypatch.setenv("PSMOOTH_MODELS", weights)
    request = RunRequest(requests.example_scan(0), Settings(weights, "blood_cells", noise_level=0.5, votes=100))
    *_, last = certify_steps(request)
    assert isinstance(last, RunStep)
    shown = last.stage().get("settings", {})
    assert (shown["model"], shown["noise"], shown["votes"], shown["window_center"]) == (weights, 0.5, 100, None)
