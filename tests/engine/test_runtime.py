"""The machine is settled once, and remembered."""

import json
import os
import subprocess
import sys
import threading

import pytest
import torch

from psmooth import runtime


@pytest.fixture(autouse=True)
def no_trial_was_disturbed(monkeypatch):
    """Whatever ran in this process before."""
    monkeypatch.setattr(runtime, "_disturbed", {})


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Where trials are remembered; the cores are ours alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(runtime, "_QUIET", 0.0)
    threads = torch.get_num_threads()
    yield tmp_path / "psmooth" / "trials.json"
    torch.set_num_threads(threads)


@pytest.mark.skipif(sys.platform != "linux", reason="Other systems keep caches elsewhere.")
@pytest.mark.parametrize("named", ["", "cache"])
def test_it_is_remembered_where_the_system_keeps_caches(tiny_model, tmp_path, monkeypatch, named):
    """On Linux as the XDG base directory specification says: in its variable's folder, or else in ~/.cache."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", named and str(tmp_path / named))
    monkeypatch.setattr(runtime, "trial", lambda _, cores: ((16, cores), True))
    runtime.best_batch_size(tiny_model)
    assert (tmp_path / (named or ".cache") / "psmooth" / "trials.json").is_file()


def test_the_trial_is_remembered(tiny_model, cache, monkeypatch):
    batch = runtime.best_batch_size(tiny_model)
    assert batch in (16, 32, 64)
    (remembered,) = json.loads(cache.read_text()).values()
    assert remembered == [batch, torch.get_num_threads()]
    monkeypatch.setattr(runtime, "trial", lambda *_: pytest.fail("tried again"))
    assert runtime.best_batch_size(tiny_model) == batch


@pytest.mark.parametrize(("seconds_a_copy", "batch"), [(0.1, 4), (0.001, None)])
def test_a_slow_model_gets_small_batches_at_once(tiny_model, cache, monkeypatch, seconds_a_copy, batch):
    """As ViT-B/32 on two cores: a batch of 16 for each worker would take three seconds."""
    clock, copies = [0.0], []

    def embed(_model, pixels):
        clock[0] += seconds_a_copy * len(pixels)
        copies.append(len(pixels))

    monkeypatch.setattr(type(tiny_model), "embed_images", embed)
    monkeypatch.setattr(runtime.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(runtime.time, "process_time", lambda: 2 * clock[0])
    monkeypatch.setattr(runtime, "usable_cores", lambda: 2)
    monkeypatch.setattr(runtime, "threads_given", lambda: 2)
    found = runtime.best_batch_size(tiny_model)
    if batch is None:
        assert found > 4
        return
    assert (found, copies) == (4, [4, 4])
    assert list(json.loads(cache.read_text()).values()) == [[4, 2]]


@pytest.mark.parametrize("others", [False, True], ids=["alone", "beside other programs"])
def test_a_model_that_only_starts_slowly_is_not_slow(tiny_model, monkeypatch, others):
    """And nor is one that waits for the cores: the wall's time counts for little then."""
    clock, busy, costs = [0.0], [0.0], iter((9.0, 9.0 if others else 0.01))

    def embed(_model, _pixels):
        clock[0] += next(costs)
        busy[0] += 9.0 if not busy[0] else 0.01

    monkeypatch.setattr(type(tiny_model), "embed_images", embed)
    monkeypatch.setattr(runtime.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(runtime.time, "process_time", lambda: busy[0])
    assert not runtime.is_slow(tiny_model, 1)


def test_what_was_tried_with_fewer_cores_is_not_remembered_for_more(tiny_model, cache, monkeypatch):
    """A run on one core, then one on four: each has its own trial and gets its own cores."""
    monkeypatch.setattr(runtime, "threads_given", lambda: 8)
    monkeypatch.setattr(runtime, "trial", lambda _, cores: ((32, cores), True))
    for cores in (1, 4, 1):
        monkeypatch.setattr(runtime, "usable_cores", lambda cores=cores: cores)
        runtime.best_batch_size(tiny_model)
        assert torch.get_num_threads() == cores
    assert sorted(json.loads(cache.read_text()).values()) == [[32, 1], [32, 4]]


def test_the_threads_that_were_given_are_never_exceeded():
    """By OMP_NUM_THREADS, or by an affinity that leaves one core."""
    script = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}) if os.environ.get('PIN') else None\n"
        "from psmooth import runtime; print(min(runtime.usable_cores(), runtime.threads_given()))"
    )
    for settings in ({"OMP_NUM_THREADS": "1"}, {"PIN": "1"} if hasattr(os, "sched_setaffinity") else {}):
        if settings:
            done = subprocess.run(
                [sys.executable, "-c", script], env=os.environ | settings, capture_output=True, text=True, check=True
            )
            assert done.stdout.strip() == "1"


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "max 100000"}, 64),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 64),
        ({"cpu.max": "rubbish"}, 64),
        ({}, 64),
    ],
)
def test_the_quota_of_a_container_counts(tmp_path, monkeypatch, files, cores):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(runtime, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert runtime.usable_cores() == cores


def test_a_trial_beside_other_programs_takes_all_cores_and_is_soon_forgotten(tiny_model, cache, monkeypatch):
    """However fast one thread looked then: others had the cores."""
    monkeypatch.setattr(runtime, "_QUIET", 2.0)  # no process gets twice the time of its cores
    monkeypatch.setattr(runtime, "usable_cores", lambda: 2)
    monkeypatch.setattr(runtime, "threads_given", lambda: 2)
    monkeypatch.setattr(runtime, "speed", lambda _model, batch, threads, _seconds: 1000 / threads + batch)
    monkeypatch.setattr(runtime, "_TRIAL_SECONDS", 0.0)
    runtime.best_batch_size(tiny_model)
    assert torch.get_num_threads() == 2
    assert not cache.exists()
    monkeypatch.setattr(runtime, "_QUIET", -1.0)
    runtime.best_batch_size(tiny_model)
    assert torch.get_num_threads() == 2, "every run would cost a trial"
    later = runtime.time.monotonic() + runtime._SECONDS_BUSY
    monkeypatch.setattr(runtime.time, "monotonic", lambda: later)
    runtime.best_batch_size(tiny_model)
    assert torch.get_num_threads() == 1
    assert cache.exists()


def test_a_trial_draws_as_a_run_does(tiny_model, monkeypatch):
    """Batches side by side, by two workers of one thread each, which a worker has set before its first batch."""
    seen: list[tuple[int, int]] = []
    embed = type(tiny_model).embed_images

    def watched(model, pixels):
        seen.append((threading.get_ident(), torch.get_num_threads()))
        return embed(model, pixels)

    monkeypatch.setattr(type(tiny_model), "embed_images", watched)
    before = torch.get_num_threads()
    assert runtime.speed(tiny_model, 16, 2, 0.2) > 0
    torch.set_num_threads(before)
    first = dict(reversed(seen))  # of each worker; torch gives a thread's later work the whole process' default
    assert set(first.values()) == {1}
    assert threading.get_ident() not in first


@pytest.mark.parametrize("rubbish", ["", "{", "[]", '{"a": 1}', '{"a": [0, 0]}'])
def test_a_damaged_memory_is_made_anew(tiny_model, cache, monkeypatch, rubbish):
    monkeypatch.setattr(runtime, "trial", lambda _, cores: ((16, cores), True))
    cache.parent.mkdir()
    cache.write_text(rubbish)
    assert runtime.best_batch_size(tiny_model) == 16
    assert len(json.loads(cache.read_text())) == 1


def test_a_cache_that_cannot_be_written_does_no_harm(tiny_model, cache, monkeypatch):
    monkeypatch.setattr(runtime, "trial", lambda _, cores: ((16, cores), True))
    cache.parent.write_text("a file where the folder should be")
    assert runtime.best_batch_size(tiny_model) == 16


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
@pytest.mark.skipif(sys.platform != "linux", reason="Other systems have other limits.")
def test_as_many_files_may_be_open_as_the_system_allows():
    import resource

    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, usual[1]))
        runtime.raise_open_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (usual[1], usual[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)


def test_settling_keeps_large_tensors_in_the_process():
    """Page faults of freeing and making a 60 MB tensor again, in a fresh process with and without."""
    script = (
        "import resource, sys, torch; from psmooth.runtime import tune_allocator\n"
        "assert sys.argv[1] == 'no' or tune_allocator()\n"
        "def touch(): torch.ones(15_000_000)\n"
        "for _ in range(20): touch()\n"  # the heap finds its size
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(5): touch()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)"
    )
    faults = {
        settled: int(subprocess.run([sys.executable, "-c", script, settled], capture_output=True, check=True).stdout)
        for settled in ("no", "yes")
    }
    assert faults["yes"] * 10 < faults["no"]
