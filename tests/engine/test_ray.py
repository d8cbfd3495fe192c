"""Scans spread over a Ray cluster: the same file as one process writes, whoever is killed meanwhile."""

import os
import pickle
import random
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib import util
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from PIL import Image

from psmooth import runtime
from psmooth.certificate import Plan
from psmooth.command_line.run import main
from psmooth.errors import ClusterError, ModelError, ScanError
from psmooth.models import HALF, MedVLM, load_model
from psmooth.phantoms import draw_phantom
from psmooth.runtime import usable_cores
from psmooth.smoothing import cluster, on_ray
from psmooth.smoothing.cluster import Share, check_address, shares
from psmooth.smoothing.evaluation import Evaluating, EvaluationPlan, evaluate
from psmooth.smoothing.on_ray import MOST_TRIES, OnRay, Order, Worker
from psmooth.smoothing.provenance import versions
from psmooth.smoothing.records import RECORDS
from psmooth.smoothing.spreading import fingerprints
from psmooth.tasks import TASKS

needs_ray = pytest.mark.skipif(util.find_spec("ray") is None, reason="Ray is not installed")

TASK = TASKS["oral_histology"]
CONDITION = ("none", 0.25)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve scans of two classes; what they show does not matter here."""
    folder = tmp_path_factory.mktemp("scans") / "oral"
    for place, class_id in enumerate(TASK.class_ids):
        (folder / class_id).mkdir(parents=True)
        for seed in range(6):
            pixels = draw_phantom("blood_cells", ("monocyte", "platelet")[place], seed).pixels
            Image.fromarray(pixels).save(folder / class_id / f"{seed}.png")
    return folder


# --- a cluster of processes


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, tiny_model: MedVLM) -> dict[str, str]:
    """That of the commands: the batch size is known, for a trial may come out differently while others work."""
    cache = tmp_path_factory.mktemp("cache")
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        patch.setattr(runtime, "trial", lambda _, cores: ((16, cores), True))
        for cores in range(1, (os.cpu_count() or 1) + 1):
            patch.setattr(runtime, "usable_cores", lambda cores=cores: cores)
            patch.setattr(runtime, "threads_given", lambda cores=cores: cores)
            for model in (tiny_model, load_model("pocket", device="cpu")):
                runtime.best_batch_size(model)
    torch.set_num_threads(threads)
    return {**os.environ, "XDG_CACHE_HOME": str(cache), "OMP_WAIT_POLICY": "PASSIVE"}


Started = subprocess.Popen[bytes]


def start(command: str, folder: Path, out: Path, environment: dict[str, str], *options: str) -> Started:
    told = ["--task", TASK.id, "--out", str(out), "--device", "cpu", *options]
    arguments = [sys.executable, "-m", "psmooth", command, str(folder), *told]
    with out.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(arguments, stdout=log, stderr=log, env=environment)


SCRATCH = re.compile(r"/\S*/psmooth-ray-\w+")  # the folder of a cluster of one's own


def ended_well(process: Started, out: Path) -> bytes:
    """The records of a command that ended as it should."""
    assert process.wait(300) == 0, out.with_suffix(".log").read_text("utf-8")
    return (out / RECORDS).read_bytes()


def in_one_process(
    command: str, folder: Path, out: Path, environment: dict[str, str], patch: pytest.MonkeyPatch, *options: str
) -> bytes:
    """The records that the same command writes in this process."""
    patch.setenv("XDG_CACHE_HOME", environment["XDG_CACHE_HOME"])
    threads = torch.get_num_threads()
    with pytest.raises(SystemExit) as ended:
        main([command, str(folder), "--task", TASK.id, "--out", str(out), "--device", "cpu", *options])
    torch.set_num_threads(threads)
    assert not ended.value.code
    return (out / RECORDS).read_bytes()


HEAD = """
import sys, ray
options = dict(num_cpus=2, include_dashboard=False, object_store_memory=2**27, log_to_driver=False)
print(ray.init("local", _temp_dir=sys.argv[1], **options).address_info["gcs_address"], flush=True)
sys.stdin.read()
"""


TOKEN = secrets.token_hex(32)


def joins() -> dict[str, str]:
    """What a cluster that stands, and those who join it, have in their environment."""
    return {**cluster._LOOPBACK, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}


@pytest.fixture(scope="module")
def standing(environment: dict[str, str]) -> Iterator[Started]:
    """A cluster that stands before a command comes; it says its address."""
    with TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as scratch:
        told = {**environment, **cluster._ENVIRONMENT, **joins()}
        arguments = [sys.executable, "-c", HEAD, scratch]
        with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=told) as head:
            yield head
            assert head.stdin
            head.stdin.close()


@pytest.fixture(scope="module")
def joining(standing: Started) -> Callable[[], tuple[str, ...]]:
    """The options with which a command joins that cluster, asked for when they are needed: it takes its time."""

    @cache
    def options() -> tuple[str, ...]:
        assert standing.stdout
        return "--ray", standing.stdout.readline().decode().split()[-1], "--ray-cores"

    return options


def size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def processes() -> dict[int, tuple[int, str]]:
    """Parent and words of every process that has not ended, by its number."""
    asked = ["ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,args="]  # lines as long as they are, whatever COLUMNS says
    listed = subprocess.run(asked, capture_output=True, text=True, check=True)
    rows = [line.split(None, 3) for line in listed.stdout.splitlines()]
    return {int(row[0]): (int(row[1]), row[-1]) for row in rows if not row[2].startswith("Z")}


def below(process: Started) -> set[int]:
    """The processes that a command has started, theirs too."""
    known, found, before = processes(), {process.pid}, set[int]()
    while found != before:
        before, found = found, found | {one for one, (parent, _) in known.items() if parent in found}
    return found - {process.pid}


def kill_a_worker(process: Started) -> bool:
    """Whether one of those that stand below a process was killed."""
    known, found = processes(), below(process)
    workers = sorted(one for one in found & known.keys() if known[one][1].startswith("ray::Worker"))
    if workers:
        os.kill(random.choice(workers), signal.SIGKILL)
    return bool(workers)


def written_past(process: Started, file: Path, length: int) -> bool:
    """Whether a command goes on with its file: waits until it does or ends, and a random moment more."""
    while process.poll() is None and size(file) <= length:
        time.sleep(0.02)
    time.sleep(0.3 * random.random())
    return process.poll() is None


@needs_ray
def test_workers_and_a_command_that_are_killed_change_no_byte(
    folder: Path,
    environment: dict[str, str],
    standing: Started,
    joining: Callable[[], tuple[str, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spread, options = tmp_path / "spread", ("--noise", "0.25,0.5", "--votes", "20", "--limit", "6")
    first = start(
        "evaluate", folder, spread, environment, *options, "--ray", "local", "--ray-cores", str(usable_cores())
    )
    assert written_past(first, spread / RECORDS, 0)
    left = below(first)
    (scratch,) = {found for one, (_, words) in processes().items() if one in left for found in SCRATCH.findall(words)}
    assert open_to_others(left) == set(), "a cluster of one's own listens to its machine alone"
    first.send_signal(signal.SIGKILL)
    assert first.wait(60) == -signal.SIGKILL
    before = (spread / RECORDS).read_bytes()
    second = start("evaluate", folder, spread, {**environment, **joins()}, *options, *joining(), "1")
    while second.poll() is None and not kill_a_worker(standing):  # before it has a model
        time.sleep(0.05)
    assert written_past(second, spread / RECORDS, len(before))
    assert kill_a_worker(standing)
    whole = tmp_path / "whole"
    expected = in_one_process("evaluate", folder, whole, environment, monkeypatch, *options)
    assert expected.startswith(before)
    assert ended_well(second, spread) == expected
    for file in ("runs.json", "summary.json"):
        assert (spread / file).read_bytes() == (whole / file).read_bytes()
    told = spread.with_suffix(".log").read_text("utf-8")
    assert "12 of 12 runs" in told
    assert ".png" not in told
    assert ended(left)
    shutil.rmtree(scratch)  # what a command leaves that could not tidy up


def open_to_others(processes: set[int]) -> set[str]:
    """The addresses, as Linux writes them, at which these processes listen to more than their own machine."""
    held = {link for one in processes for link in links_of(one)}
    rows = [row.split() for kind in ("tcp", "tcp6") for row in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]]
    listening = {row[1].split(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in held}
    assert listening, "a cluster listens somewhere"
    return {address for address in listening if not address.endswith("0100007F")}


def links_of(process: int) -> Iterator[str]:
    """What a process has open; nothing of one that has ended."""
    with suppress(OSError):
        for file in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                yield str(file.readlink())


def ended(left: set[int]) -> bool:
    """Whether the processes of a cluster end without the command that started it; its agents look up now and then."""
    assert len(left) > 2
    deadline = time.monotonic() + 90
    while left & processes().keys():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


# --- the queue, on a cluster that dies as it is told


class DiedError(Exception):
    """What Ray raises of a worker that is gone."""


class FaultyError(DiedError):
    """What Ray raises of a worker's own exception."""


class Call:
    """What a worker is asked for, answered when somebody waits for it."""

    def __init__(self, cluster: "FakeRay", work: Any, *arguments: Any) -> None:
        self.cluster, self.work, self.arguments = cluster, work, arguments

    def answer(self) -> Any:
        """Both ways through bytes, as between machines."""
        if self.cluster.deaths and self.cluster.deaths.popleft():
            raise DiedError
        return pickle.loads(pickle.dumps(self.work(*pickle.loads(pickle.dumps(self.arguments)))))


class Method:
    def __init__(self, cluster: "FakeRay", work: Any) -> None:
        self.cluster, self.work = cluster, work

    def remote(self, *arguments: Any) -> Call:
        return Call(self.cluster, self.work, *arguments)


class FakeWorker:
    """A worker in this process, behind what Ray shows of one."""

    def __init__(self, cluster: "FakeRay") -> None:
        worker = Worker()
        self.__ray_ready__ = Method(cluster, lambda: True)
        self.load, self.parts = Method(cluster, worker.load), Method(cluster, worker.parts)


class FakeRay:
    """As much of Ray as is asked for; ``deaths`` says which answers never come. The last asked is answered first."""

    class exceptions:  # noqa: N801
        RayError, RayTaskError = DiedError, FaultyError

    def __init__(self, *deaths: int, nodes: tuple[dict[str, float], ...] = ({"CPU": 2},)) -> None:
        self.deaths, self.started, self._nodes = deque(deaths), 0, nodes

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": node} for node in self._nodes]

    def remote(self, _: type) -> "FakeRay":
        return Kind(self)  # type: ignore[return-value]

    def put(self, value: Any) -> Any:
        return value

    def wait(self, calls: list[Call], **_: Any) -> tuple[list[Call], list[Call]]:
        return calls[-1:], calls[:-1]

    def get(self, call: Call) -> Any:
        return call.answer()

    def kill(self, worker: FakeWorker) -> None:
        assert isinstance(worker, FakeWorker)


class Kind:
    def __init__(self, cluster: FakeRay) -> None:
        self.cluster = cluster

    def options(self, **_: Any) -> "Kind":
        return self

    def remote(self) -> FakeWorker:
        self.cluster.started += 1
        return FakeWorker(self.cluster)


@pytest.fixture
def scans(folder: Path) -> list[tuple[Path, str]]:
    return [(file, file.parent.name) for file in sorted(folder.rglob("*.png"))][3:9]


STUDY = EvaluationPlan(TASK, ("template",), ("none",), (0.25, 0.5), Plan(max_votes=32))


def spread_over(fake: FakeRay, patch: pytest.MonkeyPatch) -> OnRay:
    from contextlib import nullcontext

    patch.setattr(on_ray, "joined", lambda _: nullcontext(fake))
    patch.setattr(on_ray, "check_address", lambda _: None)
    patch.setattr(on_ray, "best_batch_size", lambda _: 16)
    patch.setattr("psmooth.smoothing.certification.best_batch_size", lambda _: 16)
    return OnRay("local", cores=1)


def run(model: MedVLM, files: list[tuple[Path, str]], out: Path, *spread: Any) -> bytes:
    list(evaluate(model, files, STUDY, out, (), *spread))
    return (out / RECORDS).read_bytes()


@pytest.mark.parametrize("deaths", ["1", "01", "001", "0001", "0000011", "0101001001"])
def test_whoever_dies_and_whoever_is_first_the_file_is_the_same(
    deaths: str, tiny_model: MedVLM, scans: list[tuple[Path, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeRay(*map(int, deaths))
    spread = spread_over(fake, monkeypatch)
    whole = run(tiny_model, scans, tmp_path / "whole")
    assert run(tiny_model, scans, tmp_path / "spread", spread) == whole
    assert not fake.deaths
    assert fake.started == 2 + deaths.count("1")
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "runs.json").write_bytes((tmp_path / "whole" / "runs.json").read_bytes())
    (tmp_path / "cut" / RECORDS).write_bytes(whole[: len(whole) // 2])
    assert run(tiny_model, scans, tmp_path / "cut", spread) == whole
    started = fake.started
    assert run(tiny_model, scans, tmp_path / "cut", spread) == whole
    assert fake.started == started


@pytest.mark.parametrize("deaths", ["1", "01", "0001", "0101001"])
def test_an_attacked_folder_is_the_same_whoever_dies(
    deaths: str,
    folder: Path,
    tiny_model_folder: Path,
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the plain model: when a judge of a smoothed attack ends, the clock says, in one process too."""
    options = ("--model", f"local-dir:{tiny_model_folder}", "--noise", "0.1,0.25", "--votes", "20", "--quick")
    options += ("--halvings", "0", "--plain-steps", "3", "--limit", "6")
    fake = FakeRay(*map(int, deaths))
    spread_over(fake, monkeypatch)
    expected = in_one_process("attack", folder, tmp_path / "whole", environment, monkeypatch, *options)
    joining = ("--ray", "local", "--ray-cores", "1")
    assert in_one_process("attack", folder, tmp_path / "out", environment, monkeypatch, *options, *joining) == expected
    assert not fake.deaths
    assert fake.started == 2 + deaths.count("1")


def test_a_scan_is_given_up_after_all_before_it_are_recorded(
    tiny_model: MedVLM, scans: list[tuple[Path, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeRay(*(0, 0, 0, 1) + (0, 0, 1) * (MOST_TRIES - 1), nodes=({"CPU": 1},))
    spread = spread_over(fake, monkeypatch)
    whole = run(tiny_model, scans, tmp_path / "whole")
    with pytest.raises(ClusterError, match=f"after {MOST_TRIES} workers had died"):
        run(tiny_model, scans, tmp_path / "spread", spread)
    written = (tmp_path / "spread" / RECORDS).read_bytes()
    assert written == b"".join(whole.splitlines(keepends=True)[:2])
    assert fake.started == MOST_TRIES + 1  # the last one for the scan that comes next


def test_workers_that_die_over_their_model_end_the_run(
    tiny_model: MedVLM, scans: list[tuple[Path, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeRay(*(0, 1) * MOST_TRIES, nodes=({"CPU": 1},))
    with pytest.raises(ClusterError, match=f"{MOST_TRIES} workers died one after another"):
        run(tiny_model, scans, tmp_path, spread_over(fake, monkeypatch))
    assert fake.started == MOST_TRIES


def test_a_cluster_without_room_is_not_waited_for_for_ever(
    tiny_model: MedVLM, scans: list[tuple[Path, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeRay()
    monkeypatch.setattr(fake, "wait", lambda calls, **_: ([], calls))
    monkeypatch.setattr(on_ray, "_SECONDS_TO_PLACE", 0.05)
    with pytest.raises(ClusterError, match="no room for a worker"):
        run(tiny_model, scans, tmp_path, spread_over(fake, monkeypatch))


@pytest.mark.parametrize("spread_out", [False, True])
def test_a_file_that_cannot_be_read_ends_a_run_after_those_before_it(
    spread_out: bool,
    tiny_model: MedVLM,
    scans: list[tuple[Path, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    files = [*scans[:3], (broken, TASK.class_ids[0]), *scans[3:]]
    spread = spread_over(FakeRay(), monkeypatch)
    with pytest.raises(ScanError, match=r"broken\.png"):
        run(tiny_model, files, tmp_path / "out", *([spread] if spread_out else []))
    assert (tmp_path / "out" / RECORDS).read_bytes().count(b"\n") == 3 * 2


@pytest.mark.parametrize("spread_out", [False, True])
def test_memory_that_runs_out_ends_a_run_as_in_one_process(
    spread_out: bool,
    tiny_model: MedVLM,
    scans: list[tuple[Path, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spread = spread_over(FakeRay(), monkeypatch)
    first = []

    def embed(model: MedVLM, pixels: torch.Tensor) -> torch.Tensor:
        if pixels.shape[0] == 16 and len(first) >= 2 * 2 * 4 + 4:
            raise MemoryError
        first.append(1)
        return model._embed(pixels, model.encode)

    monkeypatch.setattr(MedVLM, "embed_images", embed)
    with pytest.raises(ModelError, match="Memory ran out"):
        run(tiny_model, scans, tmp_path, *([spread] if spread_out else []))


# --- what a worker is held against


def order(model: MedVLM, weights: str, **changes: Any) -> Order:
    work = Evaluating(STUDY)
    names = {condition: fingerprints(facts) for condition, facts in work.facts(model).items()}
    return replace(Order(weights, "float32", "cpu", 1, 16, work, names, versions()), **changes)


def problem(told: Order) -> str:
    threads = torch.get_num_threads()
    try:
        found = Worker().load(told)
    finally:
        torch.set_num_threads(threads)
    return "" if found is None else str(found)


def test_a_worker_that_differs_says_in_what_before_its_first_vote(
    tiny_model: MedVLM, tiny_model_folder: Path, slow_model_folder: Path
) -> None:
    weights = f"local-dir:{tiny_model_folder}"
    assert problem(order(tiny_model, weights)) == ""
    assert "others than those" in problem(order(tiny_model, f"local-dir:{slow_model_folder}"))
    assert "cannot begin" in problem(order(tiny_model, f"{weights}-gone"))
    other = problem(order(tiny_model, weights, versions={**versions(), "torch": "1.0"}))
    assert f"has torch {versions()['torch']}, and the machine that sends the scans has 1.0" in other


# --- room, addresses, options


@pytest.mark.parametrize(
    ("nodes", "device", "cores", "share"),
    [
        ([{"CPU": 2}], None, None, Share(1, 2, 0, "cpu")),
        ([{"CPU": 2}], None, 1, Share(2, 1, 0, "cpu")),
        ([{"CPU": 64}, {"CPU": 8}], None, None, Share(18, 4, 0, "cpu")),
        ([{"CPU": 64}, {"CPU": 3}], None, None, Share(22, 3, 0, "cpu")),
        ([{"CPU": 0}, {"CPU": 8}], None, None, Share(2, 4, 0, "cpu")),
        ([{"CPU": 32, "GPU": 4}, {"CPU": 8}], None, None, Share(4, 4, 1, "cuda")),
        ([{"CPU": 8, "GPU": 8}], None, None, Share(8, 1, 1, "cuda")),
        ([{"CPU": 8, "GPU": 8}], None, 2, Share(4, 2, 1, "cuda")),
        ([{"CPU": 32, "GPU": 4}], "cpu", None, Share(8, 4, 0, "cpu")),
    ],
)
def test_a_cluster_is_shared_out_by_cards_where_it_has_some_else_by_cores(
    nodes: list[dict[str, float]], device: str | None, cores: int | None, share: Share
) -> None:
    assert shares(nodes, device, cores) == share


@pytest.mark.parametrize(
    ("device", "cores", "told"), [("cuda", None, "has an NVIDIA card"), (None, 3, "has 3 cores for a worker")]
)
def test_a_cluster_that_has_too_little_says_so(device: str | None, cores: int | None, told: str) -> None:
    with pytest.raises(ClusterError, match=told):
        shares([{"CPU": 2}], device, cores)


@needs_ray
@pytest.mark.parametrize("address", ["", "somewhere", "host:", "host:port", "ray://host", "host:70000"])
def test_what_is_no_address_is_refused_by_its_form(address: str) -> None:
    with pytest.raises(ClusterError, match=r"must be local, auto, HOST:PORT, or ray://HOST:PORT"):
        check_address(address)


def told_by(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_without_ray_one_sentence_says_what_to_install(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster.util, "find_spec", lambda _: None)
    asked = ["evaluate", str(folder), "--task", TASK.id, "--out", str(tmp_path), "--ray", "local"]
    assert told_by(asked, capsys) == "Ray is not installed here: pip install 'psmooth[ray]'.\n"


def test_one_scan_is_not_spread(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = next(folder.rglob("*.png"))
    told = told_by(["attack", str(scan), "--task", TASK.id, "--ray", "local"], capsys)
    assert told == "--ray spreads the scans of a folder, and this is one scan. Leave it out.\n"


def test_half_precision_is_not_spread(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The machine that sends has its model on the processor, which has no half precision."""
    asked = [str(folder), "--task", TASK.id, "--out", str(tmp_path), "--precision", HALF, "--ray", "local"]
    for command in ("evaluate", "attack"):
        told = told_by([command, *asked], capsys)
        assert told == "--ray does not spread the precision 'torch-float16'. Leave one of the two out.\n"
