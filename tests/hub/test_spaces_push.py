"""A Space from a checkout, on a Hub of this machine: what goes, what is only told, what is refused."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from psmooth.deployment.space import _blobs, plan, push
from psmooth.errors import HubError
from psmooth.hub import Hub
from tests.hub.server import FakeHub, serving

ROOT = Path(__file__).resolve().parents[2]
# huggingface_hub hands a file to its client in a way that the client calls old.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

REPO = "somebody/psmooth"
LARGE = b"\x07" * 5_000
SENT = {
    "README.md": b"---\nsdk: gradio\n---\n", "app.py": b"import psmooth\n", "psmooth/__init__.py": b"",
    "assets/pocket/weights.bin": LARGE, "docs/deploy.md": b"how", "docs/certify.png": b"\x89PNG",
}  # fmt: skip
LEFT = {"tests/test_it.py": b"", "docs/evaluation/records.jsonl": b"{}", "pyproject.toml": b"", "Makefile": b""}


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(folder), *who, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """One with the few files that show the rule, committed; and a scan that nobody committed."""
    folder = tmp_path / "checkout"
    for name, data in (
        SENT | LEFT | {".dockerignore": b"# a rule\n*\n!app.py\n!README.md\n!psmooth\n!assets\n"}
    ).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "all of it")
    (folder / "assets" / "jane-doe-1970.png").write_bytes(b"a scan")
    (folder / "docs" / "jane-doe-1970.png").write_bytes(b"a scan")
    return folder


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # as a Hub without Xet: large files go as Git LFS has it
    with serving() as server:
        server.large = 1_000
        yield server


@pytest.fixture
def hub(server: FakeHub) -> Hub:
    return Hub(endpoint=server.url, token="hf_test")


def files_of(server: FakeHub) -> dict[str, bytes]:
    repo = server.repos["spaces", REPO]
    return repo.commits[repo.names["main"]]


def written(server: FakeHub) -> list[str]:
    return [path for method, path, _ in server.asked if method in ("POST", "PUT")]


def test_what_goes_is_what_was_committed_of_what_the_container_copies_and_of_the_documents(
    checkout: Path, server: FakeHub, hub: Hub
) -> None:
    found = plan(checkout, REPO, hub=hub)
    assert (set(found.added), found.changed, found.removed, found.parent) == (set(SENT), (), (), None)
    assert found.commit == git(checkout, "rev-parse", "HEAD")
    assert found.size == sum(map(len, SENT.values()))
    assert (written(server), server.repos) == ([], {}), "a plan writes nothing"
    address = push(found, private=True, hub=hub)
    assert address == f"{server.url}/spaces/{REPO}"
    assert files_of(server) == SENT | {".gitattributes": b"*.bin filter=lfs"}
    made = server.repos["spaces", REPO].made_with
    assert (made["type"], made["sdk"], made["visibility"]) == ("space", "gradio", "private")
    assert list(server.objects.values()) == [LARGE], "a large file goes ahead of its commit"
    assert server.repos["spaces", REPO].messages == [f"psmooth at {found.commit[:12]}"]
    assert {token for _, token in server.tokens if token} == {"Bearer hf_test"}


def test_an_update_sends_what_differs_and_removes_what_is_gone(checkout: Path, server: FakeHub, hub: Hub) -> None:
    push(plan(checkout, REPO, hub=hub), hub=hub)
    again = plan(checkout, REPO, hub=hub)
    assert (again.added, again.changed, again.removed, again.kept, again.size) == ((), (), (), len(SENT), 0)
    server.asked.clear()
    push(again, hub=hub)
    assert [path for path in written(server) if "commit" in path] == [], "no commit for nothing"
    (checkout / "app.py").write_bytes(b"import psmooth  # anew\n")
    (checkout / "assets" / "pocket" / "weights.bin").write_bytes(LARGE + b"\x08")
    (checkout / "docs" / "deploy.md").unlink()
    (checkout / "docs" / "page.md").write_bytes(b"more")
    git(checkout, "add", "app.py", "assets/pocket", "docs/deploy.md", "docs/page.md")
    git(checkout, "commit", "--quiet", "--message", "anew")
    found = plan(checkout, REPO, hub=hub)
    assert (found.added, found.removed) == (("docs/page.md",), ("docs/deploy.md",))
    assert set(found.changed) == {"app.py", "assets/pocket/weights.bin"}
    push(found, hub=hub)
    there = files_of(server)
    assert there["app.py"] == b"import psmooth  # anew\n"
    assert there["assets/pocket/weights.bin"] == LARGE + b"\x08"
    assert {"docs/deploy.md", ".gitattributes"} & there.keys() == {".gitattributes"}


def test_what_was_changed_and_not_committed_is_not_sent(checkout: Path, hub: Hub) -> None:
    (checkout / "tests" / "test_it.py").write_text("another")
    assert plan(checkout, REPO, hub=hub).added, "what does not go may differ"
    (checkout / "psmooth" / "__init__.py").write_text("another")
    with pytest.raises(HubError, match=r"^psmooth/__init__.py was changed since the last commit"):
        plan(checkout, REPO, hub=hub)


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_the_bytes_are_those_that_were_committed_whatever_lies_in_the_folder(
    checkout: Path, server: FakeHub, hub: Hub, flag: str
) -> None:
    """git overlooks a change where it was told to, and a file can change once it was looked at."""
    git(checkout, "update-index", flag, "app.py")
    (checkout / "app.py").write_text("token = 'hf_x'")
    found = plan(checkout, REPO, hub=hub)
    (checkout / "README.md").write_text("token: hf_x")
    push(found, hub=hub)
    assert files_of(server) == SENT | {".gitattributes": b"*.bin filter=lfs"}


def test_what_a_link_leads_to_is_not_sent(checkout: Path, hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("private")
    blob = git(checkout, "hash-object", "-w", "--no-filters", str(tmp_path / "outside.txt"))
    git(checkout, "update-index", "--add", "--cacheinfo", f"120000,{blob},assets/link.txt")
    git(checkout, "commit", "--quiet", "--message", "a link")
    git(checkout, "checkout", "--", "assets/link.txt")
    with pytest.raises(HubError, match=r"^assets/link.txt is a link or another repository"):
        plan(checkout, REPO, hub=hub)
    git(checkout, "rm", "--quiet", "assets/link.txt")
    git(checkout, "update-index", "--add", "--cacheinfo", f"160000,{git(checkout, 'rev-parse', 'HEAD')},assets/other")
    git(checkout, "commit", "--quiet", "--message", "another repository")
    (checkout / "assets" / "other").mkdir()
    with pytest.raises(HubError, match=r"^assets/other is a link or another repository"):
        plan(checkout, REPO, hub=hub)


@pytest.mark.parametrize("name", [".env", ".env.local", "key.PEM", "id_rsa", "token.txt", ".netrc", "my_secrets.json"])
def test_what_has_the_name_of_a_secret_is_not_sent_even_if_it_was_committed(
    checkout: Path, hub: Hub, name: str
) -> None:
    (checkout / "tests" / name).write_text("hf_x")
    git(checkout, "add", "--force", "tests")
    git(checkout, "commit", "--quiet", "--message", "where no Space gets it")
    assert plan(checkout, REPO, hub=hub).added
    (checkout / "psmooth" / name).write_text("hf_x")
    git(checkout, "add", "--force", "psmooth")
    git(checkout, "commit", "--quiet", "--message", "a slip")
    with pytest.raises(HubError, match="has the name of a secret"):
        plan(checkout, REPO, hub=hub)


def test_what_is_no_checkout_is_refused(tmp_path: Path, checkout: Path, hub: Hub) -> None:
    with pytest.raises(HubError, match="is no git checkout of psmooth"):
        plan(tmp_path, REPO, hub=hub)
    (checkout / "app.py").unlink()
    with pytest.raises(HubError, match="is no git checkout of psmooth"):
        plan(checkout, REPO, hub=hub)


@pytest.mark.parametrize("repo", ["psmooth", "a/b/c", "", "a b/c"])
def test_what_is_no_name_of_a_repository_is_refused(repo: str, checkout: Path, hub: Hub) -> None:
    with pytest.raises(HubError, match="is no name of a repository"):
        plan(checkout, repo, hub=hub)


def test_a_space_that_was_changed_meanwhile_is_left_as_it_is(checkout: Path, server: FakeHub, hub: Hub) -> None:
    push(plan(checkout, REPO, hub=hub), hub=hub)
    found = replace(plan(checkout, REPO, hub=hub), changed=("app.py",))
    commit = server.add(REPO, files_of(server) | {"another.txt": b"of somebody else"}, "space")
    with pytest.raises(HubError, match="answered 412"):
        push(found, hub=hub)
    assert server.repos["spaces", REPO].names["main"] == commit


@pytest.mark.parametrize(("status", "words"), [(401, "HF_TOKEN"), (403, "HF_TOKEN"), (418, "answered 418")])
def test_a_hub_that_refuses_says_what_to_do(checkout: Path, server: FakeHub, hub: Hub, status: int, words: str) -> None:
    server.unwritable = status
    with pytest.raises(HubError, match=words):
        push(plan(checkout, REPO, hub=hub), hub=hub)
    assert server.repos == {}


def test_a_file_that_does_not_arrive_leaves_the_space_without_a_commit(
    checkout: Path, server: FakeHub, hub: Hub
) -> None:
    server.loses = True
    with pytest.raises(HubError, match="a file did not arrive, and nothing was committed"):
        push(plan(checkout, REPO, hub=hub), hub=hub)
    assert set(files_of(server)) == {".gitattributes"}


def test_a_hub_out_of_reach_is_said(checkout: Path) -> None:
    with pytest.raises(HubError, match="the Hub cannot be reached"):
        plan(checkout, REPO, hub=Hub(endpoint="http://127.0.0.1:9"))


def test_of_this_very_checkout_the_app_and_its_documents_go_and_no_test() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("These files were not cloned, so git does not say which were committed.")
    files = list(dict(_blobs(ROOT, "HEAD")))
    assert {"app.py", "README.md", "requirements.txt", "psmooth/interface/page.py", "docs/certify-light.png"} <= {
        *files
    }
    assert "assets/pocket/pocket-noisy.safetensors" in files
    assert [path for path in files if path.startswith(("tests/", "docs/evaluation/", ".github/"))] == []


# --- the command


@pytest.fixture
def command(server: FakeHub, checkout: Path, tmp_path: Path) -> Callable[..., Any]:
    """Runs ``psmooth spaces push`` in a process of its own."""
    environment = os.environ | {
        "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "hf_test",
        "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0", "PYTHONPATH": str(ROOT),
    }  # fmt: skip

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        line = [sys.executable, "-m", "psmooth", "spaces", "push", REPO, "--folder", str(checkout), *words]
        return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=120)

    return run


def test_the_command_sends_nothing_until_it_is_told_to(command: Callable[..., Any], server: FakeHub) -> None:
    dry = command()
    assert dry.returncode == 0, dry.stderr
    assert {f"+ {name}" for name in SENT} < set(dry.stdout.splitlines())
    assert "somebody/psmooth, to be made, from " in dry.stdout
    assert dry.stderr == "Nothing was sent. With --yes it is.\n"
    assert (written(server), server.repos) == ([], {})
    done = command("--yes", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["pushed"], told["url"]) == (True, "https://somebody-psmooth.hf.space")
    assert set(files_of(server)) == {*SENT, ".gitattributes"}
    again = command("--private")
    assert "--private does not change who sees it" in again.stderr
    assert "jane" not in dry.stdout + done.stdout + done.stderr


def test_the_command_ends_with_a_sentence_where_the_hub_refuses(command: Callable[..., Any], server: FakeHub) -> None:
    server.unwritable = 403
    done = command("--yes")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("The Hub does not let you write to somebody/psmooth. Set HF_TOKEN")
    assert "Traceback" not in done.stderr
