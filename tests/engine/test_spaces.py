"""What makes a Space of the repository: its front matter, a lent card, a start with the variables that a Space sets."""

import os
import pickle
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from psmooth import session
from psmooth._model_table import MODELS
from psmooth.session import Enrolment, Order, Scene, Specimen
from psmooth.spaces import LONGEST, on_card, seconds_for
from psmooth.views import model_table

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def front() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "README.md").read_text("utf-8").split("---")[1])


def test_the_front_matter_names_what_is_tested_here(front: dict[str, Any]) -> None:
    constraints = (ROOT / "constraints.txt").read_text("utf-8")
    assert f"gradio=={front['sdk_version']}" in constraints.split()
    assert (ROOT / front["app_file"]).is_file()
    assert (ROOT / front["thumbnail"]).is_file()
    assert len(front["short_description"]) <= 60
    assert front["sdk"] == "gradio"


def test_what_is_preloaded_stands_in_the_model_table_at_the_same_commit(front: dict[str, Any]) -> None:
    known = {spec.weights.removeprefix("hf-hub:"): spec for spec in MODELS.values()}
    assert {line.split()[0] for line in front["preload_from_hub"]} == set(front["models"])
    for line in front["preload_from_hub"]:
        repo, files, commit = line.split()
        spec = known[f"{repo}@{commit}"]
        assert not spec.gated
        assert not spec.non_commercial
        assert set(files.split(",")) <= {*spec.files, *spec.weight_files}
        assert set(files.split(",")) & set(spec.weight_files)


def test_the_table_of_models_in_the_readme_is_the_registry() -> None:
    found = re.search(r"<!-- models -->\n(.*)\n<!-- /models -->", (ROOT / "README.md").read_text("utf-8"), re.S)
    assert found
    assert found[1] == model_table(list(MODELS.values()))


def test_more_votes_and_larger_models_ask_for_longer_and_never_for_too_long() -> None:
    assert seconds_for(1_000, 0) < seconds_for(100_000, 0) < seconds_for(100_000, 605) < seconds_for(100_000, 3_513)
    assert seconds_for(10**6, 3_513) == LONGEST


def counted(most: int) -> Iterator[int]:
    yield from range(most)


def test_away_from_zerogpu_nothing_is_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert on_card(counted, lambda _: 1) is counted  # type: ignore[arg-type, comparison-overlap]


def test_the_decorator_of_the_service_takes_a_generator_and_a_callable_duration() -> None:
    import spaces

    lend: Any = spaces.GPU
    lent = lend(duration=lambda _: 30)(counted)
    assert list(lent(3)) == [0, 1, 2]


def test_what_crosses_to_the_lent_card_can_be_pickled(scan: Any, tiny_model_folder: Path, monkeypatch: Any) -> None:
    weights = f"local-dir:{tiny_model_folder}"
    monkeypatch.setenv("PSMOOTH_MODELS", weights)
    order = Order(Specimen(scan), weights, "blood_cells", "", "", 0.25, 100, None, None, None)
    copied = pickle.loads(pickle.dumps(order))
    steps = list(session.scenes(copied))
    assert all(isinstance(pickle.loads(pickle.dumps(step)), Scene) for step in steps)
    compared = list(session.comparisons(copied))
    assert pickle.loads(pickle.dumps(compared[-1])).done  # type: ignore[union-attr]
    pickle.dumps(Enrolment(None, weights, "blood_cells", "", "", "few_shot", "none", 16))


def test_the_app_starts_with_the_variables_of_a_space_and_answers(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    space = {"SPACE_ID": "someone/psmooth", "SYSTEM": "spaces", "SPACE_HOST": "someone-psmooth.hf.space"}
    server = {"GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SERVER_PORT": str(port), "HF_HOME": str(tmp_path)}
    environment = {**os.environ, **space, **server, "HF_HUB_OFFLINE": "1", "BROWSER": "true"}
    output = (tmp_path / "output.txt").open("wb")
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        page = _page(f"http://127.0.0.1:{port}/", process)
    finally:
        process.kill()
        process.wait()
        output.close()
    assert "psmooth" in page
    assert "Not for clinical use" in page


def _page(address: str, process: subprocess.Popen[bytes]) -> str:
    for _ in range(600):
        assert process.poll() is None, "The app ended."
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            time.sleep(0.2)
    raise AssertionError("The app did not answer.")
