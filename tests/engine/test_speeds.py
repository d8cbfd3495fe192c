"""A run may be fast where the server can: another classifier, which every view names, never one in place of another."""

from collections.abc import Iterator
from dataclasses import astuple, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr
import pytest
import torch

from psmooth.certificate import read_certificate, verify
from psmooth.command_line.run import main
from psmooth.errors import ModelError
from psmooth.interface import handlers, model_menu, page, requests
from psmooth.interface.model_menu import Download
from psmooth.interface.requests import RunRequest, TrainingRequest
from psmooth.interface.session import Session
from psmooth.interface.settings import CONTROLS, KEYS, Settings
from psmooth.interface.steps import AttackStep, RunStep, attack_steps, certify_steps, compare_steps, training_steps
from psmooth.models import FAST, TORCH, is_fast_here, runtimes
from psmooth.smoothing import Comparison, replay
from psmooth.views import compare as views_compare
from psmooth.views import records as views_records
from tests.records import a_result

needs_fast = pytest.mark.skipif(not is_fast_here(), reason="no OpenVINO, or a processor without bfloat16")


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    """What a server can is found out once; each test asks."""
    model_menu.offers_fast.cache_clear()
    yield
    model_menu.offers_fast.cache_clear()


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_menu, "is_fast_here", lambda: True)
    monkeypatch.setattr(model_menu, "find_device", lambda _: torch.device("cpu"))


@pytest.fixture
def menu(tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A menu with a model of random weights, and a cache of its own for its export."""
    weights = f"local-dir:{tiny_model_folder}"
    monkeypatch.setenv("PSMOOTH_MODELS", weights)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return weights


def a_request(model: str, **settings: Any) -> RunRequest:
    return RunRequest(requests.example_scan(0), Settings(model, "blood_cells", votes=100, **settings))


# --- what a server can


@pytest.mark.usefixtures("offered")
def test_fast_is_offered_where_models_are_on_a_processor_that_computes_bfloat16(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert model_menu.offers_fast()
    for name, found in (
        ("is_fast_here", lambda: False),
        ("find_device", lambda _: torch.device("cuda")),
        ("on_zero_gpu", lambda: True),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(model_menu, name, found)
            model_menu.offers_fast.cache_clear()
            assert not model_menu.offers_fast()


@pytest.mark.parametrize("offers", [True, False])
def test_the_choice_is_shown_where_it_is_offered_and_the_page_opens_as_usual(
    monkeypatch: pytest.MonkeyPatch, offers: bool
) -> None:
    monkeypatch.setattr("psmooth.interface.controls.offers_fast", lambda: offers)
    with gr.Blocks():
        laid_out = page.lay_out()
    assert (laid_out.speed.visible, laid_out.speed.value) == (offers, "usual")


def test_a_link_that_asks_for_what_the_server_cannot_shows_the_choice_and_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, menu: str
) -> None:
    monkeypatch.setattr(model_menu, "offers_fast", lambda: False)
    visitor, place = Session(), [*KEYS].index("speed") - len(KEYS)
    query = {"speed": "fast", "model": menu, "task": "blood_cells", "example": "0"}
    for restored in (
        handlers.restore(visitor, SimpleNamespace(query_params=query, headers={})),  # type: ignore[arg-type]
        handlers.go_back(visitor, gr.EventData(None, {"query": "&".join(f"{key}={query[key]}" for key in query)})),
    ):
        assert (restored[place].value, restored[place].visible) == ("fast", True)
    handlers.begin(visitor, *astuple(Settings(menu, "blood_cells", speed="fast")))
    (shown, _) = next(handlers.Certify.follow(visitor))
    assert shown["state"] == "failed"
    assert shown["sentence"].startswith("This server cannot run fast")


@pytest.mark.usefixtures("offered")
def test_a_speed_that_is_none_and_a_model_that_is_typed_in_are_refused(
    monkeypatch: pytest.MonkeyPatch, menu: str
) -> None:
    monkeypatch.setenv("PSMOOTH_TYPED_MODELS", "1")
    model_menu.check_speed(menu, "fast")
    none: Any = None  # as a program may send it
    refused = ((menu, "warp", "one of usual, fast"), (menu, none, "no speed 'None'"), ("a/b", "fast", "speed alone"))
    for choice, speed, sentence in refused:
        with pytest.raises(ModelError, match=sentence):
            model_menu.check_speed(choice, speed)
        with pytest.raises(ModelError, match=sentence):
            next(certify_steps(a_request(choice, speed=speed)))
    model_menu.check_speed("a/b", "usual")


def test_openvino_that_is_missing_broken_or_would_only_imitate_is_not_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        raise ImportError

    imitating = SimpleNamespace(get_property=lambda *_: "float32")
    for name, found in (
        ("util", SimpleNamespace(find_spec=lambda _: None)),
        ("_core", broken),
        ("_core", lambda: imitating),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(runtimes, name, found)
            assert not is_fast_here.__wrapped__()


# --- a fast run


@needs_fast
def test_a_fast_run_says_so_wherever_its_certificate_is_shown(menu: str, tmp_path: Path) -> None:
    *_, last = certify_steps(a_request(menu, speed="fast"))
    assert isinstance(last, RunStep)
    stage, run = last.stage(), last.outcome().run
    named = f"{FAST} (openvino {run.versions['openvino']})"
    assert run.precision == FAST
    assert ["Encoder", named] in stage["facts"]
    assert stage["report"]
    assert ["Encoder", named] in stage["report"]["rows"]
    assert stage.get("settings", {})["speed"] == "fast", "a link to what is shown"
    (tmp_path / "c.json").write_text(stage["certificate"] or "", "utf-8")
    checked = views_records.checked(verify((tmp_path / "c.json").read_bytes()))
    assert f"Encoded in {named}" in checked["sentence"]
    assert replay(read_certificate(tmp_path / "c.json"), requests.example_scan(0).scan).ok


@needs_fast
def test_the_same_model_as_usual_is_another_run_in_the_list(menu: str) -> None:
    runs = [[*certify_steps(a_request(menu, speed=speed))][-1] for speed in ("usual", "fast", "usual")]
    assert all(isinstance(step, RunStep) for step in runs)
    listed = views_records.runs([step.outcome() for step in runs if isinstance(step, RunStep)])["rows"]
    assert [FAST in row[0] for row in listed] == [False, True, False]


def test_what_torch_computes_is_not_named() -> None:
    plain = a_result((900, 60, 40))
    listed = views_records.runs([plain, replace(plain, run=replace(plain.run, precision="tf32"))])["rows"]
    assert listed[0] == listed[1]


@needs_fast
def test_compare_and_attack_are_fast_too_and_prompts_are_learned_as_usual(
    menu: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    *_, compared = compare_steps(replace(a_request(menu, speed="fast"), every_method=True))
    assert isinstance(compared, Comparison)
    assert {one.run.precision for one in compared.outcomes()} == {FAST}
    assert f"Encoded in {FAST}" in views_compare.comparison(compared)["sentence"]
    attacked = next(
        step for step in attack_steps(a_request(menu, speed="fast")) if isinstance(step, AttackStep) and step.outcome()
    )
    assert f"encoded in {FAST}" in attacked.shown()["about"]
    asked: list[str] = []

    def learning(model: Any, *_: Any, **__: Any) -> Iterator[Any]:
        asked.append(model.precision)
        yield from ()

    monkeypatch.setattr("psmooth.interface.steps.learn_and_score", learning)
    list(training_steps(TrainingRequest(None, Settings(menu, "blood_cells", speed="fast", shots=1))))
    assert asked == [TORCH]


@needs_fast
def test_a_model_is_exported_once_on_all_cores_and_its_fast_form_goes_with_it(
    tiny_model: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before, seen = torch.get_num_threads(), list[int]()
    made = model_menu.on_runtime
    monkeypatch.setattr(model_menu, "on_runtime", lambda *given: seen.append(torch.get_num_threads()) or made(*given))
    model = replace(tiny_model)
    torch.set_num_threads(1)
    forms = {model_menu._fast_form(model) for _ in range(2)}
    torch.set_num_threads(before)
    assert seen == [min(model_menu.usable_cores(), model_menu.threads_given())]
    assert {form.precision for form in forms} == {FAST}
    held = len(model_menu._faster)
    del model
    assert len(model_menu._faster) == held - 1


def test_the_speed_stands_in_the_address_and_among_the_controls() -> None:
    assert KEYS["speed"] == "speed"
    assert "speed" in CONTROLS


@needs_fast
def test_who_waits_for_an_export_is_told_that_something_is_made_ready_and_no_longer_of_a_place(
    menu: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_menu, "_faster", WeakKeyDictionary())
    request, fast = a_request(menu), a_request(menu, speed="fast")
    assert not [step for step in certify_steps(request) if step == Download(0, 0)], "as usual nothing is exported"
    waited = [[step for step in steps(fast) if isinstance(step, Download)] for steps in (certify_steps, attack_steps)]
    assert waited == [[Download(0, 0)], []], "made once"


@needs_fast
def test_verify_on_the_command_line_names_the_encoder(
    menu: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for speed in ("usual", "fast"):
        *_, last = certify_steps(a_request(menu, speed=speed))
        assert isinstance(last, RunStep)
        last.outcome().save(tmp_path / f"{speed}.json")
        with pytest.raises(SystemExit, match="0"):
            main(["verify", str(tmp_path / f"{speed}.json")])
        assert (f"Encoded in {FAST}" in capsys.readouterr().out) == (speed == "fast")
