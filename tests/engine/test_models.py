"""A model is loaded whole or not at all, and looks at every copy alone."""

import json
import shutil
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file
from timm.layers.conv2d_same import Conv2dSame, conv2d_same
from torch import nn
from torch.nn.functional import normalize

from psmooth.errors import ModelError
from psmooth.files import resource
from psmooth.models import MODELS, load_model
from psmooth.models.fold import fold_padding

BUNDLED = [spec.id for spec in MODELS.values() if spec.family == "bundled"]


def test_embeddings_are_those_of_open_clip_itself(tiny_model, tiny_model_folder):
    config = json.loads((tiny_model_folder / "open_clip_config.json").read_text())
    network = open_clip.CLIP(**config["model_cfg"]).eval()
    network.load_state_dict(load_file(tiny_model_folder / "open_clip_model.safetensors"))
    pixels = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        images = normalize(network.encode_image((pixels - 0.5) / 0.5), dim=-1)
        texts = normalize(
            network.encode_text(open_clip.SimpleTokenizer(context_length=24)(["a scan of a cell."])), dim=-1
        )
    assert torch.allclose(tiny_model.embed_images(pixels), images, atol=1e-6)
    assert torch.allclose(tiny_model.embed_texts(["a scan of a cell."]), texts, atol=1e-6)


def test_prompts_are_the_normalised_mean_over_templates(tiny_model):
    names, templates = ["cat {x}", "dog"], ["a {}.", "photo of {}"]
    found = tiny_model.embed_prompts(templates, names)
    for row, name in zip(found, names, strict=True):
        texts = tiny_model.embed_texts([template.replace("{}", name) for template in templates])
        assert torch.allclose(row, normalize(texts.mean(0), dim=-1), atol=1e-6)


@pytest.mark.parametrize("name", BUNDLED)
def test_the_batch_mates_of_a_copy_change_nothing(name):
    model = load_model(name, device="cpu")
    size = model.input_size
    first, second = torch.randn(2, 32, 3, size, size, generator=torch.Generator().manual_seed(3))
    mixed = torch.cat([second[:16], first[16:17], second[17:]])
    alone = model.embed_images(first)
    assert torch.equal(model.embed_images(mixed)[16], alone[16])
    assert torch.equal(model.embed_images(first), alone), "deterministic"


def test_the_two_pocket_models_share_the_text_tower_and_fit_in_30_megabytes():
    folder = resource("assets", "pocket")
    assert sum(file.stat().st_size for file in folder.glob("*.safetensors")) <= 30e6
    words = ["a microscope image of a monocyte in a blood smear."]
    vectors = [load_model(name, device="cpu").embed_texts(words) for name in BUNDLED]
    assert torch.equal(vectors[0], vectors[1])


def test_the_table_states_the_sizes_of_the_pocket_model():
    model = load_model("pocket", device="cpu")
    assert (model.input_size, model.text.limit) == (model.spec.input_size, model.spec.text_length)


def test_prompts_longer_than_the_text_tower_are_refused_with_the_limit(tiny_model):
    for ask in (
        lambda: tiny_model.embed_prompts(["a {}"], ["cell " * 40]),
        lambda: tiny_model.embed_context(tiny_model.context_of("a {}"), "a {}", ["cell " * 40]),
    ):
        with pytest.raises(ModelError, match="tokens and the text tower reads 24; shorten the class name"):
            ask()


@pytest.mark.parametrize("name", BUNDLED)
def test_folded_batch_norms_are_the_same_function(name):
    model, folder = load_model(name, device="cpu"), resource("assets", "pocket")
    network = open_clip.CLIP(**json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]).eval()
    state = load_file(folder / "text.safetensors") | load_file(folder / f"{name}.safetensors")
    network.load_state_dict({key: value.to(network.state_dict()[key].dtype) for key, value in state.items()})
    pixels = torch.rand(4, 3, 128, 128)
    with torch.no_grad():
        plain = normalize(network.encode_image(pixels * 2 - 1), dim=-1)
    assert torch.allclose(model.embed_images(pixels), plain, atol=1e-5)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("groups", [1, 6])
def test_padding_folded_into_a_strided_kernel_is_the_same_function(kernel, groups):
    torch.manual_seed(0)
    same: Any = Conv2dSame(6, 12, kernel, 2, groups=groups)
    folded = next(fold_padding(nn.Sequential(same)).children())
    assert type(folded) is nn.Conv2d
    pixels = torch.rand(2, 6, 32, 64)
    with torch.no_grad():
        wanted = conv2d_same(pixels, same.weight, same.bias, (2, 2), groups=groups)
        assert torch.allclose(folded(pixels), wanted, atol=1e-6)


@pytest.mark.parametrize("change", ["missing", "surplus", "shape"])
def test_weights_that_do_not_fit_are_refused(tiny_model_folder, tmp_path, change):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    file = folder / "open_clip_model.safetensors"
    state = load_file(file)
    if change == "missing":
        del state["text_projection"]
    elif change == "surplus":
        state["extra"] = torch.zeros(1)
    else:
        state["text_projection"] = state["text_projection"][:, :-1].contiguous()
    save_file(state, file)
    with pytest.raises(ModelError, match="do not fit"):
        load_model(f"local-dir:{folder}")


def test_damaged_weights_and_configurations_are_refused_in_words(tiny_model_folder, tmp_path):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    (folder / "open_clip_model.safetensors").write_bytes(b"\x08" * 100)
    with pytest.raises(ModelError, match="damaged"):
        load_model(f"local-dir:{folder}")
    (folder / "open_clip_config.json").write_text("{}")
    with pytest.raises(ModelError, match="open_clip configuration"):
        load_model(f"local-dir:{folder}")
    (folder / "open_clip_config.json").unlink()
    with pytest.raises(ModelError, match=r"open_clip_config\.json is missing"):
        load_model(f"local-dir:{folder}")


def test_an_unknown_model_or_device_is_refused_by_name(tiny_model_folder):
    with pytest.raises(ModelError, match="no model 'nosuch'"):
        load_model("nosuch")
    with pytest.raises(ModelError, match="device 'abacus'"):
        load_model(f"local-dir:{tiny_model_folder}", device="abacus")


def test_the_revision_follows_the_weights(tiny_model, tiny_model_folder, tmp_path):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    assert load_model(f"local-dir:{folder}").revision == tiny_model.revision
    state = load_file(folder / "open_clip_model.safetensors")
    state["logit_scale"] = state["logit_scale"] + 1
    save_file(state, folder / "open_clip_model.safetensors")
    assert load_model(f"local-dir:{folder}").revision != tiny_model.revision
