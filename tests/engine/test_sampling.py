"""The noise is what it says it is: exact bins, never shared, the same whatever the machine is doing."""

import hashlib
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import torch
from scipy.stats import chisquare, norm

from psmooth import sampling
from psmooth.errors import PlanError
from psmooth.noise import BLOCK, SCHEME, GridNoise, grid_noise, noise_block, noise_blocks_on
from psmooth.philox import philox_words
from psmooth.sampling import batch_copies, batch_copies_on, noisy_copies, noisy_embeddings
from psmooth.scans import crop_scan

SEED = "0123456789abcdef" * 2
OLDER_BLOCK = "a384bf164b939306"


def masses(values, noise_level):
    """Bin masses by SciPy's own normal law, from the survival side where that is sharper."""
    width = 255 * noise_level
    upper = np.abs(values)
    return np.where(
        values == 0,
        1 - 2 * norm.sf(0.5 / width),
        norm.sf((upper - 0.5) / width) - norm.sf((upper + 0.5) / width),
    )


@pytest.mark.parametrize("noise_level", [0.02, 0.1, 0.25, 0.5, 1.0])
def test_edges_cut_the_64_bits_in_the_bin_masses(noise_level):
    noise = GridNoise(noise_level)
    edges = [0, *map(int, noise.edges), 2**64]
    found = np.array([(high - low) / 2**64 for low, high in pairwise(edges)])
    assert len(found) == len(noise.values)
    assert np.abs(found - masses(noise.values, noise_level)).sum() < 1e-13
    assert found.sum() == pytest.approx(1, abs=1e-15)
    assert (noise.values == -noise.values[::-1]).all(), "symmetric"


@pytest.mark.parametrize(("noise_level", "most"), [(0.001, 4e-9), (0.25, 4e-9), (1.0, 4e-9), (10.0, 4e-8)])
def test_total_variation_of_a_crop_is_what_the_module_states(noise_level, most):
    """Against the normal law in fifty digits; a bin is off by its two edges, and the variation is half of all bins."""
    noise = GridNoise(noise_level)
    step = max(1, len(noise.edges) // 1_500)  # of the many edges of a large σ, some stand for their neighbours
    with mpmath.workdps(50):
        width = mpmath.mpf(255) * mpmath.mpf(noise_level)
        pairs = zip(noise.values[:-1:step], noise.edges[::step], strict=True)
        errors = [mpmath.ncdf((int(value) + 0.5) / width) - mpmath.mpf(int(edge)) / 2**64 for value, edge in pairs]
        of_a_draw = float(step * sum(map(abs, errors)))
    assert 0 < 224 * 224 * 3 * of_a_draw < most


def two_streams(key):
    return np.random.Philox(key=key), np.random.Philox(key=key, counter=1 << 64)


@pytest.mark.parametrize("noise_level", [0.1, 0.25, 1.0])
def test_draws_follow_the_bin_masses(noise_level):
    draws = grid_noise(noise_level).draw(*two_streams(1), 4_000_000)
    values, counts = np.unique(draws, return_counts=True)
    expected = masses(values, noise_level) * len(draws)
    common = expected > 20
    rest = len(draws) - expected[common].sum()
    observed = [*counts[common], len(draws) - counts[common].sum()]
    assert chisquare(observed, [*expected[common], rest]).pvalue > 1e-4


def test_moments_and_tails_are_those_of_the_rounded_gaussian():
    draws = grid_noise(0.25).draw(*two_streams(2), 8_000_000).astype(np.float64)
    width = 255 * 0.25
    assert abs(draws.mean()) < 5 * width / np.sqrt(len(draws))
    assert draws.var() == pytest.approx(width**2 + 1 / 12, rel=5 * np.sqrt(2 / len(draws)))
    for grey in (3 * width, 4 * width, 5 * width):
        level = np.ceil(grey)
        expected = 2 * norm.sf((level - 0.5) / width) * len(draws)
        assert abs((np.abs(draws) >= level).sum() - expected) < 5 * np.sqrt(expected) + 1


def test_a_prefix_that_an_edge_runs_through_is_decided_by_more_bits():
    class Rigged:
        """Gives out chosen 64-bit words, so that every draw falls just beside an edge."""

        def __init__(self, words):
            self.words = list(words)

        def random_raw(self, count):
            taken, self.words = self.words[:count], self.words[count:]
            return np.array(taken, np.uint64)

    noise = grid_noise(0.25)
    edge = int(noise.edges[len(noise.edges) // 2])
    prefix, tail = edge >> 48, edge & (2**48 - 1)
    packed = prefix | prefix << 16 | prefix << 32 | prefix << 48
    tails = [tail << 16, max(tail - 1, 0) << 16, min(tail + 1, 2**48 - 1) << 16, 0]
    drawn = noise.draw(Rigged([packed]), Rigged(tails), 4)  # type: ignore[arg-type]
    above = noise.values[len(noise.edges) // 2 + 1]
    assert drawn.tolist() == [above, above - 1, above, above - 1]


def test_votes_blocks_phases_scans_and_seeds_never_share_noise(scan, crop):
    other = crop_scan(scan, crop.rule.__class__(size=32, fit="pad"))
    draws = [
        noise_block(0.25, SEED, crop, "estimate", 0),
        noise_block(0.25, SEED, crop, "estimate", 1),
        noise_block(0.25, SEED, crop, "select", 0),
        noise_block(0.25, SEED, other, "estimate", 0),
        noise_block(0.25, SEED[::-1], crop, "estimate", 0),
    ]
    flat = np.concatenate([block.reshape(BLOCK, -1) for block in draws]).astype(np.float64)
    correlation = np.asarray(np.corrcoef(flat))[np.triu_indices(len(flat), 1)]
    limit = 6 / np.sqrt(flat.shape[1])  # about 13,000 pairs: six deviations are not met by chance
    assert np.abs(correlation).max() < limit
    assert np.std(correlation) == pytest.approx(1 / np.sqrt(flat.shape[1]), rel=0.05)


# --- on a device, whose code runs on torch's processor too


@pytest.mark.parametrize("stream", [0, 1, 5])
def test_philox_gives_the_words_of_numpy(stream):
    keys = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, (3, 2), dtype=np.int64)
    keys[0] = -1, np.iinfo(np.int64).min
    words = philox_words(torch.from_numpy(keys), 1_003, stream).numpy().view(np.uint64)
    for key, found in zip(keys, words, strict=True):
        number = int.from_bytes(key.astype("<i8").tobytes(), "little")
        assert (np.random.Philox(key=number, counter=stream << 64).random_raw(1_003) == found).all()


@pytest.mark.parametrize("noise_level", [0.001, 0.02, 0.1, 0.25, 0.5, 1.0, 10.0])
def test_a_device_draws_the_noise_of_the_processor_bit_for_bit(crop, noise_level):
    there = noise_blocks_on(torch.device("cpu"), noise_level, SEED, crop, "estimate", (0, 3, 4))
    here = [noise_block(noise_level, SEED, crop, "estimate", block) for block in (0, 3, 4)]
    assert there.dtype == torch.int16
    assert np.array_equal(there.numpy(), np.concatenate(here))
    table = grid_noise(noise_level).table
    count = here[0].size
    assert (table == -32768).mean() * count + 30 < grid_noise(noise_level).most_undecided(count), "there is room"


@pytest.mark.parametrize(("first", "size"), [(0, 4), (28, 4), (0, 32), (48, 48), (7, 100)])
def test_a_device_makes_the_copies_of_the_processor_bit_for_bit(crop, first, size):
    there = batch_copies_on(torch.device("cpu"), crop, 0.25, SEED, "estimate", first, size)
    assert torch.equal(there, batch_copies(crop, 0.25, SEED, "estimate", first, size))


def test_a_stream_whose_noise_the_device_draws_is_the_same(crop, monkeypatch):
    options = {"seed": SEED, "phase": "estimate", "count": 100, "batch_size": 48}
    here = torch.cat(list(noisy_embeddings(Recorder(), crop, 0.5, **options)))
    drawn_there = []
    original = sampling.batch_copies_on
    monkeypatch.setattr(sampling, "_DRAW_NOISE", ("cpu",))
    monkeypatch.setattr(sampling, "batch_copies_on", lambda *about: drawn_there.append(about) or original(*about))
    assert torch.equal(torch.cat(list(noisy_embeddings(Recorder(), crop, 0.5, **options))), here)
    assert len(drawn_there) == 3
    older = torch.cat(list(noisy_embeddings(Recorder(), crop, 0.5, **options, scheme="sfc64")))
    assert len(drawn_there) == 3, "the older scheme is the processor's alone"
    assert not torch.equal(older, here)


def test_the_older_scheme_still_draws_what_it_drew(crop):
    """The sum of the first block was taken when it was the only scheme."""
    assert SCHEME != "sfc64"
    noise = noise_block(0.25, SEED, crop, "estimate", 0, "sfc64")
    assert hashlib.sha256(noise.tobytes()).hexdigest()[:16] == OLDER_BLOCK


# --- streams


def test_noise_of_a_vote_is_bit_equal_whatever_the_batch(crop):
    whole = batch_copies(crop, 0.25, SEED, "estimate", 0, 96)
    for size in (1, 7, 32, 48):
        parts = [batch_copies(crop, 0.25, SEED, "estimate", first, size) for first in range(0, 96, size)]
        assert torch.equal(torch.cat(parts)[:96], whole)


class Recorder:
    """An encoder that keeps what it is shown."""

    device = torch.device("cpu")

    def __init__(self):
        self.seen = []

    def embed_images(self, pixels):
        self.seen.append(pixels.clone())
        return pixels.flatten(1)[:, :5]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_stream_is_bit_equal_whatever_the_threads_and_keeps_one_batch_shape(crop, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        encoder = Recorder()
        stream = noisy_embeddings(encoder, crop, 0.5, seed=SEED, phase="estimate", count=100, batch_size=32)
        parts = list(stream)
        assert [len(part) for part in parts] == [32, 32, 32, 4]
        assert torch.equal(torch.cat(parts), batch_copies(crop, 0.5, SEED, "estimate", 0, 100).flatten(1)[:, :5])
        assert torch.get_num_threads() == threads
        assert {tuple(batch.shape) for batch in encoder.seen} == {(32, 3, 32, 32)}
        whole = batch_copies(crop, 0.5, SEED, "estimate", 0, 128)
        expected = {part.numpy().tobytes() for part in whole.split(32)}
        assert {batch.numpy().tobytes() for batch in encoder.seen} == expected
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_mirrored_stream_is_the_mean_of_both_views_of_each_copy_bit_for_bit(crop, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        options = {"seed": SEED, "phase": "estimate", "count": 70, "batch_size": 32, "denoise": lambda x, s: x * s}
        found = torch.cat(list(noisy_embeddings(Recorder(), crop, 0.5, mirrored=True, **options)))
        copies = batch_copies(crop, 0.5, SEED, "estimate", 0, 70) * 0.5
        views = [view.flatten(1)[:, :5] for view in (copies, copies.flip(3))]
        assert torch.equal(found, views[0].lerp(views[1], 0.5))
        assert not torch.equal(found, views[0])
    finally:
        torch.set_num_threads(before)


def test_pixel_and_noise_are_added_as_integers_and_not_clipped(crop):
    noise = noise_block(1.0, SEED, crop, "estimate", 0)
    copies = noisy_copies(crop, noise)
    exact = crop.pixels.astype(np.int64).transpose(1, 2, 0) + noise.astype(np.int64)
    assert copies.min() < 0
    assert copies.max() > 1
    assert np.array_equal(copies.permute(0, 2, 3, 1).numpy(), exact.astype(np.float32) / np.float32(255))
    # A copy is a function of the sum alone: moved pixels and moved noise give the same bits.
    moved = type(crop)(crop.pixels + np.uint8(0), crop.rule, crop.sha256)
    moved.pixels[:] = np.clip(crop.pixels.astype(int) - 3, 0, 255)
    shift = crop.pixels.astype(np.int16) - moved.pixels.astype(np.int16)
    assert torch.equal(noisy_copies(moved, noise + shift.transpose(1, 2, 0)), copies)


def test_closing_the_stream_early_leaves_no_thread_behind(crop):
    import threading

    before = threading.active_count()
    stream = noisy_embeddings(Recorder(), crop, 0.5, seed=SEED, phase="estimate", count=10_000, batch_size=32)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


@pytest.mark.parametrize("noise_level", [0, -0.25, 1e-4, float("nan"), float("inf"), 11])
def test_what_is_no_noise_level_is_refused_by_name(noise_level):
    with pytest.raises(PlanError, match="noise_level"):
        GridNoise(noise_level)
