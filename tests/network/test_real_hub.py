"""The real Hub: a model of the table and a bank come from it as they would to anybody, and the table's pins still hold.

Nothing is skipped: without a network, or without PSMOOTH_TEST_BANKS, these tests fail and say so.
"""

import os
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from psmooth.certificate import Plan, verify
from psmooth.errors import HubError
from psmooth.hub import Hub
from psmooth.models import MODELS, load_model
from psmooth.models.table import ModelSpec
from psmooth.phantoms import draw_phantom
from psmooth.prompts.hub import bank_rows, pull
from psmooth.scans import open_scan
from psmooth.smoothing import certify, replay

SMALL = "plip"
PINNED = [spec for spec in MODELS.values() if spec.weights.startswith("hf-hub:") and "@" in spec.weights]
NOBODY = "http://127.0.0.1:9"  # the port of discard, where nothing answers


def place_of(spec: ModelSpec) -> tuple[str, str]:
    """Repository and commit."""
    repo, _, commit = spec.weights.removeprefix("hf-hub:").partition("@")
    return repo, commit


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty one: what is not fetched is not there."""
    return tmp_path_factory.mktemp("cache")


def test_a_model_of_the_table_is_fetched_certifies_and_comes_again_without_a_network(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = MODELS[SMALL]
    told: list[tuple[int, int]] = []
    model = load_model(SMALL, "cpu", lambda done, total: told.append((done, total)), hub=Hub(cache=cache))
    assert model.revision == place_of(spec)[1]
    assert told[-1][0] == told[-1][1] > 500_000_000, "all of it came over the network"
    scan = open_scan(draw_phantom("lung_colon_histology", "colon_adenocarcinoma", 0).pixels)
    plan = Plan(max_votes=64)
    *_, last = certify(model, scan, task="lung_colon_histology", plan=plan, seed=1, batch_size=16)
    result = last.results["template"]
    assert verify(result.to_json()).ok
    again = load_model(SMALL, "cpu", hub=Hub(endpoint=NOBODY, cache=cache))
    assert again.revision == model.revision
    monkeypatch.setattr("psmooth.smoothing.replaying.load_model", lambda *_, **__: again)
    assert (replay(result, scan).differing, replay(result, scan).ok) == (0, True)


@pytest.mark.parametrize("spec", PINNED, ids=lambda spec: spec.id)
def test_what_the_table_pins_is_still_there_with_the_sha256_on_record(spec: ModelSpec) -> None:
    repo, commit = place_of(spec)
    found = HfApi().model_info(repo, revision=commit, files_metadata=True)
    assert found.sha == commit
    sizes = {one.rfilename: (one.lfs.sha256 if one.lfs else None) for one in found.siblings or []}
    assert set(spec.weight_files) & sizes.keys()
    recorded = dict(spec.sha256)
    assert {name: sizes.get(name) for name in recorded} == recorded


def test_a_bank_is_pulled_from_the_hub_and_its_sha256_is_the_one_in_its_list(cache: Path, tmp_path: Path) -> None:
    repo = os.environ.get("PSMOOTH_TEST_BANKS", "")
    if not repo:
        pytest.fail("PSMOOTH_TEST_BANKS names no repository of banks; publish some with psmooth banks publish.", False)
    rows, commit = bank_rows(repo, hub=Hub(cache=cache))
    name = Path(rows[0]["file"]).stem
    (bank,) = pull(repo, commit, names=(name,), out=tmp_path, hub=Hub(cache=cache))
    assert (bank.sha256, bank.repo, bank.revision) == (rows[0]["sha256"], repo, commit)
    assert (tmp_path / rows[0]["file"]).is_file()


def test_a_repository_that_is_not_there_is_refused_in_a_sentence(cache: Path) -> None:
    with pytest.raises(HubError, match=r"does not exist, or it is private|There is no repository"):
        pull("psmooth-has-no-such-owner/psmooth-has-no-such-bank", hub=Hub(cache=cache, token=False))
