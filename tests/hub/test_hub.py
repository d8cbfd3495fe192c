"""What is fetched is whole or not there, comes from the cache without a request, and fails in a sentence."""

import errno
import hashlib
import io
import shutil
import ssl
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from huggingface_hub import constants, file_download, hf_hub_download
from huggingface_hub.errors import CachedRepoTreeNotFoundError

from psmooth.errors import HubError
from psmooth.hub import HTTP_ERROR, Hub, Snapshot, check_files, fetch, fetch_zip
from psmooth.hub import repository as hubs
from psmooth.models import MODELS, MedVLM, load_model
from tests.hub.families import clip_of_transformers, medclip, unimed
from tests.hub.server import FakeHub, serving

REPO = "people/model"
BODY = bytes(range(256)) * 4096  # 1 MiB
FILES = {"config.json": b"{}", "weights.bin": BODY, "notes/read.md": b"words"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A Hub; huggingface_hub's pauses between tries are left out."""
    monkeypatch.setattr(file_download, "time", SimpleNamespace(sleep=lambda _: None, time=time.time))
    monkeypatch.setattr("huggingface_hub.utils._http.time", SimpleNamespace(sleep=lambda _: None, time=time.time))
    with serving() as server:
        yield server


@pytest.fixture
def hub(server: FakeHub, tmp_path: Path) -> Hub:
    return Hub(endpoint=server.url, cache=tmp_path / "cache")


def leftovers(hub: Hub) -> list[Path]:
    """Files of the cache that are neither whole blobs nor its book-keeping."""
    assert hub.cache is not None
    return [file for file in hub.cache.rglob("*") if file.suffix in (".incomplete", ".part", ".unpacking")]


# --- from the Hub, from the cache


def test_a_first_download_brings_the_files_asked_for_and_tells_the_bytes(server, hub):
    commit, told = server.add(REPO, FILES), []
    found = fetch(REPO, "main", ["*.json"], first_of=["weights.safetensors", "weights.bin"], hub=hub,
                  progress=lambda done, total: told.append((done, total)))  # fmt: skip
    assert found == Snapshot(found.folder, commit)
    assert (found.folder / "weights.bin").read_bytes() == BODY
    assert not (found.folder / "notes").exists()
    assert told[-1] == (len(BODY) + 2, len(BODY) + 2)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert not leftovers(hub)


def test_the_first_of_the_alternatives_is_taken(server, hub):
    server.add(REPO, FILES | {"weights.safetensors": b"safe"})
    fetch(REPO, patterns=["*.json"], first_of=["weights.safetensors", "weights.bin"], hub=hub)
    assert sorted(server.fetched()) == ["config.json", "weights.safetensors"]


def test_a_cached_commit_costs_no_request(server, hub):
    commit = server.add(REPO, FILES)
    first = fetch(REPO, commit, hub=hub)
    server.asked.clear()
    assert fetch(REPO, commit, hub=hub) == first
    assert fetch(REPO, commit, ["config.json"], first_of=["weights.bin"], hub=hub) == first
    assert server.asked == []


def test_a_new_file_of_a_cached_commit_is_fetched_alone(server, hub):
    commit, told = server.add(REPO, FILES), []
    fetch(REPO, commit, ["weights.bin"], hub=hub)
    server.asked.clear()
    fetch(REPO, commit, hub=hub, progress=lambda done, total: told.append((done, total)))
    assert sorted(server.fetched()) == ["config.json", "read.md"]
    assert told[-1] == (7, 7)


def test_a_branch_follows_its_last_commit_and_a_pin_does_not(server, hub):
    old = server.add(REPO, FILES)
    fetch(REPO, hub=hub)
    new = server.add(REPO, FILES | {"config.json": b'{"new": 1}'})
    assert fetch(REPO, hub=hub).revision == new
    assert fetch(REPO, old, hub=hub).revision == old


def test_data_sets_come_the_same_way(server, hub):
    commit = server.add(REPO, FILES, "dataset")
    assert fetch(REPO, commit, repo_type="dataset", hub=hub).revision == commit
    with pytest.raises(HubError, match="no repository people/model"):
        fetch(REPO, commit, hub=hub)


def test_without_a_network_the_cache_serves_pin_and_branch(hub, server):
    commit = server.add(REPO, FILES)
    fetch(REPO, hub=hub)
    away = Hub(endpoint="http://127.0.0.1:9", cache=hub.cache)
    assert fetch(REPO, commit, hub=away).revision == commit
    assert fetch(REPO, "main", hub=away).revision == commit
    with pytest.raises(HubError, match=r"cannot be reached.*local-dir:FOLDER"):
        fetch("people/other", hub=away)
    server.down = 503
    assert fetch(REPO, "main", hub=hub).revision == commit


def test_offline_mode_asks_nobody(server, hub, monkeypatch):
    commit = server.add(REPO, FILES)
    fetch(REPO, commit, hub=hub)
    server.asked.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fetch(REPO, commit, hub=hub).revision == commit
    with pytest.raises(HubError, match="cannot be reached"):
        fetch("people/other", commit, hub=hub)
    assert server.asked == []


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """huggingface_hub has listed nothing, as in a process that has just begun, of what came file by file."""
    monkeypatch.setattr(hubs, "get_cached_repo_tree", _no_listing)


def _no_listing(**_: object) -> None:
    raise CachedRepoTreeNotFoundError("none")


@pytest.mark.parametrize("revision", ["main", "pin"])
def test_files_that_other_programs_brought_are_found_without_a_network(server, hub, monkeypatch, revision):
    commit = server.add(REPO, FILES)
    for file in ("config.json", "weights.bin"):
        hf_hub_download(REPO, file, cache_dir=hub.cache, endpoint=server.url)
    server.down = 0
    forget(monkeypatch)
    asked: dict[str, Any] = {"revision": commit if revision == "pin" else "main", "hub": hub}
    found = fetch(REPO, patterns=["*.json"], first_of=["weights.bin"], **asked)
    assert (found.revision, found.listed) == (commit, False)
    assert (found.folder / "weights.bin").read_bytes() == BODY
    with pytest.raises(HubError, match="cannot be reached"):
        fetch(REPO, patterns=["*.json"], first_of=["other.bin"], **asked)


def test_a_clip_whose_normalisation_is_not_in_the_cache_is_not_guessed_at(server, hub, tmp_path, monkeypatch):
    """Nobody says whether the repository has preprocessor_config.json, and its default may be wrong."""
    clip_of_transformers(tmp_path / "m")
    commit = server.add_folder(REPO, tmp_path / "m")
    for file in ("config.json", "model.safetensors"):
        hf_hub_download(REPO, file, cache_dir=hub.cache, endpoint=server.url)
    server.down = 0
    forget(monkeypatch)
    with pytest.raises(HubError, match="not complete in the cache"):
        load_model(f"hf-hub:{REPO}@{commit}", "cpu", hub=hub)
    server.down = None
    hf_hub_download(REPO, "preprocessor_config.json", cache_dir=hub.cache, endpoint=server.url)
    server.down = 0
    assert load_model(f"hf-hub:{REPO}@{commit}", "cpu", hub=hub).revision == commit


# --- refusals


def test_the_variable_of_a_proxy_is_named_where_nothing_answers(server, hub, monkeypatch):
    server.down = 0
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(HubError, match="Try again with a network"):
        fetch(REPO, hub=hub)  # it is asked by http, which that variable is not for
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with pytest.raises(HubError, match=r"through the proxy of ALL_PROXY.*Check ALL_PROXY.*NO_PROXY"):
        fetch(REPO, hub=hub)


def test_a_certificate_that_nobody_knows_is_told_with_the_variable_to_set(hub, monkeypatch):
    def distrusts(*_args: object, **_kwargs: object) -> None:
        try:
            raise ssl.SSLCertVerificationError("self-signed certificate in certificate chain")
        except ssl.SSLCertVerificationError as error:
            raise HTTP_ERROR("cannot connect") from error

    monkeypatch.setattr("huggingface_hub.HfApi.repo_info", distrusts)
    with pytest.raises(HubError, match=r"people/model cannot be fetched: the certificate.*Set SSL_CERT_FILE"):
        fetch(REPO, hub=hub)


@pytest.mark.parametrize("page", [b"<html>Sign in</html>", b"[]", b'{"a": 1}', b"null"])
def test_a_page_that_answers_in_the_hubs_place_is_called_that(server, hub, page):
    server.plain |= {f"/api/models/{REPO}/revision/main": page, f"/api/models/{REPO}/tree/{'0' * 40}": page}
    for revision in ("main", "0" * 40):
        with pytest.raises(HubError, match=r"Something else answers|no file that is read here"):
            fetch(REPO, revision, hub=hub)


@pytest.mark.parametrize(
    ("status", "word", "sentence"),
    [
        (404, "RepoNotFound", "no repository people/model on the Hub"),
        (401, "RepoNotFound", "does not exist, or it is private.*HF_TOKEN"),
        (401, "", "does not exist, or it is private.*HF_TOKEN"),
        (401, "GatedRepo", "is gated.*Accept the terms at https://huggingface.co/people/model, set HF_TOKEN"),
        (403, "GatedRepo", "is gated.*Accept the terms at https://huggingface.co/people/model, set HF_TOKEN"),
        (403, "", "answered 403"),
        (500, "", "answered 500|cannot be reached"),
        (429, "", "answered 429|cannot be reached"),
    ],
)
def test_a_refusal_is_a_sentence(server, hub, status, word, sentence):
    commit = server.add(REPO, FILES)
    server.repos["models", REPO].refuses = status, word
    for revision in (commit, "main"):
        with pytest.raises(HubError, match=sentence):
            fetch(REPO, revision, hub=hub)
    server.repos["models", REPO].refuses = None
    assert fetch(REPO, commit, hub=hub).revision == commit, "it can be tried again"


@pytest.mark.parametrize("revision", ["nosuch", "0" * 40])
def test_a_wrong_revision_is_named(server, hub, revision):
    server.add(REPO, FILES)
    with pytest.raises(HubError, match=f"people/model has no revision '{revision}'. Name a branch, tag or commit"):
        fetch(REPO, revision, hub=hub)


def test_a_repository_without_the_files_says_what_was_expected(server, hub):
    server.add(REPO, FILES)
    with pytest.raises(HubError, match=r"no file that is read here; expected was model\.safetensors"):
        fetch(REPO, patterns=["*.json"], first_of=["model.safetensors"], hub=hub)
    with pytest.raises(HubError, match=r"expected was \*\.csv"):
        fetch(REPO, patterns=["*.csv"], hub=hub)


def test_a_name_that_is_none_is_refused(hub):
    with pytest.raises(HubError, match="'a//b' is not a repository"):
        fetch("a//b", hub=hub)


# --- broken off


@pytest.fixture(params=["small", "large"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Small files are huggingface_hub's own business, large ones are gone on with after a restart."""
    monkeypatch.setattr(hubs, "_LARGE", 1000 if request.param == "large" else 10**9)
    return request.param


def test_large_files_come_with_their_bytes_told_and_their_sha256_checked(server, hub, monkeypatch):
    monkeypatch.setattr(hubs, "_LARGE", 1000)
    commit, told = server.add(REPO, FILES | {"more.bin": BODY[::-1]}), []
    found = fetch(REPO, commit, hub=hub, progress=lambda done, total: told.append((done, total)))
    assert (found.folder / "more.bin").read_bytes() == BODY[::-1]
    assert told[-1] == (2 * len(BODY) + 7, 2 * len(BODY) + 7)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    server.asked.clear()
    assert fetch(REPO, commit, hub=hub) == found
    assert server.asked == []


def test_a_connection_that_breaks_is_taken_up_where_it_broke(server, hub, monkeypatch, kind):
    """At once by huggingface_hub, or at the next try, with no byte fetched twice."""
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 50_000)
    commit, told = server.add(REPO, FILES), []
    path = f"/{REPO}/resolve/{commit}/weights.bin"
    server.breaks[path] = 300_000
    if kind == "large":
        with pytest.raises(HubError, match=r"connection broke.*try again"):
            fetch(REPO, commit, hub=hub)
        assert not list(hub.cache.rglob("weights.bin"))
    found = fetch(REPO, commit, hub=hub, progress=lambda done, total: told.append((done, total)))
    assert (found.folder / "weights.bin").read_bytes() == BODY
    assert [begin for method, asked, begin in server.asked if (method, asked) == ("GET", path)] == [
        None,
        "bytes=300000-",
    ]
    assert told[-1] == (len(BODY) + 7, len(BODY) + 7)
    assert not leftovers(hub)


def test_a_large_file_that_was_altered_on_the_way_is_removed(server, hub, monkeypatch):
    monkeypatch.setattr(hubs, "_LARGE", 1000)
    commit = server.add(REPO, FILES)
    path = f"/{REPO}/resolve/{commit}/weights.bin"
    server.breaks[path] = 300_000
    with pytest.raises(HubError, match="connection broke"):
        fetch(REPO, commit, hub=hub)
    (part,) = leftovers(hub)
    part.write_bytes(b"!" + part.read_bytes()[1:])
    with pytest.raises(HubError, match=r"weights\.bin is not the file on record"):
        fetch(REPO, commit, hub=hub)
    assert not leftovers(hub)
    assert (fetch(REPO, commit, hub=hub).folder / "weights.bin").read_bytes() == BODY


def test_a_server_that_goes_away_leaves_nothing_half_written(server, hub, kind):
    commit = server.add(REPO, FILES)
    server.breaks[f"/{REPO}/resolve/{commit}/weights.bin"] = 300_000
    server.dies_when_it_breaks = True
    with pytest.raises(HubError, match=r"connection broke.*try again"):
        fetch(REPO, commit, ["weights.bin"], hub=hub)
    assert not list(hub.cache.rglob("weights.bin"))
    with pytest.raises(HubError, match="cannot be reached"):
        fetch(REPO, commit, ["weights.bin"], hub=hub)
    server.down = None
    assert (fetch(REPO, commit, ["weights.bin"], hub=hub).folder / "weights.bin").read_bytes() == BODY
    assert len(leftovers(hub)) == 0, kind


def test_a_token_is_shown_to_the_hub_and_not_to_where_it_keeps_large_files(server, hub, kind):
    commit = server.add(REPO, FILES)
    path = f"/{REPO}/resolve/{commit}/weights.bin"
    server.plain["/elsewhere"] = BODY
    server.moved[path] = f"{server.url.replace('127.0.0.1', 'localhost')}/elsewhere"
    found = fetch(REPO, commit, hub=Hub(hub.endpoint, hub.cache, token="hf_secret"))
    assert (found.folder / "weights.bin").read_bytes() == BODY
    shown = dict(server.tokens)
    assert shown.pop("/elsewhere") is None, kind
    assert set(shown.values()) == {"Bearer hf_secret"}


def test_what_progress_raises_ends_the_download(server, hub):
    server.add(REPO, FILES)

    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(REPO, hub=hub, progress=stop)
    assert not leftovers(hub)
    assert fetch(REPO, hub=hub).folder.is_dir()


# --- disk and sha256


def test_a_full_disk_is_told_before_the_first_byte(server, hub, monkeypatch):
    server.add(REPO, FILES)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000, used=0, total=1000))
    with pytest.raises(HubError, match=r"disk is full: 1 MB are needed and 1 MB are free.*HF_HOME"):
        fetch(REPO, hub=hub)
    assert server.fetched() == []


@pytest.mark.parametrize(
    ("number", "sentence"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "read-only"), (errno.EIO, "try again")]
)
def test_a_disk_that_fails_on_the_way_is_told(server, hub, monkeypatch, number, sentence):
    commit = server.add(REPO, FILES)

    def fails(*_args, **_kwargs):
        raise OSError(number, "no")

    with monkeypatch.context() as patch:
        patch.setattr(file_download, "_chmod_and_move", fails)
        with pytest.raises(HubError, match=sentence):
            fetch(REPO, commit, hub=hub)
    assert not leftovers(hub)
    assert fetch(REPO, commit, hub=hub).revision == commit


def test_a_file_with_another_sha256_is_removed_and_comes_anew(server, hub):
    commit = server.add(REPO, FILES)
    found = fetch(REPO, commit, hub=hub)
    right = hashlib.sha256(BODY).hexdigest()
    check_files(found.folder, {"weights.bin": right, "not/there": right})
    (found.folder / "weights.bin").resolve().write_bytes(BODY[:-1] + b"!")
    with pytest.raises(HubError, match=r"weights\.bin is not the file on record.*removed"):
        check_files(found.folder, {"weights.bin": right})
    check_files(fetch(REPO, commit, hub=hub).folder, {"weights.bin": right})
    assert server.fetched().count("weights.bin") == 2


# --- zips


@pytest.fixture
def archive(server: FakeHub) -> tuple[str, str]:
    """Its address and sha256."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        opened.writestr("inner/weights.bin", BODY)
    server.plain["/a/model.zip"] = buffer.getvalue()
    return f"{server.url}/a/model.zip", hashlib.sha256(buffer.getvalue()).hexdigest()


def test_a_zip_is_fetched_once(server, hub, archive):
    told = []
    found = fetch_zip(*archive, hub=hub, progress=lambda done, total: told.append((done, total)))
    assert (found.folder / "inner" / "weights.bin").read_bytes() == BODY
    assert found.revision == archive[1]
    assert told[-1] == (len(server.plain["/a/model.zip"]),) * 2
    server.asked.clear()
    assert fetch_zip(*archive, hub=hub) == found
    assert server.asked == []
    assert not leftovers(hub)


def test_a_zip_that_was_cut_off_goes_on_at_the_next_try(server, hub, archive):
    server.breaks["/a/model.zip"] = 300_000
    with pytest.raises(HubError, match="cannot be reached or broke off"):
        fetch_zip(*archive, hub=hub)
    assert not (hub.own_folder() / archive[1]).exists()
    found = fetch_zip(*archive, hub=hub)
    assert (found.folder / "inner" / "weights.bin").read_bytes() == BODY
    assert [begin for _, _, begin in server.asked] == [None, "bytes=300000-"]


def test_a_zip_that_was_whole_but_not_unpacked_is_unpacked(hub, server, archive):
    hub.own_folder().mkdir(parents=True)
    (hub.own_folder() / f"{archive[1]}.zip.part").write_bytes(server.plain["/a/model.zip"])
    (hub.own_folder() / f"{archive[1]}.unpacking" / "inner").mkdir(parents=True)
    (hub.own_folder() / f"{archive[1]}.unpacking" / "inner" / "weights.bin").write_bytes(b"half")
    assert (fetch_zip(*archive, hub=hub).folder / "inner" / "weights.bin").read_bytes() == BODY


def test_a_zip_with_another_sha256_is_removed(server, hub, archive):
    server.plain["/a/model.zip"] = server.plain["/a/model.zip"][:-1] + b"!"
    with pytest.raises(HubError, match="not the file on record"):
        fetch_zip(*archive, hub=hub)
    assert not [file for file in hub.own_folder().iterdir() if file.suffix != ".lock"]


def test_an_address_that_fails_is_a_sentence(server, hub, archive):
    with pytest.raises(HubError, match=r"nosuch\.zip is not to be had: its server answered 404"):
        fetch_zip(f"{server.url}/a/nosuch.zip", archive[1], hub=hub)
    with pytest.raises(HubError, match="cannot be reached"):
        fetch_zip("http://127.0.0.1:9/model.zip", archive[1], hub=hub)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000, used=0, total=1000))
        with pytest.raises(HubError, match="disk is full"):
            fetch_zip(*archive, hub=hub)
    assert not (hub.own_folder() / archive[1]).exists()


# --- models


def rehome(monkeypatch: pytest.MonkeyPatch, row: str, **changes: object) -> None:
    """The row of the table with other values, where the real ones belong to the real files."""
    from dataclasses import replace

    monkeypatch.setitem(MODELS, row, replace(MODELS[row], **changes))  # type: ignore[arg-type]


def same(first: MedVLM, second: MedVLM) -> bool:
    words = ["a chest X-ray showing viral pneumonia."]
    pixels = torch.rand(1, 3, first.input_size, first.input_size)
    same_words = torch.equal(first.embed_texts(words), second.embed_texts(words))
    return same_words and torch.equal(first.embed_images(pixels), second.embed_images(pixels))


def test_a_row_is_loaded_from_its_pin_and_again_without_a_request(server, hub, tmp_path, monkeypatch):
    clip_of_transformers(tmp_path / "plip", "pytorch_model.bin")
    commit = server.add_folder("vinid/plip", tmp_path / "plip")
    rehome(monkeypatch, "plip", weights=f"hf-hub:vinid/plip@{commit}", sha256=())
    model = load_model("plip", "cpu", hub=hub)
    assert (model.revision, model.spec.weights) == (commit, f"hf-hub:vinid/plip@{commit}")
    assert sorted(server.fetched()) == ["config.json", "preprocessor_config.json", "pytorch_model.bin"]
    server.asked.clear()
    assert same(load_model("plip", "cpu", hub=hub), model)
    assert same(load_model(f"local-dir:{tmp_path / 'plip'}", "cpu"), model)
    assert server.asked == []


def test_a_row_with_another_sha256_is_refused(server, hub, tmp_path, monkeypatch):
    clip_of_transformers(tmp_path / "plip", "pytorch_model.bin")
    commit = server.add_folder("vinid/plip", tmp_path / "plip")
    rehome(monkeypatch, "plip", weights=f"hf-hub:vinid/plip@{commit}")
    with pytest.raises(HubError, match=r"pytorch_model\.bin is not the file on record"):
        load_model("plip", "cpu", hub=hub)


def test_a_model_that_is_typed_in_records_the_commit_it_came_from(server, hub, tiny_model_folder, tiny_model):
    commit = server.add_folder("somebody/tiny", tiny_model_folder)
    model = load_model("hf-hub:somebody/tiny", "cpu", hub=hub)
    assert (model.revision, model.spec.weights) == (commit, f"hf-hub:somebody/tiny@{commit}")
    assert same(model, tiny_model)
    server.add("somebody/tiny", {"open_clip_config.json": b"{}", "open_clip_model.safetensors": b""})
    assert same(load_model(model.spec.weights, "cpu", hub=hub), model), "its weights string brings it back"


def test_a_row_without_a_pin_follows_main_and_records_it(server, hub, tiny_model_folder):
    commit = server.add_folder("yyupenn/whyxrayclip", tiny_model_folder)
    model = load_model("whyxrayclip", "cpu", hub=hub)
    assert (model.spec.id, model.revision) == ("whyxrayclip", commit)
    again = load_model(model.spec.weights, "cpu", hub=hub)
    assert (again.spec.id, again.spec.licence) == ("whyxrayclip", "MIT")


def test_a_gated_row_says_how_to_get_access(server, hub):
    server.add("google/medsiglip-448", FILES)
    server.repos["models", "google/medsiglip-448"].refuses = 403, "GatedRepo"
    with pytest.raises(HubError, match=r"Accept the terms at https://huggingface.co/google/medsiglip-448"):
        load_model("medsiglip", "cpu", hub=hub)


def test_medclip_comes_as_a_zip_and_its_words_from_the_hub(server, hub, tmp_path, monkeypatch):
    medclip(tmp_path / "m")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        opened.write(tmp_path / "m" / "pytorch_model.bin", "pytorch_model.bin")
    server.plain["/medclip.zip"] = buffer.getvalue()
    sha256 = hashlib.sha256(buffer.getvalue()).hexdigest()
    commit = server.add("emilyalsentzer/Bio_ClinicalBERT", {"vocab.txt": (tmp_path / "m" / "vocab.txt").read_bytes()})
    words = f"hf-hub:emilyalsentzer/Bio_ClinicalBERT@{commit}"
    fetched = fetch_zip
    monkeypatch.setattr(
        "psmooth.hub.fetch_zip",
        lambda url, *rest, **more: fetched(f"{server.url}{url[len('https://x') :]}", *rest, **more),
    )
    sums = (("medclip.zip", sha256),)
    rehome(monkeypatch, "medclip", weights="https://x/medclip.zip", sha256=sums, tokenizer=words)
    model = load_model("medclip", "cpu", hub=hub)
    assert (model.revision, model.spec.weights) == (sha256, "https://x/medclip.zip")
    server.asked.clear()
    assert same(load_model("medclip", "cpu", hub=hub), load_model(f"local-dir:{tmp_path / 'm'}", "cpu"))
    assert server.asked == []


def test_unimed_brings_its_words_from_a_second_repository(server, hub, tmp_path, monkeypatch):
    unimed(tmp_path / "m")
    weights = (tmp_path / "m" / "unimed-clip-vit-b16.pt").read_bytes()
    commit = server.add("UzairK/unimed-clip-vit-b16", {"unimed-clip-vit-b16.pt": weights})
    words = server.add("microsoft/bert", {"vocab.txt": (tmp_path / "m" / "vocab.txt").read_bytes()})
    rehome(
        monkeypatch,
        "unimed-clip",
        weights=f"hf-hub:UzairK/unimed-clip-vit-b16@{commit}",
        tokenizer=f"hf-hub:microsoft/bert@{words}",
    )
    model = load_model("unimed-clip", "cpu", hub=hub)
    assert same(model, load_model(f"local-dir:{tmp_path / 'm'}", "cpu"))
