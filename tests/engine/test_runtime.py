"""The machine is settled once, and remembered."""

import json
import subprocess
import sys

import pytest
import torch

from psmooth import runtime


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    threads = torch.get_num_threads()
    yield tmp_path / "psmooth" / "trials.json"
    torch.set_num_threads(threads)


def test_the_trial_is_remembered(tiny_model, cache, monkeypatch):
    batch = runtime.best_batch_size(tiny_model)
    assert batch in (16, 32, 64)
    (remembered,) = json.loads(cache.read_text()).values()
    assert remembered == [batch, torch.get_num_threads()]
    monkeypatch.setattr(runtime, "_trial", lambda _: pytest.fail("tried again"))
    assert runtime.best_batch_size(tiny_model) == batch


@pytest.mark.parametrize("rubbish", ["", "{", "[]", '{"a": 1}', '{"a": [0, 0]}'])
def test_a_damaged_memory_is_made_anew(tiny_model, cache, rubbish):
    cache.parent.mkdir()
    cache.write_text(rubbish)
    assert runtime.best_batch_size(tiny_model) in (16, 32, 64)
    assert len(json.loads(cache.read_text())) == 1


def test_a_cache_that_cannot_be_written_does_no_harm(tiny_model, cache):
    cache.parent.write_text("a file where the folder should be")
    assert runtime.best_batch_size(tiny_model) in (16, 32, 64)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_settling_keeps_large_tensors_in_the_process():
    """Page faults of freeing and making a 60 MB tensor again, in a fresh process with and without."""
    script = (
        "import resource, sys, torch; from psmooth.runtime import settle\n"
        "assert sys.argv[1] == 'no' or settle()\n"
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
