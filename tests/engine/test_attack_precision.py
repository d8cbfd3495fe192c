"""Attacks on an encoder that lets no gradient pass: the same network's in float32 lead, what is certified judges."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from psmooth.attack import attack, attack_record, find_target
from psmooth.attack.attacking import QUICK
from psmooth.attack.plain import attack_plain
from psmooth.attack.reading import check_attack, whole_attacks
from psmooth.certificate import Plan
from psmooth.command_line.run import main
from psmooth.models import FAST, MedVLM, is_fast_here, load_model, on_runtime
from psmooth.phantoms import draw_phantom
from psmooth.scans import crop_scan, open_scan
from psmooth.smoothing.records import RECORDS, read_runs

pytestmark = pytest.mark.skipif(not is_fast_here(), reason="no OpenVINO, or a processor without bfloat16")

ASKED: dict[str, Any] = {"task": "blood_cells", "plan": Plan(max_votes=100), "seed": 1, "batch_size": 16}


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> MedVLM:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return on_runtime(load_model("pocket", "cpu"), FAST)


@pytest.mark.parametrize("seed", range(3))
def test_a_fall_of_the_plain_model_is_one_of_the_encoder_that_answers(fast: MedVLM, seed: int) -> None:
    """Values are put back until the answer hangs by a hair: another rounding of the network may not fall there."""
    crop = crop_scan(open_scan(draw_phantom("blood_cells", "monocyte", seed=seed).pixels), fast.crop_rule)
    target = find_target(fast, crop, **ASKED)
    *_, last = attack_plain(target, steps=12)
    assert last.found is not None, "what the search takes for a fall, the last word does too"
    assert last.named == target.answer(last.found.crop) != last.answer


def test_a_record_says_whose_gradients_were_followed(fast: MedVLM) -> None:
    crop = crop_scan(open_scan(draw_phantom("blood_cells", "monocyte", seed=3).pixels), fast.crop_rule)
    for model, gradients in ((fast, "float32"), (on_runtime(fast, "float32"), None)):
        record: dict[str, Any] = {}
        for progress in attack(find_target(model, crop, **ASKED), QUICK):
            if progress.result is not None and progress.plain is not None:
                record = attack_record(progress)
                break
        assert record["certificate"]["precision"] == model.precision
        assert record.get("gradients") == gradients
        told = record["certificate"]
        named = {"predicted": told["predicted"], "counts": told["counts"], "radius": record["radius"]}
        check_attack(record, {**told, **named}, fast.input_size, "attack.json")


def test_the_command_attacks_a_folder_in_a_precision_and_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("monocyte", "platelet"):
        (tmp_path / "scans" / name).mkdir(parents=True)
        Image.fromarray(draw_phantom("blood_cells", name, seed=3).pixels).save(tmp_path / "scans" / name / "a.png")
    out, kept = str(tmp_path / "out"), torch.get_num_threads()
    asked = ["attack", str(tmp_path / "scans"), "--class-names", "monocyte; platelet", "--model", "pocket"]
    asked += ["--precision", FAST, "--votes", "100", "--quick", "--plain-steps", "4", "--halvings", "0", "--out", out]
    with pytest.raises(SystemExit) as ended:
        main(asked)
    torch.set_num_threads(kept)
    assert not ended.value.code
    (facts,) = read_runs(Path(out)).values()
    assert (facts["precision"], facts["attack"]["gradients"]) == (FAST, "float32")
    assert len(whole_attacks(Path(out) / RECORDS)) == 2
    assert FAST in json.dumps(json.loads((Path(out) / "summary.json").read_text("utf-8")))
