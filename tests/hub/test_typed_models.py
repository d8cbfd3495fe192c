"""What a visitor types in is weighed before it is read, asks no second repository, and is shown no token."""

import json
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from psmooth.errors import HubError, ModelError
from psmooth.hub import Hub, fetch
from psmooth.interface import model_menu
from psmooth.models import load as loading
from psmooth.models import load_model
from psmooth.models import typed as typed_models
from psmooth.models.cache import ModelCache
from psmooth.models.typed import load_typed, visitors_hub
from tests.hub.families import clip_of_open_clip, clip_of_transformers, siglip
from tests.hub.server import FakeHub, serving

REPO = "stranger/model"
NAME = f"hf-hub:{REPO}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """A Hub that visitors reach, while the operator's token is set; huggingface_hub's pauses are left out."""
    monkeypatch.setattr("huggingface_hub.utils._http.time", SimpleNamespace(sleep=lambda _: None, time=time.time))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serving() as server:
        monkeypatch.setattr(typed_models, "DEFAULT", Hub(server.url, tmp_path / "home"))
        yield server


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def told(files: dict[str, bytes], change: dict[str, Any]) -> dict[str, bytes]:
    """The files with another open_clip configuration."""
    config = json.loads(files["open_clip_config.json"])
    for part, values in change.items():
        config["model_cfg"][part] |= values
    return files | {"open_clip_config.json": json.dumps(config).encode()}


# --- the token, and other repositories


def test_a_token_goes_out_for_the_menu_and_never_for_what_was_typed(server, tiny_model_folder):
    server.add(REPO, files_of(tiny_model_folder))
    assert load_typed(NAME, "cpu", None).input_size == 32
    assert server.asked
    assert {shown for _, shown in server.tokens} == {None}
    server.tokens.clear()
    load_model(NAME, "cpu", hub=typed_models.DEFAULT)  # as the command line and the menu load it
    assert {shown for _, shown in server.tokens} == {"Bearer hf_secret"}


def test_what_a_token_brought_is_not_for_visitors(server, tiny_model_folder, tmp_path):
    """In the same cache, at the very commit: the Hub is asked without the token, and what it refuses stays here."""
    commit = server.add(REPO, files_of(tiny_model_folder))
    fetch(REPO, commit, hub=Hub(server.url, tmp_path / "cache"))
    server.repos["models", REPO].refuses = 401, "RepoNotFound"
    with pytest.raises(HubError, match="private"):
        fetch(REPO, commit, hub=Hub(server.url, tmp_path / "cache", token=False))
    server.down = 503
    with pytest.raises(HubError):
        fetch(REPO, commit, hub=Hub(server.url, tmp_path / "cache", token=False))
    assert fetch(REPO, commit, hub=Hub(server.url, tmp_path / "cache")).revision == commit


@pytest.mark.parametrize(
    "change",
    [
        {"vision_cfg": {"timm_model_name": "hf-hub:stranger/other", "timm_model_pretrained": True}},
        {"vision_cfg": {"timm_model_name": "hf_hub:stranger/other"}},
        {"vision_cfg": {"timm_model_name": "local-dir:/etc"}},
        {"vision_cfg": {"timm_model_name": "test_vit", "timm_model_pretrained": True}},
        {"text_cfg": {"hf_model_name": "stranger/other"}},
        {"text_cfg": {"hf_model_name": "stranger/bert-other", "hf_model_pretrained": True}},
        {"text_cfg": {"hf_tokenizer_name": "stranger/other"}},
    ],
)
def test_a_configuration_never_fetches_a_second_repository(server, tiny_model_folder, change):
    server.add("stranger/other", {"config.json": b"{}", "model.safetensors": b""})
    server.add(REPO, told(files_of(tiny_model_folder), change))
    with pytest.raises(ModelError):
        load_typed(NAME, "cpu", None)
    assert {path for _, path, _ in server.asked if REPO not in path} == set()


def test_words_for_transformers_that_are_no_sizes_do_not_reach_it(server, tmp_path):
    siglip(tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    more = {"auto_map": {"AutoModel": "stranger/other--code.Model"}, "_attn_implementation": "stranger/kernels"}
    config |= more
    for part in ("text_config", "vision_config"):
        config[part] |= more | {"attn_implementation": "stranger/kernels"}
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    server.add(REPO, files_of(tmp_path / "m"))
    assert load_typed(NAME, "cpu", None).spec.family == "siglip"
    assert {path for _, path, _ in server.asked if REPO not in path} == set()


# --- weighed


def test_what_is_too_large_is_refused_by_its_listing_before_a_byte_of_it_comes(server, tiny_model_folder, monkeypatch):
    server.add(REPO, files_of(tiny_model_folder))
    monkeypatch.setattr(typed_models, "_LARGEST_MODEL", 1000)
    monkeypatch.setattr(typed_models, "LARGEST_WORDS", 10_000)
    with pytest.raises(HubError, match=r"stranger/model is too large for this server: \d+ MB, and at most 1 MB"):
        load_typed(NAME, "cpu", None)
    assert server.fetched() == ["open_clip_config.json"]


def test_what_does_not_fit_beside_what_is_held_is_refused_with_the_numbers(server, tiny_model_folder, monkeypatch):
    server.add(REPO, files_of(tiny_model_folder))
    free = iter([8_000_000_000, 1_000_000_500])
    monkeypatch.setattr(typed_models, "free_memory", lambda _: next(free))
    with pytest.raises(ModelError, match=r"needs 1,0\d\d MB of memory, and 1,000 MB are free"):
        load_typed(NAME, "cpu", None)


def test_models_that_come_together_are_weighed_one_after_the_other(server, tiny_model_folder, monkeypatch):
    """Neither fits beside the other while it is read: what the first one takes is no longer free for the second."""
    for number in range(3):
        server.add(f"{REPO}{number}", files_of(tiny_model_folder))
    at_once, most, load = [], [], loading.read_model

    def watched(*asked: Any) -> Any:
        at_once.append(asked)
        most.append(len(at_once))
        time.sleep(0.05)
        at_once.pop()
        return load(*asked)

    monkeypatch.setattr(loading, "read_model", watched)
    with ThreadPoolExecutor(3) as pool:
        assert len([*pool.map(lambda number: load_typed(f"{NAME}{number}", "cpu", None), range(3))]) == 3
    assert most == [1, 1, 1]


def test_a_visitors_model_pushes_out_another_one_and_never_one_of_the_menu():
    def load(name: str, *_: object) -> Any:
        return SimpleNamespace(name=name, device=torch.device("cpu"))

    held = ModelCache("cpu", fits=lambda *_: False, load=load, guest=lambda name: name.startswith("hf"))
    for name in ("plip", "hf-hub:a/b", "hf-hub:c/d"):
        held.get(name)
    assert held.names == ("plip", "hf-hub:c/d")


@pytest.mark.parametrize(
    "change",
    [
        {"text_cfg": {"width": 900_000}},
        {"text_cfg": {"layers": 10**6}},
        {"text_cfg": {"vocab_size": 10**6, "width": 10**5}},
        {"text_cfg": {"context_length": 10**6}},
        {"vision_cfg": {"width": 10**6}},
        {"vision_cfg": {"layers": [10**6] * 4}},
        {"vision_cfg": {"image_size": 10**5}},
        {"vision_cfg": {"mlp_ratio": 1e6}},
        {"vision_cfg": {"width": 10**30}},
    ],
)
def test_a_configuration_larger_than_its_weights_takes_no_memory(server, tiny_model_folder, change):
    import resource

    server.add(REPO, told(files_of(tiny_model_folder), change))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError):
        load_typed(NAME, "cpu", None)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB


def test_a_model_that_would_hold_the_device_for_ever_is_refused(server, tmp_path):
    """Small weights, 16,384 places that all look at each other."""
    config = {
        "model_cfg": {
            "embed_dim": 8,
            "vision_cfg": {"image_size": 512, "patch_size": 4, "width": 8, "layers": 256, "head_width": 8},
            "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 8, "heads": 1, "layers": 1},
        },
        "preprocess_cfg": {},
    }
    state = open_clip.CLIP(**config["model_cfg"]).state_dict()  # type: ignore[arg-type]
    save_file(state, tmp_path / "open_clip_model.safetensors")
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    server.add(REPO, files_of(tmp_path))
    with pytest.raises(ModelError, match="too much work a picture"):
        load_typed(NAME, "cpu", None)


def test_repositories_of_visitors_stay_few_and_the_newest_stays(server, tiny_model_folder, monkeypatch):
    for number in range(3):
        server.add(f"{REPO}{number}", files_of(tiny_model_folder))
        load_typed(f"{NAME}{number}", "cpu", None)
    size = sum(len(data) for data in files_of(tiny_model_folder).values())
    monkeypatch.setattr(typed_models, "MOST_KEPT", size + 10_000)
    cache = visitors_hub().cache
    assert cache is not None
    assert [folder.name for folder in cache.glob("models--*")] == ["models--stranger--model2"]


# --- files in which a few bytes stand for many


def refused(folder: Path, state: dict[Any, Any], match: str) -> None:
    torch.save(state, folder / "open_clip_pytorch_model.bin")
    with pytest.raises(ModelError, match=match):
        load_model(f"local-dir:{folder}", "cpu")


def test_expanded_repeated_and_strange_tensors_are_refused(tmp_path):
    clip_of_open_clip(tmp_path / "m")
    state = torch.load(tmp_path / "m" / "open_clip_pytorch_model.bin", weights_only=True)
    one = torch.zeros(1, dtype=torch.float16)
    refused(tmp_path / "m", state | {"visual.proj": one.expand(10**6, 10**6)}, "are expanded")
    block = torch.zeros(10**6, dtype=torch.float16)
    refused(tmp_path / "m", {f"{number}": block[: 10**6 - number] for number in range(999)}, "are expanded")
    for strange in (torch.zeros(3, device="meta"), torch.eye(3).to_sparse(), 3, None, "word", [torch.zeros(1)]):
        refused(tmp_path / "m", state | {"visual.proj": strange}, "damaged|could run code")
    refused(tmp_path / "m", {1: torch.zeros(1)}, "do not fit")
    refused(tmp_path / "m", [1, 2], "do not fit")  # type: ignore[arg-type]


def test_a_pickle_that_is_packed_is_not_blown_up(tmp_path):
    clip_of_open_clip(tmp_path / "m")
    file = tmp_path / "m" / "open_clip_pytorch_model.bin"
    torch.save({"visual.proj": torch.zeros(10_000_000)}, file)
    with zipfile.ZipFile(file) as plain:
        entries = {entry.filename: plain.read(entry) for entry in plain.infolist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in entries.items():
            packed.writestr(name, data)
    assert file.stat().st_size < 100_000
    with pytest.raises(ModelError, match="do not fit its network or are damaged"):
        load_model(f"local-dir:{tmp_path / 'm'}", "cpu")


@pytest.mark.parametrize(
    "header", [b"", b"\xff" * 16, b'{"a":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4]}}']
)
def test_a_damaged_safetensors_header_is_a_sentence(tmp_path, tiny_model_folder, header):
    for name, data in files_of(tiny_model_folder).items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "open_clip_model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(ModelError, match="do not fit its network or are damaged"):
        load_model(f"local-dir:{tmp_path}", "cpu")


# --- configurations that are damaged, and what comes in a file's place

_BROKEN: list[Any] = [
    "", "null", "[]", "3", "{}", '"word"', "{" * 3000, "[" * 100_000, '{"model_cfg": null}', '{"model_cfg": []}',
    '{"model_cfg": {"text_cfg": [], "vision_cfg": 3}}', '{"model_cfg": {"text_cfg": {}, "vision_cfg": {}}}',
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((name, text) for name in ("config.json", "open_clip_config.json") for text in _BROKEN),
        *(
            ("preprocessor_config.json", text) for text in _BROKEN if not text.endswith("}")
        ),  # an object has its defaults
    ],
)
def test_a_damaged_configuration_is_a_sentence(tmp_path, clip_folders, name, text):
    source = clip_folders["open_clip" if name.startswith("open") else "hf"]
    for file, data in files_of(source).items():
        (tmp_path / file).write_bytes(data)
    (tmp_path / name).write_text(text)
    with pytest.raises(ModelError, match=r"\.$"):
        load_model(f"local-dir:{tmp_path}", "cpu")


_KEYS = (
    "vision_cfg.width", "vision_cfg.image_size", "vision_cfg.timm_model_name", "text_cfg.heads",
    "text_cfg.hf_model_name", "text_cfg.context_length", "preprocess_cfg.mean", "preprocess_cfg.std",
)  # fmt: skip


@pytest.mark.parametrize("key", _KEYS)
@pytest.mark.parametrize("value", [None, float("nan"), -1, [], {}, "\ud800", "words", [[1]], True, 1e400, [3] * 2])
def test_a_value_of_another_kind_is_a_sentence_or_does_no_harm(tmp_path, clip_folders, key, value):
    for file, data in files_of(clip_folders["open_clip"]).items():
        (tmp_path / file).write_bytes(data)
    config = json.loads((tmp_path / "open_clip_config.json").read_text())
    part, name = key.split(".")
    (config if part == "preprocess_cfg" else config["model_cfg"])[part][name] = value
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    said, model = "", None
    try:
        model = load_model(f"local-dir:{tmp_path}", "cpu")
    except ModelError as error:
        said = str(error)
    assert said.encode() or (model and model.embed_images(torch.rand(1, 3, 32, 32)).isfinite().all())


@pytest.fixture(scope="module")
def clip_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    clip_of_open_clip(folder / "o")
    clip_of_transformers(folder / "h", "pytorch_model.bin")
    return {"open_clip": folder / "o", "hf": folder / "h"}


@pytest.mark.parametrize("name", ["config.json", "pytorch_model.bin"])
@pytest.mark.parametrize(
    ("content", "called"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 605000000\n", "is a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html><title>Sign in</title></html>", "is a web page"),
        (b"<html><body>Blocked</body></html>", "is a web page"),
    ],
)
def test_what_stands_in_a_files_place_is_called_by_its_name(tmp_path, clip_folders, name, content, called):
    for file, data in files_of(clip_folders["hf"]).items():
        (tmp_path / file).write_bytes(data)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=f"{name} {called}"):
        load_model(f"local-dir:{tmp_path}", "cpu")


def test_names_that_training_put_in_front_are_taken_off(tmp_path, tiny_model_folder, tiny_model):
    file = tiny_model_folder / "open_clip_model.safetensors"
    for number, front in enumerate(("_orig_mod.", "module.", "module._orig_mod.", "_orig_mod.module.")):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "open_clip_config.json").write_bytes((tiny_model_folder / "open_clip_config.json").read_bytes())
        save_file({front + key: value for key, value in load_file(file).items()}, folder / file.name)
        model = load_model(f"local-dir:{folder}", "cpu")
        assert torch.equal(model.embed_texts(["a nevus"]), tiny_model.embed_texts(["a nevus"]))
    double = {"logit_scale": torch.zeros(()), "_orig_mod.logit_scale": torch.zeros(())}
    save_file(load_file(file) | double, tmp_path / "0" / file.name)
    with pytest.raises(ModelError, match="do not fit"):
        load_model(f"local-dir:{tmp_path / '0'}", "cpu")


# --- the operator's switch, and names that are none


@pytest.mark.parametrize("settings", [{"PSMOOTH_TYPED_MODELS": "0"}, {"SPACE_ID": "someone/psmooth"}])
def test_an_operator_turns_typed_repositories_off(monkeypatch, settings):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ModelError, match="models of its menu alone"):
        model_menu.check_choice(NAME)
    assert model_menu.check_choice("pocket") == "pocket"
    monkeypatch.setenv("PSMOOTH_TYPED_MODELS", "1")
    assert model_menu.check_choice(NAME) == NAME


@pytest.mark.parametrize(
    "choice", [None, "", 3, ["pocket"], "local-dir:/etc", "hf-hub:" + "a" * 10_000, "hf-hub:\ud800/b"]
)
def test_what_is_no_name_of_a_model_is_a_sentence(choice):
    with pytest.raises(ModelError) as caught:
        model_menu.check_choice(choice)
    assert str(caught.value).encode()
