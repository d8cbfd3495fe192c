"""Every format gives the features of its original implementation, strictly loaded, and takes context vectors."""

import json
import pickle
import shutil
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from importlib import util
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from psmooth.errors import ModelError
from psmooth.models import MODELS, MedVLM, load_model, on_runtime
from psmooth.tasks import TASKS
from tests.hub.families import FAMILIES, TEXTS, Original, clip_of_open_clip, clip_of_transformers, clip_with_bert

NAMES = ["viral pneumonia", "normal lungs", "benign tissue"]
TEMPLATE = "a chest X-ray showing {}."


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("families")


@pytest.fixture(scope="module")
def loaded(folders: Path) -> dict[str, tuple[Original, MedVLM, Path]]:
    """Each family: its original, what psmooth loads from the files, and the folder."""
    found = {}
    for number, (name, make) in enumerate(FAMILIES.items()):
        folder = folders / str(number)
        found[name] = make(folder), load_model(f"local-dir:{folder}", device="cpu"), folder
    return found


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest, loaded: dict[str, tuple[Original, MedVLM, Path]]):
    return loaded[request.param]


# --- parity


def test_images_have_the_features_of_the_original(family):
    original, model, _ = family
    assert model.input_size == original.size
    pixels = torch.rand(3, 3, original.size, original.size, generator=torch.Generator().manual_seed(1))
    found, wanted = model.embed_images(pixels), original.embed_images(pixels)
    assert (wanted[0] - wanted[1]).abs().max() > 1e-3, "the original tells images apart"
    assert (found - wanted).abs().max() < 1e-5


def test_sentences_have_the_features_of_the_original(family):
    original, model, _ = family
    found, wanted = model.embed_texts(TEXTS), original.embed_texts(TEXTS)
    assert (wanted[0] - wanted[1]).abs().max() > 1e-3, "the original tells sentences apart"
    assert (found - wanted).abs().max() < 1e-5


def test_the_logit_scale_is_that_of_the_original(family):
    original, model, _ = family
    assert model.logit_scale == pytest.approx(original.network.logit_scale.detach().exp().item(), rel=1e-6)


def test_the_network_is_frozen_and_evaluates(family):
    _, model, _ = family
    assert not any(module.training for module in model.network.modules())
    assert not any(value.requires_grad for value in model.network.parameters())


@pytest.mark.skipif(util.find_spec("openvino") is None, reason="OpenVINO is not installed")
@pytest.mark.parametrize("name", FAMILIES)
def test_openvino_has_the_features_of_the_network_or_refuses(loaded, tmp_path, monkeypatch, name):
    """The tiny BERT models resize their positions in every pass, by a kernel of torch that OpenVINO has otherwise."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    original, model, _ = loaded[name]
    if "BERT" in name or name.startswith("BiomedCLIP"):
        with pytest.raises(ModelError, match="another function"):
            on_runtime(model, "openvino-float32")
        return
    pixels = torch.rand(9, 3, original.size, original.size, generator=torch.Generator().manual_seed(1))
    fast = on_runtime(model, "openvino-float32")
    found = fast.embed_images(pixels)
    assert (found - model.embed_images(pixels)).abs().max() < 1e-5
    assert torch.equal(fast.embed_images(pixels[[8, 2]]), found[[8, 2]])


# --- QuickGELU


@pytest.mark.parametrize("beside", [None, "quick_gelu", "gelu"])
def test_the_quick_gelu_slip_is_caught(tmp_path, monkeypatch, beside):
    """Weights trained with QuickGELU whose open_clip configuration does not say so: the table and config.json do."""
    original = clip_of_open_clip(tmp_path / "m", told=False)
    if beside:
        (tmp_path / "m" / "config.json").write_text(json.dumps({"vision_config": {"hidden_act": beside}}))
    pixels = torch.rand(2, 3, 32, 32)
    wanted = original.embed_images(pixels)
    slipped = (load_model(f"local-dir:{tmp_path / 'm'}", device="cpu").embed_images(pixels) - wanted).abs().max()
    row = replace(MODELS["quiltnet-b-32"], weights=f"local-dir:{tmp_path / 'm'}")
    monkeypatch.setitem(MODELS, "quiltnet-b-32", row)
    tabled = (load_model("quiltnet-b-32", device="cpu").embed_images(pixels) - wanted).abs().max()
    assert (slipped > 1e-4) == (beside != "quick_gelu")
    assert (tabled > 1e-4) == (beside == "gelu")


def test_the_table_names_quick_gelu_for_weights_of_openai_whose_files_may_not():
    assert {spec.id for spec in MODELS.values() if spec.quick_gelu} == {
        "quiltnet-b-32",
        "quiltnet-b-16",
        "unimed-clip",
    }


def test_gelu_in_a_clip_of_transformers_is_followed(tmp_path):
    original = clip_of_transformers(tmp_path / "m", act="gelu")
    pixels = torch.rand(2, 3, 32, 32)
    found = load_model(f"local-dir:{tmp_path / 'm'}", device="cpu").embed_images(pixels)
    assert (found - original.embed_images(pixels)).abs().max() < 1e-5


# --- context vectors


def test_the_context_of_a_template_gives_back_its_prompts(family):
    _, model, _ = family
    context = model.context_of(TEMPLATE)
    found = model.embed_context(context, TEMPLATE, NAMES)
    assert context.ndim == 2
    assert (found - model.embed_prompts([TEMPLATE], NAMES)).abs().max() < 1e-5


def test_gradients_of_context_agree_with_finite_differences(family):
    """In float64, along four random directions, for a function of all class vectors."""
    _, model, _ = family
    tower = replace(model, network=deepcopy(model.network).double()).text
    generator = torch.Generator().manual_seed(2)
    context = model.context_of(TEMPLATE).double().requires_grad_()
    weights = torch.randn(tower.read_prompts(context, TEMPLATE, NAMES).shape, generator=generator).double()

    def value(vectors: torch.Tensor) -> torch.Tensor:
        return (tower.read_prompts(vectors, TEMPLATE, NAMES) * weights).sum()

    (gradient,) = torch.autograd.grad(value(context), context)
    assert gradient.abs().max() > 1e-6
    for _ in range(4):
        direction = torch.randn(context.shape, generator=generator).double()
        with torch.no_grad():
            slope = (value(context + 1e-5 * direction) - value(context - 1e-5 * direction)) / 2e-5
        assert torch.allclose((gradient * direction).sum(), slope, rtol=1e-6, atol=1e-8)


def test_context_vectors_stand_where_the_words_stood(family):
    """Another context changes every class vector; a longer one is read as well."""
    _, model, _ = family
    context = model.context_of(TEMPLATE)
    plain = model.embed_context(context, TEMPLATE, NAMES)
    moved = model.embed_context(-context, TEMPLATE, NAMES)
    assert ((plain - moved).abs().amax(1) > 1e-4).all()
    longer = model.embed_context(torch.cat([context, context[:1]]), TEMPLATE, NAMES)
    assert longer.shape == plain.shape
    assert longer.isfinite().all()


def test_prompts_that_are_too_long_are_refused_with_the_limit(family):
    _, model, _ = family
    limit, name = model.text.limit, "adenocarcinoma " * 90
    for ask in (
        lambda: model.embed_prompts([TEMPLATE], ["a nevus", name]),
        lambda: model.embed_texts([name]),
        lambda: model.embed_context(model.context_of(TEMPLATE), TEMPLATE, [name]),
    ):
        with pytest.raises(ModelError, match=rf"has \d+ tokens and the text tower reads {limit}; shorten the class"):
            ask()


def test_the_limit_itself_is_still_read(family):
    _, model, _ = family
    tower = model.text
    words = "a " * (tower.limit - len(tower.start) - len(tower.end))
    assert model.embed_texts([words]).isfinite().all()
    with pytest.raises(ModelError, match="shorten"):
        model.embed_texts([words + "a"])


def test_sentences_of_other_lengths_beside_it_change_nothing(family):
    _, model, _ = family
    alone = model.embed_texts(["a nevus"])
    assert (model.embed_texts(["a nevus", *TEXTS])[:1] - alone).abs().max() < 1e-5


# --- strictness


@pytest.mark.parametrize("change", ["missing", "surplus", "shape"])
@pytest.mark.parametrize("name", ["PLIP and PubMedCLIP", "QuiltNet", "BiomedCLIP and QuiltNet-PMB", "MedCLIP"])
def test_a_missing_or_surplus_key_is_refused(loaded, tmp_path, name, change):
    folder = shutil.copytree(loaded[name][2], tmp_path / "m")
    (file,) = folder.glob("*.bin")
    state = torch.load(file, weights_only=True)
    key = next(key for key in state if state[key].ndim == 2 and "proj" in key)
    if change == "missing":
        del state[key]
    elif change == "surplus":
        state["surplus"] = torch.zeros(1)
    else:
        state[key] = torch.zeros(5, 3)
    torch.save(state, file)
    with pytest.raises(ModelError, match="do not fit its network or are damaged"):
        load_model(f"local-dir:{folder}")


def test_safetensors_come_first(tmp_path):
    clip_of_open_clip(tmp_path / "m")
    state = torch.load(tmp_path / "m" / "open_clip_pytorch_model.bin", weights_only=True)
    state["logit_scale"] = torch.tensor(1.0)
    save_file({key: value.contiguous() for key, value in state.items()}, tmp_path / "m" / "open_clip_model.safetensors")
    assert load_model(f"local-dir:{tmp_path / 'm'}", device="cpu").logit_scale == pytest.approx(2.71828, rel=1e-5)


class _Payload:
    def __reduce__(self):
        return print, ("this code ran",)


def test_a_pickle_that_could_run_code_is_not_read(tmp_path, capsys):
    clip_of_open_clip(tmp_path / "m")
    file = tmp_path / "m" / "open_clip_pytorch_model.bin"
    torch.save(torch.load(file, weights_only=True) | {"payload": _Payload()}, file)
    with pytest.raises(ModelError, match="could run code"):
        load_model(f"local-dir:{tmp_path / 'm'}")
    file.write_bytes(pickle.dumps(_Payload(), protocol=2))
    with pytest.raises(ModelError, match="could run code"):
        load_model(f"local-dir:{tmp_path / 'm'}")
    assert "this code ran" not in capsys.readouterr().out


def test_pickles_of_old_torch_are_read(tmp_path):
    clip_of_open_clip(tmp_path / "m")
    file = tmp_path / "m" / "open_clip_pytorch_model.bin"
    model = load_model(f"local-dir:{tmp_path / 'm'}", device="cpu")
    torch.save(torch.load(file, weights_only=True), file, _use_new_zipfile_serialization=False)
    again = load_model(f"local-dir:{tmp_path / 'm'}", device="cpu")
    assert torch.equal(model.embed_texts(TEXTS), again.embed_texts(TEXTS))


def test_half_precision_weights_are_read_as_float32(tmp_path):
    clip_of_transformers(tmp_path / "m")
    file = tmp_path / "m" / "model.safetensors"
    save_file({key: value.half() for key, value in load_file(file).items()}, file)
    model = load_model(f"local-dir:{tmp_path / 'm'}", device="cpu")
    assert {value.dtype for value in model.network.parameters()} == {torch.float32}


@pytest.mark.parametrize("missing", ["vocab.txt", "config.json", "spiece.model"])
def test_what_is_missing_is_named(loaded, tmp_path, missing):
    names = {"vocab.txt": "MedCLIP", "config.json": "MONET", "spiece.model": "MedSigLIP"}
    folder = shutil.copytree(loaded[names[missing]][2], tmp_path / "m")
    (folder / missing).unlink()
    with pytest.raises(ModelError, match=r"The model is incomplete: \S+ is missing|is missing from its folder"):
        load_model(f"local-dir:{folder}")


def test_a_text_tower_that_is_not_read_is_refused_by_name(tmp_path):
    clip_with_bert(tmp_path / "m")
    file = tmp_path / "m" / "open_clip_config.json"
    told = json.loads(file.read_text())
    told["model_cfg"]["text_cfg"]["hf_model_name"] = "xlm-roberta-base"
    file.write_text(json.dumps(told))
    with pytest.raises(ModelError, match=r"'xlm-roberta-base'.*Choose another model"):
        load_model(f"local-dir:{tmp_path / 'm'}")


# --- the table


def test_conch_says_what_it_needs():
    with pytest.raises(ModelError, match=r"own package.*institutional address"):
        load_model("conch")


def test_every_row_can_be_shown_and_loaded():
    for spec in MODELS.values():
        assert spec.name
        assert spec.about.endswith(".")
        assert spec.licence
        assert spec.input_size
        assert spec.text_length
        assert spec.modalities
        assert spec.weight_files
        assert spec.megabytes or spec.family == "bundled"
        assert spec.access or not spec.gated
        assert spec.non_commercial == ("NC" in spec.licence)
        assert not spec.weights.startswith("https:") or spec.weights.rsplit("/")[-1] in dict(spec.sha256)


def test_a_model_suits_the_tasks_of_its_modalities():
    """The pocket models, which have banks for the tasks they were trained on, only those."""
    for spec in MODELS.values():
        suited = {task.id for task in TASKS.values() if task.modality in spec.modalities}
        assert set(spec.task_ids) <= suited if spec.family == "bundled" else set(spec.task_ids) == suited, spec.id


def test_transformers_is_imported_for_bert_alone():
    script = "import sys, psmooth.models as m; m.load_model('pocket', 'cpu'); print('transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
