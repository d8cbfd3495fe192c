"""Homes, proxies and certificates that are missing or wrong cost a sentence, and no file in the current folder."""

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from psmooth import environment
from psmooth.errors import HubError

ROOT = Path(__file__).resolve().parents[2]
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without proxies and certificates, given back afterwards; nothing was taken out yet."""
    for name in (*PROXIES, *map(str.upper, PROXIES), "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, "")  # so that it is put back whatever is done to it
        monkeypatch.delenv(name)
    monkeypatch.setattr(environment, "unusable", [])
    return monkeypatch


# --- home


@pytest.mark.parametrize("name", ["HOME", "XDG_CACHE_HOME", "HF_HOME"])
def test_a_blank_home_counts_as_none(surroundings, name):
    surroundings.setenv(name, " ")
    environment.mend()
    assert os.environ.get(name, "/").strip() not in ("", ".")


def test_a_relative_cache_is_not_one(surroundings):
    surroundings.setenv("XDG_CACHE_HOME", "cache")
    environment.mend()
    assert "XDG_CACHE_HOME" not in os.environ


def test_a_home_that_is_made_up_is_private_and_nobody_elses(surroundings, tmp_path):
    surroundings.setattr(environment.tempfile, "tempdir", str(tmp_path))
    folder = environment.private_folder()
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
    assert environment.private_folder() == folder
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    assert environment.private_folder() not in (folder, tmp_path / "elsewhere"), "a link could lead anywhere"


@pytest.mark.skipif(os.name != "posix", reason="elsewhere everybody has a home")
@pytest.mark.parametrize("home", [None, "", "/dev/null/home"])
def test_a_nameless_user_certifies_and_leaves_no_file_where_he_stands(tmp_path, home):
    """Without a home, with a blank one, and with one that cannot be made; nobody is in the list of users."""
    here, temporary = tmp_path / "here", tmp_path / "tmp"
    here.mkdir()
    temporary.mkdir()
    script = (
        "import pwd, sys\n"
        "def getpwuid(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = getpwuid\n"
        "import psmooth.__main__ as m\n"
        "def run(*words):\n"
        "    try: m.main(words)\n"
        "    except SystemExit as left: assert left.code in (0, 3)\n"
        "scan = sys.argv[1]\n"
        "run('phantom', 'blood_cells', 'neutrophil', '--out', scan)\n"
        "run('certify', scan, '--model', 'pocket', '--task', 'blood_cells', '--votes', '64')\n"
        "from psmooth import hub\n"
        "print(hub.DEFAULT.own_folder())"
    )
    settings = {key: value for key, value in os.environ.items() if key not in ("HOME", "XDG_CACHE_HOME", "HF_HOME")}
    settings |= {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)} | ({} if home is None else {"HOME": home})
    command = [sys.executable, "-c", script, str(tmp_path / "cell.png")]
    done = subprocess.run(command, cwd=here, env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert Path(done.stdout.splitlines()[-1]).is_absolute()
    assert list(here.iterdir()) == []


# --- proxies


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_beside_a_proxy_this_machine_is_reached_directly(surroundings, name):
    surroundings.setenv(name, "http://proxy.hospital.example:3128")
    surroundings.setenv("NO_PROXY", "intranet.example")
    environment.mend()
    environment.reach_directly("psmooth.hospital.example")
    environment.mend()
    hosts = ["intranet.example", "localhost", "127.0.0.1", "::1", "psmooth.hospital.example"]
    assert os.environ["no_proxy"].split(",") == os.environ["NO_PROXY"].split(",") == hosts
    assert urllib.request.proxy_bypass_environment("127.0.0.1:7860")  # type: ignore[attr-defined]
    assert not urllib.request.proxy_bypass_environment("huggingface.co")  # type: ignore[attr-defined]


@pytest.mark.usefixtures("surroundings")
def test_without_a_proxy_nothing_is_changed():
    before = dict(os.environ)
    environment.mend()
    assert dict(os.environ) == before


def test_socks_as_desktops_write_it_is_what_libraries_read(surroundings):
    surroundings.setenv("all_proxy", "socks://127.0.0.1:9/")
    environment.mend()
    assert os.environ.copy().pop("all_proxy") == "socks5://127.0.0.1:9/"
    environment.check_way()


@pytest.mark.parametrize("value", ["socks4://127.0.0.1:9", "ftp://proxy", "http://[::1", "http://", "http://host:port"])
def test_a_proxy_that_nothing_can_use_is_named_and_never_gone_round(surroundings, value):
    """It is taken out, for libraries end with a trace; and then nothing leaves by the way without it."""
    surroundings.setenv("HTTPS_PROXY", value)
    environment.mend()
    assert "HTTPS_PROXY" not in os.environ
    with pytest.raises(HubError, match=r"HTTPS_PROXY cannot be used.*socks5://HOST:PORT"):
        environment.check_way()


def test_a_bundle_of_certificates_counts_however_it_is_called(surroundings, tmp_path):
    import certifi

    surroundings.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    environment.mend()
    assert os.environ["SSL_CERT_FILE"] == certifi.where()
    environment.check_way()
    (tmp_path / "bundle.pem").write_text("no certificate")
    for wrong in (tmp_path / "bundle.pem", tmp_path / "missing.pem"):
        surroundings.setenv("SSL_CERT_FILE", str(wrong))
        surroundings.setattr(environment, "unusable", [])
        surroundings.delenv("REQUESTS_CA_BUNDLE", raising=False)
        environment.mend()
        with pytest.raises(HubError, match="SSL_CERT_FILE cannot be used"):
            environment.check_way()


def test_gradio_starts_and_reaches_its_page_behind_proxies_that_lead_nowhere():
    """It reads the proxies when it is imported, and asks its own page for an answer before it serves it."""
    script = (
        "import psmooth.environment, urllib.request as u\n"
        "import gradio as gr\n"
        "with gr.Blocks(analytics_enabled=False) as page: gr.Markdown('here')\n"
        "_, address, _ = page.launch(prevent_thread_lock=True, quiet=True, inbrowser=False, ssr_mode=False)\n"
        "print(u.build_opener(u.ProxyHandler({})).open(address).status)"
    )
    proxies = {"http_proxy": "http://127.0.0.1:9", "ALL_PROXY": "socks://127.0.0.1:9/", "NO_PROXY": "", "no_proxy": ""}
    settings = os.environ | proxies | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], env=settings, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "200"), done.stderr


def test_the_app_mends_its_surroundings_before_gradio_reads_them():
    script = "import sys, os, psmooth; print('gradio' in sys.modules, 'HOME' in os.environ)"
    settings = os.environ | {"PYTHONPATH": str(ROOT), "HOME": " "}
    done = subprocess.run([sys.executable, "-c", script], env=settings, capture_output=True, text=True)
    assert done.stdout.split()[0] == "False", "what psmooth's package does comes before psmooth.interface is read"
    assert done.stdout.split()[1] == "False", done.stderr
