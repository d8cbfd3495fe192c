"""Joins a Ray cluster, or starts one of its own, and says how many workers it has room for.

It knows nothing about models, scans or votes.

Ray is told to tell nobody that it is used. A cluster that is started here has no dashboard, listens to this machine
alone, and answers only those who know its token, which nobody but its own processes does. Ray reads the latter two
when it is imported: a program that did so before has the cluster that its own environment asks for.
"""

import os
import secrets
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module, util
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from psmooth.errors import ClusterError
from psmooth.runtime import usable_cores

OWN, NEAREST = "local", "auto"  # beside HOST:PORT and ray://HOST:PORT

_SECONDS_TO_REACH = 5.0
_STORE = 128 * 2**20  # bytes of shared memory of a cluster of our own: more than all crops on their way
_MOST_CORES = 4  # of a worker, unless told otherwise: as many batches are on their way at once
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else Ray warns that it will be the default
}
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # Ray's own default there: no port is open to other machines
_SHORT = "/tmp" if Path("/tmp").is_dir() else None  # the name of a socket may have some hundred letters
_QUIET = {"log_to_driver": False, "logging_level": "ERROR"}


@dataclass(frozen=True)
class Share:
    """What each of ``workers`` gets: ``cores``, ``cards`` (one or none), and the device its model is on."""

    workers: int
    cores: int
    cards: int
    device: str


def check_address(address: str) -> None:
    """Raise ClusterError unless Ray is installed and this may be an address of a cluster."""
    if util.find_spec("ray") is None:
        raise ClusterError("Ray is not installed here: pip install 'psmooth[ray]'.")
    if address not in (OWN, NEAREST):
        _host_and_port(address)


def _host_and_port(address: str) -> tuple[str, int]:
    try:
        parts = urlsplit(address if address.startswith("ray://") else f"//{address}")
        if parts.hostname and parts.port:
            return parts.hostname, parts.port
    except ValueError:  # a port that is no number
        pass
    raise ClusterError(
        "'{address}' is no address of a Ray cluster; it must be local, auto, HOST:PORT, or ray://HOST:PORT from a "
        "machine that is not part of it.",
        address=address,
    )


@contextmanager
def joined(address: str) -> Iterator[Any]:
    """Ray, connected to that cluster; one that was started here ends with it.

    Raises:
        ClusterError: nothing answers there as a cluster, or it was lost.
    """
    ray = _ray(address)
    with TemporaryDirectory(prefix="psmooth-ray-", dir=_SHORT, ignore_cleanup_errors=True) as scratch:
        try:
            _join(ray, address, scratch)
            yield ray
        except (ConnectionError, ray.exceptions.RaySystemError) as error:
            raise _lost(address, error) from None
        finally:
            ray.shutdown()


def _ray(address: str) -> Any:
    """The package; what it reads from the environment it reads when it is imported."""
    os.environ.update(_ENVIRONMENT)
    if address == OWN and "ray" not in sys.modules:
        os.environ.update(_LOOPBACK)
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    return import_module("ray")


def _lost(address: str, error: Exception) -> ClusterError:
    return ClusterError(
        "The connection to the Ray cluster '{address}' was lost: {reason}. The records so far are kept: start again "
        "when it is there.",
        address=address,
        reason=_first_line(error),
    )


def _first_line(error: Exception) -> str:
    """Of what Ray says, which may be pages."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")[:200]


def _join(ray: Any, address: str, scratch: str) -> None:
    if address == OWN:
        own = {"num_cpus": usable_cores(), "include_dashboard": False, "object_store_memory": _STORE}
        ray.init(address=OWN, _temp_dir=scratch, **own, **_QUIET)
        return
    try:
        if address != NEAREST:  # Ray itself would wait for more than a minute
            socket.create_connection(_host_and_port(address), _SECONDS_TO_REACH).close()
        ray.init(address=address, **_QUIET)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise ClusterError(
            "No Ray cluster can be joined at '{address}' ({reason}). auto and HOST:PORT of its first machine are for a "
            "machine that is part of it (ray start --address=HOST:PORT); from any other take ray://HOST:10001.",
            address=address,
            reason=_first_line(error),
        ) from None


def shares(nodes: Sequence[Mapping[str, float]], device: str | None, cores: int | None) -> Share:
    """How a cluster is shared out, whose machines have these resources, as Ray names them.

    Raises:
        ClusterError: no machine has a card, where one was asked for, or as many cores.
    """
    cards = int(device in (None, "cuda") and any(node.get("GPU", 0) >= 1 for node in nodes))
    if device == "cuda" and not cards:
        raise ClusterError("No machine of the Ray cluster has an NVIDIA card. Leave --device out.")
    able = [node for node in nodes if node.get("CPU", 0) >= 1 and (not cards or node.get("GPU", 0) >= 1)]
    each = cores or min([_MOST_CORES, *(_cores(node, cards) for node in able)])
    workers = sum(int(min(node["CPU"] // each, node["GPU"] if cards else node["CPU"])) for node in able)
    if workers == 0:
        raise ClusterError(
            "No machine of the Ray cluster has {cores} cores for a worker. Give --ray-cores a smaller number.",
            cores=each,
        )
    return Share(workers, each, cards, "cuda" if cards else device or "cpu")


def _cores(node: Mapping[str, float], cards: int) -> int:
    """Of a machine, or for each of its cards."""
    return max(1, int(node["CPU"] // (node["GPU"] if cards else 1)))
