"""Mends what the environment says wrongly or not at all before a library reads it: home, proxies, certificates.

It knows nothing about what is fetched, kept or served. A variable of this process is changed only where a library
would otherwise write into the current folder, or end with a trace.
"""

import importlib.util
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from psmooth.errors import HubError

_HERE = ("localhost", "127.0.0.1", "::1")
_SCHEMES = ("http", "https", "socks5", "socks5h")
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # as requests and curl call what the others call SSL_CERT_FILE

unusable: list[str] = []  # variables that were taken out, because no library can use what they say


def mend() -> None:
    """Done once, when psmooth is imported: a second time changes nothing."""
    _find_home()
    _mend_proxies()
    _mend_certificates()


def _find_home() -> None:
    """Blank is unset, and so is a relative cache; without any home a private folder of the temporary ones is taken."""
    for name in ("HOME", "XDG_CACHE_HOME", "HF_HOME"):
        if not os.environ.get(name, "unset").strip():
            del os.environ[name]
    if not Path(os.environ.get("XDG_CACHE_HOME", Path.cwd())).is_absolute():
        del os.environ["XDG_CACHE_HOME"]
    if not Path(os.path.expanduser("~")).is_absolute():  # noqa: PTH111  # pathlib raises where nobody has a name
        os.environ["HOME"] = str(private_folder())


def private_folder() -> Path:
    folder = Path(tempfile.gettempdir(), f"psmooth-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="psmooth-"))
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return folder if ours else Path(tempfile.mkdtemp(prefix="psmooth-"))


def check_way() -> None:
    """Raise HubError where a variable was taken out: without it a request would leave by a way that was not meant."""
    for name in unusable:
        raise HubError(
            "{variable} cannot be used. A proxy is http://HOST:PORT or socks5://HOST:PORT, and SSL_CERT_FILE names a "
            "file of certificates. Correct it and start again.",
            variable=name,
        )


# --- proxies


def proxy_variables(*schemes: str) -> Iterator[tuple[str, str]]:
    """The variables that name a proxy for addresses of these schemes, as they are spelled, and what they say."""
    for name in (f"{scheme}_proxy" for scheme in (*schemes, "all")):
        for spelled in (name, name.upper()):
            if value := os.environ.get(spelled, "").strip():
                yield spelled, value


def reach_directly(host: str) -> None:
    """No proxy stands between this process and that host: its own address."""
    if not any(proxy_variables("https", "http")):
        return
    lists = (os.environ.get(name, "") for name in ("no_proxy", "NO_PROXY"))
    hosts = [one.strip() for one in ",".join(lists).split(",") if one.strip()]
    if host not in hosts and "*" not in hosts:
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(dict.fromkeys([*hosts, host]))


def _mend_proxies() -> None:
    for name, value in list(proxy_variables("https", "http")):
        if value.startswith("socks://"):  # GNOME's word for it
            os.environ[name] = value = value.replace("socks", "socks5", 1)
        if not _is_proxy(value):
            del os.environ[name]
            unusable.append(name)
    for host in _HERE:
        reach_directly(host)


def _is_proxy(value: str) -> bool:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        usable = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return usable and (not parts.scheme.startswith("socks") or importlib.util.find_spec("socksio") is not None)


# --- certificates of a hospital's own


def _mend_certificates() -> None:
    """``SSL_CERT_FILE`` is what is read; a bundle that is named elsewhere counts, one that cannot be read does not."""
    named = next((os.environ[name] for name in _BUNDLES if os.environ.get(name)), "")
    if named and not os.environ.get("SSL_CERT_FILE") and Path(named).is_file():
        os.environ["SSL_CERT_FILE"] = named
    if not (file := os.environ.get("SSL_CERT_FILE")):
        return
    import ssl  # slow, and seldom wanted

    try:
        ssl.create_default_context(cafile=file)
    except OSError:  # no such file, or no certificate in it
        del os.environ["SSL_CERT_FILE"]
        unusable.append("SSL_CERT_FILE")
