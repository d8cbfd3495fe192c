"""Another runtime than torch's encodes the same, each copy alone, and stands in what it certified."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import metadata, util
from typing import Any, get_args

import pytest
import torch
from torch.nn.functional import normalize

from psmooth import runtime
from psmooth.certificate import Plan, read_certificate, verify
from psmooth.command_line.options import Precision
from psmooth.errors import CertificateError, ModelError
from psmooth.models import HALF, ON_OPENVINO, PRECISIONS, MedVLM, load_model, on_runtime, runtimes
from psmooth.phantoms import draw_phantom
from psmooth.scans import open_scan
from psmooth.smoothing import certify, replay
from psmooth.smoothing.certification import drawn_votes, resolve
from psmooth.smoothing.evaluation import EvaluationPlan, evaluate
from psmooth.smoothing.records import read_runs, whole_records
from psmooth.tasks import find_task

needs_openvino = pytest.mark.skipif(util.find_spec("openvino") is None, reason="OpenVINO is not installed")


@pytest.fixture(scope="module")
def pocket():
    return load_model("pocket-noisy", "cpu")


@pytest.fixture(scope="module")
def scan():
    return open_scan(draw_phantom("blood_cells", "monocyte", seed=3).pixels)


@pytest.fixture(scope="module", params=ON_OPENVINO)
def fast(request, tmp_path_factory, pocket):
    """The pocket model on each runtime; bfloat16 where the processor has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        try:
            return on_runtime(pocket, request.param)
        except ModelError as error:
            if "does not compute" not in str(error):
                raise
            pytest.skip(str(error))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "psmooth" / "openvino"


def copies(number: int, seed: int = 3) -> torch.Tensor:
    """Noise as at σ = 1, with some copies far outside: a scale that were the batch's would follow them."""
    drawn = torch.randn(number, 3, 128, 128, generator=torch.Generator().manual_seed(seed)) + 0.5
    drawn[::5] *= 100
    return drawn


# --- what needs no OpenVINO


def test_the_command_line_names_every_precision():
    assert get_args(get_args(Precision)[0]) == PRECISIONS


def test_a_precision_that_is_not_known_is_refused():
    with pytest.raises(ModelError, match="no precision 'float64'; it must be one of float32, openvino-float32"):
        load_model("pocket", precision="float64")


def test_a_missing_runtime_is_named_with_how_to_get_it(monkeypatch):
    monkeypatch.setattr(runtimes.util, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"OpenVINO, which is not installed here: pip install 'psmooth\[fast\]'"):
        load_model("pocket", precision="openvino-float32")


def test_another_device_is_refused():
    with pytest.raises(ModelError, match="runs on the processor, not on 'cuda'"):
        load_model("pocket", "cuda", precision="openvino-bfloat16")


@pytest.mark.parametrize("device", ["cpu", None])
def test_half_precision_is_for_a_card(monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match="'torch-float16' runs on an NVIDIA card alone"):
        load_model("pocket", device, precision=HALF)


def test_half_precision_is_another_classifier_whose_copies_are_strangers_to_each_other(pocket):
    """torch's processor computes in float16 too, if slowly."""
    half = replace(pocket, encode=runtimes.in_half(pocket.encode, pocket.device), precision=HALF)
    pixels = copies(8)
    others = torch.cat([pixels[:1], copies(8, seed=4)[1:]])
    with torch.inference_mode():
        found = half.embed_images(pixels)
        assert torch.equal(found[0], half.embed_images(others)[0])
        assert 1e-5 < (found - pocket.embed_images(pixels)).abs().max() < 0.05
    assert found.dtype == torch.float32


def test_who_does_not_ask_gets_torch_alone():
    """Nothing of another runtime is imported, and a certificate says what it always said."""
    script = (
        "import sys; from psmooth.models import load_model; m = load_model('pocket', 'cpu');"
        "print(m.precision, m.encode == m.network.encode_image, m.differentiable, 'openvino' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["float32", "True", "None", "False"]


def test_a_certificate_of_a_runtime_that_is_not_here_is_not_replayed(pocket, scan, monkeypatch):
    *_, last = certify(pocket, scan, task="blood_cells", plan=Plan(max_votes=32), seed=1, batch_size=16)
    record = last.results["template"]
    monkeypatch.setattr(runtimes.util, "find_spec", lambda _: None)
    for precision, sentence in (("openvino-bfloat16", "pip install"), ("abacus-int3", "cannot run 'abacus-int3'")):
        other = replace(record, run=replace(record.run, precision=precision))
        assert verify(other.to_dict()).ok
        with pytest.raises((ModelError, CertificateError), match=sentence):
            replay(other, scan)


# --- each copy alone


@needs_openvino
def test_the_batch_mates_of_a_copy_change_nothing(fast):
    """Whoever stands beside it, wherever it stands, and however many they are: bit for bit."""
    first, second = copies(32), copies(32, seed=4)
    alone = fast.embed_images(first)
    assert torch.equal(fast.embed_images(first), alone), "deterministic"
    for place in (0, 5, 7, 16, 31):
        mixed = torch.cat([second[:place], first[place : place + 1], second[place + 1 :]])
        assert torch.equal(fast.embed_images(mixed)[place], alone[place])
        assert torch.equal(fast.embed_images(first[place : place + 1])[0], alone[place])
    order = torch.randperm(32, generator=torch.Generator().manual_seed(5))
    assert torch.equal(fast.embed_images(first[order]), alone[order])
    for size in (1, 3, 8, 13, 32):
        assert torch.equal(torch.cat([fast.embed_images(part) for part in first.split(size)]), alone)


@needs_openvino
def test_a_copy_that_is_no_number_spoils_no_other(fast):
    good, spoilt = copies(8), copies(8)
    spoilt[3] = float("nan")
    kept = [row for row in range(8) if row != 3]
    assert torch.equal(fast.embed_images(spoilt)[kept], fast.embed_images(good)[kept])


@needs_openvino
def test_votes_do_not_depend_on_the_batch_size_or_the_workers(fast, scan):
    def votes(batch: int) -> torch.Tensor:
        request = resolve(fast, scan, task="blood_cells", noise_level=0.5, seed=7, batch_size=batch)
        return drawn_votes(request, "template", "estimate", 96)

    wanted = votes(32)
    assert all(torch.equal(votes(batch), wanted) for batch in (1, 5, 16, 96))


# --- the same function


@needs_openvino
def test_float32_is_the_network(pocket, fast):
    close = (fast.embed_images(copies(32)) - pocket.embed_images(copies(32))).abs().max()
    assert close <= 1e-5 if fast.precision.endswith("float32") else 1e-4 < close < 0.1


@needs_openvino
@pytest.mark.parametrize("fast", ["openvino-float32"], indirect=True)
def test_float32_moves_at_most_a_vote_in_a_thousand(pocket, fast, scan):
    def votes(model: MedVLM) -> torch.Tensor:
        request = resolve(model, scan, task="blood_cells", noise_level=1.0, seed=7, batch_size=32)
        return drawn_votes(request, "template", "estimate", 1000)

    wanted = votes(pocket)
    assert (votes(fast) != wanted).sum() <= 1
    assert len(wanted.unique()) > 1


@needs_openvino
def test_gradients_go_through_torch(pocket, fast):
    found = []
    for model in (pocket, fast):
        pixels = copies(2).requires_grad_()
        model.embed_images_with_gradients(pixels)[:, 0].sum().backward()
        found.append(pixels.grad)
    assert torch.equal(*found)
    assert on_runtime(fast, "float32").encode == pocket.encode


@needs_openvino
def test_no_scale_is_taken_while_it_runs(fast):
    compiled: Any = fast.encode._compiled
    assert int(compiled.get_property("DYNAMIC_QUANTIZATION_GROUP_SIZE")) == 0


# --- what is written down


@needs_openvino
def test_a_certificate_says_how_it_ran_and_is_replayed_so(fast, scan, tmp_path, monkeypatch):
    *_, last = certify(fast, scan, task="blood_cells", plan=Plan(max_votes=200), seed=1, batch_size=32)
    last.results["template"].save(tmp_path / "c.json")
    record = read_certificate(tmp_path / "c.json")
    assert record.run.precision == fast.precision
    assert record.run.versions["openvino"] == metadata.version("openvino")
    asked = []
    monkeypatch.setattr("psmooth.smoothing.replaying.load_model", lambda *_, precision: asked.append(precision) or fast)
    again = replay(record, scan)
    assert (again.ok, again.differing, asked) == (True, 0, [fast.precision])


@needs_openvino
def test_another_version_is_named_where_votes_differ(fast, scan, monkeypatch):
    *_, last = certify(fast, scan, task="blood_cells", plan=Plan(max_votes=200), seed=1, batch_size=32)
    record = last.results["template"]
    counts = (record.votes.counts[0] + 9, *record.votes.counts[1:])
    run = replace(record.run, versions={**record.run.versions, "openvino": "1.0"})
    altered = replace(record, run=run, votes=replace(record.votes, counts=counts))
    monkeypatch.setattr("psmooth.smoothing.replaying.load_model", lambda *_, **__: fast)
    here = metadata.version("openvino")
    assert ("versions", f"The run had openvino 1.0; here is {here}.") in replay(altered, scan).problems


@needs_openvino
def test_an_evaluation_never_adds_up_two_precisions(pocket, fast, tmp_path):
    folder, out = tmp_path / "monocyte", tmp_path / "out"
    folder.mkdir()
    file = folder / "cell.png"
    from PIL import Image

    Image.fromarray(draw_phantom("blood_cells", "monocyte", seed=3).pixels).save(file)
    asked = EvaluationPlan(find_task("blood_cells"), ("template",), ("none",), (0.25,), Plan(max_votes=32))
    for model in (pocket, fast, fast):
        list(evaluate(model, [(file, "monocyte")], asked, out))
    records, runs = whole_records(out / "records.jsonl"), read_runs(out)
    assert [runs[record["run"]].get("precision") for record in records] == [None, fast.precision]


@needs_openvino
def test_a_trial_is_remembered_for_each_precision(pocket, fast, cache, monkeypatch):
    monkeypatch.setattr(runtime, "trial", lambda _, cores: ((16, cores), True))
    monkeypatch.setattr(runtime, "_disturbed", {})
    threads = torch.get_num_threads()
    for model in (pocket, fast):
        runtime.best_batch_size(model)
    torch.set_num_threads(threads)
    plain, other = json.loads((cache.parent / "trials.json").read_text())
    assert other == f"{plain}/{fast.precision} {metadata.version('openvino')}"


# --- what is kept


@pytest.fixture
def exports(monkeypatch):
    """How often a network was exported."""
    made: list[int] = []
    export = runtimes._export
    monkeypatch.setattr(runtimes, "_export", lambda *given: made.append(1) or export(*given))
    return made


@needs_openvino
def test_an_export_is_kept_and_taken_again(tiny_model, cache, exports):
    vectors = [on_runtime(tiny_model, "openvino-float32").embed_images(torch.rand(3, 3, 32, 32)) for _ in range(2)]
    assert len(exports) == 1
    assert vectors[0].shape == vectors[1].shape
    (kept,) = cache.iterdir()
    assert sorted(file.name for file in kept.iterdir()) == ["encoder.bin", "encoder.xml", "facts.json"]


@needs_openvino
@pytest.mark.parametrize("harm", ["cut", "altered", "missing", "rubbish", "other network"])
def test_what_is_not_whole_is_made_anew(tiny_model, cache, exports, harm):
    on_runtime(tiny_model, "openvino-float32")
    (kept,) = cache.iterdir()
    weights, facts = kept / "encoder.bin", kept / "facts.json"
    if harm == "cut":
        weights.write_bytes(weights.read_bytes()[:-1])
    elif harm == "altered":
        weights.write_bytes(b"\1" + weights.read_bytes()[1:])
    elif harm == "missing":
        weights.unlink()
    elif harm == "rubbish":
        facts.write_text("[]")
    else:
        found = json.loads(facts.read_text())
        found["probe"][0][0] += 0.01
        facts.write_text(json.dumps(found))
    again = on_runtime(tiny_model, "openvino-float32")
    assert len(exports) == 2
    pixels = torch.rand(3, 3, 32, 32)
    assert torch.allclose(again.embed_images(pixels), tiny_model.embed_images(pixels), atol=1e-5)
    on_runtime(tiny_model, "openvino-float32")
    assert len(exports) == 2


@needs_openvino
def test_other_weights_and_other_layers_have_another_place(tiny_model):
    import copy

    before = runtimes.weights_sha256(tiny_model.network)
    other = copy.deepcopy(tiny_model.network)
    next(other.visual.parameters()).add_(1e-3)  # type: ignore[union-attr]
    assert runtimes.weights_sha256(other) != before
    other = copy.deepcopy(tiny_model.network)
    other.visual.ln_post.eps = 0.1  # type: ignore[union-attr]
    assert runtimes.weights_sha256(other) != before


@needs_openvino
def test_exports_of_older_versions_go(tiny_model, cache, monkeypatch):
    on_runtime(tiny_model, "openvino-float32")
    (old,) = cache.iterdir()
    shutil.copytree(old, old.with_name("f" * 32 + "-0"))
    monkeypatch.setattr(runtimes, "_EXPORT", 2)
    on_runtime(tiny_model, "openvino-float32")
    names = {kept.name for kept in cache.iterdir()}
    assert old.name not in names
    assert len(names) == 2, "that of other weights stays"


@needs_openvino
def test_a_cache_that_cannot_be_written_does_no_harm(tiny_model, cache):
    cache.parent.write_text("a file where the folder should be")
    pixels = torch.rand(2, 3, 32, 32)
    found = on_runtime(tiny_model, "openvino-float32").embed_images(pixels)
    assert torch.allclose(found, tiny_model.embed_images(pixels), atol=1e-5)


@needs_openvino
def test_an_export_that_is_another_function_is_refused(tiny_model, cache, monkeypatch):
    probe = normalize(torch.tensor([[1.0, 0.9], [1.0, 0.9]]), dim=-1)
    for wrong in (normalize(torch.ones(2, 2), dim=-1), torch.full((2, 2), torch.nan)):
        with pytest.raises(ModelError, match="another function"):
            runtimes._check(wrong, probe)
    monkeypatch.setattr(runtimes, "WITHIN", -1.0)
    with pytest.raises(ModelError, match="another function"):
        on_runtime(tiny_model, "openvino-float32")
    assert not cache.exists(), "nothing is kept of it"


@needs_openvino
@pytest.mark.usefixtures("cache")
def test_a_processor_without_the_format_is_told(tiny_model, monkeypatch):
    class Another:
        def __init__(self, compiled: Any) -> None:
            self.create_infer_request = compiled.create_infer_request

        def get_property(self, _name: str) -> str:
            return "another"

    core = runtimes._core()

    class Core:
        read_model = staticmethod(core.read_model)

        def compile_model(self, *given: Any) -> Another:
            return Another(core.compile_model(*given))

    monkeypatch.setattr(runtimes, "_core", Core)
    with pytest.raises(ModelError, match="does not compute as 'openvino-"):
        on_runtime(tiny_model, "openvino-bfloat16")


@needs_openvino
def test_nobody_is_told_of_the_import():
    """OpenVINO comes with a package that writes to a service of its maker's; it is not loaded."""
    script = (
        "import sys; from psmooth.models import load_model; load_model('pocket', precision='openvino-float32');"
        "print([name for name in sys.modules if name.startswith('openvino_telemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
