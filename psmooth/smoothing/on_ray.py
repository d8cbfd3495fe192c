"""Spreads the scans of a folder over a Ray cluster: a model a worker, crops sent to it, records sent back in order.

It knows nothing about files, or what a record says.

What decides a vote is settled on this machine and sent: the crop, the weights by their commit, the batch size. A worker
whose packages, model, banks or denoisers are others than this machine's is refused before its first vote. One that dies
is replaced, and its scan goes to another.
"""

import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from socket import gethostname
from typing import Any

import torch

from psmooth.errors import ClusterError, PsmoothError
from psmooth.models import TORCH, MedVLM, load_model
from psmooth.runtime import GPU_BATCH, best_batch_size, tune_allocator
from psmooth.smoothing.cluster import check_address, joined, shares
from psmooth.smoothing.provenance import versions
from psmooth.smoothing.spreading import Condition, Job, Part, Work, fingerprints

MOST_TRIES = 3  # of a scan whose workers die, and of each place whose workers die before they have a model
_AHEAD = 2  # scans on their way, for each worker
_SECONDS_TO_PLACE = 600.0  # that a cluster may take until it has room for a first worker

Answer = tuple[list[Part], PsmoothError | None]  # what came of a scan, and what ended it


@dataclass(frozen=True, eq=False)
class OnRay:
    """A ``Spread`` over the Ray cluster at ``address``: ``local``, ``auto``, HOST:PORT or ray://HOST:PORT.

    ``cores`` of each worker; by default four, or as many as the smallest machine has. Where the cluster has NVIDIA
    cards every worker gets one, unless another ``device`` is named.

    Raises:
        ClusterError: Ray is not installed, or the address is none.
    """

    address: str
    cores: int | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        check_address(self.address)

    def __call__(self, model: MedVLM, work: Work, jobs: Iterator[Job]) -> Generator[Part, None, None]:
        """The parts of all jobs in their order; the cluster is joined when a first scan lacks something.

        Raises:
            ClusterError: the cluster cannot be joined or has no room, workers die time and again, or one differs from
                this machine.
        """
        for job in jobs:
            if any(job.missing.values()):
                break
            yield [], len(job.missing)
        else:
            return
        with joined(self.address) as ray:
            yield from _in_order(self._crew(ray, model, work), chain([job], jobs))

    def _crew(self, ray: Any, model: MedVLM, work: Work) -> "_Crew":
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        share = shares(nodes, self.device if model.precision == TORCH else "cpu", self.cores)
        batch = best_batch_size(model) if share.device == "cpu" else GPU_BATCH
        names = {condition: fingerprints(facts) for condition, facts in work.facts(model).items()}
        order = Order(
            _weights_of(model), model.precision, share.device, share.cores, batch, work, names, versions()
        )  # fmt: skip
        kind = ray.remote(Worker).options(num_cpus=share.cores, num_gpus=share.cards, max_restarts=0)
        return _Crew(ray, kind, ray.put(order), share.workers)


def _weights_of(model: MedVLM) -> str:
    """The name by which another machine finds the same weights; a folder by its whole path."""
    kind, _, place = model.spec.weights.partition(":")
    return f"{kind}:{Path(place).expanduser().absolute()}" if kind == "local-dir" else model.spec.weights


# --- on the workers' side


@dataclass(frozen=True, eq=False)
class Order:
    """All that a worker needs to know; ``names`` are the fingerprints that its own facts must have."""

    weights: str
    precision: str
    device: str
    cores: int
    batch_size: int
    work: Work
    names: Mapping[Condition, Mapping[str, str]]
    versions: Mapping[str, str]


class Worker:
    """A model in a process of its own, somewhere in the cluster."""

    def load(self, order: Order) -> PsmoothError | None:
        """Load the model; gives what speaks against it."""
        tune_allocator()
        torch.set_num_threads(order.cores)
        try:
            check_versions(order.versions, versions())
            self._model = load_model(order.weights, order.device, precision=order.precision)
            facts = order.work.facts(self._model)
            check_names(order.names, {condition: fingerprints(one) for condition, one in facts.items()})
        except PsmoothError as error:
            return ClusterError("A worker on {machine} cannot begin: {reason}", machine=gethostname(), reason=error)
        self._order = order
        return None

    def parts(self, job: Job) -> Answer:
        """What comes of a scan, and the error that ended it, if one did."""
        parts: list[Part] = []
        try:
            for part in self._order.work.parts(self._model, job, self._order.batch_size):
                parts.append(part)
        except PsmoothError as error:
            return parts, error
        return parts, None


def check_versions(here: Mapping[str, str], there: Mapping[str, str]) -> None:
    """Raise ClusterError where a worker's packages are others: the last bits of a vote may be too."""
    for package in here:
        if there.get(package) != here[package]:
            raise ClusterError(
                "it has {package} {there}, and the machine that sends the scans has {here}. Install the same versions "
                "on all machines.",
                package=package,
                there=there.get(package, "–"),
                here=here[package],
            )


def check_names(here: Mapping[Condition, Mapping[str, str]], there: Mapping[Condition, Mapping[str, str]]) -> None:
    """Raise ClusterError where the records of a worker would be of other runs."""
    if here != there:
        raise ClusterError(
            "its model, banks or denoisers are others than those of the machine that sends the scans. Copy the same "
            "files to all machines."
        )


# --- on this side


@dataclass(eq=False)
class _Task:
    """A scan on its way, until it has its answer."""

    job: Job | None
    answer: Answer | None = None
    tries: int = 0


@dataclass(frozen=True, eq=False)
class _Call:
    """What a worker has been asked for: to be there, to load the model, or, with a task, a scan."""

    worker: Any
    loads: bool = False
    task: _Task | None = None


def _in_order(crew: "_Crew", jobs: Iterator[Job]) -> Iterator[Part]:
    """The parts of every job in the order of the jobs; an error comes after all that stands before it."""
    source, tasks = _read(jobs), deque[_Task]()
    while True:
        while len(tasks) < crew.ahead and (task := next(source, None)) is not None:
            tasks.append(task)
            crew.take(task)
        if not tasks:
            return
        if (answer := tasks[0].answer) is None:
            crew.wait()
            continue
        tasks.popleft()
        parts, error = answer
        yield from parts
        if error is not None:
            raise error


def _read(jobs: Iterator[Job]) -> Iterator[_Task]:
    """A task a job, answered where nothing is missing; an error of reading is the answer of the last one."""
    try:
        for job in jobs:
            yield _Task(job, None if any(job.missing.values()) else ([([], len(job.missing))], None))
    except PsmoothError as error:
        yield _Task(None, ([], error))


class _Crew:
    """At most ``most`` workers, started as scans wait for them; each has one scan at a time."""

    def __init__(self, ray: Any, kind: Any, order: Any, most: int) -> None:
        self._ray, self._kind, self._order, self._most = ray, kind, order, most
        self._waiting: deque[_Task] = deque()
        self._idle: list[Any] = []
        self._calls: dict[Any, _Call] = {}  # by the reference to what will be answered
        self._died = 0  # workers, one after another, before any had a model
        self._alone = time.monotonic()  # since when no worker has been there

    @property
    def ahead(self) -> int:
        """Scans that may be on their way at once."""
        return _AHEAD * self._most

    def take(self, task: _Task) -> None:
        """Have a scan done; its task has the answer some time later."""
        if task.answer is None:
            self._waiting.append(task)
            self._give()

    def wait(self) -> None:
        """Until some worker answers, or a minute."""
        answered, _ = self._ray.wait(list(self._calls), num_returns=1, timeout=60)
        for reference in answered:
            self._hear(reference, self._calls.pop(reference))
        self._give()
        self._check_room()

    def _give(self) -> None:
        while self._waiting and self._idle:
            worker, task = self._idle.pop(), self._waiting.popleft()
            task.tries += 1
            self._calls[worker.parts.remote(task.job)] = _Call(worker, task=task)
        coming = sum(call.task is None for call in self._calls.values())
        while len(self._waiting) > coming and len(self._calls) + len(self._idle) < self._most:
            worker, coming = self._kind.remote(), coming + 1
            self._calls[worker.__ray_ready__.remote()] = _Call(worker)

    def _hear(self, reference: Any, call: _Call) -> None:
        known = self._ray.exceptions
        try:
            answer = self._ray.get(reference)
        except known.RayTaskError:  # a fault of psmooth's own, which another worker would have too
            raise
        except known.RayError:
            self._lose(call)
            return
        if call.task is not None:
            call.task.answer = answer
        elif not call.loads:
            self._calls[call.worker.load.remote(self._order)] = _Call(call.worker, loads=True)
            return
        elif answer is not None:
            raise answer
        self._died = 0
        self._idle.append(call.worker)

    def _lose(self, call: _Call) -> None:
        """The worker is gone; its scan is the next that another one gets."""
        with suppress(self._ray.exceptions.RayError):
            self._ray.kill(call.worker)
        if call.task is None:
            self._died += 1
            if self._died >= MOST_TRIES * self._most:
                raise ClusterError(
                    "{count} workers died one after another before they had loaded the model. It may be too large for "
                    "their memory: give each of them more cores, so that there are fewer.",
                    count=self._died,
                )
        elif call.task.tries < MOST_TRIES:
            self._waiting.appendleft(call.task)
        else:
            call.task.answer = [], _given_up(call.task)

    def _check_room(self) -> None:
        """Raise ClusterError where no worker has been there for long, though scans wait."""
        there = self._idle or any(call.loads or call.task for call in self._calls.values())
        if there:
            self._alone = time.monotonic()
        elif time.monotonic() - self._alone > _SECONDS_TO_PLACE:
            raise ClusterError(
                "The Ray cluster has had no room for a worker for {minutes} minutes. The records so far are kept: "
                "start again when it has.",
                minutes=int(_SECONDS_TO_PLACE // 60),
            )


def _given_up(task: _Task) -> ClusterError:
    return ClusterError(
        "A scan was given up after {count} workers had died over it. Their memory may be too small: give each of them "
        "more cores, so that there are fewer. The records so far are kept.",
        count=task.tries,
    )
