"""The cache holds what fits, loads once however many ask, and lets the one asked for longest ago go first."""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from psmooth.errors import ModelError
from psmooth.models import cache as cache
from psmooth.models.cache import ModelCache, fits, free_memory


@pytest.fixture
def loads() -> list[str]:
    return []


def a_cache(loads: list[str], room: int, wait: Callable[[str], None] = lambda _: None) -> ModelCache:
    """A cache for ``room`` models, whose models are their names; loading one takes as long as ``wait`` does."""

    def load(name: str, device: str | None, progress: object) -> Any:  # noqa: ARG001
        wait(name)
        loads.append(name)
        return SimpleNamespace(name=name, device=torch.device("cpu"))

    made: list[ModelCache] = []
    made.append(ModelCache("cpu", fits=lambda *_: len(made[0].names) < room, load=load))
    return made[0]


def test_one_at_a_time_unless_more_fit(loads):
    single, double = a_cache(loads, 1), a_cache(loads, 2)
    for name in ("a", "b", "a"):
        single.get(name)
        double.get(name)
    assert single.names == ("a",)
    assert double.names == ("b", "a")
    assert loads == ["a", "a", "b", "b", "a"]


def test_the_one_asked_for_longest_ago_goes_first(loads):
    held = a_cache(loads, 2)
    for name in ("a", "b", "a", "c"):
        held.get(name)
    assert held.names == ("a", "c")


def test_a_model_that_fits_nowhere_is_tried_alone(loads):
    held = a_cache(loads, 0)
    held.get("a")
    held.get("b")
    assert held.names == ("b",)


def test_many_who_ask_at_once_share_one_load(loads):
    started, go = threading.Event(), threading.Event()

    def wait(name: str) -> None:
        if name == "a":
            started.set()
            go.wait(5)

    held = a_cache(loads, 3, wait)
    held.get("ready")
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(held.get, "a") for _ in range(3)]
        assert started.wait(5)
        assert held.get("ready") is not None, "another model does not wait for it"
        assert held.get("b") is not None, "nor does one that has to be loaded"
        go.set()
        assert len({id(one.result(5)) for one in asked}) == 1
    assert loads == ["ready", "b", "a"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="This system does not fork.")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")  # that is what is tested
@pytest.mark.parametrize("lock", ["_lock", "_loading"])
def test_a_worker_forked_while_another_thread_holds_a_lock_does_not_wait_for_it(loads, lock):
    held, taken, go = a_cache(loads, 2), threading.Event(), threading.Event()
    held.get("ready")

    def hold() -> None:
        with held._lock if lock == "_lock" else held._lock_of("new"):
            taken.set()
            go.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    assert taken.wait(5)
    worker = multiprocessing.get_context("fork").Process(target=_ask_for_two, args=(held,), daemon=True)
    worker.start()
    worker.join(20)
    hung = worker.is_alive()
    worker.kill()
    worker.join()
    go.set()
    holder.join()
    assert not hung, "the worker waits for a thread that it does not have"
    assert worker.exitcode == 0
    held.get("new")
    assert held.names == ("ready", "new"), "here the lock was let go of and works on"


def _ask_for_two(held: ModelCache) -> None:
    held.get("ready")
    held.get("new")
    assert held.names == ("ready", "new")


def test_names_that_were_asked_for_once_leave_nothing_behind(loads):
    held = a_cache(loads, 1)
    for name in "abc":
        held.get(name)
    assert len(held._loading) == 0


def test_a_model_that_cannot_be_loaded_is_not_held(tmp_path):
    held = ModelCache("cpu")
    with pytest.raises(ModelError):
        held.get(f"local-dir:{tmp_path}")
    assert held.names == ()


def test_what_fits_follows_size_and_free_memory(monkeypatch, tiny_model_folder):
    cpu = torch.device("cpu")
    assert 0 < free_memory(cpu) < 2**50
    monkeypatch.setattr(cache, "free_memory", lambda _: 3_000_000_000)
    assert fits("plip", cpu)
    assert not fits("monet", cpu)
    assert not fits("hf-hub:some/body", cpu)
    assert fits(f"local-dir:{tiny_model_folder}", cpu)
    assert fits("pocket", cpu)
